//! What a commit costs. Prints; asserts only that everything is there in the end.

use std::time::Instant;

use ledger::{Book, Store};
use store::LEDGER;
use store::test_support::TestDatabase;

use crate::fixture::*;

/// CPU of a process so far, in microseconds (`utime` and `stime` of `/proc/PID/stat`, 100 a second).
fn cpu_us(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    (fields.get(11).copied().unwrap_or(0) + fields.get(12).copied().unwrap_or(0)) * 10_000
}

#[tokio::test]
async fn figures_of_commits_are_printed() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let admin = database.administer().await.unwrap();
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    let first = stage(&book, &fence, [open_day()]);
    store.commit(&fence, &first.batch).await.unwrap();
    book.landed(first);
    let rounds: u64 = std::env::var("SWITCHYARD_FIGURES_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut number = 0;
    let mut expected = 0u64;
    for batch in [20u64, 64, 256] {
        let from = number;
        for (what, make) in [("A", begin as fn(u64) -> ledger::Command), ("B", capture)] {
            let staged: Vec<_> = (0..rounds).map(|round| from + round * batch..from + (round + 1) * batch).collect();
            let text =
                "select pid from pg_stat_activity where application_name = 'switchyard writer' and datname = current_database()";
            let pid: i32 = admin.query_one(text, &[]).await.unwrap().get(0);
            let wal = "select (pg_current_wal_insert_lsn() - '0/0')::int8";
            let before: i64 = admin.query_one(wal, &[]).await.unwrap().get(0);
            let server = cpu_us(pid);
            let mut staging = std::time::Duration::ZERO;
            let begun = Instant::now();
            for numbers in staged {
                let at = Instant::now();
                let staged = stage(&book, &fence, numbers.map(make));
                staging += at.elapsed();
                store.commit(&fence, &staged.batch).await.unwrap();
                book.landed(staged);
            }
            let took = begun.elapsed().saturating_sub(staging);
            let after: i64 = admin.query_one(wal, &[]).await.unwrap().get(0);
            let items = rounds * batch;
            let per_second = |count: u64| count * 1_000_000 / u64::try_from(took.as_micros()).unwrap().max(1);
            println!(
                "commit {what} batch {batch:3}: {:5}/s, {:6} records/s, {:5} us a commit, server {:3} us/record, WAL {:5} B/record, staging {:3} us/record",
                per_second(rounds),
                per_second(items),
                u64::try_from(took.as_micros()).unwrap() / rounds,
                (cpu_us(pid) - server) / items,
                u64::try_from(after - before).unwrap() / items,
                u64::try_from(staging.as_micros()).unwrap() / items,
            );
        }
        number += rounds * batch;
        expected += rounds * batch;
    }
    let text = "select count(*) from ledger.payment where state = 3";
    let captured: i64 = admin.query_one(text, &[]).await.unwrap().get(0);
    assert_eq!(u64::try_from(captured).unwrap(), expected);
}

#[tokio::test]
async fn a_commit_reads_only_the_rows_that_it_names() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let admin = database.administer().await.unwrap();
    let (fence, snapshot) = store.open(SHARD, ME).await.unwrap();
    let mut book = Book::open(SHARD, &snapshot);
    // From the first batch on, when tables are new and nothing is known about them.
    const BATCH: u64 = 150;
    const ROUNDS: u64 = 3;
    for round in 0..ROUNDS {
        let numbers = round * BATCH..(round + 1) * BATCH;
        let changes = numbers.clone().map(|number| if number % 3 == 0 { time_out(number) } else { capture(number) });
        for commands in [numbers.map(begin).collect::<Vec<_>>(), changes.collect()] {
            let staged = stage(&book, &fence, commands);
            store.commit(&fence, &staged.batch).await.unwrap();
            book.landed(staged);
        }
    }
    // A server process reports what it read at the latest when it ends.
    drop(store);
    let writers =
        "select count(*) from pg_stat_activity where application_name = 'switchyard writer' and datname = current_database()";
    while admin.query_one(writers, &[]).await.unwrap().get::<_, i64>(0) > 0 {}
    let text = "select relname::text, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where schemaname = 'ledger'";
    let (mut looked_at, most) = (0, i64::try_from(3 * BATCH * ROUNDS).unwrap());
    for row in admin.query(text, &[]).await.unwrap() {
        let (table, read): (String, i64) = (row.get(0), row.get(1));
        assert!(read <= most, "{table}: {read} rows read for {} changes", BATCH * ROUNDS);
        looked_at += i64::from(read > 0);
    }
    assert!(looked_at >= 2, "payments and claims must have been read");
}
