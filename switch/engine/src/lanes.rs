//! Lanes: the ordered messages that a payment owes on a link. The store keeps the items; only the
//! engine sends them.

use std::collections::VecDeque;
use std::time::Duration;

use ledger::{Command, LaneEnd, LaneItem, LaneKind, LaneWrite, OpenLane, PaymentRecord, Refusal};
use payments::outgoing::{AdviceOut, CardAnswer, Egress, Outgoing, ReversalOut, StatusRequestOut, TransferOut};
use payments::{ApprovalCode, Cause, LinkId, Mono, Now, Outcome, PaymentId, ResponseCode, State, Text, Wall};

use crate::api::{Effect, Note, Order, OrderOutcome, Secrets, Sent, UnsealReason};
use crate::card::card_of;
use crate::cases::{Asker, CaseId};
use crate::engine::{Engine, Leg, Out, Pending, Timer};
use crate::links::{Class, Waiting, class_of};
use crate::outcome::differs;
use crate::proof::{Durable, Proof, Stored};
use crate::tables::RepeatTransmission;
use crate::unmatched::Reading;

/// A stored payment that something is being done to, or that owes a message: the one place that knows
/// its latest version.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) record: PaymentRecord,
    pub(crate) lanes: VecDeque<Lane>,
    /// A change is being committed; the next one waits.
    pub(crate) busy: Option<Change>,
    /// Operations that wait.
    pub(crate) queue: VecDeque<CaseId>,
    /// Who is told when a credit transfer's outcome becomes known.
    pub(crate) waits: Option<Asker>,
    /// From then on a bank that says that it never got a transfer can be believed.
    pub(crate) disowned_from: Mono,
    /// An approval of what is being taken back, with its DE38, that is to be recorded next.
    pub(crate) late: Option<Option<ApprovalCode>>,
}

/// A change being committed.
#[derive(Debug)]
pub(crate) struct Change {
    /// The record once it is durable.
    pub(crate) then: PaymentRecord,
    pub(crate) what: What,
}

/// The next version of a payment, why, and what is committed with it.
pub(crate) type Operation = (Command, Cause, PaymentRecord);

#[derive(Debug)]
pub(crate) enum What {
    /// The first lane item ended, by this code.
    LaneEnded(LaneEnd, Option<ResponseCode>),
    /// A reversal or completion: its case is told, and this message is owed.
    Operation { case: CaseId, owes: Option<LaneItem> },
    /// A payment found without outcome: this message is owed.
    Recovered(LaneItem),
    /// A dead letter that an operator has tried again: this message is owed.
    Revived(LaneItem),
    /// The issuer approved after all.
    LateApproval,
    /// An operator has a completion captured, or given back, on its authorization: this message is owed, and the
    /// completion is matched next.
    Completed { completion: Box<PaymentRecord>, owes: Option<LaneItem> },
    /// An operator waits for it.
    Ordered(Order),
    /// A credit transfer's outcome.
    TransferDone(payments::Answer),
}

/// An owed message.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) item: LaneItem,
    proof: Proof,
    /// Attempts so far. Starts at 1 for what an earlier process may have sent.
    attempts: u32,
    /// Not before: the original may still be on its way.
    pub(crate) release: Mono,
    /// "Original not found" (25) is believed of an attempt that left then or later: the original has
    /// arrived by then, if it ever does. Later than `release` where the original was answered.
    believable: Mono,
    /// The issuer approved the original: if it does not find it now, money would be lost silently.
    approved: bool,
    /// When the last attempt was sent, while its answer is awaited.
    sent_at: Option<Mono>,
    pub(crate) in_flight: bool,
    /// The next attempt is not due before.
    next_at: Mono,
}

/// At most so many payments with owed messages are resident; the rest stays in the store until these
/// are done.
const RESIDENT: usize = 8192;

impl Active {
    pub(crate) fn new(record: PaymentRecord) -> Self {
        Self {
            record,
            lanes: VecDeque::new(),
            busy: None,
            queue: VecDeque::new(),
            waits: None,
            disowned_from: Mono(0),
            late: None,
        }
    }

    pub(crate) fn owes(&self) -> bool {
        !self.lanes.is_empty()
    }

    fn is_done(&self) -> bool {
        self.lanes.is_empty() && self.busy.is_none() && self.queue.is_empty()
    }
}

