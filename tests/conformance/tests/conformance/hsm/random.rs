//! Random cases of the operations that psec, pyemv or pydukpt have: inputs by the names of the vectors.

use serde_json::{Map, Value, json};

use super::peers::computed;

/// Where the randomness comes from.
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    fn hex(&mut self, bytes: usize) -> String {
        hex::encode_upper((0..bytes).map(|_| self.0.u8(..)).collect::<Vec<_>>())
    }

    /// A TDES key of odd parity.
    fn tdes(&mut self, bytes: usize) -> String {
        let key = hex::decode(self.hex(bytes)).expect("hexadecimal");
        hex::encode_upper(
            key.iter().map(|byte| byte & 0xFE | u8::from((byte & 0xFE).count_ones().is_multiple_of(2))).collect::<Vec<_>>(),
        )
    }

    fn aes(&mut self) -> String {
        let bytes = self.one(&[16, 24, 32]);
        self.hex(bytes)
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.0.digit(10)).collect()
    }

    fn pan(&mut self) -> String {
        let count = self.0.usize(13..=19);
        self.digits(count)
    }

    fn pin(&mut self) -> String {
        let count = self.0.usize(4..=12);
        self.digits(count)
    }

    fn data(&mut self) -> String {
        let count = self.0.usize(1..=70);
        self.hex(count)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *self.0.choice(of).expect("something to choose from")
    }

    /// The text with one of its digits changed, to another that a hexadecimal number has.
    pub(super) fn spoil(&mut self, value: &Value) -> Value {
        let mut letters: Vec<char> = text(value).chars().collect();
        let at = self.0.usize(..letters.len());
        let others: Vec<char> = "0123456789ABCDEF".chars().filter(|letter| *letter != letters[at]).collect();
        letters[at] = self.one(&others);
        letters.into_iter().collect::<String>().into()
    }

    /// A serial number whose counter a device uses.
    fn ksn(&mut self) -> String {
        loop {
            let counter = self.0.u32(1..1 << 21);
            if counter.count_ones() <= 10 {
                // The counter's 21 bits; the three above them are the device's.
                let device = self.0.u32(..8) << 21;
                return format!("{}{:06X}", self.hex(7), device | counter);
            }
        }
    }
}

/// An operation that both sides have.
pub(super) struct Kind {
    pub(super) op: &'static str,
    pub(super) inputs: fn(&mut Random) -> Value,
}

/// An operation of theirs that is random, and the one of ours that reads its result.
pub(super) struct Made {
    pub(super) theirs: &'static str,
    pub(super) ours: &'static str,
    /// What they answer and we read.
    pub(super) carried: &'static str,
    /// Inputs of theirs that must come out.
    pub(super) wanted: &'static [&'static str],
    pub(super) inputs: fn(&mut Random) -> Value,
}

const fn kind(op: &'static str, inputs: fn(&mut Random) -> Value) -> Kind {
    Kind { op, inputs }
}

