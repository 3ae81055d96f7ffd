//! A card request: purchase, authorization, refund, balance. Claim, risk, route, PIN, COMMIT A, send. What
//! comes back is `outcome`'s.

use ledger::{
    BodyHash, ClaimKey, Clearing, Command, LaneItem, Payment, PaymentKind, PaymentRecord, PaymentWrite, Standing, TakenClaim,
};
use payments::outgoing::{CardAnswer, CardOut, Egress, MessageSystem, Outgoing};
use payments::request::{CardKind, CardRequest};
use payments::{Amount, Answer, Cause, LinkId, Now, PaymentId, ResponseCode, RouteId, Rrn, State, Text};

use crate::api::{Carried, ConnId, Effect, HsmDone, HsmFailure, HsmJob, Note, Secrets, Sent};
use crate::cases::{Arrival, Asker, Body, Case, CaseId, Echo, Envelope, Stage};
use crate::engine::{Engine, Leg, Out, Pending, Timer};
use crate::links::{Waiting, class_of};
use crate::proof::{Durable, Proof};
use crate::tables::{CaptureMode, Tables};

/// The body of a card case.
#[derive(Debug)]
pub(crate) struct CardCase {
    pub(crate) request: CardRequest,
    route: Option<(RouteId, MessageSystem)>,
    /// Links still to be tried, the next one last.
    plan: Vec<LinkId>,
    attempt: u8,
    risk: Text<48>,
    pub(crate) egress: Option<Egress>,
    /// The payment, once COMMIT A was emitted.
    pub(crate) record: Option<PaymentRecord>,
    /// The proof of COMMIT A.
    accepted: Option<Durable>,
    /// The deadline of the reversal's patience: written + maximum life.
    pub(crate) life_ends: Option<Now>,
    /// The reversal that is being committed with the outcome.
    pub(crate) owes: Option<LaneItem>,
    /// The issuer approved it, whatever became of that: with DE38 or without, told or not.
    pub(crate) approved: bool,
    /// An answer that came while the reversal was being committed.
    pub(crate) late: Option<CardAnswer>,
}

impl Engine {
    pub(crate) fn on_card(
        &mut self,
        now: Now,
        from: ConnId,
        ingress: LinkId,
        request: Box<CardRequest>,
        (carried, signed_off): (Option<Carried>, bool),
        out: Out<'_>,
    ) {
        let claim = (request.kind != CardKind::Balance).then(|| ClaimKey::card(&request.head));
        let arrival = Arrival {
            asker: Asker {
                to: from,
                echo: Echo::Card {
                    head: Box::new(request.head),
                    processing_code: request.processing_code,
                    amount: request.amount,
                    kind: Some(request.kind),
                },
            },
            ingress,
            carried,
            claim,
            hash: BodyHash::of(kind_word(request.kind), request.amount, &request.card.token),
            repeat: request.head.repeat() && claim.is_some(),
            refusal: signed_off.then_some((ResponseCode::UNAVAILABLE, "its sender has signed off")),
            body: Body::Card(Box::new(CardCase {
                request: *request,
                route: None,
                plan: Vec::new(),
                attempt: 0,
                risk: Text::EMPTY,
                egress: None,
                record: None,
                accepted: None,
                life_ends: None,
                owes: None,
                approved: false,
                late: None,
            })),
        };
        if let Some(case) = self.admit(now, arrival, out) {
            self.begin(now, case, out);
        }
    }

    /// Registry, risk, route; then the PIN, or COMMIT A at once.
    pub(crate) fn begin_card(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        if let Err(code) = permitted(&case.tables, &card.request) {
            return self.decline(now, id, code, "registry", out);
        }
        let input = risk::Input {
            amount: card.request.amount,
            subject: &card.request.card.token,
            merchant: card.request.head.merchant,
            now: now.mono,
        };
        let decision = case.tables.rules.decide(&input, &mut self.velocity);
        card.risk = decision.reason;
        if let Some(code) = decision.decline {
            return self.decline(now, id, code, "risk", out);
        }
        let Some(route) = case.tables.routes.find(card.request.card.first_six.as_str()) else {
            return self.decline(now, id, ResponseCode::NO_ROUTE, "no route", out);
        };
        if route.system == MessageSystem::Dual && !card.request.well_formed {
            // We would have to present it, and no clearing file takes it.
            return self.decline(now, id, ResponseCode::INVALID_CARD, "card number", out);
        }
        card.route = Some((route.name, route.system));
        card.plan = route.links.iter().rev().copied().collect();
        if self.next_route(now, id, out) {
            return;
        }
        self.refuse_new(now, id, ResponseCode::UNAVAILABLE, "no link of the route is signed on", out);
    }

