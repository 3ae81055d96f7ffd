//! Columns of each table, filled row by row.

use uuid::Uuid;

use crate::sql::{At, Day, Param};

/// Makes a struct of columns with a `push` for a row. Its parameters are shard and block, then the
/// columns in order.
macro_rules! columns {
    ($($name:ident { $($column:ident: $kind:ty),+ $(,)? })+) => {$(
        #[derive(Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $column: Vec<$kind>,)+
            life: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $name<'a> {
            pub(super) fn push(&mut self, $($column: $kind),+) {
                $(self.$column.push($column);)+
            }

            /// The parameters of its statement; nothing where it has no rows.
            pub(super) fn params(self, shard: i16, block: i64) -> Option<Vec<Param<'a>>> {
                let rows = [$(self.$column.len()),+];
                if rows.first() == Some(&0) {
                    return None;
                }
                Some(vec![Box::new(shard), Box::new(block), $(Box::new(self.$column) as Param<'a>),+])
            }
        }
    )+};
}

columns! {
    Items { idx: i32, body: &'a str }
    Claims { key: &'a [u8], body: &'a [u8], payment: Option<Uuid>, tombstone: bool, day: Day, idx: i32 }
    Answers { key: &'a [u8], answer: String, idx: i32 }
    PaymentsOpened {
        id: Uuid, version: i32, state: i16, kind: &'static str, rrn: &'a str, acquirer: &'a str, terminal: Option<&'a str>,
        merchant: Option<&'a str>, link: &'a str, amount: i64, currency: i16, approved: i64, captured: i64, captures: i16,
        capture_date: Option<Day>, approval: Option<&'a str>, code: Option<&'a str>, approved_late: bool, idx: i32, egress_block: Option<i64>,
        egress_idx: Option<i32>,
    }
    PaymentsChanged {
        id: Uuid, before: i32, version: i32, state: i16, approved: i64, captured: i64, captures: i16, capture_date: Option<Day>,
        approval: Option<&'a str>, code: Option<&'a str>, approved_late: bool, egress_idx: Option<i32>,
    }
    Events { payment: Uuid, version: i32, state: i16, cause: i16, at: At, idx: i32 }
    Journals { number: i64, kind: i16, date: Day, payment: Option<Uuid>, at: At, idx: i32 }
    Entries {
        journal: i64, line: i16, account: i64, version: i64, side: &'static str, amount: i64, currency: i16, balance_after: i64,
    }
    AccountsOpened {
        id: i64, code: &'a str, currency: i16, floor_minor: Option<i64>, posted_debit: i64, posted_credit: i64,
        pending_debit: i64, version: i64,
    }
    AccountsMoved { id: i64, before: i64, posted_debit: i64, posted_credit: i64, pending_debit: i64, version: i64 }
    HoldsPlaced { payment: Uuid, account: i64, amount: i64, currency: i16, idx: i32, released_block: Option<i64>, released_idx: Option<i32> }
    HoldsReleased { payment: Uuid, account: i64, amount: i64, idx: i32 }
    Captures {
        seq: i64, payment: Uuid, number: i16, date: Day, kind: &'static str, clearing: &'static str, network: &'a str,
        amount: i64, currency: i16, idx: i32,
    }
    LanesOwed {
        payment: Uuid, number: i16, link: &'a str, kind: &'static str, not_before: At, idx: i32, ended: Option<&'static str>,
        ended_code: Option<&'a str>, ended_block: Option<i64>, ended_idx: Option<i32>,
    }
    LanesEnded { payment: Uuid, number: i16, ended: &'static str, ended_code: Option<&'a str>, idx: i32 }
    DaysOpened { day: Day, idx: i32, closed_block: Option<i64>, closed_idx: Option<i32> }
    DaysClosed { day: Day, idx: i32 }
    Outboxes { number: i64, topic: &'a str, payment: Uuid, at: At, idx: i32 }
}
