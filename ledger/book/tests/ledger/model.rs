//! Random commands, edges of `i64` included, in random batches, against a naive model of the book.

use std::collections::{BTreeMap, BTreeSet};

use ledger::suite::samples::{NETWORK, amount, card, claim_key, customer, day, euro, id, transfer};
use ledger::{
    AccountCode, BodyHash, Book, Capture, CaptureKind, Clearing, Command, Fence, HoldWrite, Journal, JournalKind, Line,
    MemoryStore, PaymentKind, PaymentWrite, Seq, Side, Standing, TakenClaim,
};
use payments::{Cause, Currency, PaymentId, Shard, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

const SHARD: Shard = Shard(2);

/// What is right, said as plainly as possible.
#[derive(Default, Clone)]
struct Model {
    claims: BTreeSet<u32>,
    payments: BTreeMap<PaymentId, (PaymentKind, Standing)>,
    holds: BTreeMap<PaymentId, (AccountCode, Currency, i64, bool)>,
    /// Debits, credits, holds.
    accounts: BTreeMap<(AccountCode, Currency), (i128, i128, i128)>,
    journals: i64,
    captures: i64,
}

/// What the customers have to begin with.
const FUNDS: i64 = 2000;

impl Model {
    fn funded() -> Self {
        let of = |account| (account, Currency::EUR);
        let mut model = Self { journals: 2, ..Self::default() };
        model.accounts.insert(of(ledger::postings::deposits()), (i128::from(2 * FUNDS), 0, 0));
        model.accounts.insert(of(customer(0)), (0, FUNDS.into(), 0));
        model.accounts.insert(of(customer(1)), (0, FUNDS.into(), 0));
        model
    }

    /// Takes a command whole, or says no.
    fn take(&mut self, step: &Step, command: &Command) -> Option<()> {
        let mut next = self.clone();
        if let Some(n) = step.claim {
            next.claims.insert(n).then_some(())?;
        }
        next.payment(command)?;
        let before = next.accounts.clone();
        if let Some(HoldWrite::Release { payment, account, amount }) = command.hold {
            let hold = next.holds.get_mut(&payment)?;
            (*hold == (account, amount.currency(), amount.minor(), false)).then_some(())?;
            hold.3 = true;
            next.accounts.get_mut(&(account, amount.currency()))?.2 -= i128::from(amount.minor());
        }
        for journal in &command.journals {
            let mut sums = BTreeMap::<Currency, i128>::new();
            for Line { account, side, amount } in &journal.lines {
                let minor = i128::from(amount.minor());
                (minor > 0).then_some(())?;
                let balance = next.accounts.entry((*account, amount.currency())).or_default();
                let sum = sums.entry(amount.currency()).or_default();
                match side {
                    Side::Debit => (balance.0, *sum) = (balance.0 + minor, *sum + minor),
                    Side::Credit => (balance.1, *sum) = (balance.1 + minor, *sum - minor),
                }
            }
            (journal.lines.len() > 1 && sums.values().all(|sum| *sum == 0)).then_some(())?;
            next.journals += 1;
        }
        if let Some(HoldWrite::Place { payment, account, amount }) = command.hold {
            let hold = (account, amount.currency(), amount.minor(), false);
            (amount.minor() > 0 && next.holds.insert(payment, hold).is_none()).then_some(())?;
            next.accounts.entry((account, amount.currency())).or_default().2 += i128::from(amount.minor());
        }
        for (key, (debit, credit, held)) in &next.accounts {
            let fits = [debit, credit, held].into_iter().all(|sum| i64::try_from(*sum).is_ok());
            let then = before.get(key).map_or(0, |(debit, credit, held)| credit - debit - held);
            let now = credit - debit - held;
            let overdrawn = key.0.as_str().starts_with("customer/") && now < 0 && now < then;
            (fits && !overdrawn).then_some(())?;
        }
        *self = next;
        Some(())
    }

    fn payment(&mut self, command: &Command) -> Option<()> {
        let item = command.capture.as_ref();
        let (id, kind, before, cause, after) = match command.payment.as_ref() {
            None => return item.is_none().then_some(()),
            Some(PaymentWrite::Open { facts, cause, standing }) => {
                (!self.payments.contains_key(&facts.id)).then_some(())?;
                (facts.id, facts.kind, None, cause, standing)
            }
            Some(PaymentWrite::Change { id, cause, standing, .. }) => {
                let (kind, before) = *self.payments.get(id)?;
                (*id, kind, Some(before), cause, standing)
            }
        };
        let (version, captured, captures, excess) = before.map_or((0, 0, 0, 0), |before| {
            let excess = (i128::from(before.captured) - i128::from(before.approved)).max(0);
            (before.version, i128::from(before.captured), before.captures, excess)
        });
        let step = if kind == PaymentKind::Transfer { State::step_transfer } else { State::step };
        (after.version == version + 1 && step(before.map(|before| before.state), *cause) == Ok(after.state)).then_some(())?;
        if let Some(item) = item {
            (item.payment == id && item.amount.currency() == Currency::EUR && !item.amount.is_zero()).then_some(())?;
            (item.date == day(0) && item.number == after.captures).then_some(())?;
            self.captures += 1;
        }
        let sign = item.map_or(0, |item| if matches!(item.kind, CaptureKind::Sale | CaptureKind::Refund) { 1 } else { -1 });
        let moved = item.map_or(0, |item| sign * i128::from(item.amount.minor()));
        let exposed = command.journals.iter().any(|journal| journal.kind == JournalKind::Exposure);
        let beyond = (i128::from(after.captured) - i128::from(after.approved)).max(0);
        let positive = after.captured >= 0 && after.approved >= 0;
        let sound = if kind == PaymentKind::Transfer {
            item.is_none()
                && after.captures == 0
                && matches!((after.state, after.captured), (State::Executed, _) | (_, 0))
                && (after.captured == 0 || after.captured == after.approved)
        } else {
            i128::from(after.captured) == captured + moved
                && after.captures == captures + i16::from(item.is_some())
                && (beyond <= excess || exposed)
        };
        (positive && sound).then_some(())?;
        self.payments.insert(id, (kind, *after));
        Some(())
    }
}

/// A command to try, and the number of its claim.
#[derive(Debug, Clone)]
struct Step {
    claim: Option<u32>,
    payment: Option<Change>,
    item: Option<(CaptureKind, i64, bool)>,
    journals: Vec<(JournalKind, Vec<Entry>)>,
    hold: Option<(u32, usize, i64, bool)>,
}

/// Account, whether a debit, minor units, whether in euro.
type Entry = (usize, bool, i64, bool);

#[derive(Debug, Clone)]
struct Change {
    n: u32,
    kind: PaymentKind,
    /// Which of the causes that are legal now; or any.
    pick: usize,
    wild: Option<Cause>,
    /// How far the version, the captured amount and the item count are off what they should be.
    off: (i32, i64, i16),
    /// What is approved; else what is captured is.
    approved: Option<i64>,
    state: Option<State>,
}

fn accounts(at: usize) -> AccountCode {
    match at {
        0 | 1 => customer(u32::try_from(at).unwrap_or(0)),
        _ => ledger::postings::scheme_cleared(&NETWORK),
    }
}

fn minor() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1i64..500, 1 => Just(0i64), 1 => Just(i64::MAX), 1 => Just(i64::MAX / 2), 1 => Just(i64::MAX - 1)]
}

