//! Cases through the handle that the switch holds: keys of a case are taken in under random names and
//! destroyed, some of them later, since the next cases often have the same. What an HSM does not give out, it shows by what it does with it.

mod cards;
mod chips;
mod keys;
mod macs;
mod pins;

use std::collections::VecDeque;

use crypto::CryptoError;
use hsm::{Algorithm, ClearKey, Hsm, HsmError, KeyName, KeyRole};
use payments::Pan;
use serde_json::Value;

use super::case::{Case, Trouble, Values};

/// Why nothing came out of a case.
enum Stop {
    Trouble(Trouble),
    /// A key of the case, or its role, algorithm or mode, is one that no HSM of ours takes in.
    NotTaken,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<CryptoError> for Stop {
    fn from(error: CryptoError) -> Self {
        Self::Trouble(error.into())
    }
}

/// The words of cases; what none of them means is an error's own.
impl From<HsmError> for Stop {
    fn from(error: HsmError) -> Self {
        match error {
            HsmError::KeyRefused(error) | HsmError::KeyBlock(error) | HsmError::Input(error) => error.into(),
            other => Self::Trouble(Trouble::Refused(other.class().to_owned())),
        }
    }
}

/// Keys that stay for the next cases, the oldest first.
#[derive(Default)]
pub(super) struct Shelf(VecDeque<(ClearKey, KeyName)>);

/// Keys on a shelf at most.
const SHELF: usize = 48;

impl Shelf {
    /// Destroys every key on it.
    pub(super) async fn clear(&mut self, hsm: &Hsm) -> Result<(), HsmError> {
        for (_, name) in self.0.drain(..) {
            hsm.destroy_key(&name).await?;
        }
        Ok(())
    }
}

/// A handle, the case, and the keys that it needed.
struct Bench<'a> {
    hsm: &'a Hsm,
    case: &'a Case<'a>,
    shelf: &'a mut Shelf,
    keys: Vec<KeyName>,
}

fn random_name() -> KeyName {
    KeyName::new(&format!("case-{:016x}", fastrand::u64(..)), 1).expect("a good name")
}

impl<'a> Bench<'a> {
    /// For a key that goes with its case.
    fn name(&mut self) -> KeyName {
        let name = random_name();
        self.keys.push(name);
        name
    }

    /// Takes a key in that is clear.
    async fn take(&mut self, key: &ClearKey) -> Result<KeyName, Stop> {
        if let Some((_, name)) = self.shelf.0.iter().find(|(held, _)| held == key) {
            return Ok(*name);
        }
        let name = random_name();
        self.hsm.import_key(&name, key).await?;
        self.shelf.0.push_back((key.clone(), name));
        Ok(name)
    }

    /// Takes an input of the case in, of TDES (`T`) or AES (`A`). Parity is set first: many published keys have
    /// none. Weak keys and equal halves, which some have, are refused by every import.
    async fn key(&mut self, role: KeyRole, letter: char, input: &'static str) -> Result<KeyName, Stop> {
        let key = self.clear(role, letter, input)?;
        self.take(&key).await
    }

    fn clear(&self, role: KeyRole, letter: char, input: &'static str) -> Result<ClearKey, Stop> {
        let raw = self.case.bytes(input)?;
        // Single DES, in examples of standards.
        let known = Algorithm::of_block(letter, raw.len());
        let wrong = || Trouble::Refused(format!("{input}_length"));
        match ClearKey::odd(role, known.ok_or_else(wrong)?, &raw) {
            Ok(key) => Ok(key),
            Err(HsmError::WrongAlgorithm(_)) => Err(wrong().into()),
            Err(HsmError::KeyRefused(CryptoError::WeakKey | CryptoError::RepeatedParts)) => Err(Stop::NotTaken),
            Err(other) => Err(other.into()),
        }
    }

    /// A terminal's key, for what has to be under one.
    async fn terminal(&mut self) -> Result<(KeyName, crypto::TdesKey), Stop> {
        let key = crypto::TdesKey::from_hex("23CE07EA8A0D94D6FB37106E2A5EE0C8")?;
        Ok((self.take(&ClearKey::new(KeyRole::Tpk, key.reveal())?).await?, key))
    }

    /// The PAN; where the operation needs none, any.
    fn pan(&self) -> Result<Pan, Stop> {
        let digits = self.case.pan()?;
        let digits = if digits.is_empty() { b"0000000000000" } else { digits };
        Ok(Pan::new(digits).map_err(|_| CryptoError::Pan)?)
    }
}

/// What no HSM gives out, and of a key block what is the block's and not the key's. What comes out depends on it.
pub(super) const KEPT: [&str; 6] = ["natural_pin", "mac_key", "icc_mk_ac", "version", "key_version", "optional_blocks"];

/// One value.
fn one(name: &str, value: Value) -> Values {
    [(name.to_owned(), value)].into_iter().collect()
}

const KEY_OUT: &str = "a key would come out";
const PIN_OUT: &str = "a clear PIN would go in or come out";
const NO_BLOCK: &str = "keys travel in key blocks alone";

