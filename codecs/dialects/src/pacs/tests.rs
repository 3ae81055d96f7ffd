use iso20022::{Document, Envelope, Limits};
use payments::answer::TransferStatus;
use payments::outgoing::{StatusRequestOut, TransferOut, TransferResponse};
use payments::request::TransferFacts;
use payments::{AcquirerId, Amount, BusinessDate, Currency, PaymentId, Request, ResponseCode, Text, Wall};
use proptest::prelude::*;

use super::{Fault, Link, LinkSettings, MUST_NOT_BE_LOST};

const PARTY: &str = "PRTYDEFF";
const SWITCH: &str = "SWYDDEFFXXX";
const BANK: &str = "BANKFRPP";
const NOW: Wall = Wall(1_795_224_600_000_000);

/// The switch's end of the link to the party, and of the one to the bank.
fn switch() -> (Link, Link) {
    (Link::new(SWITCH, PARTY).unwrap(), Link::new(SWITCH, BANK).unwrap())
}

fn facts() -> TransferFacts {
    TransferFacts {
        message_id: Text::literal("M-1"),
        instruction_id: Text::literal("I-1"),
        end_to_end_id: Text::literal("E-1"),
        transaction_id: Text::literal("T-1"),
        uetr: Text::literal("8a562c67-ca16-48ba-b074-65581be6f001"),
        amount: Amount::new(123_450, Currency::EUR).unwrap(),
        settlement_date: BusinessDate::new(2026, 11, 23).unwrap(),
        debtor_agent: Text::literal("PRTYDEFF"),
        creditor_agent: Text::literal("BANKFRPPXXX"),
        debtor_account: Text::literal("DE89370400440532013000"),
        creditor_account: Text::literal("ACC-42"),
        debtor_name: "Muñoz & Söhne 有限公司".to_owned(),
        creditor_name: String::new(),
        remittance: "Invoice\n4711".to_owned(),
    }
}

/// A pacs.008 as the party sends it to the switch.
fn sent(facts: TransferFacts) -> Vec<u8> {
    let out = TransferOut { message_id: facts.message_id, facts, created: NOW };
    Link::new(PARTY, SWITCH).unwrap().encode_transfer(&out).unwrap()
}

/// The same with its view changed.
fn altered(change: impl FnOnce(&mut Envelope)) -> Vec<u8> {
    let mut envelope = iso20022::read(&sent(facts()), &Limits::LINK).unwrap().value;
    change(&mut envelope);
    iso20022::write(&envelope)
}

fn transfer(envelope: &mut Envelope) -> &mut iso20022::CreditTransfer {
    match &mut envelope.document {
        Document::CreditTransfer(transfer) => transfer,
        _ => panic!("a pacs.008"),
    }
}

fn acquirer() -> AcquirerId {
    Text::literal("PARTY-1")
}

fn decode(bytes: &[u8]) -> Result<Request, super::Refusal> {
    switch().0.decode_request(bytes, acquirer()).map(|decoded| decoded.request)
}

#[test]
fn a_transfer_goes_through_with_its_ids_unchanged_and_a_message_id_of_ours() {
    let Request::CreditTransfer(received) = decode(&sent(facts())).unwrap() else { panic!("a transfer") };
    assert_eq!((received.acquirer, &received.facts), (acquirer(), &facts()));
    let payment = PaymentId::FIRST;
    let out = TransferOut { message_id: TransferOut::message_id_of(payment), facts: received.facts, created: NOW };
    let bytes = switch().1.encode_transfer(&out).unwrap();
    let mut envelope = iso20022::read(&bytes, &Limits::LINK).unwrap().value;
    assert_eq!(envelope.header.business_message_id.as_str(), "0".repeat(32));
    assert_eq!(envelope.header.to.bic().unwrap().as_str(), BANK);
    let written = transfer(&mut envelope);
    assert_eq!(written.message_id.as_str(), "0".repeat(32));
    assert_eq!(written.end_to_end_id.as_str(), "E-1");
    assert_eq!(written.transaction_id.as_ref().unwrap().as_str(), "T-1");
    assert_eq!(written.uetr.unwrap().as_str(), facts().uetr.as_str());
    assert_eq!(written.amount.decimal(), "1234.50");
    assert_eq!(written.debtor.name.as_ref().unwrap().as_str(), "Muñoz & Söhne 有限公司");
    assert_eq!(written.remittance.len(), 2);
}

