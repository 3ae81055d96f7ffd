//! The codec against written frames, its parser against rubbish, and the client against a peer in memory.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::codec::{ErrorCode, Failure, Request, decode, encode};
use super::commands::admin::{CheckValue, ExportKey, FormKey, GenerateKey, ImportKey, Rewrap};
use super::commands::cards::{CardFields, CheckCvv, MakeCvv};
use super::commands::chip::{ChipAnswer, ChipScheme, Cryptogram};
use super::commands::data::{Chaining, Crypt, DataKeyField, TranslateData};
use super::commands::macs::{CheckMac, DukptMac, MacAlgorithm, MacMethod, MacPadding, MakeMac};
use super::commands::pins::{Origin, PinKey, TranslatePin, VerifyOffset, VerifyPvv};
use super::commands::status::{Diagnostics, Echo};
use super::commands::{Account, PinFormat};
use super::*;
use crate::{HsmError, Kcv, KeyName, Ksn};

fn text<R: Request>(request: &R) -> String {
    encode(request).iter().map(|byte| byte.escape_ascii().to_string()).collect()
}

fn wrapped(text: &str) -> Wrapped {
    Wrapped::parse(text).unwrap()
}

fn double() -> Wrapped {
    wrapped(&format!("U{}", "0A".repeat(16)))
}

fn ksn() -> Ksn {
    Ksn::new(&hex::decode("FFFF9876543210E00001").unwrap()).unwrap()
}

#[test]
fn requests_are_written_field_by_field() {
    let (key, single) = (double(), wrapped("0123456789ABCDEF"));
    let shown = format!("U{}", "0A".repeat(16));
    let account = Account::twelve(b"4012345678909").unwrap();
    let origin = || Origin::Static(PinKey::Terminal(&single));
    let block = [0xAB; 8];
    let request = TranslatePin {
        origin: origin(),
        target: &key,
        block: &block,
        from: PinFormat::Iso0,
        to: PinFormat::Iso3,
        account: &account,
    };
    assert_eq!(text(&request), format!("CA0123456789ABCDEF{shown}12ABABABABABABABAB0147401234567890"));
    let serial = ksn();
    let request = TranslatePin { origin: Origin::Dukpt(&key, &serial), from: PinFormat::Iso1, ..request };
    assert_eq!(text(&request), format!("G0{shown}{shown}609FFFF9876543210E00001ABABABABABABABAB0547401234567890"));
    let whole = Account::whole(b"4012345678909");
    let request = TranslatePin { origin: origin(), to: PinFormat::Iso4, account: &whole, ..request };
    assert!(text(&request).ends_with("05484012345678909;"));

    let verify = VerifyPvv {
        key: PinKey::Zone(&single),
        verification: &key,
        block: &block,
        format: PinFormat::Iso0,
        account: &account,
        index: b'1',
        value: b"6629",
    };
    assert_eq!(text(&verify), format!("EC0123456789ABCDEF{shown}ABABABABABABABAB0140123456789016629"));
    let offset = VerifyOffset {
        key: PinKey::Terminal(&single),
        verification: &single,
        block: &block,
        format: PinFormat::Iso0,
        shortest: 4,
        account: &account,
        table: b"0123456789012345",
        validation: b"565918N60000",
        offset: b"4683",
    };
    assert_eq!(
        text(&offset),
        "DA0123456789ABCDEF0123456789ABCDEF12ABABABABABABABAB01044012345678900123456789012345565918N600004683FFFFFFFF"
    );

    let card = || CardFields { pan: b"4123456789012345", expiry: b"8701", service_code: b"101" };
    assert_eq!(text(&MakeCvv { key: &key, card: card() }), format!("CW{shown}4123456789012345;8701101"));
    assert_eq!(text(&CheckCvv { key: &key, card: card(), shown: b"561" }), format!("CY{shown}5614123456789012345;8701101"));

    let method = |algorithm, bytes| MacMethod { role: Role::Zak, key: &key, algorithm, bytes };
    let make = MakeMac { method: method(MacAlgorithm::Three(MacPadding::Zeros), 8), data: b"data" };
    assert_eq!(text(&make), format!("M600131008{shown}0004data"));
    let check = CheckMac { method: method(MacAlgorithm::Cmac, 4), data: b"", mac: &[1, 2, 3, 4] };
    assert_eq!(text(&check), format!("M800060008{shown}000001020304"));
    let dukpt = DukptMac { base: &key, ksn: &serial, data: b"datadata", check: Some(&[1, 2, 3, 4]) };
    assert_eq!(text(&dukpt), format!("GW21{shown}609FFFF9876543210E00001010203040008datadata"));

    let zone = ZoneCryptogram::new(&[0x12; 16]).unwrap();
    assert_eq!(text(&GenerateKey { role: Role::Zpk, shape: Shape::Double, zone: None }), "A00001U");
    assert_eq!(text(&GenerateKey { role: Role::Cvk, shape: Shape::Triple, zone: Some(&key) }), format!("A01402T;0{shown}Y"));
    let components = [double(), double()];
    assert_eq!(
        text(&FormKey { role: Role::Zmk, components: &components, shape: Shape::Double }),
        format!("A42000U{shown}{shown}")
    );
    let import = ImportKey { role: Role::Bdk, zone: &key, sent: &zone };
    assert_eq!(text(&import), format!("A6009{shown}X{}U", "12".repeat(16)));
    assert_eq!(text(&ExportKey { role: Role::MkAc, zone: &key, key: &key, scheme: b'X' }), format!("A8109{shown}{shown}X"));
    assert_eq!(text(&CheckValue { role: Role::Tak, key: &single }), "BUFF00123456789ABCDEF;003;001");
    assert_eq!(text(&Rewrap { role: Role::Dek, key: &key }), format!("BWFF1{shown};00B"));

    let data = DataKeyField { role: Role::Bdk, key: &key, ksn: Some(&serial) };
    let crypt = Crypt { encrypt: true, chaining: Chaining::Cbc(&[0; 8]), key: data, data: b"datadata" };
    assert_eq!(text(&crypt), format!("M00100009{shown}609FFFF9876543210E0000100000000000000000008datadata"));
    let field = || DataKeyField { role: Role::Zek, key: &key, ksn: None };
    let translate =
        TranslateData { from: Chaining::Ecb, to: Chaining::Cbc(&[1; 8]), source: field(), target: field(), data: b"datadata" };
    assert_eq!(text(&translate), format!("M400010000A{shown}00A{shown}01010101010101010008datadata"));
}

