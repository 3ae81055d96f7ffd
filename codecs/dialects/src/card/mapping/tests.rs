//! Every dialect that a link may speak, against the engine's numbering and against what its edition says.

use std::sync::LazyLock;

use iso8583::Message;
use payments::outgoing::*;
use payments::request::*;
use payments::{Amount, Answer, Currency, MerchantId, ProcessingCode, ResponseCode, Rrn, Stan, TerminalId, Text, Wall};
use payments::{LocalDateTime, TransmissionTime};
use proptest::prelude::*;

use crate::card::*;

static ALL: LazyLock<Dialects> = LazyLock::new(|| Dialects::shipped().unwrap());
/// 2026-07-15 14:31 UTC.
const NOW: Wall = Wall(1_784_125_860_000_000);

fn dialect(name: &str) -> &'static Dialect {
    ALL.get(name).unwrap()
}

fn binding() -> Binding {
    Binding { acquirer: Text::literal("ACQ1"), institution: Text::literal("42") }
}

/// A purchase in the engine's numbering, as far as every dialect can carry it.
fn purchase() -> Message {
    let mut message = Message::new("0200");
    message
        .set(2, "5413330089020011")
        .set(3, "000000")
        .set(4, "000000012345")
        .set(7, "0715143059")
        .set(11, "123456")
        .set(12, "143059")
        .set(13, "0715")
        .set(14, "2712")
        .set(18, "5411")
        .set(22, "051")
        .set(23, "001")
        .set(25, "00")
        .set(32, "12345678")
        .set(35, "5413330089020011=27122011234567890")
        .set(37, "519614123456")
        .set(41, "TERM1")
        .set(42, "MERCHANT1")
        .set(49, "978")
        .set(52, [0xA1; 8]);
    message
}

fn reversal(mti: &str) -> Message {
    let mut message = purchase();
    message.retype(mti).remove(52);
    message.remove(35);
    message.set(90, format!("0200123456{:0>10}{:0>11}{:0>11}", "", "12345678", "")).set(39, "17");
    message
}

/// A message of the engine's on the wire, and what is read of it there.
fn wire(name: &str, message: &Message) -> Message {
    dialect(name).spec().decode(dialect(name).encode(message, NOW).unwrap().into()).unwrap()
}

fn read(name: &str, message: &Message) -> Inbound {
    let bytes = dialect(name).encode(message, NOW).unwrap();
    dialect(name).read_request(bytes.into(), &binding()).unwrap_or_else(|reject| panic!("{name}: {reject:?}"))
}

#[test]
fn every_dialect_says_the_same_of_every_request() {
    for dialect in ALL.all() {
        let name = dialect.name();
        for mti in ["0100", "0101", "0200", "0201", "0220", "0221"] {
            let mut message = purchase();
            message.retype(mti);
            assert_eq!(read(name, &message).body, read("iso87-ascii", &message).body, "{name} {mti}");
        }
        for mti in ["0400", "0401", "0420", "0421"] {
            assert_eq!(read(name, &reversal(mti)).body, read("iso87-ascii", &reversal(mti)).body, "{name} {mti}");
        }
        for (mti, function) in [("0800", "001"), ("0801", "002"), ("0800", "301")] {
            let mut message = Message::new(mti);
            message.set(7, "0715143100").set(11, "000001").set(70, function);
            assert_eq!(read(name, &message).body, read("iso87-ascii", &message).body, "{name} {function}");
        }
    }
}

/// Chip data go through where the dialect has a place for them, and are counted as dropped where it has none.
#[test]
fn chip_data_travel_on_where_the_dialect_carries_them() {
    let mut message = purchase();
    message.set(55, hex::decode("9F2608AABBCCDD11223344820200009F360200A1").unwrap());
    let carried = |name: &str| match read(name, &message).body {
        Body::Card(card) => {
            card.passthrough == Passthrough(vec![(55, message.get(55).unwrap().to_vec())]) && card.evidence.emv.len() == 3
        }
        other => panic!("{other:?}"),
    };
    let carrying: Vec<&str> = NAMES.into_iter().filter(|name| carried(name)).collect();
    assert_eq!(carrying, ["iso87-ascii", "iso87-binary", "iso93-ascii", "iso93-binary", "iso2003-binary", "cmf", "visa-base1"]);
}

