//! A completion (0220): the final amount of an authorization. One commit; an advice is never refused
//! on business grounds, so what cannot be matched is kept, answered and raised as an alarm.

use ledger::{
    BodyHash, Capture, CaptureKind, ClaimKey, Clearing, Command, LaneItem, LaneKind, LaneWrite, Lookup, Outbox, Payment,
    PaymentKind, PaymentRecord, PaymentWrite, Standing, TakenClaim, postings,
};
use payments::outgoing::Egress;
use payments::request::Completion;
use payments::{Amount, Answer, Cause, LinkId, LocalDateTime, Now, ProcessingCode, ResponseCode, Stan, State, Text};

use crate::api::{Carried, ConnId, Effect, Note};
use crate::card::clearing_of;
use crate::cases::{Arrival, Asker, Body, Case, CaseId, Echo, Stage};
use crate::engine::{Engine, Out, Pending};
use crate::lanes::{Operation, owed_reversal};

/// The body of a completion's case.
#[derive(Debug)]
pub(crate) struct CompletionCase {
    request: Completion,
    /// The payment that keeps it where no authorization is found.
    pub(crate) unmatched: Option<PaymentRecord>,
}

/// Why an authorization cannot be completed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncompletable {
    /// It is not an approved one in that currency.
    NotOpen,
    /// The advice needs a STAN, and none is free.
    NoStan,
}

impl Engine {
    pub(crate) fn on_completion(
        &mut self,
        now: Now,
        from: ConnId,
        ingress: LinkId,
        completion: Box<Completion>,
        carried: Option<Carried>,
        out: Out<'_>,
    ) {
        // What a repeat must have in common with its first, besides the amount: DE37 and the card.
        let reference = completion.head.rrn.as_ref().map_or("", |rrn| rrn.as_str()).as_bytes();
        let token = completion.card.as_ref().map_or(&[][..], |card| &card.token[..]);
        let compared = [reference, token].concat();
        let arrival = Arrival {
            asker: Asker {
                to: from,
                echo: Echo::Card {
                    head: Box::new(completion.head),
                    processing_code: completion.processing_code,
                    amount: completion.amount,
                    kind: None,
                },
            },
            ingress,
            carried,
            claim: Some(ClaimKey::card(&completion.head)),
            hash: BodyHash::of("completion", completion.amount, &compared),
            repeat: completion.head.repeat(),
            refusal: None,
            body: Body::Completion(Box::new(CompletionCase { request: *completion, unmatched: None })),
        };
        if let Some(case) = self.admit(now, arrival, out) {
            self.begin(now, case, out);
        }
    }

    /// Finds the authorization by terminal and DE37.
    pub(crate) fn begin_completion(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Body::Completion(completion) = &case.body else { return };
        let Some(rrn) = completion.request.head.rrn else {
            return self.unmatched_advice(now, id, out);
        };
        let terminal = completion.request.head.terminal;
        case.stage = Stage::LoadingOriginal;
        self.load(Some(id), Lookup::Rrn { terminal, rrn }, out);
    }

    pub(crate) fn complete_found(&mut self, now: Now, id: CaseId, payments: Vec<PaymentRecord>, out: Out<'_>) {
        let Some(case) = self.cases.get(&id) else { return };
        let Body::Completion(completion) = &case.body else { return };
        let completion = &completion.request;
        let head = completion.head;
        let (approval, token) = (completion.approval, completion.card.as_ref().map(|card| card.token));
        let transaction = completion.processing_code.transaction_type();
        let fits = |record: &PaymentRecord| {
            // A sale that its terminal captures is completed as an authorization is.
            matches!(record.facts.kind, PaymentKind::Authorization | PaymentKind::Purchase)
                && record.facts.acquirer == head.acquirer
                && record.facts.head.is_some_and(|original| original.merchant == head.merchant)
                // A refund advice must never capture a sale.
                && record.facts.processing_code.is_some_and(|code| code.transaction_type() == transaction)
                && approval.is_none_or(|code| record.standing.approval == Some(code))
                && token.is_none_or(|token| record.facts.card.as_ref().is_some_and(|card| card.token == token))
                // What came without its authorization itself.
                && !matches!(record.standing.state, State::Unmatched | State::Matched)
        };
        let mut found: Vec<PaymentRecord> = payments.into_iter().map(|record| self.freshest(record)).filter(fits).collect();
        // Under one DE37 the latest, but one that is open before one that was completed.
        let open = found.iter().rposition(|record| record.standing.state == State::Approved);
        let found = open.map(|at| found.swap_remove(at)).or_else(|| found.pop());
        match found {
            Some(record) => self.operate_when_free(now, id, record, out),
            None => self.unmatched_advice(now, id, out),
        }
    }