impl Lane {
    fn new(item: LaneItem, proof: Proof, release: Mono, attempts: u32) -> Self {
        Self {
            item,
            proof,
            attempts,
            release,
            believable: release,
            approved: false,
            sent_at: None,
            in_flight: false,
            next_at: Mono(0),
        }
    }

    /// The issuer has the original: it approved it.
    fn of_approved(self, believable: Mono) -> Self {
        Self { approved: true, believable, ..self }
    }

    /// Under which class its answer comes.
    fn class(&self) -> Class {
        match self.item.kind {
            LaneKind::Reversal => (b'4', b'2'),
            LaneKind::Advice => (b'2', b'2'),
            LaneKind::Enquiry => (b'n', b'e'),
        }
    }
}

impl Engine {
    /// The reversal that a case's last commit recorded is owed from now on.
    pub(crate) fn owe_reversal(&mut self, now: Now, id: CaseId, record: PaymentRecord, proof: Proof) {
        let Some((_, card)) = card_of(&mut self.cases, id) else { return };
        let Some(item) = card.owes.take() else { return };
        let life = card.life_ends.unwrap_or(now);
        self.active.insert(item.payment, Active::new(record));
        self.owe(now, item, proof, life.mono, 0);
    }

    /// An item is owed: it goes to the end of its payment's lane.
    pub(crate) fn owe(&mut self, now: Now, item: LaneItem, proof: Proof, release: Mono, attempts: u32) {
        let (payment, link) = (item.payment, item.link);
        if let (LaneKind::Reversal | LaneKind::Advice, Some(egress)) = (item.kind, &item.egress)
            && let Some(link) = self.links.get_mut(&link)
        {
            link.hold(egress.stan);
            // The answer to the original may still come, to whoever owes its reversal now.
            let original = (class_of(&egress.mti), egress.stan);
            if item.kind == LaneKind::Reversal && link.waits(original.0, original.1).is_none() {
                link.wait(original.0, original.1, Waiting::Late(payment));
            }
        }
        let life = self.tables.links.get(&link).map(|settings| settings.maximum_life).unwrap_or_default();
        if let Some(active) = self.active.get_mut(&payment) {
            let approved = item.kind == LaneKind::Reversal && approved_by_issuer(&active.record);
            let lane = Lane::new(item, proof, release, attempts);
            active.lanes.push_back(if approved { lane.of_approved(release.max(now.mono.after(life))) } else { lane });
            self.timer(release.max(now.mono), Timer::Lane(payment));
        }
    }

    /// When an owed message of an earlier process may leave. How long ago its original left can only be
    /// told by the wall clock, which may have jumped meanwhile: too early, and the reversal overtakes
    /// its original; too late, and it is never sent. So a reversal waits for a whole life.
    fn patience(&self, now: Now, item: &LaneItem) -> Mono {
        match (item.kind, self.tables.links.get(&item.link)) {
            (LaneKind::Reversal, Some(settings)) => now.mono.after(settings.maximum_life),
            _ => now.mono,
        }
    }

    /// "No original received" (NOOR) is an outcome only where neither the transfer nor the enquiry that
    /// it answers can still be on its way: both may live as long as the link says.
    pub(crate) fn disowned_from(&self, now: Now, link: &LinkId) -> Mono {
        let life = self.tables.links.get(link).map(|settings| settings.maximum_life).unwrap_or_default();
        now.mono.after(life * 2)
    }

    /// Owed messages that did not fit into the snapshot.
    pub(crate) fn take_lanes(&mut self, now: Now, lanes: Vec<OpenLane>) {
        self.lanes_left = !lanes.is_empty();
        for lane in lanes {
            self.resume_lane(now, lane);
        }
    }

    /// An owed message of an earlier process. It may have been sent, so it goes out as a repeat.
    pub(crate) fn resume_lane(&mut self, now: Now, lane: OpenLane) {
        let payment = lane.item.payment;
        let stored = Stored::lane(&lane, self.epoch);
        let release = self.patience(now, &lane.item);
        let disowned_from = self.disowned_from(now, &lane.item.link);
        let known = self.active.entry(payment).or_insert_with(|| Active::new(lane.payment));
        if known.lanes.iter().any(|have| have.item.number == lane.item.number) {
            return;
        }
        if lane.item.kind == LaneKind::Enquiry {
            known.disowned_from = disowned_from;
            self.transfers.insert(TransferOut::message_id_of(payment), payment);
        }
        self.owe(now, lane.item, Proof::Stored(stored), release, 1);
    }

