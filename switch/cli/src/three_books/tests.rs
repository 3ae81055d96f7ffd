//! Small books that agree, and each of them changed in each way that somebody must notice.

use std::collections::BTreeMap;

use payments::{Currency, LocalDateTime, PaymentId, ResponseCode, Rrn, Stan, Text};
use simulators::bank::line::{Line as BankLine, Record as AtBank};
use simulators::bank::party::line::{Line as PartyLine, Record as AtParty};
use simulators::issuer::line::{Kind as AtIssuer, Line, Note, Record, Standing as ItemStanding};
use simulators::pos::record::{Entry, Record as AtTerminal, Standing};
use store::reports::{AnswerLine, CaptureLine, EntryLine, EventLine, History, HoldLine, JournalLine, LaneLine};

use super::Finding;
use super::issuer::IssuerBook;
use super::kinds::{self, Kind};
use super::record::{Owed, Payments, Transfers};
use super::terminals::TerminalsBook;
use super::transfers::{self, BankBook, Outcome, PartyBook};
use super::truth;

/// What happened on the dual-message network, a payment each.
const SALE: u32 = 1;
const COMPLETED: u32 = 2;
const CREDITED: u32 = 3;
const TAKEN_BACK: u32 = 4;
const DECLINED: u32 = 5;
const BALANCE: u32 = 6;
const OPEN: u32 = 7;

fn rrn(number: u32) -> String {
    format!("R{number:011}")
}

fn local() -> LocalDateTime {
    LocalDateTime::parse(b"120000", b"1124").unwrap()
}

/// A state line of a terminal.
fn state(number: u32, kind: &str, asked: i64, standing: Standing, stands: i64, code: &str) -> Entry {
    Entry {
        at: format!("2026-11-24T12:00:0{number}.500000Z"),
        record: AtTerminal::State,
        terminal: Text::literal("TERM0001"),
        mti: Text::literal("0200"),
        kind: kind.to_owned(),
        network: "dual".to_owned(),
        rrn: Text::new(&rrn(number)).unwrap(),
        stan: Text::new(&format!("{number:06}")).unwrap(),
        de7: Text::EMPTY,
        local: Some(local()),
        of: Text::EMPTY,
        amount: asked,
        currency: Text::literal("978"),
        de39: Text::new(code).unwrap(),
        de38: Text::EMPTY,
        network_id: Text::EMPTY,
        state: Some(standing),
        stands: Some(stands),
        problem: None,
    }
}

/// A line of the issuer that opens an item.
fn item(n: u64, number: u32, kind: AtIssuer, amount: i64, code: &str) -> Line {
    let approved = code == "00";
    let stands = if approved { amount } else { 0 };
    Line {
        n,
        at: String::new(),
        record: if approved { Record::Effect } else { Record::Answer },
        kind,
        mti: Text::literal("0100"),
        rrn: Text::new(&rrn(number)).unwrap(),
        stan: Stan::new(number).unwrap(),
        de7: Text::EMPTY,
        local: local(),
        acquirer: Text::EMPTY,
        forwarder: Text::EMPTY,
        terminal: Text::literal("TERM0001"),
        merchant: Text::EMPTY,
        card: None,
        amount,
        currency: Currency::EUR,
        de39: ResponseCode::new(code.as_bytes()).unwrap(),
        de38: Text::EMPTY,
        de44: Text::EMPTY,
        network_id: Text::EMPTY,
        settlement_date: Text::literal("1124"),
        state: if approved { ItemStanding::Open } else { ItemStanding::Declined },
        approved: stands,
        stands,
        original: Text::EMPTY,
        item: approved.then_some(n),
        note: None,
    }
}