#[test]
fn card_digits_are_justified_as_the_scheme_wants() {
    let key = double();
    let request = |scheme, pan, answer| Cryptogram {
        scheme,
        key: &key,
        pan,
        sequence: b"01",
        counter: *b"ct",
        unpredictable: *b"unpr",
        data: Some(b"data"),
        received: *b"received",
        answer,
    };
    let shown = format!("U{}", "0A".repeat(16));
    // Sixteen digits of PAN and sequence from the right.
    let text_of = |request: &Cryptogram<'_>| text(request).replace(&shown, "KEY");
    assert_eq!(
        text_of(&request(ChipScheme::Static, b"1234567890123456789", Some(ChipAnswer::Code(*b"00")))),
        "KQ10KEYg\\x89\\x01#Eg\\x89\\x01ctunpr04data;received00"
    );
    assert_eq!(
        text_of(&request(ChipScheme::CommonA, b"1234567890123", None)),
        "KW02KEY\\x01#Eg\\x89\\x01#\\x01ct04data;received"
    );
    // All digits, in whole bytes, the length of the PAN before.
    assert_eq!(
        text_of(&request(ChipScheme::CommonB, b"1234567890123", Some(ChipAnswer::Status(*b"stat", b"pr")))),
        "KW33KEY13\\x01#Eg\\x89\\x01#\\x01;ct04data;receivedstat2pr"
    );
}

#[test]
fn answers_give_their_values_and_nothing_is_left_over() {
    let (key, account) = (double(), Account::twelve(b"4012345678909").unwrap());
    let request = TranslatePin {
        origin: Origin::Static(PinKey::Zone(&key)),
        target: &key,
        block: &[0; 8],
        from: PinFormat::Iso0,
        to: PinFormat::Iso0,
        account: &account,
    };
    let (code, block) = decode(&request, b"CD0004ABABABABABABABAB01").unwrap();
    assert_eq!((code, &block[..]), (ErrorCode::DONE, &[0xAB; 8][..]));
    assert_eq!(decode(&request, b"CD20").err(), Some(Failure::Refused(ErrorCode(*b"20"))));
    for wrong in [
        &b""[..],
        b"C",
        b"CD",
        b"CD0",
        b"CB0004ABABABABABABABAB01",
        b"CD0004ABABABABABABABAB05",
        b"CD00xxABABABABABABABAB01",
        b"CD0004ABABABABABABABAB01x",
        b"CD0004ABABABABABABAB01",
        b"CD0004ZZABABABABABABAB01",
    ] {
        assert_eq!(decode(&request, wrong).err(), Some(Failure::Malformed), "{}", wrong.escape_ascii());
    }
    // An advice keeps the fields.
    let sent = ZoneCryptogram::new(&[0x12; 16]).unwrap();
    let import = ImportKey { role: Role::Zpk, zone: &key, sent: &sent };
    let answer = format!("A701U{}A1B2C3", "0B".repeat(16));
    let (code, (_, check_value)) = decode(&import, answer.as_bytes()).unwrap();
    assert_eq!((code, check_value.to_string().as_str()), (ErrorCode::FAILED, "A1B2C3"));
    let health = decode(&Diagnostics, b"ND0026860476020000000007-E000").unwrap().1;
    assert_eq!((health.master_key_check[0], health.firmware.as_str()), (0x26, "0007-E000"));
    assert_eq!(decode(&Echo { data: b"ping" }, b"B300pong").err(), Some(Failure::Malformed));
}

