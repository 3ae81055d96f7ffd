//! Cases: requests in flight, under one envelope whatever their body. Admission, duplicates, stored
//! answers, and the end of a case live here; the bodies live in `card`, `transfer`, `reversal` and
//! `completion`.

use std::sync::Arc;

use ledger::{BodyHash, ClaimKey, ClaimRecord, Found, Lookup, Refusal};
use payments::answer::TransferStatus;
use payments::outgoing::{CardResponse, Response, TransferResponse};
use payments::request::{CardKind, Head, Reversal, TransferFacts};
use payments::{
    Amount, Answer, BusinessDate, LinkId, Mono, Now, PaymentId, ProcessingCode, ResponseCode, Rrn, State, Text, Wall,
};

use crate::api::{Carried, ConnId, Effect, Note};
use crate::card::CardCase;
use crate::completion::CompletionCase;
use crate::engine::{Engine, Out};
use crate::proof::{Durable, Proof, Stored};
use crate::tables::Tables;
use crate::transfer::TransferCase;

/// A request in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CaseId(pub(crate) u64);

/// A request in flight: one envelope, a body by family. Reads as its envelope.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) envelope: Envelope,
    pub(crate) body: Body,
}

impl std::ops::Deref for Case {
    type Target = Envelope;
    fn deref(&self) -> &Envelope {
        &self.envelope
    }
}

impl std::ops::DerefMut for Case {
    fn deref_mut(&mut self) -> &mut Envelope {
        &mut self.envelope
    }
}

/// What every request in flight has.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) asker: Asker,
    pub(crate) ingress: LinkId,
    pub(crate) carried: Option<Carried>,
    /// The configuration that it is decided by.
    pub(crate) tables: Arc<Tables>,
    pub(crate) accepted: Now,
    pub(crate) send_by: Mono,
    pub(crate) reply_by: Mono,
    /// None for what claims nothing: a balance enquiry, a status enquiry.
    pub(crate) claim: Option<ClaimKey>,
    pub(crate) hash: BodyHash,
    /// Repeats that came meanwhile.
    pub(crate) waiters: Vec<Asker>,
    pub(crate) stage: Stage,
    /// What the outside will be told once it is durable.
    pub(crate) answer: Option<Answer>,
    pub(crate) rrn: Option<Rrn>,
    /// Reversals of this request that came while it is in flight.
    pub(crate) reversals: Vec<CaseId>,
    /// The business day that waits for this case before it can close.
    pub(crate) holds_day: Option<BusinessDate>,
    /// Commits that were refused and tried in another way.
    pub(crate) retries: u8,
    /// A reversal whose claim and answer ride in this case's last commit.
    pub(crate) rider: Option<CaseId>,
    /// The MTI says that it is a repeat.
    pub(crate) repeat: bool,
    /// The record was asked about its claim, and had none.
    pub(crate) looked_up: bool,
    /// It is going to be refused, unless the record knows better.
    pub(crate) refusal: Option<(ResponseCode, &'static str)>,
}

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its claim is looked up: a repeat, or the key exists.
    LoadingClaim,
    /// The payment that it is about is looked up.
    LoadingOriginal,
    /// Whether a completion without its authorization was matched to one is being looked up.
    LoadingMatch(PaymentId),
    /// The HSM translates its PIN.
    Pin,
    /// COMMIT A is under way.
    Accepting,
    /// A reversal waits for its original; a second operation waits for the first.
    Queued,
    /// Handed to the link, not written yet.
    Sending,
    /// Written; the answer is awaited.
    Waiting,
    /// Its last commit is under way.
    Deciding,
}

/// What a case is about.
#[derive(Debug)]
pub(crate) enum Body {
    Card(Box<CardCase>),
    Transfer(Box<TransferCase>),
    Reversal(Box<Reversal>),
    Completion(Box<CompletionCase>),
    /// Answered from the record; its facts are in the echo.
    Enquiry {
        claim: ClaimKey,
    },
}

impl Body {
    /// How a request of this kind is refused without a trace. An enquiry is not: a rejection would be
    /// taken for the fate of the transfer that it asks about.
    fn refusal(&self, code: ResponseCode) -> Answer {
        match self {
            Self::Enquiry { .. } => crate::transfer::pending(),
            _ => Answer::code(code),
        }
    }
}

