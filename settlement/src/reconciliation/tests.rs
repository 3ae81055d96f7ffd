//! Books that agree, and each way in which they may not.

use ledger::{CaptureKind, PaymentKind};
use payments::outgoing::MessageSystem;
use payments::{Amount, Currency, Rrn, Stan, State, Text};

use super::*;
use crate::clearing::tests::{captured, date, payment, unseal};
use crate::clearing::{Captured, FileKey, build, freeze, read_rows};

/// Three books that agree: dual and single sales, a refund, a reversal, an open authorization, a completion
/// for less, a timeout that the issuer approved and reversed.
struct Books {
    captures: Vec<Captured>,
    ledger: Vec<BookItem>,
    issuer: Vec<IssuerItem>,
}

fn rrn(number: i64) -> Rrn {
    Rrn::new(format!("6325{number:08}").as_bytes()).unwrap()
}

fn book(number: i64, kind: PaymentKind, system: MessageSystem, state: State, approved: i64) -> BookItem {
    BookItem {
        payment: payment(number),
        kind,
        system,
        rrn: rrn(number),
        stan: Stan::new(u32::try_from(number).unwrap()).unwrap(),
        network_id: Some(Text::new(&format!("N{number:015}")).unwrap()),
        approval: Some(Text::literal("A1B2C3")),
        settlement_date: Text::literal("1121"),
        state,
        currency: Currency::EUR,
        approved,
        captures: Vec::new(),
        set_aside: None,
    }
}

fn capture(number: i16, kind: CaptureKind, minor: i64) -> BookCapture {
    BookCapture { number, date: date(), kind, amount: Amount::new(minor, Currency::EUR).unwrap(), ard: None, set_aside: 0 }
}

fn theirs(number: i64, kind: ItemKind, approved: i64, amount: i64, captured: bool) -> IssuerItem {
    IssuerItem {
        rrn: rrn(number),
        network_id: Text::new(&format!("N{number:015}")).unwrap(),
        stan: Stan::new(u32::try_from(number).unwrap()).unwrap(),
        kind,
        approved,
        amount,
        currency: Currency::EUR,
        state: if amount == 0 { ItemState::Reversed } else { ItemState::Open },
        captured,
        settlement_date: Text::literal("1121"),
        reversal_date: (amount < approved).then(|| Text::literal("1121")),
    }
}

impl Books {
    fn new() -> Self {
        use CaptureKind::{Refund, Sale, Void};
        let (dual, single) = (MessageSystem::Dual, MessageSystem::Single);
        let with = |mut item: BookItem, captures: &[BookCapture]| {
            item.captures = captures.to_vec();
            item
        };
        let ledger = vec![
            with(book(1, PaymentKind::Purchase, dual, State::Captured, 1250), &[capture(1, Sale, 1250)]),
            with(book(2, PaymentKind::Refund, dual, State::Captured, 300), &[capture(1, Refund, 300)]),
            with(book(3, PaymentKind::Purchase, dual, State::Reversed, 0), &[capture(1, Sale, 900), capture(2, Void, 900)]),
            with(book(4, PaymentKind::Authorization, dual, State::Captured, 500), &[capture(1, Sale, 420)]),
            book(5, PaymentKind::Authorization, dual, State::Approved, 777),
            BookItem { network_id: None, approval: None, ..book(6, PaymentKind::Purchase, dual, State::Reversed, 0) },
            with(book(7, PaymentKind::Purchase, single, State::Captured, 650), &[capture(1, Sale, 650)]),
            with(book(8, PaymentKind::Authorization, single, State::Captured, 80), &[capture(1, Sale, 80)]),
            with(book(9, PaymentKind::Refund, single, State::Captured, 60), &[capture(1, Refund, 60)]),
            with(book(10, PaymentKind::Purchase, single, State::Reversed, 0), &[capture(1, Sale, 70), capture(2, Void, 70)]),
        ];
        let issuer = vec![
            theirs(1, ItemKind::Authorization, 1250, 1250, false),
            theirs(2, ItemKind::Refund, 300, 300, false),
            theirs(3, ItemKind::Authorization, 900, 0, false),
            theirs(4, ItemKind::Authorization, 500, 500, false),
            theirs(5, ItemKind::Authorization, 777, 777, false),
            theirs(6, ItemKind::Authorization, 40, 0, false),
            theirs(7, ItemKind::Purchase, 650, 650, true),
            theirs(8, ItemKind::Completion, 80, 80, true),
            theirs(9, ItemKind::Refund, 60, 60, true),
            theirs(10, ItemKind::Purchase, 70, 0, true),
        ];
        let captures = vec![
            captured(1, 1, Sale, 1250, Currency::EUR),
            captured(2, 2, Refund, 300, Currency::EUR),
            captured(3, 3, Sale, 900, Currency::EUR),
            captured(4, 3, Void, 900, Currency::EUR),
            captured(5, 4, Sale, 420, Currency::EUR),
        ];
        Self { captures, ledger, issuer }
    }

