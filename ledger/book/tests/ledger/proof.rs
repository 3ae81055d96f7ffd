//! The proof: silent over sound records, and loud over any that was touched.

use ledger::memory::StoredRows;
use ledger::suite::{History, Writer, node};
use ledger::verify::{Row, StoredBlock, Table, Value};
use ledger::{AuditVerifier, Batch, BlockNo, Finding, Hash, LedgerVerifier, MemoryStore, Place};
use payments::Shard;

use crate::ready;

pub(crate) const SHARD: Shard = Shard(3);

/// A shard after some hundred random commands.
pub(crate) fn history(seed: u64, commands: usize) -> MemoryStore {
    let store = MemoryStore::new();
    let mut writer = ready(Writer::open(&store, SHARD, node(1)));
    let mut history = History::new(seed);
    let mut done = 0;
    while done < commands {
        let mut batch = Vec::new();
        let mut refused = 0;
        for _ in 0..=history.below(5) {
            batch.push(history.command());
            let now = writer.stage(batch.clone()).refused.len();
            history.settle(now == refused);
            refused = now;
            done += 1;
        }
        ready(writer.write(batch));
    }
    store
}

fn prove(blocks: &[Batch], mut rows: StoredRows) -> Vec<Finding> {
    let mut ledger = LedgerVerifier::new(SHARD);
    let mut found = Vec::new();
    for block in blocks {
        let bodies: Vec<&str> = block.items.iter().map(|item| item.body.as_str()).collect();
        let stored = StoredBlock { header: &block.header, marks: &block.marks, bodies: &bodies };
        found.extend(ledger.block(&stored, rows.blocks.remove(&block.header.number).unwrap_or_default()));
    }
    found.extend(ledger.finish(rows.end).1);
    found
}

fn audit(blocks: &[Batch], heads: &[(BlockNo, Hash)]) -> Vec<Finding> {
    let mut chain = AuditVerifier::new(SHARD, heads.iter().copied());
    let mut found = Vec::new();
    for block in blocks {
        found.extend(chain.block(&block.header, block.hash, block.items.iter().map(|item| item.body.as_str())));
    }
    found.extend(chain.finish().1);
    found
}

/// Every row with the block it is handed over with; `None` at the end.
fn all_rows(rows: &StoredRows) -> Vec<(Option<BlockNo>, usize, Row)> {
    let in_blocks = rows.blocks.iter().flat_map(|(block, rows)| {
        rows.iter().enumerate().map(|(index, row)| (Some(*block), index, row.clone())).collect::<Vec<_>>()
    });
    in_blocks.chain(rows.end.iter().enumerate().map(|(index, row)| (None, index, row.clone()))).collect()
}

fn room(rows: &mut StoredRows, block: Option<BlockNo>) -> &mut Vec<Row> {
    match block {
        Some(block) => rows.blocks.entry(block).or_default(),
        None => &mut rows.end,
    }
}

fn other(value: &Value) -> Value {
    match value {
        Value::Null => Value::Int(1),
        Value::Bool(value) => Value::Bool(!value),
        Value::Int(value) => Value::Int(value ^ 1),
        Value::Text(value) => Value::Text(format!("{value}x")),
        Value::Bytes(value) => Value::Bytes(value.iter().map(|byte| byte ^ 1).collect()),
    }
}

#[test]
fn a_sound_record_has_no_findings_and_every_table_was_looked_at() {
    for seed in 0..20 {
        let store = history(seed, 150);
        let (chain, report, found) = store.prove(SHARD);
        assert!(found.is_empty(), "seed {seed}: {}", found[0]);
        assert_eq!(chain.head.0.0, i64::try_from(report.blocks).unwrap());
    }
    let (_, report, _) = history(1, 400).prove(SHARD);
    let tables = [
        Table::Claim,
        Table::Answer,
        Table::Payment,
        Table::Event,
        Table::Account,
        Table::Journal,
        Table::Entry,
        Table::Hold,
        Table::Capture,
        Table::Lane,
        Table::Evidence,
        Table::BusinessDay,
        Table::Outbox,
    ];
    for table in tables {
        assert!(report.rows.get(&table).copied().unwrap_or(0) > 0, "no row of {table} was looked at");
    }
    assert!(report.trial.values().all(|trial| trial.debit == trial.credit && trial.accounts > 1));
    assert!(report.trial.len() > 1, "more than one currency");
}

