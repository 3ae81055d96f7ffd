//! What people ask of the record: balances, and everything that is known of a payment. Nothing here
//! shows a card beyond its first six and last four digits, and nothing sealed.

mod attention;
mod books;
mod counters;
mod history;

pub use attention::{DeadLetter, UnmatchedCompletion, count_unmatched_completions, dead_letters, unmatched_completions};
pub use books::{AccountLine, StatementLine, TrialLine, balance, statement, trial};
pub use counters::{ColumnCount, durability_settings, evidence_columns, payments_by_state, wal_syncs};
pub use history::{
    AnswerLine, CaptureLine, EntryLine, EventLine, History, HoldLine, JournalLine, LaneLine, history, lanes_of, trace,
};