/// Who asked, and what must be echoed.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) to: ConnId,
    pub(crate) echo: Echo,
}

#[derive(Debug, Clone)]
pub(crate) enum Echo {
    Card { head: Box<Head>, processing_code: ProcessingCode, amount: Amount, kind: Option<CardKind> },
    Transfer { facts: Box<TransferFacts> },
}

impl Asker {
    fn kind(&self) -> Option<CardKind> {
        match &self.echo {
            Echo::Card { kind, .. } => *kind,
            Echo::Transfer { .. } => None,
        }
    }

    /// The answer in the asker's own words.
    pub(crate) fn respond(&self, answer: &Answer, rrn: Option<Rrn>, id: Text<35>, created: Wall) -> Response {
        match &self.echo {
            Echo::Card { head, processing_code, amount, .. } => Response::Card(Box::new(CardResponse {
                head: **head,
                processing_code: *processing_code,
                amount: answer.amount.unwrap_or(*amount),
                rrn: rrn.or(head.rrn),
                answer: answer.clone(),
            })),
            Echo::Transfer { facts } => Response::Transfer(Box::new(TransferResponse {
                message_id: id,
                facts: (**facts).clone(),
                status: answer.transfer.unwrap_or_else(|| status_of(answer.code)),
                created,
            })),
        }
    }
}

/// A refusal of a credit transfer in ISO 20022 words (external status reason codes).
fn status_of(code: ResponseCode) -> TransferStatus {
    let reason = match code {
        ResponseCode::CONFLICT => "AM05",                                        // duplication
        ResponseCode::INSUFFICIENT_FUNDS => "AM04",                              // insufficient funds
        ResponseCode::EXCEEDS_LIMIT | ResponseCode::EXCEEDS_FREQUENCY => "AM02", // not allowed amount
        ResponseCode::NO_ROUTE => "RC01",                                        // bank identifier incorrect
        ResponseCode::NOT_FOUND => "NOOR",                                       // no original transaction received
        ResponseCode::UNAVAILABLE => "AB08",                                     // offline creditor agent
        _ => "AB05", // timeout at the creditor agent, or any other trouble
    };
    TransferStatus { status: Text::literal("RJCT"), reason: Text::new(reason).unwrap_or_default() }
}

/// A request on its way in.
pub(crate) struct Arrival {
    pub(crate) asker: Asker,
    pub(crate) ingress: LinkId,
    pub(crate) carried: Option<Carried>,
    pub(crate) claim: Option<ClaimKey>,
    pub(crate) hash: BodyHash,
    /// Look the claim up first: the MTI says that it is a repeat.
    pub(crate) repeat: bool,
    /// It is going to be refused, unless the record knows better.
    pub(crate) refusal: Option<(ResponseCode, &'static str)>,
    pub(crate) body: Body,
}

impl Engine {
    /// Takes a request on, or answers it at once. Returns the case that shall begin now.
    pub(crate) fn admit(&mut self, now: Now, arrival: Arrival, out: Out<'_>) -> Option<CaseId> {
        let limits = self.tables.limits;
        if let Some(original) = arrival.claim.and_then(|claim| self.claims.get(&claim)) {
            match self.cases.get_mut(original) {
                Some(case) if case.hash == arrival.hash && case.waiters.len() < limits.waiters => {
                    case.waiters.push(arrival.asker);
                    out.push(Effect::Note(Note::Repeat));
                    self.drop_carried(arrival.carried, out);
                }
                Some(case) if case.hash == arrival.hash => {
                    self.refuse(now, &arrival, ResponseCode::MALFUNCTION, "too many repeats", out);
                }
                _ => self.refuse(now, &arrival, ResponseCode::CONFLICT, "another body under a claim in flight", out),
            }
            return None;
        }
        // Reversals and advices are the last to be shed: they free money.
        let may_be_shed = matches!(arrival.body, Body::Card(_) | Body::Transfer(_) | Body::Enquiry { .. });
        let room = if may_be_shed { limits.cases } else { limits.cases.saturating_mul(2) };
        let closed = self.stalled || (self.draining && may_be_shed);
        if self.cases.len() >= room {
            self.shed(now, &arrival, ResponseCode::MALFUNCTION, "too many requests in flight", out);
            return None;
        }
        if closed && (arrival.repeat || !may_be_shed || arrival.claim.is_none()) {
            self.shed(now, &arrival, ResponseCode::UNAVAILABLE, "nothing new is taken on", out);
            return None;
        }
        let id = self.next_case();
        if let Some(claim) = arrival.claim {
            self.claims.insert(claim, id);
        }
        let deadlines = self.tables.deadlines;
        let envelope = Envelope {
            asker: arrival.asker,
            ingress: arrival.ingress,
            carried: arrival.carried,
            tables: Arc::clone(&self.tables),
            accepted: now,
            send_by: now.mono.after(deadlines.send),
            reply_by: now.mono.after(deadlines.reply),
            claim: arrival.claim,
            hash: arrival.hash,
            waiters: Vec::new(),
            stage: Stage::LoadingClaim,
            answer: None,
            rrn: None,
            reversals: Vec::new(),
            holds_day: None,
            retries: 0,
            rider: None,
            repeat: arrival.repeat,
            looked_up: false,
            refusal: arrival.refusal,
        };
        self.cases.insert(id, Case { envelope, body: arrival.body });
        if closed {
            self.refuse_new(now, id, ResponseCode::UNAVAILABLE, "nothing new is taken on", out);
            return None;
        }
        if let (Some((code, why)), false) = (arrival.refusal, arrival.repeat) {
            self.refuse_new(now, id, code, why, out);
            return None;
        }
        match arrival.claim {
            Some(claim) if arrival.repeat => {
                self.load(Some(id), Lookup::Claim(claim), out);
                None
            }
            _ => Some(id),
        }
    }

