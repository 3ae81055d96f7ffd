//! What an operator does about a completion that came without its authorization: finds the one that it belongs
//! to, or decides that it belongs to none.
//!
//! Matching takes two commits, since a commit changes one payment: the authorization is captured under a claim
//! that names the completion, then the completion is closed. The claim makes it safe to break off in between:
//! the same order again finds it and closes the completion, an order for another authorization is refused.
//! Whoever withdraws a completion, an operator or its terminal, takes the same claim: of two who decide at once
//! the book lets one.

use ledger::{BodyHash, ClaimKey, ClaimRecord, Command, Found, Lookup, PaymentKind, PaymentRecord, Refusal, TakenClaim};
use payments::outgoing::CardAnswer;
use payments::{BusinessDate, Cause, LinkId, Now, PaymentId, State};

use crate::api::{Effect, Note, Order, OrderOutcome};
use crate::completion::Uncompletable;
use crate::engine::{Engine, Out};
use crate::lanes::{Active, Change, What, approved_by_issuer};
use crate::outcome::differs;

/// What a record is being read for.
#[derive(Debug)]
pub(crate) enum Reading {
    /// An operator's order about a completion, which is there once it has been read.
    Order(Order, Option<PaymentRecord>),
    /// An approval of a payment whose reversal had ended: is it dead, or done?
    Late(LinkId, Box<CardAnswer>),
}

/// What a completion is matched to.
fn match_body(completion: &PaymentRecord, authorization: PaymentId) -> BodyHash {
    BodyHash::of("match", completion.facts.amount, authorization.0.as_bytes())
}

/// The claim that a completion which moves nothing leaves: whoever would match it later is refused by the book.
pub(crate) fn never_matched(completion: &PaymentRecord, on: BusinessDate) -> TakenClaim {
    let body = BodyHash::of("withdrawn", completion.facts.amount, completion.facts.id.0.as_bytes());
    TakenClaim { key: ClaimKey::settlement_of(completion.facts.id), body, payment: None, on }
}

const BUSY: &str = "something is being done to it; try again in a moment";
const ELSEWHERE: &str = "it was matched to another authorization before; `switchyard completion list` and `trace` say which";
const SETTLED: &str = "it was withdrawn, or taken back by its terminal";
const UNKNOWN: &str = "it is no completion that came without its authorization";
const UNREAD: &str = "the record could not be read; try again";

fn ordered(order: Order, outcome: OrderOutcome) -> Effect {
    Effect::Note(Note::Ordered { order, outcome })
}

impl Engine {
    /// Reads the completion that an order is about.
    pub(crate) fn read_for(&mut self, order: Order, completion: PaymentId, out: Out<'_>) {
        self.read(Lookup::Payment(completion), Reading::Order(order, None), out);
    }

    /// Reads something, and goes on with [`Engine::on_read`].
    pub(crate) fn read(&mut self, what: Lookup, reading: Reading, out: Out<'_>) {
        let call = self.load(None, what, out);
        self.readings.insert(call, reading);
    }

    /// Something was read.
    pub(crate) fn on_read(&mut self, now: Now, reading: Reading, found: Result<Found, String>, out: Out<'_>) {
        match (reading, found) {
            (Reading::Order(order, None), Ok(Found::Payments(found))) => {
                let completion = found.into_iter().next().map(|record| self.freshest(record));
                let once = |record: &PaymentRecord| {
                    record.facts.egress.is_none()
                        && matches!(record.standing.state, State::Unmatched | State::Matched | State::Reversed)
                };
                let Some(completion) = completion.filter(once) else {
                    return out.push(ordered(order, OrderOutcome::Unfit(UNKNOWN)));
                };
                let key = ClaimKey::settlement_of(completion.facts.id);
                self.read(Lookup::Claim(key), Reading::Order(order, Some(completion)), out);
            }
            (Reading::Order(order, Some(completion)), Ok(Found::Claim(claim))) => {
                self.on_settlement(now, order, completion, claim, out);
            }
            (Reading::Order(order, Some(completion)), Ok(Found::Payments(found))) => match found.into_iter().next() {
                Some(authorization) => self.complete_by_hand(now, order, completion, authorization, out),
                None => out.push(ordered(order, OrderOutcome::Unfit("there is no such authorization"))),
            },
            (Reading::Order(order, _), _) => out.push(ordered(order, OrderOutcome::Unfit(UNREAD))),
            (Reading::Late(link, answer), Ok(Found::Payments(found))) => {
                if let Some(record) = found.into_iter().next() {
                    self.on_approval_of_ended(now, link, record, &answer, out);
                }
            }
            (Reading::Late(..), _) => {
                out.push(Effect::Note(Note::Alarm {
                    what: "a late approval came, and its payment cannot be read",
                    payment: None,
                }));
            }
        }
    }

