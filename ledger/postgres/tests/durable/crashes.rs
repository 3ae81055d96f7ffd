//! Lost connections, killed servers, late owners: what was acknowledged is there once, what was not
//! is there once or not at all, and the store can tell which.

use std::future::Future;

use ledger::suite::node;
use ledger::{Book, CommitError, Fence, Landed, Staged, Store};
use store::test_support::{TestDatabase, connect};
use store::{Cluster, Database, LEDGER, PgStore, StoreOptions, verify};
use tokio_postgres::Client;

use crate::cluster::options;
use crate::fixture::*;
use crate::proxy;
use crate::scratch::Scratch;

/// Waits until so many backends of writers wait for something of this kind. Asks, does not sleep.
async fn until_waiting(admin: &Client, event: &str, count: usize) -> i32 {
    let text = "select pid from pg_stat_activity
      where application_name = 'switchyard writer' and datname = current_database() and wait_event = $1";
    for _ in 0..100_000 {
        let waiting = admin.query(text, &[&event]).await.unwrap();
        if waiting.len() >= count {
            return waiting.last().unwrap().get(0);
        }
    }
    panic!("no writer waits for {event}");
}

/// Makes a commit that takes this claim stand in the middle of its transaction, behind its fence: it
/// waits to see whether this row becomes one. Until `holder` ends its transaction.
async fn hold_up(holder: &Client, number: u64) {
    let text = "insert into ledger.claim (shard, key, body, tombstone, day, block, idx)
      values ($1, $2, $2, true, '2026-01-01', 0, 0)";
    let shard = i16::try_from(SHARD.0).unwrap();
    holder.batch_execute("begin").await.unwrap();
    holder.execute(text, &[&shard, &&key(number).0[..]]).await.unwrap();
}

async fn proven(admin: &mut Client) -> u64 {
    let chain = verify::audit(admin, SHARD, []).await.unwrap();
    assert_eq!(chain.findings, []);
    let books = verify::ledger(admin, SHARD).await.unwrap();
    assert_eq!(books.findings, []);
    books.report.items
}