fn journal() -> impl Strategy<Value = (JournalKind, Vec<Entry>)> {
    let kind = prop_oneof![4 => Just(JournalKind::Deposit), 1 => Just(JournalKind::Exposure)];
    let pair = || {
        (0..3usize, 0..3usize, minor(), any::<bool>())
            .prop_map(|(debit, credit, minor, euro)| vec![(debit, true, minor, euro), (credit, false, minor, euro)])
    };
    let wild = prop::collection::vec((0..3usize, any::<bool>(), minor(), any::<bool>()), 0..4);
    // Two currencies, each balanced.
    let twice = (pair(), pair()).prop_map(|(a, b)| [a, b].concat());
    (kind, prop_oneof![6 => pair(), 2 => twice, 1 => wild])
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![3 => Just(PaymentKind::Purchase), 1 => Just(PaymentKind::Transfer)];
    let wild = prop::option::weighted(0.05, prop::sample::select(Cause::ALL.to_vec()));
    let off = prop_oneof![15 => Just((0, 0, 0)), 1 => (-1..2i32, -1..2i64, -1..2i16)];
    let state = prop::option::weighted(0.03, prop::sample::select(State::ALL.to_vec()));
    let approved = prop::option::weighted(0.2, minor());
    let change = (0..6u32, kind, 0..8usize, wild, off, approved, state)
        .prop_map(|(n, kind, pick, wild, off, approved, state)| Change { n, kind, pick, wild, off, approved, state });
    let what = prop::sample::select(vec![CaptureKind::Sale, CaptureKind::Sale, CaptureKind::Void, CaptureKind::Credit]);
    let item = (what, minor(), prop::bool::weighted(0.95));
    let hold = (0..6u32, 0..2usize, minor(), any::<bool>());
    (
        prop::option::of(0..200u32),
        prop::option::weighted(0.7, change),
        prop::option::weighted(0.7, item),
        prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(journal(), 1..3)],
        prop::option::weighted(0.3, hold),
    )
        .prop_map(|(claim, payment, item, journals, hold)| Step { claim, payment, item, journals, hold })
}