/// Why the handle does not have an operation.
pub(super) fn lacks(op: &str) -> Option<&'static str> {
    Some(match op {
        "pin_translate"
        | "dukpt_tdes_pin_translate"
        | "dukpt_aes_pin_translate"
        | "visa_pvv"
        | "visa_pvv_verify"
        | "ibm3624_offset"
        | "ibm3624_verify"
        | "cmac_aes"
        | "cmac_tdes"
        | "mac_iso9797_alg1"
        | "mac_iso9797_alg3"
        | "mac_verify"
        | "dukpt_tdes_mac"
        | "dukpt_tdes_cmac"
        | "dukpt_aes_cmac"
        | "dukpt_tdes_data_encrypt"
        | "dukpt_tdes_data_decrypt"
        | "cvv"
        | "cvv_verify"
        | "dcvv"
        | "cvc3"
        | "emv_arqc"
        | "emv_arqc_verify"
        | "emv_arpc"
        | "emv_script_mac"
        | "kcv_aes"
        | "kcv_tdes"
        | "key_check"
        | "key_from_components" => return None,
        "tr31_unwrap" => "versions B, D and E alone",
        "pin_block_encode"
        | "pin_block_decode"
        | "pin_block_iso4_encipher"
        | "pin_block_iso4_decipher"
        | "dukpt_tdes_pin_encrypt"
        | "emv_pin_change_command" => PIN_OUT,
        "emv_arpc_1" | "emv_arpc_2" => "answers are by scheme alone",
        "key_export_zmk_ecb" | "key_import_zmk_ecb" => NO_BLOCK,
        "aes_ecb_encrypt" | "fpe_ff1_encrypt" => "a bare cipher",
        "payshield_variant_lmk_encrypt" | "key_variant_atalla" => "another maker's",
        _ => KEY_OUT,
    })
}

/// Runs a case and removes its keys; `None` where the handle has no such operation or takes no such key.
pub(super) async fn run(hsm: &Hsm, shelf: &mut Shelf, case: &Case<'_>) -> Option<Result<Values, Trouble>> {
    let mut bench = Bench { hsm, case, shelf, keys: Vec::new() };
    let outcome = dispatch(&mut bench).await;
    let mut gone = bench.keys;
    while bench.shelf.0.len() > SHELF {
        gone.extend(bench.shelf.0.pop_front().map(|(_, name)| name));
    }
    for name in gone {
        match hsm.destroy_key(&name).await {
            Ok(()) | Err(HsmError::UnknownKey(_)) => {}
            Err(error) => return Some(Err(Trouble::Unreadable(format!("its key stays behind: {error}")))),
        }
    }
    match outcome {
        Ok(values) => Some(Ok(values)),
        Err(Stop::Trouble(trouble)) => Some(Err(trouble)),
        Err(Stop::NotTaken) => None,
    }
}

async fn dispatch(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    match bench.case.op() {
        "pin_translate" | "dukpt_tdes_pin_translate" | "dukpt_aes_pin_translate" => pins::translate(bench).await,
        "visa_pvv" => pins::pvv(bench).await,
        "visa_pvv_verify" => pins::pvv_verify(bench).await,
        "ibm3624_offset" => pins::offset(bench).await,
        "ibm3624_verify" => pins::offset_verify(bench).await,
        "cmac_aes" | "cmac_tdes" | "mac_iso9797_alg1" | "mac_iso9797_alg3" => macs::generate(bench).await,
        "mac_verify" => macs::verify(bench).await,
        "dukpt_tdes_mac" | "dukpt_tdes_cmac" => macs::dukpt_tdes(bench).await,
        "dukpt_aes_cmac" => macs::dukpt_aes(bench).await,
        "dukpt_tdes_data_encrypt" => macs::data_encrypt(bench).await,
        "dukpt_tdes_data_decrypt" => macs::data_decrypt(bench).await,
        "cvv" => cards::cvv(bench).await,
        "cvv_verify" => cards::cvv_verify(bench).await,
        "dcvv" => cards::dcvv(bench).await,
        "cvc3" => cards::cvc3(bench).await,
        "emv_arqc" => chips::arqc(bench).await,
        "emv_arqc_verify" => chips::arqc_verify(bench).await,
        "emv_arpc" => chips::arpc(bench).await,
        "emv_script_mac" => chips::script_mac(bench).await,
        "kcv_aes" => keys::kcv_aes(bench).await,
        "kcv_tdes" => keys::kcv_tdes(bench).await,
        "key_check" => keys::check(bench).await,
        "key_from_components" => keys::components(bench).await,
        "tr31_unwrap" => keys::unwrap(bench).await,
        _ => Err(Stop::NotTaken),
    }
}

/// Cases of operations that the handle has, with keys that no import of ours takes, or without a scheme: of
/// each operation just so many, and why.
const NOT_TAKEN: [(&str, usize, &str); 7] = [
    ("cvc3", 1, "equal halves"),
    ("cvv", 1, "equal halves"),
    ("dcvv", 3, "equal halves"),
    ("emv_arqc", 6, "steps in place of a scheme"),
    ("mac_iso9797_alg1", 3, "single DES"),
    ("tr31_unwrap", 75, "60 of versions A and C; else parity, single DES, and uses, lengths and modes that no role has"),
    ("visa_pvv", 1, "equal halves"),
];

#[test]
fn what_is_not_taken_is_known_by_operation_and_number() {
    use super::Backend;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/hsm/vectors.json");
    let file = super::read(&path);
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for value in file["vectors"].as_array().into_iter().flatten() {
        let case = Case::new(value);
        let has = lacks(case.op()).is_none() || case.op() == "tr31_unwrap";
        if has && super::software::Software.run(&case).is_none() {
            *counts.entry(case.op().to_owned()).or_default() += 1;
        }
    }
    let known = NOT_TAKEN.iter().map(|(op, count, _)| ((*op).to_owned(), *count));
    assert_eq!(counts, known.collect());
}
