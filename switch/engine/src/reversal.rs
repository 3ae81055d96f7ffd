//! A reversal from an acquirer (0400, 0420): of a request in flight, of a stored payment, or of
//! something never seen.

use ledger::{
    BodyHash, Capture, CaptureKind, ClaimKey, Clearing, Command, Found, LaneItem, LaneWrite, Lookup, Outbox, PaymentKind,
    PaymentRecord, TakenClaim, postings,
};
use payments::request::Reversal;
use payments::{Amount, Answer, Cause, LinkId, Now, PaymentId, ResponseCode, State, Text};

use crate::api::{Carried, ConnId, Effect, Note};
use crate::card::{card_of, clearing_of};
use crate::cases::{Arrival, Asker, Body, CaseId, Echo, Stage};
use crate::completion::excess;
use crate::engine::{Engine, Out, Pending};
use crate::lanes::{Active, Operation, What, owed_reversal};
use crate::unmatched::never_matched;

impl Engine {
    pub(crate) fn on_reversal(
        &mut self,
        now: Now,
        from: ConnId,
        ingress: LinkId,
        reversal: Box<Reversal>,
        carried: Option<Carried>,
        out: Out<'_>,
    ) {
        let original = original_key(&reversal);
        let arrival = Arrival {
            asker: Asker {
                to: from,
                echo: Echo::Card {
                    head: Box::new(reversal.head),
                    processing_code: reversal.processing_code,
                    amount: reversal.amount,
                    kind: None,
                },
            },
            ingress,
            carried,
            claim: Some(ClaimKey::card(&reversal.head)),
            hash: BodyHash::of("reversal", reversal.amount, &original.0),
            repeat: reversal.head.repeat(),
            refusal: None,
            body: Body::Reversal(reversal),
        };
        if let Some(case) = self.admit(now, arrival, out) {
            self.begin(now, case, out);
        }
    }

    /// Finds the original: in flight, or in the record.
    pub(crate) fn begin_reversal(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(Body::Reversal(reversal)) = self.cases.get(&id).map(|case| &case.body) else { return };
        let original = original_key(reversal);
        // A reversal takes back a request or an advice. One that names a reversal, itself even, would wait
        // for what waits for it.
        if !matches!(reversal.original.mti.as_str().as_bytes().get(1), Some(b'1' | b'2')) {
            return self.answer_reversal(now, id, ResponseCode::INVALID_TRANSACTION, None, out);
        }
        if reversal.final_amount.is_some_and(|amount| !amount.is_zero()) {
            // Partial reversals are not taken on this link.
            return self.answer_reversal(now, id, ResponseCode::INVALID_TRANSACTION, None, out);
        }
        if let Some(target) = self.claims.get(&original).copied() {
            let stage = self.cases.get(&target).map(|case| case.stage);
            if let Some(case) = self.cases.get_mut(&id) {
                case.stage = Stage::Queued;
            }
            return match stage {
                Some(Stage::Sending | Stage::Waiting) => self.cancel_in_flight(now, id, target, out),
                // Before COMMIT A is durable, or while its outcome is being committed: a moment later.
                _ => {
                    if let Some(case) = self.cases.get_mut(&target) {
                        case.reversals.push(id);
                    }
                }
            };
        }
        if let Some(case) = self.cases.get_mut(&id) {
            case.stage = Stage::LoadingOriginal;
        }
        self.load(Some(id), Lookup::Claim(original), out);
    }