    /// Refuses what is not looked up. A repeat is not answered at all: its original may have been
    /// approved, and a refusal would be taken for the outcome. It will be repeated again, or reversed.
    fn shed(&mut self, now: Now, arrival: &Arrival, code: ResponseCode, why: &'static str, out: Out<'_>) {
        if arrival.repeat {
            out.push(Effect::Note(Note::Refused { code, why }));
            out.push(Effect::Silence(arrival.asker.to));
            return self.drop_carried(arrival.carried, out);
        }
        if matches!(arrival.body, Body::Transfer(_)) {
            // pacs.008 does not say whether it is a repeat.
            out.push(Effect::Note(Note::Refused { code, why }));
            let response = arrival.asker.respond(&crate::transfer::pending(), None, self.message_id(), now.wall);
            return self.reply_unclaimed(arrival.asker.to, response, arrival.asker.kind(), out);
        }
        self.refuse(now, arrival, code, why, out);
    }

    /// Answers a request that leaves no trace.
    fn refuse(&mut self, now: Now, arrival: &Arrival, code: ResponseCode, why: &'static str, out: Out<'_>) {
        out.push(Effect::Note(Note::Refused { code, why }));
        let answer = arrival.body.refusal(code);
        let response = arrival.asker.respond(&answer, None, self.message_id(), now.wall);
        self.reply_unclaimed(arrival.asker.to, response, arrival.asker.kind(), out);
        self.drop_carried(arrival.carried, out);
    }

    /// Ends a case that left no trace.
    pub(crate) fn refuse_case(&mut self, now: Now, id: CaseId, code: ResponseCode, why: &'static str, out: Out<'_>) {
        out.push(Effect::Note(Note::Refused { code, why }));
        let Some(answer) = self.cases.get(&id).map(|case| case.body.refusal(code)) else { return };
        self.end_unclaimed(now, id, &answer, out);
    }

    /// As [`Engine::refuse_case`], before anything is known of its claim: what looks like a new request
    /// may be a duplicate of one that was approved, so the record is asked first.
    pub(crate) fn refuse_new(&mut self, now: Now, id: CaseId, code: ResponseCode, why: &'static str, out: Out<'_>) {
        self.release_stan(now, id);
        let Some(case) = self.cases.get_mut(&id) else { return };
        match case.claim {
            Some(claim) if !case.looked_up => {
                case.refusal = Some((code, why));
                case.stage = Stage::LoadingClaim;
                self.load(Some(id), Lookup::Claim(claim), out);
            }
            _ => self.refuse_case(now, id, code, why, out),
        }
    }

    /// Ends a case that nobody can be told anything about yet.
    fn leave_unanswered(&mut self, now: Now, id: CaseId, why: &'static str, out: Out<'_>) {
        out.push(Effect::Note(Note::Refused { code: ResponseCode::UNAVAILABLE, why }));
        self.forget_unanswered(now, id, out);
    }