/// A payment of the record with nothing but these events.
fn payment(number: u32, kind: &str, state: &str, amount: i64, causes: &[&str]) -> History {
    let event = |cause: &&str| EventLine {
        version: 1,
        state: String::new(),
        cause: (*cause).to_owned(),
        at: String::new(),
        block: 1,
        item: 0,
    };
    History {
        processing_code: None,
        matched_to: None,
        shard: 0,
        payment: PaymentId(format!("00000000-0000-7000-8000-{number:012}").parse().unwrap()),
        kind: kind.to_owned(),
        state: state.to_owned(),
        rrn: Rrn::new(rrn(number).as_bytes()).unwrap(),
        acquirer: "ACQ1".to_owned(),
        terminal: Some("TERM0001".to_owned()),
        merchant: None,
        link: "pos".to_owned(),
        egress_link: Some("dual".to_owned()),
        egress_stan: None,
        card: None,
        end_to_end_id: None,
        amount,
        currency: Currency::EUR,
        approved: amount,
        captured: 0,
        approval: None,
        code: Some("00".to_owned()),
        risk: String::new(),
        configuration: String::new(),
        keys: Vec::new(),
        accepted: String::new(),
        events: causes.iter().map(event).collect(),
        answers: Vec::<AnswerLine>::new(),
        lanes: Vec::new(),
        captures: Vec::new(),
        hold: None,
        journals: Vec::new(),
    }
}

fn captured(mut payment: History, items: &[(&str, i64)]) -> History {
    for (kind, amount) in items {
        let takes = matches!(*kind, "sale" | "refund");
        payment.captured += if takes { *amount } else { -*amount };
        payment.captures.push(CaptureLine {
            seq: 1,
            number: 1,
            date: String::new(),
            kind: (*kind).to_owned(),
            clearing: "presentment".to_owned(),
            network: "dual".to_owned(),
            amount: *amount,
        });
    }
    payment
}

fn owed(kind: &str, ended: Option<&str>) -> LaneLine {
    LaneLine {
        number: 1,
        link: "dual".to_owned(),
        kind: kind.to_owned(),
        not_before: String::new(),
        ended: ended.map(str::to_owned),
        ended_code: None,
    }
}

struct Books {
    terminals: Vec<Entry>,
    issuer: Vec<Line>,
    record: Vec<History>,
}

/// Books that agree.
fn books() -> Books {
    let mut reversal = item(5, TAKEN_BACK, AtIssuer::Reversal, 800, "00");
    (reversal.item, reversal.state, reversal.stands) = (Some(4), ItemStanding::Reversed, 0);
    let mut balance = item(7, BALANCE, AtIssuer::Balance, 0, "00");
    (balance.record, balance.note, balance.item) = (Record::Note, Some(Note::Enquiry), None);
    let mut taken_back =
        payment(TAKEN_BACK, "purchase", "reversed", 800, &["accepted", "capture", "acquirer-reversal", "reversal-acknowledged"]);
    (taken_back.approved, taken_back.lanes) = (0, vec![owed("reversal", Some("acknowledged"))]);
    let mut credited = payment(CREDITED, "purchase", "reversed", 700, &["accepted", "capture", "clearing-credit"]);
    credited.approved = 0;
    let mut declined = payment(DECLINED, "purchase", "declined", 900, &["accepted", "decline"]);
    (declined.approved, declined.code) = (0, Some("51".to_owned()));
    Books {
        terminals: vec![
            state(SALE, "purchase", 1000, Standing::Approved, 1000, "00"),
            state(COMPLETED, "authorization", 2000, Standing::Approved, 2000, "00"),
            state(COMPLETED, "authorization", 2000, Standing::Completed, 1500, "00"),
            state(CREDITED, "purchase", 700, Standing::Approved, 700, "00"),
            state(CREDITED, "purchase", 700, Standing::Reversed, 0, "00"),
            state(TAKEN_BACK, "purchase", 800, Standing::Approved, 800, "00"),
            state(TAKEN_BACK, "purchase", 800, Standing::Reversed, 0, "00"),
            state(DECLINED, "purchase", 900, Standing::Declined, 0, "51"),
            state(BALANCE, "balance", 0, Standing::Approved, 0, "00"),
            state(OPEN, "authorization", 300, Standing::Approved, 300, "00"),
        ],
        issuer: vec![
            item(1, SALE, AtIssuer::Authorization, 1000, "00"),
            item(2, COMPLETED, AtIssuer::Authorization, 2000, "00"),
            item(3, CREDITED, AtIssuer::Authorization, 700, "00"),
            item(4, TAKEN_BACK, AtIssuer::Authorization, 800, "00"),
            reversal,
            item(6, DECLINED, AtIssuer::Authorization, 900, "51"),
            balance,
            item(8, OPEN, AtIssuer::Authorization, 300, "00"),
        ],
        record: vec![
            captured(payment(SALE, "purchase", "captured", 1000, &["accepted", "capture"]), &[("sale", 1000)]),
            captured(
                payment(COMPLETED, "authorization", "captured", 2000, &["accepted", "approval", "completion"]),
                &[("sale", 1500)],
            ),
            captured(credited, &[("sale", 700), ("credit", 700)]),
            captured(taken_back, &[("sale", 800), ("void", 800)]),
            declined,
            payment(OPEN, "authorization", "approved", 300, &["accepted", "approval"]),
        ],
    }
}

