//! Random requests written by the client's codec, read and answered by the simulator's device, and read again:
//! two protocol codes that share nothing must mean the same, and what comes out must be what the pure
//! functions make.

use crypto::cvv::{self, CardData};
use crypto::dukpt::{self, Ksn, Purpose};
use crypto::emv::cryptogram::{generate, response_1, response_2};
use crypto::emv::session::{self, Tree};
use crypto::emv::{Card, Derivation, master_key};
use crypto::mac::{self, Padding};
use crypto::pin::{self, ClearPinBlock, Fill, Format, format4};
use crypto::pvv::pvv;
use crypto::{AesKey, Pin, TdesKey, kcv, transport};
use fastrand::Rng;
use hsm::payshield::codec::{Failure, Request, decode, encode};
use hsm::payshield::commands::admin::{ExportKey, GenerateKey, ImportKey};
use hsm::payshield::commands::cards::{CardFields, MakeCvv};
use hsm::payshield::commands::chip::Cryptogram;
use hsm::payshield::commands::data::{Crypt, DataKeyField};
use hsm::payshield::commands::macs::{DukptMac, MacMethod, MakeMac};
use hsm::payshield::commands::pins::{Origin, PinKey, TranslatePin, VerifyPvv};
use hsm::payshield::commands::{Account, PinFormat};
use hsm::payshield::{Chaining, ChipAnswer, ChipScheme, KeyTree, MacAlgorithm, MacPadding, Role, Shape, Wrapped};
use simulators::hsm::Device;
use simulators::hsm::lmk::{Lmk, key_block};

use super::lab::key_type;

const ROUNDS: usize = 500;

/// The HSM's end: a message with a header, an answer without.
fn answer(request: &impl Request, rng: &mut Rng) -> Vec<u8> {
    let message = [&b"0042"[..], &encode(request)].concat();
    let answer = Device::default().answer(&message, &mut |room| rng.fill(room)).expect("an answer");
    answer.strip_prefix(b"0042").expect("the host's header").to_vec()
}

fn ask<R: Request>(request: &R, rng: &mut Rng) -> Result<R::Response, Failure> {
    decode(request, &answer(request, rng)).map(|(_, response)| response)
}

fn tdes(rng: &mut Rng) -> TdesKey {
    loop {
        let mut raw = [0; 16];
        rng.fill(&mut raw);
        let key = TdesKey::unchecked(&raw).expect("16 bytes").with_odd_parity();
        if key.check().is_ok() {
            return key;
        }
    }
}

fn wrapped(role: Role, key: &TdesKey) -> Wrapped {
    Wrapped::parse(&Lmk::Test.cryptogram(key_type(role), key.reveal()).expect("a key")).expect("a key")
}

fn digits(rng: &mut Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| rng.u8(b'0'..=b'9')).collect()
}

fn pin_and_pan(rng: &mut Rng) -> (Pin, Vec<u8>) {
    let (pin, pan) = (rng.usize(4..=12), rng.usize(13..=19));
    (Pin::new(&digits(rng, pin)).expect("a PIN"), digits(rng, pan))
}

fn serial(rng: &mut Rng) -> Ksn {
    loop {
        let mut raw = [0; 10];
        rng.fill(&mut raw);
        if let Ok(ksn) = Ksn::new(&raw) {
            return ksn;
        }
    }
}

