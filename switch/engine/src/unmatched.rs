//! What an operator does about a completion that came without its authorization: finds the one that it belongs
//! to, or decides that it belongs to none.
//!
//! Matching takes two commits, since a commit changes one payment: the authorization is captured under a claim
//! that names the completion, then the completion is closed. The claim makes it safe to break off in between:
//! the same order again finds it and closes the completion, an order for another authorization is refused.

use ledger::{BodyHash, ClaimKey, Command, Found, Lookup, PaymentKind, PaymentRecord, Refusal, TakenClaim};
use payments::{Cause, Now, PaymentId, State};

use crate::api::{Effect, Note, Order, OrderOutcome};
use crate::completion::Uncompletable;
use crate::engine::{Engine, Out};
use crate::lanes::{Active, Change, What};

/// An order, and what has been read for it.
#[derive(Debug)]
pub(crate) struct Reading {
    order: Order,
    completion: Option<PaymentRecord>,
}

/// The claim under which a completion is matched.
pub(crate) fn match_key(completion: PaymentId) -> ClaimKey {
    ClaimKey::operator(&format!("match {completion}"))
}

/// What a completion is matched to.
fn match_body(completion: &PaymentRecord, authorization: PaymentId) -> BodyHash {
    BodyHash::of("match", completion.facts.amount, authorization.0.as_bytes())
}

const BUSY: &str = "something is being done to it; try again in a moment";
/// Its capture is durable already, and the order that made it was broken off before the completion was closed.
const ELSEWHERE: &str = "it was matched before; the same match again closes it";

fn ordered(order: Order, outcome: OrderOutcome) -> Effect {
    Effect::Note(Note::Ordered { order, outcome })
}

impl Engine {
    /// Reads the completion that an order is about.
    pub(crate) fn read_for(&mut self, order: Order, completion: PaymentId, out: Out<'_>) {
        let call = self.load(None, Lookup::Payment(completion), out);
        self.readings.insert(call, Reading { order, completion: None });
    }

    /// Something that was read for an order. What could not be read is not answered: whoever ordered it asks
    /// again.
    pub(crate) fn on_read(&mut self, now: Now, reading: Reading, found: Result<Found, String>, out: Out<'_>) {
        let Reading { order, completion } = reading;
        match (order, completion, found) {
            (_, None, Ok(Found::Payments(found))) => {
                let completion = found.into_iter().next().map(|record| self.freshest(record));
                let Some(completion) = completion.filter(|record| record.standing.state == State::Unmatched) else {
                    return out.push(ordered(order, OrderOutcome::Unfit("it is no completion that waits to be matched")));
                };
                let call = self.load(None, Lookup::Claim(match_key(completion.facts.id)), out);
                self.readings.insert(call, Reading { order, completion: Some(completion) });
            }
            (_, Some(completion), Ok(Found::Claim(claim))) => match (order, claim) {
                (Order::Match(_, authorization), Some(claim)) if claim.body == match_body(&completion, authorization) => {
                    self.settle_unmatched(now, completion, Cause::Matched, order, out);
                }
                (_, Some(_)) => out.push(ordered(order, OrderOutcome::Unfit(ELSEWHERE))),
                (Order::Match(_, authorization), None) => {
                    let call = self.load(None, Lookup::Payment(authorization), out);
                    self.readings.insert(call, Reading { order, completion: Some(completion) });
                }
                (_, None) => self.settle_unmatched(now, completion, Cause::Withdrawn, order, out),
            },
            (Order::Match(..), Some(completion), Ok(Found::Payments(found))) => match found.into_iter().next() {
                Some(authorization) => self.complete_by_hand(now, order, completion, authorization, out),
                None => out.push(ordered(order, OrderOutcome::Unfit("there is no such authorization"))),
            },
            _ => {}
        }
    }