    /// A link is ready: what was due meanwhile goes out.
    pub(crate) fn wake_lanes(&mut self, now: Now, link: LinkId) {
        let due: Vec<PaymentId> = self
            .active
            .iter()
            .filter(|(_, active)| active.lanes.front().is_some_and(|lane| lane.item.link == link && !lane.in_flight))
            .map(|(payment, _)| *payment)
            .collect();
        for payment in due {
            self.timer(now.mono, Timer::Lane(payment));
        }
    }

    /// The first item of a lane is due, or its attempt was not answered.
    pub(crate) fn run_lane(&mut self, now: Now, payment: PaymentId, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        if active.busy.is_some() {
            return;
        }
        let Some(lane) = active.lanes.front_mut() else { return };
        let (name, class) = (lane.item.link, lane.class());
        let due = lane.release.max(lane.next_at);
        if now.mono < due {
            return self.timer(due, Timer::Lane(payment));
        }
        let (Some(settings), Some(link)) = (self.tables.links.get(&name), self.links.get_mut(&name)) else {
            // The shell lets no such configuration in while anything is owed.
            let what = "a message is owed on a link that is not configured";
            return out.push(Effect::Note(Note::Alarm { what, payment: Some(payment) }));
        };
        if lane.in_flight {
            let due = lane.sent_at.map(|at| at.after(settings.answer_within));
            match due {
                Some(due) if due > now.mono => return,
                _ => {
                    // Not acknowledged: silence never ends a lane.
                    lane.in_flight = false;
                    link.lanes = link.lanes.saturating_sub(1);
                    if let Some(egress) = &lane.item.egress {
                        link.stop_waiting(class, egress.stan);
                    }
                    let wait = back_off(&settings.attempts_s, lane.attempts, self.random.u64(..));
                    let next_at = now.mono.after(wait);
                    lane.next_at = next_at;
                    return self.timer(next_at, Timer::Lane(payment));
                }
            }
        }
        if !link.is_ready() {
            // An outage stops the attempts, not the age: woken when the link is ready again.
            return;
        }
        if link.lanes >= settings.lane_window {
            return self.timer(now.mono.after(Duration::from_millis(100)), Timer::Lane(payment));
        }
        let attempt = lane.attempts + 1;
        let Some(message) = build(&lane.item, &active.record, (attempt, settings.repeat_transmission), now, self.random.u128(..))
        else {
            let what = "an owed message has nothing to be built from";
            return out.push(Effect::Note(Note::Alarm { what, payment: Some(payment) }));
        };
        lane.attempts = attempt;
        lane.in_flight = true;
        lane.sent_at = Some(now.mono);
        link.lanes += 1;
        if let Some(egress) = &lane.item.egress {
            link.wait(class, egress.stan, Waiting::Lane(payment));
        }
        let (proof, within) = (lane.proof, settings.answer_within);
        let secrets = match (lane.item.kind, &active.record.facts.card) {
            (LaneKind::Reversal, Some(card)) => Secrets::Sealed(Box::new(card.clone()), UnsealReason::Reversal),
            (LaneKind::Advice, Some(card)) => Secrets::Sealed(Box::new(card.clone()), UnsealReason::Advice),
            _ => Secrets::None,
        };
        out.push(Effect::Note(Note::LaneAttempt { payment, attempt }));
        let by = now.mono.after(Duration::from_secs(2));
        self.send(proof, Leg::Lane(payment), name, message, secrets, by, out);
        self.timer(now.mono.after(within), Timer::Lane(payment));
    }

    /// An attempt was written, or not.
    pub(crate) fn lane_written(&mut self, now: Now, payment: PaymentId, sent: Sent, _out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let Some(lane) = active.lanes.front_mut() else { return };
        if sent == Sent::NotSent {
            // Nothing left: not an attempt. Soon again.
            lane.attempts = lane.attempts.saturating_sub(1);
            if let Some(at) = lane.sent_at.as_mut() {
                *at = Mono(0);
            }
            self.timer(now.mono.after(Duration::from_secs(1)), Timer::Lane(payment));
        }
    }

