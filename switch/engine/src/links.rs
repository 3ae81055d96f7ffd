//! Links: sign-on, echo, STANs, and what waits for an answer on each.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use indexmap::IndexMap;
use payments::outgoing::{Incoming, NetworkAnswer, NetworkOut, NetworkResponse, Outgoing, Response};
use payments::request::{NetworkFunction, NetworkRequest};
use payments::{LinkId, Mono, Now, Outcome, PaymentId, ResponseCode, Stan, Text};

use crate::api::{ConnId, Effect, LinkAct, LinkEvent, Note, Secrets, StanBlock};
use crate::cases::CaseId;
use crate::engine::{Engine, Leg, Out, Timer};

/// A network that has signed off is asked whether it is back at every so many-th echo: every 5 minutes where
/// a link has the usual 30 seconds.
const ASK_AGAIN: u32 = 10;

/// Network management that has not left by then is not worth sending.
const MANAGED_WITHIN: Duration = Duration::from_secs(5);

/// Class and function of a request's MTI (`0100` gives `1` and `0`), with which a STAN makes the key
/// of an answer.
pub(crate) type Class = (u8, u8);

/// What waits for an answer on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A request of a case.
    Case(CaseId),
    /// A request whose outcome is unknown already: its late answer only lets the reversal go.
    Late(PaymentId),
    /// An owed message.
    Lane(PaymentId),
    /// Network management.
    Network(NetworkFunction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Down,
    /// Up; the sign-on is not answered yet (or another shard's engine sees to it).
    Connected,
    Ready,
    /// Up, and one side has signed off: nothing new goes there, answers still come.
    SignedOff,
}

/// A link as the engine sees it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    phase: Phase,
    owner: bool,
    /// Timers since its network signed off.
    off_for: u32,
    /// An operator has signed it off.
    withheld: bool,
    block: Option<StanBlock>,
    last: Option<Stan>,
    /// STANs that may not be used: how often each is held.
    held: BTreeMap<u32, u32>,
    /// STANs in quarantine, by when it ends.
    quarantine: VecDeque<(Mono, u32)>,
    waiting: IndexMap<(Class, u32), Waiting>,
    heard: Mono,
    missed: u32,
    /// A timer is set. One at a time, however often the link went up and down meanwhile: else each of
    /// them would send its own echo and count its own miss.
    timed: bool,
    /// The STAN of the last 0800.
    managing: Option<Stan>,
    /// Owed messages in flight.
    pub(crate) lanes: usize,
}

impl Link {
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether our sign-off waits for its answer.
    pub(crate) fn signs_off(&self) -> bool {
        self.managing.is_some_and(|stan| {
            self.waits((b'8', b'0'), stan) == Some(Waiting::Network(NetworkFunction::SignOff)) && self.phase != Phase::Down
        })
    }

    /// Goes on behind the last STAN that the record knows.
    pub(crate) fn resume(&mut self, last: Stan) {
        self.last = Some(last);
    }

