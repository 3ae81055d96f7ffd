//! The outcome of a card request: its answer or the lack of one, COMMIT B or R, and what follows when that
//! commit is durable or refused.

use ledger::{Capture, CaptureKind, Command, EvidenceRow, LaneWrite, Outbox, PaymentKind, PaymentWrite, Refusal, postings};
use payments::outgoing::{CardAnswer, Egress};
use payments::request::CardKind;
use payments::{Answer, Cause, Now, Outcome, PaymentId, ResponseCode, State, Text};

use crate::api::{Effect, Note};
use crate::card::{CardCase, card_of, clearing_of};
use crate::cases::{Body, Case, CaseId, Stage};
use crate::engine::{Engine, Out, Pending};
use crate::lanes::owed_reversal;
use crate::links::{Waiting, class_of};
use crate::proof::Proof;

impl CardCase {
    /// The issuer approved, and the approval is not wanted any more: its reversal says which one.
    fn approved_by(&mut self, answer: &Answer) {
        if let Some(record) = self.record.as_mut() {
            record.standing.approval = answer.approval;
        }
    }
}

impl Engine {
    /// An answer under this case's key.
    pub(crate) fn on_card_answer(&mut self, now: Now, id: CaseId, answer: CardAnswer, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let Some(egress) = card.egress.as_ref() else { return };
        if let Some(why) = differs(egress, &answer) {
            // Recorded and ignored: if nothing better comes, silence will be resolved.
            let link = egress.link;
            return self.unmatched(link, answer.stan.get(), why, out);
        }
        // An answer that overtakes the report of its own request's write is an answer all the same.
        if !matches!(case.stage, Stage::Waiting | Stage::Sending) {
            if card.owes.is_some() {
                // Given up already: the reversal will hear of it once it is owed.
                card.late = Some(answer);
            }
            return;
        }
        if card.request.kind == CardKind::Balance {
            return self.end_unclaimed(now, id, &answer.answer, out);
        }
        let (acquirer, terminal) = (card.request.head.acquirer, card.request.head.terminal);
        let takes_part = case.tables.registry.terminals.get(&(acquirer, terminal)).is_some_and(|t| t.partial_approval);
        let late = now.mono >= case.reply_by;
        if let Some(life) = card.life_ends.as_mut() {
            // It is answered: its reversal, if one comes, overtakes nothing.
            *life = now;
        }
        card.approved = answer.answer.outcome() != Outcome::Declined;
        match answer.answer.outcome() {
            Outcome::Declined => self.decide(now, id, Cause::Decline, answer.answer, out),
            Outcome::Partial if !takes_part => {
                card.approved_by(&answer.answer);
                self.reverse_case(now, id, Cause::Late, ResponseCode::DO_NOT_HONOUR, out);
            }
            Outcome::Approved | Outcome::Partial if late => {
                card.approved_by(&answer.answer);
                let code = self.timeout_code(id);
                self.reverse_case(now, id, Cause::Late, code, out);
            }
            Outcome::Approved | Outcome::Partial => {
                let captures = card.record.as_ref().is_some_and(|record| record.standing.capture_date.is_some());
                self.decide(now, id, if captures { Cause::Capture } else { Cause::Approval }, answer.answer, out);
            }
        }
    }

