//! The laws, one function each.

use payments::{Cause, PaymentId, Shard, State};

use super::samples::{
    BANK, NETWORK, TERMINAL, accept, accept_transfer, acknowledged, begins, body, captured, card, change, claim_key, customer,
    day, declined, deposited, euro, executed, id, owed, refused_for_good, rrn, then, timed_out, tombstone, transfer,
};
use super::{History, Writer, node};
use crate::Refusal;
use crate::command::{Command, HoldWrite, LaneKind, PaymentKind, PaymentWrite, Standing};
use crate::memory::MemoryStore;
use crate::store::{ClaimRecord, CommitError, Found, Landed, Lookup, OpenError, OpenLane, PaymentRecord, Snapshot, Store};

/// Further shards that [`any_split_into_batches_gives_the_same`] uses behind its first one.
pub(super) const SPLITS: u16 = 2;

async fn payments(store: &impl Store, shard: Shard, what: Lookup) -> Vec<PaymentRecord> {
    match store.lookup(shard, &what).await {
        Ok(Found::Payments(found)) => found,
        other => panic!("{what:?} found {other:?}"),
    }
}

async fn claim(store: &impl Store, shard: Shard, n: u32) -> Option<ClaimRecord> {
    match store.lookup(shard, &Lookup::Claim(claim_key(n))).await {
        Ok(Found::Claim(found)) => found.map(|record| *record),
        other => panic!("claim {n}: {other:?}"),
    }
}

async fn lanes(store: &impl Store, shard: Shard, after: (PaymentId, i16), max: usize) -> Vec<OpenLane> {
    match store.lookup(shard, &Lookup::Lanes { after, max }).await {
        Ok(Found::Lanes(found)) => found,
        other => panic!("lanes behind {after:?}: {other:?}"),
    }
}

/// What was committed is found again: payment, claim, stored answer, the facts byte for byte.
pub async fn commands_come_back(store: &impl Store, shard: Shard) {
    let (fence, snapshot) = store.open(shard, node(1)).await.expect("opens");
    assert_eq!(snapshot, Snapshot::empty());
    assert_eq!(fence.shard, shard);
    let mut writer = Writer::open(store, shard, node(1)).await;
    assert!(writer.fence.epoch > fence.epoch, "each owner has a higher epoch, the same node too");
    assert_eq!(claim(store, shard, 1).await, None);
    assert_eq!(payments(store, shard, Lookup::Payment(id(1))).await, []);

    let facts = card(1, PaymentKind::Purchase, euro(1250));
    writer.must(vec![Command { day_opened: Some(day(0)), ..accept(facts.clone()) }]).await;
    let record = PaymentRecord { facts: facts.clone(), standing: begins(State::Sent), lane_items: 0 };
    assert_eq!(payments(store, shard, Lookup::Payment(id(1))).await, std::slice::from_ref(&record));
    let wanted = ClaimRecord { body: body(&facts), tombstone: false, answer: None, payment: Some(record.clone()) };
    assert_eq!(claim(store, shard, 1).await, Some(wanted));

    let outcome = captured(&facts, &record.standing, Cause::Capture, euro(1250), day(0));
    let standing = standing_of(&outcome);
    let answer = outcome.answers.first().map(|(_, answer)| answer.clone());
    writer.must(vec![outcome]).await;
    let found = claim(store, shard, 1).await.expect("the claim");
    assert_eq!(found.answer, answer, "the answer for repeats");
    assert_eq!(found.payment.map(|payment| payment.standing), Some(standing));
    // A reversal also ends the claim of its original: what repeats of that get is the later answer.
    let later = payments::Answer::code(payments::ResponseCode::NO_ACTION);
    writer.must(vec![Command { answers: vec![(facts.claim, later.clone())], ..Command::at(facts.accepted) }]).await;
    assert_eq!(claim(store, shard, 1).await.expect("the claim").answer, Some(later));

    // A transfer has no header, no card, and text outside ASCII.
    let transfer = transfer(2, 0, euro(300));
    let deposit = deposited(1, 0, euro(1000));
    writer.must(vec![deposit, accept_transfer(transfer.clone(), 0)]).await;
    let found = payments(store, shard, Lookup::Payment(id(2))).await;
    assert_eq!(found.first().map(|record| &record.facts), Some(&transfer));

    writer.must(vec![tombstone(3)]).await;
    let found = claim(store, shard, 3).await.expect("the tombstone");
    assert!(found.tombstone && found.payment.is_none() && found.answer.is_some());
}

