//! Watching every message that leaves: it must rest on what the store has confirmed, and say what the
//! record says. This is the first of the judges, and the only one that looks while the history runs.

use engine::Proof;
use ledger::{ClaimKey, LaneKind};
use payments::outgoing::{Outgoing, Response, TransferOut};
use payments::{LinkId, PaymentId, State};

use crate::counters::Count;
use crate::setup::SHARD;
use crate::world::World;

/// What the engine told about a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: String,
    pub(crate) approval: String,
    pub(crate) amount: i64,
    pub(crate) claimed: bool,
    /// Whether the claim was in the record when it was told.
    pub(crate) known: bool,
    /// A request for money, not an advice or a reversal.
    pub(crate) request: bool,
    pub(crate) terminal: String,
    pub(crate) stan: u32,
}

impl World {
    /// Whether a proof is one.
    fn proved(&mut self, n: usize, proof: &Proof, what: &str) -> bool {
        let Some(node) = self.nodes.get(n) else { return false };
        let fine = match proof {
            Proof::Durable(durable) => node.durable.get(&durable.at().0) == Some(&durable.epoch().0),
            Proof::Stored(stored) => stored.epoch() == node.opened,
            Proof::Unclaimed(_) => true,
        };
        if !fine {
            self.object(format!("{what} left on a commit that is not durable"), &[]);
        }
        fine
    }

    pub(crate) fn watch_send(&mut self, n: usize, proof: &Proof, link: LinkId, message: &Outgoing) {
        if self.blind {
            return;
        }
        self.proved(n, proof, "a message");
        let unclaimed = matches!(proof, Proof::Unclaimed(_));
        let (fits, about) = match message {
            Outgoing::Network(_) | Outgoing::Managed(_) => (unclaimed, String::new()),
            Outgoing::Card(out) if out.egress.processing_code.transaction_type() == "31" => {
                (unclaimed, out.egress.rrn.to_string())
            }
            Outgoing::Card(out) => {
                let there = self.store.read(SHARD, |tables| {
                    tables.payments.values().any(|payment| {
                        // Reversed already while it waited for its write: then the reversal waits for it.
                        payment.facts.egress.as_ref() == Some(&out.egress)
                            && matches!(payment.standing.state, State::Sent | State::Reversing)
                    })
                });
                (there && matches!(proof, Proof::Durable(_)), out.egress.rrn.to_string())
            }
            Outgoing::Reversal(out) => {
                let owed = self.owes(|kind, item| {
                    kind == LaneKind::Reversal && item.egress.as_ref() == Some(&out.original) && item.link == link
                });
                (owed && !unclaimed, out.original.rrn.to_string())
            }
            Outgoing::Advice(out) => {
                let owed = self.owes(|kind, item| {
                    kind == LaneKind::Advice
                        && item.egress.as_ref().is_some_and(|own| {
                            let mut own = own.clone();
                            own.mti = out.egress.mti;
                            own == out.egress
                        })
                });
                (owed && !unclaimed, out.egress.rrn.to_string())
            }
            Outgoing::CreditTransfer(out) => {
                (self.transfer_stands(out.message_id, |state| state == State::Sent) && !unclaimed, out.facts.uetr.to_string())
            }
            Outgoing::StatusRequest(out) => {
                // Or resolved while the enquiry waited for its write.
                let asked = |state| matches!(state, State::Enquiring | State::Executed | State::Declined);
                (self.transfer_stands(out.original_message_id, asked), out.facts.uetr.to_string())
            }
        };
        if !fits {
            self.object(format!("{about} left, and the record does not say so: {message:?}"), &[about]);
        }
    }

    fn owes(&self, wanted: impl Fn(LaneKind, &ledger::LaneItem) -> bool) -> bool {
        // One that ended while the attempt waited for its write may still leave: it says nothing new.
        self.store.read(SHARD, |tables| tables.lanes.values().any(|row| wanted(row.item.kind, &row.item)))
    }

    fn transfer_stands(&self, message_id: payments::Text<35>, wanted: impl Fn(State) -> bool) -> bool {
        self.store.read(SHARD, |tables| {
            let by_id = |id: &PaymentId| TransferOut::message_id_of(*id) == message_id;
            tables.payments.iter().any(|(id, payment)| by_id(id) && wanted(payment.standing.state))
        })
    }

    pub(crate) fn watch_reply(&mut self, n: usize, proof: &Proof, response: &Response) {
        let claimed = !matches!(proof, Proof::Unclaimed(_));
        match response {
            Response::Network(_) => {}
            Response::Card(card) => {
                if card.processing_code.transaction_type() == "31" {
                    return;
                }
                let key = ClaimKey::card(&card.head);
                let stored =
                    self.store.read(SHARD, |tables| tables.claims.get(&key).map(|row| (row.answer.clone(), row.tombstone)));
                let about = format!("{}/{}", card.head.terminal, card.head.stan);
                let told = Told {
                    code: card.answer.code.to_string(),
                    approval: card.answer.approval.map(|code| code.to_string()).unwrap_or_default(),
                    amount: card.amount.minor(),
                    claimed,
                    known: stored.is_some(),
                    request: matches!(card.head.mti.as_bytes(), [_, b'1' | b'2', b'0', _]),
                    terminal: card.head.terminal.to_string(),
                    stan: card.head.stan.get(),
                };
                self.told.entry(key).or_default().push(told);
                if claimed && matches!(stored, Some((_, true))) {
                    self.counters.add(Count::TombstonesHit);
                }
                if self.blind {
                    return;
                }
                self.proved(n, proof, "an answer");
                let fits = match stored {
                    _ if !claimed => true,
                    Some((_, true)) => card.answer.code.as_str() == "21",
                    Some((Some(answer), false)) => {
                        (answer.code, answer.approval, answer.amount)
                            == (card.answer.code, card.answer.approval, card.answer.amount)
                    }
                    _ => false,
                };
                if !fits {
                    self.object(format!("{about} was told {}, and the record does not say so", card.answer.code), &[about]);
                }
            }
            Response::Transfer(transfer) => {
                if self.blind {
                    return;
                }
                self.proved(n, proof, "a status");
                let executed = matches!(transfer.status.status.as_str(), "ACSC" | "ACCC");
                let uetr = transfer.facts.uetr;
                let stands = self.store.read(SHARD, |tables| {
                    tables.payments.values().any(|payment| {
                        payment.standing.state == State::Executed
                            && payment.facts.transfer.as_ref().is_some_and(|facts| facts.uetr == uetr)
                    })
                });
                if executed && !(stands && claimed) {
                    self.object(format!("{uetr} was said to be executed, and the record does not say so"), &[uetr.to_string()]);
                }
            }
        }
    }
}