#[test]
fn what_callers_say_shows_no_secret() {
    let pan = payments::Pan::new(b"4123456789012345").unwrap();
    let key: KeyName = "key".parse().unwrap();
    let card = CardSecurity { key, pan: &pan, expiry: *b"8701", service_code: *b"101" };
    let value = crypto::pvv::Pvv::new(*b"6629").unwrap();
    let visa = PinCheck::Visa(Pvv { key, index: b'1', value });
    let offset = crypto::ibm3624::Offset::new(b"4683").unwrap();
    let table = *b"0123456789012345";
    let ibm = PinCheck::Ibm3624(Offset { key, table, start: 0, length: 16, pad: b'F', shortest: 4, offset });
    let incoming = Incoming {
        key,
        scheme: ChipScheme::Static,
        pan: &pan,
        sequence: *b"00",
        counter: [0, 1],
        unpredictable: [0x66; 4],
        cryptogram: [0x46; 8],
    };
    let entry = KeyEntry { role: Role::Zpk, wrapped: double(), check_value: Kcv([0xAB; 3]) };
    let shown = format!("{card:?} {visa:?} {ibm:?} {incoming:?} {entry:?} {:?}", ZoneCryptogram::new(&[0x0A; 16]));
    for secret in ["4123456789012345", "6629", "4683", "8701", "0A0A", "4646", "6666", "70, 70", "54, 54"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("redacted"));
}

/// Every parser of answers over the same bytes.
fn read_all(answer: &[u8]) {
    let (key, serial, account) = (double(), ksn(), Account::twelve(b"4012345678909").unwrap());
    let block = wrapped(&format!("S10032P0AN00E0000{}", "0".repeat(16)));
    let sent = ZoneCryptogram::new(&[0x12; 24]).unwrap();
    let _ = decode(&Diagnostics, answer);
    let _ = decode(&Echo { data: b"ping" }, answer);
    let _ = decode(
        &TranslatePin {
            origin: Origin::Static(PinKey::Zone(&key)),
            target: &key,
            block: &[0; 8],
            from: PinFormat::Iso0,
            to: PinFormat::Iso4,
            account: &account,
        },
        answer,
    );
    let card = || CardFields { pan: b"4123456789012345", expiry: b"8701", service_code: b"101" };
    let _ = decode(&MakeCvv { key: &key, card: card() }, answer);
    let method = || MacMethod { role: Role::Zak, key: &block, algorithm: MacAlgorithm::Cmac, bytes: 16 };
    let _ = decode(&MakeMac { method: method(), data: b"" }, answer);
    let _ = decode(&DukptMac { base: &key, ksn: &serial, data: b"", check: None }, answer);
    let _ = decode(&GenerateKey { role: Role::Zpk, shape: Shape::Triple, zone: Some(&key) }, answer);
    let _ = decode(&GenerateKey { role: Role::Zpk, shape: Shape::Aes, zone: None }, answer);
    let _ = decode(&ImportKey { role: Role::Zpk, zone: &key, sent: &sent }, answer);
    let _ = decode(&ExportKey { role: Role::Zpk, zone: &key, key: &block, scheme: b'X' }, answer);
    let _ = decode(&CheckValue { role: Role::Zpk, key: &key }, answer);
    let _ = decode(&Rewrap { role: Role::Zpk, key: &block }, answer);
    let field = || DataKeyField { role: Role::Zek, key: &key, ksn: None };
    let crypt = Crypt { encrypt: false, chaining: Chaining::Cbc(&[0; 8]), key: field(), data: b"datadata" };
    let _ = decode(&crypt, answer);
}