/// A failover replaces the header that the facts hold; a claim that exists refuses its command alone,
/// in the same batch, from the book's memory, and by the store's key when the book has forgotten.
pub async fn a_claim_exists_once(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let first = card(1, PaymentKind::Purchase, euro(100));
    let second = card(2, PaymentKind::Purchase, euro(200));
    let twin = super::samples::card(3, PaymentKind::Purchase, euro(100));
    let twin = crate::Payment { claim: first.claim, ..twin };
    let refused = writer.write(vec![accept(first.clone()), accept(twin.clone()), accept(second)]).await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused.first().map(|(_, why)| *why), Some(Refusal::ClaimTaken(first.claim)));
    assert_eq!(payments(store, shard, Lookup::Payment(twin.id)).await, []);
    assert_eq!(payments(store, shard, Lookup::Payment(id(2))).await.len(), 1);

    // A new owner's book does not know the claim: the store has to refuse, and the rest still lands.
    let mut writer = Writer::open(store, shard, node(2)).await;
    let third = card(4, PaymentKind::Purchase, euro(300));
    let staged = writer.stage(vec![accept(third.clone()), accept(twin.clone())]);
    assert_eq!(staged.batch.items.len(), 2);
    match store.commit(&writer.fence, &staged.batch).await {
        Err(CommitError::Refused { item: 1, why: Refusal::ClaimTaken(key) }) => assert_eq!(key, first.claim),
        other => panic!("{other:?}"),
    }
    assert_eq!(payments(store, shard, Lookup::Payment(third.id)).await, [], "refused means that nothing landed");
    let again = writer.book.without(&writer.fence, staged, 1, Refusal::ClaimTaken(first.claim));
    assert_eq!(again.batch.items.len(), 1);
    store.commit(&writer.fence, &again.batch).await.expect("the block without it lands");
    writer.book.landed(again);
    assert_eq!(payments(store, shard, Lookup::Payment(third.id)).await.len(), 1);

    let mut writer = Writer::open(store, shard, node(3)).await;
    let refused = writer.write(vec![tombstone(1), tombstone(9)]).await;
    assert_eq!(refused.first().map(|(_, why)| *why), Some(Refusal::ClaimTaken(first.claim)), "a tombstone is a claim");
    assert!(claim(store, shard, 9).await.is_some_and(|found| found.tombstone));
}

/// A payment changes from the version that it has, once.
pub async fn a_version_exists_once(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let facts = card(1, PaymentKind::Purchase, euro(100));
    let accepted = begins(State::Sent);
    let decline = declined(&facts, &accepted);
    writer.must(vec![accept(facts.clone()), decline]).await;

    // Settled payments are not in a snapshot, so only the store can tell.
    let mut writer = Writer::open(store, shard, node(2)).await;
    let late = change(&facts, Cause::Approval, then(&accepted, State::Approved));
    let unknown = card(7, PaymentKind::Purchase, euro(7));
    let nobody = change(&unknown, Cause::Approval, then(&accepted, State::Approved));
    let fresh = card(2, PaymentKind::Purchase, euro(5));
    let refused = writer.write(vec![late, nobody, accept(fresh.clone())]).await;
    let whys: Vec<Refusal> = refused.into_iter().map(|(_, why)| why).collect();
    assert_eq!(whys, [Refusal::Version(facts.id), Refusal::Version(unknown.id)]);
    let state = payments(store, shard, Lookup::Payment(facts.id)).await.first().map(|record| record.standing.state);
    assert_eq!(state, Some(State::Declined));
    assert_eq!(payments(store, shard, Lookup::Payment(fresh.id)).await.len(), 1);

    // A payment does not begin twice.
    let mut writer = Writer::open(store, shard, node(3)).await;
    let again = Command { claim: None, ..accept(facts.clone()) };
    assert_eq!(writer.write(vec![again]).await.first().map(|(_, why)| *why), Some(Refusal::Version(facts.id)));

    // A failover keeps the payment and replaces the header.
    let sent = begins(State::Sent);
    let egress = super::samples::egress(2, 2, fresh.amount);
    let payment = PaymentWrite::Change {
        id: fresh.id,
        cause: Cause::Rerouted,
        standing: then(&sent, State::Sent),
        egress: Some(Box::new(egress.clone())),
    };
    writer.must(vec![Command { payment: Some(payment), ..Command::at(fresh.accepted) }]).await;
    let found = payments(store, shard, Lookup::Payment(fresh.id)).await;
    assert_eq!(found.first().and_then(|record| record.facts.egress.clone()), Some(egress));
    assert_eq!(found.first().map(|record| record.standing.version), Some(2));
}