    /// The next STAN that nobody holds. `None` when the whole block is in use.
    pub(crate) fn next_stan(&mut self, now: Mono) -> Option<Stan> {
        while self.quarantine.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, stan)) = self.quarantine.pop_front() {
                self.let_go(stan);
            }
        }
        let block = self.block?;
        let size = block.last.get().checked_sub(block.first.get())? + 1;
        let mut at = match self.last {
            Some(last) if last >= block.first && last < block.last => last.get() + 1,
            _ => block.first.get(),
        };
        for _ in 0..size {
            if !self.held.contains_key(&at) {
                let stan = Stan::new(at).ok()?;
                self.last = Some(stan);
                self.hold(stan);
                // What an earlier payment under it was still listened for is over.
                for class in [(b'1', b'0'), (b'2', b'0')] {
                    if matches!(self.waits(class, stan), Some(Waiting::Late(_))) {
                        self.stop_waiting(class, stan);
                    }
                }
                return Some(stan);
            }
            at = if at == block.last.get() { block.first.get() } else { at + 1 };
        }
        None
    }

    pub(crate) fn hold(&mut self, stan: Stan) {
        *self.held.entry(stan.get()).or_default() += 1;
    }

    fn let_go(&mut self, stan: u32) {
        if let Some(count) = self.held.get_mut(&stan) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&stan);
            }
        }
    }

    /// One who held the STAN leaves it to another who holds it too.
    pub(crate) fn hand_over(&mut self, stan: Stan) {
        if self.held.get(&stan.get()).is_some_and(|count| *count > 1) {
            self.let_go(stan.get());
        }
    }

    /// The STAN is free again after its quarantine.
    pub(crate) fn release(&mut self, stan: Stan, until: Mono) {
        self.quarantine.push_back((until, stan.get()));
    }

    pub(crate) fn wait(&mut self, class: Class, stan: Stan, what: Waiting) {
        self.waiting.insert((class, stan.get()), what);
    }

    pub(crate) fn stop_waiting(&mut self, class: Class, stan: Stan) -> Option<Waiting> {
        self.waiting.swap_remove(&(class, stan.get()))
    }

    pub(crate) fn waits(&self, class: Class, stan: Stan) -> Option<Waiting> {
        self.waiting.get(&(class, stan.get())).copied()
    }
}

/// The class of a request's MTI.
pub(crate) fn class_of(mti: &Text<4>) -> Class {
    match mti.as_bytes() {
        [_, class, function, _] => (*class, *function),
        _ => (0, 0),
    }
}

/// The class of the request that an answer's MTI belongs to: 0110 to 0100, 0230 to 0220.
pub(crate) fn request_class(mti: &Text<4>) -> Class {
    let (class, function) = class_of(mti);
    (class, if matches!(function, b'1' | b'3' | b'5') { function - 1 } else { function })
}

impl Engine {
    /// 0800 from a terminal or another acquirer.
    pub(crate) fn on_network_request(&mut self, from: ConnId, request: &NetworkRequest, out: Out<'_>) {
        let code = if self.draining { ResponseCode::UNAVAILABLE } else { ResponseCode::APPROVED };
        let response =
            NetworkResponse { stan: request.stan, transmission: request.transmission, function: request.function, code };
        self.reply_unclaimed(from, Response::Network(response), None, out);
    }

    pub(crate) fn on_link(&mut self, now: Now, name: LinkId, is: LinkEvent, out: Out<'_>) {
        let Some(settings) = self.tables.links.get(&name) else { return };
        // ISO 20022 has no network management: a bank's link lives as long as its socket.
        let is_bank = self.tables.banks.values().any(|bank| *bank == name);
        let (sign_on, echo_every) = (settings.sign_on && !is_bank, settings.echo_every);
        let link = self.links.entry(name).or_default();
        link.heard = now.mono;
        link.missed = 0;
        match is {
            LinkEvent::Up { stans, owner } => {
                link.block = Some(stans);
                link.owner = owner;
                link.phase = match sign_on {
                    true if link.withheld => Phase::SignedOff,
                    true => Phase::Connected,
                    false => Phase::Ready,
                };
                if owner && link.phase == Phase::Connected && !self.leaving {
                    self.manage(now, name, NetworkFunction::SignOn, out);
                }
                let watched = owner && !is_bank;
                if let Some(link) = self.links.get_mut(&name).filter(|link| watched && !link.timed) {
                    link.timed = true;
                    self.timer(now.mono.after(echo_every), Timer::Link(name));
                }
                if !sign_on {
                    self.wake_lanes(now, name);
                }
            }
            // The word may have been on its way while the link went down.
            LinkEvent::SignedOn | LinkEvent::SignedOff if link.phase == Phase::Down => {}
            // Our sign-on is on its way: what it is answered counts, and it is asked again until it is.
            LinkEvent::SignedOff if link.phase == Phase::Connected => {}
            LinkEvent::SignedOff => {
                link.phase = Phase::SignedOff;
                link.off_for = 0;
            }
            LinkEvent::SignedOn if self.leaving => {}
            LinkEvent::SignedOn => {
                link.phase = Phase::Ready;
                self.wake_lanes(now, name);
            }
            LinkEvent::Down => link.phase = Phase::Down,
        }
    }

