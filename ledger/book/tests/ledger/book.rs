//! The book's own rules, one by one.

use ledger::suite::samples::{
    self, ACQUIRER, MERCHANT, NETWORK, accept, accept_transfer, approved, begins, captured, card, change, customer, day,
    declined, deposited, euro, executed, id, reversed_by_acquirer, then, timed_out, tombstone, transfer,
};
use ledger::{
    Book, Command, Epoch, Fence, Hash, PaymentKind, PaymentWrite, Refusal, Seq, Side, Snapshot, Staged, Standing, postings,
};
use payments::{Amount, Cause, Currency, Shard, State};

const SHARD: Shard = Shard(4);
const FENCE: Fence = Fence { shard: SHARD, epoch: Epoch(9) };
const SENT: State = State::Sent;

fn book() -> Book {
    Book::open(SHARD, &Snapshot::empty())
}

fn stage(book: &Book, commands: Vec<Command>) -> Staged {
    book.stage(&FENCE, commands.into_iter().zip(1..).map(|(command, n)| (Seq(n), command)).collect())
}

fn whys(staged: &Staged) -> Vec<(u64, Refusal)> {
    staged.refused.iter().map(|(seq, why)| (seq.0, *why)).collect()
}

/// A book on which the commands landed in one batch; none may be refused.
fn landed(commands: Vec<Command>) -> Book {
    let mut book = book();
    land(&mut book, commands);
    book
}

fn land(book: &mut Book, commands: Vec<Command>) {
    let staged = stage(book, commands);
    assert_eq!(staged.refused, [], "refused");
    book.landed(staged);
}

fn why(book: &Book, command: Command) -> Option<Refusal> {
    stage(book, vec![command]).refused.first().map(|(_, why)| *why)
}

fn available(book: &Book, n: u32) -> i64 {
    book.account(customer(n), Currency::EUR).map_or(0, |account| account.balances.available())
}

#[test]
fn a_refused_command_leaves_no_trace_in_its_batch() {
    let mut unbalanced = captured(&card(2, PaymentKind::Purchase, euro(5)), &begins(SENT), Cause::Capture, euro(5), day(0));
    unbalanced.journals[0].lines[0].amount = euro(6);
    let opens = accept(card(2, PaymentKind::Purchase, euro(5)));
    let both = Command { payment: opens.payment, claim: opens.claim, capture: None, ..unbalanced };
    let fine = accept(card(3, PaymentKind::Purchase, euro(7)));
    let staged = stage(&book(), vec![both, fine.clone()]);
    let alone = book().stage(&FENCE, vec![(Seq(2), fine)]);
    assert_eq!(whys(&staged), [(1, Refusal::Unbalanced)]);
    assert_eq!(staged.batch, alone.batch, "numbers, accounts, marks and hash are as if it had never been");
    let again = accept(card(2, PaymentKind::Purchase, euro(5)));
    let mut book = book();
    book.landed(staged);
    assert_eq!(why(&book, again), None, "its claim is free");
}

#[test]
fn a_claim_is_taken_once_by_request_or_tombstone() {
    let book = landed(vec![accept(card(1, PaymentKind::Purchase, euro(5))), tombstone(2)]);
    assert_eq!(why(&book, tombstone(1)), Some(Refusal::ClaimTaken(samples::claim_key(1))));
    assert_eq!(why(&book, accept(card(2, PaymentKind::Purchase, euro(5)))), Some(Refusal::ClaimTaken(samples::claim_key(2))));
    let mut same = accept(card(3, PaymentKind::Purchase, euro(5)));
    same.tombstone = same.claim;
    assert_eq!(why(&book, same), Some(Refusal::ClaimTaken(samples::claim_key(3))), "twice in one command");
}

#[test]
fn a_floor_counts_what_is_on_hold_and_a_release_pays_for_its_debit() {
    let paid = transfer(1, 0, euro(60));
    let mut book = landed(vec![deposited(1, 0, euro(100)), accept_transfer(paid.clone(), 0)]);
    assert_eq!(available(&book, 0), 40);
    let more = accept_transfer(transfer(2, 0, euro(41)), 0);
    assert_eq!(why(&book, more), Some(Refusal::Floor(customer(0))));
    let rest = transfer(3, 0, euro(40));
    land(&mut book, vec![accept_transfer(rest.clone(), 0)]);
    assert_eq!(available(&book, 0), 0);
    land(&mut book, vec![executed(&paid, &begins(SENT), 0, None), declined(&rest, &begins(SENT))]);
    assert_eq!(available(&book, 0), 40);
    let taken = Command { hold: None, ..executed(&transfer(4, 0, euro(41)), &begins(SENT), 0, None) };
    let journals = Command { payment: None, answers: Vec::new(), ..taken };
    assert_eq!(why(&book, journals), Some(Refusal::Floor(customer(0))));
}