    /// The late answer to a request that is being reversed, or was: its reversal overtakes nothing any more.
    pub(crate) fn on_late_answer(&mut self, now: Now, name: LinkId, payment: PaymentId, answer: CardAnswer, out: Out<'_>) {
        let approved = answer.answer.outcome() != Outcome::Declined;
        let Some(active) = self.active.get_mut(&payment) else {
            if approved {
                self.read(ledger::Lookup::Payment(payment), Reading::Late(name, Box::new(answer)), out);
            }
            return;
        };
        if let Some(why) = active.record.facts.egress.as_ref().and_then(|egress| differs(egress, &answer)) {
            return self.unmatched(name, answer.stan.get(), why, out);
        }
        let reversal = active.lanes.front_mut().filter(|lane| lane.item.kind == LaneKind::Reversal);
        if let Some(lane) = reversal {
            lane.release = lane.release.min(now.mono);
            if approved {
                lane.approved = true;
            } else {
                lane.believable = lane.believable.min(now.mono);
            }
        }
        if approved && !approved_by_issuer(&active.record) {
            active.late = Some(answer.answer.approval);
        }
        self.next_operation(now, payment, out);
        self.unmatched(name, answer.stan.get(), "it came after its request was given up; a reversal is owed", out);
    }

    /// The issuer approved what is being taken back. That is a fact of its own, durable before the reversal
    /// leaves: whoever owes it after a crash, or tries it again, must not believe that there is no original.
    fn record_late_approval(&mut self, now: Now, payment: PaymentId, approval: Option<ApprovalCode>, out: Out<'_>) {
        let Some(active) = self.active.get(&payment) else { return };
        let mut then = active.record.clone();
        let Ok(state) = State::step(Some(then.standing.state), Cause::LateApproval) else {
            let what = "an approval came when the reversal of its payment had ended already";
            out.push(Effect::Note(Note::Alarm { what, payment: Some(payment) }));
            return self.next_operation(now, payment, out);
        };
        then.standing.state = state;
        then.standing.version += 1;
        then.standing.approval = then.standing.approval.or(approval);
        then.standing.approved_late = true;
        self.change(Command::at(now.wall), Cause::LateApproval, then, What::LateApproval, out);
    }

    /// 0430 or 0230.
    pub(crate) fn on_lane_answer(&mut self, now: Now, payment: PaymentId, answer: CardAnswer, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let Some(lane) = active.lanes.front_mut() else { return };
        let (name, class) = (lane.item.link, lane.class());
        let Some(settings) = self.tables.links.get(&name) else { return };
        if !lane.in_flight || class != crate::links::request_class(&answer.mti) {
            return self.unmatched(name, answer.stan.get(), "no attempt of this owed message is in flight", out);
        }
        // DE7 is that of one of the attempts; what names the payment must be right. A STAN alone is not
        // enough: an acknowledgement of an earlier day's reversal would end this one.
        let other = lane.item.egress.as_ref().is_some_and(|sent| {
            answer.rrn.is_some_and(|rrn| rrn != sent.rrn) || answer.terminal.is_some_and(|terminal| terminal != sent.terminal)
        });
        if other {
            return self.unmatched(name, answer.stan.get(), "DE37 or DE41 differs from what was sent", out);
        }
        lane.in_flight = false;
        if let Some(link) = self.links.get_mut(&name) {
            link.lanes = link.lanes.saturating_sub(1);
            link.stop_waiting(class, answer.stan);
        }
        let code = answer.answer.code;
        let not_found = lane.item.kind == LaneKind::Reversal && code == ResponseCode::NOT_FOUND;
        // "Original not found" is final only if this attempt left after the original can have arrived, and
        // good news only where the issuer never approved it.
        let believed = not_found && lane.sent_at.is_some_and(|at| at >= lane.believable);
        if settings.acknowledged.contains(&code) || (believed && !lane.approved) {
            self.end_lane(now, payment, LaneEnd::Acknowledged, Some(code), out);
        } else if settings.retry.contains(&code) || (not_found && !believed) {
            let wait = back_off(&settings.attempts_s, lane.attempts, self.random.u64(..));
            let next_at = now.mono.after(wait);
            lane.next_at = next_at;
            self.timer(next_at, Timer::Lane(payment));
        } else {
            out.push(Effect::Note(Note::LaneDead { payment, code }));
            self.end_lane(now, payment, LaneEnd::Dead, Some(code), out);
        }
    }

