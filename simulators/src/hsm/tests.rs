//! The device held against the functions of `hsm/crypto`, and against rubbish.

use crypto::{TdesKey, transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::lmk::{self, KeyType, Lmk};
use super::{Counts, Device, HsmOptions, serve};

fn ask(command: &str) -> String {
    let mut rng = fastrand::Rng::with_seed(7);
    let message = format!("0001{command}");
    let answer = Device::default().answer(message.as_bytes(), &mut |room| rng.fill(room)).unwrap();
    String::from_utf8(answer).unwrap()
}

const CLEAR: [u8; 16] = [0x13, 0x34, 0x57, 0x79, 0x13, 0x34, 0x57, 0x79, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];

fn under(kind: KeyType) -> String {
    Lmk::Test.cryptogram(kind, &CLEAR).unwrap()
}

#[test]
fn keys_under_the_pairs_are_those_of_published_vectors() {
    // Shared vectors, payshield_variant_lmk_encrypt.
    let clear = hex::decode("13345779133457791334577913345779").unwrap();
    for (kind, clear, sealed) in [
        (KeyType::ZPK, &clear[..], "U34E2FC8EAD7CD07BFA2B7ED5FE4D8212"),
        (KeyType::TPK, &clear, "UE9F05D2F2DB8A8579CA3E806B35E336F"),
        (KeyType::TPK, &clear[..8], "141E1DA3D2D7F3F4"),
        (KeyType::CVK, &clear, "U479D751977AA598CB481F548226DBF2B"),
        (KeyType::CVK, &clear[..8], "56FBB74CDEAD6949"),
        (KeyType::MK_AC, &clear, "U0D39A43C864D1B40F33998B80BB02C95"),
        (KeyType::DEK, &clear, "UAAD5E90B44EE630E3D76D6CEC1F4AA72"),
    ] {
        assert_eq!(Lmk::Test.cryptogram(kind, clear).as_deref(), Some(sealed));
        assert_eq!(Lmk::Test.clear(kind, sealed).as_deref(), Some(clear));
    }
    let triple = [[1u8; 8], [2; 8], [4; 8]].concat();
    let pair = TdesKey::unchecked(b"aaaaaaaapppppppp").unwrap();
    let wanted = transport::under_variant_lmk(&pair, 0, &triple).unwrap();
    assert_eq!(Lmk::Test.cryptogram(KeyType::ZPK, &triple), Some(format!("T{}", hex::encode_upper(&*wanted))));
}

#[test]
fn diagnostics_and_echo_answer_under_the_hosts_header() {
    assert_eq!(ask("NC"), "0001ND0026860476020000000007-E000");
    assert_eq!(ask("B20004ping"), "0001B300ping");
    assert_eq!(ask("B20005ping"), "0001B315");
    assert_eq!(ask("NC\u{19}tail"), "0001ND0026860476020000000007-E000\u{19}tail");
    assert_eq!(ask("NCtail"), "0001ND15");
    assert_eq!(ask("ZZ"), "0001Z[68");
    assert_eq!(Device::default().answer(b"0001N", &mut |_| {}), None);
}

#[test]
fn the_public_sample_of_card_verification_values_comes_out() {
    let clear = hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap();
    let key = Lmk::Test.cryptogram(KeyType::CVK, &clear).unwrap();
    assert_eq!(ask(&format!("CW{key}4123456789012345;8701101")), "0001CX00561");
    assert_eq!(ask(&format!("CY{key}5614123456789012345;8701101")), "0001CZ00");
    assert_eq!(ask(&format!("CY{key}5624123456789012345;8701101")), "0001CZ01");
    let single = Lmk::Test.cryptogram(KeyType::CVK, &clear[..8]).unwrap();
    assert_eq!(ask(&format!("CW{single}4123456789012345;8701101")), "0001CX27");
}

#[test]
fn a_key_of_another_role_is_refused_as_wrong_parity_in_its_place() {
    let (tpk, zpk, zak) = (under(KeyType::TPK), under(KeyType::ZPK), under(KeyType::ZAK));
    let rest = "1212345678ABCDEF010101123456789012";
    assert_eq!(ask(&format!("CA{zak}{zpk}{rest}")), "0001CB10");
    assert_eq!(ask(&format!("CA{tpk}{zak}{rest}")), "0001CB11");
    let block = lmk::key_block("M3", 'T', &CLEAR).unwrap();
    assert_eq!(ask(&format!("CA{tpk}{block}{rest}")), "0001CBA6");
    assert_eq!(ask(&format!("CA{}{zpk}{rest}", block.replace("00E", "00N"))), "0001CBA4");
}

#[test]
fn made_keys_have_parity_and_their_check_value_and_differ() {
    let made = ask("A00001U");
    let (key, kcv) = made.strip_prefix("0001A100").unwrap().split_at(33);
    let clear = Lmk::Test.clear(KeyType::ZPK, key).unwrap();
    let whole = TdesKey::from_bytes(&clear).unwrap();
    assert_eq!(hex::encode_upper(crypto::kcv::tdes(&whole)), kcv);
    assert_eq!(ask(&format!("BUFF1{key};001;001")), format!("0001BV00{kcv}"));
    assert_eq!(ask(&format!("BU011{key};001")), format!("0001BV00{kcv}"));
    let whole_value = hex::encode_upper(whole.encrypt_block([0; 8]));
    assert_eq!(ask(&format!("BU011{key}")), format!("0001BV00{whole_value}"));
    assert_eq!(ask(&format!("BU012{key}")), "0001BV05");
    // Under a zone key, too, and back again.
    let zmk = under(KeyType::ZMK);
    let both = ask(&format!("A01001U;0{zmk}X"));
    let (key, rest) = both.strip_prefix("0001A100").unwrap().split_at(33);
    let (sent, kcv) = rest.split_at(33);
    assert_eq!(ask(&format!("A6001{zmk}{sent}U")), format!("0001A700{key}{kcv}"));
    assert_eq!(ask(&format!("A8001{zmk}{key}X")), format!("0001A900{sent}{kcv}"));
}

#[test]
fn an_imported_key_of_wrong_parity_is_taken_with_an_advice_and_equal_parts_are_not() {
    let zmk = under(KeyType::ZMK);
    let zone = TdesKey::unchecked(&CLEAR).unwrap();
    let sealed = |clear: &[u8]| {
        let mut raw = clear.to_vec();
        crypto::modes::ecb_encrypt(&zone, &mut raw).unwrap();
        format!("X{}", hex::encode_upper(raw))
    };
    let mut even = CLEAR;
    even[0] ^= 1;
    assert_eq!(&ask(&format!("A6001{zmk}{}U", sealed(&even)))[..8], "0001A701");
    assert_eq!(ask(&format!("A6001{zmk}{}U", sealed(&[CLEAR[..8].to_vec(), CLEAR[..8].to_vec()].concat()))), "0001A775");
    assert_eq!(ask(&format!("A6001{zmk}{}T", sealed(&CLEAR))), "0001A727");
}

#[test]
fn keys_come_from_the_old_master_keys_to_the_new() {
    let old = Lmk::Old.cryptogram(KeyType::ZPK, &CLEAR).unwrap();
    assert_ne!(old, under(KeyType::ZPK));
    assert_eq!(ask(&format!("BW011{old}")), format!("0001BX00{}", under(KeyType::ZPK)));
    assert_eq!(ask(&format!("BWFF1{old};001")), format!("0001BX00{}", under(KeyType::ZPK)));
    assert_eq!(ask(&format!("BW011{}", under(KeyType::ZPK))), "0001BX10");
}

#[test]
fn a_table_that_tells_pins_apart_is_refused() {
    let (tpk, pvk) = (under(KeyType::TPK), under(KeyType::TPK));
    let ask_with = |table: &str| ask(&format!("DA{tpk}{pvk}120123456789ABCDEF0104123456789012{table}123456N789010000FFFFFFFF"));
    assert_eq!(ask_with("0000000000000000"), "0001DB25");
    assert_eq!(ask_with("0123456701234567"), "0001DB20");
    assert_eq!(ask_with("01234567A1234567"), "0001DB25");
}

/// Every command, with what a well-formed request of it is.
fn requests() -> Vec<Vec<u8>> {
    let [tpk, zpk, zmk, cvk, zak, bdk, mk, dek] =
        [KeyType::TPK, KeyType::ZPK, KeyType::ZMK, KeyType::CVK, KeyType::ZAK, KeyType::BDK, KeyType::MK_AC, KeyType::DEK]
            .map(under);
    let ksn = "609FFFF9876543210E00001";
    [
        "NC".to_owned(),
        "B20004ping".to_owned(),
        "A00001U".to_owned(),
        "A00FFFS#P0A3N00E00".to_owned(),
        format!("A42001U{zpk}{zpk}"),
        format!("A6001{zmk}X0123456789ABCDEF0123456789ABCDEFU"),
        format!("A8001{zmk}{zpk}X"),
        format!("BUFF1{zpk};001;001"),
        format!("BW011{zpk}"),
        format!("CA{tpk}{zpk}120123456789ABCDEF0101123456789012"),
        format!("G0{bdk}{zpk}{ksn}1B9C1845EB993A7A0101401234567890"),
        format!("DC{tpk}{zpk}0123456789ABCDEF0112345678901211234"),
        format!("DA{tpk}{tpk}120123456789ABCDEF01041234567890120123456789012345123456N789010000FFFFFFFF"),
        format!("CW{cvk}4123456789012345;8701101"),
        format!("KQ00{mk}12345678ab123410datadatadatadata;12345678"),
        format!("KW43{mk}1612345678 ;ab1234567812340"),
        format!("M0000000B{dek}0008databloc"),
        format!("M60113008{zak}0004data"),
        format!("GW41{bdk}{ksn}0008databloc"),
    ]
    .map(|command| format!("0001{command}").into_bytes())
    .to_vec()
}

#[test]
fn no_request_makes_it_panic_and_every_one_with_a_code_is_answered() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut answered = 0;
    for request in requests() {
        for round in 0..400 {
            let mut message = request.clone();
            for _ in 0..round % 4 {
                let at = rng.usize(0..message.len());
                match rng.u8(0..4) {
                    0 => message[at] = rng.u8(..),
                    1 => message.truncate(at.max(6)),
                    2 => message.insert(at, rng.u8(..)),
                    _ => message[at] ^= 1,
                }
            }
            let mut fill = rng.fork();
            let answer = Device::default().answer(&message, &mut |room| fill.fill(room)).unwrap();
            assert!(answer.len() >= 8 && answer[..4] == message[..4]);
            answered += 1;
        }
    }
    assert_eq!(answered, 400 * requests().len());
}