#[test]
fn every_dialect_says_the_same_of_every_answer() {
    let codes = ["00", "01", "04", "05", "08", "10", "11", "12", "13", "14", "15", "16", "25", "30", "41", "43", "51", "54"];
    let more = ["55", "57", "58", "59", "61", "62", "63", "65", "68", "75", "81", "91", "94", "96"];
    for dialect in ALL.all() {
        for mti in ["0110", "0210", "0230", "0410", "0430"] {
            for code in codes.into_iter().chain(more) {
                let mut message = purchase();
                message.retype(mti).set(39, code).set(38, "A1B2C3").set(15, "0715").remove(2);
                for number in [14, 18, 22, 23, 25, 35, 52] {
                    message.remove(number);
                }
                let answer = |dialect: &Dialect| {
                    let bytes = dialect.encode(&message, NOW).unwrap();
                    dialect.read_answer(bytes.into()).unwrap().incoming
                };
                assert_eq!(answer(dialect), answer(ALL.get("iso87-ascii").unwrap()), "{} {mti} {code}", dialect.name());
            }
        }
        let mut echo = Message::new("0810");
        echo.set(7, "0715143100").set(11, "000001").set(39, "00").set(70, "301");
        let read = dialect.read_answer(dialect.encode(&echo, NOW).unwrap().into()).unwrap();
        let Incoming::Network(answer) = read.incoming else { panic!("{}: {read:?}", dialect.name()) };
        assert_eq!((answer.code, answer.function), (ResponseCode::APPROVED, Some(NetworkFunction::Echo)), "{}", dialect.name());
    }
}

/// What the 1993 edition says, number by number, not what we read back.
#[test]
fn iso_93_is_what_its_edition_says() {
    let message = wire("iso93-ascii", &purchase());
    assert_eq!(message.mti(), "1200");
    for (number, content) in [(11, "123456"), (12, "260715143059"), (24, "200"), (26, "5411"), (41, "TERM1"), (49, "978")] {
        assert_eq!(message.str(number), Some(content), "field {number}");
    }
    // A chip read at a terminal that reads chips and takes PINs of up to twelve; cardholder and card present.
    assert_eq!(message.str(22), Some("510001500004"));
    assert!([13, 18, 25, 39].iter().all(|number| !message.has(*number)));

    let message = wire("iso93-ascii", &reversal("0421"));
    assert_eq!(message.mti(), "1421");
    assert_eq!(message.str(25), Some("4000"));
    assert_eq!(message.str(56), Some("12001234562607151430590812345678"));
    assert!(!message.has(39) && !message.has(90));

    let mut answer = reversal("0430");
    answer.remove(90);
    assert_eq!(wire("iso93-ascii", answer.set(39, "00")).str(39), Some("400"));
    let mut sign_on = Message::new("0800");
    sign_on.set(7, "0715143100").set(11, "000001").set(70, "001");
    let message = wire("iso93-ascii", &sign_on);
    assert_eq!((message.mti(), message.str(24)), ("1804", Some("801")));
    let message = wire("iso93-ascii", sign_on.retype("0810").set(39, "00"));
    assert_eq!((message.mti(), message.str(39)), ("1814", Some("800")));
}

#[test]
fn iso_2003_is_what_its_edition_says() {
    let message = wire("cmf", &purchase());
    assert_eq!(message.mti(), "2200");
    for (number, content) in [(4, "9782000000012345"), (11, "000000123456"), (12, "20260715143059"), (24, "200"), (26, "5411")] {
        assert_eq!(message.str(number), Some(content), "field {number}");
    }
    assert_eq!(message.get(22), Some(hex::decode("20000000080000000200000000000000").unwrap().as_slice()));
    assert!(!message.has(49));
    let message = wire("cmf", &reversal("0420"));
    assert_eq!(message.str(56), Some("22000000001234562026071514305912345678"));
    let mut declined = purchase();
    declined.retype("0210").set(39, "51");
    assert_eq!(wire("cmf", &declined).str(39), Some("1016"));
}

#[test]
fn a_reversal_names_the_time_of_its_original_where_the_edition_says_it_apart() {
    let mut message = wire("iso93-ascii", &reversal("0420"));
    message.set(12, "260716090000");
    let bytes = dialect("iso93-ascii").spec().encode(&message).unwrap();
    let Body::Reversal(read) = dialect("iso93-ascii").read_request(bytes.into(), &binding()).unwrap().body else { panic!() };
    assert_eq!(read.head.local, LocalDateTime::parse(b"090000", b"0716").unwrap());
    assert_eq!(read.original.local, LocalDateTime::parse(b"143059", b"0715").unwrap());
}

#[test]
fn what_shall_stand_is_the_amount_and_what_stood_is_said_apart() {
    let mut message = reversal("0420");
    message.set(95, format!("{:012}{:012}C00000000C00000000", 5_000, 0));
    for (name, amount, stood) in [
        ("iso93-ascii", "000000005000", "000000012345000000000000"),
        ("cmf", "9782000000005000", "97820000000123450000000000000000"),
    ] {
        let sent = wire(name, &message);
        assert_eq!(sent.str(4), Some(amount));
        let field = sent.get(30).unwrap();
        let said = if field.is_ascii() { String::from_utf8(field.to_vec()).unwrap() } else { hex::encode(field) };
        assert_eq!(said, stood, "{name}");
        let Body::Reversal(read) = read(name, &message).body else { panic!() };
        let euros = |minor| Amount::new(minor, Currency::EUR).unwrap();
        assert_eq!((read.amount, read.final_amount), (euros(12_345), Some(euros(5_000))), "{name}");
    }
}