pub(super) const KINDS: &[Kind] = &[
    kind("pin_block_encode", |r| json!({"format": r.one(&[0, 2]), "pin": r.pin(), "pan": r.pan()})),
    kind("pin_block_decode", decode),
    kind("pin_block_iso4_decipher", decipher),
    kind("pin_translate", translate),
    kind("visa_pvv", |r| json!({"pvk": r.tdes(16), "pvki": r.digits(1), "pin": r.digits(4), "pan": r.pan()})),
    kind("ibm3624_offset", ibm3624),
    kind("ibm3624_verify", offset_verify),
    kind("cvv", |r| json!({"cvk": r.tdes(16), "pan": r.pan(), "expiry": r.digits(4), "service_code": r.digits(3)})),
    kind("dcvv", |r| {
        let option = r.one(&["A", "B"]);
        json!({"imk": r.tdes(16), "pan": r.pan(), "psn": r.digits(2), "mk_option": option, "expiry": r.digits(4),
            "service_code": r.digits(3), "atc_decimal": r.digits(4)})
    }),
    kind("cvc3", |r| {
        let option = r.one(&["A", "B"]);
        json!({"imk": r.tdes(16), "pan": r.pan(), "psn": r.digits(2), "mk_option": option, "track_template": r.data(),
            "atc": r.hex(2), "un": r.hex(4)})
    }),
    kind("mac_iso9797_alg1", |r| {
        let (cipher, key) = if r.0.bool() { ("AES", r.aes()) } else { ("TDES", r.tdes(16)) };
        json!({"cipher": cipher, "key": key, "padding": r.one(&[1, 2, 3]), "mac_len": r.0.u8(4..=8), "data": r.data()})
    }),
    kind(
        "mac_iso9797_alg3",
        |r| json!({"key": r.tdes(16), "padding": r.one(&[1, 2, 3]), "mac_len": r.0.u8(4..=8), "data": r.data()}),
    ),
    kind("key_export_zmk_ecb", |r| json!({"zmk": r.tdes(16), "key": either(r)})),
    kind("key_parity_adjust", |r| json!({"key": r.hex(16)})),
    kind("key_variant_atalla", |r| json!({"key": r.tdes(16), "variant": r.0.u8(1..=31)})),
    kind("kcv_tdes", |r| json!({"key": either(r)})),
    kind("tr31_unwrap", unwrap),
    kind("dukpt_tdes_keys", |r| json!({"bdk": r.tdes(16), "ksn": r.ksn()})),
    kind(
        "dukpt_tdes_pin_encrypt",
        |r| json!({"bdk": r.tdes(16), "ksn": r.ksn(), "pin_block_format": 0, "pin": r.pin(), "pan": r.pan()}),
    ),
    kind("dukpt_tdes_mac", |r| {
        let variant = r.one(&["mac_request", "mac_response"]);
        json!({"bdk": r.tdes(16), "ksn": r.ksn(), "variant": variant, "algorithm": "iso9797_alg3", "padding": r.one(&[1, 2]),
            "data": r.data()})
    }),
    kind("dukpt_tdes_data_encrypt", |r| {
        let blocks = r.0.usize(1..=6);
        json!({"bdk": r.tdes(16), "ksn": r.ksn(), "variant": "data_request", "data": r.hex(8 * blocks)})
    }),
    kind("emv_icc_mk_option_a", |r| json!({"imk": r.tdes(16), "pan": r.pan(), "psn": r.digits(2)})),
    kind("emv_icc_mk_option_b", |r| json!({"imk": r.tdes(16), "pan": r.pan(), "psn": r.digits(2)})),
    kind("emv_common_session_key", |r| json!({"icc_mk": r.tdes(16), "r": r.hex(8)})),
    kind("emv_visa_sm_session_key", |r| json!({"icc_mk": r.tdes(16), "atc": r.hex(2)})),
    kind("emv_tree_session_key", |r| {
        let (height, branches) = r.one(&[(8, 4), (16, 2)]);
        json!({"icc_mk": r.tdes(16), "atc": r.hex(2), "height": height, "branch_factor": branches, "iv": r.hex(16)})
    }),
    kind("emv_arqc", arqc),
    kind("emv_arpc", arpc),
    kind("emv_script_mac", script_mac),
    kind("emv_pin_change_command", pin_change),
];

pub(super) const MADE: &[Made] = &[
    Made {
        theirs: "pin_block_encode",
        ours: "pin_block_decode",
        carried: "pin_block",
        wanted: &["pin"],
        inputs: |r| json!({"format": 3, "pin": r.pin(), "pan": r.pan()}),
    },
    Made {
        theirs: "pin_block_iso4_encipher",
        ours: "pin_block_iso4_decipher",
        carried: "encrypted_pin_block",
        wanted: &["pin"],
        inputs: |r| json!({"key": r.aes(), "pin": r.pin(), "pan": r.pan()}),
    },
    Made {
        theirs: "tr31_wrap",
        ours: "tr31_unwrap",
        carried: "key_block",
        wanted: &["key", "version", "key_usage", "algorithm", "mode_of_use", "key_version", "exportability", "optional_blocks"],
        inputs: header,
    },
];

/// Operations and the input of theirs that is spoiled.
pub(super) const SPOILED: [(&str, &str); 5] = [
    ("pin_block_decode", "pin_block"),
    ("pin_block_iso4_decipher", "encrypted_pin_block"),
    ("pin_translate", "src_block"),
    ("tr31_unwrap", "key_block"),
    ("tr31_unwrap", "kbpk"),
];