#[test]
fn no_answer_makes_a_parser_panic() {
    let answers = [
        "ND0026860476020000000007-E000".to_owned(),
        "B300ping".to_owned(),
        format!("CD0004{}48", "AB".repeat(16)),
        "CX00561".to_owned(),
        format!("M700{}", "AB".repeat(16)),
        format!("GX00{}", "AB".repeat(8)),
        format!("A100T{}Y{}A1B2C3", "0B".repeat(24), "0C".repeat(24)),
        format!("A100S10032P0AN00E0000{}A1B2C3", "0".repeat(16)),
        format!("A701T{}A1B2C3", "0B".repeat(24)),
        "BV00A1B2C3".to_owned(),
        format!("BX00S1003é{}", "0B".repeat(16)),
        format!("M300{}0008datadata", "AB".repeat(8)),
    ];
    // A small generator of our own: the same bytes on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for answer in &answers {
        for _ in 0..2_000 {
            let mut bytes = answer.clone().into_bytes();
            for _ in 0..draw(4) {
                let at = draw(bytes.len());
                match draw(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at.min(bytes.len()), u8::try_from(draw(256)).unwrap()),
                    _ => {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = u8::try_from(draw(256)).unwrap();
                        }
                    }
                }
            }
            read_all(&bytes);
        }
    }
}

