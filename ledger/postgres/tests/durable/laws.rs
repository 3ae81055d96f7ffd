//! The laws that every store keeps.

use ledger::suite::{self, History, Writer};
use payments::Shard;
use store::test_support::TestDatabase;
use store::{LEDGER, verify};

#[tokio::test]
async fn postgresql_keeps_the_laws_of_every_store_and_its_rows_prove_it() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    suite::all(&store, Shard(0)).await;
    let mut client = database.administer().await.unwrap();
    let mut looked_at = 0;
    for shard in verify::shards(&client).await.unwrap() {
        let chain = verify::audit(&mut client, shard, []).await.unwrap();
        assert_eq!(chain.findings, [], "{shard:?}");
        let ledger = verify::ledger(&mut client, shard).await.unwrap();
        assert_eq!(ledger.findings, [], "{shard:?}");
        assert_eq!((chain.report.items, ledger.report.blocks), (ledger.report.items, chain.blocks));
        looked_at += ledger.report.items;
    }
    assert!(looked_at > 0);
}

#[tokio::test]
async fn random_histories_are_the_same_in_postgresql_and_in_memory() {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let memory = ledger::MemoryStore::new();
    for seed in 0..6u16 {
        let shard = Shard(100 + seed);
        let mut history = History::new(seed.into());
        let mut source = Writer::open(&memory, Shard(seed), suite::node(1)).await;
        let mut commands = Vec::new();
        for _ in 0..200 {
            let command = history.command();
            history.settle(source.write(vec![command.clone()]).await.is_empty());
            commands.push(command);
        }
        let mut real = Writer::open(&store, shard, suite::node(1)).await;
        let mut model = Writer::open(&memory, shard, suite::node(1)).await;
        let mut refusals = 0;
        for batch in commands.chunks(1 + usize::from(seed) * 9) {
            let refused = real.write(batch.to_vec()).await;
            assert_eq!(refused, model.write(batch.to_vec()).await, "seed {seed}");
            refusals += refused.len();
        }
        assert!(refusals > 0, "seed {seed} has no population of refusals");
        assert_eq!(real.book.head(), model.book.head());
        let (_, snapshot) = ledger::Store::open(&store, shard, suite::node(2)).await.unwrap();
        let (_, expected) = ledger::Store::open(&memory, shard, suite::node(2)).await.unwrap();
        assert_eq!(snapshot, expected, "seed {seed}");
    }
}
