use iso20022::*;
use proptest::prelude::*;

use crate::TRANSFER;

/// Any character that XML can carry, the awkward ones often.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => prop::sample::select(vec!['&', '<', '>', '"', '\'', '\r', '\n', '\t', ']', '\u{85}', '\u{2028}', '\u{FFFD}', '𝄞', 'ß']),
        1 => any::<char>().prop_filter("an XML character", |c| Text::<1>::new(c.to_string()).is_ok()),
    ]
}

pub(crate) fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    prop::collection::vec(character(), 1..=MAX.min(40)).prop_map(|it| Text::new(it.into_iter().collect::<String>()).unwrap())
}

fn bic() -> impl Strategy<Value = Bic> {
    "[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?".prop_map(|it| Bic::new(&it).unwrap())
}

fn uetr() -> impl Strategy<Value = Uetr> {
    any::<[u8; 16]>().prop_map(Uetr::from_random)
}

fn agent() -> impl Strategy<Value = Agent> {
    let member = (prop::option::of(text()), text()).prop_map(|(system, id)| ClearingMember { system, id });
    (prop::option::of(bic()), prop::option::of(member)).prop_map(|(bic, member)| Agent { bic, member })
}

fn account() -> impl Strategy<Value = Account> {
    prop_oneof![
        "[A-Z]{2}/[a-zA-Z0-9]{1,30}".prop_map(|it| Account::Iban(Iban::with_check_digits(&it[..2], &it[3..]).unwrap())),
        text().prop_map(Account::Other),
    ]
}

fn amount() -> impl Strategy<Value = Amount> {
    let currency = prop::sample::select(vec!["EUR", "USD", "JPY", "KWD", "CLF", "ISK"]);
    (1..=Amount::MAX_MINOR, 0u32..17, currency).prop_map(|(minor, shift, currency)| {
        Amount::new((minor / 10i64.pow(shift)).max(1), CurrencyCode::new(currency).unwrap()).unwrap()
    })
}

fn moment() -> impl Strategy<Value = DateTime> {
    prop_oneof![
        (0..250_000_000_000_000_000i64).prop_map(|micros| DateTime::from_unix_micros(micros).unwrap()),
        "20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:[0-5][0-9])?"
            .prop_map(|it| DateTime::parse(&it).unwrap()),
    ]
}