    /// Captures the final amount.
    pub(crate) fn complete_stored(&mut self, now: Now, id: CaseId, record: PaymentRecord, out: Out<'_>) {
        let payment = record.facts.id;
        if record.standing.state == State::Sent {
            // An advice of what is not answered yet is not lost: it is repeated.
            self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "its authorization is being resolved", out);
            return self.next_operation(now, payment, out);
        }
        let Some(Body::Completion(completion)) = self.cases.get(&id).map(|case| &case.body) else { return };
        let CompletionCase { request: Completion { amount, head, processing_code, .. }, .. } = completion.as_ref();
        match self.complete(now, &record, (*amount, head.local, *processing_code), out) {
            Ok((operation, owes)) => self.finish_operation(now, id, operation, owes, ResponseCode::APPROVED, out),
            Err(Uncompletable::NoStan) => {
                self.refuse_case(now, id, ResponseCode::MALFUNCTION, "no STAN is free", out);
                self.next_operation(now, payment, out);
            }
            Err(Uncompletable::NotOpen) => {
                self.unmatched_advice(now, id, out);
                self.next_operation(now, payment, out);
            }
        }
    }

    /// The commit that completes an authorization with the amount, the local time and DE3 of its completion, and
    /// the message that is owed for it.
    pub(crate) fn complete(
        &mut self,
        now: Now,
        record: &PaymentRecord,
        (amount, local, processing_code): (Amount, LocalDateTime, ProcessingCode),
        out: Out<'_>,
    ) -> Result<(Operation, Option<LaneItem>), Uncompletable> {
        let payment = record.facts.id;
        let date = self.days.open;
        let matches = amount.currency() == record.facts.amount.currency();
        let (Ok(state), Some(egress), Some(head), true) = (
            State::step(Some(record.standing.state), Cause::Completion),
            record.facts.egress.clone(),
            record.facts.head,
            matches,
        ) else {
            return Err(Uncompletable::NotOpen);
        };
        let clearing = clearing_of(egress.system);
        if amount.is_zero() && clearing == Clearing::Presentment {
            return release(now, record, egress);
        }
        let mut then = record.clone();
        then.standing.version += 1;
        then.standing.state = state;
        then.standing.captured = amount.minor();
        then.standing.captures += 1;
        then.standing.capture_date = Some(date);
        let mut command = Command::at(now.wall);
        if amount.is_zero() {
            // Nothing is captured; the advice tells the network so.
            then.standing.captures -= 1;
        } else {
            let accounts = (&egress.link, clearing);
            let merchant = (&record.facts.acquirer, &head.merchant);
            let approved = record.standing.approved;
            command.journals.push(postings::capture(payment, date, CaptureKind::Sale, None, accounts, merchant, amount));
            if let Some(excess) = excess(amount, approved) {
                out.push(Effect::Note(Note::Alarm { what: "a completion is above its authorization", payment: Some(payment) }));
                command.journals.push(postings::exposure(payment, date, merchant, excess));
            }
            command.capture = Some(Capture {
                seq: 0,
                payment,
                number: then.standing.captures,
                date,
                kind: CaptureKind::Sale,
                clearing,
                network: egress.link,
                amount,
            });
        }
        let mut owes = None;
        if clearing == Clearing::Online {
            then.lane_items += 1;
            let mut own = egress.clone();
            own.mti = Text::literal("0220");
            own.amount = amount;
            own.processing_code = processing_code;
            own.local = local;
            own.transmission = now.wall.transmission();
            own.stan = self.own_stan(now, &egress).ok_or(Uncompletable::NoStan)?;
            command.stan = Some((egress.link, own.stan));
            owes = Some(LaneItem {
                payment,
                number: then.lane_items,
                link: egress.link,
                kind: LaneKind::Advice,
                not_before: now.wall,
                egress: Some(own),
                reason: None,
                approval: record.standing.approval,
                final_amount: None,
            });
        }
        command.lanes.extend(owes.iter().map(|item| LaneWrite::Owe(Box::new(item.clone()))));
        command.outbox = Some(Outbox { seq: 0, topic: Text::literal("payment.captured"), payment });
        Ok(((command, Cause::Completion, then), owes))
    }

    /// An advice has a STAN of its own, held from here on. Where none is free the original's serves,
    /// since the class differs.
    fn own_stan(&mut self, now: Now, original: &Egress) -> Option<Stan> {
        let link = self.links.get_mut(&original.link)?;
        if let Some(own) = link.next_stan(now.mono) {
            return Some(own);
        }
        link.hold(original.stan);
        Some(original.stan)
    }

    /// Kept, answered, and raised: an operator must find what it belongs to. A duplicate of one that was
    /// accepted finds nothing to complete either, so its claim is looked up before anybody is alarmed.
    fn unmatched_advice(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        if let Some(case) = self.cases.get_mut(&id)
            && let (Some(claim), false) = (case.claim, case.looked_up)
        {
            case.stage = Stage::LoadingClaim;
            self.load(Some(id), Lookup::Claim(claim), out);
            return;
        }
        self.keep_unmatched(now, id, out);
    }

    /// A payment of its own, with everything that came: the day somebody finds its authorization, or has it
    /// presented without one, nothing is missing. No money moves in the books, since nobody knows whose.
    fn keep_unmatched(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let (payment, fresh) = self.new_payment(now);
        let open = self.days.open;
        let Some(Case { envelope: case, body: Body::Completion(body) }) = self.cases.get_mut(&id) else { return };
        let Some(claim) = case.claim else { return };
        let completion = &body.request;
        let head = completion.head;
        let rrn = head.rrn.unwrap_or(fresh);
        let accepted = case.accepted.wall;
        let facts = Payment {
            id: payment,
            kind: PaymentKind::Authorization,
            accepted,
            link: case.ingress,
            acquirer: head.acquirer,
            claim,
            rrn,
            amount: completion.amount,
            head: Some(head),
            processing_code: Some(completion.processing_code),
            card: completion.card.clone(),
            evidence: Some(completion.evidence.clone()),
            transfer: None,
            risk: Text::EMPTY,
            tables: case.tables.version,
            egress: None,
            bank: None,
            send_by: accepted,
            answer_by: accepted,
            reply_by: accepted.after(case.tables.deadlines.reply),
            keys: Vec::new(),
            epoch: self.epoch.0,
        };
        let answer = Answer::code(ResponseCode::APPROVED);
        let standing = Standing { approval: completion.approval, code: Some(answer.code), ..Standing::begins(State::Unmatched) };
        let mut command = Command::at(now.wall);
        command.claim = Some(TakenClaim { key: claim, body: case.hash, payment: Some(payment), on: open });
        command.answers.push((claim, answer.clone()));
        command.payment = Some(PaymentWrite::Open { facts: Box::new(facts.clone()), cause: Cause::Completion, standing });
        body.unmatched = Some(PaymentRecord { facts, standing, lane_items: 0 });
        command.outbox = Some(Outbox { seq: 0, topic: Text::literal("payment.unmatched"), payment });
        case.rrn = Some(rrn);
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }
}

/// A completion of zero gives the authorization back. No presentment will ever tell the issuer, so its hold is
/// released by a reversal.
fn release(now: Now, record: &PaymentRecord, egress: Egress) -> Result<(Operation, Option<LaneItem>), Uncompletable> {
    let cause = Cause::AcquirerReversal;
    let state = State::step(Some(record.standing.state), cause).map_err(|_| Uncompletable::NotOpen)?;
    let mut then = record.clone();
    then.standing.version += 1;
    then.standing.state = state;
    then.standing.approved = 0;
    let item = owed_reversal(&mut then, egress, ResponseCode::CUSTOMER_CANCELLATION, now.wall);
    let mut command = Command::at(now.wall);
    command.lanes.push(LaneWrite::Owe(Box::new(item.clone())));
    command.outbox = Some(Outbox { seq: 0, topic: Text::literal("payment.reversed"), payment: record.facts.id });
    Ok(((command, cause, then), Some(item)))
}

/// What was taken beyond the authorization, if anything.
pub(crate) fn excess(captured: Amount, approved_minor: i64) -> Option<Amount> {
    Amount::new(captured.minor() - approved_minor, captured.currency()).ok().filter(|excess| !excess.is_zero())
}