#[test]
fn the_bank_answers_what_it_was_sent() {
    let (_, link) = switch();
    let payment = TransferOut::message_id_of(PaymentId::FIRST);
    let bank = Link::new(BANK, SWITCH).unwrap();
    for (status, reason, code) in [("ACSC", "", "00"), ("RJCT", "AC04", "05"), ("PDNG", "", "09"), ("ACSP", "", "09")] {
        let status = TransferStatus { status: Text::literal(status), reason: Text::literal(reason) };
        let facts = TransferFacts { message_id: payment, ..facts() };
        let response = TransferResponse { message_id: Text::literal("S-1"), facts, status, created: NOW };
        let answer = link.decode_answer(&bank.encode_response(&response).unwrap()).unwrap();
        assert_eq!(answer.original_message_id, payment);
        assert_eq!((answer.end_to_end_id, answer.transaction_id), (Text::literal("E-1"), Text::literal("T-1")));
        assert_eq!(answer.uetr, self::facts().uetr);
        assert_eq!(answer.answer.code, ResponseCode::new(code.as_bytes()).unwrap());
        assert_eq!(answer.answer.transfer, Some(status));
    }
}

#[test]
fn an_answer_that_says_nothing_is_a_fault_and_not_a_decline() {
    let (_, link) = switch();
    let bank = Link::new(BANK, SWITCH).unwrap();
    let status = TransferStatus { status: Text::literal("ACSC"), reason: Text::EMPTY };
    let response = TransferResponse { message_id: Text::literal("S-1"), facts: facts(), status, created: NOW };
    let good = bank.encode_response(&response).unwrap();
    let changed = |change: &dyn Fn(&mut iso20022::StatusReport)| {
        let mut envelope = iso20022::read(&good, &Limits::LINK).unwrap().value;
        let Document::StatusReport(report) = &mut envelope.document else { panic!("a report") };
        change(report);
        link.decode_answer(&iso20022::write(&envelope)).unwrap_err()
    };
    assert_eq!(changed(&|report| report.transactions[0].status = None), Fault::Missing("TxSts"));
    assert_eq!(changed(&|report| report.transactions[0].status = Some(iso20022::Text::new("WHAT").unwrap())), Fault::Status);
    assert_eq!(changed(&|report| report.transactions[0].original = None), Fault::Missing("OrgnlMsgId"));
    assert_eq!(changed(&|report| report.transactions.push(report.transactions[0].clone())), Fault::Transfers(2));
    assert_eq!(changed(&|report| report.transactions.clear()), Fault::Transfers(0));
    let other = iso20022::Text::new("pacs.009.001.08").unwrap();
    assert_eq!(changed(&|report| report.transactions[0].original.as_mut().unwrap().name = other.clone()), Fault::Original);
    assert!(matches!(link.decode_answer(&sent(facts())), Err(Fault::Sender)), "from the party, not from the bank");
    assert!(matches!(link.decode_answer(&good[..good.len() - 1]), Err(Fault::Unreadable(_))));
}

#[test]
fn an_enquiry_names_the_transfer_by_all_its_keys() {
    let out = StatusRequestOut {
        message_id: Text::literal("Q-1"),
        original_message_id: Text::literal("M-1"),
        facts: facts(),
        created: NOW,
    };
    let bytes = Link::new(PARTY, SWITCH).unwrap().encode_status_request(&out).unwrap();
    let Request::StatusEnquiry(enquiry) = decode(&bytes).unwrap() else { panic!("an enquiry") };
    assert_eq!((enquiry.message_id, enquiry.original_message_id), (Text::literal("Q-1"), Text::literal("M-1")));
    assert_eq!(
        (enquiry.end_to_end_id, enquiry.transaction_id, enquiry.uetr),
        (facts().end_to_end_id, facts().transaction_id, facts().uetr)
    );
}

