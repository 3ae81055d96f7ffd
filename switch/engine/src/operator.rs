//! What an operator, or the shell's schedule, tells the engine to do.

use ledger::{BodyHash, ClaimKey, Command, TakenClaim, postings};
use payments::Now;

use crate::api::Operator;
use crate::engine::{Engine, Out, Pending};

impl Engine {
    pub(crate) fn on_operator(&mut self, now: Now, command: Operator, out: Out<'_>) {
        match command {
            Operator::CutOver { date } => self.cut_over(now, date, out),
            Operator::Deposit { reference, account, amount } => {
                let journals = vec![postings::deposit(self.days.open, account, amount)];
                self.post(now, reference.as_str(), BodyHash::of("deposit", amount, account.as_bytes()), journals, out);
            }
            Operator::ClearingSent { file, network, sales, refunds } => {
                let journals = postings::clearing_sent(self.days.open, &network, sales, refunds);
                self.post(now, file.as_str(), BodyHash::of("clearing", sales, network.as_bytes()), journals, out);
            }
            Operator::RetryLane { payment } => self.retry_lane(now, payment),
            Operator::Drain => self.draining = true,
        }
    }

    /// Journals under a claim of their own: the same reference posts once.
    fn post(&mut self, now: Now, reference: &str, body: BodyHash, journals: Vec<ledger::Journal>, out: Out<'_>) {
        let mut command = Command::at(now.wall);
        command.claim = Some(TakenClaim { key: ClaimKey::operator(reference), body, payment: None, on: self.days.open });
        command.journals = journals;
        self.commit(command, Pending::Nothing, out);
    }
}