    /// Takes a case out of which nobody hears anything.
    pub(crate) fn forget_unanswered(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(case) = self.forget(now, id, out) else { return };
        out.extend(std::iter::once(&case.asker).chain(&case.waiters).map(|asker| Effect::Silence(asker.to)));
        if let Some(rider) = case.rider {
            self.forget_unanswered(now, rider, out);
        }
    }

    /// Ends a case that left no trace, with an answer.
    pub(crate) fn end_unclaimed(&mut self, now: Now, id: CaseId, answer: &Answer, out: Out<'_>) {
        let Some(case) = self.forget(now, id, out) else { return };
        for asker in std::iter::once(&case.asker).chain(&case.waiters) {
            let response = asker.respond(answer, case.rrn, self.message_id(), now.wall);
            self.reply_unclaimed(asker.to, response, asker.kind(), out);
        }
    }

    /// A lookup for a case came back.
    pub(crate) fn on_loaded(&mut self, now: Now, id: CaseId, found: Result<Found, String>, out: Out<'_>) {
        let Some(stage) = self.cases.get(&id).map(|case| case.stage) else { return };
        match (stage, found) {
            (Stage::LoadingClaim, Ok(Found::Claim(record))) => self.on_claim(now, id, record, out),
            (Stage::LoadingOriginal, Ok(found)) => self.on_original(now, id, found, out),
            (Stage::LoadingMatch(completion), Ok(found)) => self.on_match(now, id, completion, found, out),
            (Stage::LoadingClaim, Err(_)) if self.cases.get(&id).is_some_and(|case| case.repeat || case.retries > 0) => {
                self.leave_unanswered(now, id, "a repeat whose original cannot be read", out);
            }
            // pacs.008 does not say whether it is a repeat; rejected it would be taken for a new one.
            (_, Err(_)) if matches!(self.cases.get(&id).map(|case| &case.body), Some(Body::Transfer(_))) => {
                self.end_unclaimed(now, id, &crate::transfer::pending(), out);
            }
            _ => self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "the record could not be read", out),
        }
    }

    fn on_claim(&mut self, now: Now, id: CaseId, record: Option<Box<ClaimRecord>>, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Some(record) = record else {
            case.looked_up = true;
            return match case.refusal.take() {
                Some((code, why)) => self.refuse_case(now, id, code, why, out),
                None if case.retries > 0 => {
                    self.refuse_case(now, id, ResponseCode::MALFUNCTION, "a claim that exists cannot be read", out);
                }
                None => self.begin(now, id, out),
            };
        };
        let stored = Stored::claim(&record, self.epoch);
        if record.tombstone {
            // Its reversal came first: the late original must have no effect.
            return self.end_stored(now, id, stored, &Answer::code(ResponseCode::NO_ACTION), None, out);
        }
        if record.body != case.hash {
            return self.refuse_case(now, id, ResponseCode::CONFLICT, "another body under a known claim", out);
        }
        let rrn = record.payment.as_ref().map(|payment| payment.facts.rrn);
        match (record.answer, record.payment.as_ref().map(|payment| payment.standing.state)) {
            (Some(answer), _) => self.end_stored(now, id, stored, &answer, rrn, out),
            (None, Some(State::Enquiring | State::Sent)) if matches!(case.body, Body::Transfer(_) | Body::Enquiry { .. }) => {
                self.end_unclaimed(now, id, &crate::transfer::pending(), out);
            }
            _ => self.refuse_case(now, id, ResponseCode::UNAVAILABLE, "its outcome is being resolved", out),
        }
    }

    /// Ends a case with an answer that was read back from the record.
    pub(crate) fn end_stored(&mut self, now: Now, id: CaseId, stored: Stored, answer: &Answer, rrn: Option<Rrn>, out: Out<'_>) {
        let Some(case) = self.forget(now, id, out) else { return };
        out.push(Effect::Note(Note::Repeat));
        for asker in std::iter::once(&case.asker).chain(&case.waiters) {
            let response = asker.respond(answer, rrn, self.message_id(), now.wall);
            self.reply(Proof::Stored(stored), asker.to, response, out);
        }
    }

