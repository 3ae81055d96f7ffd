//! A credit transfer: claim, risk, COMMIT A with a hold on the debtor's account, pacs.008, answer,
//! COMMIT B. Silence is asked about (pacs.028), never resent and never reversed.

use ledger::{
    BodyHash, ClaimKey, Command, HoldWrite, LaneEnd, LaneItem, LaneKind, LaneWrite, Lookup, Outbox, Payment, PaymentKind,
    PaymentRecord, PaymentWrite, Standing, TakenClaim, postings,
};
use payments::answer::TransferStatus;
use payments::outgoing::{Outgoing, TransferAnswer, TransferOut};
use payments::request::{CreditTransfer, StatusEnquiry, TransferFacts};
use payments::{Answer, Cause, LinkId, Now, PaymentId, ResponseCode, State, Text};

use crate::api::{ConnId, Effect, Note, Secrets, Sent};
use crate::cases::{Arrival, Asker, Body, Case, CaseId, Echo, Envelope, Stage};
use crate::engine::{Engine, Leg, Out, Pending, Timer};
use crate::lanes::{Active, What};
use crate::proof::{Durable, Proof, Stored};

/// The body of a credit transfer case.
#[derive(Debug)]
pub(crate) struct TransferCase {
    transfer: CreditTransfer,
    bank: Option<LinkId>,
    risk: Text<48>,
    pub(crate) record: Option<PaymentRecord>,
}

/// "Being asked about": PDNG.
pub(crate) fn pending() -> Answer {
    let mut answer = Answer::code(ResponseCode::UNAVAILABLE);
    answer.transfer = Some(TransferStatus { status: Text::literal("PDNG"), reason: Text::EMPTY });
    answer
}

fn rejected(code: ResponseCode, reason: &'static str) -> Answer {
    let mut answer = Answer::code(code);
    answer.transfer = Some(TransferStatus { status: Text::literal("RJCT"), reason: Text::new(reason).unwrap_or_default() });
    answer
}

impl Engine {
    pub(crate) fn on_transfer(&mut self, now: Now, from: ConnId, ingress: LinkId, transfer: Box<CreditTransfer>, out: Out<'_>) {
        let facts = &transfer.facts;
        let subject = format!("{}>{}", facts.debtor_account, facts.creditor_account);
        let arrival = Arrival {
            asker: Asker { to: from, echo: Echo::Transfer { facts: Box::new(facts.clone()) } },
            ingress,
            carried: None,
            claim: Some(ClaimKey::transfer(&transfer)),
            hash: BodyHash::of("transfer", facts.amount, subject.as_bytes()),
            repeat: false,
            refusal: None,
            body: Body::Transfer(Box::new(TransferCase { transfer: *transfer, bank: None, risk: Text::EMPTY, record: None })),
        };
        if let Some(case) = self.admit(now, arrival, out) {
            self.begin(now, case, out);
        }
    }

    /// Risk, the bank, then COMMIT A with the hold.
    pub(crate) fn begin_transfer(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        let facts = &body.transfer.facts;
        let subject = BodyHash::of("debtor", payments::Amount::zero(facts.amount.currency()), facts.debtor_account.as_bytes()).0;
        let input =
            risk::Input { amount: facts.amount, subject: &subject, merchant: payments::MerchantId::default(), now: now.mono };
        let decision = envelope.tables.rules.decide(&input, &mut self.velocity);
        body.risk = decision.reason;
        if decision.decline.is_some() {
            return self.decline_transfer(now, id, rejected(ResponseCode::EXCEEDS_LIMIT, "AM02"), out);
        }
        let banks = &envelope.tables.banks;
        let bank = banks.get(&facts.creditor_agent).or_else(|| banks.get(&Text::literal("*"))).copied();
        let Some(bank) = bank else {
            return self.decline_transfer(now, id, rejected(ResponseCode::NO_ROUTE, "RC01"), out);
        };
        body.bank = Some(bank);
        if !self.links.get(&bank).is_some_and(crate::links::Link::is_ready) {
            return self.refuse_new(now, id, ResponseCode::UNAVAILABLE, "the bank's link is down", out);
        }
        let Some((record, mut command)) = self.open_transfer(now, id, Cause::Accepted) else { return };
        let payment = record.facts.id;
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        let facts = &body.transfer.facts;
        command.hold =
            Some(HoldWrite::Place { payment, account: postings::customer(&facts.debtor_account), amount: facts.amount });
        envelope.rrn = Some(record.facts.rrn);
        envelope.stage = Stage::Accepting;
        body.record = Some(record);
        self.commit(command, Pending::Accept(id), out);
    }