    /// Nothing is sent any more, and the owner of each link says so to its network. A link whose sign-on is
    /// not answered yet is signed off as well: the answer may be on its way.
    pub(crate) fn sign_off(&mut self, now: Now, out: Out<'_>) {
        self.leaving = true;
        let signed: Vec<(LinkId, bool)> = self
            .links
            .iter_mut()
            .filter(|(name, link)| {
                link.phase != Phase::Down
                    && self.tables.links.get(*name).is_some_and(|settings| settings.sign_on)
                    && !self.tables.banks.values().any(|bank| bank == *name)
            })
            .map(|(name, link)| {
                link.phase = Phase::SignedOff;
                (*name, link.owner)
            })
            .collect();
        for (name, _) in signed.into_iter().filter(|(_, owner)| *owner) {
            self.manage(now, name, NetworkFunction::SignOff, out);
        }
    }

    /// An operator signs a link off or on; its owner is told.
    pub(crate) fn sign_link(&mut self, now: Now, name: LinkId, on: bool, out: Out<'_>) {
        let Some(link) = self.links.get_mut(&name) else { return };
        link.withheld = !on;
        if link.phase == Phase::Down {
            return;
        }
        if on && link.phase == Phase::Ready {
            return;
        }
        if on {
            link.phase = Phase::Connected;
            return self.manage(now, name, NetworkFunction::SignOn, out);
        }
        link.phase = Phase::SignedOff;
        self.manage(now, name, NetworkFunction::SignOff, out);
        out.push(Effect::Link { link: name, act: LinkAct::SignedOff });
    }

    /// A network's own 0800. Its sign-off stops what would be sent there anew; what waits for answers there
    /// goes on waiting, and what is owed is kept.
    fn on_manage(&mut self, name: LinkId, request: &NetworkRequest, now: Now, out: Out<'_>) {
        let withheld = self.links.get(&name).is_some_and(|link| link.withheld);
        let unwelcome = (self.draining || withheld) && request.function == NetworkFunction::SignOn;
        let code = if unwelcome { ResponseCode::UNAVAILABLE } else { ResponseCode::APPROVED };
        let NetworkRequest { stan, transmission, function } = *request;
        let answer = Outgoing::Managed(NetworkResponse { stan, transmission, function, code });
        let by = now.mono.after(MANAGED_WITHIN);
        self.send_unclaimed(Leg::Network, name, answer, Secrets::None, None, by, out);
        let act = match function {
            NetworkFunction::Echo => return,
            NetworkFunction::SignOn if unwelcome => return,
            NetworkFunction::SignOn => LinkAct::SignedOn,
            NetworkFunction::SignOff => LinkAct::SignedOff,
        };
        out.push(Effect::Link { link: name, act });
    }

    /// Sends 0800, one at a time. Its STANs go round on their own: its answers are of another class, and
    /// a link whose STANs are all held by owed reversals must be able to sign on to get rid of them.
    fn manage(&mut self, now: Now, name: LinkId, function: NetworkFunction, out: Out<'_>) {
        let Some(link) = self.links.get_mut(&name) else { return };
        let Some(block) = link.block else { return };
        let stan = match link.managing {
            Some(last) if last >= block.first && last < block.last => Stan::new(last.get() + 1).unwrap_or(block.first),
            _ => block.first,
        };
        // What an earlier one waited for does not count any more.
        if let Some(unanswered) = link.managing.replace(stan) {
            link.stop_waiting((b'8', b'0'), unanswered);
        }
        link.wait((b'8', b'0'), stan, Waiting::Network(function));
        let institution = self.tables.registry.acquirers.first().map(|(_, acquirer)| acquirer.institution).unwrap_or_default();
        let message = Outgoing::Network(NetworkOut { transmission: now.wall.transmission(), stan, institution, function });
        let by = now.mono.after(MANAGED_WITHIN);
        self.send_unclaimed(Leg::Network, name, message, Secrets::None, None, by, out);
    }