    /// Takes the next link of the plan that is ready. False when there is none.
    fn next_route(&mut self, now: Now, id: CaseId, out: Out<'_>) -> bool {
        loop {
            let Some((case, card)) = card_of(&mut self.cases, id) else { return true };
            let Some(name) = card.plan.pop() else { return false };
            let ready = self.links.get(&name).is_some_and(crate::links::Link::is_ready);
            if !ready {
                continue;
            }
            let Some(settings) = case.tables.links.get(&name) else { continue };
            let head = &card.request.head;
            let terminal = case.tables.registry.terminals.get(&(head.acquirer, head.terminal));
            let (pin, carried, by, to) = (card.request.pin, case.carried, case.send_by, settings.pin_key);
            let from = terminal.map(|terminal| terminal.pin_key).unwrap_or_default();
            let Some(egress) = self.build_egress(now, id, name) else { continue };
            let Some((case, card)) = card_of(&mut self.cases, id) else { return true };
            card.egress = Some(egress);
            match (pin, carried) {
                (Some(entry), Some(carried)) => {
                    case.stage = Stage::Pin;
                    let call = self.call(Some(id));
                    out.push(Effect::Hsm { call, job: HsmJob::TranslatePin { carried, entry, from, to }, by });
                }
                _ => self.accept(now, id, out),
            }
            return true;
        }
    }

    /// The header as it will be sent, with a STAN of the link.
    fn build_egress(&mut self, now: Now, id: CaseId, name: LinkId) -> Option<Egress> {
        let stan = self.links.get_mut(&name)?.next_stan(now.mono)?;
        let rrn = match self.cases.get(&id)?.rrn {
            Some(rrn) => rrn,
            None => {
                let (payment, rrn) = self.new_payment(now);
                let (case, card) = card_of(&mut self.cases, id)?;
                // A terminal's own DE37 is kept: one reference end to end.
                let rrn = card.request.head.rrn.unwrap_or(rrn);
                case.rrn = Some(rrn);
                let mut record = self.new_record(id, payment, rrn);
                if let (Some(record), Some(case)) = (record.as_mut(), self.cases.get(&id))
                    && let Some(settings) = case.tables.links.get(&name)
                {
                    // Written by `send_by`, it is answered within the link's time.
                    record.facts.answer_by = record.facts.send_by.after(settings.answer_within);
                }
                card_of(&mut self.cases, id)?.1.record = record;
                rrn
            }
        };
        let (case, card) = card_of(&mut self.cases, id)?;
        let settings = case.tables.links.get(&name)?;
        let (route, system) = card.route?;
        card.attempt = card.attempt.saturating_add(1);
        // What the terminal captures itself is only authorized by us, on a single-message route too.
        let captured_here = card.record.as_ref().is_some_and(|record| record.standing.capture_date.is_some());
        let head = &card.request.head;
        let institution = case.tables.registry.acquirers.get(&head.acquirer).map_or(head.institution, |a| a.institution);
        Some(Egress {
            link: name,
            route,
            system,
            attempt: card.attempt,
            mti: Text::literal(match (card.request.kind, system) {
                (CardKind::Purchase | CardKind::Refund, MessageSystem::Single) if captured_here => "0200",
                _ => "0100",
            }),
            stan,
            transmission: now.wall.transmission(),
            local: head.local,
            institution,
            forwarding: (!settings.forwarding.is_empty()).then_some(settings.forwarding),
            rrn,
            processing_code: card.request.processing_code,
            amount: card.request.amount,
            terminal: head.terminal,
            merchant: head.merchant,
        })
    }