    /// The original is with the network: it is reversed whatever its answer will be. One commit ends
    /// both claims; the 0420 goes out once the original is answered or its life has passed.
    fn cancel_in_flight(&mut self, now: Now, id: CaseId, target: CaseId, out: Out<'_>) {
        let open = self.days.open;
        let asked = self.cases.get(&target).and_then(|case| match &case.body {
            Body::Card(card) => Some(card.request.amount),
            _ => None,
        });
        if asked.is_some_and(|asked| !self.is_amount_of(id, &[asked])) {
            return self.refuse_amount(now, id, None, out);
        }
        let Some((envelope, card)) = card_of(&mut self.cases, target) else { return };
        let (Some(record), Some(egress)) = (card.record.as_mut(), card.egress.clone()) else { return };
        let life = envelope.tables.links.get(&egress.link).map(|s| s.maximum_life).unwrap_or_default();
        // Not written yet, for all we know: it may still leave until `send_by`.
        let written_by = envelope.send_by.max(now.mono).after(life);
        let wait = written_by.since(now.mono);
        let ends = *card.life_ends.get_or_insert(Now { mono: written_by, wall: now.wall.after(wait) });
        let Ok(state) = State::step(Some(record.standing.state), Cause::AcquirerReversal) else { return };
        record.standing.version += 1;
        record.standing.state = state;
        record.standing.code = Some(ResponseCode::TIMEOUT);
        let mut command = Command::at(now.wall);
        let item = owed_reversal(record, egress, ResponseCode::CUSTOMER_CANCELLATION, ends.wall);
        command.lanes.push(LaneWrite::Owe(Box::new(item.clone())));
        card.owes = Some(item);
        let (payment, rrn, standing, claim) = (record.facts.id, record.facts.rrn, record.standing, record.facts.claim);
        command.payment =
            Some(ledger::PaymentWrite::Change { id: payment, cause: Cause::AcquirerReversal, standing, egress: None });
        let declined = Answer::code(ResponseCode::TIMEOUT);
        command.answers.push((claim, declined.clone()));
        envelope.answer = Some(declined);
        envelope.stage = Stage::Deciding;
        // The reversal's own claim and answer in the same commit; its case is told after the original.
        if let Some(case) = self.cases.get_mut(&id) {
            let answer = Answer::code(ResponseCode::APPROVED);
            if let Some(key) = case.claim {
                command.claim = Some(TakenClaim { key, body: case.hash, payment: Some(payment), on: open });
                command.answers.push((key, answer.clone()));
            }
            case.rrn = Some(rrn);
            case.answer = Some(answer);
            case.stage = Stage::Deciding;
        }
        if let Some((envelope, _)) = card_of(&mut self.cases, target) {
            envelope.rider = Some(id);
        }
        self.commit(command, Pending::Outcome(target), out);
    }

    /// What the record says about the original of a reversal, a completion or an enquiry.
    pub(crate) fn on_original(&mut self, now: Now, id: CaseId, found: Found, out: Out<'_>) {
        let Some(case) = self.cases.get(&id) else { return };
        match (&case.body, found) {
            (Body::Enquiry { .. }, Found::Claim(record)) => self.answer_enquiry(now, id, record, out),
            (Body::Completion(_), Found::Payments(payments)) => self.complete_found(now, id, payments, out),
            (Body::Reversal(_), Found::Claim(None)) => self.plant_tombstone(now, id, out),
            (Body::Reversal(_), Found::Claim(Some(record))) => match record.payment {
                Some(payment) => self.operate_when_free(now, id, payment, out),
                None => self.answer_reversal(now, id, self.unknown_original(id), None, out),
            },
            _ => self.refuse_case(now, id, ResponseCode::MALFUNCTION, "the record answered another question", out),
        }
    }

    /// The record changed under an operation: read it again, a few times.
    pub(crate) fn reload_original(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.retries += 1;
        if case.retries > 3 {
            return self.refuse_case(now, id, ResponseCode::MALFUNCTION, "its payment keeps changing", out);
        }
        self.begin(now, id, out);
    }

    /// One operation on a payment at a time.
    pub(crate) fn operate_when_free(&mut self, now: Now, id: CaseId, read: PaymentRecord, out: Out<'_>) {
        let record = self.freshest(read);
        let limit = self.tables.limits.queued;
        let active = self.active.entry(record.facts.id).or_insert_with(|| Active::new(record.clone()));
        if active.busy.is_none() {
            return self.operate(now, id, record, out);
        }
        if active.queue.len() >= limit {
            return self.refuse_case(now, id, ResponseCode::MALFUNCTION, "too many operations on one payment", out);
        }
        active.queue.push_back(id);
        if let Some(case) = self.cases.get_mut(&id) {
            case.stage = Stage::Queued;
        }
    }

    /// Does the operation of a case to a payment that nothing else is being done to.
    pub(crate) fn operate(&mut self, now: Now, id: CaseId, record: PaymentRecord, out: Out<'_>) {
        match self.cases.get(&id).map(|case| &case.body) {
            Some(Body::Reversal(_)) => self.reverse_stored(now, id, record, out),
            Some(Body::Completion(_)) => self.complete_stored(now, id, record, out),
            _ => {}
        }
    }