    pub(crate) fn on_link_timer(&mut self, now: Now, name: LinkId, out: Out<'_>) {
        let Some(settings) = self.tables.links.get(&name) else { return };
        let (every, limit) = (settings.echo_every, settings.echo_missed);
        let Some(link) = self.links.get_mut(&name) else { return };
        link.timed = false;
        if link.phase == Phase::Down || !link.owner {
            return;
        }
        let due = link.heard.after(every);
        if due > now.mono {
            link.timed = true;
            return self.timer(due, Timer::Link(name));
        }
        if link.missed >= limit {
            link.phase = Phase::Down;
            out.push(Effect::Note(Note::Alarm { what: "a link does not answer echoes", payment: None }));
            return out.push(Effect::Link { link: name, act: LinkAct::Reconnect });
        }
        link.missed += 1;
        // Silence after a sign-on is asked about with another sign-on. A network that has signed off may have
        // signed on since without our hearing of it: once in a while it is asked in the same way.
        let function = match link.phase {
            Phase::Connected => NetworkFunction::SignOn,
            Phase::SignedOff if !link.withheld && !self.leaving => {
                link.off_for += 1;
                if link.off_for % ASK_AGAIN == 0 { NetworkFunction::SignOn } else { NetworkFunction::Echo }
            }
            _ => NetworkFunction::Echo,
        };
        link.timed = true;
        self.manage(now, name, function, out);
        self.timer(now.mono.after(every), Timer::Link(name));
    }

    /// Something was heard on a link: it is alive.
    pub(crate) fn heard(&mut self, now: Now, name: LinkId) {
        if let Some(link) = self.links.get_mut(&name) {
            link.heard = now.mono;
            link.missed = 0;
        }
    }

    pub(crate) fn on_answer(&mut self, now: Now, name: LinkId, answer: Incoming, out: Out<'_>) {
        self.heard(now, name);
        match answer {
            Incoming::Network(answer) => self.on_managed(name, answer, out),
            Incoming::Manage(request) => self.on_manage(name, &request, now, out),
            Incoming::Transfer(answer) => self.on_transfer_answer(now, name, *answer, out),
            Incoming::Card(answer) => {
                let class = request_class(&answer.mti);
                let waiting = self.links.get(&name).and_then(|link| link.waits(class, answer.stan));
                match waiting {
                    Some(Waiting::Case(case)) => self.on_card_answer(now, case, *answer, out),
                    Some(Waiting::Late(payment)) => self.on_late_answer(now, name, payment, *answer, out),
                    Some(Waiting::Lane(payment)) => self.on_lane_answer(now, payment, *answer, out),
                    Some(Waiting::Network(_)) => {
                        self.unmatched(name, answer.stan.get(), "it answers a network management request", out)
                    }
                    None => self.unmatched(name, answer.stan.get(), "nothing waits under this class and STAN", out),
                }
            }
        }
    }

    fn on_managed(&mut self, name: LinkId, answer: NetworkAnswer, out: Out<'_>) {
        let Some(link) = self.links.get_mut(&name) else { return };
        match link.stop_waiting((b'8', b'0'), answer.stan) {
            Some(Waiting::Network(function)) => {
                if function != NetworkFunction::SignOn {
                    return;
                }
                if answer.code.outcome() == Outcome::Approved {
                    out.push(Effect::Link { link: name, act: LinkAct::SignedOn });
                } else if link.phase == Phase::Connected {
                    out.push(Effect::Note(Note::Alarm { what: "a network refused our sign-on", payment: None }));
                    out.push(Effect::Link { link: name, act: LinkAct::Reconnect });
                }
            }
            _ => self.unmatched(name, answer.stan.get(), "no network management request waits under this STAN", out),
        }
    }

    pub(crate) fn unmatched(&mut self, link: LinkId, stan: u32, why: &'static str, out: Out<'_>) {
        out.push(Effect::Note(Note::Unmatched { link, stan, why }));
    }
}
