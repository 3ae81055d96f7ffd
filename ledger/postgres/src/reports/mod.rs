//! What people ask of the record: balances, and everything that is known of a payment. Nothing here
//! shows a card beyond its first six and last four digits, and nothing sealed.

mod books;
mod counters;
mod history;

pub use books::{AccountLine, StatementLine, TrialLine, balance, statement, trial};
pub use counters::{ColumnCount, durability_settings, evidence_columns, payments_by_state, wal_syncs};
pub use history::{
    AnswerLine, CaptureLine, DeadLetter, EntryLine, EventLine, History, HoldLine, JournalLine, LaneLine, dead_letters, history,
    lanes_of, trace,
};