#[test]
fn an_account_below_its_floor_may_still_receive() {
    let mut snapshot = Snapshot::empty();
    let state = ledger::AccountState {
        id: 1,
        code: customer(0),
        currency: Currency::EUR,
        floor_minor: Some(500),
        balances: ledger::Balances { posted_credit: 100, ..Default::default() },
        version: 1,
    };
    snapshot.accounts.push(state);
    let book = Book::open(SHARD, &snapshot);
    assert_eq!(why(&book, deposited(1, 0, euro(1))), None);
}

#[test]
fn sums_do_not_wrap() {
    let book = landed(vec![deposited(1, 0, euro(i64::MAX))]);
    assert_eq!(why(&book, deposited(2, 0, euro(1))), Some(Refusal::Overflow));
    assert_eq!(why(&book, deposited(3, 1, euro(1))), Some(Refusal::Overflow), "the other side is full too");
    let mut snapshot = Snapshot::empty();
    snapshot.journal = i64::MAX;
    assert_eq!(why(&Book::open(SHARD, &snapshot), deposited(1, 0, euro(1))), Some(Refusal::Overflow));
}

#[test]
fn a_journal_balances_in_each_currency_with_two_lines_and_none_of_zero() {
    let with = |change: &dyn Fn(&mut ledger::Journal)| {
        let mut command = deposited(1, 0, euro(5));
        command.journals.iter_mut().for_each(change);
        why(&book(), command)
    };
    let unbalanced = Some(Refusal::Unbalanced);
    assert_eq!(with(&|journal| journal.lines.truncate(1)), unbalanced);
    assert_eq!(with(&|journal| journal.lines.clear()), unbalanced);
    assert_eq!(with(&|journal| journal.lines[0].side = Side::Credit), unbalanced);
    assert_eq!(with(&|journal| journal.lines.iter_mut().for_each(|line| line.amount = euro(0))), unbalanced);
    assert_eq!(with(&|journal| journal.lines[0].amount = Amount::new(5, Currency::USD).unwrap()), unbalanced);
    assert_eq!(with(&|journal| journal.lines[0].account = ledger::AccountCode::EMPTY), unbalanced);
    // Each line alone is huge; the sum is taken where it fits, and the account says no.
    let huge = |journal: &mut ledger::Journal| {
        journal.lines.iter_mut().for_each(|line| line.amount = euro(i64::MAX));
        let twice = journal.lines.clone();
        journal.lines.extend(twice);
    };
    assert_eq!(with(&huge), Some(Refusal::Overflow));
}

#[test]
fn a_payment_moves_by_its_lifecycle_and_version_only() {
    let facts = card(1, PaymentKind::Purchase, euro(5));
    let book = landed(vec![accept(facts.clone())]);
    let sent = begins(SENT);
    let twice = Standing { version: 3, ..then(&sent, State::Declined) };
    assert_eq!(why(&book, change(&facts, Cause::Decline, twice)), Some(Refusal::Version(facts.id)));
    assert_eq!(why(&book, change(&facts, Cause::Decline, sent)), Some(Refusal::Version(facts.id)));
    let wrong = then(&sent, State::Approved);
    assert_eq!(why(&book, change(&facts, Cause::Decline, wrong)), Some(Refusal::Illegal(facts.id)));
    let executed = then(&sent, State::Executed);
    let as_transfer = change(&facts, Cause::Approval, executed);
    assert_eq!(why(&book, as_transfer), Some(Refusal::Illegal(facts.id)), "a card is no transfer");
    assert_eq!(why(&book, accept(facts.clone())), Some(Refusal::ClaimTaken(facts.claim)));
    let other_claim = Command { claim: None, ..accept(facts.clone()) };
    assert_eq!(why(&book, other_claim), Some(Refusal::Version(facts.id)));
    let unknown = card(8, PaymentKind::Purchase, euro(5));
    let never = change(&unknown, Cause::Rerouted, then(&sent, State::Declined));
    assert_eq!(why(&book, never), Some(Refusal::Illegal(unknown.id)), "no state leads there by that cause");
    let transfer = transfer(2, 0, euro(5));
    let reversed = change(&transfer, Cause::AcquirerReversal, then(&sent, State::Reversing));
    let mut with_transfer = book;
    land(&mut with_transfer, vec![accept(transfer.clone())]);
    assert_eq!(why(&with_transfer, reversed), Some(Refusal::Illegal(transfer.id)), "a transfer is never reversed");
}

