//! Why a message may leave.

use ledger::{Committed, Epoch, Seq};
use payments::ResponseCode;
use payments::outgoing::{Outgoing, Response};
use payments::request::CardKind;

/// A commit is durable. Its fields are private and it is minted from [`Committed`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    at: Seq,
    epoch: Epoch,
}

impl Durable {
    /// For each command of a durable batch.
    pub(crate) fn mint(committed: &Committed) -> impl Iterator<Item = Durable> + '_ {
        committed.seqs().iter().map(|at| Durable { at: *at, epoch: committed.epoch() })
    }

    /// Which command.
    pub fn at(&self) -> Seq {
        self.at
    }

    /// Under which epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// Why a message may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// What it rests on is durable.
    Durable(Durable),
    /// It was read back from the record under the current epoch: a stored answer, an owed message.
    Stored(Epoch),
    /// It moves no money: see [`unclaimed_send`] and [`unclaimed_reply`].
    Unclaimed(Unclaimed),
}

/// That a message may leave without a trace in the record. Private field: only the two functions of
/// this module make one, by a table with a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclaimed(());

/// Requests that move no money: 0800, a balance enquiry, a status enquiry.
pub(crate) fn unclaimed_send(message: &Outgoing, kind: Option<CardKind>) -> Option<Proof> {
    let harmless = match message {
        Outgoing::Network(_) | Outgoing::StatusRequest(_) => true,
        Outgoing::Card(_) => kind == Some(CardKind::Balance),
        Outgoing::Advice(_) | Outgoing::Reversal(_) | Outgoing::CreditTransfer(_) => false,
    };
    harmless.then_some(Proof::Unclaimed(Unclaimed(())))
}

/// Answers of which nothing was kept or sent: 0810, the answer to a balance enquiry, refusals with
/// 30, 91, 94 or 96, and a status that is only being asked for.
pub(crate) fn unclaimed_reply(response: &Response, kind: Option<CardKind>) -> Option<Proof> {
    let harmless = match response {
        Response::Network(_) => true,
        Response::Card(card) => kind == Some(CardKind::Balance) || is_bare_refusal(card.answer.code),
        Response::Transfer(transfer) => matches!(transfer.status.status.as_str(), "PDNG" | "RJCT"),
    };
    harmless.then_some(Proof::Unclaimed(Unclaimed(())))
}

fn is_bare_refusal(code: ResponseCode) -> bool {
    [ResponseCode::FORMAT_ERROR, ResponseCode::UNAVAILABLE, ResponseCode::CONFLICT, ResponseCode::MALFUNCTION].contains(&code)
}