fn date() -> impl Strategy<Value = Date> {
    (1i16..=9999, 1i8..=12, 1i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

fn header(definition: &'static str) -> impl Strategy<Value = BusinessHeader> {
    let endpoint =
        || prop_oneof![agent().prop_map(Endpoint::Institution), prop::option::of(bic()).prop_map(Endpoint::Organisation)];
    let copy = prop::sample::select(vec![CopyDuplicate::Copy, CopyDuplicate::CopyDuplicate, CopyDuplicate::Duplicate]);
    (endpoint(), endpoint(), text(), prop::option::of(text()), moment(), prop::option::of(copy), any::<Option<bool>>()).prop_map(
        move |(from, to, business_message_id, business_service, created, copy_duplicate, possible_duplicate)| BusinessHeader {
            from,
            to,
            business_message_id,
            message_definition: Text::new(definition).unwrap(),
            business_service,
            created,
            copy_duplicate,
            possible_duplicate,
        },
    )
}

fn transfer() -> impl Strategy<Value = CreditTransfer> {
    let methods = vec![
        SettlementMethod::InstructedAgent,
        SettlementMethod::InstructingAgent,
        SettlementMethod::Cover,
        SettlementMethod::Clearing,
    ];
    let bearers = vec![ChargeBearer::Debtor, ChargeBearer::Creditor, ChargeBearer::Shared, ChargeBearer::ServiceLevel];
    let group = (text(), moment(), prop::sample::select(methods), prop::option::of(agent()), prop::option::of(agent()));
    let ids = (prop::option::of(text()), text(), prop::option::of(text()), prop::option::of(uetr()));
    let money = (amount(), prop::option::of(date()), prop::option::of(amount()), prop::sample::select(bearers));
    let party = || (prop::option::of(text()), prop::option::of(account()), agent());
    (group, ids, money, party(), party(), prop::collection::vec(text(), 0..4)).prop_map(
        |(group, ids, money, debtor, creditor, remittance)| CreditTransfer {
            message_id: group.0,
            created: group.1,
            settlement_method: group.2,
            instructing_agent: group.3,
            instructed_agent: group.4,
            instruction_id: ids.0,
            end_to_end_id: ids.1,
            transaction_id: ids.2,
            uetr: ids.3,
            amount: money.0,
            settlement_date: money.1,
            instructed_amount: money.2,
            charge_bearer: money.3,
            debtor: Party { name: debtor.0 },
            debtor_account: debtor.1,
            debtor_agent: debtor.2,
            creditor_agent: creditor.2,
            creditor: Party { name: creditor.0 },
            creditor_account: creditor.1,
            remittance,
        },
    )
}

fn original() -> impl Strategy<Value = OriginalMessage> {
    (text(), text()).prop_map(|(id, name)| OriginalMessage { id, name })
}

fn report() -> impl Strategy<Value = StatusReport> {
    let reasons = || prop::collection::vec(text(), 0..3);
    let groups = (original(), prop::option::of(text()), reasons()).prop_map(|(original, status, reasons)| GroupStatus {
        original,
        status,
        reasons,
    });
    let id = || prop::option::of(text());
    let transactions =
        (id(), prop::option::of(original()), id(), id(), id(), prop::option::of(uetr()), prop::option::of(text()), reasons())
            .prop_map(|(status_id, original, instruction_id, end_to_end_id, transaction_id, uetr, status, reasons)| {
                TransactionStatus { status_id, original, instruction_id, end_to_end_id, transaction_id, uetr, status, reasons }
            });
    let lists = (prop::collection::vec(groups, 0..3), prop::collection::vec(transactions, 0..3));
    (text(), moment(), prop::option::of(agent()), prop::option::of(agent()), lists).prop_map(
        |(message_id, created, instructing_agent, instructed_agent, (groups, transactions))| StatusReport {
            message_id,
            created,
            instructing_agent,
            instructed_agent,
            groups,
            transactions,
        },
    )
}

fn request() -> impl Strategy<Value = StatusRequest> {
    let id = || prop::option::of(text());
    let transactions = (id(), prop::option::of(original()), id(), id(), id(), prop::option::of(uetr())).prop_map(
        |(request_id, original, instruction_id, end_to_end_id, transaction_id, uetr)| TransactionEnquiry {
            request_id,
            original,
            instruction_id,
            end_to_end_id,
            transaction_id,
            uetr,
        },
    );
    let lists = (prop::collection::vec(original(), 0..3), prop::collection::vec(transactions, 0..3));
    (text(), moment(), prop::option::of(agent()), prop::option::of(agent()), lists).prop_map(
        |(message_id, created, instructing_agent, instructed_agent, (groups, transactions))| StatusRequest {
            message_id,
            created,
            instructing_agent,
            instructed_agent,
            groups,
            transactions,
        },
    )
}

/// Any envelope that the views can hold.
pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    prop_oneof![
        (header(PACS_008), transfer())
            .prop_map(|(header, it)| Envelope { header, document: Document::CreditTransfer(Box::new(it)) }),
        (header(PACS_002), report()).prop_map(|(header, it)| Envelope { header, document: Document::StatusReport(it) }),
        (header(PACS_028), request()).prop_map(|(header, it)| Envelope { header, document: Document::StatusRequest(it) }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(envelope in envelope()) {
        let received = read(&write(&envelope), &Limits::LINK).unwrap();
        prop_assert_eq!(received.unread.count(), 0);
        prop_assert!(received.value == envelope);
        fuzz::document(&write_document(&envelope.document));
    }

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8)) {
        let mut bytes = TRANSFER.as_bytes().to_vec();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, b"<>&;/\"'=! ]-?"[usize::from(byte) % 13]),
            }
        }
        fuzz::envelope(&bytes);
        fuzz::document(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::envelope(&bytes);
        fuzz::document(&bytes);
    }
}

#[test]
fn a_document_cut_anywhere_is_refused() {
    let whole = TRANSFER.trim_end();
    for end in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..end], &Limits::LINK).is_err(), "cut at {end}");
    }
}
