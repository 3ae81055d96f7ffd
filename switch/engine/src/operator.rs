//! What an operator, or the shell's schedule, tells the engine to do.

use ledger::{BodyHash, ClaimKey, Command, TakenClaim, postings};
use payments::Now;

use crate::api::{Operator, Order};
use crate::engine::{Engine, Out, Pending};

impl Engine {
    pub(crate) fn on_operator(&mut self, now: Now, command: Operator, out: Out<'_>) {
        match command {
            Operator::CutOver { date } => self.cut_over(now, date, out),
            Operator::Deposit { account, amount, .. } => {
                let journals = vec![postings::deposit(self.days.open, account, amount)];
                self.post(now, command.claim(), journals, out);
            }
            Operator::ClearingSent { network, sales, refunds, .. } => {
                let journals = postings::clearing_sent(self.days.open, &network, sales, refunds);
                self.post(now, command.claim(), journals, out);
            }
            Operator::RetryLane { payment } => self.retry_lane(now, payment, out),
            Operator::MatchCompletion { completion, authorization } => {
                self.read_for(Order::Match(completion, authorization), completion, out);
            }
            Operator::WithdrawCompletion { completion } => self.read_for(Order::Withdraw(completion), completion, out),
            Operator::SignLink { link, on } => self.sign_link(now, link, on, out),
            Operator::Drain => self.draining = true,
            Operator::SignOff => self.sign_off(now, out),
        }
    }

    /// Journals under a claim of their own: the same reference posts once.
    fn post(&mut self, now: Now, claim: Option<(ClaimKey, BodyHash)>, journals: Vec<ledger::Journal>, out: Out<'_>) {
        let Some((key, body)) = claim else { return };
        let mut command = Command::at(now.wall);
        command.claim = Some(TakenClaim { key, body, payment: None, on: self.days.open });
        command.journals = journals;
        self.commit(command, Pending::Order(Order::Post(key)), out);
    }
}

impl Operator {
    /// The claim of a command that posts once, and what has to be equal when its reference comes again.
    pub fn claim(&self) -> Option<(ClaimKey, BodyHash)> {
        match self {
            Self::Deposit { reference, account, amount } => {
                Some((ClaimKey::operator(reference.as_str()), BodyHash::of("deposit", *amount, account.as_bytes())))
            }
            Self::ClearingSent { file, network, sales, refunds } => {
                let rest = [&refunds.minor().to_be_bytes()[..], network.as_bytes()].concat();
                Some((ClaimKey::operator(file.as_str()), BodyHash::of("clearing", *sales, &rest)))
            }
            Self::CutOver { .. }
            | Self::RetryLane { .. }
            | Self::MatchCompletion { .. }
            | Self::WithdrawCompletion { .. }
            | Self::SignLink { .. }
            | Self::Drain
            | Self::SignOff => None,
        }
    }
}