    /// The payment that this case will be: version 1, as COMMIT A writes it.
    fn new_record(&self, id: CaseId, payment: PaymentId, rrn: Rrn) -> Option<PaymentRecord> {
        let case = self.cases.get(&id)?;
        let Body::Card(card) = &case.body else { return None };
        let request = &card.request;
        let deadlines = case.tables.deadlines;
        let accepted = case.accepted.wall;
        let terminal = case.tables.registry.terminals.get(&(request.head.acquirer, request.head.terminal));
        let facts = Payment {
            id: payment,
            kind: match request.kind {
                CardKind::Refund => PaymentKind::Refund,
                CardKind::Authorization => PaymentKind::Authorization,
                CardKind::Purchase | CardKind::Balance => PaymentKind::Purchase,
            },
            accepted,
            link: case.ingress,
            acquirer: request.head.acquirer,
            claim: case.claim.unwrap_or(ClaimKey::card(&request.head)),
            rrn,
            amount: request.amount,
            head: Some(request.head),
            processing_code: Some(request.processing_code),
            card: Some(request.card.clone()),
            evidence: Some(request.evidence.clone()),
            transfer: None,
            risk: card.risk,
            tables: case.tables.version,
            egress: None,
            bank: None,
            send_by: accepted.after(deadlines.send),
            answer_by: accepted.after(deadlines.reply),
            reply_by: accepted.after(deadlines.reply),
            keys: request.pin.and(terminal).map(|terminal| vec![terminal.pin_key]).unwrap_or_default(),
            epoch: self.epoch.0,
        };
        let captures = match request.kind {
            CardKind::Refund => true,
            CardKind::Purchase => terminal.is_none_or(|terminal| terminal.capture == CaptureMode::Host),
            CardKind::Authorization | CardKind::Balance => false,
        };
        let standing = Standing { capture_date: captures.then_some(self.days.open), ..Standing::begins(State::Sent) };
        Some(PaymentRecord { facts, standing, lane_items: 0 })
    }

    /// The PIN is translated, or not.
    pub(crate) fn on_pin(&mut self, now: Now, id: CaseId, result: Result<HsmDone, HsmFailure>, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        if case.stage != Stage::Pin {
            return;
        }
        let durable_already = card.accepted.is_some();
        match result {
            Ok(HsmDone::PinTranslated) => self.accept(now, id, out),
            Err(failure) if durable_already => {
                let code = if failure == HsmFailure::Crypto { ResponseCode::PIN_CRYPTO_ERROR } else { ResponseCode::UNAVAILABLE };
                self.abandon(now, id, code, out);
            }
            Err(HsmFailure::Crypto) => self.decline(now, id, ResponseCode::PIN_CRYPTO_ERROR, "pin", out),
            Err(HsmFailure::Unavailable) => {
                self.refuse_new(now, id, ResponseCode::UNAVAILABLE, "the HSM does not answer", out);
            }
        }
    }

    /// COMMIT A; for a balance enquiry, which moves nothing, the send at once.
    fn accept(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let open = self.days.open;
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        if card.request.kind == CardKind::Balance {
            return self.send_card(now, id, None, out);
        }
        let (Some(egress), Some(record)) = (card.egress.clone(), card.record.as_mut()) else { return };
        let mut command = Command::at(now.wall);
        command.stan = Some((egress.link, egress.stan));
        if card.accepted.is_some() {
            // A failover: nothing was sent on the first route, and the record must say what will be
            // sent on this one.
            record.standing.version += 1;
            record.facts.egress = Some(egress.clone());
            command.payment = Some(PaymentWrite::Change {
                id: record.facts.id,
                cause: Cause::Rerouted,
                standing: record.standing,
                egress: Some(Box::new(egress)),
            });
        } else {
            // The capture date is fixed here: while the PIN was translated the day may have been cut, and
            // closed, since nothing held it.
            record.standing.capture_date = record.standing.capture_date.map(|_| open);
            record.facts.egress = Some(egress);
            if let Some(zpk) = record.facts.egress.as_ref().and_then(|e| case.tables.links.get(&e.link)).map(|s| s.pin_key)
                && !record.facts.keys.is_empty()
            {
                record.facts.keys.push(zpk);
            }
            record.facts.risk = card.risk;
            command.claim =
                Some(TakenClaim { key: record.facts.claim, body: case.hash, payment: Some(record.facts.id), on: open });
            command.payment = Some(PaymentWrite::Open {
                facts: Box::new(record.facts.clone()),
                cause: Cause::Accepted,
                standing: record.standing,
            });
            case.holds_day = record.standing.capture_date;
        }
        case.stage = Stage::Accepting;
        let holds = case.holds_day.filter(|_| card.accepted.is_none());
        if let Some(day) = holds {
            self.hold_day(day);
        }
        self.commit(command, Pending::Accept(id), out);
    }