/// The command of a step, mostly legal behind what the model holds.
fn command(model: &Model, step: &Step) -> Command {
    let mut command = Command::at(ledger::suite::samples::START);
    let item = step.payment.as_ref().and(step.item);
    command.claim = step.claim.map(|n| TakenClaim { key: claim_key(n), body: BodyHash([0; 16]), payment: None, on: day(0) });
    if let Some(Change { n, kind, pick, wild, off, approved, state }) = &step.payment {
        let known = model.payments.get(&id(*n));
        let (kind, before) = known.map_or((*kind, None), |(kind, before)| (*kind, Some(*before)));
        let lifecycle = if kind == PaymentKind::Transfer { State::step_transfer } else { State::step };
        let from = before.map(|before| before.state);
        let legal: Vec<Cause> = Cause::ALL.into_iter().filter(|cause| lifecycle(from, *cause).is_ok()).collect();
        let cause = wild.or(legal.get(pick % legal.len().max(1)).copied()).unwrap_or(Cause::Accepted);
        let next = lifecycle(from, cause).unwrap_or(State::Captured);
        // Items mostly where there may be some, and voids mostly of what is there.
        let item = item.filter(|_| matches!(next, State::Captured | State::Reversing | State::Reversed) || *pick == 0);
        let item = item.map(|(kind, minor, today)| match before {
            Some(before) if before.captured > 0 && *pick < 6 => (CaptureKind::Void, before.captured, today),
            _ => (kind, minor, today),
        });
        let before = before.unwrap_or(Standing { version: 0, ..ledger::suite::samples::begins(next) });
        let moved = match item {
            Some((CaptureKind::Sale | CaptureKind::Refund, minor, _)) => minor,
            Some((_, minor, _)) => minor.wrapping_neg(),
            None => 0,
        };
        let captured = before.captured.saturating_add(moved).saturating_add(off.1);
        let captured = if next == State::Executed { 7 } else { captured };
        let standing = Standing {
            version: before.version + 1 + off.0,
            state: state.unwrap_or(next),
            approved: approved.unwrap_or(captured),
            captured,
            captures: before.captures + i16::from(item.is_some()) + off.2,
            ..before
        };
        let opens = known.is_none() || off.0 < 0;
        command.payment = Some(if opens {
            let facts = if kind == PaymentKind::Transfer { transfer(*n, 0, euro(5)) } else { card(*n, kind, euro(5)) };
            PaymentWrite::Open { facts: Box::new(facts), cause, standing }
        } else {
            PaymentWrite::Change { id: id(*n), cause, standing, egress: None }
        });
        command.capture = item.map(|(kind, minor, today)| Capture {
            seq: 0,
            payment: id(*n),
            number: standing.captures,
            date: day(if today { 0 } else { 9 }),
            kind,
            clearing: Clearing::Presentment,
            network: NETWORK,
            amount: euro(minor),
        });
    }
    command.journals = step
        .journals
        .iter()
        .map(|(kind, lines)| {
            let line = |(at, debit, minor, is_euro): &Entry| Line {
                account: accounts(*at),
                side: if *debit { Side::Debit } else { Side::Credit },
                amount: amount(*minor, if *is_euro { Currency::EUR } else { Currency::JPY }),
            };
            Journal { number: 0, kind: *kind, date: day(0), payment: None, lines: lines.iter().map(line).collect() }
        })
        .collect();
    command.hold = step.hold.map(|(n, at, minor, place)| {
        let held = model.holds.get(&id(n));
        match (place, held) {
            (false, Some((account, currency, minor, _))) => {
                HoldWrite::Release { payment: id(n), account: *account, amount: amount(*minor, *currency) }
            }
            (false, None) => HoldWrite::Release { payment: id(n), account: accounts(at), amount: euro(minor) },
            (true, _) => HoldWrite::Place { payment: id(n), account: accounts(at), amount: euro(minor) },
        }
    });
    command
}

fn balances(book: &Book) -> BTreeMap<(AccountCode, Currency), (i128, i128, i128)> {
    book.accounts()
        .map(|account| {
            let b = account.balances;
            ((account.code, account.currency), (b.posted_debit.into(), b.posted_credit.into(), b.pending_debit.into()))
        })
        .collect()
}

