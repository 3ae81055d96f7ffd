//! Every table's rows as plain values, in the order of the blocks that they are handed over with.

use ledger::verify::{Row, Table, Value};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::cursor::Cursor;
use crate::Error;
use crate::sql::{At, Day};

/// How a table is read.
pub(super) struct Spec {
    table: Table,
    /// Its columns without the shard.
    columns: &'static [&'static str],
    /// The block that a row is handed over with: the one of its last change.
    block: &'static str,
    /// The table as `t`, and what the block is found by.
    from: &'static str,
}

/// Tables whose rows belong to blocks.
pub(super) const STREAMED: [Spec; 11] = [
    Spec {
        table: Table::Claim,
        columns: &["key", "body", "payment", "tombstone", "day", "block", "idx"],
        block: "t.block",
        from: "ledger.claim t",
    },
    Spec { table: Table::Answer, columns: &["key", "answer", "block", "idx"], block: "t.block", from: "ledger.answer t" },
    Spec {
        table: Table::Payment,
        columns: &[
            "id",
            "version",
            "state",
            "kind",
            "rrn",
            "acquirer",
            "terminal",
            "merchant",
            "link",
            "amount",
            "currency",
            "approved",
            "captured",
            "captures",
            "capture_date",
            "approval",
            "code",
            "approved_late",
            "block",
            "idx",
            "egress_block",
            "egress_idx",
        ],
        block: "e.block",
        from: "ledger.payment t left join ledger.event e on e.shard = t.shard and e.payment = t.id and e.version = t.version",
    },
    Spec {
        table: Table::Event,
        columns: &["payment", "version", "state", "cause", "at", "block", "idx"],
        block: "t.block",
        from: "ledger.event t",
    },
    Spec {
        table: Table::Journal,
        columns: &["number", "kind", "date", "payment", "at", "block", "idx"],
        block: "t.block",
        from: "ledger.journal t",
    },
    Spec {
        table: Table::Entry,
        columns: &["journal", "line", "account", "version", "side", "amount", "currency", "balance_after"],
        block: "j.block",
        from: "ledger.entry t left join ledger.journal j on j.shard = t.shard and j.number = t.journal",
    },
    Spec {
        table: Table::Hold,
        columns: &["payment", "account", "amount", "currency", "released", "block", "idx", "released_block", "released_idx"],
        block: "coalesce(t.released_block, t.block)",
        from: "ledger.hold t",
    },
    Spec {
        table: Table::Capture,
        columns: &["seq", "payment", "number", "date", "kind", "clearing", "network", "amount", "currency", "block", "idx"],
        block: "t.block",
        from: "ledger.capture t",
    },
    Spec {
        table: Table::Lane,
        columns: &[
            "payment",
            "number",
            "link",
            "kind",
            "not_before",
            "block",
            "idx",
            "ended",
            "ended_code",
            "ended_block",
            "ended_idx",
        ],
        block: "coalesce(t.ended_block, t.block)",
        from: "ledger.lane t",
    },
    Spec {
        table: Table::Evidence,
        columns: &[
            "payment",
            "block",
            "idx",
            "merchant_category",
            "entry_mode",
            "condition",
            "pos_data",
            "eci",
            "card_sequence",
            "acceptor",
            "emv_9f26",
            "emv_9f27",
            "emv_9f10",
            "emv_9f37",
            "emv_9f36",
            "emv_95",
            "emv_9a",
            "emv_9c",
            "emv_9f02",
            "emv_5f2a",
            "emv_82",
            "emv_9f1a",
            "emv_9f03",
            "emv_9f33",
            "emv_9f34",
            "emv_9f35",
            "emv_9f1e",
            "emv_84",
            "emv_9f09",
            "emv_9f41",
            "code",
            "approval",
            "approved",
            "approved_currency",
            "network_id",
            "settlement_date",
            "avs_result",
            "cvv_result",
            "authentication_result",
            "response_icc",
        ],
        block: "t.block",
        from: "ledger.evidence t",
    },
    Spec {
        table: Table::Outbox,
        columns: &["number", "topic", "payment", "at", "block", "idx"],
        block: "t.block",
        from: "ledger.outbox t",
    },
];

