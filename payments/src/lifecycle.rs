//! The life of a payment as the record keeps it: one enum of states, one of causes, one pure `step`.
//! The tables in `docs/lifecycles.md` are printed from here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a payment stands. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(i16)]
pub enum State {
    /// COMMIT A is durable: the request was sent or is about to be, and has no outcome yet.
    Sent = 1,
    /// Approved and open: an authorization that waits for its completion.
    Approved = 2,
    /// Approved and captured: it will reach, or has reached, the scheme's money once.
    Captured = 3,
    /// Declined, by the issuer or by us.
    Declined = 4,
    /// COMMIT A was durable but provably nothing was sent.
    Abandoned = 5,
    /// Unknown or reversed by its acquirer: a reversal is owed to the network.
    Reversing = 6,
    /// The reversal was acknowledged, or the credit is in clearing.
    Reversed = 7,
    /// A credit transfer whose outcome is being asked for.
    Enquiring = 8,
    /// A credit transfer that the bank accepted; its journal is posted.
    Executed = 9,
    /// A completion whose authorization was not found: told as accepted, since an advice is never refused,
    /// kept with its card, and nothing is captured. An operator must find what it belongs to.
    Unmatched = 10,
    /// An operator found the authorization of a completion: the money is on that payment.
    Matched = 11,
}

/// Why a payment changed its state. The numbers are stored: never renumber, never use one again. 15 was
/// a cause that nothing ever produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(i16)]
pub enum Cause {
    /// COMMIT A.
    Accepted = 1,
    /// The counterparty approved; nothing is captured yet.
    Approval = 2,
    /// The counterparty approved and the item is captured (host capture, single message, refund).
    Capture = 3,
    /// The counterparty declined.
    Decline = 4,
    /// We declined before anything was sent.
    OwnDecline = 5,
    /// After COMMIT A provably nothing was sent.
    NotSent = 6,
    /// No answer within `answer_by`.
    Timeout = 7,
    /// A restart or a new owner found it sent, or about to be, without outcome.
    Recovery = 8,
    /// The approval would have come too late for anybody to wait for, or could not be delivered.
    Late = 9,
    /// The acquirer reversed it.
    AcquirerReversal = 10,
    /// The acquirer completed an authorization (0220).
    Completion = 11,
    /// The network acknowledged the reversal.
    ReversalAcknowledged = 12,
    /// The reversal came after the presentment was frozen: a credit goes into clearing instead.
    ClearingCredit = 13,
    /// The network refused the reversal; an operator must look.
    DeadLetter = 14,
    /// Unanswered advice acknowledged by the network.
    AdviceAcknowledged = 16,
    /// Nothing was sent on the first route; the next one is tried, with a header of its own.
    Rerouted = 17,
    /// An operator has an owed message tried again that the network had refused.
    Revived = 18,
    /// The counterparty approved after all, when the reversal was owed already. Nobody is told; but "original
    /// not found" is no good news from then on.
    LateApproval = 19,
    /// An operator found the authorization that a completion belongs to.
    Matched = 20,
    /// An operator decided that a completion belongs to nothing and moves nothing.
    Withdrawn = 21,
}

/// A change that the lifecycle does not know. Always a bug or a race that must be re-read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment in state {from:?} cannot change by {cause:?}")]
pub struct Illegal {
    /// The state it is in.
    pub from: State,
    /// What was to happen.
    pub cause: Cause,
}

impl State {
    /// Every state.
    pub const ALL: [State; 11] = [
        State::Sent,
        State::Approved,
        State::Captured,
        State::Declined,
        State::Abandoned,
        State::Reversing,
        State::Reversed,
        State::Enquiring,
        State::Executed,
        State::Unmatched,
        State::Matched,
    ];

    /// From its stored number.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The stored number.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The state after `cause`. `None` as the start: how a payment begins.
    pub fn step(from: Option<State>, cause: Cause) -> Result<State, Illegal> {
        use {Cause as C, State as S};
        match (from, cause) {
            (None, C::Accepted) => Ok(S::Sent),
            (None, C::OwnDecline) => Ok(S::Declined),
            (None, C::Completion) => Ok(S::Unmatched),
            (Some(S::Sent), C::Rerouted) => Ok(S::Sent),
            (Some(S::Sent), C::Approval) => Ok(S::Approved),
            (Some(S::Sent | S::Approved), C::Capture) => Ok(S::Captured),
            (Some(S::Sent), C::Decline) => Ok(S::Declined),
            (Some(S::Sent), C::NotSent) => Ok(S::Abandoned),
            (Some(S::Sent), C::Timeout | C::Recovery | C::Late | C::AcquirerReversal) => Ok(S::Reversing),
            (Some(S::Approved), C::Completion) => Ok(S::Captured),
            (Some(S::Approved | S::Captured), C::AcquirerReversal) => Ok(S::Reversing),
            (Some(S::Captured), C::ClearingCredit) => Ok(S::Reversed),
            (Some(S::Captured), C::AdviceAcknowledged | C::DeadLetter) => Ok(S::Captured),
            (Some(S::Reversing), C::ReversalAcknowledged) => Ok(S::Reversed),
            (Some(S::Reversing), C::LateApproval) => Ok(S::Reversing),
            // A completion may still be owed, ahead of the reversal in the lane.
            (Some(S::Reversing), C::DeadLetter | C::AcquirerReversal | C::AdviceAcknowledged) => Ok(S::Reversing),
            (Some(S::Reversed), C::AdviceAcknowledged | C::DeadLetter) => Ok(S::Reversed),
            (Some(state @ (S::Captured | S::Reversing | S::Reversed)), C::Revived) => Ok(state),
            // Nothing of it was ever sent.
            (Some(S::Unmatched), C::AcquirerReversal | C::Withdrawn) => Ok(S::Reversed),
            (Some(S::Unmatched), C::Matched) => Ok(S::Matched),
            _ => Err(Illegal { from: from.unwrap_or(S::Sent), cause }),
        }
    }

