//! The laws of a store, over memory; and its faults.

use ledger::suite::{self, Writer, node, samples};
use ledger::{CommitError, Fault, Landed, Lookup, MemoryStore, OpenError, PaymentKind, Store};
use payments::Shard;

use crate::ready;

const SHARD: Shard = Shard(1);

#[test]
fn the_memory_store_keeps_the_laws() {
    ready(suite::all(&MemoryStore::new(), Shard(1)));
}

fn staged(writer: &mut Writer<'_, MemoryStore>, n: u32) -> ledger::Staged {
    writer.stage(vec![samples::accept(samples::card(n, PaymentKind::Purchase, samples::euro(5)))])
}

#[test]
fn an_unknown_commit_lands_or_not_as_scripted_and_resolve_tells() {
    for (fault, lands) in [(Fault::UnknownLanded, true), (Fault::UnknownLost, false), (Fault::UnknownLate, true)] {
        let store = MemoryStore::new();
        let mut writer = ready(Writer::open(&store, SHARD, node(1)));
        let staged = staged(&mut writer, 1);
        store.next_commit(SHARD, fault);
        assert!(matches!(store.commit_now(&writer.fence, &staged.batch), Err(CommitError::Unknown(_))));
        let (fence, landed) = store.resolve_now(&writer.fence, node(1), &staged.batch).unwrap();
        assert_eq!(matches!(landed, Landed::Yes(_)), lands, "{fault:?}");
        if !lands {
            store.commit_now(&fence, &staged.batch).unwrap();
        }
        assert_eq!(store.payments(SHARD).len(), 1);
    }
}

#[test]
fn a_late_commit_is_seen_by_nobody_before_it_lands_and_is_lost_in_a_crash() {
    let store = MemoryStore::new();
    let mut writer = ready(Writer::open(&store, SHARD, node(1)));
    let staged = staged(&mut writer, 1);
    store.next_commit(SHARD, Fault::UnknownLate);
    assert!(store.commit_now(&writer.fence, &staged.batch).is_err());
    assert_eq!(store.payments(SHARD).len(), 0);
    assert_eq!(store.crash(), 0);
    let (_, landed) = store.resolve_now(&writer.fence, node(1), &staged.batch).unwrap();
    assert_eq!(landed, Landed::No);
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged_unless_the_store_lies() {
    for lies in [false, true] {
        let store = MemoryStore::new();
        let mut writer = ready(Writer::open(&store, SHARD, node(1)));
        ready(writer.must(vec![samples::deposited(1, 0, samples::euro(70))]));
        store.acknowledge_early(lies);
        ready(writer.must(vec![samples::deposited(2, 0, samples::euro(7))]));
        assert_eq!(store.crash(), usize::from(lies));
        let found: Vec<i64> = store.accounts(SHARD).iter().map(|account| account.balances.posted_credit).collect();
        assert_eq!(found.iter().max().copied(), Some(if lies { 70 } else { 77 }));
    }
}

#[test]
fn a_store_that_is_switched_off_says_so() {
    let store = MemoryStore::new();
    let mut writer = ready(Writer::open(&store, SHARD, node(1)));
    let staged = staged(&mut writer, 1);
    store.set_reachable(false);
    assert!(matches!(store.open_now(SHARD, node(2)), Err(OpenError::Unavailable(_))));
    assert!(matches!(store.commit_now(&writer.fence, &staged.batch), Err(CommitError::Unknown(_))));
    assert!(ready(store.lookup(SHARD, &Lookup::Payment(samples::id(1)))).is_err());
    store.set_reachable(true);
    store.commit_now(&writer.fence, &staged.batch).unwrap();
}

#[test]
fn a_forged_batch_is_broken() {
    let store = MemoryStore::new();
    let mut writer = ready(Writer::open(&store, SHARD, node(1)));
    let mut staged = staged(&mut writer, 1);
    staged.batch.items[0].body.push(' ');
    assert!(matches!(store.commit_now(&writer.fence, &staged.batch), Err(CommitError::Broken(_))));
}