#[test]
fn random_pins_arrive_as_they_left() {
    let mut rng = Rng::with_seed(20_261_124);
    let formats = [(PinFormat::Iso0, Format::Iso0), (PinFormat::Iso1, Format::Iso1), (PinFormat::Iso3, Format::Iso3)];
    for round in 0..ROUNDS {
        let (pin, pan) = pin_and_pan(&mut rng);
        let (base, zone, ksn) = (tdes(&mut rng), tdes(&mut rng), serial(&mut rng));
        let (from, from_layout) = formats[rng.usize(..formats.len())];
        let (to, to_layout) = formats[rng.usize(..formats.len())];
        let mut fill = Fill::default();
        rng.fill(&mut fill);
        let (role, base_role) = if round % 2 == 0 { (Role::Tpk, Role::Tpk) } else { (Role::Zpk, Role::Bdk) };
        let source = wrapped(base_role, &base);
        let (origin, key) = if base_role == Role::Bdk {
            let initial = dukpt::initial_key(&base, &ksn).expect("a double-length key");
            (Origin::Dukpt(&source, &ksn), dukpt::variant(&dukpt::transaction_key(&initial, &ksn), Purpose::Pin))
        } else {
            assert_eq!(role, Role::Tpk);
            (Origin::Static(PinKey::Terminal(&source)), base.clone())
        };
        let block = pin::encode(from_layout, &pin, &pan, &fill).expect("a block").encrypt(&key);
        let target = wrapped(Role::Zpk, &zone);
        let account = Account::twelve(&pan).expect("a PAN");
        let request = TranslatePin { origin, target: &target, block: &block, from, to, account: &account };
        let moved = ask(&request, &mut rng).expect("a block");
        let clear = ClearPinBlock::decrypt(&zone, &moved).expect("8 bytes");
        assert_eq!(pin::decode(to_layout, &clear, &pan).as_ref(), Ok(&pin), "{from:?} to {to:?}");

        // To format 4, with the whole PAN, under an AES key in a key block.
        let mut raw = [0; 32];
        rng.fill(&mut raw);
        let raw = &raw[..[16, 24, 32][rng.usize(..3)]];
        let aes = Wrapped::parse(&key_block("P0", 'A', raw).expect("a block")).expect("a block");
        let account = Account::whole(&pan);
        let request = TranslatePin { to: PinFormat::Iso4, target: &aes, account: &account, ..request };
        let moved = ask(&request, &mut rng).expect("a block");
        let key = AesKey::from_bytes(raw).expect("a key");
        assert_eq!(format4::decipher(&key, &moved, &pan).as_ref(), Ok(&pin));
    }
}

#[test]
fn random_pins_and_cards_are_judged_as_the_pure_functions_do() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..ROUNDS {
        let (pin, pan) = pin_and_pan(&mut rng);
        let (zone, verification) = (tdes(&mut rng), tdes(&mut rng));
        let block = pin::format0_encode(&pin, &pan).expect("a block").encrypt(&zone);
        let index = rng.u8(b'0'..=b'9');
        let kept = pvv(&verification, index, &pin, &pan).expect("a value");
        let (key, pvk, account) = (wrapped(Role::Zpk, &zone), wrapped(Role::Pvk, &verification), Account::twelve(&pan));
        let account = account.expect("a PAN");
        let mut other = *kept.reveal();
        other[3] = b'0' + (other[3] - b'0' + 1) % 10;
        for (value, right) in [(kept.reveal(), true), (&other, false)] {
            let request = VerifyPvv {
                key: PinKey::Zone(&key),
                verification: &pvk,
                block: &block,
                format: PinFormat::Iso0,
                account: &account,
                index,
                value,
            };
            assert_eq!(ask(&request, &mut rng).is_ok(), right);
        }
        let cvk = wrapped(Role::Cvk, &verification);
        let card = CardFields { pan: &pan, expiry: b"3012", service_code: b"201" };
        let made = ask(&MakeCvv { key: &cvk, card }, &mut rng).expect("a value");
        let wanted = cvv::cvv(&verification, &CardData::new(&pan, b"3012", b"201").expect("a card")).expect("a value");
        assert_eq!(&*made, wanted.reveal());
    }
}

#[test]
fn random_data_and_keys_come_out_as_the_pure_functions_have_them() {
    let mut rng = Rng::with_seed(9);
    for _ in 0..ROUNDS {
        let (key, zone, ksn) = (tdes(&mut rng), tdes(&mut rng), serial(&mut rng));
        let mut data = vec![0; rng.usize(1..80) * 8];
        rng.fill(&mut data);
        let zak = wrapped(Role::Zak, &key);
        let message = &data[..data.len() - rng.usize(0..8)];
        let algorithm = MacAlgorithm::Three(MacPadding::OneThenZeros);
        let method = MacMethod { role: Role::Zak, key: &zak, algorithm, bytes: 8 };
        let made = ask(&MakeMac { method, data: message }, &mut rng).expect("a MAC");
        assert_eq!(made, mac::retail_mac(&key, message, Padding::OneThenZeros));

        let bdk = wrapped(Role::Bdk, &key);
        let made = ask(&DukptMac { base: &bdk, ksn: &ksn, data: &data, check: None }, &mut rng).expect("a MAC");
        let initial = dukpt::initial_key(&key, &ksn).expect("a double-length key");
        let request_key = dukpt::variant(&dukpt::transaction_key(&initial, &ksn), Purpose::MacRequest);
        assert_eq!(made, mac::retail_mac(&request_key, &data, Padding::Zeros));

        let dek = wrapped(Role::Dek, &key);
        let field = || DataKeyField { role: Role::Dek, key: &dek, ksn: None };
        let chaining = Chaining::Cbc(&[3; 8]);
        let sealed = ask(&Crypt { encrypt: true, chaining, key: field(), data: &data }, &mut rng).expect("data");
        let mut wanted = data.clone();
        crypto::modes::cbc_encrypt(&key, &[3; 8], &mut wanted).expect("whole blocks");
        assert_eq!(*sealed, wanted);
        let back = ask(&Crypt { encrypt: false, chaining, key: field(), data: &sealed }, &mut rng).expect("data");
        assert_eq!(*back, data);

        // A key made for a zone is the same under both masters, and comes in and goes out as it is.
        let zmk = wrapped(Role::Zmk, &zone);
        let made = ask(&GenerateKey { role: Role::Zpk, shape: Shape::Double, zone: Some(&zmk) }, &mut rng).expect("a key");
        let sent = made.sent.expect("for the zone");
        let clear = transport::import(&zone, sent.as_bytes(), &made.check_value.0).expect("a good key");
        assert_eq!(Lmk::Test.clear(key_type(Role::Zpk), made.wrapped.as_str()).as_deref(), Some(clear.reveal()));
        let (brought, told) = ask(&ImportKey { role: Role::Zpk, zone: &zmk, sent: &sent }, &mut rng).expect("a key");
        assert_eq!((&brought, told.0), (&made.wrapped, kcv::tdes(&clear)));
        let request = ExportKey { role: Role::Zpk, zone: &zmk, key: &brought, scheme: b'X' };
        assert_eq!(ask(&request, &mut rng).expect("a key").0, sent);
    }
}