    /// Reverses a stored payment by its state.
    fn reverse_stored(&mut self, now: Now, id: CaseId, record: PaymentRecord, out: Out<'_>) {
        let payment = record.facts.id;
        let today = self.days.open;
        let advice = matches!(self.cases.get(&id).map(|case| &case.body), Some(Body::Reversal(r)) if r.advice);
        let nothing = if advice { ResponseCode::APPROVED } else { ResponseCode::NO_ACTION };
        match record.standing.state {
            State::Approved | State::Captured => {}
            State::Unmatched | State::Matched => {
                // What it asked for stands on the payment that it was matched to, if it was.
                if let Some(case) = self.cases.get_mut(&id) {
                    case.stage = Stage::LoadingMatch(payment);
                }
                self.load(Some(id), Lookup::Claim(ClaimKey::settlement_of(payment)), out);
                return self.next_operation(now, payment, out);
            }
            State::Reversing | State::Reversed => {
                self.answer_reversal(now, id, ResponseCode::APPROVED, Some(&record), out);
                return self.next_operation(now, payment, out);
            }
            State::Sent => {
                self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "its original's outcome is being resolved", out);
                return self.next_operation(now, payment, out);
            }
            _ => {
                self.answer_reversal(now, id, nothing, Some(&record), out);
                return self.next_operation(now, payment, out);
            }
        }
        let of = |minor| Amount::new(minor, record.facts.amount.currency()).unwrap_or(record.facts.amount);
        let mut amounts = vec![record.facts.amount, of(record.standing.approved)];
        // What is open has captured nothing, which is not a completion of zero.
        if record.standing.state == State::Captured {
            amounts.push(of(record.standing.captured));
        }
        if !self.is_amount_of(id, &amounts) {
            self.refuse_amount(now, id, Some(&record), out);
            return self.next_operation(now, payment, out);
        }
        let Some(egress) = record.facts.egress.clone() else {
            // Nothing of it was ever sent.
            self.answer_reversal(now, id, nothing, Some(&record), out);
            return self.next_operation(now, payment, out);
        };
        let clearing = clearing_of(egress.system);
        let frozen = clearing == Clearing::Presentment
            && record.standing.captured > 0
            && record.standing.capture_date.is_some_and(|date| date < today);
        let cause = if frozen { Cause::ClearingCredit } else { Cause::AcquirerReversal };
        let Ok(state) = State::step(Some(record.standing.state), cause) else { return };
        let mut then = record.clone();
        let mut command = Command::at(now.wall);
        then.standing.version += 1;
        then.standing.state = state;
        let captured = Amount::new(record.standing.captured, record.facts.amount.currency());
        if let (true, Ok(amount), Some(head)) = (record.standing.captured > 0, captured, record.facts.head.as_ref()) {
            then.standing.captured = 0;
            then.standing.captures += 1;
            let was = if record.facts.kind == PaymentKind::Refund { CaptureKind::Refund } else { CaptureKind::Sale };
            let kind = if frozen { CaptureKind::Credit } else { CaptureKind::Void };
            // A reversal counts in the day in which it happens; a void takes its item out of the
            // same, still open, day.
            let date =
                if clearing == Clearing::Presentment && !frozen { record.standing.capture_date.unwrap_or(today) } else { today };
            let merchant = (&record.facts.acquirer, &head.merchant);
            command.journals.push(postings::capture(payment, date, kind, Some(was), (&egress.link, clearing), merchant, amount));
            if let Some(excess) = excess(amount, record.standing.approved) {
                command.journals.push(postings::exposure_released(payment, date, merchant, excess));
            }
            command.capture = Some(Capture {
                seq: 0,
                payment,
                number: then.standing.captures,
                date,
                kind,
                clearing,
                network: egress.link,
                amount,
            });
        }
        then.standing.approved = 0;
        let owes = (!frozen).then(|| owed_reversal(&mut then, egress, ResponseCode::CUSTOMER_CANCELLATION, now.wall));
        command.lanes.extend(owes.iter().map(|item| LaneWrite::Owe(Box::new(item.clone()))));
        command.outbox = Some(Outbox { seq: 0, topic: Text::literal("payment.reversed"), payment });
        self.finish_operation(now, id, (command, cause, then), owes, ResponseCode::APPROVED, out);
    }

    /// Whether the completion that is to be taken back was matched: then it is undone where it was captured.
    pub(crate) fn on_match(&mut self, now: Now, id: CaseId, completion: PaymentId, found: Found, out: Out<'_>) {
        match found {
            Found::Claim(Some(claim)) => match claim.payment {
                Some(authorization) => self.operate_when_free(now, id, authorization, out),
                // Withdrawn meanwhile.
                None => self.reload_original(now, id, out),
            },
            Found::Claim(None) => {
                self.load(Some(id), Lookup::Payment(completion), out);
            }
            Found::Payments(found) => match found.into_iter().next().map(|record| self.freshest(record)) {
                Some(record)
                    if record.standing.state == State::Unmatched
                        && self.active.get(&completion).is_none_or(|active| active.busy.is_none()) =>
                {
                    self.withdraw_unmatched(now, id, record, out);
                }
                // An operator is matching it, or somebody took it back meanwhile.
                _ => self.reload_original(now, id, out),
            },
            _ => self.refuse_case(now, id, ResponseCode::MALFUNCTION, "the record answered another question", out),
        }
    }

    /// A completion that nothing was found for is taken back: there is nothing to look for any more.
    fn withdraw_unmatched(&mut self, now: Now, id: CaseId, record: PaymentRecord, out: Out<'_>) {
        let payment = record.facts.id;
        self.active.entry(payment).or_insert_with(|| Active::new(record.clone()));
        if !self.is_amount_of(id, &[record.facts.amount]) {
            self.refuse_amount(now, id, Some(&record), out);
            return self.next_operation(now, payment, out);
        }
        let Ok(state) = State::step(Some(record.standing.state), Cause::AcquirerReversal) else { return };
        let mut then = record;
        then.standing.version += 1;
        then.standing.state = state;
        let mut command = Command::at(now.wall);
        command.tombstone = Some(never_matched(&then, self.days.open));
        command.outbox = Some(Outbox { seq: 0, topic: Text::literal("payment.reversed"), payment: then.facts.id });
        self.finish_operation(now, id, (command, Cause::AcquirerReversal, then), None, ResponseCode::APPROVED, out);
    }

    /// Whether DE4 of a reversal is one of the amounts that its original may go by: as requested, as
    /// approved in part, as completed.
    fn is_amount_of(&self, id: CaseId, amounts: &[Amount]) -> bool {
        match self.cases.get(&id).map(|case| &case.body) {
            Some(Body::Reversal(reversal)) => amounts.contains(&reversal.amount),
            _ => true,
        }
    }

    /// A reversal of another amount. Taken whole it would take back more than was asked; taken in part it
    /// would be guessed. It is refused as a partial one is, and somebody has to look.
    fn refuse_amount(&mut self, now: Now, id: CaseId, record: Option<&PaymentRecord>, out: Out<'_>) {
        let payment = record.map(|record| record.facts.id);
        out.push(Effect::Note(Note::Alarm { what: "a reversal has another amount than its original", payment }));
        self.answer_reversal(now, id, ResponseCode::INVALID_TRANSACTION, record, out);
    }

    /// The commit of an operation: its claim and answer, and the payment's next version.
    pub(crate) fn finish_operation(
        &mut self,
        _now: Now,
        id: CaseId,
        (mut command, cause, then): Operation,
        owes: Option<LaneItem>,
        code: ResponseCode,
        out: Out<'_>,
    ) {
        let open = self.days.open;
        let Some(case) = self.cases.get_mut(&id) else { return };
        let answer = Answer::code(code);
        if let Some(key) = case.claim {
            command.claim = Some(TakenClaim { key, body: case.hash, payment: Some(then.facts.id), on: open });
            command.answers.push((key, answer.clone()));
        }
        case.rrn = Some(then.facts.rrn);
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.change(command, cause, then, What::Operation { case: id, owes }, out);
    }

    /// Keeps and tells an answer to a reversal that changes nothing.
    pub(crate) fn answer_reversal(
        &mut self,
        now: Now,
        id: CaseId,
        code: ResponseCode,
        record: Option<&PaymentRecord>,
        out: Out<'_>,
    ) {
        let open = self.days.open;
        let Some(case) = self.cases.get_mut(&id) else { return };
        let answer = Answer::code(code);
        let mut command = Command::at(now.wall);
        if let Some(key) = case.claim {
            let payment = record.map(|record| record.facts.id);
            command.claim = Some(TakenClaim { key, body: case.hash, payment, on: open });
            command.answers.push((key, answer.clone()));
        }
        case.rrn = record.map(|record| record.facts.rrn).or(case.rrn);
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// The original was never seen: a tombstone refuses it should it come late.
    fn plant_tombstone(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let code = self.unknown_original(id);
        let open = self.days.open;
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Body::Reversal(reversal) = &case.body else { return };
        let tombstone = TakenClaim { key: original_key(reversal), body: BodyHash([0; 16]), payment: None, on: open };
        let answer = Answer::code(code);
        let mut command = Command::at(now.wall);
        command.tombstone = Some(tombstone);
        if let Some(key) = case.claim {
            command.claim = Some(TakenClaim { key, body: case.hash, payment: None, on: open });
            command.answers.push((key, answer.clone()));
        }
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// What the acquirer is told about a reversal of something unknown: an advice is never refused.
    fn unknown_original(&self, id: CaseId) -> ResponseCode {
        match self.cases.get(&id).map(|case| &case.body) {
            Some(Body::Reversal(reversal)) if reversal.advice => ResponseCode::APPROVED,
            _ => ResponseCode::NOT_FOUND,
        }
    }
}

/// The claim that the original has, or would have.
fn original_key(reversal: &Reversal) -> ClaimKey {
    ClaimKey::of_original(&reversal.head, &reversal.original.mti, reversal.original.stan, reversal.original.local)
}