#[test]
fn what_is_captured_is_what_the_items_say_and_not_more_than_approved() {
    let facts = card(1, PaymentKind::Authorization, euro(100));
    let sent = begins(SENT);
    let approval = approved(&facts, &sent);
    let open = Standing { approved: 100, approval: None, ..then(&sent, State::Approved) };
    let book = landed(vec![accept(facts.clone()), approval]);
    let illegal = Some(Refusal::Illegal(facts.id));
    let complete = |minor| captured(&facts, &open, Cause::Completion, euro(minor), day(0));
    assert_eq!(why(&book, complete(100)), None);
    assert_eq!(why(&book, complete(60)), None, "less is fine");
    assert_eq!(why(&book, complete(130)), None, "more is exposure");
    let edit = |minor: i64, change: &dyn Fn(&mut Command, &mut Standing)| {
        let mut command = complete(minor);
        let Some(PaymentWrite::Change { mut standing, id, cause, egress }) = command.payment.take() else { return None };
        change(&mut command, &mut standing);
        command.payment = Some(PaymentWrite::Change { standing, id, cause, egress });
        why(&book, command)
    };
    assert_eq!(edit(130, &|command, _| command.journals.truncate(1)), illegal, "the excess has to be posted");
    assert_eq!(edit(60, &|_, standing| standing.captured = 61), illegal);
    assert_eq!(edit(60, &|_, standing| standing.captured = -60), illegal);
    assert_eq!(edit(60, &|_, standing| standing.captures = 2), illegal);
    assert_eq!(edit(60, &|command, _| command.capture = None), illegal);
    let foreign = |command: &mut Command| command.capture.as_mut().unwrap().amount = Amount::new(60, Currency::USD).unwrap();
    assert_eq!(edit(60, &|command, _| foreign(command)), illegal);
    assert_eq!(edit(60, &|command, _| command.capture.as_mut().unwrap().payment = id(9)), illegal);
    let nobody = Command { payment: None, ..complete(60) };
    assert_eq!(why(&book, nobody), illegal, "an item without its payment");
}

#[test]
fn a_sale_is_taken_back_once_and_not_below_nothing() {
    let facts = card(1, PaymentKind::Purchase, euro(100));
    let sale = captured(&facts, &begins(SENT), Cause::Capture, euro(100), day(0));
    let Some(PaymentWrite::Change { standing, .. }) = sale.payment else { panic!("a change") };
    let book = landed(vec![accept(facts.clone()), sale]);
    let void = reversed_by_acquirer(&facts, &standing, 1, day(0));
    assert_eq!(why(&book, void.clone()), None);
    let mut more = void.clone();
    more.capture.as_mut().unwrap().amount = euro(101);
    assert_eq!(why(&book, more), Some(Refusal::Illegal(facts.id)));
    let staged = stage(&book, vec![void.clone(), void]);
    assert_eq!(whys(&staged), [(2, Refusal::Version(facts.id))]);
}

#[test]
fn a_hold_is_placed_once_and_released_as_it_was_placed() {
    let paid = transfer(1, 0, euro(60));
    let book = landed(vec![deposited(1, 0, euro(100)), accept_transfer(paid.clone(), 0)]);
    let place = Command { payment: None, claim: None, ..accept_transfer(paid.clone(), 0) };
    let duplicate = Some(Refusal::Duplicate);
    assert_eq!(why(&book, place), duplicate);
    let release = |from, minor| {
        let hold = Some(ledger::HoldWrite::Release { payment: paid.id, account: customer(from), amount: euro(minor) });
        Command { hold, ..Command::at(samples::START) }
    };
    assert_eq!(why(&book, release(0, 59)), duplicate);
    assert_eq!(why(&book, release(1, 60)), duplicate);
    let staged = stage(&book, vec![release(0, 60), release(0, 60)]);
    assert_eq!(whys(&staged), [(2, Refusal::Duplicate)]);
}