    /// Version 1 of the payment, with its claim.
    fn open_transfer(&mut self, now: Now, id: CaseId, cause: Cause) -> Option<(PaymentRecord, Command)> {
        let (payment, rrn) = self.new_payment(now);
        let (epoch, open) = (self.epoch.0, self.days.open);
        let (envelope, body) = transfer_of(&mut self.cases, id)?;
        let (claim, hash, deadlines) = (envelope.claim?, envelope.hash, envelope.tables.deadlines);
        let accepted = envelope.accepted.wall;
        let facts = Payment {
            id: payment,
            kind: PaymentKind::Transfer,
            accepted,
            link: envelope.ingress,
            acquirer: body.transfer.acquirer,
            claim,
            rrn,
            amount: body.transfer.facts.amount,
            head: None,
            processing_code: None,
            card: None,
            evidence: None,
            transfer: Some(body.transfer.facts.clone()),
            risk: body.risk,
            tables: envelope.tables.version,
            egress: None,
            bank: body.bank,
            send_by: accepted.after(deadlines.send),
            answer_by: accepted.after(deadlines.reply),
            reply_by: accepted.after(deadlines.reply),
            keys: Vec::new(),
            epoch,
        };
        let state = State::step_transfer(None, cause).ok()?;
        let standing = Standing::begins(state);
        let mut command = Command::at(now.wall);
        command.claim = Some(TakenClaim { key: claim, body: hash, payment: Some(payment), on: open });
        command.payment = Some(PaymentWrite::Open { facts: Box::new(facts.clone()), cause, standing });
        Some((PaymentRecord { facts, standing, lane_items: 0 }, command))
    }

    /// The debtor's account cannot pay it.
    pub(crate) fn transfer_without_funds(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        self.decline_transfer(now, id, rejected(ResponseCode::INSUFFICIENT_FUNDS, "AM04"), out);
    }

    /// Our own decline: one commit.
    fn decline_transfer(&mut self, now: Now, id: CaseId, answer: Answer, out: Out<'_>) {
        out.push(Effect::Note(Note::Refused { code: answer.code, why: "credit transfer" }));
        let Some((mut record, mut command)) = self.open_transfer(now, id, Cause::OwnDecline) else { return };
        record.standing.code = Some(answer.code);
        if let Some(PaymentWrite::Open { standing, .. }) = command.payment.as_mut() {
            standing.code = Some(answer.code);
        }
        command.answers.push((record.facts.claim, answer.clone()));
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        envelope.answer = Some(answer);
        envelope.stage = Stage::Deciding;
        body.record = Some(record);
        self.commit(command, Pending::Outcome(id), out);
    }

    /// COMMIT A is durable.
    pub(crate) fn transfer_accepted(&mut self, now: Now, id: CaseId, durable: Durable, late: bool, out: Out<'_>) {
        if late {
            return self.abandon_transfer(now, id, out);
        }
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        let (Some(bank), Some(record)) = (body.bank, body.record.as_ref()) else { return };
        let message_id = TransferOut::message_id_of(record.facts.id);
        let message = TransferOut { message_id, facts: body.transfer.facts.clone(), created: now.wall };
        envelope.stage = Stage::Sending;
        let by = envelope.send_by;
        self.transfers.insert(message_id, record.facts.id);
        let message = Outgoing::CreditTransfer(Box::new(message));
        self.send(Proof::Durable(durable), Leg::Case(id), bank, message, Secrets::None, by, out);
    }

