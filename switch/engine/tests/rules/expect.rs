//! What a script expects: messages and answers in the order in which they left, what the record says by
//! then, and which messages need no record at all.

use std::time::Duration;

use engine::{Note, Proof};
use ledger::memory::LaneRow;
use ledger::{LaneEnd, PaymentRecord};
use payments::outgoing::{CardResponse, Outgoing, Response};
use payments::{PaymentId, State};

use crate::till::{Left, SHARD, Till};

impl Left {
    /// What it is called.
    pub(crate) fn mti(&self) -> &str {
        match &self.message {
            Outgoing::Network(_) => "0800",
            Outgoing::Managed(_) => "0810",
            Outgoing::Card(out) => out.egress.mti.as_str(),
            Outgoing::Advice(out) => out.egress.mti.as_str(),
            Outgoing::Reversal(out) => out.mti.as_str(),
            Outgoing::CreditTransfer(_) => "pacs.008",
            Outgoing::StatusRequest(_) => "pacs.028",
        }
    }
}

impl Till {
    /// The next message that left.
    #[track_caller]
    pub(crate) fn expect_send(&mut self, mti: &str) -> Left {
        let left = self.left.pop_front().unwrap_or_else(|| panic!("no {mti} left, nothing did"));
        assert_eq!(left.mti(), mti, "{left:?}");
        left
    }

    /// Waits for the next message, but no longer than so many seconds.
    #[track_caller]
    pub(crate) fn expect_send_within(&mut self, seconds: u64, mti: &str) -> Left {
        let until = self.now().mono.after(Duration::from_secs(seconds));
        while self.left.is_empty()
            && let Some(at) = self.next_wake().filter(|at| *at <= until)
        {
            self.advance(at.since(self.now().mono));
        }
        self.expect_send(mti)
    }

    /// The next answer to a terminal.
    #[track_caller]
    pub(crate) fn expect_reply(&mut self, code: &str) -> CardResponse {
        self.expect_answer(code).1
    }

    /// As [`Till::expect_reply`], with what it rests on.
    #[track_caller]
    pub(crate) fn expect_answer(&mut self, code: &str) -> (Proof, CardResponse) {
        match self.told.pop_front() {
            Some((_, proof, Response::Card(response))) => {
                assert_eq!(response.answer.code.as_str(), code, "{response:?}");
                (proof, *response)
            }
            other => panic!("an answer with {code} was expected, not {other:?}"),
        }
    }

    /// The next pacs.002 for the instructing party: its status and reason.
    #[track_caller]
    pub(crate) fn expect_status(&mut self, status: &str, reason: &str) {
        match self.told.pop_front() {
            Some((_, _, Response::Transfer(response))) => {
                let told = response.status;
                assert_eq!((told.status.as_str(), told.reason.as_str()), (status, reason), "{response:?}");
            }
            other => panic!("a pacs.002 with {status} was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn expect_nothing_sent(&self) {
        assert!(self.left.is_empty(), "{:?}", self.left);
    }

    #[track_caller]
    pub(crate) fn expect_nothing_told(&self) {
        assert!(self.told.is_empty(), "{:?}", self.told);
    }

    /// The only payment of a script, as the record has it.
    #[track_caller]
    pub(crate) fn payment(&self) -> PaymentRecord {
        let [payment] = <[PaymentRecord; 1]>::try_from(self.store.payments(SHARD)).expect("one payment in the record");
        payment
    }

    pub(crate) fn state(&self) -> State {
        self.payment().standing.state
    }

    /// How the only owed message of a script ended, if it did.
    #[track_caller]
    pub(crate) fn lane_end(&self) -> Option<(LaneEnd, String)> {
        let [lane] = <[LaneRow; 1]>::try_from(self.store.lanes(SHARD)).expect("one owed message in the record");
        lane.end.map(|(end, code)| (end, code.map(|code| code.to_string()).unwrap_or_default()))
    }

    /// How the message that was owed last ended, with the code that ended it.
    pub(crate) fn last_lane_end(&self) -> Option<(LaneEnd, String)> {
        let end = self.store.lanes(SHARD).pop()?.end;
        end.map(|(end, code)| (end, code.map(|code| code.to_string()).unwrap_or_default()))
    }

    /// How many messages were ever owed.
    pub(crate) fn owed(&self) -> usize {
        self.store.lanes(SHARD).len()
    }

    /// Commands in the record.
    pub(crate) fn commands(&self) -> usize {
        self.store.commands(SHARD).len()
    }

    /// Payments whose owed message was refused.
    pub(crate) fn dead_letters(&self) -> Vec<PaymentId> {
        let dead = |note: &Note| match note {
            Note::LaneDead { payment, .. } => Some(*payment),
            _ => None,
        };
        self.notes.iter().filter_map(dead).collect()
    }

    /// What persons were told.
    pub(crate) fn alarms(&self) -> Vec<&'static str> {
        let alarm = |note: &Note| match note {
            Note::Alarm { what, .. } => Some(*what),
            _ => None,
        };
        self.notes.iter().filter_map(alarm).collect()
    }
}

/// SEMANTICS 19 and 20: 0800, balance and status enquiries need no commit.
pub(crate) fn moves_no_money(message: &Outgoing) -> bool {
    match message {
        Outgoing::Network(_) | Outgoing::Managed(_) | Outgoing::StatusRequest(_) => true,
        Outgoing::Card(out) => out.egress.processing_code.transaction_type() == "31",
        Outgoing::Advice(_) | Outgoing::Reversal(_) | Outgoing::CreditTransfer(_) => false,
    }
}

pub(crate) fn tells_no_money(response: &Response) -> bool {
    match response {
        Response::Network(_) => true,
        Response::Card(card) => {
            card.processing_code.transaction_type() == "31" || ["30", "91", "94", "96"].contains(&card.answer.code.as_str())
        }
        Response::Transfer(transfer) => ["PDNG", "RJCT"].contains(&transfer.status.status.as_str()),
    }
}
