//! The vocabulary that every room of the house shares: money, cards, identities, times, answers,
//! the canonical requests, and the lifecycle of a payment.
//!
//! Nothing here does I/O, reads a clock or draws a random number. A value that exists is valid:
//! constructors are the only door. Types that hold card data redact themselves and wipe on drop.
#![forbid(unsafe_code)]

pub mod answer;
pub mod card;
pub mod evidence;
pub mod ids;
pub mod lifecycle;
pub mod money;
pub mod outgoing;
pub mod request;
pub mod text;
pub mod time;

pub use answer::{Answer, Outcome, ResponseCode};
pub use card::{CardRef, CardSequence, Expiry, Pan, PinBlock, Track2};
pub use evidence::Evidence;
pub use ids::{
    AcquirerId, ApprovalCode, InstitutionId, LinkId, MerchantCategory, MerchantId, NetworkTransactionId, PaymentId,
    ProcessingCode, RouteId, Rrn, Shard, Stan, TerminalId,
};
pub use lifecycle::{Cause, State};
pub use money::{Amount, Currency, MoneyError};
pub use request::Request;
pub use text::{Text, TextError};
pub use time::{BusinessDate, LocalDateTime, Mono, Now, TransmissionTime, Wall};