/// A double- or triple-length key.
fn either(r: &mut Random) -> String {
    let bytes = r.one(&[16, 24]);
    r.tdes(bytes)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn decode(r: &mut Random) -> Value {
    let (format, pin, pan) = (r.one(&[0, 2, 3]), r.pin(), r.pan());
    let layout = [crypto::pin::Format::Iso0, crypto::pin::Format::Iso0, crypto::pin::Format::Iso2, crypto::pin::Format::Iso3];
    let made = crypto::Pin::new(pin.as_bytes()).and_then(|pin| {
        let fill = std::array::from_fn(|_| r.0.u8(..));
        crypto::pin::encode(layout[format], &pin, pan.as_bytes(), &fill)
    });
    json!({"format": format, "pin_block": hex::encode_upper(made.expect("a PIN block").reveal()), "pan": pan})
}

fn decipher(r: &mut Random) -> Value {
    let mut inputs = json!({"key": r.aes(), "pin": r.pin(), "pan": r.pan(), "pin_field": r.hex(16)});
    inputs["encrypted_pin_block"] = computed("pin_block_iso4_encipher", &inputs)["encrypted_pin_block"].clone();
    inputs
}

fn translate(r: &mut Random) -> Value {
    let (source, target, pin, pan) = (r.tdes(16), either(r), r.pin(), r.pan());
    let clear = computed("pin_block_encode", &json!({"format": 0, "pin": pin, "pan": pan}));
    let sealed = computed("key_export_zmk_ecb", &json!({"zmk": source, "key": format!("{0}{0}", text(&clear["pin_block"]))}));
    let block = &text(&sealed["key_under_zmk"])[..16];
    json!({"src_key": source, "src_format": 0, "src_block": block, "dst_key": target, "dst_format": 0, "pan": pan})
}

fn ibm3624(r: &mut Random) -> Value {
    let (pan, pad) = (r.pan(), r.one(&["0", "5", "F"]));
    let start = r.0.usize(..8);
    let length = r.0.usize(1..=pan.len().min(16 + start) - start);
    json!({"pvk": either(r), "decimalization_table": r.digits(16), "pin": r.pin(), "pan": pan, "pan_verify_offset": start,
        "pan_verify_length": length, "pan_pad": pad})
}

fn offset_verify(r: &mut Random) -> Value {
    let mut inputs = ibm3624(r);
    inputs["offset"] = computed("ibm3624_offset", &inputs)["offset"].clone();
    if r.0.bool() {
        let count = text(&inputs["pin"]).len();
        inputs["offset"] = r.digits(count).into();
    }
    inputs
}

/// What a key block is made of.
fn header(r: &mut Random) -> Value {
    let version = r.one(&["A", "B", "C", "D"]);
    let protection = if version == "D" { r.aes() } else { either(r) };
    let (algorithm, key) = if r.0.bool() { ("T", either(r)) } else { ("A", r.aes()) };
    let mut blocks = Map::new();
    for id in ["KS", "TS", "10"] {
        if r.0.bool() {
            let count = r.0.usize(..60);
            blocks.insert(id.to_owned(), r.hex(count).into());
        }
    }
    let usage = r.one(&["P0", "K0", "B0", "D0", "M3", "V2", "E0"]);
    json!({"kbpk": protection, "key": key, "version": version, "key_usage": usage, "algorithm": algorithm,
        "mode_of_use": r.one(&["B", "E", "N", "X"]), "key_version": r.digits(2), "exportability": r.one(&["E", "N", "S"]),
        "optional_blocks": blocks})
}

/// A block of ours for them to read.
fn unwrap(r: &mut Random) -> Value {
    use crypto::keyblock::{ClearKey, Header, OptionalBlock, ProtectionKey, Version, wrap};
    let of = header(r);
    let one = |name: &str| text(&of[name]).chars().next().expect("a character");
    let raw = |name: &str| hex::decode(text(&of[name])).expect("hexadecimal");
    let made = || {
        let version = Version::of(text(&of["version"]))?;
        let (algorithm, mode, exportability) = (one("algorithm"), one("mode_of_use"), one("exportability"));
        let mut header = Header::new(version, text(&of["key_usage"]), algorithm, mode, text(&of["key_version"]), exportability)?;
        for (id, data) in of["optional_blocks"].as_object().into_iter().flatten() {
            header = header.with(OptionalBlock::new(id, text(data))?)?;
        }
        wrap(&ProtectionKey::new(version, &raw("kbpk"))?, &header, &ClearKey::new(&raw("key"))?, &[0x3C; 48])
    };
    json!({"kbpk": of["kbpk"], "key_block": made().expect("a key block")})
}

const SCHEMES: [&str; 8] =
    ["visa_cvn10", "visa_cvn18", "visa_cvn22", "mc_cvn16", "mc_cvn17", "mc_cvn20", "mc_cvn21", "interac_cvn133"];

/// A scheme, a card, and the issuer's keys that are asked for.
fn card(r: &mut Random, keys: &[&str]) -> Value {
    let mut inputs = json!({"scheme": r.one(&SCHEMES), "pan": r.pan(), "psn": r.digits(2)});
    for key in keys {
        inputs[*key] = r.tdes(16).into();
    }
    inputs
}

fn fill_in(r: &mut Random, inputs: &mut Value, tags: &[(&str, usize)]) {
    for (tag, bytes) in tags {
        inputs[*tag] = r.hex(*bytes).into();
    }
}

fn arqc(r: &mut Random) -> Value {
    let mut inputs = card(r, &["imk_ac"]);
    let tags = [("02", 6), ("03", 6), ("1a", 2), ("37", 4), ("36", 2)].map(|(tag, bytes)| (format!("tag_9f{tag}"), bytes));
    tags.iter().for_each(|(tag, bytes)| inputs[tag.as_str()] = r.hex(*bytes).into());
    fill_in(r, &mut inputs, &[("tag_95", 5), ("tag_5f2a", 2), ("tag_9a", 3), ("tag_9c", 1), ("tag_82", 2)]);
    match text(&inputs["scheme"]) {
        "visa_cvn10" => fill_in(r, &mut inputs, &[("cvr", 4)]),
        "mc_cvn16" | "mc_cvn20" => fill_in(r, &mut inputs, &[("cvr", 6)]),
        "mc_cvn17" | "mc_cvn21" => fill_in(r, &mut inputs, &[("cvr", 6), ("counters", 8)]),
        _ => fill_in(r, &mut inputs, &[("tag_9f10", 18)]),
    }
    inputs
}

fn arpc(r: &mut Random) -> Value {
    let mut inputs = card(r, &["imk_ac"]);
    fill_in(r, &mut inputs, &[("tag_9f26", 8)]);
    match text(&inputs["scheme"]) {
        "visa_cvn10" | "mc_cvn16" | "mc_cvn17" => fill_in(r, &mut inputs, &[("arpc_rc", 2)]),
        "mc_cvn20" | "mc_cvn21" => fill_in(r, &mut inputs, &[("arpc_rc", 2), ("tag_9f36", 2)]),
        "interac_cvn133" => fill_in(r, &mut inputs, &[("arpc_rc", 2), ("tag_9f36", 2), ("tag_9f37", 4)]),
        _ => {
            let bytes = r.0.usize(..=8);
            fill_in(r, &mut inputs, &[("csu", 4), ("tag_9f36", 2), ("proprietary_auth_data", bytes)]);
        }
    }
    inputs
}

/// What a script is bound to, where its scheme binds it.
fn script(r: &mut Random, inputs: &mut Value) {
    fill_in(r, inputs, &[("tag_9f26", 8)]);
    if text(&inputs["scheme"]) != "interac_cvn133" {
        fill_in(r, inputs, &[("tag_9f36", 2)]);
    }
}

fn script_mac(r: &mut Random) -> Value {
    let mut inputs = card(r, &["imk_smi"]);
    script(r, &mut inputs);
    let bytes = r.0.usize(..30);
    fill_in(r, &mut inputs, &[("command_header", 5), ("command_data", bytes)]);
    inputs
}

fn pin_change(r: &mut Random) -> Value {
    let mut inputs = card(r, &["imk_ac", "imk_smi", "imk_smc"]);
    script(r, &mut inputs);
    inputs["pin"] = r.pin().into();
    if text(&inputs["scheme"]).starts_with("visa") && r.0.bool() {
        inputs["current_pin"] = r.pin().into();
    }
    inputs
}