    /// The first item of a lane has ended: one commit.
    fn end_lane(&mut self, now: Now, payment: PaymentId, end: LaneEnd, code: Option<ResponseCode>, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let Some(lane) = active.lanes.front() else { return };
        let cause = match (lane.item.kind, end) {
            (_, LaneEnd::Dead) => Cause::DeadLetter,
            (LaneKind::Reversal, LaneEnd::Acknowledged) => Cause::ReversalAcknowledged,
            (LaneKind::Advice | LaneKind::Enquiry, LaneEnd::Acknowledged) => Cause::AdviceAcknowledged,
        };
        let mut then = active.record.clone();
        let Ok(state) = State::step(Some(then.standing.state), cause) else {
            return out.push(Effect::Note(Note::Alarm {
                what: "an owed message ended in a state that has none",
                payment: Some(payment),
            }));
        };
        then.standing.state = state;
        then.standing.version += 1;
        let mut command = Command::at(now.wall);
        command.lanes.push(LaneWrite::End { payment, number: lane.item.number, end, code });
        self.change(command, cause, then, What::LaneEnded(end, code), out);
    }

    /// Commits the next version of an active payment. One at a time.
    pub(crate) fn change(&mut self, mut command: Command, cause: Cause, then: PaymentRecord, what: What, out: Out<'_>) {
        let payment = then.facts.id;
        command.payment = Some(ledger::PaymentWrite::Change { id: payment, cause, standing: then.standing, egress: None });
        if let Some(active) = self.active.get_mut(&payment) {
            active.busy = Some(Change { then, what });
            self.commit(command, Pending::Change(payment), out);
        }
    }

    /// A change is durable.
    pub(crate) fn changed(&mut self, now: Now, payment: PaymentId, durable: Durable, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let Some(change) = active.busy.take() else { return };
        active.record = change.then;
        let record = active.record.clone();
        self.note_payment(payment, record.facts.rrn, record.standing.state, record.standing.code, out);
        match change.what {
            What::LaneEnded(end, code) => {
                self.lane_ended(now, payment, (end, code), out);
            }
            What::Operation { case, owes } => {
                self.owe_operation(now, owes, durable);
                self.decided(now, case, durable, out);
            }
            What::Recovered(item) => {
                let release = self.patience(now, &item);
                let disowned_from = self.disowned_from(now, &item.link);
                if let Some(active) = self.active.get_mut(&payment) {
                    active.disowned_from = disowned_from;
                }
                self.owe(now, item, Proof::Durable(durable), release, 0);
            }
            What::Revived(item) => {
                // Refused once, so it was sent: what goes out is a repeat, and it overtakes nothing.
                let life = self.tables.links.get(&item.link).map(|settings| settings.maximum_life).unwrap_or_default();
                self.owe(now, item, Proof::Durable(durable), now.mono, 1);
                // Whenever the original left: by then it has arrived, and "not found" can be believed.
                if let Some(lane) = self.active.get_mut(&payment).and_then(|active| active.lanes.back_mut()) {
                    lane.believable = lane.believable.max(now.mono.after(life));
                }
                out.push(Effect::Note(Note::Ordered { order: Order::Retry(payment), outcome: OrderOutcome::Durable }));
            }
            What::LateApproval => {}
            What::Completed { completion, owes } => {
                let order = Order::Match(completion.facts.id, payment);
                self.owe_operation(now, owes, durable);
                self.let_go(completion.facts.id);
                self.settle_unmatched(now, *completion, Cause::Matched, order, out);
            }
            What::Ordered(order) => out.push(Effect::Note(Note::Ordered { order, outcome: OrderOutcome::Durable })),
            What::TransferDone(answer) => self.transfer_done(now, payment, &answer, Proof::Durable(durable), out),
        }
        self.next_operation(now, payment, out);
    }

    /// What an operation on a payment owes from its commit on.
    fn owe_operation(&mut self, now: Now, owes: Option<LaneItem>, durable: Durable) {
        let Some(item) = owes else { return };
        let own = item.egress.as_ref().filter(|_| item.kind == LaneKind::Advice).map(|own| (item.link, own.stan));
        self.owe(now, item, Proof::Durable(durable), now.mono, 0);
        // An advice's STAN was held for it since it was taken; now its lane holds it.
        if let Some((link, stan)) = own
            && let Some(link) = self.links.get_mut(&link)
        {
            link.hand_over(stan);
        }
    }