#[test]
fn a_transfer_that_would_change_on_the_way_is_rejected_with_a_reason() {
    let check = |bytes: &[u8], fault: Fault, reason: &str| {
        let refusal = decode(bytes).unwrap_err();
        assert_eq!(refusal.fault, fault);
        let rejected = refusal.answer.expect("an answer");
        assert_eq!(rejected.reason(), reason);
        let bytes = switch().0.encode_rejection(&rejected, &Text::literal("R-1"), NOW).unwrap();
        let Document::StatusReport(report) = iso20022::read(&bytes, &Limits::LINK).unwrap().value.document else {
            panic!("a report")
        };
        assert_eq!(report.transactions[0].original.as_ref().unwrap().id.as_str(), "M-1");
        assert_eq!(report.transactions[0].status.as_ref().unwrap().as_str(), "RJCT");
    };
    let text = |text: &str| iso20022::Text::new(text).unwrap();
    check(&altered(|it| transfer(it).charge_bearer = iso20022::ChargeBearer::Debtor), Fault::NotAgreed("ChrgBr"), "AG03");
    check(&altered(|it| transfer(it).settlement_date = None), Fault::Missing("IntrBkSttlmDt"), "DT01");
    check(&altered(|it| transfer(it).creditor_account = None), Fault::Missing("CdtrAcct"), "AC01");
    check(&altered(|it| transfer(it).debtor_agent.bic = None), Fault::Missing("DbtrAgt"), "RC01");
    check(&altered(|it| transfer(it).end_to_end_id = text("ü")), Fault::NotCarried("EndToEndId"), "AG03");
    check(&altered(|it| transfer(it).end_to_end_id = text("blank ")), Fault::NotCarried("EndToEndId"), "AG03");
    let iban = iso20022::Account::Other(iso20022::Text::new("DE89370400440532013000").unwrap());
    check(&altered(|it| transfer(it).debtor_account = Some(iban)), Fault::NotCarried("DbtrAcct"), "AC01");
    let currency = iso20022::CurrencyCode::new("USD").unwrap();
    let dollars = iso20022::Amount::new(1, currency).unwrap();
    check(&altered(|it| transfer(it).instructed_amount = Some(dollars)), Fault::NotCarried("InstdAmt"), "AG03");
    check(&altered(|it| transfer(it).uetr = None), Fault::Missing("UETR"), "FF01");
}

#[test]
fn instructions_that_the_canonical_transfer_does_not_hold_are_not_lost() {
    let plain = String::from_utf8(sent(facts())).unwrap();
    let with = plain.replace("<RmtInf>", "<InstrForNxtAgt><InstrInf>HOLD</InstrInf></InstrForNxtAgt><RmtInf>");
    assert_eq!(decode(with.as_bytes()).unwrap_err().fault, Fault::NotCarried("InstrForNxtAgt"));
    let harmless = plain.replace("<RmtInf>", "<Purp><Cd>SUPP</Cd></Purp><RmtInf>");
    let decoded = switch().0.decode_request(harmless.as_bytes(), acquirer()).unwrap();
    assert_eq!(decoded.unread.names(), ["Purp"]);
    assert!(MUST_NOT_BE_LOST.contains(&"InstrForNxtAgt"));
}