#[test]
fn an_edit_of_any_column_of_any_row_is_found_with_its_place() {
    let store = history(5, 220);
    let (blocks, rows) = store.read(SHARD, |tables| (tables.blocks.clone(), tables.rows()));
    assert!(prove(&blocks, rows.clone()).is_empty());
    // Every column of the first rows of each table, and one column of each other row.
    let mut seen = std::collections::BTreeMap::<Table, usize>::new();
    let mut edits = 0;
    for (turn, (block, index, row)) in all_rows(&rows).into_iter().enumerate() {
        let count = seen.entry(row.table).or_default();
        *count += 1;
        let columns: Vec<usize> = if *count <= 2 { (0..row.columns.len()).collect() } else { vec![turn % row.columns.len()] };
        for column in columns {
            let mut touched = rows.clone();
            let stored = &mut room(&mut touched, block)[index];
            let (name, value) = &mut stored.columns[column];
            *value = other(value);
            let (name, place) = (*name, row.place());
            let found = prove(&blocks, touched);
            assert!(found.iter().any(|finding| finding.place == place), "{place} {name}: {found:?}");
            edits += 1;
        }
    }
    assert!(edits > 400 && seen.len() == 13, "{edits} edits of {seen:?}");
}

#[test]
fn a_row_that_is_deleted_or_added_is_found_with_its_place() {
    let store = history(6, 150);
    let (blocks, rows) = store.read(SHARD, |tables| (tables.blocks.clone(), tables.rows()));
    for (block, index, row) in all_rows(&rows) {
        let mut touched = rows.clone();
        room(&mut touched, block).remove(index);
        let found = prove(&blocks, touched);
        assert!(found.iter().any(|finding| finding.place == row.place()), "{} deleted: {found:?}", row.place());
        let mut touched = rows.clone();
        let mut more = row.clone();
        let key = row.table.key()[row.table.key().len() - 1];
        more.set(key, other(row.get(key).unwrap()));
        room(&mut touched, block).push(more);
        assert!(!prove(&blocks, touched).is_empty(), "{} added beside", row.place());
    }
}

/// An edit of an item with the row edited to match: only the chain can tell, and it does.
#[test]
fn an_edit_of_any_item_breaks_its_block() {
    let blocks = history(7, 120).blocks(SHARD);
    assert!(audit(&blocks, &[]).is_empty());
    for (index, block) in blocks.iter().enumerate() {
        for item in 0..block.items.len() {
            let mut touched = blocks.clone();
            let body = &mut touched[index].items[item].body;
            *body = body.replacen("\"at\":1", "\"at\":2", 1);
            let found = audit(&touched, &[]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].place, Place::Block(block.header.number.0));
        }
    }
}

#[test]
fn a_cut_a_swap_and_a_rechained_history_are_found_against_the_exported_heads() {
    let blocks = history(8, 120).blocks(SHARD);
    let heads: Vec<(BlockNo, Hash)> = blocks.iter().map(|block| (block.header.number, block.hash)).collect();
    let (first, last) = (heads[0], *heads.last().unwrap());
    let middle = blocks.len() / 2;

    let mut cut = blocks.clone();
    cut.remove(middle);
    let after = blocks[middle + 1].header.number.0;
    assert!(audit(&cut, &[]).iter().any(|finding| finding.place == Place::Block(after)), "a missing block");

    let mut swapped = blocks.clone();
    swapped.swap(middle, middle + 1);
    assert!(!audit(&swapped, &[]).is_empty());

    let mut items = blocks.clone();
    let block = items.iter_mut().find(|block| block.items.len() > 1).unwrap();
    let number = block.header.number.0;
    block.items.swap(0, 1);
    assert!(audit(&items, &[]).iter().any(|finding| finding.place == Place::Block(number)), "reordered items");

    let tail = &blocks[..blocks.len() - 1];
    assert!(audit(tail, &[first]).is_empty(), "without a later head nobody can tell");
    let found = audit(tail, &[first, last]);
    assert_eq!(found.iter().map(|finding| &finding.place).collect::<Vec<_>>(), [&Place::Block(last.0.0)]);

    // Somebody who can write drops an item and computes every hash anew.
    let mut rechained = blocks.clone();
    let mut previous = Hash::GENESIS;
    for block in &mut rechained {
        if block.header.number.0 == number {
            block.items.pop();
        }
        block.header.items = i32::try_from(block.items.len()).unwrap();
        block.header.root = ledger::block::merkle_root(block.items.iter().map(|item| item.body.as_bytes()));
        block.header.previous = previous;
        block.hash = block.header.hash();
        previous = block.hash;
    }
    assert!(audit(&rechained, &[]).is_empty(), "the chain alone is consistent");
    let found = audit(&rechained, &[last]);
    assert_eq!(found.iter().map(|finding| &finding.place).collect::<Vec<_>>(), [&Place::Block(last.0.0)]);
}

#[test]
fn a_hash_epoch_or_count_of_a_header_that_was_touched_is_found() {
    let blocks = history(9, 60).blocks(SHARD);
    let middle = blocks.len() / 2;
    let place = Place::Block(blocks[middle].header.number.0);
    let touch = |change: &dyn Fn(&mut Batch)| {
        let mut touched = blocks.clone();
        change(&mut touched[middle]);
        let found = audit(&touched, &[]);
        assert!(found.iter().any(|finding| finding.place == place), "{found:?}");
    };
    touch(&|block| block.hash.0[0] ^= 1);
    touch(&|block| block.header.epoch += 1);
    touch(&|block| block.header.items += 1);
    touch(&|block| block.header.at.0 += 1);
    touch(&|block| block.header.root.0[3] ^= 1);
    touch(&|block| block.header.previous.0[3] ^= 1);
    touch(&|block| block.header.shard.0 += 1);
}

