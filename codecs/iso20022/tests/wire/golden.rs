use iso20022::{Account, ChargeBearer, Document, Endpoint, Envelope, Limits, SettlementMethod, Text, read, read_document};

use crate::TRANSFER;

fn transfer() -> (Envelope, iso20022::CreditTransfer) {
    let envelope = read(TRANSFER.as_bytes(), &Limits::LINK).unwrap().value;
    let Document::CreditTransfer(transfer) = envelope.document.clone() else { panic!("a pacs.008") };
    (envelope, *transfer)
}

#[test]
fn a_transfer_written_by_a_person_is_read_whole() {
    let (envelope, transfer) = transfer();
    assert_eq!(envelope.header.business_message_id.as_str(), "B-1");
    assert_eq!(envelope.header.possible_duplicate, Some(true));
    assert!(matches!(&envelope.header.to, Endpoint::Organisation(Some(bic)) if bic.as_str() == "SWYDDEFF"));
    assert_eq!(envelope.header.from.bic().unwrap().as_str(), "AAAADEFFXXX");
    assert_eq!(transfer.message_id.as_str(), "M-1");
    assert_eq!(transfer.end_to_end_id.as_str(), "E&E <1> &");
    assert_eq!(transfer.uetr.unwrap().as_str(), "8a562c67-ca16-48ba-b074-65581be6f001");
    assert_eq!((transfer.amount.minor(), transfer.amount.currency().as_str()), (123_450, "EUR"));
    assert_eq!(transfer.settlement_date.unwrap().to_string(), "2026-11-23");
    assert_eq!((transfer.charge_bearer, transfer.settlement_method), (ChargeBearer::ServiceLevel, SettlementMethod::Clearing));
    assert_eq!(transfer.debtor.name.as_ref().map(Text::as_str), Some("Muñoz & Söhne 有限公司"));
    assert!(matches!(&transfer.debtor_account, Some(Account::Iban(iban)) if iban.as_str() == "DE89370400440532013000"));
    assert!(matches!(&transfer.creditor_account, Some(Account::Other(id)) if id.as_str() == "ACC-42"));
    let member = transfer.creditor_agent.member.as_ref().unwrap();
    assert_eq!((member.system.as_ref().map(Text::as_str), member.id.as_str()), (Some("USABA"), "021000021"));
    assert_eq!(transfer.remittance.iter().map(Text::as_str).collect::<Vec<_>>(), ["Invoice", "4711"]);
}

#[test]
fn what_no_view_holds_is_named() {
    let received = read(TRANSFER.as_bytes(), &Limits::LINK).unwrap();
    assert_eq!(received.unread.names(), ["Nm", "PmtTpInf", "Purp", "SplmtryData", "ClrSys", "CtryOfRes", "Ccy"]);
    assert_eq!(received.unread.count(), 7);
}

#[test]
fn an_unknown_message_is_told_by_its_namespace() {
    let bytes = TRANSFER.replace("pacs.008.001.08", "pacs.009.001.08");
    let envelope = read(bytes.as_bytes(), &Limits::LINK).unwrap().value;
    let namespace = "urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08".to_owned();
    assert_eq!(envelope.document, Document::Unknown { namespace });
    let none = read_document(b"<Document/>", &Limits::LINK).unwrap().value;
    assert_eq!(none, Document::Unknown { namespace: String::new() });
}

#[test]
fn debug_shows_neither_names_nor_accounts() {
    let shown = format!("{:?}", transfer());
    for secret in ["Muñoz", "Société", "370400440532013000", "ACC-42", "Invoice"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