    /// COMMIT B: the outcome, and everything that it means.
    fn decide(&mut self, now: Now, id: CaseId, cause: Cause, answer: Answer, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let (Some(record), Some(egress)) = (card.record.as_mut(), card.egress.as_ref()) else { return };
        let Ok(state) = State::step(Some(record.standing.state), cause) else { return };
        let approved = cause != Cause::Decline;
        let amount = answer.amount.filter(|_| approved).unwrap_or(record.facts.amount);
        let standing = &mut record.standing;
        standing.version += 1;
        standing.state = state;
        standing.code = Some(answer.code);
        standing.approval = answer.approval;
        let mut command = Command::at(now.wall);
        if approved {
            // An approval that is not durable by then would be one that nobody waits for.
            command.by = Some(case.reply_by);
            standing.approved = amount.minor();
            command.evidence = Some(EvidenceRow {
                payment: record.facts.id,
                request: card.request.evidence.clone(),
                answer: Answer { balances: Text::EMPTY, ..answer.clone() },
            });
        }
        if let (Cause::Capture, Some(date)) = (cause, standing.capture_date) {
            standing.captured = amount.minor();
            standing.captures = 1;
            let kind = if record.facts.kind == PaymentKind::Refund { CaptureKind::Refund } else { CaptureKind::Sale };
            let clearing = clearing_of(egress.system);
            let head = &card.request.head;
            command.journals.push(postings::capture(
                record.facts.id,
                date,
                kind,
                None,
                (&egress.link, clearing),
                (&head.acquirer, &head.merchant),
                amount,
            ));
            command.capture =
                Some(Capture { seq: 0, payment: record.facts.id, number: 1, date, kind, clearing, network: egress.link, amount });
        }
        command.payment = Some(PaymentWrite::Change { id: record.facts.id, cause, standing: record.standing, egress: None });
        command.answers.push((record.facts.claim, Answer { balances: Text::EMPTY, ..answer.clone() }));
        command.outbox = Some(Outbox { seq: 0, topic: topic(state), payment: record.facts.id });
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// COMMIT R: the outcome is unknown, or nobody waits for it any more. The reversal is owed from
    /// now on, and only then is anybody told.
    pub(crate) fn reverse_case(&mut self, now: Now, id: CaseId, cause: Cause, code: ResponseCode, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let (Some(record), Some(egress)) = (card.record.as_mut(), card.egress.clone()) else { return };
        let Ok(state) = State::step(Some(record.standing.state), cause) else { return };
        record.standing.version += 1;
        record.standing.state = state;
        record.standing.code = Some(code);
        record.standing.approved_late = card.approved;
        let item = owed_reversal(record, egress, ResponseCode::TIMEOUT, card.life_ends.unwrap_or(now).wall);
        let answer = Answer::code(code);
        let mut command = Command::at(now.wall);
        command.payment = Some(PaymentWrite::Change { id: record.facts.id, cause, standing: record.standing, egress: None });
        command.answers.push((record.facts.claim, answer.clone()));
        command.lanes.push(LaneWrite::Owe(Box::new(item.clone())));
        card.owes = Some(item);
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// No answer in time.
    pub(crate) fn on_silence(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(case) = self.cases.get(&id) else { return };
        if case.stage != Stage::Waiting {
            return;
        }
        match &case.body {
            Body::Transfer(_) => self.transfer_silent(now, id, Cause::Timeout, out),
            Body::Card(card) if card.request.kind == CardKind::Balance => {
                self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "a balance enquiry was not answered", out);
            }
            _ => {
                let code = self.timeout_code(id);
                self.reverse_case(now, id, Cause::Timeout, code, out);
            }
        }
    }

    /// After COMMIT A, provably nothing was sent: a durable abandonment.
    pub(crate) fn abandon(&mut self, now: Now, id: CaseId, code: ResponseCode, out: Out<'_>) {
        self.release_stan(now, id);
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let Some(record) = card.record.as_mut() else { return };
        let Ok(state) = State::step(Some(record.standing.state), Cause::NotSent) else { return };
        record.standing.version += 1;
        record.standing.state = state;
        record.standing.code = Some(code);
        let answer = Answer::code(code);
        let mut command = Command::at(now.wall);
        command.payment =
            Some(PaymentWrite::Change { id: record.facts.id, cause: Cause::NotSent, standing: record.standing, egress: None });
        command.answers.push((record.facts.claim, answer.clone()));
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// The last commit of a case was refused.
    pub(crate) fn outcome_refused(&mut self, now: Now, id: CaseId, why: Refusal, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        match (&why, &case.body) {
            (_, Body::Card(_)) if case.rider.is_some() => {
                // The reversal that rode in it has no claim to take: its key is used. What it asked for
                // is done all the same, and it is told what its key says.
                let rider = case.rider.take();
                self.back_to_sent(id);
                self.reverse_case(now, id, Cause::AcquirerReversal, ResponseCode::TIMEOUT, out);
                if let Some(rider) = rider {
                    self.reload_claim(now, rider, out);
                }
            }
            // The tombstone was too late: the original came meanwhile. See what became of it.
            (Refusal::ClaimTaken(taken), Body::Reversal(_) | Body::Enquiry { .. }) if case.claim != Some(*taken) => {
                self.reload_original(now, id, out);
            }
            (Refusal::ClaimTaken(_), _) => self.reload_claim(now, id, out),
            (Refusal::Version(_) | Refusal::Duplicate, Body::Reversal(_) | Body::Completion(_)) => {
                self.reload_original(now, id, out);
            }
            (Refusal::Late, Body::Card(_)) => {
                // COMMIT B would have landed after `reply_by`: the approval is given back instead.
                self.back_to_sent(id);
                let code = self.timeout_code(id);
                self.reverse_case(now, id, Cause::Late, code, out);
            }
            (_, Body::Card(card)) if case.retries == 0 && card.egress.is_some() => {
                // An approval that cannot be booked must not be told: give the money back.
                case.retries = 1;
                out.push(Effect::Note(Note::Alarm { what: "COMMIT B was refused; reversing", payment: None }));
                self.back_to_sent(id);
                self.reverse_case(now, id, Cause::Late, ResponseCode::MALFUNCTION, out);
            }
            _ => {
                out.push(Effect::Note(Note::Alarm { what: "an outcome could not be recorded; nobody is told", payment: None }));
                self.forget_unanswered(now, id, out);
            }
        }
    }

    /// Its last commit did not happen: the payment stands as COMMIT A left it.
    fn back_to_sent(&mut self, id: CaseId) {
        if let Some((_, card)) = card_of(&mut self.cases, id)
            && let Some(record) = card.record.as_mut()
        {
            record.standing.version -= 1;
            record.standing.state = State::Sent;
            record.standing.approved = 0;
            record.standing.captured = 0;
            record.standing.captures = 0;
            record.lane_items = 0;
        }
    }

    /// After the outcome of a card case is durable: the note, and the lane of a reversal.
    pub(crate) fn after_decision(&mut self, now: Now, id: CaseId, proof: Proof, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let record = match &mut case.body {
            Body::Card(card) => card.record.take(),
            Body::Transfer(transfer) => transfer.record.take(),
            Body::Completion(completion) => completion.unmatched.take(),
            _ => None,
        };
        let Some(record) = record else { return };
        let (facts, standing) = (&record.facts, &record.standing);
        self.note_payment(facts.id, facts.rrn, standing.state, standing.code, out);
        if standing.state == State::Reversing {
            let payment = facts.id;
            self.owe_reversal(now, id, record, proof);
            self.keep_waiting_late(now, id, payment, out);
        } else if standing.state == State::Enquiring {
            self.owe_enquiry(now, id, record, proof);
        } else if standing.state == State::Unmatched {
            let what = "a completion without its authorization is kept; `switchyard trace` shows it by its DE37";
            out.push(Effect::Note(Note::Alarm { what, payment: Some(facts.id) }));
        }
    }

    /// The answer that was not there in time may still come, or has come meanwhile: it lets the reversal go
    /// early.
    fn keep_waiting_late(&mut self, now: Now, id: CaseId, payment: PaymentId, out: Out<'_>) {
        let Some((_, card)) = card_of(&mut self.cases, id) else { return };
        let (Some(egress), late) = (card.egress.take(), card.late.take()) else { return };
        let Some(link) = self.links.get_mut(&egress.link) else { return };
        link.wait(class_of(&egress.mti), egress.stan, Waiting::Late(payment));
        // The lane holds the STAN from here on.
        link.hand_over(egress.stan);
        if let Some(answer) = late {
            self.on_late_answer(now, egress.link, payment, answer, out);
        }
    }

    fn timeout_code(&self, id: CaseId) -> ResponseCode {
        let Some(Case { body: Body::Card(card), envelope }) = self.cases.get(&id) else { return ResponseCode::TIMEOUT };
        let tables = &envelope.tables;
        let link = card.egress.as_ref().map(|egress| egress.link);
        link.and_then(|link| tables.links.get(&link)).map_or(ResponseCode::TIMEOUT, |settings| settings.timeout_code)
    }
}

/// Why an answer is not to this request, comparing what it echoes (SEMANTICS rule 17): DE7, DE37 and
/// DE41 where they came, DE4 where the approval is in full.
pub(crate) fn differs(egress: &Egress, answer: &CardAnswer) -> Option<&'static str> {
    let other_amount = answer.answer.amount.is_some_and(|amount| amount != egress.amount);
    if answer.transmission.is_some_and(|at| at != egress.transmission) {
        Some("DE7 differs from what was sent")
    } else if answer.rrn.is_some_and(|rrn| rrn != egress.rrn) {
        Some("DE37 differs from what was sent")
    } else if answer.terminal.is_some_and(|terminal| terminal != egress.terminal) {
        Some("DE41 differs from what was sent")
    } else if answer.answer.outcome() == Outcome::Approved && other_amount {
        Some("DE4 of a full approval differs from what was sent")
    } else if answer.answer.outcome() == Outcome::Partial
        && answer
            .answer
            .amount
            .is_none_or(|amount| amount.currency() != egress.amount.currency() || amount.minor() > egress.amount.minor())
    {
        Some("DE4 of a partial approval is missing or more than was asked")
    } else {
        None
    }
}

/// The outbox topic of a state.
fn topic(state: State) -> Text<32> {
    Text::new(&format!("payment.{state}")).unwrap_or_default()
}