#[test]
fn owed_messages_are_numbered_and_end_once() {
    let facts = card(1, PaymentKind::Purchase, euro(5));
    let sent = begins(SENT);
    let mut book = landed(vec![accept(facts.clone())]);
    assert_eq!(why(&book, timed_out(&facts, &sent, 2)), Some(Refusal::Duplicate), "a gap");
    assert_eq!(why(&book, timed_out(&facts, &sent, 0)), Some(Refusal::Duplicate));
    land(&mut book, vec![timed_out(&facts, &sent, 1)]);
    let ended = samples::acknowledged(&facts, &then(&sent, State::Reversing), 1);
    let only_lane = Command { payment: None, ..ended.clone() };
    let staged = stage(&book, vec![ended, only_lane.clone()]);
    assert_eq!(whys(&staged), [(2, Refusal::Duplicate)]);
    book.landed(staged);
    assert_eq!(why(&book, only_lane), Some(Refusal::Duplicate));
}

#[test]
fn days_open_in_order_and_captures_belong_to_one_that_is_not_closed() {
    let open = |n| Command { day_opened: Some(day(n)), ..Command::at(samples::START) };
    let close = |n| Command { day_closed: Some(day(n)), ..Command::at(samples::START) };
    let facts = card(1, PaymentKind::Purchase, euro(5));
    let sale = |n| captured(&facts, &begins(SENT), Cause::Capture, euro(5), day(n));
    let mut book = landed(vec![open(0), accept(facts.clone())]);
    assert_eq!(why(&book, open(0)), Some(Refusal::Day(day(0))));
    assert_eq!(why(&book, close(0)), Some(Refusal::Day(day(0))), "it was not cut");
    assert_eq!(why(&book, sale(1)), Some(Refusal::Day(day(1))), "it is not open yet");
    land(&mut book, vec![open(1)]);
    assert_eq!((book.day(), book.closing()), (Some(day(1)), Some(day(0))));
    assert_eq!(why(&book, open(2)), Some(Refusal::Day(day(2))), "one day at a time");
    assert_eq!(why(&book, sale(0)), None, "what was accepted before the cut belongs to the day before");
    assert_eq!(why(&book, sale(1)), None);
    land(&mut book, vec![close(0)]);
    assert_eq!(why(&book, sale(0)), Some(Refusal::Day(day(0))));
    let staged = stage(&book, vec![open(2), sale(1), close(1), sale(1)]);
    assert_eq!(whys(&staged), [(4, Refusal::Version(facts.id))]);
    assert_eq!(why(&landed(vec![open(0), open(1), close(0)]), open(2)), None);
}

#[test]
fn marks_name_every_link_and_the_oldest_payment_without_outcome() {
    let cards: Vec<_> = (1..=3).map(|n| card(n, PaymentKind::Purchase, euro(5))).collect();
    let mut book = landed(cards.iter().cloned().map(accept).collect());
    assert_eq!(book.marks().oldest_open, Some(id(1)));
    assert_eq!(book.marks().stans, [(NETWORK, payments::Stan::new(4).unwrap())]);
    land(&mut book, vec![declined(&cards[0], &begins(SENT)), timed_out(&cards[1], &begins(SENT), 1)]);
    assert_eq!(book.marks().oldest_open, Some(id(3)), "a reversal is owed by its lane");
    let staged = stage(&book, vec![declined(&cards[2], &begins(SENT))]);
    assert_eq!(staged.batch.marks.oldest_open, None);
    assert_eq!(staged.batch.marks.stans.len(), 1, "links that were not used in this batch stay");
    assert_eq!(book.marks().oldest_open, Some(id(3)), "staging changes nothing");
}