    /// COMMIT A is durable.
    pub(crate) fn accepted(&mut self, now: Now, id: CaseId, durable: Durable, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let late = now.mono >= case.send_by;
        match &mut case.body {
            Body::Card(card) => {
                card.accepted = Some(durable);
                let cancelled = !case.reversals.is_empty();
                if cancelled || late {
                    // Nothing was sent and nothing will be.
                    self.abandon(now, id, ResponseCode::UNAVAILABLE, out);
                } else {
                    self.send_card(now, id, Some(durable), out);
                }
            }
            Body::Transfer(_) => self.transfer_accepted(now, id, durable, late, out),
            _ => {}
        }
    }

    /// A second COMMIT A, for another route, was refused: the payment stands as the first left it, and
    /// nothing of it was sent. False where there was none.
    pub(crate) fn back_from_reroute(&mut self, id: CaseId) -> bool {
        match card_of(&mut self.cases, id) {
            Some((_, CardCase { accepted: Some(_), record: Some(record), .. })) => {
                record.standing.version -= 1;
                true
            }
            _ => false,
        }
    }

    fn send_card(&mut self, _now: Now, id: CaseId, durable: Option<Durable>, out: Out<'_>) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let Some(egress) = card.egress.clone() else { return };
        case.stage = Stage::Sending;
        let (link, by, kind) = (egress.link, case.send_by, card.request.kind);
        let secrets = case.carried.map_or(Secrets::None, Secrets::Carried);
        if let Some(waits) = self.links.get_mut(&link) {
            waits.wait(class_of(&egress.mti), egress.stan, Waiting::Case(id));
        }
        let message = Outgoing::Card(Box::new(CardOut {
            evidence: card.request.evidence.clone(),
            pin: card.request.pin.is_some(),
            passthrough: card.request.passthrough.clone(),
            egress,
        }));
        match durable {
            Some(durable) => self.send(Proof::Durable(durable), Leg::Case(id), link, message, secrets, by, out),
            None => self.send_unclaimed(Leg::Case(id), link, message, secrets, Some(kind), by, out),
        }
    }