    /// As [`State::step`], for a credit transfer: silence is asked about, never reversed.
    pub fn step_transfer(from: Option<State>, cause: Cause) -> Result<State, Illegal> {
        use {Cause as C, State as S};
        match (from, cause) {
            (None, C::Accepted) => Ok(S::Sent),
            (None, C::OwnDecline) => Ok(S::Declined),
            (Some(S::Sent | S::Enquiring), C::Approval) => Ok(S::Executed),
            (Some(S::Sent | S::Enquiring), C::Decline) => Ok(S::Declined),
            (Some(S::Sent), C::NotSent) => Ok(S::Abandoned),
            (Some(S::Sent | S::Enquiring), C::Timeout | C::Recovery | C::Late) => Ok(S::Enquiring),
            _ => Err(Illegal { from: from.unwrap_or(S::Sent), cause }),
        }
    }

    /// Whether money may still move because of it: it is neither declined, abandoned nor reversed.
    pub fn is_open(self) -> bool {
        matches!(self, State::Sent | State::Approved | State::Captured | State::Reversing | State::Enquiring | State::Unmatched)
    }
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 20] = [
        Cause::Accepted,
        Cause::Approval,
        Cause::Capture,
        Cause::Decline,
        Cause::OwnDecline,
        Cause::NotSent,
        Cause::Timeout,
        Cause::Recovery,
        Cause::Late,
        Cause::AcquirerReversal,
        Cause::Completion,
        Cause::ReversalAcknowledged,
        Cause::ClearingCredit,
        Cause::DeadLetter,
        Cause::AdviceAcknowledged,
        Cause::Rerouted,
        Cause::Revived,
        Cause::LateApproval,
        Cause::Matched,
        Cause::Withdrawn,
    ];

    /// From its stored number.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.code() == code)
    }

    /// The stored number.
    pub fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_final_state_with_money() {
        for cause in Cause::ALL {
            assert!(State::step(Some(State::Declined), cause).is_err());
            assert!(State::step(Some(State::Abandoned), cause).is_err());
            assert!(State::step(Some(State::Matched), cause).is_err());
            assert!(State::step_transfer(Some(State::Executed), cause).is_err());
        }
    }

    /// `own-decline` of `OwnDecline`.
    fn word(cause: Cause) -> String {
        let mut word = String::new();
        for letter in format!("{cause:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.push(letter.to_ascii_lowercase());
        }
        word
    }

    /// Every change that a lifecycle knows, a row each.
    fn table(step: fn(Option<State>, Cause) -> Result<State, Illegal>) -> String {
        let mut table = String::from("| from | cause | to |\n|---|---|---|\n");
        for from in std::iter::once(None).chain(State::ALL.map(Some)) {
            for cause in Cause::ALL {
                if let Ok(to) = step(from, cause) {
                    let from = from.map_or("(new)".to_owned(), |from| from.to_string());
                    table.push_str(&format!("| {from} | {} | {to} |\n", word(cause)));
                }
            }
        }
        table
    }

    #[test]
    fn the_tables_in_the_book_are_the_steps_in_the_code() {
        let page = include_str!("../../docs/lifecycles.md");
        for (kind, step) in
            [("card", State::step as fn(Option<State>, Cause) -> Result<State, Illegal>), ("transfer", State::step_transfer)]
        {
            let mark = format!("<!-- {kind}: printed by payments/src/lifecycle.rs -->\n");
            let (_, rest) = page.split_once(&mark).expect("the mark");
            let (printed, _) = rest.split_once("<!-- end -->").expect("the end mark");
            assert_eq!(printed, table(step), "docs/lifecycles.md is stale; {kind} should be:\n{}", table(step));
        }
    }

    #[test]
    fn every_state_and_cause_is_explained_in_the_book() {
        let page = include_str!("../../docs/lifecycles.md");
        let words = State::ALL.map(|state| state.to_string()).into_iter().chain(Cause::ALL.map(word));
        for word in words {
            assert!(page.contains(&format!("| `{word}` | ")), "docs/lifecycles.md does not say what {word} is");
        }
    }

    #[test]
    fn stored_numbers_read_back() {
        State::ALL.into_iter().for_each(|s| assert_eq!(State::from_code(s.code()), Some(s)));
        Cause::ALL.into_iter().for_each(|c| assert_eq!(Cause::from_code(c.code()), Some(c)));
    }
}