    /// Starts (or restarts) the body of a case.
    pub(crate) fn begin(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        match self.cases.get(&id).map(|case| &case.body) {
            Some(Body::Card(_)) => self.begin_card(now, id, out),
            Some(Body::Transfer(_)) => self.begin_transfer(now, id, out),
            Some(Body::Reversal(_)) => self.begin_reversal(now, id, out),
            Some(Body::Completion(_)) => self.begin_completion(now, id, out),
            Some(Body::Enquiry { claim }) => {
                let claim = *claim;
                self.look_up_enquiry(id, claim, out);
            }
            None => {}
        }
    }

    /// COMMIT A (or the one commit of an advice) was refused.
    pub(crate) fn accept_refused(&mut self, now: Now, id: CaseId, why: Refusal, out: Out<'_>) {
        self.release_stan(now, id);
        match why {
            _ if self.back_from_reroute(id) => self.abandon(now, id, ResponseCode::UNAVAILABLE, out),
            Refusal::ClaimTaken(_) => {
                if let Some(Body::Card(card)) = self.cases.get(&id).map(|case| &case.body) {
                    // A duplicate burns no velocity: its first did.
                    self.velocity.uncount(&card.request.card.token);
                }
                self.reload_claim(now, id, out);
            }
            Refusal::Floor(_) => self.transfer_without_funds(now, id, out),
            _ => {
                out.push(Effect::Note(Note::Alarm { what: "COMMIT A was refused", payment: None }));
                self.refuse_case(now, id, ResponseCode::MALFUNCTION, "the record refused it", out);
            }
        }
    }

    /// Somebody had the claim: see what became of it.
    pub(crate) fn reload_claim(&mut self, now: Now, id: CaseId, out: Out<'_>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.retries += 1;
        case.stage = Stage::LoadingClaim;
        match case.claim {
            Some(claim) if case.retries <= 3 => {
                self.load(Some(id), Lookup::Claim(claim), out);
            }
            _ => self.refuse_case(now, id, ResponseCode::MALFUNCTION, "its claim cannot be settled", out),
        }
    }

    /// The last commit of a case is durable: tell everybody who asked.
    pub(crate) fn decided(&mut self, now: Now, id: CaseId, durable: Durable, out: Out<'_>) {
        let proof = Proof::Durable(durable);
        self.after_decision(now, id, proof, out);
        let Some(case) = self.forget(now, id, out) else { return };
        if let Some(answer) = &case.answer {
            for asker in std::iter::once(&case.asker).chain(&case.waiters) {
                let response = asker.respond(answer, case.rrn, self.message_id(), now.wall);
                self.reply(proof, asker.to, response, out);
            }
        } else {
            out.extend(std::iter::once(&case.asker).chain(&case.waiters).map(|asker| Effect::Silence(asker.to)));
        }
        if let Some(rider) = case.rider {
            self.decided(now, rider, durable, out);
        }
    }

    /// Forgets a case: its claim, its secrets, its day. Reversals that waited for it go on with what
    /// the record says.
    pub(crate) fn forget(&mut self, now: Now, id: CaseId, out: Out<'_>) -> Option<Case> {
        self.release_stan(now, id);
        let mut case = self.cases.swap_remove(&id)?;
        if let Some(claim) = case.claim
            && self.claims.get(&claim) == Some(&id)
        {
            self.claims.swap_remove(&claim);
        }
        let carried = case.carried.take();
        self.drop_carried(carried, out);
        if let Some(day) = case.holds_day.take() {
            self.release_day(now, day, out);
        }
        for reversal in std::mem::take(&mut case.reversals) {
            self.begin_reversal(now, reversal, out);
        }
        Some(case)
    }

    pub(crate) fn drop_carried(&mut self, carried: Option<Carried>, out: Out<'_>) {
        out.extend(carried.map(Effect::Drop));
    }

    /// A message id of our own, unique: random, since nothing refers back to it.
    pub(crate) fn message_id(&mut self) -> Text<35> {
        Text::new(&format!("S{:031x}", self.random.u128(..) >> 4)).unwrap_or_default()
    }

    /// What a note says about a payment.
    pub(crate) fn note_payment(&self, id: PaymentId, rrn: Rrn, state: State, code: Option<ResponseCode>, out: Out<'_>) {
        out.push(Effect::Note(Note::Payment { id, rrn, state, code }));
    }
}