/// Whoever lost the shard can neither write nor resolve any more.
pub async fn an_old_writer_is_fenced_out(store: &impl Store, shard: Shard) {
    let mut old = Writer::open(store, shard, node(1)).await;
    let staged = old.stage(vec![accept(card(1, PaymentKind::Purchase, euro(1)))]);
    let mut new = Writer::open(store, shard, node(2)).await;
    match store.commit(&old.fence, &staged.batch).await {
        Err(CommitError::Fenced { by }) => assert_eq!(by, new.fence.epoch),
        other => panic!("{other:?}"),
    }
    match store.resolve(&old.fence, node(1), &staged.batch).await {
        Err(OpenError::Fenced { by }) => assert_eq!(by, new.fence.epoch),
        other => panic!("{other:?}"),
    }
    assert_eq!(payments(store, shard, Lookup::Payment(id(1))).await, []);
    new.must(vec![accept(card(1, PaymentKind::Purchase, euro(1)))]).await;
}

/// After a lost connection the block itself tells whether the batch landed; if not, the same batch is
/// sent again, under the new epoch.
pub async fn an_unknown_outcome_is_found_out(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let staged = writer.stage(vec![accept(card(1, PaymentKind::Purchase, euro(1)))]);

    // Never arrived.
    let (fence, landed) = store.resolve(&writer.fence, node(1), &staged.batch).await.expect("resolves");
    assert_eq!(landed, Landed::No);
    assert!(fence.epoch > writer.fence.epoch);
    match store.commit(&writer.fence, &staged.batch).await {
        Err(CommitError::Fenced { by }) => assert_eq!(by, fence.epoch, "what comes late is shut out"),
        other => panic!("{other:?}"),
    }
    writer.fence = fence;
    let committed = store.commit(&writer.fence, &staged.batch).await.expect("the same batch lands under the new epoch");
    assert_eq!(committed.epoch(), fence.epoch);

    // Arrived, and the news was lost.
    let (fence, landed) = store.resolve(&writer.fence, node(1), &staged.batch).await.expect("resolves");
    match landed {
        Landed::Yes(found) => {
            assert_eq!((found.block(), found.seqs()), (committed.block(), committed.seqs()));
            assert_eq!(found.epoch(), fence.epoch, "the proof is of the epoch that read it back");
        }
        Landed::No => panic!("it landed"),
    }
    writer.fence = fence;
    writer.book.landed(staged);
    writer.must(vec![accept(card(2, PaymentKind::Purchase, euro(2)))]).await;
    assert_eq!(payments(store, shard, Lookup::Payment(id(1))).await.len(), 1);
}

/// `(payment, number)` of a capture, a hold and a lane item are unique in the store too, for a book
/// that has forgotten them.
pub async fn captures_and_holds_exist_once(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let facts = card(1, PaymentKind::Purchase, euro(100));
    let sale = captured(&facts, &begins(State::Sent), Cause::Capture, euro(100), day(0));
    let silent = card(2, PaymentKind::Purchase, euro(5));
    let (paid, from) = (transfer(3, 0, euro(40)), 0);
    let placed = accept_transfer(paid.clone(), from);
    writer.must(vec![deposited(1, from, euro(100)), accept(facts.clone()), sale.clone(), accept(silent.clone()), placed]).await;
    writer.must(vec![timed_out(&silent, &begins(State::Sent), 1)]).await;
    writer.must(vec![executed(&paid, &begins(State::Sent), from, None)]).await;

    // The change that would capture again is legal for all that a new owner's book knows.
    let mut writer = Writer::open(store, shard, node(2)).await;
    let standing = Standing { version: 3, ..standing_of(&sale) };
    let payment = PaymentWrite::Change { id: facts.id, cause: Cause::Capture, standing, egress: None };
    let again = Command { payment: Some(payment), claim: None, answers: Vec::new(), outbox: None, evidence: None, ..sale };
    let reversal = timed_out(&silent, &begins(State::Sent), 1);
    let owe = Command { lanes: reversal.lanes, ..Command::at(silent.accepted) };
    let amount = paid.amount;
    let hold = HoldWrite::Release { payment: paid.id, account: customer(from), amount };
    let release = Command { hold: Some(hold), ..Command::at(paid.accepted) };
    let refused = writer.write(vec![again, owe, release]).await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|(_, why)| *why == Refusal::Duplicate), "{refused:?}");
    assert_eq!(writer.book.account(customer(from), amount.currency()).map(|a| a.balances.available()), Some(60));
}

