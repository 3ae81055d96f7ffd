//! A batch is durable whole or not at all.

use ledger::{Book, ClaimKey, CommitError, Found, Landed, Lookup, OpenError, Refusal, Snapshot, Store};
use payments::{PaymentId, State};
use store::test_support::TestDatabase;
use store::{LEDGER, PgStore};

use crate::fixture::*;

async fn fresh() -> (TestDatabase, PgStore) {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    (database, store)
}

async fn payment(store: &PgStore, number: u64) -> Option<ledger::PaymentRecord> {
    match store.lookup(SHARD, &Lookup::Payment(id(number))).await.unwrap() {
        Found::Payments(found) => found.into_iter().next(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_committed_is_found_again_by_every_road() {
    let (database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    assert_eq!(snapshot, Snapshot::empty());
    let mut book = Book::open(SHARD, &snapshot);
    for commands in
        [vec![open_day(), begin(1), begin(2), begin(3), deposit(100, 5000)], vec![capture(1), time_out(2), hold(9, 3000)]]
    {
        let staged = stage(&book, &fence, commands);
        let committed = store.commit(&fence, &staged.batch).await.unwrap();
        assert_eq!(committed.block(), staged.batch.header.number);
        book.landed(staged);
    }
    let one = payment(&store, 1).await.unwrap();
    assert_eq!((one.standing.state, one.standing.captured, one.facts.clone()), (State::Captured, 1250, facts(1)));
    let found = store.lookup(SHARD, &Lookup::Rrn { terminal: text("TERM0001"), rrn: rrn(1) }).await.unwrap();
    assert_eq!(found, Found::Payments(vec![one.clone()]));
    match store.lookup(SHARD, &Lookup::Claim(key(1))).await.unwrap() {
        Found::Claim(Some(claim)) => {
            assert_eq!((claim.body, claim.tombstone), (body(), false));
            assert_eq!(claim.answer, Some(approved(1)));
            assert_eq!(claim.payment, Some(one));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.lookup(SHARD, &Lookup::Claim(key(77))).await.unwrap(), Found::Claim(None));
    match store.lookup(SHARD, &Lookup::Lanes { after: (PaymentId::FIRST, 0), max: 10 }).await.unwrap() {
        Found::Lanes(lanes) => {
            assert_eq!(lanes.iter().map(|lane| lane.item.clone()).collect::<Vec<_>>(), [lane(2, 1)]);
            assert_eq!(lanes.first().map(|lane| lane.payment.lane_items), Some(1));
        }
        other => panic!("{other:?}"),
    }

    // Another owner starts from the same book.
    let (next, snapshot) = store.open(SHARD, OTHER).await.unwrap();
    assert!(next.epoch > fence.epoch);
    let again = Book::open(SHARD, &snapshot);
    assert_eq!((again.head(), again.numbers(), again.marks()), (book.head(), book.numbers(), book.marks()));
    assert!(again.accounts().eq(book.accounts()));
    assert_eq!(snapshot.open.iter().map(|record| record.facts.id).collect::<Vec<_>>(), [id(3)]);
    assert_eq!((snapshot.day, snapshot.closing), (Some(day()), None));
    assert_eq!(snapshot.lanes.len(), 1);
    drop(database);
}

#[tokio::test]
async fn one_refused_item_writes_nothing_of_its_batch() {
    let (_database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let staged = stage(&book, &fence, [open_day(), begin(1), begin(2), time_out(2), deposit(50, 100)]);
    store.commit(&fence, &staged.batch).await.unwrap();
    book.landed(staged);
    let head = book.head();
    let other_payment = |number: u64, known: u64| {
        let mut command = begin(number);
        command.claim = command.claim.map(|claim| ledger::TakenClaim { key: key(known), ..claim });
        command
    };
    let mut answer_for_nobody = begin(5);
    answer_for_nobody.answers = vec![(key(99), approved(5))];
    let mut lane_again = begin(6);
    lane_again.lanes = vec![ledger::LaneWrite::Owe(Box::new(lane(2, 1)))];
    let mut lane_for_nobody = begin(6);
    lane_for_nobody.lanes = vec![ledger::LaneWrite::Owe(Box::new(lane(66, 1)))];
    let cases: Vec<(ledger::Command, Refusal)> = vec![
        (other_payment(4, 1), Refusal::ClaimTaken(key(1))),
        (begin(1), Refusal::ClaimTaken(key(1))),
        (capture(3), Refusal::Version(id(3))),
        (time_out(2), Refusal::Version(id(2))),
        (answer_for_nobody, Refusal::Duplicate),
        (lane_again, Refusal::Duplicate),
        (lane_for_nobody, Refusal::Duplicate),
    ];
    for (command, why) in cases {
        let batch = blind(head, &fence, vec![begin(10), command, begin(11)]);
        let refused = store.commit(&fence, &batch).await;
        assert_eq!(refused, Err(CommitError::Refused { item: 1, why }), "{why:?}");
        assert_eq!(payment(&store, 10).await, None);
    }
    // The connection goes on, and the chain has no gap.
    let staged = stage(&book, &fence, [begin(10), begin(11)]);
    store.commit(&fence, &staged.batch).await.unwrap();
    assert!(payment(&store, 11).await.is_some());
}

#[tokio::test]
async fn an_owner_that_was_fenced_out_writes_nothing() {
    let (_database, store) = fresh().await;
    let (old, snapshot) = store.open(SHARD, ME).await.unwrap();
    let (new, _) = store.open(SHARD, OTHER).await.unwrap();
    let book = Book::open(SHARD, &snapshot);
    let staged = stage(&book, &old, [begin(1)]);
    assert_eq!(store.commit(&old, &staged.batch).await, Err(CommitError::Fenced { by: new.epoch }));
    assert_eq!(store.resolve(&old, ME, &staged.batch).await, Err(OpenError::Fenced { by: new.epoch }));
    let staged = stage(&book, &new, [begin(1)]);
    store.commit(&new, &staged.batch).await.unwrap();
    assert!(payment(&store, 1).await.is_some());
}

#[tokio::test]
async fn a_batch_that_is_not_the_next_block_or_not_what_it_says_is_broken() {
    let (_database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let good = stage(&book, &fence, [begin(1), begin(2)]);
    let mut changed = good.batch.clone();
    changed.items.swap(0, 1);
    assert!(matches!(store.commit(&fence, &changed).await, Err(CommitError::Broken(_))));
    let mut renumbered = good.batch.clone();
    renumbered.header.number.0 = 2;
    assert!(matches!(store.commit(&fence, &renumbered).await, Err(CommitError::Broken(_))));
    renumbered.hash = renumbered.header.hash();
    assert!(matches!(store.commit(&fence, &renumbered).await, Err(CommitError::Broken(_))));
    store.commit(&fence, &good.batch).await.unwrap();
    assert!(matches!(store.commit(&fence, &good.batch).await, Err(CommitError::Broken(_))));
    book.landed(good);
    let mut behind = stage(&book, &fence, [begin(3)]).batch;
    behind.header.previous = ledger::Hash([9; 32]);
    behind.hash = behind.header.hash();
    assert!(matches!(store.commit(&fence, &behind).await, Err(CommitError::Broken(_))));
    assert_eq!(payment(&store, 3).await, None);
}

#[tokio::test]
async fn half_a_batch_is_not_committed_when_the_other_half_cannot_be_written_down() {
    let (_database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let book = Book::open(SHARD, &snapshot);
    // A time that PostgreSQL does not have: payments go out before it is met, items behind it.
    let mut timeless = begin(2);
    let item = ledger::LaneItem { payment: id(2), not_before: payments::Wall(i64::MIN), ..lane(2, 1) };
    timeless.lanes = vec![ledger::LaneWrite::Owe(Box::new(item))];
    let staged = stage(&book, &fence, [begin(1), timeless]);
    assert!(matches!(store.commit(&fence, &staged.batch).await, Err(CommitError::Broken(_))));
    assert_eq!(payment(&store, 1).await, None);
    let staged = stage(&book, &fence, [begin(1)]);
    store.commit(&fence, &staged.batch).await.unwrap();
}

#[tokio::test]
async fn resolve_says_whether_a_batch_is_there() {
    let (_database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let staged = stage(&book, &fence, [begin(1)]);
    let (fence, landed) = store.resolve(&fence, ME, &staged.batch).await.unwrap();
    assert_eq!(landed, Landed::No);
    // The same bytes again, under the new epoch.
    store.commit(&fence, &staged.batch).await.unwrap();
    let (fence, landed) = store.resolve(&fence, ME, &staged.batch).await.unwrap();
    assert_eq!(landed, Landed::Yes(staged.batch.committed(&fence)));
    book.landed(staged);
    let next = stage(&book, &fence, [capture(1)]);
    store.commit(&fence, &next.batch).await.unwrap();
}

#[tokio::test]
async fn a_damaged_head_is_not_opened() {
    let (database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let staged = stage(&Book::open(SHARD, &snapshot), &fence, [begin(1), begin(2)]);
    store.commit(&fence, &staged.batch).await.unwrap();
    let admin = database.administer().await.unwrap();
    for (harm, heal) in [
        (
            "update ledger.item set body = replace(body, '1250', '1251') where idx = 0",
            "update ledger.item set body = replace(body, '1251', '1250') where idx = 0",
        ),
        ("update ledger.block set epoch = epoch + 1", "update ledger.block set epoch = epoch - 1"),
    ] {
        let without = |text: &str| {
            format!(
                "set session_replication_role = origin; alter table ledger.item disable trigger keep; alter table ledger.block disable trigger keep; {text}"
            )
        };
        admin.batch_execute(&without(harm)).await.unwrap();
        assert!(matches!(store.open(SHARD, ME).await, Err(OpenError::Damaged(_))), "{harm}");
        admin.batch_execute(&without(heal)).await.unwrap();
        store.open(SHARD, ME).await.unwrap();
    }
}

#[tokio::test]
async fn the_runtime_role_cannot_change_facts_and_an_operator_is_stopped_by_triggers() {
    let (database, store) = fresh().await;
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let staged = stage(&Book::open(SHARD, &snapshot), &fence, [open_day(), begin(1), capture(1), deposit(5, 10)]);
    store.commit(&fence, &staged.batch).await.unwrap();
    let runtime = store::test_support::connect(&database.runtime()).await.unwrap();
    let admin = database.administer().await.unwrap();
    let facts = ["block", "item", "claim", "answer", "event", "journal", "entry", "capture", "evidence", "outbox"];
    for table in facts {
        for text in [
            format!("update ledger.{table} set shard = shard"),
            format!("delete from ledger.{table}"),
            format!("truncate ledger.{table}"),
        ] {
            let refused = runtime.batch_execute(&text).await.unwrap_err();
            assert_eq!(refused.code().map(|code| code.code()), Some("42501"), "{text}");
            let stopped = admin.batch_execute(&text).await.unwrap_err();
            assert_eq!(stopped.code().map(|code| code.code()), Some("SW004"), "{text}");
            let replayed = format!("set session_replication_role = replica; {text}");
            assert!(admin.batch_execute(&replayed).await.is_err(), "{text}");
            admin.batch_execute("set session_replication_role = origin").await.unwrap();
        }
    }
    for text in [
        "delete from ledger.payment",
        "truncate ledger.account",
        "update ledger.payment set amount = 1",
        "update ledger.account set code = 'mine'",
    ] {
        assert!(runtime.batch_execute(text).await.is_err(), "{text}");
        let stopped = admin.batch_execute(text).await.unwrap_err();
        assert_eq!(stopped.code().map(|code| code.code()), Some("SW004"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_could_lose_what_it_confirmed_is_refused() {
    let (database, _store) = fresh().await;
    let mut config = database.admin();
    config.options("-c synchronous_commit=off");
    let refused = PgStore::connect(config, store::StoreOptions::default()).await.err();
    assert!(matches!(refused, Some(store::Error::Unsafe { setting: "synchronous_commit", .. })), "{refused:?}");
}

#[tokio::test]
async fn shards_do_not_see_each_other() {
    let (_database, store) = fresh().await;
    let other = payments::Shard(4);
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let (fence_there, snapshot_there) = store.open(other, ME).await.unwrap();
    let here = stage(&Book::open(SHARD, &snapshot), &fence, [begin(1)]);
    let there = stage(&Book::open(other, &snapshot_there), &fence_there, [begin(1)]);
    store.commit(&fence, &here.batch).await.unwrap();
    store.commit(&fence_there, &there.batch).await.unwrap();
    assert_ne!(here.batch.hash, there.batch.hash);
    let unknown: ClaimKey = key(1);
    assert_eq!(store.lookup(payments::Shard(5), &Lookup::Claim(unknown)).await.unwrap(), Found::Claim(None));
}