    /// Captures what a completion says on the authorization that an operator found.
    fn complete_by_hand(
        &mut self,
        now: Now,
        order: Order,
        completion: PaymentRecord,
        authorization: PaymentRecord,
        out: Out<'_>,
    ) {
        let authorization = self.freshest(authorization);
        let payment = authorization.facts.id;
        if let Some(why) = mismatch(&completion, &authorization) {
            return out.push(ordered(order, OrderOutcome::Unfit(why)));
        }
        if [payment, completion.facts.id].iter().any(|of| self.is_busy(of)) {
            return out.push(ordered(order, OrderOutcome::Unfit(BUSY)));
        }
        let (Some(head), Some(processing_code)) = (completion.facts.head, completion.facts.processing_code) else {
            return out.push(ordered(order, OrderOutcome::Unfit("the completion has no card message")));
        };
        match self.complete(now, &authorization, (completion.facts.amount, head.local, processing_code), out) {
            Ok(((mut command, cause, then), owes)) => {
                let (key, body) = (match_key(completion.facts.id), match_body(&completion, payment));
                command.claim = Some(TakenClaim { key, body, payment: Some(payment), on: self.days.open });
                self.active.entry(payment).or_insert_with(|| Active::new(authorization));
                // Nothing else is done to the completion until it is known what became of this.
                let held = self.active.entry(completion.facts.id).or_insert_with(|| Active::new(completion.clone()));
                held.busy = Some(Change { then: completion.clone(), what: What::Ordered(order) });
                self.change(command, cause, then, What::Completed { completion: Box::new(completion), owes }, out);
            }
            Err(Uncompletable::NotOpen) => out.push(ordered(order, OrderOutcome::Unfit("the authorization is not open"))),
            Err(Uncompletable::NoStan) => out.push(ordered(order, OrderOutcome::Unfit("no STAN is free for the advice"))),
        }
    }

    /// The capture of a match is durable, or refused: the completion may be changed again.
    pub(crate) fn let_go(&mut self, completion: PaymentId) {
        if let Some(held) = self.active.get_mut(&completion) {
            held.busy = None;
        }
    }

    fn is_busy(&self, payment: &PaymentId) -> bool {
        self.active.get(payment).is_some_and(|active| active.busy.is_some())
    }

    /// Nobody has to look for a completion any more.
    pub(crate) fn settle_unmatched(&mut self, now: Now, completion: PaymentRecord, cause: Cause, order: Order, out: Out<'_>) {
        let mut then = self.freshest(completion);
        let payment = then.facts.id;
        self.active.entry(payment).or_insert_with(|| Active::new(then.clone()));
        if self.is_busy(&payment) {
            return out.push(ordered(order, OrderOutcome::Unfit(BUSY)));
        }
        let Ok(state) = State::step(Some(then.standing.state), cause) else {
            out.push(ordered(order, OrderOutcome::Refused(Refusal::Illegal(payment))));
            return self.next_operation(now, payment, out);
        };
        then.standing.state = state;
        then.standing.version += 1;
        self.change(Command::at(now.wall), cause, then, What::Ordered(order), out);
    }
}

/// Why a completion does not belong to a payment.
fn mismatch(completion: &PaymentRecord, authorization: &PaymentRecord) -> Option<&'static str> {
    let (of, to) = (&completion.facts, &authorization.facts);
    let card = |facts: &ledger::Payment| facts.card.as_ref().map(|card| card.token);
    if authorization.standing.state != State::Approved {
        Some("the authorization is not open")
    } else if !matches!(to.kind, PaymentKind::Authorization | PaymentKind::Purchase) {
        Some("that payment is not completed by an 0220")
    } else if of.acquirer != to.acquirer || of.head.map(|head| head.merchant) != to.head.map(|head| head.merchant) {
        Some("the authorization is another merchant's")
    } else if card(of).is_some_and(|token| card(to) != Some(token)) {
        Some("the authorization is of another card")
    } else if of.amount.currency() != to.amount.currency() {
        Some("the authorization is in another currency")
    } else {
        None
    }
}