fn opened() -> (MemoryStore, Fence, Book) {
    let store = MemoryStore::new();
    let (fence, snapshot) = store.open_now(SHARD, ledger::suite::node(1)).expect("opens");
    let mut book = Book::open(SHARD, &snapshot);
    let journals = [0, 1].map(|n| ledger::postings::deposit(day(0), customer(n), euro(FUNDS))).to_vec();
    let first = Command { day_opened: Some(day(0)), journals, ..Command::at(ledger::suite::samples::START) };
    let staged = book.stage(&fence, vec![(Seq(0), first)]);
    store.commit_now(&fence, &staged.batch).expect("commits");
    book.landed(staged);
    (store, fence, book)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The book, the store and the model take the same commands and hold the same money, however the
    /// commands are cut into batches.
    #[test]
    fn the_book_agrees_with_a_naive_model(steps in prop::collection::vec((step(), any::<bool>()), 1..60)) {
        let (store, fence, mut book) = opened();
        let mut model = Model::funded();
        let (mut batch, mut wanted) = (Vec::new(), Vec::new());
        for ((step, cut), n) in steps.iter().zip(1u64..) {
            let command = command(&model, step);
            if model.take(step, &command).is_none() {
                wanted.push(Seq(n));
            }
            batch.push((Seq(n), command));
            if *cut || n == steps.len() as u64 {
                let staged = book.stage(&fence, std::mem::take(&mut batch));
                let again = book.stage(&fence, staged.batch.items.iter().map(|item| (item.seq, item.command.clone())).collect());
                prop_assert_eq!(&staged.batch, &again.batch, "the same input gives the same bytes");
                // What the book cannot know of payments that it never saw begin, the store refuses.
                let mut staged = staged;
                while !staged.batch.items.is_empty() {
                    match store.commit_now(&fence, &staged.batch) {
                        Ok(_) => break,
                        Err(ledger::CommitError::Refused { item, why }) => staged = book.without(&fence, staged, item, why),
                        Err(other) => panic!("{other}"),
                    }
                }
                let refused: Vec<Seq> = staged.refused.iter().map(|(seq, _)| *seq).collect();
                prop_assert_eq!(&refused, &wanted, "{:?}", staged.refused);
                book.landed(staged);
                wanted.clear();
            }
        }
        let held: BTreeMap<_, _> = balances(&book);
        prop_assert_eq!(&held, &model.accounts);
        prop_assert_eq!((book.numbers().journal, book.numbers().capture), (model.journals, model.captures));
        let (_, snapshot) = store.open_now(SHARD, ledger::suite::node(2)).expect("opens");
        prop_assert_eq!(balances(&Book::open(SHARD, &snapshot)), model.accounts);
    }

    /// What an item's body holds is exactly the command that was taken.
    #[test]
    fn bodies_read_back(steps in prop::collection::vec(step(), 1..20)) {
        let (_, fence, book) = opened();
        let commands = steps.iter().zip(1u64..).map(|(step, n)| (Seq(n), command(&Model::default(), step))).collect();
        for item in book.stage(&fence, commands).batch.items {
            let read: Command = serde_json::from_str(&item.body).expect("reads back");
            prop_assert_eq!(serde_json::to_string(&read).expect("writes"), item.body);
            prop_assert_eq!(read, item.command);
        }
    }
}

/// The random commands reach what they are meant to reach.
#[test]
fn random_commands_have_a_population() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let steps = prop::collection::vec(step(), 60);
    let mut seen = BTreeMap::<&str, usize>::new();
    for _ in 0..100 {
        let mut model = Model::funded();
        for step in steps.new_tree(&mut runner).expect("a history").current() {
            let command = command(&model, &step);
            if model.take(&step, &command).is_none() {
                *seen.entry("refused").or_default() += 1;
                continue;
            }
            let changed = matches!(command.payment, Some(PaymentWrite::Change { .. }));
            let sold = command.capture.is_some_and(|item| item.kind == CaptureKind::Sale);
            let released = matches!(command.hold, Some(HoldWrite::Release { .. }));
            let large = command.journals.iter().flat_map(|journal| &journal.lines).any(|line| line.amount.minor() > i64::MAX / 4);
            for (name, is) in [
                ("taken", true),
                ("changed", changed),
                ("sold", sold),
                ("taken back", command.capture.is_some() && !sold),
                ("held", command.hold.is_some() && !released),
                ("released", released),
                ("posted at the edge", large),
            ] {
                *seen.entry(name).or_default() += usize::from(is);
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.len() == 8 && seen.values().all(|count| *count > 10), "{seen:?}");
}