#[test]
fn chances_and_codes_that_are_none_are_refused() {
    let refused = |options: HsmOptions| options.check().is_err() || options.code().is_err();
    assert!(!refused(HsmOptions::default()));
    assert!(refused(HsmOptions { drop_per_mille: 1001, ..HsmOptions::default() }));
    assert!(refused(HsmOptions { error_code: "4".to_owned(), ..HsmOptions::default() }));
}

/// Sends bytes and reads until the simulator closes, or so many bytes came.
async fn exchange(address: std::net::SocketAddr, sent: &[u8], wanted: usize) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // A peer that has closed already is what some tests want.
    let _ = socket.write_all(sent).await;
    let mut received = Vec::new();
    while received.len() < wanted && socket.read_buf(&mut received).await.unwrap_or(0) > 0 {}
    received
}

/// Serves while `talk` goes on; what was counted.
async fn served<F: Future>(options: HsmOptions, talk: impl FnOnce(std::net::SocketAddr) -> F) -> Counts {
    let (told, address) = oneshot::channel();
    let (kill, killed) = oneshot::channel::<()>();
    let stop = async {
        let _ = killed.await;
        Ok(())
    };
    let talking = async {
        talk(address.await.unwrap()).await;
        drop(kill);
    };
    let (summary, ()) = tokio::join!(serve(options, |address| told.send(address).unwrap(), stop), talking);
    summary.unwrap().counts
}