/// Resolves a batch of unknown outcome and sends it again if it is not there. Whether it was there.
async fn settle(store: &PgStore, fence: &mut Fence, staged: &Staged) -> bool {
    let (next, landed) = store.resolve(fence, ME, &staged.batch).await.unwrap();
    assert!(next.epoch > fence.epoch);
    *fence = next;
    if landed == Landed::No {
        store.commit(fence, &staged.batch).await.unwrap();
    }
    landed != Landed::No
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_anywhere_leaves_a_batch_whole_or_absent() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let scratch = Scratch::new();
    let mut config = database.runtime();
    let server = match config.get_hosts() {
        [tokio_postgres::config::Host::Unix(path)] => path.clone(),
        _ => return, // A server over TCP has no socket to stand between.
    };
    let budget = proxy::start(scratch.path(), &server);
    config = {
        let mut through = tokio_postgres::Config::new();
        through.host_path(scratch.path()).port(5432).user(config.get_user().unwrap());
        through.dbname(config.get_dbname().unwrap()).options(config.get_options().unwrap());
        through
    };
    let store = PgStore::connect(config, StoreOptions::default()).await.unwrap();
    let mut admin = database.administer().await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let batch = |book: &Book, fence: &Fence, round: u64| {
        let first = round * 4;
        let mut commands: Vec<_> = (first..first + 4).map(begin).collect();
        commands.extend([capture(first), time_out(first + 1)]);
        if round == 0 {
            commands.insert(0, open_day());
        }
        stage(book, fence, commands)
    };
    // How long a conversation is when nobody cuts it.
    let mut items = 0;
    let mut lengths = (0, 0);
    for round in 0..2 {
        budget.open();
        let staged = batch(&book, &fence, round);
        store.commit(&fence, &staged.batch).await.unwrap();
        lengths = budget.used();
        items += staged.batch.items.len();
        book.landed(staged);
    }
    const CUTS: i64 = 24;
    let (mut landed, mut lost) = (0, 0);
    for round in 2..2 + 2 * u64::try_from(CUTS).unwrap() {
        let step = i64::try_from(round / 2 - 1).unwrap();
        budget.open();
        if round % 2 == 0 {
            budget.to_server.store(lengths.0 * step / CUTS - 1, std::sync::atomic::Ordering::SeqCst);
        } else {
            budget.to_store.store(lengths.1 * step / CUTS - 1, std::sync::atomic::Ordering::SeqCst);
        }
        let staged = batch(&book, &fence, round);
        let outcome = store.commit(&fence, &staged.batch).await;
        budget.open();
        match outcome {
            Ok(_) => {}
            Err(CommitError::Unknown(_)) => match settle(&store, &mut fence, &staged).await {
                true => landed += 1,
                false => lost += 1,
            },
            other => panic!("round {round}: {other:?}"),
        }
        items += staged.batch.items.len();
        book.landed(staged);
    }
    assert!(landed > 0 && lost > 0, "{landed} landed, {lost} lost: both must be met");
    assert_eq!(proven(&mut admin).await, u64::try_from(items).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_a_commit_is_an_unknown_outcome() {
    let scratch = Scratch::new();
    let database = tokio::task::block_in_place(|| Database::Private(Cluster::start(options(scratch.path())).unwrap()));
    database.prepare(&[LEDGER]).await.unwrap();
    let Database::Private(cluster) = &database else { unreachable!() };
    let store = PgStore::connect(database.runtime(), StoreOptions::default()).await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let first = stage(&book, &fence, [open_day(), begin(0)]);
    store.commit(&fence, &first.batch).await.unwrap();
    book.landed(first);
    for round in 1..=3 {
        let admin = connect(&database.admin()).await.unwrap();
        let staged = stage(&book, &fence, (round * 10..round * 10 + 8).map(begin));
        hold_up(&admin, round * 10 + 7).await;
        let commit = store.commit(&fence, &staged.batch);
        let watch = connect(&database.admin()).await.unwrap();
        let kill = async {
            until_waiting(&watch, "transactionid", 1).await;
            tokio::task::block_in_place(|| cluster.kill9());
        };
        let (outcome, ()) = tokio::join!(commit, kill);
        assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
        // Nobody is there: unavailable, not lost.
        assert!(matches!(store.resolve(&fence, ME, &staged.batch).await, Err(ledger::OpenError::Unavailable(_))));
        tokio::task::block_in_place(|| cluster.ensure_running().unwrap());
        assert!(!settle(&store, &mut fence, &staged).await, "its COMMIT never arrived");
        book.landed(staged);
    }
    let found = store.lookup(SHARD, &ledger::Lookup::Payment(id(37))).await.unwrap();
    assert!(matches!(found, ledger::Found::Payments(found) if found.len() == 1));
    let mut admin = connect(&database.admin()).await.unwrap();
    assert_eq!(proven(&mut admin).await, 2 + 3 * 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_an_unknown_outcome_until_it_answers_again() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let patience = StoreOptions { within: std::time::Duration::from_millis(300), ..StoreOptions::default() };
    let store = PgStore::connect(database.runtime(), patience).await.unwrap();
    let mut admin = database.administer().await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let book = Book::open(SHARD, &snapshot);
    let staged = stage(&book, &fence, [open_day(), begin(0), begin(1)]);
    hold_up(&admin, 1).await;
    // Every byte of the batch is with the server, which does not answer: neither success nor failure.
    let outcome = store.commit(&fence, &staged.batch).await;
    assert!(matches!(&outcome, Err(CommitError::Unknown(why)) if why.contains("no answer")), "{outcome:?}");
    // It stands in the way of whoever asks what became of it.
    assert!(matches!(store.resolve(&fence, ME, &staged.batch).await, Err(ledger::OpenError::Unavailable(_))));
    admin.batch_execute("rollback").await.unwrap();
    let landed = loop {
        match store.resolve(&fence, ME, &staged.batch).await {
            Ok((next, landed)) => {
                fence = next;
                break landed;
            }
            Err(ledger::OpenError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    };
    if landed == Landed::No {
        store.commit(&fence, &staged.batch).await.unwrap();
    }
    assert_eq!(proven(&mut admin).await, 3);
}

/// Kills the server while a commit is under way: polled once, so that all of it is with the connection.
async fn commit_and_kill(store: &PgStore, fence: &Fence, staged: &Staged, cluster: &Cluster) -> Result<(), CommitError> {
    let mut commit = std::pin::pin!(store.commit(fence, &staged.batch));
    let early = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await;
    tokio::task::block_in_place(|| cluster.kill9());
    match early {
        std::task::Poll::Ready(outcome) => outcome.map(drop),
        std::task::Poll::Pending => commit.await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_batches_survive_a_kill_at_any_moment() {
    let scratch = Scratch::new();
    let database = tokio::task::block_in_place(|| Database::Private(Cluster::start(options(scratch.path())).unwrap()));
    database.prepare(&[LEDGER]).await.unwrap();
    let Database::Private(cluster) = &database else { unreachable!() };
    let store = PgStore::connect(database.runtime(), StoreOptions::default()).await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let mut random = fastrand::Rng::with_seed(5);
    let (mut number, mut acknowledged, mut in_doubt) = (0, 0, 0);
    for _ in 0..4 {
        let kill_at = number + random.u64(40..400);
        loop {
            let dies = number > kill_at;
            // Some die early in a long transaction, some behind a short one.
            let size = random.u64(1..if dies { 600 } else { 32 });
            let staged = stage(&book, &fence, (number..number + size).map(begin));
            let outcome = if dies {
                commit_and_kill(&store, &fence, &staged, cluster).await
            } else {
                store.commit(&fence, &staged.batch).await.map(drop)
            };
            number += size;
            if dies {
                tokio::task::block_in_place(|| cluster.ensure_running().unwrap());
            }
            match outcome {
                Ok(()) => acknowledged += size,
                Err(CommitError::Unknown(_)) => {
                    in_doubt += size;
                    settle(&store, &mut fence, &staged).await;
                }
                other => panic!("{other:?}"),
            }
            book.landed(staged);
            if dies {
                break;
            }
        }
    }
    // How many were in doubt is up to the clock; that both kinds occur is shown above, step by step.
    println!("{acknowledged} acknowledged, {in_doubt} in doubt");
    assert!(acknowledged > 0);
    let mut admin = connect(&database.admin()).await.unwrap();
    assert_eq!(proven(&mut admin).await, number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_owner_waits_for_a_commit_that_still_runs_and_sees_it() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let elsewhere = database.store().await.unwrap();
    let holder = database.administer().await.unwrap();
    let admin = database.administer().await.unwrap();
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let staged = stage(&Book::open(SHARD, &snapshot), &fence, [begin(1)]);
    hold_up(&holder, 1).await;
    let commit = store.commit(&fence, &staged.batch);
    let take = async {
        until_waiting(&admin, "transactionid", 1).await;
        let open = elsewhere.open(SHARD, OTHER);
        let release = async {
            // It waits for the row of the epoch, which the commit holds.
            until_waiting(&admin, "transactionid", 2).await;
            holder.batch_execute("rollback").await.unwrap();
        };
        tokio::join!(open, release).0.unwrap()
    };
    let (committed, (next, seen)) = tokio::join!(commit, take);
    committed.unwrap();
    assert_eq!(seen.head, (staged.batch.header.number, staged.batch.hash));
    // What the old owner sends now comes too late.
    let late = stage(&Book::open(SHARD, &seen), &fence, [begin(2)]);
    assert_eq!(store.commit(&fence, &late.batch).await, Err(CommitError::Fenced { by: next.epoch }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_caller_went_away_is_resolved_like_any_other() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let holder = database.administer().await.unwrap();
    let admin = database.administer().await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let staged = stage(&Book::open(SHARD, &snapshot), &fence, [begin(1)]);
    hold_up(&holder, 1).await;
    let gave_up = tokio::select! {
        _ = store.commit(&fence, &staged.batch) => false,
        _ = until_waiting(&admin, "transactionid", 1) => true,
    };
    assert!(gave_up);
    holder.batch_execute("rollback").await.unwrap();
    // Its COMMIT was on the wire, so it lands unless the server saw the end of the connection first.
    settle(&store, &mut fence, &staged).await;
    let (_, snapshot) = store.open(SHARD, node(9)).await.unwrap();
    assert_eq!(snapshot.head, (staged.batch.header.number, staged.batch.hash));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_for_the_standby_is_an_unknown_outcome() {
    let scratch = Scratch::new();
    let database = tokio::task::block_in_place(|| Database::Private(Cluster::start(options(scratch.path())).unwrap()));
    database.prepare(&[LEDGER]).await.unwrap();
    let store = PgStore::connect(database.runtime(), StoreOptions::default()).await.unwrap();
    let admin = connect(&database.admin()).await.unwrap();
    let (mut fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let standby = |name: &str| format!("alter system set synchronous_standby_names = '{name}'");
    // A standby that never comes. Our own connection does not wait for it.
    admin.batch_execute("set synchronous_commit = local").await.unwrap();
    admin.batch_execute(&standby("nobody")).await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    while admin.query_one("select current_setting('synchronous_standby_names')", &[]).await.unwrap().get::<_, &str>(0) != "nobody"
    {
    }
    let staged = stage(&Book::open(SHARD, &snapshot), &fence, [begin(1)]);
    let cancel = async {
        let writer = until_waiting(&admin, "SyncRep", 1).await;
        admin.query_one("select pg_cancel_backend($1)", &[&writer]).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(store.commit(&fence, &staged.batch), cancel);
    match outcome {
        Err(CommitError::Unknown(why)) => assert!(why.contains("synchronous replication"), "{why}"),
        other => panic!("{other:?}"),
    }
    admin.batch_execute(&standby("")).await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    assert!(settle(&store, &mut fence, &staged).await, "it was committed here all the while");
}