/// Tables whose rows are looked at when the chain has ended.
pub(super) const END: [Spec; 2] = [
    Spec {
        table: Table::Account,
        columns: &["id", "code", "currency", "floor_minor", "posted_debit", "posted_credit", "pending_debit", "version"],
        block: "null::int8",
        from: "ledger.account t",
    },
    Spec {
        table: Table::BusinessDay,
        columns: &["day", "opened_block", "opened_idx", "closed_block", "closed_idx"],
        block: "null::int8",
        from: "ledger.business_day t",
    },
];

/// The rows of a table of one shard.
pub(super) struct Rows<'t> {
    spec: &'static Spec,
    cursor: Cursor<'t>,
    /// Rows in front of the block that was asked for: their own block does not exist.
    strays: Vec<Row>,
}

impl<'t> Rows<'t> {
    pub(super) async fn open(transaction: &'t Transaction<'t>, spec: &'static Spec, shard: i16) -> Result<Self, Error> {
        let columns: Vec<String> = spec.columns.iter().map(|column| format!("t.{column}")).collect();
        let text = format!(
            "select {}, {} as handed_over from {} where t.shard = $1 order by handed_over",
            columns.join(", "),
            spec.block,
            spec.from
        );
        Ok(Self { spec, cursor: Cursor::open(transaction, &text, &[&shard]).await?, strays: Vec::new() })
    }

    /// Adds the rows that are handed over with this block.
    pub(super) async fn take_until(&mut self, block: i64, rows: &mut Vec<Row>) -> Result<(), Error> {
        let at = self.spec.columns.len();
        while let Some(row) = self.cursor.next_if(|row| row.try_get::<_, i64>(at).is_ok_and(|found| found <= block)).await? {
            let found: i64 = row.try_get(at)?;
            let row = values(self.spec, &row);
            if found == block {
                rows.push(row);
            } else if self.strays.len() < super::MOST_FINDINGS {
                self.strays.push(row);
            }
        }
        Ok(())
    }

    /// Adds at most so many of what is left.
    pub(super) async fn take_rest(&mut self, at_most: usize, rows: &mut Vec<Row>) -> Result<(), Error> {
        rows.append(&mut self.strays);
        let mut left = at_most;
        while left > 0
            && let Some(row) = self.cursor.next().await?
        {
            rows.push(values(self.spec, &row));
            left -= 1;
        }
        Ok(())
    }
}

fn values(spec: &Spec, row: &tokio_postgres::Row) -> Row {
    let column = |(place, name): (usize, &&'static str)| (*name, value(row, place));
    Row { table: spec.table, columns: spec.columns.iter().enumerate().map(column).collect() }
}

/// A value as it is compared. One that cannot be read differs from whatever it must be.
fn value(row: &tokio_postgres::Row, at: usize) -> Value {
    let kind = row.columns().get(at).map(|column| column.type_().clone());
    let read = match kind {
        Some(Type::INT2) => row.try_get::<_, Option<i16>>(at).map(Value::from),
        Some(Type::INT4) => row.try_get::<_, Option<i32>>(at).map(Value::from),
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(at).map(Value::from),
        Some(Type::BOOL) => row.try_get::<_, Option<bool>>(at).map(Value::from),
        Some(Type::TEXT) => row.try_get::<_, Option<&str>>(at).map(Value::from),
        Some(Type::BYTEA) => row.try_get::<_, Option<&[u8]>>(at).map(Value::from),
        Some(Type::UUID) => row.try_get::<_, Option<uuid::Uuid>>(at).map(|id| Value::from(id.map(payments::PaymentId))),
        Some(Type::DATE) => row.try_get::<_, Option<Day>>(at).map(|day| Value::from(day.map(|day| day.0))),
        Some(Type::TIMESTAMPTZ) => row.try_get::<_, Option<At>>(at).map(|time| Value::from(time.map(|time| time.0))),
        _ => return Value::Text("a type that no column has".to_owned()),
    };
    read.unwrap_or_else(|_| Value::Text("unreadable".to_owned()))
}