#[test]
fn what_is_not_from_the_peer_or_not_for_us_has_no_effect_and_no_answer() {
    let refused = |bytes: &[u8]| {
        let refusal = decode(bytes).unwrap_err();
        assert_eq!(refusal.answer, None);
        refusal.fault
    };
    let endpoint = |bic: &str| iso20022::Endpoint::Institution(iso20022::Bic::new(bic).unwrap().into());
    assert_eq!(refused(&altered(|it| it.header.from = endpoint(BANK))), Fault::Sender);
    assert_eq!(refused(&altered(|it| it.header.to = endpoint(BANK))), Fault::Addressee);
    assert_eq!(refused(&altered(|it| it.header.copy_duplicate = Some(iso20022::CopyDuplicate::Copy))), Fault::Copy);
    assert!(matches!(refused(b"<a/>"), Fault::Unreadable(_)));
    let status = TransferStatus { status: Text::literal("ACSC"), reason: Text::EMPTY };
    let response = TransferResponse { message_id: Text::literal("S-1"), facts: facts(), status, created: NOW };
    let report = Link::new(PARTY, SWITCH).unwrap().encode_response(&response).unwrap();
    assert_eq!(refused(&report), Fault::Message(iso20022::PACS_002.to_owned()));
    assert!(decode(&altered(|it| it.header.from = endpoint("PRTYDEFFXXX"))).is_ok(), "the primary office in full");
}

#[test]
fn settings_say_which_of_them_is_wrong() {
    let fault = Link::try_from(LinkSettings { charge_bearer: "MINE".to_owned(), ..LinkSettings::new(SWITCH, BANK) }).unwrap_err();
    assert_eq!(fault.to_string(), "charge_bearer: not DEBT, CRED, SHAR or SLEV");
    assert_eq!(Link::new("SWITCH", BANK).unwrap_err().setting, "own_bic");
    let link: Link = toml::from_str("own_bic = \"SWYDDEFFXXX\"\npeer_bic = \"BANKFRPP\"").unwrap();
    assert_eq!(link, switch().1);
    assert!(toml::from_str::<Link>("own_bic = \"SWYDDEFFXXX\"\npeer_bic = \"BANKFRPP\"\nbic = 1").is_err());
}

fn id<const N: usize>() -> impl Strategy<Value = Text<N>> {
    proptest::string::string_regex(&format!("[!-~]([ -~]{{0,{}}}[!-~])?", N - 2)).unwrap().prop_map(|it| Text::new(&it).unwrap())
}

fn any_facts() -> impl Strategy<Value = TransferFacts> {
    let bic = || "[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?".prop_map(|it| Text::new(&it).unwrap());
    let ids = (id(), prop_oneof![Just(Text::EMPTY), id()], id(), id());
    let amount = (1..=iso20022::Amount::MAX_MINOR, prop::sample::select(vec!["EUR", "JPY", "KWD"]))
        .prop_map(|(minor, currency)| Amount::new(minor, Currency::from_alpha(currency).unwrap()).unwrap());
    let uetr = any::<[u8; 16]>().prop_map(|it| Text::new(iso20022::Uetr::from_random(it).as_str()).unwrap());
    let name = || "[^\\p{C}\\p{Z}]{0,140}";
    let remittance = prop::collection::vec("[^\\p{C}\\p{Z}]{1,140}", 0..3).prop_map(|it| it.join("\n"));
    let date = (2000i16..2100, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| BusinessDate::new(y, m, d).unwrap());
    (ids, uetr, amount, date, (bic(), bic(), id(), id()), (name(), name(), remittance)).prop_map(
        |(ids, uetr, amount, settlement_date, where_, texts)| TransferFacts {
            message_id: ids.0,
            instruction_id: ids.1,
            end_to_end_id: ids.2,
            transaction_id: ids.3,
            uetr,
            amount,
            settlement_date,
            debtor_agent: where_.0,
            creditor_agent: where_.1,
            debtor_account: where_.2,
            creditor_account: where_.3,
            debtor_name: texts.0,
            creditor_name: texts.1,
            remittance: texts.2,
        },
    )
}

proptest! {
    #[test]
    fn facts_go_out_and_come_in_the_same(facts in any_facts()) {
        let Request::CreditTransfer(received) = decode(&sent(facts.clone())).unwrap() else { panic!("a transfer") };
        prop_assert_eq!(received.facts, facts);
    }

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sent(facts());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode(&bytes);
        let _ = switch().1.decode_answer(&bytes);
    }
}
