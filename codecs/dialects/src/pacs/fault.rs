//! Why a message of a bank link was refused, and what may be answered.

use super::request::RejectedTransfer;

/// Why a message was not understood or could not be written. One variant per reason, no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a readable envelope.
    #[error(transparent)]
    Unreadable(#[from] iso20022::Error),
    /// A message that is not for this direction of the link, or that nobody here knows.
    #[error("{0} is not expected here")]
    Message(String),
    /// `Fr` is not the peer of the link.
    #[error("the sender in the header is not the peer of this link")]
    Sender,
    /// `To` is not us.
    #[error("the header is addressed to somebody else")]
    Addressee,
    /// `CpyDplct` says that it is a copy: for information, never to be executed.
    #[error("a copy is not an instruction")]
    Copy,
    /// An element that this link needs is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element that cannot be carried on unchanged.
    #[error("{0} cannot be carried on unchanged")]
    NotCarried(&'static str),
    /// A value other than the one agreed on for this link.
    #[error("{0} is not what this link is agreed to use")]
    NotAgreed(&'static str),
    /// Not exactly one transfer.
    #[error("{0} transfers, wanted one")]
    Transfers(usize),
    /// The original is named twice, differently, or is no pacs.008.
    #[error("the original message is named in two ways or is no credit transfer")]
    Original,
    /// A status that says nothing about a transfer of ours.
    #[error("a transaction status that is not known")]
    Status,
    /// A canonical value that the schema does not allow where it would have to stand.
    #[error("{element}: {content}")]
    Unfit {
        /// The element.
        element: &'static str,
        /// The rule it breaks.
        content: iso20022::Content,
    },
    /// The envelope would be larger than the link allows.
    #[error("the envelope is larger than the link allows")]
    TooLarge,
}

impl Fault {
    pub(super) fn unfit(element: &'static str) -> impl Fn(iso20022::Content) -> Self {
        move |content| Self::Unfit { element, content }
    }

    /// The reason code (`ExternalStatusReason1Code`) that tells the instructing party.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Missing("IntrBkSttlmDt") => "DT01",
            Self::Missing("DbtrAcct" | "CdtrAcct") | Self::NotCarried("DbtrAcct" | "CdtrAcct") => "AC01",
            Self::Missing("DbtrAgt" | "CdtrAgt") => "RC01",
            Self::NotCarried(_) | Self::NotAgreed(_) => "AG03",
            _ => "FF01",
        }
    }
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub fault: Fault,
    /// What to answer, where an answer can be addressed and cannot be mistaken: a readable transfer of
    /// the peer. Boxed, since it is rare.
    pub answer: Option<Box<RejectedTransfer>>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, answer: None }
    }
}

/// A setting of a link that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {content}")]
pub struct LinkFault {
    /// The setting.
    pub setting: &'static str,
    /// The rule it breaks.
    pub content: iso20022::Content,
}
