//! The mapping both ways, message by message.

use std::sync::LazyLock;

use iso8583::{Kind, Message, Place};
use payments::outgoing::*;
use payments::request::*;
use payments::{Amount, Answer, Currency, ProcessingCode, ResponseCode, Rrn, Stan, Text, TransmissionTime};
use proptest::prelude::*;

use super::*;

const PAN: &str = "5413330089020011";
const TRACK2: &str = "5413330089020011=27122011234567890";

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| Dialect::new(Spec::shipped("iso87-ascii").unwrap()));

fn binding() -> Binding {
    Binding { acquirer: Text::literal("ACQ1"), institution: Text::literal("00000000042") }
}

fn usd(minor: i64) -> Amount {
    Amount::new(minor, Currency::USD).unwrap()
}

fn icc() -> Vec<u8> {
    let mut icc = hex::decode("9F2608AABBCCDD112233445A085413330089020011").unwrap();
    iso8583::tlv::write(&[0x57], &hex::decode("5413330089020011D27122011234567890").unwrap(), &mut icc).unwrap();
    iso8583::tlv::write(&[0x82], &[0x3C, 0x00], &mut icc).unwrap();
    iso8583::tlv::write(&[0x5F, 0x20], b"TEST", &mut icc).unwrap();
    iso8583::tlv::write(&[0x95], &[0, 0, 0, 0x80, 0], &mut icc).unwrap();
    icc
}

/// A purchase with everything in it that a terminal may send.
fn purchase() -> Message {
    let mut message = Message::new("0200");
    message
        .set(2, PAN)
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
        .set(35, TRACK2)
        .set(37, "519614123456")
        .set(41, "TERM1")
        .set(42, "MERCHANT1")
        .set(43, "ACME STORE 042         SPRINGFIELD    US")
        .set(48, "private")
        .set(49, "840")
        .set(52, [0xA1; 8])
        .set(55, icc())
        .set(60, "05rest")
        .set(61, "00010001")
        .set(102, "ACCOUNT");
    message
}

fn frame(message: &Message) -> Bytes {
    DIALECT.spec().encode(message).unwrap().into()
}

fn read(message: &Message) -> Result<Inbound, Box<Reject>> {
    DIALECT.read_request(frame(message), &binding())
}

fn read_card(message: &Message) -> CardReceived {
    match read(message).unwrap().body {
        Body::Card(card) => *card,
        other => panic!("not a card request: {other:?}"),
    }
}

fn refused(message: &Message) -> Error {
    read(message).unwrap_err().error
}

fn egress() -> Egress {
    let head = read_card(&purchase()).head;
    Egress {
        link: Text::literal("net-a"),
        route: Text::literal("net-a"),
        system: MessageSystem::Dual,
        attempt: 1,
        mti: Text::literal("0100"),
        stan: Stan::new(777).unwrap(),
        transmission: TransmissionTime::parse(b"0715143100").unwrap(),
        local: head.local,
        institution: Text::literal("400001"),
        forwarding: None,
        rrn: head.rrn.unwrap(),
        processing_code: ProcessingCode::new(b"000000").unwrap(),
        amount: usd(12345),
        terminal: head.terminal,
        merchant: head.merchant,
    }
}

#[test]
fn a_purchase_becomes_a_request_and_its_secrets() {
    let inbound = read(&purchase()).unwrap();
    assert_eq!(inbound.dropped, Dropped { elements: vec![48, 102], tags: 3 });
    assert_eq!(inbound.mac, None);
    let card = read_card(&purchase());
    assert_eq!(card.kind, CardKind::Purchase);
    assert_eq!(card.amount, usd(12345));
    assert_eq!(card.head.acquirer.as_str(), "ACQ1");
    assert_eq!(card.head.institution.as_str(), "12345678");
    assert_eq!(card.head.terminal.as_str(), "TERM1");
    assert_eq!(card.pin, Some(PinEntry::Static));
    assert_eq!(card.secrets.pan.reveal(), PAN.as_bytes());
    assert_eq!(card.secrets.expiry.map(|expiry| *expiry.reveal()), Some(*b"2712"));
    assert_eq!(card.secrets.pin_block.as_ref().map(|block| block.reveal()), Some([0xA1; 8].as_slice()));
    assert_eq!(card.evidence.merchant_category.as_str(), "5411");
    assert_eq!(card.evidence.acceptor.as_str(), "ACME STORE 042         SPRINGFIELD    US");
    assert_eq!(card.evidence.eci.as_str(), "05");
    assert_eq!(card.evidence.pos_data.as_str(), "00010001");
    let tags: Vec<_> = card.evidence.emv.iter().map(|(tag, _)| tag.as_str().to_owned()).collect();
    assert_eq!(tags, ["9F26", "95", "82"]);
    let forwarded: Vec<u8> = card.passthrough.0.iter().map(|(number, _)| *number).collect();
    assert_eq!(forwarded, [55, 60, 61]);
}