#[tokio::test]
async fn frames_that_are_too_long_or_too_short_end_the_connection() {
    let counts = served(HsmOptions::default(), |address| async move {
        assert_eq!(exchange(address, &[0x80, 0x01], usize::MAX).await, b"");
        assert_eq!(exchange(address, b"\x00\x05HEADN", usize::MAX).await, b"");
        // Nothing is no message; what follows it is answered.
        let answer = exchange(address, b"\x00\x00\x00\x06HEADNC", 35).await;
        assert_eq!(answer, b"\x00\x21HEADND0026860476020000000007-E000");
    })
    .await;
    assert_eq!((counts.connections, counts.commands, counts.unreadable), (3, 2, 2));
}

#[tokio::test]
async fn trouble_on_purpose_is_what_was_asked_for() {
    let errors = HsmOptions { error_per_mille: 1000, error_code: "13".to_owned(), ..HsmOptions::default() };
    let counts = served(errors, |address| async move {
        assert_eq!(exchange(address, b"\x00\x06HEADNC", 10).await, b"\x00\x08HEADND13");
    })
    .await;
    assert_eq!((counts.errors, counts.drops), (1, 0));
    let drops = HsmOptions { drop_per_mille: 1000, ..HsmOptions::default() };
    let counts = served(drops, |address| async move {
        assert_eq!(exchange(address, b"\x00\x06HEADNC", usize::MAX).await, b"");
    })
    .await;
    assert_eq!((counts.errors, counts.drops), (0, 1));
    let none = HsmOptions { max_connections: 0, ..HsmOptions::default() };
    let counts = served(none, |address| async move {
        assert_eq!(exchange(address, b"\x00\x06HEADNC", usize::MAX).await, b"");
    })
    .await;
    assert_eq!(counts.connections, 0);
}