    /// The STAN of an advice that is not owed after all.
    fn owe_nothing(&mut self, now: Now, owes: Option<LaneItem>) {
        if let Some(item) = owes.filter(|item| item.kind == LaneKind::Advice)
            && let (Some(own), Some(link)) = (item.egress, self.links.get_mut(&item.link))
        {
            link.release(own.stan, now.mono);
        }
    }

    fn lane_ended(&mut self, now: Now, payment: PaymentId, (end, code): (LaneEnd, Option<ResponseCode>), out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let Some(lane) = active.lanes.pop_front() else { return };
        if let Some(egress) = &lane.item.egress
            && let Some(link) = self.links.get_mut(&lane.item.link)
        {
            let life = self.tables.links.get(&lane.item.link).map(|s| s.maximum_life).unwrap_or_default();
            // The original of a reversal that the other side refused, or did not find, may be answered as long as its
            // STAN is not used again. Of one that was acknowledged nobody needs to hear: what was approved is undone.
            let undone = end == LaneEnd::Acknowledged && code != Some(ResponseCode::NOT_FOUND);
            if undone {
                active.late = None;
            }
            if undone || lane.item.kind != LaneKind::Reversal {
                link.stop_waiting(class_of(&egress.mti), egress.stan);
            }
            link.release(egress.stan, now.mono.after(life * 2));
        }
        if end == LaneEnd::Acknowledged {
            out.push(Effect::Note(Note::LaneDone { payment }));
        }
        if let Some(next) = active.lanes.front() {
            let at = next.release.max(now.mono);
            self.timer(at, Timer::Lane(payment));
        }
    }

    /// The next operation on a payment, or nothing more to do: forget it.
    pub(crate) fn next_operation(&mut self, now: Now, payment: PaymentId, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        if active.busy.is_some() {
            return;
        }
        if let Some(approval) = active.late.take() {
            self.record_late_approval(now, payment, approval, out);
        } else if let Some(case) = active.queue.pop_front() {
            let record = active.record.clone();
            self.operate(now, case, record, out);
        } else if active.is_done() {
            self.active.swap_remove(&payment);
            self.transfers.swap_remove(&TransferOut::message_id_of(payment));
            if self.lanes_left && self.active.len() < RESIDENT / 2 {
                self.lanes_left = false;
                let after = (PaymentId::FIRST, 0);
                self.load(None, ledger::Lookup::Lanes { after, max: RESIDENT / 2 }, out);
            }
        } else {
            self.timer(now.mono, Timer::Lane(payment));
        }
    }

    /// A change was refused: somebody was faster, or the book says no.
    pub(crate) fn change_refused(&mut self, now: Now, payment: PaymentId, why: Refusal, out: Out<'_>) {
        let Some(active) = self.active.get_mut(&payment) else { return };
        let change = active.busy.take();
        match change.map(|change| change.what) {
            Some(What::Operation { case, owes }) => {
                self.owe_nothing(now, owes);
                self.outcome_refused(now, case, why, out);
            }
            Some(What::Completed { completion, owes }) => {
                self.owe_nothing(now, owes);
                let order = Order::Match(completion.facts.id, payment);
                self.let_go(completion.facts.id);
                self.next_operation(now, completion.facts.id, out);
                out.push(Effect::Note(Note::Ordered { order, outcome: OrderOutcome::Refused(why) }));
            }
            Some(What::Ordered(order)) => {
                out.push(Effect::Note(Note::Ordered { order, outcome: OrderOutcome::Refused(why) }));
            }
            Some(What::Revived(_)) => {
                out.push(Effect::Note(Note::Ordered { order: Order::Retry(payment), outcome: OrderOutcome::Refused(why) }));
            }
            _ => out.push(Effect::Note(Note::Alarm { what: "a change to an owed payment was refused", payment: Some(payment) })),
        }
        self.next_operation(now, payment, out);
    }

    /// An operator wants an owed message tried now; one that ended dead is owed anew.
    pub(crate) fn retry_lane(&mut self, now: Now, payment: PaymentId, out: Out<'_>) {
        match self.active.get_mut(&payment).and_then(|active| active.lanes.front_mut()) {
            Some(lane) => {
                lane.next_at = now.mono;
                self.timer(now.mono, Timer::Lane(payment));
                out.push(Effect::Note(Note::Ordered { order: Order::Retry(payment), outcome: OrderOutcome::TriedNow }));
            }
            None => {
                self.load(None, ledger::Lookup::Dead(payment), out);
            }
        }
    }