impl Books {
    fn read(self) -> (Vec<TerminalsBook>, BTreeMap<String, IssuerBook>, Payments) {
        let issuers = BTreeMap::from([("dual".to_owned(), IssuerBook::of(&self.issuer))]);
        (vec![TerminalsBook::of(self.terminals)], issuers, Payments::of(self.record))
    }

    /// Rows that do not agree, by kind.
    fn rows(self) -> (usize, Vec<Kind>) {
        let (terminals, issuers, record) = self.read();
        let rows = kinds::count(&terminals, &issuers, &record);
        let wrong = rows.iter().filter(|row| !row.agrees()).map(|row| row.kind).collect();
        (rows.len(), wrong)
    }

    /// What the judge of items finds.
    fn findings(self) -> Vec<Finding> {
        let (terminals, issuers, record) = self.read();
        let mut verdict = truth::judge(&terminals[0], &issuers, &record);
        verdict.findings.extend(truth::strangers(&terminals, &issuers, &record));
        verdict.findings
    }
}

#[test]
fn books_that_agree_have_a_row_for_every_kind_and_no_finding() {
    // All kinds but the refund.
    assert_eq!(books().rows(), (7, Vec::new()));
    assert_eq!(books().findings(), Vec::new());
}

/// A change of the books, the rows that must notice it, and whether the judge of items must.
type Change = (&'static str, fn(&mut Books), &'static [Kind], bool);

#[test]
fn every_change_of_a_book_is_noticed_by_the_row_of_its_kind_and_by_the_judge() {
    let changes: [Change; 14] = [
        ("a sale is missing at the issuer", |b| drop(b.issuer.remove(0)), &[Kind::Purchase], true),
        ("a sale is missing in the record", |b| drop(b.record.remove(0)), &[Kind::Purchase], true),
        ("a sale is missing at the terminal", |b| drop(b.terminals.remove(0)), &[Kind::Purchase, Kind::Authorization], true),
        ("the issuer has another amount", |b| b.issuer[0].stands += 1, &[Kind::Purchase], true),
        ("the record has another amount", |b| b.record[0].captured += 1, &[Kind::Purchase], false),
        ("the terminal has another amount", |b| b.terminals[0].stands = Some(999), &[Kind::Purchase], true),
        ("the record has it as another kind", |b| b.record[0].kind = "refund".to_owned(), &[Kind::Purchase, Kind::Refund], false),
        (
            "a completion is not in the record",
            |b| b.record[1].state = "approved".to_owned(),
            &[Kind::Authorization, Kind::Completion],
            true,
        ),
        ("what was credited is reversed, too", |b| b.issuer[2].state = ItemStanding::Reversed, &[Kind::Credit], true),
        ("the credit is missing", |b| drop(b.record[2].events.pop()), &[Kind::Authorization, Kind::Reversal], true),
        ("what was taken back is open at the issuer", |b| drop(b.issuer.remove(4)), &[Kind::Authorization, Kind::Reversal], true),
        ("a decline with another code", |b| b.issuer[5].de39 = ResponseCode::new(b"05").unwrap(), &[Kind::Decline], true),
        ("a balance that nobody asked the issuer for", |b| drop(b.issuer.remove(6)), &[Kind::Balance], false),
        ("a balance in the record", |b| b.record.push(payment(BALANCE, "purchase", "captured", 0, &[])), &[Kind::Balance], false),
    ];
    for (what, change, rows, found) in changes {
        let changed = || {
            let mut books = books();
            change(&mut books);
            books
        };
        assert_eq!(changed().rows().1, rows, "{what}");
        assert_eq!(!changed().findings().is_empty(), found, "{what}: {:?}", changed().findings());
    }
}

