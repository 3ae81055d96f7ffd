//! The record alone: proved by its own verifier, nothing owed, nothing open, one outcome a claim,
//! closed days as they were.

use std::collections::BTreeMap;

use ledger::ClaimKey;
use ledger::memory::Tables;
use payments::{Answer, ResponseCode, State};

use crate::setup::SHARD;
use crate::world::World;

impl World {
    pub(super) fn judge_record(&mut self, tables: &Tables) {
        let (_, report, findings) = self.store.prove(SHARD);
        for finding in findings.iter().take(3) {
            self.object(format!("the record: {finding}"), &[]);
        }
        if report.items == 0 {
            self.object("nothing was recorded".to_owned(), &[]);
        }
        let mut wrong: Vec<(String, String)> = Vec::new();
        for (id, number) in &tables.owed {
            wrong.push((format!("payment {id} still owes message {number}"), id.to_string()));
        }
        for payment in tables.payments.values() {
            let (id, state) = (payment.facts.id, payment.standing.state);
            if matches!(state, State::Sent | State::Enquiring) || (state == State::Reversing && !self.dead.contains(&id)) {
                wrong.push((format!("payment {} ended as {state:?}", payment.facts.rrn), payment.facts.rrn.to_string()));
            }
        }
        for (id, hold) in tables.holds.iter().filter(|(_, hold)| !hold.released) {
            wrong.push((format!("payment {id} still holds {}", hold.amount), id.to_string()));
        }
        for (date, then) in &self.closed {
            let now: Vec<String> =
                tables.captures.values().filter(|item| item.date == *date).map(|item| format!("{item:?}")).collect();
            if now != *then {
                wrong.push((format!("the closed day {date} changed"), date.to_string()));
            }
        }
        for item in tables.captures.values() {
            let journal = tables.journals.values().any(|(journal, _)| {
                journal.payment == Some(item.payment)
                    && journal.date == item.date
                    && journal.lines.iter().any(|line| line.amount == item.amount)
            });
            if !journal {
                wrong.push((format!("item {} of {} has no journal", item.number, item.payment), item.payment.to_string()));
            }
        }
        for (what, about) in wrong {
            self.object(what, &[about]);
        }
    }

    /// Each claim has one outcome, and everybody who asked was told that one.
    pub(super) fn judge_claims(&mut self, tables: &Tables) {
        let mut wrong: Vec<(String, Vec<String>)> = Vec::new();
        let mut answers: BTreeMap<ClaimKey, Vec<&Answer>> = BTreeMap::new();
        for item in tables.blocks.iter().flat_map(|block| &block.items) {
            for (key, answer) in &item.command.answers {
                answers.entry(*key).or_default().push(answer);
            }
        }
        for (key, answers) in &answers {
            let rrn = tables.claims.get(key).and_then(|claim| claim.payment).and_then(|id| tables.payments.get(&id));
            if answers.iter().any(|answer| *answer != answers[0]) {
                let about = rrn.map(|payment| payment.facts.rrn.to_string()).unwrap_or_default();
                wrong.push((format!("claim {key:?} of {about} has two outcomes"), vec![about]));
            }
        }
        for (key, claim) in tables.claims.iter().filter(|(_, claim)| claim.payment.is_some() && !claim.tombstone) {
            if claim.answer.is_none() {
                wrong.push((format!("claim {key:?} has no outcome"), claim.payment.iter().map(ToString::to_string).collect()));
            }
        }
        for (key, told) in &self.told {
            let about = told.first().map(|told| vec![format!("{}/{:06}", told.terminal, told.stan)]).unwrap_or_default();
            let mut outcomes = told.iter().filter(|told| told.claimed);
            let first = outcomes.next();
            let same = |other: &crate::node::watch::Told| {
                let approved = crate::terminal::is_approval(&other.code);
                first.is_some_and(|one| {
                    (&one.code, &one.approval) == (&other.code, &other.approval) && (!approved || one.amount == other.amount)
                })
            };
            if !outcomes.all(same) {
                wrong.push((format!("the same request was told different things: {told:?}"), about.clone()));
            }
            let claim = tables.claims.get(key);
            let approved = claim
                .and_then(|claim| claim.answer.as_ref())
                .is_some_and(|answer| answer.outcome() != payments::Outcome::Declined);
            let asked =
                claim.and_then(|claim| claim.payment).and_then(|id| tables.payments.get(&id)).map(|it| it.facts.amount.minor());
            // A refusal says that nothing was kept. Of a claim that was in the record it is a lie, and
            // where the payment is approved it costs money. Another body is another matter.
            let lie = told.iter().find(|told| {
                !told.claimed
                    && told.known
                    && told.request
                    && told.code != ResponseCode::CONFLICT.as_str()
                    && asked == Some(told.amount)
            });
            if let (true, false, Some(lie)) = (approved, self.unreadable.contains(key), lie) {
                wrong.push((format!("an approved request was told {}", lie.code), about));
            }
        }
        for (what, about) in wrong {
            self.object(what, &about);
        }
    }
}