    fn cleared(&self) -> Vec<Cleared> {
        let endpoint = crate::clearing::Endpoint { layout: crate::clearing::LayoutSetting::Blocked, ..endpoint() };
        let key = FileKey { date: date(), sequence: 1, frozen_at: payments::Wall(0) };
        let frozen = freeze(&endpoint, key, self.captures.clone()).unwrap();
        let (bytes, manifest) = build(&endpoint, &frozen, &mut unseal, Vec::new()).unwrap();
        let (rows, _) = read_rows(bytes.as_slice(), endpoint.format()).unwrap();
        rows.into_iter().map(|row| Cleared { file: manifest.file.clone(), row }).collect()
    }

    /// The report as an issuer would write it, with totals of its items.
    fn report(&self) -> Report {
        let mut totals: Vec<Total> = Vec::new();
        for item in self.issuer.iter().filter(|item| item.captured) {
            let row = Total {
                settlement_date: item.settlement_date,
                kind: item.kind,
                currency: item.currency,
                count: 1,
                amount: item.approved,
                reversed_count: u64::from(item.amount < item.approved),
                reversed_amount: item.approved - item.amount,
            };
            totals.push(row);
        }
        Report { network: Text::literal("net1"), items: self.issuer.clone(), totals, sha256: String::new() }
    }

    fn reconcile(&self) -> Reconciliation {
        self.reconcile_with(&self.cleared())
    }

    fn reconcile_with(&self, cleared: &[Cleared]) -> Reconciliation {
        reconcile(cleared, &self.ledger, &self.report(), date())
    }

    fn codes(&self) -> Vec<(Code, String)> {
        self.reconcile().breaks.iter().map(|found| (found.code, found.rrn.clone())).collect()
    }
}

fn endpoint() -> crate::clearing::Endpoint {
    toml::from_str("name='scheme1'\nnetwork='net1'\nprocessor='1'\nreference-bin='541234'\ncountry='DEU'").unwrap()
}

#[test]
fn books_that_agree_have_no_break_and_say_how_much_was_looked_at() {
    let found = Books::new().reconcile();
    assert_eq!(found.breaks, []);
    assert!(found.proves());
    let expected = Population {
        presentments: 3,
        payments: 10,
        due_for_clearing: 3,
        online: 3,
        issuer_items: 10,
        matched: 10,
        reversed_unmatched: 0,
        reversals_owed: 0,
        total_rows: 3,
    };
    assert_eq!(found.population, expected);
}

#[test]
fn empty_books_prove_nothing() {
    let books = Books { captures: Vec::new(), ledger: Vec::new(), issuer: Vec::new() };
    assert!(!books.reconcile().proves());
}