    pub(crate) fn transfer_written(&mut self, now: Now, id: CaseId, sent: Sent, out: Out<'_>) {
        if sent == Sent::NotSent {
            return self.abandon_transfer(now, id, out);
        }
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        envelope.stage = Stage::Waiting;
        let within = body.bank.and_then(|bank| envelope.tables.links.get(&bank)).map(|s| s.answer_within).unwrap_or_default();
        self.timer(now.mono.after(within), Timer::Answer(id));
    }

    /// Provably nothing was sent: the hold ends.
    fn abandon_transfer(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        self.settle_transfer(now, id, Cause::NotSent, rejected(ResponseCode::UNAVAILABLE, "AB08"), out);
    }

    /// COMMIT B of a transfer in flight.
    fn settle_transfer(&mut self, now: Now, id: CaseId, cause: Cause, answer: Answer, out: Out<'_>) {
        let date = self.days.open;
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        let Some(record) = body.record.as_mut() else { return };
        let Some(command) = settlement(record, cause, &answer, now, date) else { return };
        envelope.answer = Some(answer);
        envelope.stage = Stage::Deciding;
        self.transfers.swap_remove(&TransferOut::message_id_of(record.facts.id));
        self.commit(command, Pending::Outcome(id), out);
    }

    /// pacs.002 from a bank.
    pub(crate) fn on_transfer_answer(&mut self, now: Now, name: LinkId, answer: TransferAnswer, out: Out<'_>) {
        let Some(payment) = self.transfers.get(&answer.original_message_id).copied() else {
            return self.unmatched(name, 0, "no transfer waits under this message id", out);
        };
        let status = answer.answer.transfer.map(|transfer| transfer.status).unwrap_or_default();
        let reason = answer.answer.transfer.map(|transfer| transfer.reason).unwrap_or_default();
        let disowned = status.as_str() == "RJCT" && reason.as_str() == "NOOR";
        let cause = match status.as_str() {
            "ACSC" | "ACCC" => Cause::Approval,
            "RJCT" => Cause::Decline,
            // Accepted for processing, pending: not an outcome.
            _ => return out.push(Effect::Note(Note::Unmatched { link: name, stan: 0, why: "an interim status" })),
        };
        let case = self.cases.iter().find_map(|(id, case)| match &case.body {
            Body::Transfer(body) if body.record.as_ref().is_some_and(|record| record.facts.id == payment) => Some(*id),
            _ => None,
        });
        // A bank names the transfer by at least one of its names; what it leaves out is empty.
        let matches = |facts: &TransferFacts| {
            (answer.uetr.is_empty() || answer.uetr == facts.uetr)
                && (answer.end_to_end_id.is_empty() || answer.end_to_end_id == facts.end_to_end_id)
                && (answer.transaction_id.is_empty() || answer.transaction_id == facts.transaction_id)
        };
        if let Some(id) = case {
            let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
            if !matches(&body.transfer.facts) {
                return self.unmatched(name, 0, "its references differ from the transfer's", out);
            }
            if disowned {
                return self.unmatched(name, 0, "not received is not an outcome yet: it may still be on its way", out);
            }
            if matches!(envelope.stage, Stage::Waiting | Stage::Sending) {
                self.settle_transfer(now, id, cause, answer.answer, out);
            }
            return;
        }
        let date = self.days.open;
        let Some(active) = self.active.get_mut(&payment) else { return };
        if !active.record.facts.transfer.as_ref().is_some_and(matches) {
            return self.unmatched(name, 0, "its references differ from the transfer's", out);
        }
        if disowned && now.mono < active.disowned_from {
            return self.unmatched(name, 0, "not received is not an outcome yet: it may still be on its way", out);
        }
        if active.busy.is_some() {
            return;
        }
        let mut then = active.record.clone();
        let Some(mut command) = settlement(&mut then, cause, &answer.answer, now, date) else { return };
        if let Some(lane) = active.lanes.front() {
            let code = Some(answer.answer.code);
            command.lanes.push(LaneWrite::End { payment, number: lane.item.number, end: LaneEnd::Acknowledged, code });
        }
        self.change(command, cause, then, What::TransferDone(answer.answer), out);
    }

