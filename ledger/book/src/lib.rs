//! The book: what a commit means. Accounts, postings, claims, the batch that is a block of the audit
//! chain, and the `Store` that makes it durable.
//!
//! Data flows one way: the engine emits [`Command`]s; [`Book::stage`] checks them in order, assigns
//! numbers and builds one [`Batch`]; a [`Store`] commits it whole; the [`Committed`] that comes out is
//! the only thing from which the engine can mint the proof that lets a message leave.
//!
//! Everything here is pure, without SQL, clocks or randomness.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod block;
pub mod book;
pub mod claim;
pub mod command;
pub mod memory;
pub mod postings;
pub mod store;
pub mod suite;
pub mod verify;

pub use accounts::{AccountCode, AccountState, Balances, Side};
pub use block::{BlockHeader, BlockNo, Hash};
pub use book::{Book, Numbers, Refusal, Staged};
pub use claim::{BodyHash, ClaimKey};
pub use command::{
    Capture, CaptureKind, Clearing, Command, Deposit, EvidenceRow, HoldWrite, Journal, JournalKind, LaneEnd, LaneItem, LaneKind,
    LaneWrite, Line, Outbox, Payment, PaymentKind, PaymentWrite, Standing, TakenClaim,
};
pub use memory::{Fault, MemoryStore};
pub use store::{
    Batch, ClaimRecord, CommitError, Committed, Epoch, Fence, Found, Item, Landed, Lookup, NodeId, OpenError, OpenLane,
    PaymentRecord, ReadError, Seq, Snapshot, Store,
};
pub use verify::{AuditVerifier, Finding, LedgerVerifier, Place};