#[test]
fn reversals_are_counted_as_they_are_owed_not_as_they_are_sent() {
    let mut books = books();
    books.record[0].lanes.extend([owed("reversal", None), owed("advice", Some("acknowledged"))]);
    books.record[1].lanes.push(owed("reversal", Some("dead")));
    let (_, issuers, record) = books.read();
    let reversals = record.owed("reversal");
    assert_eq!(reversals["dual"], Owed { owed: 3, acknowledged: 1, dead: 1, still_owed: 1 });
    assert_eq!(record.owed("advice")["dual"].owed, 1);
    assert_eq!((issuers["dual"].reversals_of(&rrn(TAKEN_BACK)), issuers["dual"].reversals_of(&rrn(SALE))), (1, 0));
}

#[test]
fn a_rate_counts_answered_authorizations_from_the_first_request_to_the_last_answer() {
    let entry = |at: &str, record, kind: &str| Entry {
        at: format!("2026-11-24T12:00:{at}Z"),
        record,
        state: None,
        stands: None,
        ..state(SALE, kind, 100, Standing::Approved, 0, "00")
    };
    let late = Entry { problem: Some(simulators::pos::record::Problem::Late), ..entry("09.0", AtTerminal::Seen, "purchase") };
    let book = TerminalsBook::of(vec![
        entry("00.0", AtTerminal::Sent, "balance"),
        entry("01.0", AtTerminal::Sent, "purchase"),
        entry("02.0", AtTerminal::Seen, "purchase"),
        entry("02.5", AtTerminal::Seen, "refund"),
        entry("03.0", AtTerminal::Seen, "balance"),
        entry("04.0", AtTerminal::Seen, "reversal"),
        late,
    ]);
    let answered = book.answered();
    assert_eq!((answered.count, answered.micros), (2, 1_500_000));
}

/// Transfers: one executed, one rejected, one that never came to the bank.
struct Instructed {
    party: Vec<PartyLine>,
    bank: Vec<BankLine>,
    record: Vec<History>,
}