    /// No pacs.002 in time: the outcome is unknown. Asked about from now on; the hold stays.
    pub(crate) fn transfer_silent(&mut self, now: Now, id: CaseId, cause: Cause, out: Out<'_>) {
        let Some((envelope, body)) = transfer_of(&mut self.cases, id) else { return };
        let Some(record) = body.record.as_mut() else { return };
        let Some(command) = enquiry(record, cause, now) else { return };
        envelope.answer = Some(pending());
        envelope.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// The enquiry of a case that ended in silence.
    pub(crate) fn owe_enquiry(&mut self, now: Now, id: CaseId, record: PaymentRecord, proof: Proof) {
        let Some(item) = enquiry_item(&record, 1, now) else { return };
        let mut active = Active::new(record);
        active.disowned_from = self.disowned_from(now, &item.link);
        active.waits = self.cases.get(&id).map(|case| case.asker.clone());
        self.active.insert(item.payment, active);
        self.owe(now, item, proof, now.mono, 0);
    }

    /// The outcome of a transfer that was asked about is durable.
    pub(crate) fn transfer_done(&mut self, now: Now, payment: PaymentId, answer: &Answer, proof: Proof, out: Out<'_>) {
        self.transfers.swap_remove(&TransferOut::message_id_of(payment));
        let message_id = self.message_id();
        let Some(active) = self.active.get_mut(&payment) else { return };
        if let Some(lane) = active.lanes.pop_front() {
            out.push(Effect::Note(Note::LaneDone { payment }));
            if let Some(link) = self.links.get_mut(&lane.item.link).filter(|_| lane.in_flight) {
                link.lanes = link.lanes.saturating_sub(1);
            }
        }
        if let Some(asker) = active.waits.take() {
            let rrn = Some(active.record.facts.rrn);
            let response = asker.respond(answer, rrn, message_id, now.wall);
            self.reply(proof, asker.to, response, out);
        }
    }

    /// pacs.028 from the instructing party: answered from the record.
    pub(crate) fn on_enquiry(&mut self, now: Now, from: ConnId, ingress: LinkId, enquiry: StatusEnquiry, out: Out<'_>) {
        let claim = ClaimKey::uetr(&enquiry.acquirer, &enquiry.uetr);
        let facts = TransferFacts {
            message_id: enquiry.original_message_id,
            instruction_id: Text::EMPTY,
            end_to_end_id: enquiry.end_to_end_id,
            transaction_id: enquiry.transaction_id,
            uetr: enquiry.uetr,
            amount: payments::Amount::zero(payments::Currency::EUR),
            settlement_date: self.days.open,
            debtor_agent: Text::EMPTY,
            creditor_agent: Text::EMPTY,
            debtor_account: Text::EMPTY,
            creditor_account: Text::EMPTY,
            debtor_name: String::new(),
            creditor_name: String::new(),
            remittance: String::new(),
        };
        let in_flight = self.claims.contains_key(&claim);
        let arrival = Arrival {
            asker: Asker { to: from, echo: Echo::Transfer { facts: Box::new(facts) } },
            ingress,
            carried: None,
            claim: None,
            hash: BodyHash([0; 16]),
            repeat: false,
            refusal: None,
            body: Body::Enquiry { claim },
        };
        let Some(id) = self.admit(now, arrival, out) else { return };
        if in_flight {
            return self.end_unclaimed(now, id, &pending(), out);
        }
        self.look_up_enquiry(id, claim, out);
    }

    /// Reads what the record has about the transfer that is asked about.
    pub(crate) fn look_up_enquiry(&mut self, id: CaseId, claim: ClaimKey, out: Out<'_>) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.stage = Stage::LoadingOriginal;
        }
        self.load(Some(id), Lookup::Claim(claim), out);
    }