#[test]
fn secrets_do_not_show_in_debug() {
    let shown = format!("{:?}", read(&purchase()).unwrap());
    for secret in [PAN, "20011", "2712201", "A1A1", "161, 161", "54, 49, 51", "84, 19, 51, 0"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn message_type_and_transaction_type_make_the_kind() {
    let kind = |mti: &str, code: &str| {
        let mut message = purchase();
        message.retype(mti).set(3, code);
        read(&message).map(|inbound| match inbound.body {
            Body::Card(card) => Some(card.kind),
            _ => None,
        })
    };
    assert_eq!(kind("0100", "003000"), Ok(Some(CardKind::Authorization)));
    assert_eq!(kind("0201", "000000"), Ok(Some(CardKind::Purchase)));
    assert_eq!(kind("0200", "200000"), Ok(Some(CardKind::Refund)));
    assert_eq!(kind("0100", "310000"), Ok(Some(CardKind::Balance)));
    for (mti, code, error) in [
        ("0200", "310000", Error::UnsupportedTransaction),
        ("0100", "200000", Error::UnsupportedTransaction),
        ("0200", "010000", Error::UnsupportedTransaction),
        ("0300", "000000", Error::UnsupportedMessage),
        ("0210", "000000", Error::UnsupportedMessage),
    ] {
        let reject = kind(mti, code).unwrap_err();
        assert_eq!(reject.error, error);
        let answer = reject.answer().map(|answer| answer.str(39).map(str::to_owned));
        assert_eq!(answer, (mti != "0210").then_some(Some("12".to_owned())));
    }
}

#[test]
fn what_is_missing_or_impossible_is_named() {
    let without = |number: u8| {
        let mut message = purchase();
        message.remove(number);
        refused(&message)
    };
    for number in [3, 4, 11, 12, 13, 22, 25, 41, 42, 49] {
        assert_eq!(without(number), Error::Missing(number));
    }
    let with = |number: u8, content: &str| {
        let mut message = purchase();
        message.set(number, content);
        refused(&message)
    };
    assert_eq!(with(11, "000000"), Error::Invalid(11));
    assert_eq!(with(49, "001"), Error::Invalid(49));
    assert_eq!(with(2, "5413330"), Error::Invalid(2));
    assert_eq!(with(14, "2713"), Error::Invalid(14));
    assert_eq!(with(37, "SHORT"), Error::Invalid(37));
    assert_eq!(with(41, ""), Error::Missing(41));
    assert_eq!(with(2, "5413330089020029"), Error::Contradiction(2, 35));
}

#[test]
fn a_stripe_alone_gives_card_number_and_expiry() {
    let mut message = purchase();
    message.remove(2);
    message.remove(14);
    let card = read_card(&message);
    assert_eq!(card.secrets.pan.reveal(), PAN.as_bytes());
    assert_eq!(card.secrets.expiry.map(|expiry| *expiry.reveal()), Some(*b"2712"));
    message.remove(35);
    assert_eq!(refused(&message), Error::Missing(2));
}

#[test]
fn the_mac_comes_with_the_bytes_it_covers() {
    let wire = DIALECT.spec().encode_with_mac(&purchase(), |_| *b"12345678").unwrap();
    let inbound = DIALECT.read_request(wire.clone().into(), &binding()).unwrap();
    let mac = inbound.mac.unwrap();
    assert_eq!(&mac.mac, b"12345678");
    assert_eq!(mac.covered, wire[..wire.len() - 16]);
}

#[test]
fn what_cannot_be_parsed_is_answered_with_what_could_be_read() {
    let mut wire = frame(&purchase()).to_vec();
    wire[40] = b'x';
    let reject = DIALECT.read_request(wire.into(), &binding()).unwrap_err();
    assert!(matches!(reject.error, Error::Wire { kind: Kind::NonDigit, place: Place::Field(2), offset: _ }), "{reject:?}");
    let answer = reject.answer().unwrap();
    assert_eq!(
        (answer.mti(), answer.str(39), answer.str(11), answer.str(41)),
        ("0210", Some("30"), Some("123456"), Some("TERM1"))
    );
    assert!(!answer.has(2) && !answer.has(35) && !answer.has(52));
    assert!(DIALECT.spec().encode(&answer).is_ok());
}

#[test]
fn without_a_trace_number_nothing_can_be_answered() {
    let mut message = purchase();
    message.remove(11);
    assert_eq!(read(&message).unwrap_err().answer(), None);
    assert_eq!(DIALECT.read_request(Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"), &binding()).unwrap_err().answer(), None);
}

#[test]
fn a_completion_names_its_authorization() {
    let mut message = purchase();
    message.retype("0220").set(38, "A1B2C3");
    message.remove(2);
    message.remove(35);
    let Body::Completion(completion) = read(&message).unwrap().body else { panic!("not a completion") };
    assert_eq!((&completion.secrets, &completion.completion.card), (&None, &None));
    let completion = completion.completion;
    assert_eq!(completion.approval.map(|code| code.as_str().to_owned()), Some("A1B2C3".to_owned()));
    assert_eq!(completion.amount, usd(12345));
    message.set(2, "5413330089020011");
    let Body::Completion(with_card) = read(&message).unwrap().body else { panic!("not a completion") };
    assert_eq!(with_card.secrets.map(|secrets| secrets.pan.clone()), Some(Pan::new(b"5413330089020011").unwrap()));
    message.remove(37);
    assert_eq!(refused(&message), Error::Missing(37));
}

#[test]
fn a_reversal_names_its_original_by_trace_number_and_its_own_local_time() {
    let mut message = purchase();
    message
        .retype("0421")
        .set(11, "123457")
        .set(90, format!("0200123456{:0>32}", "0715143059"))
        .set(95, format!("{:012}{:030}", 5000, 0));
    let Body::Reversal(reversal) = read(&message).unwrap().body else { panic!("not a reversal") };
    assert!(reversal.advice);
    assert!(reversal.head.repeat());
    assert_eq!(reversal.original.mti.as_str(), "0200");
    assert_eq!(reversal.original.stan.get(), 123_456);
    assert_eq!(reversal.original.local, reversal.head.local);
    assert_eq!(reversal.final_amount, Some(usd(5000)));
    message.set(90, "0".repeat(42));
    assert_eq!(refused(&message), Error::Invalid(90));
    message.remove(90);
    assert_eq!(refused(&message), Error::Missing(90));
}

#[test]
fn network_management_has_three_functions() {
    let mut message = Message::new("0800");
    message.set(7, "0715143100").set(11, "000001").set(70, "301");
    assert_eq!(
        read(&message).unwrap().body,
        Body::Network(NetworkRequest {
            stan: Stan::new(1).unwrap(),
            transmission: TransmissionTime::parse(b"0715143100").ok(),
            function: NetworkFunction::Echo
        })
    );
    message.set(70, "999");
    let reject = read(&message).unwrap_err();
    assert_eq!(
        (reject.error, reject.answer().map(|answer| answer.mti().to_owned())),
        (Error::Invalid(70), Some("0810".to_owned()))
    );
}

#[test]
fn an_answer_echoes_the_request_and_adds_what_the_issuer_sent() {
    let card = read_card(&purchase());
    let answer = Answer {
        approval: Some(Text::literal("A1B2C3")),
        icc: hex::decode("910AAABBCCDDEEFF11223030").unwrap(),
        settlement_date: Text::literal("0716"),
        network_id: Some(Text::literal("NET123")),
        cvv_result: Text::literal("M"),
        balances: Text::literal("0001840C000000100000"),
        ..Answer::code(ResponseCode::APPROVED)
    };
    let response = Response::Card(Box::new(CardResponse {
        head: card.head,
        processing_code: card.processing_code,
        amount: card.amount,
        rrn: card.head.rrn,
        answer,
    }));
    let message = DIALECT.write_response(&response).unwrap();
    let read = DIALECT.spec().decode(frame(&message)).unwrap();
    assert_eq!(read.mti(), "0210");
    let asked = purchase();
    for number in [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49] {
        assert_eq!(read.get(number), asked.get(number), "field {number}");
    }
    assert_eq!(
        (read.str(15), read.str(38), read.str(39), read.str(44), read.str(63)),
        (Some("0716"), Some("A1B2C3"), Some("00"), Some(" M"), Some("NET123"))
    );
    assert_eq!(read.str(54), Some("0001840C000000100000"));
    assert!(read.has(55));
    for number in [2, 14, 35, 52] {
        assert!(!read.has(number), "field {number}");
    }
}

#[test]
fn a_request_to_a_network_leaves_card_data_and_unlisted_elements_behind() {
    let card = read_card(&purchase());
    let mut passthrough = card.passthrough.clone();
    // Even if something upstream forgot to filter.
    passthrough.0.push((48, b"private".to_vec()));
    passthrough.0[0].1 = icc();
    let out = Outgoing::Card(Box::new(CardOut { egress: egress(), evidence: card.evidence, pin: true, passthrough }));
    let zpk = PinBlock::new(&[0xB2; 8]).unwrap();
    let message = DIALECT.write_outgoing(&out, Some(&card.secrets), Some(&zpk)).unwrap();
    let read = DIALECT.spec().decode(frame(&message)).unwrap();
    assert_eq!(read.mti(), "0100");
    assert_eq!((read.str(2), read.str(11), read.str(32), read.str(23)), (Some(PAN), Some("000777"), Some("400001"), Some("001")));
    assert_eq!(read.get(52), Some([0xB2; 8].as_slice()));
    assert_eq!((read.str(60), read.str(61)), (Some("05rest"), Some("00010001")));
    assert_eq!(hex::encode_upper(read.get(55).unwrap()), "9F2608AABBCCDD1122334482023C0095050000008000");
    for number in [35, 43, 48, 102] {
        assert!(!read.has(number), "field {number}");
    }
    assert_eq!(DIALECT.write_outgoing(&out, Some(&card.secrets), None), Err(Error::NoPin));
    assert_eq!(DIALECT.write_outgoing(&out, None, Some(&zpk)), Err(Error::NoCard));
}

#[test]
fn a_reversal_names_its_original_as_it_was_sent() {
    let card = read_card(&purchase());
    let mut out = ReversalOut {
        mti: Text::literal("0421"),
        transmission: TransmissionTime::parse(b"0715143200").unwrap(),
        original: egress(),
        reason: ResponseCode::TIMEOUT,
        approval: None,
        final_amount: Some(usd(100)),
    };
    let write = |out: &ReversalOut| DIALECT.write_outgoing(&Outgoing::Reversal(Box::new(out.clone())), Some(&card.secrets), None);
    let message = write(&out).unwrap();
    let read = DIALECT.spec().decode(frame(&message)).unwrap();
    assert_eq!((read.mti(), read.str(7), read.str(11), read.str(39)), ("0421", Some("0715143200"), Some("000777"), Some("68")));
    assert_eq!(read.str(90), Some("010000077707151431000000040000100000000000"));
    assert_eq!(read.str(95), Some("000000000100000000000000C00000000C00000000"));
    assert!(!read.has(35) && !read.has(52) && !read.has(55));
    out.final_amount = Some(Amount::new(100, Currency::EUR).unwrap());
    assert_eq!(write(&out), Err(Error::Currencies));
}

#[test]
fn an_advice_and_a_sign_on_can_be_written() {
    let card = read_card(&purchase());
    let mut frozen = egress();
    frozen.mti = Text::literal("0221");
    let transmission = TransmissionTime::parse(b"0715150000").unwrap();
    let advice = AdviceOut { egress: frozen, approval: Some(Text::literal("A1B2C3")), transmission };
    let message = DIALECT.write_outgoing(&Outgoing::Advice(Box::new(advice)), Some(&card.secrets), None).unwrap();
    let read = DIALECT.spec().decode(frame(&message)).unwrap();
    assert_eq!((read.mti(), read.str(7), read.str(38), read.str(2)), ("0221", Some("0715150000"), Some("A1B2C3"), Some(PAN)));
    let sign_on = NetworkOut {
        transmission,
        stan: Stan::new(5).unwrap(),
        institution: Text::literal("400001"),
        function: NetworkFunction::SignOn,
    };
    let message = DIALECT.write_outgoing(&Outgoing::Network(sign_on), None, None).unwrap();
    assert_eq!(frame(&message), "08008220000100000000040000000000000007151500000000050640000100 1".replace(' ', ""));
}

/// An approval of `egress()` as a network answers it.
fn approval() -> Message {
    let mut message = Message::new("0110");
    message
        .set(3, "000000")
        .set(4, "000000012345")
        .set(7, "0715143100")
        .set(11, "000777")
        .set(15, "0716")
        .set(37, "519614123456")
        .set(38, "A1B2C3")
        .set(39, "00")
        .set(41, "TERM1")
        .set(44, "YM2")
        .set(49, "840")
        .set(63, "NET123");
    message
}

#[test]
fn an_approval_is_read_with_everything_that_is_kept_of_it() {
    let from = DIALECT.read_answer(frame(&approval())).unwrap();
    let Incoming::Card(card) = from.incoming else { panic!("not a card answer") };
    assert_eq!((card.stan.get(), card.rrn), (777, Rrn::new(b"519614123456").ok()));
    let expected = Answer {
        approval: Some(Text::literal("A1B2C3")),
        amount: Some(usd(12345)),
        settlement_date: Text::literal("0716"),
        network_id: Some(Text::literal("NET123")),
        avs_result: Text::literal("Y"),
        cvv_result: Text::literal("M"),
        authentication_result: Text::literal("2"),
        ..Answer::code(ResponseCode::APPROVED)
    };
    assert_eq!(card.answer, expected);
    assert_eq!(from.notes, []);
}

#[test]
fn a_cosmetic_fault_does_not_lose_an_approval() {
    let mut wire = frame(&approval()).to_vec();
    for odd in [b"A1B2C3".as_slice(), b"YM2", b"0716"] {
        let at = wire.windows(odd.len()).rposition(|bytes| bytes == odd).unwrap();
        wire[at] = 0x01;
    }
    let from = DIALECT.read_answer(wire.into()).unwrap();
    assert_eq!(from.notes.iter().map(|note| note.field).collect::<Vec<_>>(), [15, 38, 44]);
    let Incoming::Card(card) = from.incoming else { panic!("not a card answer") };
    assert_eq!((card.answer.code, card.answer.approval), (ResponseCode::APPROVED, None));
}

#[test]
fn a_fault_that_decides_makes_the_answer_unreadable() {
    let mut message = approval();
    message.remove(39);
    let unreadable = DIALECT.read_answer(frame(&message)).unwrap_err();
    assert_eq!((unreadable.error, unreadable.stan.map(Stan::get)), (Error::Missing(39), Some(777)));
    assert_eq!(DIALECT.read_answer(frame(&purchase())).unwrap_err().error, Error::UnsupportedMessage);
    let mut wire = frame(&approval()).to_vec();
    wire.truncate(wire.len() - 1);
    assert!(matches!(DIALECT.read_answer(wire.into()).unwrap_err().error, Error::Wire { kind: Kind::Truncated, .. }));
}

#[test]
fn an_answer_to_network_management_is_read() {
    let mut message = Message::new("0810");
    message.set(7, "0715143100").set(11, "000005").set(39, "00").set(70, "001");
    let incoming = DIALECT.read_answer(frame(&message)).unwrap().incoming;
    let expected =
        NetworkAnswer { stan: Stan::new(5).unwrap(), code: ResponseCode::APPROVED, function: Some(NetworkFunction::SignOn) };
    assert_eq!(incoming, Incoming::Network(expected));
}

proptest! {
    #[test]
    fn any_damage_to_a_request_is_read_or_refused_with_an_answer_that_can_be_written(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut wire = frame(&purchase()).to_vec();
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        if !whole {
            wire.truncate(cut.index(wire.len()));
        }
        let answer = match DIALECT.read_request(wire.clone().into(), &binding()) {
            Ok(inbound) => Some(inbound.echo.answer(ResponseCode::SECURITY_VIOLATION)),
            Err(reject) => reject.answer(),
        };
        if let Some(answer) = answer {
            prop_assert!(DIALECT.spec().encode(&answer).is_ok());
            prop_assert!(!answer.has(2) && !answer.has(35));
        }
        let _ = DIALECT.read_answer(wire.into());
    }

    #[test]
    fn any_bytes_are_survived(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = DIALECT.read_request(input.clone().into(), &binding());
        let _ = DIALECT.read_answer(input.into());
    }
}