/// Nobody recomputed anything here but the book is wrong: the replay has its own mind.
#[test]
fn unsound_commands_are_found_though_chain_and_rows_agree() {
    type Edit = dyn Fn(&mut ledger::Command) -> bool;
    let unsound = |name: &str, edit: &Edit| {
        let store = history(10, 300);
        let (mut blocks, mut rows) = store.read(SHARD, |tables| (tables.blocks.clone(), tables.rows()));
        let hit = blocks.iter_mut().flat_map(|block| &mut block.items).any(|item| {
            let hit = edit(&mut item.command);
            item.body = serde_json::to_string(&item.command).unwrap();
            hit
        });
        assert!(hit, "{name}: nothing to edit");
        // Rows are not the point here.
        rows.end.clear();
        let found = prove(&blocks, rows);
        let other = |finding: &&Finding| !matches!(finding.place, Place::Row { table, .. } if table != Table::Journal && table != Table::Lane);
        assert!(found.iter().any(|finding| other(&finding)), "{name}: {found:?}");
    };
    unsound("an unbalanced journal", &|command| match command.journals.first_mut().and_then(|j| j.lines.first_mut()) {
        Some(line) => {
            line.amount = line.amount.checked_add(ledger::suite::samples::amount(1, line.amount.currency())).unwrap();
            true
        }
        None => false,
    });
    unsound("a journal with a gap", &|command| match command.journals.first_mut() {
        Some(journal) => {
            journal.number += 1;
            true
        }
        None => false,
    });
    unsound("a capture without its journal", &|command| {
        let has = command.capture.is_some() && !command.journals.is_empty();
        if has {
            command.journals.clear();
        }
        has
    });
    unsound("an owed reversal that was dropped", &|command| {
        let reversing = matches!(
            &command.payment,
            Some(ledger::PaymentWrite::Change { standing, .. }) if standing.state == payments::State::Reversing
        );
        if reversing {
            command.lanes.clear();
        }
        reversing
    });
    unsound("an illegal change", &|command| match &mut command.payment {
        Some(ledger::PaymentWrite::Change { standing, cause, .. }) if *cause == payments::Cause::Decline => {
            standing.state = payments::State::Captured;
            true
        }
        _ => false,
    });
    unsound("more captured than approved", &|command| match &mut command.payment {
        Some(ledger::PaymentWrite::Change { standing, cause, .. }) if *cause == payments::Cause::Capture => {
            standing.approved = 0;
            true
        }
        _ => false,
    });
    unsound("a hold that ends in nothing", &|command| match &command.hold {
        Some(ledger::HoldWrite::Release { .. }) if !command.journals.is_empty() => {
            command.journals.clear();
            true
        }
        _ => false,
    });
    unsound("a version left out", &|command| match &mut command.payment {
        Some(ledger::PaymentWrite::Change { standing, .. }) => {
            standing.version += 1;
            true
        }
        _ => false,
    });
}

#[test]
fn a_body_that_is_not_canonical_or_not_a_command_is_found_in_its_item() {
    let store = history(11, 40);
    let (blocks, rows) = store.read(SHARD, |tables| (tables.blocks.clone(), tables.rows()));
    let want = Place::Item { block: 2, item: 0 };
    for edit in [|body: &mut String| body.insert(1, ' '), |body: &mut String| body.truncate(20)] {
        let mut touched = blocks.clone();
        edit(&mut touched[1].items[0].body);
        let found = prove(&touched, rows.clone());
        assert!(found.iter().any(|finding| finding.place == want), "{found:?}");
    }
}

#[test]
fn an_orphaned_hold_is_found() {
    let store = history(12, 300);
    let (mut blocks, rows) = store.read(SHARD, |tables| (tables.blocks.clone(), tables.rows()));
    let item = blocks
        .iter_mut()
        .flat_map(|block| &mut block.items)
        .find(|item| matches!(item.command.hold, Some(ledger::HoldWrite::Release { .. })))
        .unwrap();
    item.command.hold = None;
    item.body = serde_json::to_string(&item.command).unwrap();
    let found = prove(&blocks, rows);
    assert!(found.iter().any(|finding| matches!(&finding.place, Place::Row { table: Table::Hold, .. })), "{found:?}");
}

#[test]
fn what_is_kept_is_a_window_and_not_the_history() {
    let (_, short, _) = history(13, 200).prove(SHARD);
    let (_, long, _) = history(13, 2000).prove(SHARD);
    assert!(long.items > 8 * short.items);
    // Histories pick any payment to go on with, so the window is a share of the population here; what
    // never changes again is not in it.
    let payments = usize::try_from(long.rows[&Table::Payment]).unwrap();
    assert!(long.most_kept * 2 < payments, "{} of {payments} kept", long.most_kept);
}