#[test]
fn an_item_that_no_file_has_is_missing_in_clearing() {
    let books = Books::new();
    let found = books.reconcile_with(&books.cleared()[1..]);
    assert_eq!(found.breaks.len(), 1);
    let missing = &found.breaks[0];
    assert_eq!(
        (missing.code, missing.rrn.as_str(), missing.payment),
        (Code::MissingInClearing, "632500000001", Some(payment(1)))
    );
    assert_eq!(missing.other, (Book::Clearing, "nothing".to_owned()));
    assert!(missing.one.1.contains("12.50 EUR"), "{missing}");
}

#[test]
fn what_was_set_aside_is_a_break_of_its_own_also_beside_a_presentment_of_the_same_payment() {
    let mut books = Books::new();
    // A second part of the completion, which could not be presented.
    let first = &mut books.ledger[3];
    first.captures.push(BookCapture { set_aside: 30, ..capture(2, CaptureKind::Sale, 30) });
    first.set_aside = Some("DE55: the chip data is malformed".to_owned());
    let found = books.reconcile().breaks;
    assert_eq!(found.iter().map(|found| (found.code, found.payment)).collect::<Vec<_>>(), [(Code::SetAside, Some(payment(4)))]);
    assert!(found[0].other.1.contains("DE55"), "{}", found[0]);
    // Credited since, and the credit set aside as well: nothing stands any more.
    let credit = BookCapture { set_aside: 30, ..capture(3, CaptureKind::Credit, 30) };
    books.ledger[3].captures.push(credit);
    assert_eq!(books.reconcile().breaks, []);
}

#[test]
fn a_presentment_that_the_ledger_does_not_know_is_missing_in_switch() {
    let mut books = Books::new();
    books.ledger.remove(0);
    assert_eq!(
        books.codes(),
        [(Code::MissingInSwitch, "632500000001".to_owned()), (Code::MissingInSwitch, "632500000001".to_owned())],
        "the file and the issuer both have it"
    );
}

#[test]
fn a_presentment_twice_is_a_duplicate_also_under_another_reference() {
    let mut books = Books::new();
    books.captures.push(captured(9, 1, CaptureKind::Sale, 1250, Currency::EUR));
    assert_eq!(books.codes(), [(Code::Duplicate, "632500000001".to_owned())]);
    let books = Books::new();
    let mut cleared = books.cleared();
    cleared.push(cleared[0].clone());
    let found = books.reconcile_with(&cleared);
    assert_eq!(found.breaks.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::Duplicate]);
}

#[test]
fn a_payment_captured_twice_is_found_by_the_issuers_book() {
    let mut books = Books::new();
    books.captures.push(captured(9, 1, CaptureKind::Sale, 1250, Currency::EUR));
    books.ledger[0].captures.push(capture(2, CaptureKind::Sale, 1250));
    assert_eq!(books.codes(), [(Code::Duplicate, "632500000001".to_owned())]);
}

#[test]
fn wrong_amount_currency_and_direction_are_told_apart() {
    let presented = |change: fn(&mut Captured)| {
        let mut books = Books::new();
        change(&mut books.captures[0]);
        books.codes()
    };
    let rrn = "632500000001".to_owned();
    assert_eq!(presented(|c| c.item.amount = Amount::new(1251, Currency::EUR).unwrap()), [(Code::Amount, rrn.clone())]);
    assert_eq!(presented(|c| c.item.amount = Amount::new(1250, Currency::USD).unwrap()), [(Code::Currency, rrn.clone())]);
    let turned = presented(|c| {
        c.item.kind = CaptureKind::Refund;
        c.facts.processing_code = payments::ProcessingCode::new(b"200000").unwrap();
    });
    assert_eq!(turned, [(Code::Direction, rrn)]);
}

#[test]
fn what_was_reversed_must_not_be_cleared() {
    let mut books = Books::new();
    books.captures.remove(3);
    assert_eq!(books.codes(), [(Code::ReversedButCleared, "632500000003".to_owned())]);
}

#[test]
fn what_is_captured_after_the_last_closed_day_is_not_due_and_early_when_it_is_there() {
    let mut books = Books::new();
    books.ledger[0].captures[0].date = date().next();
    assert_eq!(books.codes(), [(Code::Early, "632500000001".to_owned())]);
    books.captures.remove(0);
    assert_eq!(books.codes(), []);
}