/// A peer in memory: what it does with each message it decides by its number.
struct Memory {
    behave: fn(usize, &[u8]) -> Option<Vec<u8>>,
    connections: AtomicUsize,
    refuse_after: usize,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Connector for Memory {
    fn connect<'a>(&'a self, _: &'a str) -> Connecting<'a> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let behave = self.behave;
        Box::pin(async move {
            if number >= self.refuse_after {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            self.tasks.lock().unwrap().push(tokio::spawn(serve(theirs, behave)));
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// Answers as `behave` says; `None` ends the connection, an empty answer is none.
async fn serve(mut stream: DuplexStream, behave: fn(usize, &[u8]) -> Option<Vec<u8>>) {
    for number in 0.. {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).await.is_err() {
            return;
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let Some(answer) = behave(number, &message) else { return };
        if !answer.is_empty() {
            let length = u16::try_from(4 + answer.len()).unwrap().to_be_bytes();
            let frame = [&length[..], &message[..4], &answer].concat();
            if stream.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
}

const HEALTHY: &[u8] = b"ND0026860476020000000007-E000";

fn client(settings: HostSettings, behave: fn(usize, &[u8]) -> Option<Vec<u8>>, refuse_after: usize) -> PayShield {
    let memory = Memory { behave, connections: AtomicUsize::new(0), refuse_after, tasks: Mutex::default() };
    let settings = HostSettings { hsms: vec!["memory".to_owned()], connections: 1, ..settings };
    PayShield::start_with(settings, KeyTable::default(), Arc::new(memory), Arc::new(|| 0))
}

#[tokio::test]
async fn without_an_hsm_operations_say_so_at_once() {
    let hsm = client(HostSettings { admin_deadline_ms: 5, ..HostSettings::default() }, |_, _| None, 0);
    assert_eq!(hsm.ready().await, Err(HsmError::Unavailable("no HSM is connected")));
    assert_eq!(hsm.ping().await, Err(HsmError::Unavailable("no HSM is connected")));
    hsm.close();
    assert_eq!(hsm.ping().await, Err(HsmError::Closed));
}

#[tokio::test]
async fn an_hsm_that_does_not_pass_its_diagnostics_is_not_used() {
    let hsm = client(HostSettings { admin_deadline_ms: 20, ..HostSettings::default() }, |_, _| Some(b"ND13".to_vec()), 100);
    assert!(hsm.ready().await.is_err());
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout_and_too_many_end_the_connection() {
    let settings = HostSettings { deadline_ms: 5, late: 2, reconnect_ms: 1, ..HostSettings::default() };
    // The greeting is answered, and nothing else.
    let hsm = client(settings, |number, _| Some(if number == 0 { HEALTHY.to_vec() } else { Vec::new() }), 100);
    hsm.ready().await.unwrap();
    assert_eq!(hsm.ping().await, Err(HsmError::Timeout));
    assert_eq!(hsm.ping().await, Err(HsmError::Timeout));
    // The connection was given up; another one comes, or none stands this moment.
    let third = hsm.ping().await;
    assert!(matches!(third, Err(HsmError::Timeout | HsmError::Unavailable(_))), "{third:?}");
}

#[tokio::test]
async fn a_connection_that_went_silent_is_probed_and_made_anew() {
    /// How many messages after the greeting one connection got.
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let memory = Arc::new(Memory {
        // The greeting is answered, and nothing else.
        behave: |number, _| {
            MOST.fetch_max(number, Ordering::Relaxed);
            Some(if number == 0 { HEALTHY.to_vec() } else { Vec::new() })
        },
        connections: AtomicUsize::new(0),
        refuse_after: 100,
        tasks: Mutex::default(),
    });
    let settings = HostSettings {
        hsms: vec!["memory".to_owned()],
        connections: 1,
        probe_ms: 1,
        probe_deadline_ms: 1,
        reconnect_ms: 1,
        ..HostSettings::default()
    };
    let hsm = PayShield::start_with(settings, KeyTable::default(), memory.clone(), Arc::new(|| 0));
    hsm.ready().await.unwrap();
    let again = async {
        while memory.connections.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), again).await.unwrap();
    // One probe without an answer is enough.
    assert_eq!(MOST.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_was_lost_with_its_connection_is_unavailable_where_there_is_no_other() {
    let settings = HostSettings { reconnect_ms: 1, ..HostSettings::default() };
    let hsm = client(settings, |number, _| (number == 0).then(|| HEALTHY.to_vec()), 1);
    hsm.ready().await.unwrap();
    assert!(matches!(hsm.ping().await, Err(HsmError::Unavailable(_))));
}

#[tokio::test]
async fn more_than_may_wait_are_refused_as_busy() {
    let settings = HostSettings { in_flight: 1, queue: 1, deadline_ms: 200, ..HostSettings::default() };
    let hsm = client(settings, |number, _| Some(if number == 0 { HEALTHY.to_vec() } else { Vec::new() }), 100);
    hsm.ready().await.unwrap();
    let (first, second, third) = tokio::join!(hsm.ping(), hsm.ping(), hsm.ping());
    assert_eq!([first.err(), second.err()], [Some(HsmError::Timeout), Some(HsmError::Timeout)]);
    assert_eq!(third, Err(HsmError::Busy));
    assert_eq!(hsm.queued(), 0);
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused_and_tells_nothing_of_it() {
    let hsm = client(
        HostSettings::default(),
        |number, _| Some(if number == 0 { HEALTHY.to_vec() } else { b"ND00\x07PIN1234".to_vec() }),
        100,
    );
    hsm.ready().await.unwrap();
    let refused = hsm.ping().await.unwrap_err();
    assert_eq!(refused, HsmError::Refused("HSM sent an answer that is none of the command".to_owned()));
}

/// What was logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_and_errors_hold_nothing_of_what_was_sent_or_came() {
    const BLOCK: [u8; 8] = [0x1B, 0x9C, 0x18, 0x45, 0xEB, 0x99, 0x3A, 0x7A];
    const PAN: &[u8] = b"4012345678909";
    // A refusal, a key that is none, and what is no answer but repeats the whole question.
    fn behave(number: usize, message: &[u8]) -> Option<Vec<u8>> {
        Some(match number {
            0 => HEALTHY.to_vec(),
            1 => b"CD20".to_vec(),
            2 => b"CD10".to_vec(),
            _ => [b"CD00", message].concat(),
        })
    }
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    let memory = Memory { behave, connections: AtomicUsize::new(0), refuse_after: 100, tasks: Mutex::default() };
    let name: KeyName = "zpk".parse().unwrap();
    let mut keys = KeyTable::default();
    keys.insert(name, KeyEntry { role: Role::Zpk, wrapped: double(), check_value: Kcv([1, 2, 3]) }).unwrap();
    let settings = HostSettings { hsms: vec!["memory".to_owned()], connections: 1, ..HostSettings::default() };
    let hsm = PayShield::start_with(settings, keys, Arc::new(memory), Arc::new(|| 0));
    hsm.ready().await.unwrap();
    let (from, to) = (PinFrom::Static { key: name, format: PinFormat::Iso0 }, PinTo { key: name, format: PinFormat::Iso0 });
    let (pan, block) = (payments::Pan::new(PAN).unwrap(), payments::PinBlock::new(&BLOCK).unwrap());
    let mut told = String::new();
    for _ in 0..3 {
        let error = hsm.translate_pin(&from, &to, &pan, &block).await.unwrap_err();
        told += &format!("{error} {error:?} {hsm:?} ");
    }
    told += &String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    let told = told.to_uppercase();
    assert!(told.contains("PIN BLOCK IS NOT VALID") && told.contains("HSM REFUSED"), "{told}");
    for secret in ["4012345678909", "401234567890", "1B9C1845EB993A7A", "0A0A0A0A", "27, 156"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}
