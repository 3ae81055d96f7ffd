//! The checkers find what was broken. Every column of every table is harmed once, in one row, with
//! constraints and triggers out of the way.

use std::collections::BTreeMap;

use ledger::suite::{self, History, Writer};
use ledger::verify::Finding;
use payments::Shard;
use store::test_support::TestDatabase;
use store::{LEDGER, verify};
use tokio_postgres::Client;

const HERE: Shard = Shard(0);

async fn findings(client: &mut Client, heads: Vec<(ledger::BlockNo, ledger::Hash)>) -> Vec<Finding> {
    let mut found = verify::audit(client, HERE, heads).await.unwrap().findings;
    found.extend(verify::ledger(client, HERE).await.unwrap().findings);
    found
}

/// A database with a history in it that has rows in every table, and its head.
async fn populated() -> (TestDatabase, Client, (ledger::BlockNo, ledger::Hash)) {
    let database = TestDatabase::new(&[LEDGER]).await.unwrap();
    let store = database.store().await.unwrap();
    let mut writer = Writer::open(&store, HERE, suite::node(1)).await;
    let mut history = History::new(3);
    for _ in 0..260 {
        let command = history.command();
        history.settle(writer.write(vec![command]).await.is_empty());
    }
    let head = writer.book.head();
    let client = database.administer().await.unwrap();
    (database, client, head)
}

/// Takes away what would stop us, as somebody with all rights would.
async fn unprotect(client: &Client) {
    let text = "do $$ declare it record; begin
      for it in select c.conrelid::regclass as of, c.conname from pg_constraint c
        join pg_namespace n on n.oid = c.connamespace where n.nspname = 'ledger' and c.contype in ('c', 'u', 'p') and c.conrelid::regclass::text <> 'ledger.migration' loop
        execute format('alter table %s drop constraint %I', it.of, it.conname); end loop;
      for it in select format('ledger.%I', tablename) as of from pg_tables where schemaname = 'ledger' loop
        execute format('alter table %s disable trigger all', it.of); end loop;
      end $$";
    client.batch_execute(text).await.unwrap();
}

#[tokio::test]
async fn an_edit_of_any_column_of_any_table_is_found() {
    let (_database, mut client, head) = populated().await;
    let heads = vec![head];
    assert_eq!(findings(&mut client, heads.clone()).await, []);
    unprotect(&client).await;
    let text = "select table_name::text, column_name::text, udt_name::text from information_schema.columns
      where table_schema = 'ledger' and table_name in (select tablename from pg_tables where schemaname = 'ledger')
        and table_name not in ('migration', 'writer_epoch')
      order by table_name, ordinal_position";
    let mut edits: BTreeMap<String, u32> = BTreeMap::new();
    for (place, row) in client.query(text, &[]).await.unwrap().iter().enumerate() {
        let (table, column, kind): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let other = match kind {
            "int2" | "int4" | "int8" => format!("coalesce({column} + 1, 1)"),
            "text" => format!("coalesce({column} || 'x', 'x')"),
            "bytea" => format!("coalesce(set_byte({column}, 0, 255 - get_byte({column}, 0)), '\\x00')"),
            "uuid" => "'00000000-0000-0000-0000-00000000000f'".to_owned(),
            "date" => format!("coalesce({column} + 1, '2026-01-01')"),
            "timestamptz" => format!("{column} + interval '1 microsecond'"),
            "bool" => format!("not {column}"),
            "jsonb" => format!("{column} || '{{\"oldest_open\": \"00000000-0000-0000-0000-00000000000f\"}}'"),
            other => panic!("{table}.{column} is {other}"),
        };
        // A row that differs from edit to edit, always the same in every run.
        let pick = format!("select ctid::text, {column}::text from ledger.{table} order by md5(ctid::text || '{place}') limit 1");
        let picked = client.query_opt(&pick, &[]).await.unwrap();
        let picked = picked.unwrap_or_else(|| panic!("{table} has no rows: nothing would be shown"));
        let (at, before): (&str, Option<&str>) = (picked.get(0), picked.get(1));
        let edit = format!("update ledger.{table} set {column} = {other} where ctid = '{at}' returning ctid::text");
        let harmed: String = client.query_one(&edit, &[]).await.unwrap().get(0);
        let found = findings(&mut client, heads.clone()).await;
        assert!(!found.is_empty(), "{table}.{column} was changed and nobody saw it");
        let heal = format!("update ledger.{table} set {column} = $1::text::{kind} where ctid = '{harmed}'");
        client.execute(&heal, &[&before]).await.unwrap();
        *edits.entry(table.to_owned()).or_default() += 1;
    }
    assert_eq!(edits.len(), 15, "{edits:?}");
    assert_eq!(findings(&mut client, heads).await, []);
}

#[tokio::test]
async fn a_missing_row_a_cut_middle_and_a_cut_tail_are_found() {
    let (_database, mut client, head) = populated().await;
    unprotect(&client).await;
    let text =
        "select tablename::text from pg_tables where schemaname = 'ledger' and tablename not in ('migration', 'writer_epoch')";
    let tables: Vec<String> = client.query(text, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    for table in &tables {
        let text = format!(
            "create temp table gone as select * from ledger.{table} order by md5(ctid::text) limit 1;
          delete from ledger.{table} where ctid = (select ctid from ledger.{table} order by md5(ctid::text) limit 1)"
        );
        client.batch_execute(&text).await.unwrap();
        assert!(!findings(&mut client, vec![head]).await.is_empty(), "a row of {table} is gone and nobody saw it");
        client.batch_execute(&format!("insert into ledger.{table} select * from gone; drop table gone")).await.unwrap();
    }
    assert_eq!(findings(&mut client, vec![head]).await, []);
    // The last block with every row of it. Without an exported head this is a shorter, sound history.
    let last = head.0.0;
    client
        .batch_execute(&format!("delete from ledger.block where number = {last}; delete from ledger.item where block = {last}"))
        .await
        .unwrap();
    let cut = verify::audit(&mut client, HERE, []).await.unwrap();
    assert_eq!(cut.findings, []);
    let cut = verify::audit(&mut client, HERE, [head]).await.unwrap();
    assert!(!cut.findings.is_empty(), "the tail is gone and the exported head does not miss it");
}