    /// What the record says about the transfer that was asked about.
    pub(crate) fn answer_enquiry(&mut self, now: Now, id: CaseId, found: Option<Box<ledger::ClaimRecord>>, out: Out<'_>) {
        let Some(record) = found else { return self.forbid_late_transfer(now, id, out) };
        let stored = Stored::claim(&record, self.epoch);
        if record.tombstone {
            // Whoever asked first was promised that it will never be executed.
            return self.end_stored(now, id, stored, &rejected(ResponseCode::NOT_FOUND, "NOOR"), None, out);
        }
        match record.answer {
            Some(answer) => self.end_stored(now, id, stored, &answer, None, out),
            None => self.end_unclaimed(now, id, &pending(), out),
        }
    }

    /// "No original received" is a promise: should the pacs.008 still be on its way, it must not be
    /// executed any more. A tombstone under its claim keeps the promise.
    fn forbid_late_transfer(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let open = self.days.open;
        let Some(case) = self.cases.get_mut(&id) else { return };
        let answer = rejected(ResponseCode::NOT_FOUND, "NOOR");
        let Body::Enquiry { claim } = case.body else { return };
        let mut command = Command::at(now.wall);
        command.tombstone = Some(TakenClaim { key: claim, body: BodyHash([0; 16]), payment: None, on: open });
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }
}

/// COMMIT R of a transfer: it will be asked about.
pub(crate) fn enquiry(record: &mut PaymentRecord, cause: Cause, now: Now) -> Option<Command> {
    let state = State::step_transfer(Some(record.standing.state), cause).ok()?;
    record.standing.version += 1;
    record.standing.state = state;
    record.lane_items += 1;
    let mut command = Command::at(now.wall);
    command.payment = Some(PaymentWrite::Change { id: record.facts.id, cause, standing: record.standing, egress: None });
    command.lanes.push(LaneWrite::Owe(Box::new(enquiry_item(record, record.lane_items, now)?)));
    Some(command)
}

fn enquiry_item(record: &PaymentRecord, number: i16, now: Now) -> Option<LaneItem> {
    Some(LaneItem {
        payment: record.facts.id,
        number,
        link: record.facts.bank?,
        kind: LaneKind::Enquiry,
        not_before: now.wall,
        egress: None,
        reason: None,
        approval: None,
        final_amount: None,
    })
}

/// The outcome of a transfer: the hold ends, and where it was executed the journal moves the money.
fn settlement(
    record: &mut PaymentRecord,
    cause: Cause,
    answer: &Answer,
    now: Now,
    date: payments::BusinessDate,
) -> Option<Command> {
    let state = State::step_transfer(Some(record.standing.state), cause).ok()?;
    let transfer = record.facts.transfer.as_ref()?;
    let (payment, amount) = (record.facts.id, record.facts.amount);
    let account = postings::customer(&transfer.debtor_account);
    record.standing.version += 1;
    record.standing.state = state;
    record.standing.code = Some(answer.code);
    let mut command = Command::at(now.wall);
    command.hold = Some(HoldWrite::Release { payment, account, amount });
    if state == State::Executed {
        record.standing.approved = amount.minor();
        record.standing.captured = amount.minor();
        record.standing.capture_date = Some(date);
        command.journals.push(postings::transfer(payment, date, account, &record.facts.bank?, amount));
    }
    command.answers.push((record.facts.claim, answer.clone()));
    command.payment = Some(PaymentWrite::Change { id: payment, cause, standing: record.standing, egress: None });
    let topic = Text::new(&format!("transfer.{state}")).unwrap_or_default();
    command.outbox = Some(Outbox { seq: 0, topic, payment });
    Some(command)
}

fn transfer_of(cases: &mut indexmap::IndexMap<CaseId, Case>, id: CaseId) -> Option<(&mut Envelope, &mut TransferCase)> {
    match cases.get_mut(&id)? {
        Case { envelope, body: Body::Transfer(transfer) } => Some((envelope, transfer)),
        _ => None,
    }
}