    /// The last message of a payment ended dead, and an operator wants it tried again: the same message is
    /// owed once more, as an item of its own behind the dead one.
    pub(crate) fn revive(&mut self, now: Now, payment: PaymentId, dead: Option<Box<OpenLane>>, out: Out<'_>) {
        let refuse = |out: Out<'_>| {
            let outcome = OrderOutcome::Unfit("it was changed meanwhile");
            out.push(Effect::Note(Note::Ordered { order: Order::Retry(payment), outcome }));
        };
        let Some(dead) = dead.map(|dead| *dead) else { return refuse(out) };
        let active = self.active.entry(payment).or_insert_with(|| Active::new(dead.payment));
        let mut then = active.record.clone();
        // Something is being done to it, or was since it was read.
        let changed = active.busy.is_some() || active.owes() || then.lane_items != dead.item.number;
        let (Ok(state), false) = (State::step(Some(then.standing.state), Cause::Revived), changed) else {
            refuse(out);
            return self.next_operation(now, payment, out);
        };
        then.standing.state = state;
        then.standing.version += 1;
        then.lane_items += 1;
        let item = LaneItem { number: then.lane_items, not_before: now.wall, ..dead.item };
        let mut command = Command::at(now.wall);
        command.lanes.push(LaneWrite::Owe(Box::new(item.clone())));
        self.change(command, Cause::Revived, then, What::Revived(item), out);
    }
}

/// The reversal that a payment owes from its next version on. `egress` is its original as it was sent.
pub(crate) fn owed_reversal(then: &mut PaymentRecord, egress: Egress, reason: ResponseCode, not_before: Wall) -> LaneItem {
    then.lane_items += 1;
    LaneItem {
        payment: then.facts.id,
        number: then.lane_items,
        link: egress.link,
        kind: LaneKind::Reversal,
        not_before,
        egress: Some(egress),
        reason: Some(reason),
        approval: then.standing.approval,
        final_amount: None,
    }
}

/// Whether the record knows that the issuer approved, told or not.
pub(crate) fn approved_by_issuer(record: &PaymentRecord) -> bool {
    let standing = &record.standing;
    standing.approved_late || standing.approval.is_some() || standing.code.is_some_and(|code| code.outcome() != Outcome::Declined)
}

/// The message of an attempt: a repeat from the second one on.
fn build(
    item: &LaneItem,
    record: &PaymentRecord,
    (attempt, repeats): (u32, RepeatTransmission),
    now: Now,
    random: u128,
) -> Option<Outgoing> {
    let again = attempt > 1;
    let transmission = match repeats {
        RepeatTransmission::New => now.wall.transmission(),
        RepeatTransmission::Same => item.not_before.transmission(),
    };
    match item.kind {
        LaneKind::Reversal => Some(Outgoing::Reversal(Box::new(ReversalOut {
            mti: Text::literal(if again { "0421" } else { "0420" }),
            transmission,
            original: item.egress.clone()?,
            reason: item.reason.unwrap_or(ResponseCode::TIMEOUT),
            approval: item.approval.or(record.standing.approval),
            final_amount: item.final_amount,
        }))),
        LaneKind::Advice => {
            let mut egress = item.egress.clone()?;
            egress.mti = Text::literal(if again { "0221" } else { "0220" });
            Some(Outgoing::Advice(Box::new(AdviceOut { egress, approval: item.approval, transmission })))
        }
        LaneKind::Enquiry => Some(Outgoing::StatusRequest(Box::new(StatusRequestOut {
            message_id: Text::new(&format!("E{:031x}", random >> 4)).unwrap_or_default(),
            original_message_id: TransferOut::message_id_of(record.facts.id),
            facts: record.facts.transfer.clone()?,
            created: now.wall,
        }))),
    }
}

/// The wait before the next attempt: by the table, the last entry repeating, within 20 % either way.
fn back_off(table_s: &[u64], attempts: u32, random: u64) -> Duration {
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = table_s.get(at).or(table_s.last()).copied().unwrap_or(60);
    let millis = seconds.saturating_mul(1000);
    Duration::from_millis(millis.saturating_mul(80 + random % 41) / 100)
}