    /// What was decided about a completion before, if anything was.
    fn on_settlement(
        &mut self,
        now: Now,
        order: Order,
        completion: PaymentRecord,
        claim: Option<Box<ClaimRecord>>,
        out: Out<'_>,
    ) {
        let open = self.freshest(completion.clone()).standing.state == State::Unmatched;
        let outcome = match (order, claim) {
            (Order::Match(_, authorization), Some(claim)) if claim.body == match_body(&completion, authorization) => {
                if open {
                    // Broken off before: the capture is durable, the completion is still to be closed.
                    return self.settle_unmatched(now, completion, Cause::Matched, order, out);
                }
                OrderOutcome::Already
            }
            (Order::Withdraw(_), Some(claim)) if claim.payment.is_none() => OrderOutcome::Already,
            (_, Some(claim)) => OrderOutcome::Unfit(if claim.payment.is_none() { SETTLED } else { ELSEWHERE }),
            (Order::Match(_, authorization), None) if open => {
                return self.read(Lookup::Payment(authorization), Reading::Order(order, Some(completion)), out);
            }
            (_, None) if open => return self.settle_unmatched(now, completion, Cause::Withdrawn, order, out),
            (_, None) => OrderOutcome::Unfit(SETTLED),
        };
        out.push(ordered(order, outcome));
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
        let (authorization, completion) = (self.freshest(authorization), self.freshest(completion));
        let payment = authorization.facts.id;
        if completion.standing.state != State::Unmatched {
            return out.push(ordered(order, OrderOutcome::Unfit(BUSY)));
        }
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
                let (key, body) = (ClaimKey::settlement_of(completion.facts.id), match_body(&completion, payment));
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
        let mut command = Command::at(now.wall);
        if cause == Cause::Withdrawn {
            command.tombstone = Some(never_matched(&then, self.days.open));
        }
        self.change(command, cause, then, What::Ordered(order), out);
    }

    /// An approval came when the reversal of its payment had ended. Of one that was refused it is a fact, for
    /// whoever tries it again; of one that is done somebody has to hear.
    fn on_approval_of_ended(&mut self, now: Now, link: LinkId, record: PaymentRecord, answer: &CardAnswer, out: Out<'_>) {
        let record = self.freshest(record);
        if let Some(why) = record.facts.egress.as_ref().and_then(|egress| differs(egress, answer)) {
            return self.unmatched(link, answer.stan.get(), why, out);
        }
        if approved_by_issuer(&record) {
            return;
        }
        let payment = record.facts.id;
        let active = self.active.entry(payment).or_insert_with(|| Active::new(record));
        active.late = Some(answer.answer.approval);
        self.next_operation(now, payment, out);
    }
}

/// Whether a completion is of the same transaction type (the first two digits of DE3) as an authorization: a
/// refund advice must never capture a sale.
pub(crate) fn same_type(completion: &ledger::Payment, authorization: &ledger::Payment) -> bool {
    let of = |facts: &ledger::Payment| facts.processing_code.map(|code| code.transaction_type().to_owned());
    of(completion) == of(authorization)
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
    } else if !same_type(of, to) {
        Some("the authorization is of another transaction type (DE3)")
    } else if card(of).is_some_and(|token| card(to) != Some(token)) {
        Some("the authorization is of another card")
    } else if of.amount.currency() != to.amount.currency() {
        Some("the authorization is in another currency")
    } else if completion.standing.approval.is_some_and(|code| authorization.standing.approval != Some(code)) {
        Some("the completion names another approval code (DE38)")
    } else if of.amount.minor() > authorization.standing.approved {
        // From its terminal it is taken, and the excess posted as exposure; nobody gives more away by hand.
        Some("the completion is above the authorization; its terminal can send it again under the right DE37")
    } else {
        None
    }
}