#[test]
fn issuer_and_ledger_are_compared_both_ways() {
    let with = |change: fn(&mut Books)| {
        let mut books = Books::new();
        change(&mut books);
        books.codes()
    };
    let code = |code, number: i64| vec![(code, rrn(number).to_string())];
    assert_eq!(with(|b| b.issuer.truncate(0)).len(), 7 + 3, "each open one, and three totals");
    assert_eq!(with(|b| b.issuer = b.issuer.split_off(1)), code(Code::MissingAtIssuer, 1));
    assert_eq!(with(|b| b.issuer.push(theirs(99, ItemKind::Authorization, 5, 5, false))), code(Code::MissingInSwitch, 99));
    assert_eq!(with(|b| b.issuer.push(theirs(98, ItemKind::Authorization, 5, 0, false))), []);
    assert_eq!(with(|b| b.issuer[2] = theirs(3, ItemKind::Authorization, 900, 900, false)), code(Code::OpenAtIssuer, 3));
    assert_eq!(with(|b| b.issuer[0] = theirs(1, ItemKind::Authorization, 1250, 0, false)), code(Code::ReversedAtIssuer, 1));
    assert_eq!(with(|b| b.issuer[0] = theirs(1, ItemKind::Authorization, 1249, 1249, false)), code(Code::Amount, 1));
    assert_eq!(with(|b| b.issuer[0].currency = Currency::USD), code(Code::Currency, 1));
    assert_eq!(with(|b| b.issuer[1].kind = ItemKind::Authorization), code(Code::Direction, 2));
    assert_eq!(with(|b| b.issuer[0] = theirs(1, ItemKind::Purchase, 1250, 1250, true)).len(), 2, "and the totals differ");
    assert_eq!(with(|b| b.issuer[6].settlement_date = Text::literal("1122")), code(Code::SettlementDate, 7));
    let again = with(|b| {
        b.issuer.push(IssuerItem { network_id: Text::literal("N2"), ..theirs(1, ItemKind::Authorization, 1250, 1250, false) })
    });
    assert_eq!(again, code(Code::Duplicate, 1));
}

#[test]
fn a_capture_beyond_the_approval_is_told() {
    let mut books = Books::new();
    books.ledger[3].captures[0] = capture(1, CaptureKind::Sale, 520);
    books.captures[4] = captured(5, 4, CaptureKind::Sale, 520, Currency::EUR);
    assert_eq!(books.codes(), [(Code::BeyondApproval, "632500000004".to_owned())]);
}

#[test]
fn network_totals_are_compared_with_online_captures() {
    let mut books = Books::new();
    books.ledger[6].captures.clear();
    let found = books.reconcile();
    let totals: Vec<_> = found.breaks.iter().filter(|found| found.code == Code::NetworkTotals).collect();
    assert_eq!(totals.len(), 1);
    assert!(totals[0].to_string().contains("6.50 EUR"), "{}", totals[0]);
}

#[test]
fn a_reversal_after_the_freeze_is_a_clearing_credit_and_the_issuer_keeps_its_item() {
    let mut books = Books::new();
    books.ledger[0].state = State::Reversed;
    books.ledger[0].approved = 0;
    books.ledger[0].captures.push(capture(2, CaptureKind::Credit, 1250));
    let mut cleared = books.cleared();
    let mut back = cleared[0].clone();
    back.row.movement = crate::clearing::Movement::SaleReversal;
    cleared.push(back);
    assert_eq!(books.reconcile_with(&cleared).breaks, []);
    // Without the reversal in a file the sale still stands there.
    cleared.pop();
    assert_eq!(books.reconcile_with(&cleared).breaks[0].code, Code::ReversedButCleared);
}

