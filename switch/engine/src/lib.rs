//! The engine: everything a payment switch decides, without I/O.
//!
//! One [`Engine`] per shard, no locks. [`Engine::step`] takes the time and one [`Event`] and emits
//! [`Effect`]s; [`Engine::next_wake`] says when it wants a [`Event::Tick`]. The same engine runs under
//! tokio and under the seeded simulation. It sees no clock, socket, SQL, byte or secret: card data
//! stays behind [`Carried`] handles that the shell keeps.
//!
//! **Write before send is a type**: a message leaves only with a [`Proof`], and a `Proof` of a payment
//! comes only from the ledger's [`ledger::Committed`].
//!
//! Rooms: [`api`] (events and effects), [`tables`] (configuration pinned per case), `links` (sign-on,
//! echo, STANs), `cases` (requests in flight), `card`, `completion`, `reversal`, `transfer` (the bodies
//! of the one envelope), `outcome` (what became of a card request), `lanes` (messages owed), `days` (cut-over),
//! `operator` and `unmatched` (what people order).
#![forbid(unsafe_code)]

pub mod api;
mod card;
mod cases;
mod completion;
mod days;
mod engine;
mod lanes;
mod links;
mod operator;
mod outcome;
mod proof;
mod recovery;
mod reversal;
pub mod tables;
mod transfer;
mod unmatched;

pub use api::{
    CallId, Carried, ConnId, Effect, Event, HsmDone, HsmFailure, HsmJob, LegId, LinkAct, LinkEvent, Load, Note, Operator, Order,
    OrderOutcome, Secrets, Sent, StanBlock, StoreEvent, UnsealReason,
};
pub use engine::Engine;
pub use proof::{Durable, Proof, Stored};
pub use tables::Tables;