/// DE37 and terminal find payments, several if need be, oldest first.
pub async fn payments_are_found_by_rrn(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let first = card(1, PaymentKind::Purchase, euro(1));
    let second = crate::Payment { rrn: rrn(1), ..card(2, PaymentKind::Purchase, euro(2)) };
    let other = card(3, PaymentKind::Purchase, euro(3));
    writer.must(vec![accept(first), accept(second), accept(other)]).await;
    let found = payments(store, shard, Lookup::Rrn { terminal: TERMINAL, rrn: rrn(1) }).await;
    let ids: Vec<PaymentId> = found.iter().map(|record| record.facts.id).collect();
    assert_eq!(ids, [id(1), id(2)]);
    let elsewhere = Lookup::Rrn { terminal: payments::Text::literal("OTHER"), rrn: rrn(1) };
    assert_eq!(payments(store, shard, elsewhere).await, []);
}

/// Owed messages are read in order, page by page, until they end.
pub async fn lanes_are_read_in_pages(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    let silent: Vec<crate::Payment> = (1..=5).map(|n| card(n, PaymentKind::Purchase, euro(1))).collect();
    let sent = begins(State::Sent);
    writer.must(silent.iter().cloned().map(accept).collect()).await;
    writer.must(silent.iter().map(|facts| timed_out(facts, &sent, 1)).collect()).await;
    let first = lanes(store, shard, (PaymentId::FIRST, 0), 2).await;
    let ids = |page: &[OpenLane]| page.iter().map(|lane| (lane.item.payment, lane.item.number)).collect::<Vec<_>>();
    assert_eq!(ids(&first), [(id(1), 1), (id(2), 1)]);
    let lane = first.first().expect("the first");
    assert_eq!((lane.item.link, lane.payment.lane_items, lane.payment.standing.state), (NETWORK, 1, State::Reversing));
    assert_eq!(lane.payment.facts, *silent.first().expect("five"));
    let rest = lanes(store, shard, (id(2), 1), 100).await;
    assert_eq!(ids(&rest), [(id(3), 1), (id(4), 1), (id(5), 1)]);

    let reversing = then(&sent, State::Reversing);
    let facts = silent.get(3).expect("five");
    writer.must(vec![acknowledged(facts, &reversing, 1)]).await;
    assert_eq!(ids(&lanes(store, shard, (id(2), 1), 100).await), [(id(3), 1), (id(5), 1)]);
}

/// The last message of a payment is found where the other side refused it for good, and not once the same is
/// owed again.
pub async fn a_dead_letter_is_found_until_it_is_owed_anew(store: &impl Store, shard: Shard) {
    let dead = async |n: u32| match store.lookup(shard, &Lookup::Dead(id(n))).await {
        Ok(Found::Dead(of, found)) if of == id(n) => found.map(|lane| (lane.item.number, lane.payment.standing.version)),
        other => panic!("dead letter of payment {n}: {other:?}"),
    };
    let mut writer = Writer::open(store, shard, node(1)).await;
    let silent: Vec<crate::Payment> = (1..=3).map(|n| card(n, PaymentKind::Purchase, euro(1))).collect();
    let sent = begins(State::Sent);
    writer.must(silent.iter().cloned().map(accept).collect()).await;
    writer.must(silent.iter().map(|facts| timed_out(facts, &sent, 1)).collect()).await;
    let [refused, done, _] = silent.as_slice() else { panic!("three") };
    let reversing = then(&sent, State::Reversing);
    writer.must(vec![refused_for_good(refused, &reversing, 1), acknowledged(done, &reversing, 1)]).await;
    assert_eq!([dead(1).await, dead(2).await, dead(3).await, dead(4).await], [Some((1, 3)), None, None, None]);
    let owed_anew = then(&then(&reversing, State::Reversing), State::Reversing);
    let lanes = vec![owed(refused, 2, LaneKind::Reversal)];
    writer.must(vec![Command { lanes, ..change(refused, Cause::Revived, owed_anew) }]).await;
    assert_eq!(dead(1).await, None);
    writer.must(vec![refused_for_good(refused, &owed_anew, 2)]).await;
    assert_eq!(dead(1).await, Some((2, 5)));
}