fn uetr(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn told(number: u32, status: &str, reason: &str) -> PartyLine {
    PartyLine {
        n: u64::from(number),
        at: String::new(),
        record: AtParty::Outcome,
        message_id: format!("M{number}"),
        end_to_end_id: format!("E{number}"),
        transaction_id: format!("T{number}"),
        uetr: uetr(number),
        amount_minor: 500,
        currency: "EUR".to_owned(),
        debtor_account: "D".to_owned(),
        creditor_account: "C".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        asks: 0,
        interim: 0,
        latency_us: None,
    }
}

fn booked(number: u32, record: AtBank, status: &str, reason: &str) -> BankLine {
    let came = record != AtBank::Unknown;
    let text = |text: &str| if came { text.to_owned() } else { String::new() };
    BankLine {
        n: u64::from(number),
        at: String::new(),
        record,
        message_id: payment(number, "", "", 0, &[]).payment.0.simple().to_string(),
        end_to_end_id: format!("E{number}"),
        transaction_id: format!("T{number}"),
        uetr: uetr(number),
        amount_minor: if came { 500 } else { 0 },
        currency: text("EUR"),
        debtor_account: text("D"),
        creditor_account: text("C"),
        status: status.to_owned(),
        reason: reason.to_owned(),
        act: None,
    }
}

fn transfer(number: u32, state: &str) -> History {
    let entry = |side: &str| EntryLine {
        account: String::new(),
        side: side.to_owned(),
        amount: 500,
        currency: Currency::EUR,
        balance_after: 0,
    };
    let mut transfer = payment(number, "transfer", state, 500, &[]);
    transfer.end_to_end_id = Some(format!("E{number}"));
    transfer.hold = Some(HoldLine { account: String::new(), amount: 500, released: true });
    if state == "executed" {
        let entries = vec![entry("D"), entry("C")];
        transfer.journals = vec![JournalLine { number: 1, kind: 1, date: String::new(), entries }];
    }
    transfer
}

fn instructed() -> Instructed {
    let mut never_came = transfer(3, "declined");
    never_came.lanes.push(owed("enquiry", Some("acknowledged")));
    let mut executed = transfer(1, "executed");
    executed.lanes.push(owed("enquiry", Some("acknowledged")));
    Instructed {
        party: vec![told(1, "ACSC", ""), told(2, "RJCT", "AC04"), told(3, "RJCT", "NOOR")],
        bank: vec![
            booked(1, AtBank::Transfer, "ACSC", ""),
            booked(1, AtBank::Enquiry, "ACSC", ""),
            booked(2, AtBank::Transfer, "RJCT", "AC04"),
            booked(3, AtBank::Unknown, "RJCT", "NOOR"),
        ],
        record: vec![executed, transfer(2, "declined"), never_came],
    }
}

fn judged(books: Instructed) -> transfers::Verdict {
    let in_record = books.record.len() as u64;
    let transfers = books.record.into_iter().map(|history| (history.payment.0.simple().to_string(), history)).collect();
    let (party, bank) = (PartyBook::of(books.party), BankBook::of(books.bank));
    transfers::judge(&party, &bank, &Transfers { transfers, in_record })
}

#[test]
fn books_of_transfers_that_agree_have_every_outcome_and_no_finding() {
    let verdict = judged(instructed());
    assert_eq!(verdict.findings, Vec::new());
    assert!(Outcome::ALL.iter().all(|outcome| verdict.outcomes[outcome].agrees(*outcome)), "{:?}", verdict.outcomes);
    assert_eq!((verdict.compared, verdict.asked_about, verdict.enquiries_owed, verdict.own_declines), (3, 2, 2, 0));
}

#[test]
fn a_transfer_that_the_switch_declined_itself_is_counted() {
    let mut books = instructed();
    books.party.push(told(4, "RJCT", "AM04"));
    books.record.push(transfer(4, "declined"));
    let in_record = books.record.len() as u64;
    let known = books.record.into_iter().take(3).map(|history| (history.payment.0.simple().to_string(), history)).collect();
    let (party, bank) = (PartyBook::of(books.party), BankBook::of(books.bank));
    let verdict = transfers::judge(&party, &bank, &Transfers { transfers: known, in_record });
    assert_eq!((verdict.findings, verdict.own_declines), (Vec::new(), 1));
}

/// What is changed, and how.
type Tampering = (&'static str, fn(&mut Instructed));

#[test]
fn every_change_of_a_book_of_transfers_is_noticed() {
    let changes: [Tampering; 16] = [
        ("told another outcome", |b| b.party[0] = told(1, "RJCT", "AC04")),
        ("told another reason", |b| b.party[1].reason = "AC06".to_owned()),
        ("never told", |b| b.party[0].status.clear()),
        ("told twice, otherwise", |b| b.party.push(PartyLine { record: AtParty::Contradiction, ..told(1, "RJCT", "") })),
        ("not instructed", |b| drop(b.party.pop())),
        ("missing at the bank", |b| drop(b.bank.drain(..2))),
        ("another amount at the bank", |b| b.bank[0].amount_minor += 1),
        ("another account at the bank", |b| b.bank[0].creditor_account = "X".to_owned()),
        ("came again", |b| b.bank.push(booked(1, AtBank::Again, "ACSC", ""))),
        ("booked twice", |b| b.bank.push(booked(1, AtBank::Transfer, "ACSC", ""))),
        ("missing in the record", |b| drop(b.record.remove(0))),
        ("another amount in the record", |b| b.record[0].amount += 1),
        ("not posted", |b| b.record[0].journals.clear()),
        ("posted twice", |b| b.record[0].journals = [b.record[0].journals.clone(), b.record[0].journals.clone()].concat()),
        ("its hold stays", |b| b.record[1].hold.as_mut().unwrap().released = false),
        ("another state in the record", |b| b.record[1].state = "executed".to_owned()),
    ];
    for (what, change) in changes {
        let mut books = instructed();
        change(&mut books);
        let verdict = judged(books);
        assert!(!verdict.findings.is_empty(), "{what}");
    }
    let mut unasked = instructed();
    unasked.bank.remove(1);
    assert_eq!(judged(unasked).asked_about, 1, "by the bank's book alone");
}
