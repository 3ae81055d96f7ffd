//! The table of postings in `docs/postings.md` is what the code does.

use ledger::postings::{self, capture, clearing_sent, deposit, exposure, exposure_released, transfer};
use ledger::suite::samples::{day, euro, id};
use ledger::{AccountCode, CaptureKind, Clearing, Journal, JournalKind, Side};
use payments::{AcquirerId, LinkId, MerchantId, Text};

const NETWORK: LinkId = LinkId::literal("<network>");
const BANK: LinkId = LinkId::literal("<bank>");
const ACQUIRER: AcquirerId = AcquirerId::literal("<acquirer>");
const MERCHANT: MerchantId = MerchantId::literal("<merchant>");

fn captured(kind: CaptureKind, takes_back: Option<CaptureKind>, clearing: Clearing) -> Journal {
    capture(id(1), day(0), kind, takes_back, (&NETWORK, clearing), (&ACQUIRER, &MERCHANT), euro(1250))
}

/// Every step, in the order of a payment's life, with when it is posted.
fn steps() -> Vec<(&'static str, Journal)> {
    use CaptureKind::{Credit, Refund, Sale, Void};
    use Clearing::{Online, Presentment};
    let merchant = (&ACQUIRER, &MERCHANT);
    let customer = postings::customer(&Text::literal("<account>"));
    let mut steps = vec![
        ("sale or completion, dual message", captured(Sale, None, Presentment)),
        ("sale or completion, single message", captured(Sale, None, Online)),
        ("refund, dual message", captured(Refund, None, Presentment)),
        ("refund, single message", captured(Refund, None, Online)),
        ("sale taken back while its day is open, dual message", captured(Void, Some(Sale), Presentment)),
        ("sale taken back, single message", captured(Void, Some(Sale), Online)),
        ("refund taken back while its day is open, dual message", captured(Void, Some(Refund), Presentment)),
        ("refund taken back, single message", captured(Void, Some(Refund), Online)),
        ("sale taken back after the freeze: a credit is presented", captured(Credit, Some(Sale), Presentment)),
        ("refund taken back after the freeze: a debit is presented", captured(Credit, Some(Refund), Presentment)),
        ("completion above its authorization: the excess, beside the sale", exposure(id(1), day(0), merchant, euro(5))),
        ("that sale taken back, or the excess let stand", exposure_released(id(1), day(0), merchant, euro(5))),
        ("credit transfer executed; its hold ends in the same command", transfer(id(1), day(0), customer, &BANK, euro(5))),
        ("money put on a customer's account", deposit(day(0), customer, euro(5))),
    ];
    let sent = clearing_sent(day(0), &NETWORK, euro(5), euro(2));
    steps.extend(["clearing file sent: its sales", "clearing file sent: its refunds"].into_iter().zip(sent));
    steps
}

fn table() -> String {
    let mut table = String::from("| step | journal | Dr | Cr |\n|---|---|---|---|\n");
    for (step, journal) in steps() {
        let sides = |side| {
            let lines = journal.lines.iter().filter(|line| line.side == side);
            lines.map(|line| format!("`{}`", line.account)).collect::<Vec<_>>().join(" ")
        };
        let kind = format!("{} {:?}", journal.kind as i16, journal.kind);
        table.push_str(&format!("| {step} | {kind} | {} | {} |\n", sides(Side::Debit), sides(Side::Credit)));
    }
    table
}

#[test]
fn the_table_in_the_book_is_the_table_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postings.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once("<!-- printed by ledger/book/tests/ledger/postings.rs -->\n").expect("the mark");
    let (printed, _) = rest.split_once("<!-- end -->").expect("the end mark");
    assert_eq!(printed, table(), "docs/postings.md is stale; it should have:\n{}", table());
}

#[test]
fn every_kind_of_journal_is_in_the_table_and_balances() {
    let kinds: std::collections::BTreeSet<JournalKind> = steps().into_iter().map(|(_, journal)| journal.kind).collect();
    assert_eq!(kinds.len(), 7);
    for (step, journal) in steps() {
        let sum = |side| journal.lines.iter().filter(|line| line.side == side).map(|line| line.amount.minor()).sum::<i64>();
        assert_eq!((sum(Side::Debit), journal.lines.len()), (sum(Side::Credit), 2), "{step}");
        assert!(journal.lines.iter().all(|line| !line.account.is_empty()), "{step}");
    }
}

/// What is taken back leaves nothing on any account.
#[test]
fn a_void_or_credit_mirrors_what_it_takes_back() {
    for clearing in [Clearing::Presentment, Clearing::Online] {
        for kind in [CaptureKind::Sale, CaptureKind::Refund] {
            for back in [CaptureKind::Void, CaptureKind::Credit] {
                let mut net = std::collections::BTreeMap::<AccountCode, i64>::new();
                for line in [captured(kind, None, clearing), captured(back, Some(kind), clearing)].iter().flat_map(|j| &j.lines) {
                    let minor = line.amount.minor();
                    *net.entry(line.account).or_default() += if line.side == Side::Debit { minor } else { -minor };
                }
                assert!(net.len() == 2 && net.values().all(|sum| *sum == 0), "{kind:?} {back:?} {clearing:?}: {net:?}");
            }
        }
    }
}

#[test]
fn a_file_without_sales_or_refunds_posts_nothing_for_them() {
    assert_eq!(clearing_sent(day(0), &NETWORK, euro(5), euro(0)).len(), 1);
    assert!(clearing_sent(day(0), &NETWORK, euro(0), euro(0)).is_empty());
}

#[test]
fn the_longest_identities_fit_and_a_slash_cannot_mix_two_parties_up() {
    let long = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let acquirer = AcquirerId::new(&long[..16]).unwrap();
    let merchant = MerchantId::new(&long[..15]).unwrap();
    assert!(!postings::merchant_pending(&acquirer, &merchant).is_empty());
    assert!(!postings::merchant_exposure(&acquirer, &merchant).is_empty());
    assert!(!postings::scheme_receivable(&LinkId::new(&long[..24]).unwrap(), Clearing::Presentment).is_empty());
    assert!(!postings::customer(&Text::new(&"9".repeat(34)).unwrap()).is_empty());
    let with = |acquirer: &str, merchant: &str| {
        postings::merchant_pending(&AcquirerId::new(acquirer).unwrap(), &MerchantId::new(merchant).unwrap())
    };
    assert_eq!(with("A", "B/C").as_str(), "merchant-payable/pending/A/B/C");
    assert!(with("A/B", "C").is_empty(), "it would be the account above");
}