/// A new owner starts from exactly what the last one's book knew.
pub async fn reopening_gives_what_the_book_knows(store: &impl Store, shard: Shard) {
    let mut writer = Writer::open(store, shard, node(1)).await;
    // The same on the reference, so that what the book does not hold is compared too.
    let reference = MemoryStore::new();
    let mut shadow = Writer::open(&reference, shard, node(1)).await;
    let mut history = History::new(7);
    for _ in 0..60 {
        let mut batch = Vec::new();
        for _ in 0..=history.below(6) {
            let command = history.command();
            let alone = shadow.write(vec![command.clone()]).await;
            history.settle(alone.is_empty());
            batch.push(command);
        }
        writer.write(batch).await;
    }
    let (_, found) = store.open(shard, node(2)).await.expect("opens");
    same_as_book(&found, &writer);
    let (_, wanted) = reference.open(shard, node(2)).await.expect("opens");
    assert_eq!(found.open, wanted.open);
    assert_eq!(found.lanes, wanted.lanes);
    assert_eq!(found.more_lanes, wanted.more_lanes);
    assert!(!found.open.is_empty() && !found.lanes.is_empty() && found.accounts.len() > 4, "the history has no population");
    assert!(found.marks.stans.iter().any(|(link, _)| *link == NETWORK));
    assert!(found.accounts.iter().any(|account| account.code == crate::postings::bank_clearing(&BANK)));
}

fn same_as_book<S: Store>(found: &Snapshot, writer: &Writer<'_, S>) {
    let book = &writer.book;
    assert_eq!(found.head, book.head());
    let mut accounts: Vec<_> = book.accounts().copied().collect();
    accounts.sort_by_key(|account| account.id);
    assert_eq!(found.accounts, accounts);
    let numbers = book.numbers();
    assert_eq!((found.journal, found.capture, found.outbox), (numbers.journal, numbers.capture, numbers.outbox));
    assert_eq!((found.day, found.closing), (book.day(), book.closing()));
    assert_eq!(found.marks, book.marks());
    let open: Vec<PaymentId> = found.open.iter().map(|record| record.facts.id).collect();
    assert_eq!(open, book.open_payments().collect::<Vec<_>>());
    assert_eq!(found.marks.oldest_open, open.first().copied());
}

/// However the same commands are cut into batches, the same are refused and the accounts end equal.
pub async fn any_split_into_batches_gives_the_same(store: &impl Store, shard: Shard) {
    let mut one = Writer::open(store, shard, node(1)).await;
    let mut history = History::new(11);
    let mut commands = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..150 {
        let command = history.command();
        let why = one.write(vec![command.clone()]).await;
        history.settle(why.is_empty());
        commands.push(command);
        refused.extend(why);
    }
    assert!(refused.len() > 3, "the history has no population of refusals");
    for split in 0..SPLITS {
        let other = Shard(shard.0.saturating_add(split).saturating_add(1));
        let mut many = Writer::open(store, other, node(1)).await;
        let mut differently = Vec::new();
        let mut left = commands.as_slice();
        while !left.is_empty() {
            let size = if split == 0 { left.len() } else { (history.below(16) as usize + 1).min(left.len()) };
            let (batch, rest) = left.split_at(size);
            differently.extend(many.write(batch.to_vec()).await);
            left = rest;
        }
        assert_eq!(differently, refused);
        let accounts = |book: &crate::Book| book.accounts().copied().collect::<Vec<_>>();
        assert_eq!(accounts(&many.book), accounts(&one.book));
        assert_eq!(many.book.numbers(), one.book.numbers());
        let (_, found) = store.open(other, node(2)).await.expect("opens");
        same_as_book(&found, &many);
    }
}

fn standing_of(command: &Command) -> Standing {
    match &command.payment {
        Some(PaymentWrite::Open { standing, .. } | PaymentWrite::Change { standing, .. }) => *standing,
        None => panic!("no payment in it"),
    }
}