#[test]
fn years_are_those_in_which_a_date_is_nearest() {
    let new_year = Wall(1_798_761_600_000_000);
    let mut message = purchase();
    message.set(13, "1231");
    let bytes = dialect("cmf").encode(&message, new_year).unwrap();
    let sent = dialect("cmf").spec().decode(bytes.into()).unwrap();
    assert_eq!(sent.str(12), Some("20261231143059"));
}

#[test]
fn an_unknown_code_is_a_refusal_or_nothing_but_never_an_approval() {
    let answer = |code: &str| {
        let mut message = wire("iso93-ascii", purchase().retype("0210").set(39, "05"));
        message.set(39, code);
        let bytes = dialect("iso93-ascii").spec().encode(&message).unwrap();
        dialect("iso93-ascii").read_answer(bytes.into()).map(|read| match read.incoming {
            Incoming::Card(card) => card.answer.code.to_string(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(answer("183").as_deref(), Ok("05"));
    assert_eq!(answer("292").as_deref(), Ok("04"));
    assert_eq!(answer("948").as_deref(), Ok("96"));
    for code in ["019", "400", "800", "500"] {
        assert_eq!(answer(code).unwrap_err().error, Error::Invalid(39), "{code}");
    }
}

#[test]
fn what_is_refused_is_named_and_answered_in_the_dialect() {
    let d = dialect("iso93-ascii");
    let refused = |change: fn(&mut Message)| {
        let mut message = wire("iso93-ascii", &purchase());
        change(&mut message);
        let reject = d.read_request(d.spec().encode(&message).unwrap().into(), &binding()).unwrap_err();
        let answer = d.encode(&reject.answer().unwrap(), NOW).unwrap();
        let answer = d.spec().decode(answer.into()).unwrap();
        (reject.error, answer.mti().to_owned(), answer.str(39).unwrap_or_default().to_owned())
    };
    let out = |error, mti: &str, code: &str| (error, mti.to_owned(), code.to_owned());
    assert_eq!(
        refused(|m| {
            m.remove(12);
        }),
        out(Error::Missing(12), "1210", "904")
    );
    assert_eq!(
        refused(|m| {
            m.remove(22);
        }),
        out(Error::Missing(22), "1210", "904")
    );
    assert_eq!(
        refused(|m| {
            m.set(24, "281");
        }),
        out(Error::UnsupportedMessage, "1210", "902")
    );
    assert_eq!(
        refused(|m| {
            m.retype("1604");
        }),
        out(Error::UnsupportedMessage, "1614", "902")
    );
    assert_eq!(
        refused(|m| {
            m.set(49, "ABC");
        }),
        out(Error::Invalid(49), "1210", "904")
    );
}

#[test]
fn a_mac_is_as_long_as_the_dialect_has_it() {
    for (name, length) in [("iso93-binary", 8), ("cmf", 4), ("visa-base1", 8)] {
        let bytes = dialect(name).encode_for_mac(&purchase(), NOW).unwrap();
        let covered = bytes.bytes().to_vec();
        let inbound = dialect(name).read_request(bytes.finish([1, 2, 3, 4, 5, 6, 7, 8]).into(), &binding()).unwrap();
        let mac = inbound.mac.unwrap();
        assert_eq!((mac.covered.to_vec(), mac.mac), (covered, (1..=length).collect::<Vec<u8>>()), "{name}");
        assert_eq!(inbound.dropped, Dropped::default(), "{name}");
    }
}

#[test]
fn a_mapping_that_cannot_be_used_says_where() {
    let spec = iso8583::Spec::shipped("iso93-ascii").unwrap();
    let whole = include_str!("../../../mappings/iso93.toml");
    let fault = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        Dialect::mapped(std::sync::Arc::clone(&spec), &whole.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert!(fault("41 = { at = 41 }\n", "").contains("field 41 of the engine's stands nowhere"));
    assert!(fault("41 = { at = 41 }", "41 = { at = 65 }").contains("fields.41: the table has no field 65"));
    assert!(fault("41 = { at = 41 }", "41 = { at = 41 }\n200 = { at = 41 }").contains("fields.200"));
    assert!(fault("form = \"function\"", "form = \"functoin\"").contains("functoin"));
    assert!(fault("\"1804\"", "\"184\"").contains("types.0800: four digits wanted"));
    assert!(fault("\"000000000000\"", "\"00000000000\"").contains("point-of-service.entry"));
    assert!(fault("[\"107\"]", "[\"108\"]").contains("108 stands twice"));
}

fn egress() -> Egress {
    Egress {
        link: Text::literal("net"),
        route: Text::literal("net"),
        system: MessageSystem::Dual,
        attempt: 1,
        mti: Text::literal("0100"),
        stan: Stan::new(777).unwrap(),
        transmission: TransmissionTime::parse(b"0715143100").unwrap(),
        local: LocalDateTime::parse(b"143059", b"0715").unwrap(),
        institution: Text::literal("400001"),
        forwarding: None,
        rrn: Rrn::new(b"519614123456").unwrap(),
        processing_code: ProcessingCode::new(b"000000").unwrap(),
        amount: Amount::new(12_345, Currency::EUR).unwrap(),
        terminal: TerminalId::from_bytes(b"TERM1").unwrap(),
        merchant: MerchantId::from_bytes(b"MERCHANT1").unwrap(),
    }
}

/// What the engine owes can be said in every dialect: a message that cannot be written would be owed for ever.
#[test]
fn every_dialect_can_say_what_the_engine_owes() {
    let card = CardSecrets {
        pan: payments::Pan::new(b"5413330089020011").unwrap(),
        expiry: payments::Expiry::new(b"2712").ok(),
        sequence: None,
        track2: None,
        pin_block: None,
    };
    let reasons = [ResponseCode::TIMEOUT, ResponseCode::CUSTOMER_CANCELLATION, ResponseCode::MALFUNCTION];
    for dialect in ALL.all() {
        let writes = |out: Outgoing| {
            let message = dialect.write_outgoing(&out, Some(&card), None).unwrap();
            dialect.encode_for_mac(&message, NOW).map(drop).unwrap_or_else(|error| panic!("{}: {error} {out:?}", dialect.name()));
        };
        for (mti, reason) in ["0420", "0421"].into_iter().flat_map(|mti| reasons.map(|reason| (mti, reason))) {
            writes(Outgoing::Reversal(Box::new(ReversalOut {
                mti: Text::literal(mti),
                transmission: egress().transmission,
                original: egress(),
                reason,
                approval: payments::ApprovalCode::from_bytes(b"A1B2C3").ok(),
                final_amount: Amount::new(5, Currency::EUR).ok(),
            })));
        }
        let advice = |mti| Egress { mti: Text::literal(mti), ..egress() };
        for mti in ["0220", "0221"] {
            writes(Outgoing::Advice(Box::new(AdviceOut {
                egress: advice(mti),
                approval: None,
                transmission: egress().transmission,
            })));
        }
        let function = NetworkFunction::SignOn;
        let (transmission, stan, institution) = (egress().transmission, egress().stan, egress().institution);
        writes(Outgoing::Network(NetworkOut { transmission, stan, institution, function }));
    }
}

/// Every code that the engine may give is an answer in every dialect.
#[test]
fn every_dialect_can_say_every_response_code() {
    let head = match read("iso87-ascii", &purchase()).body {
        Body::Card(card) => card.head,
        other => panic!("{other:?}"),
    };
    let codes = (0..100).map(|code| format!("{code:02}")).chain(["N7".to_owned(), "1A".to_owned()]);
    for code in codes.map(|code| ResponseCode::new(code.as_bytes()).unwrap()) {
        for dialect in ALL.all() {
            let response = Response::Card(Box::new(CardResponse {
                head,
                processing_code: ProcessingCode::new(b"000000").unwrap(),
                amount: Amount::new(1, Currency::EUR).unwrap(),
                rrn: None,
                answer: Answer::code(code),
            }));
            let message = dialect.write_response(&response).unwrap();
            let bytes = dialect.encode(&message, NOW).unwrap_or_else(|error| panic!("{} {code}: {error}", dialect.name()));
            let Incoming::Card(answer) = dialect.read_answer(bytes.into()).unwrap().incoming else { panic!() };
            assert_eq!(answer.answer.outcome(), code.outcome(), "{} {code}", dialect.name());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived_in_every_dialect(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        for dialect in ALL.all() {
            if let Err(reject) = dialect.read_request(input.clone().into(), &binding())
                && let Some(answer) = reject.answer()
            {
                let _ = dialect.encode(&answer, NOW);
            }
            let _ = dialect.read_answer(input.clone().into());
        }
    }

    /// A message with one byte changed is read, or refused with an answer that can be written.
    #[test]
    fn any_damage_is_read_or_refused_with_an_answer(at in 0usize..200, to: u8, which in 0usize..10) {
        let dialect = ALL.all().nth(which).unwrap();
        let mut bytes = dialect.encode(&purchase(), NOW).unwrap();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Err(reject) = dialect.read_request(bytes.into(), &binding())
            && let Some(answer) = reject.answer()
        {
            prop_assert!(dialect.encode(&answer, NOW).is_ok(), "{} {:?} {answer:?}", dialect.name(), reject.error);
        }
    }
}