#[test]
fn a_reversal_that_is_still_owed_may_stand_either_way() {
    let mut books = Books::new();
    books.ledger[5].state = State::Reversing;
    assert_eq!(books.reconcile().population.reversals_owed, 1);
    books.issuer[5] = theirs(6, ItemKind::Authorization, 40, 40, false);
    assert_eq!(books.codes(), []);
}

/// Two hundred payments of all kinds, all books in agreement.
fn many(random: &mut fastrand::Rng) -> Books {
    use CaptureKind::{Refund, Sale, Void};
    let mut books = Books { captures: Vec::new(), ledger: Vec::new(), issuer: Vec::new() };
    let mut seq = 0;
    for number in 1..=200i64 {
        let minor = random.i64(1..100_000);
        let system = if random.bool() { MessageSystem::Dual } else { MessageSystem::Single };
        let online = system == MessageSystem::Single;
        let (kind, capture_kind, issuer_kind) = match (random.u8(0..3), online) {
            (0, _) => (PaymentKind::Refund, Refund, ItemKind::Refund),
            (1, true) => (PaymentKind::Authorization, Sale, ItemKind::Completion),
            (1, false) => (PaymentKind::Authorization, Sale, ItemKind::Authorization),
            (_, true) => (PaymentKind::Purchase, Sale, ItemKind::Purchase),
            (_, false) => (PaymentKind::Purchase, Sale, ItemKind::Authorization),
        };
        let reversed = random.u8(0..5) == 0;
        let state = if reversed { State::Reversed } else { State::Captured };
        let mut item = book(number, kind, system, state, if reversed { 0 } else { minor });
        item.captures.push(capture(1, capture_kind, minor));
        if reversed {
            item.captures.push(capture(2, Void, minor));
        }
        books.ledger.push(item);
        books.issuer.push(theirs(number, issuer_kind, minor, if reversed { 0 } else { minor }, online));
        for kind in [Some(capture_kind), reversed.then_some(Void)].into_iter().flatten().filter(|_| !online) {
            seq += 1;
            let mut captured = captured(seq, number, kind, minor, Currency::EUR);
            if capture_kind == Refund {
                captured.facts.processing_code = payments::ProcessingCode::new(b"200000").unwrap();
            }
            books.captures.push(captured);
        }
    }
    random.shuffle(&mut books.issuer);
    books
}

#[test]
fn whatever_is_changed_in_one_book_is_found_and_nothing_else_is() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut books = many(&mut random);
        let mut cleared = books.cleared();
        assert_eq!(books.reconcile_with(&cleared).breaks, [], "seed {seed}");
        let at = random.usize(0..cleared.len());
        let open: Vec<usize> = (0..books.issuer.len()).filter(|at| books.issuer[*at].state == ItemState::Open).collect();
        let theirs = open[random.usize(0..open.len())];
        let changed = match random.u8(0..6) {
            0 => cleared.remove(at).row.rrn,
            1 => {
                cleared.push(cleared[at].clone());
                cleared[at].row.rrn.clone()
            }
            2 => {
                let amount = cleared[at].row.amount;
                cleared[at].row.amount = amount.checked_add(Amount::new(1, amount.currency()).unwrap()).unwrap();
                cleared[at].row.rrn.clone()
            }
            3 => books.issuer.remove(theirs).rrn.to_string(),
            4 => {
                let item = &mut books.issuer[theirs];
                (item.approved, item.amount) = (item.approved + 1, item.amount + 1);
                item.rrn.to_string()
            }
            _ => {
                let item = &mut books.issuer[theirs];
                (item.amount, item.state, item.reversal_date) = (0, ItemState::Reversed, Some(item.settlement_date));
                item.rrn.to_string()
            }
        };
        let found = books.reconcile_with(&cleared).breaks;
        let items: Vec<&Break> = found.iter().filter(|found| found.code != Code::NetworkTotals).collect();
        assert_eq!(items.len(), 1, "seed {seed}: {found:?}");
        assert_eq!(items[0].rrn, changed, "seed {seed}");
    }
}