#[test]
fn a_block_is_rebuilt_without_an_item_and_with_what_depended_on_it() {
    let facts = card(1, PaymentKind::Purchase, euro(5));
    let twin = ledger::Payment { claim: facts.claim, ..card(2, PaymentKind::Purchase, euro(6)) };
    let other = card(3, PaymentKind::Purchase, euro(7));
    let commands = vec![deposited(1, 0, euro(50)), accept(facts.clone()), accept(twin), deposited(2, 0, euro(1)), accept(other)];
    let staged = stage(&book(), commands);
    let taken = Refusal::ClaimTaken(facts.claim);
    assert_eq!(whys(&staged), [(3, taken)]);
    // The store says that the payment exists; its claim is free then, for the one behind it.
    let without = book().without(&FENCE, staged, 1, Refusal::Version(facts.id));
    assert_eq!(whys(&without), [(2, Refusal::Version(facts.id))]);
    let seqs: Vec<u64> = without.batch.items.iter().map(|item| item.seq.0).collect();
    assert_eq!(seqs, [1, 3, 4, 5]);
    let again = book().without(&FENCE, without, 1, taken);
    assert_eq!(whys(&again), [(2, Refusal::Version(facts.id)), (3, taken)]);
    let commands = vec![deposited(1, 0, euro(50)), deposited(2, 0, euro(1)), accept(card(3, PaymentKind::Purchase, euro(7)))];
    let fresh = book().stage(&FENCE, [1, 4, 5].map(Seq).into_iter().zip(commands).collect());
    assert_eq!(again.batch, fresh.batch, "never patched: the block is what it would have been");
    let same = book().without(&FENCE, again, 99, taken);
    assert_eq!(same.batch, fresh.batch);
}

#[test]
fn numbers_run_on_without_gaps() {
    let facts = card(1, PaymentKind::Purchase, euro(5));
    let mut book = landed(vec![accept(facts.clone()), deposited(1, 0, euro(5)), deposited(2, 0, euro(5))]);
    let sale = captured(&facts, &begins(SENT), Cause::Capture, euro(5), day(0));
    let staged = stage(&book, vec![deposited(3, 0, euro(5)), sale]);
    let item = &staged.batch.items[1];
    assert_eq!(item.command.journals[0].number, 4);
    assert_eq!(item.command.capture.map(|item| item.seq), Some(1));
    assert_eq!(item.command.outbox.as_ref().map(|event| event.seq), Some(1));
    let numbers: Vec<(i64, i64, i64)> = item.entries.iter().map(|e| (e.account, e.version, e.balance_after)).collect();
    assert_eq!(numbers, [(3, 1, -5), (4, 1, 5)]);
    let opened: Vec<(i64, bool, i64)> =
        staged.batch.accounts.iter().map(|write| (write.state.id, write.opened, write.before)).collect();
    assert_eq!(opened, [(1, false, 2), (2, false, 2), (3, true, 0), (4, true, 0)]);
    book.landed(staged);
    let numbers = book.numbers();
    assert_eq!((numbers.journal, numbers.capture, numbers.outbox, numbers.account), (4, 1, 1, 4));
    let payable = postings::merchant_pending(&ACQUIRER, &MERCHANT);
    assert_eq!(book.account(payable, Currency::EUR).map(|account| account.balances.net_credit()), Some(5));
}

#[test]
fn nothing_to_commit_is_no_block() {
    let mut book = landed(vec![deposited(1, 0, euro(5))]);
    let head = book.head();
    let staged = stage(&book, vec![deposited(1, 0, euro(5))]);
    assert!(staged.batch.items.is_empty());
    book.landed(staged);
    assert_eq!(book.head(), head);
}

#[test]
#[should_panic(expected = "landed on a book whose next block is 2")]
fn a_batch_lands_once() {
    let mut book = book();
    let staged = stage(&book, vec![deposited(1, 0, euro(5))]);
    book.landed(staged.clone());
    book.landed(staged);
}

/// The format of items and blocks is for ever: what was hashed must read the same in ten years.
#[test]
fn the_canonical_form_does_not_drift() {
    let facts = card(1, PaymentKind::Purchase, euro(1250));
    let sale = captured(&facts, &begins(SENT), Cause::Capture, euro(1250), day(0));
    let staged = stage(&book(), vec![accept(facts), sale]);
    let bodies: Vec<&str> = staged.batch.items.iter().map(|item| item.body.as_str()).collect();
    assert_eq!(bodies.join("\n") + "\n", include_str!("canonical.json"));
    assert_eq!(staged.batch.header.previous, Hash::GENESIS);
    assert_eq!(staged.batch.hash.to_string(), "e23b0598b5c865897b76309dd32a35de218d41e110a44cfdab7aaa73d898e08a");
}