    /// The link says whether anything was written.
    pub(crate) fn case_written(&mut self, now: Now, id: CaseId, sent: Sent, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if case.stage != Stage::Sending {
            return;
        }
        if matches!(case.body, Body::Transfer(_)) {
            return self.transfer_written(now, id, sent, out);
        }
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        if sent == Sent::NotSent {
            let balance = card.request.kind == CardKind::Balance;
            self.release_stan(now, id);
            if let Some((_, card)) = card_of(&mut self.cases, id) {
                card.egress = None;
            }
            if self.next_route(now, id, out) {
                return;
            }
            return if balance {
                self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "the link did not take it", out);
            } else {
                self.abandon(now, id, ResponseCode::UNAVAILABLE, out);
            };
        }
        case.stage = Stage::Waiting;
        let settings = card.egress.as_ref().and_then(|egress| case.tables.links.get(&egress.link));
        let (within, life) = settings.map(|s| (s.answer_within, s.maximum_life)).unwrap_or_default();
        card.life_ends = Some(Now { mono: now.mono.after(life), wall: now.wall.after(life) });
        self.timer(now.mono.after(within), Timer::Answer(id));
    }

    /// Our own decline, before anything was sent: one commit.
    fn decline(&mut self, now: Now, id: CaseId, code: ResponseCode, why: &'static str, out: Out<'_>) {
        self.release_stan(now, id);
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        if card.request.kind == CardKind::Balance {
            return self.end_unclaimed(now, id, &Answer::code(code), out);
        }
        out.push(Effect::Note(Note::Refused { code, why }));
        let known = case.rrn;
        let (payment, rrn) = match (known, card.record.as_ref()) {
            (Some(rrn), Some(record)) => (record.facts.id, rrn),
            _ => {
                let head_rrn = card.request.head.rrn;
                let (payment, rrn) = self.new_payment(now);
                (payment, head_rrn.unwrap_or(rrn))
            }
        };
        let open = self.days.open;
        let Some(mut record) = self.new_record(id, payment, rrn) else { return };
        record.standing.state = State::Declined;
        record.standing.code = Some(code);
        record.standing.capture_date = None;
        let answer = Answer::code(code);
        let mut command = Command::at(now.wall);
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        command.claim = Some(TakenClaim { key: record.facts.claim, body: case.hash, payment: Some(payment), on: open });
        command.answers.push((record.facts.claim, answer.clone()));
        command.payment = Some(PaymentWrite::Open {
            facts: Box::new(record.facts.clone()),
            cause: Cause::OwnDecline,
            standing: record.standing,
        });
        card.record = Some(record);
        case.rrn = Some(rrn);
        case.answer = Some(answer);
        case.stage = Stage::Deciding;
        self.commit(command, Pending::Outcome(id), out);
    }

    /// The STAN of a case is free after its quarantine, and nothing waits under it any more. (A case
    /// that is being reversed has passed its STAN to the lane.)
    pub(crate) fn release_stan(&mut self, now: Now, id: CaseId) {
        let Some((case, card)) = card_of(&mut self.cases, id) else { return };
        let Some(egress) = card.egress.as_ref() else { return };
        let life = case.tables.links.get(&egress.link).map(|s| s.maximum_life).unwrap_or_default();
        if let Some(link) = self.links.get_mut(&egress.link) {
            link.stop_waiting(class_of(&egress.mti), egress.stan);
            link.release(egress.stan, now.mono.after(life * 2));
        }
        card.egress = None;
    }
}

/// The envelope and the body of a card case.
pub(crate) fn card_of(cases: &mut indexmap::IndexMap<CaseId, Case>, id: CaseId) -> Option<(&mut Envelope, &mut CardCase)> {
    match cases.get_mut(&id)? {
        Case { envelope, body: Body::Card(card) } => Some((envelope, card)),
        _ => None,
    }
}

/// Whether the registry lets this terminal ask for this.
fn permitted(tables: &Tables, request: &CardRequest) -> Result<(), ResponseCode> {
    let head = &request.head;
    let merchant = tables.registry.merchants.get(&(head.acquirer, head.merchant)).filter(|merchant| merchant.active);
    let Some(merchant) = merchant else { return Err(ResponseCode::INVALID_MERCHANT) };
    let terminal = tables.registry.terminals.get(&(head.acquirer, head.terminal));
    let Some(terminal) = terminal.filter(|terminal| terminal.active && terminal.merchant == head.merchant) else {
        return Err(ResponseCode::NOT_PERMITTED_TO_TERMINAL);
    };
    if !terminal.allowed.is_empty() && !terminal.allowed.contains(&request.kind) {
        return Err(ResponseCode::NOT_PERMITTED_TO_TERMINAL);
    }
    if request.kind == CardKind::Balance {
        return Ok(());
    }
    if request.amount.currency() != merchant.currency {
        return Err(ResponseCode::INVALID_TRANSACTION);
    }
    if request.amount.is_zero() || request.amount.minor() > Amount::MAX_DE4 {
        return Err(ResponseCode::INVALID_AMOUNT);
    }
    Ok(())
}

/// Who moves the scheme's money for what goes out on a route.
pub(crate) fn clearing_of(system: MessageSystem) -> Clearing {
    match system {
        MessageSystem::Dual => Clearing::Presentment,
        MessageSystem::Single => Clearing::Online,
    }
}

fn kind_word(kind: CardKind) -> &'static str {
    match kind {
        CardKind::Purchase => "purchase",
        CardKind::Authorization => "authorization",
        CardKind::Refund => "refund",
        CardKind::Balance => "balance",
    }
}