#[test]
fn random_cryptograms_are_checked_and_answered_in_every_scheme() {
    let mut rng = Rng::with_seed(13);
    for _ in 0..ROUNDS {
        let issuer = tdes(&mut rng);
        let wrapped = wrapped(Role::MkAc, &issuer);
        let length = rng.usize(12..=19);
        let (pan, sequence) = (digits(&mut rng, length), [b'0', rng.u8(b'0'..=b'9')]);
        let (mut start, mut data) = ([0; 16], vec![0; rng.usize(1..=255)]);
        rng.fill(&mut start);
        rng.fill(&mut data);
        let (counter, unpredictable) = (rng.u16(..).to_be_bytes(), rng.u32(..).to_be_bytes());
        let card = Card::new(&pan, &sequence).expect("a card");
        let of = |derivation| master_key(&issuer, derivation, &card).expect("a key");
        let (a, b) = (of(Derivation::A), of(Derivation::B));
        let common = |master: &TdesKey, value| session::common(master, value).expect("a key");
        let tree = |master: &TdesKey, shape| session::tree(master, counter, shape, start).expect("a key");
        let mchip = common(&a, session::by_counter_and_unpredictable(counter, unpredictable));
        let (common_a, common_b) = (common(&a, session::by_counter(counter)), common(&b, session::by_counter(counter)));
        let (tree_a, tree_b) = (tree(&a, Tree::Binary), tree(&b, Tree::Quaternary));
        // Scheme, the key of cryptograms, the key of answers.
        for (scheme, checking, answering) in [
            (ChipScheme::Static, &a, &a),
            (ChipScheme::MChip, &mchip, &a),
            (ChipScheme::CommonA, &common_a, &common_a),
            (ChipScheme::CommonB, &common_b, &common_b),
            (ChipScheme::TreeA(KeyTree { start, quaternary: false }), &tree_a, &tree_a),
            (ChipScheme::TreeB(KeyTree { start, quaternary: true }), &tree_b, &tree_b),
        ] {
            let received = generate(checking, &data, Padding::Zeros);
            let request = |received, answer| Cryptogram {
                scheme,
                key: &wrapped,
                pan: &pan,
                sequence: &sequence,
                counter,
                unpredictable,
                data: Some(&data),
                received,
                answer,
            };
            let by_code = request(received, Some(ChipAnswer::Code(*b"05")));
            let told = ask(&by_code, &mut rng).expect("it is right");
            assert_eq!(told, response_1(answering, &received, *b"05"), "{scheme:?}");
            assert!(ask(&request(received.map(|byte| !byte), None), &mut rng).is_err(), "{scheme:?}");
            if !matches!(scheme, ChipScheme::Static | ChipScheme::MChip) {
                let by_status = request(received, Some(ChipAnswer::Status([1, 2, 3, 4], b"more")));
                let told = ask(&by_status, &mut rng).expect("it is right");
                assert_eq!(told, response_2(answering, &received, [1, 2, 3, 4], b"more").expect("short enough"), "{scheme:?}");
            }
        }
    }
}
