//! The judges at the end of a history: terminals, networks, bank and record are held against each
//! other item by item, by the truth table of the payment semantics.

mod books;
mod counts;
mod record;
mod transfers;

use ledger::memory::Tables;

use crate::setup::SHARD;
use crate::world::{Mutation, World};

impl World {
    pub(crate) fn judge(&mut self) {
        let mut tables = self.store.read(SHARD, Tables::clone);
        self.tell_record(&tables);
        self.tamper(&mut tables);
        self.count_record(&tables);
        self.judge_record(&tables);
        self.judge_claims(&tables);
        self.judge_books(&tables);
        self.judge_transfers(&tables);
        self.judge_shell();
    }

    /// Breaks the record on purpose, as no store would: do the judges notice?
    fn tamper(&mut self, tables: &mut Tables) {
        match self.mutation {
            Mutation::DoubleCapture => {
                let item = tables.captures.values().next().copied();
                if let Some(mut item) = item {
                    item.number += 20;
                    tables.captures.insert((item.payment, item.number), item);
                }
            }
            Mutation::DropHold => {
                if let Some(hold) = tables.holds.values_mut().next() {
                    hold.released = false;
                }
            }
            Mutation::WrongDate => {
                if let Some(item) = tables.captures.values_mut().next() {
                    item.date = item.date.next();
                }
            }
            _ => {}
        }
    }

    /// How the record stands in the end, for the story.
    fn tell_record(&mut self, tables: &Tables) {
        for payment in tables.payments.values() {
            let (facts, standing) = (&payment.facts, &payment.standing);
            let about = facts.transfer.as_ref().map_or_else(|| facts.rrn.to_string(), |transfer| transfer.uetr.to_string());
            self.trace.tell(self.now, || {
                let from = facts.head.map(|head| format!("{}/{}", head.terminal, head.stan)).unwrap_or_default();
                let stan =
                    facts.egress.as_ref().map(|egress| format!("{} stan {}", egress.link, egress.stan)).unwrap_or_default();
                format!(
                    "the record has {about} {from} as {} {:?} v{} {} approved {} captured {} {stan}",
                    facts.id, standing.state, standing.version, facts.amount, standing.approved, standing.captured
                )
            });
            for row in tables.lanes.values().filter(|row| row.item.payment == facts.id) {
                self.trace.tell(self.now, || format!("{about}: its lane {} {:?} {:?}", row.item.number, row.item.kind, row.end));
            }
            for item in tables.captures.values().filter(|item| item.payment == facts.id) {
                self.trace.tell(self.now, || {
                    format!("{about}: its item {} {:?} {} {}", item.number, item.kind, item.amount, item.date)
                });
            }
        }
    }

    /// What is left in the shell.
    fn judge_shell(&mut self) {
        let kept = self.serving.and_then(|n| self.nodes.get(n)).map_or(0, |node| node.keep.len());
        if kept > 0 {
            self.object(format!("{kept} secrets are still kept, and nobody needs them"), &[]);
        }
        if self.late_writes > 0 {
            self.object(format!("{} messages were written after their deadline", self.late_writes), &[]);
        }
        // What may be raised in a history in which nobody but the world misbehaves.
        let expected = [
            "an operator's command was refused",
            "a link does not answer echoes",
            "a network refused our sign-on",
            "a completion is above its authorization",
            // A terminal that does not know which of two amounts was taken reverses the wrong one first.
            "a reversal has another amount than its original",
            "a business day could not be recorded",
            "a cut-over to a day that is not later than the open one was refused",
        ];
        let unexpected: Vec<_> = self.alarms.iter().filter(|(what, _)| !expected.contains(what)).cloned().collect();
        for (what, payment) in unexpected {
            let about: Vec<String> = payment.iter().map(ToString::to_string).collect();
            self.object(format!("an alarm: {what}"), &about);
        }
    }
}
