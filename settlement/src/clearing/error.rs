//! Why a clearing file was not made. None of it carries card data.

use std::io;

use files::ipm::{Fault, Reason, Verdict};
use payments::{Currency, PaymentId};

use super::build::CannotUnseal;

/// Why a clearing file was not made. Nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error("{step}: {kind}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// How it failed.
        kind: io::ErrorKind,
    },
    /// A record could not be written.
    #[error("payment {payment}: {fault}")]
    Record {
        /// The payment.
        payment: PaymentId,
        /// Why.
        fault: Fault,
    },
    /// A fact of a payment does not make a field of the record.
    #[error("payment {payment}: DE{field}: {reason}")]
    Fact {
        /// The payment.
        payment: PaymentId,
        /// The data element.
        field: u8,
        /// Why.
        reason: Reason,
    },
    /// The frame of the file could not be written.
    #[error("the file's frame: {0}")]
    Frame(Fault),
    /// The card could not be unsealed.
    #[error("payment {payment}: the card cannot be unsealed: {why}")]
    Unseal {
        /// The payment.
        payment: PaymentId,
        /// Why, in the vault's words.
        why: CannotUnseal,
    },
    /// An item of another network, day, or way of clearing was to be frozen.
    #[error("payment {0}: the item does not belong into this file")]
    Foreign(PaymentId),
    /// The same item twice.
    #[error("payment {0}: the item came twice")]
    Twice(PaymentId),
    /// A void takes back more than the payment has in this file.
    #[error("payment {0}: a void without its item")]
    VoidWithoutItem(PaymentId),
    /// Not one card of several could be opened: this is not the vault that sealed them.
    #[error("none of {0} cards can be opened: this is not the vault that sealed them; nothing was frozen")]
    NoCardOpens(usize),
    /// A sum does not fit.
    #[error("a sum does not fit")]
    Overflow,
    /// The number of the shard or of the capture does not fit into the acquirer reference.
    #[error("payment {0}: the acquirer reference has no room for its numbers")]
    Reference(PaymentId),
    /// The file that was written does not read back as it should.
    #[error("the file does not read back: {verdict:?}, {}", first(.fault))]
    Unreadable {
        /// What the reader says.
        verdict: Verdict,
        /// The first fault.
        fault: Option<Fault>,
    },
    /// The file that was written is not the frozen set.
    #[error("item {index} of the file is not the item that was frozen: {field}")]
    Differs {
        /// Index in the frozen set.
        index: usize,
        /// Which value.
        field: &'static str,
    },
    /// File and set aside together do not move what the ledger's journals do.
    #[error("{currency}: the file and what is set aside move {file}, the ledger {ledger}")]
    Ledger {
        /// The currency.
        currency: Currency,
        /// Net minor units that the cardholders pay, by the file and what is set aside from it.
        file: i128,
        /// The same by the ledger.
        ledger: i128,
    },
    /// A manifest with this name exists and describes something else.
    #[error("a different file of this name is already published")]
    Conflict,
    /// A manifest that cannot be read, or whose data file is not what it says.
    #[error("the published file is damaged: {0}")]
    Damaged(&'static str),
}

fn first(fault: &Option<Fault>) -> String {
    fault.as_ref().map_or_else(|| "no fault named".to_owned(), ToString::to_string)
}

impl Error {
    pub(crate) fn io(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { step, kind: error.kind() }
    }
}
