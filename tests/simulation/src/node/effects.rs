//! Carrying out what the engine wants.

use dialects::card::CardSecrets;
use engine::{
    CallId, Carried, Effect, Event, HsmDone, HsmFailure, HsmJob, LegId, LinkAct, LinkEvent, Note, Proof, Secrets, StoreEvent,
};
use ledger::Lookup;
use payments::outgoing::{Outgoing, Response};
use payments::{LinkId, Mono, PinBlock, ResponseCode, State};

use crate::cards;
use crate::clock::MS;
use crate::counters::Count;
use crate::faults::Edge;
use crate::node::Peer;
use crate::queue::{What, Write};
use crate::setup::{BANK, BANK_BIC, PARTY_BIC, SHARD, SWITCH_BIC, link_form, terminal_form};
use crate::wire;
use crate::world::{Mutation, World};

impl World {
    pub(crate) fn carry_out(&mut self, n: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit { seq, command } => {
                    if let Some(node) = self.nodes.get_mut(n) {
                        node.pending.push_back((seq, *command));
                    }
                }
                Effect::Send { proof, leg, link, message, secrets, by } => {
                    self.send(n, leg, link, (proof, message), &secrets, by);
                }
                Effect::Reply { proof, to, response } => {
                    // Before an answer as before a request: without the lease nothing is said any more.
                    if self.nodes.get(n).and_then(|node| node.lease_until).is_some_and(|until| self.now >= until) {
                        self.counters.add(Count::WithheldByLease);
                        return self.kill_node(n, "its lease is gone");
                    }
                    self.watch_reply(n, &proof, &response);
                    let response = self.forge(&proof, *response);
                    self.reply(n, to.0, &response);
                }
                // A terminal of a history has its own timer.
                Effect::Silence(_) => {}
                Effect::Hsm { call, job, by: _ } => self.translate(n, call, &job),
                Effect::Load { call, what } => self.look_up(n, call, what),
                Effect::Link { link, act } => self.act_on_link(n, link, act),
                Effect::Drop(Carried(handle)) => self.drop_secrets(n, handle),
                Effect::Note(note) => self.note(n, &note),
            }
        }
        self.start_commit(n);
        self.rewake(n);
    }

    /// An answer that a broken shell makes of the engine's.
    fn forge(&self, proof: &Proof, mut response: Response) -> Response {
        if let Response::Card(card) = &mut response {
            match (self.mutation, proof) {
                (Mutation::ForgeRepeats, Proof::Stored(_)) if card.answer.approval.is_some() => {
                    card.answer.approval = payments::ApprovalCode::new("FORGED").ok();
                }
                (Mutation::ApproveTimeouts, _) if card.answer.code == ResponseCode::TIMEOUT => {
                    card.answer.code = ResponseCode::APPROVED;
                }
                _ => {}
            }
        }
        response
    }

    fn drop_secrets(&mut self, n: usize, handle: u64) {
        if self.mutation == Mutation::LeakSecrets {
            return;
        }
        let known = self.nodes.get_mut(n).and_then(|node| node.keep.swap_remove(&handle)).is_some();
        if !known {
            self.object(format!("secrets {handle} were dropped twice, or never kept"), &[]);
        }
    }

    /// A message towards a network or the bank: made now, written in a moment.
    fn send(
        &mut self,
        n: usize,
        leg: LegId,
        link: LinkId,
        (proof, message): (Proof, Box<Outgoing>),
        secrets: &Secrets,
        by: Mono,
    ) {
        let mut message = message;
        if let (Mutation::ReuseStans, Outgoing::Card(out)) = (self.mutation, &mut *message) {
            out.egress.stan = self.plan.block().first;
        }
        let boxed = message.clone();
        let message = &*message;
        match message {
            Outgoing::Card(out) => {
                let stan = out.egress.stan.get();
                if self.last_stans.insert((n, link), stan).is_some_and(|last| last > stan) {
                    self.counters.add(Count::StansWrapped);
                }
            }
            Outgoing::StatusRequest(_) => self.counters.add(Count::Enquiries),
            _ => {}
        }
        let frame = self.frame(n, link, message, secrets);
        self.trace.tell(self.now, || format!("node {n} sends on {link}: {}", describe(message)));
        let financial = !matches!(message, Outgoing::Network(_) | Outgoing::StatusRequest(_));
        let delay = if self.dice.chance(10) { self.dice.between(10, 400) } else { self.dice.between(0, 4) };
        let mut at = self.now + delay * MS;
        match (self.mutation, message) {
            (Mutation::DropReversals, Outgoing::Reversal(out)) => {
                // A shell that says it was sent and makes up the acknowledgement.
                self.soon(n, Event::Written { leg, sent: engine::Sent::Sent });
                return self.forge_acknowledgement(n, link, out);
            }
            (Mutation::HoldBack, Outgoing::Card(_)) if self.dice.chance(300) => {
                // A shell that says it was sent and lets it lie.
                self.soon(n, Event::Written { leg, sent: engine::Sent::Sent });
                at += 90 * crate::clock::SEC;
                if let Some(frame) = frame {
                    self.queue.push(at, What::ToNetwork { link, frame });
                }
                return;
            }
            (Mutation::ForwardTwice, Outgoing::Card(out)) if out.egress.mti.as_str() != "0800" => {
                let mut again = message.clone();
                if let Outgoing::Card(out) = &mut again {
                    out.egress.stan = payments::Stan::new(out.egress.stan.get() + 300_000).unwrap_or(out.egress.stan);
                }
                if let Some(frame) = self.frame(n, link, &again, secrets) {
                    self.queue.push(at, What::ToNetwork { link, frame });
                }
            }
            _ => {}
        }
        self.queue.push(at, What::Write(Box::new(Write { node: n, leg, link, frame, by, proof, message: boxed, financial })));
    }

    /// As the shell makes frames: the dialect, the card from its keeper, a MAC.
    fn frame(&mut self, n: usize, link: LinkId, message: &Outgoing, secrets: &Secrets) -> Option<Vec<u8>> {
        if link == BANK {
            let us = dialects::pacs::Link::new(SWITCH_BIC, BANK_BIC).ok()?;
            let bytes = match message {
                Outgoing::CreditTransfer(out) => us.encode_transfer(out),
                Outgoing::StatusRequest(out) => us.encode_status_request(out),
                _ => return None,
            };
            return match bytes {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    self.object(format!("a bank message cannot be written: {error}"), &[]);
                    None
                }
            };
        }
        let node = self.nodes.get(n)?;
        let unsealed;
        let (card, pin): (Option<&CardSecrets>, Option<&PinBlock>) = match secrets {
            Secrets::None => (None, None),
            Secrets::Carried(Carried(handle)) => {
                let kept = node.keep.get(handle)?;
                (Some(&kept.card), kept.translated.as_ref())
            }
            Secrets::Sealed(card, _) => {
                unsealed = cards::unseal(&card.sealed);
                (Some(&unsealed), None)
            }
        };
        let form = link_form(&link);
        match self.dialects.of(form).write_outgoing(message, card, pin) {
            Ok(built) if matches!(message, Outgoing::Network(_)) => Some(form.plain(&built)),
            Ok(built) => Some(form.sealed(&built, wire::key_of(&format!("zak/{link}")))),
            Err(error) => {
                self.object(format!("a message cannot be written: {error}"), &[]);
                None
            }
        }
    }

    fn reply(&mut self, n: usize, to: u64, response: &Response) {
        let Some(peer) = self.nodes.get(n).and_then(|node| node.conns.get(&to)).copied() else {
            return self.counters.add(Count::Undeliverable);
        };
        self.trace.tell(self.now, || format!("node {n} replies: {}", described(response)));
        if self.crashes_at(n, Edge::AtReply) {
            return;
        }
        if !self.calm && self.dice.chance(self.plan.undeliverable) {
            // The connection goes just before the reply does.
            if let Some(node) = self.nodes.get_mut(n) {
                node.conns.remove(&to);
            }
            return self.counters.add(Count::Undeliverable);
        }
        match response {
            Response::Transfer(transfer) => {
                let us = dialects::pacs::Link::new(SWITCH_BIC, PARTY_BIC).expect("two BICs");
                match us.encode_response(transfer) {
                    Ok(frame) => self.carry_to_party(frame),
                    Err(error) => self.object(format!("a pacs.002 cannot be written: {error}"), &[]),
                }
            }
            _ => {
                let Peer::Terminal(terminal) = peer else {
                    return self.object("a card answer for a party".to_owned(), &[]);
                };
                let form = terminal_form(terminal);
                match self.dialects.of(form).write_response(response) {
                    Ok(message) => {
                        let frame = match response {
                            Response::Card(_) => form.sealed(&message, cards::terminal_key(terminal)),
                            _ => form.plain(&message),
                        };
                        self.carry_to_terminal(terminal, frame);
                    }
                    Err(error) => self.object(format!("an answer cannot be written: {error}"), &[]),
                }
            }
        }
    }

    fn translate(&mut self, n: usize, call: CallId, job: &HsmJob) {
        let HsmJob::TranslatePin { carried, from, to, .. } = job;
        let trouble = !self.calm && self.dice.chance(self.plan.hsm);
        let mut delay = self.dice.between(1, 30) * MS;
        let Some(kept) = self.nodes.get_mut(n).and_then(|node| node.keep.get_mut(&carried.0)) else {
            return self.object(format!("a PIN of secrets {} that are gone", carried.0), &[]);
        };
        let result = match (trouble, kept.card.pin_block.as_ref()) {
            (true, _) if self.dice.chance(400) => {
                self.counters.add(Count::HsmDown);
                Err(HsmFailure::Unavailable)
            }
            (true, _) if self.dice.chance(400) => {
                self.counters.add(Count::PinWrong);
                Err(HsmFailure::Crypto)
            }
            (_, Some(block)) => {
                if trouble {
                    self.counters.add(Count::HsmSlow);
                    delay += self.dice.between(500, 4_000) * MS;
                }
                kept.translated = cards::translate(block, from.as_str(), to.as_str());
                self.counters.add(Count::PinsTranslated);
                Ok(HsmDone::PinTranslated)
            }
            (_, None) => Err(HsmFailure::Crypto),
        };
        self.queue.push(self.now + delay, What::Step { node: n, event: Box::new(Event::Hsm { call, result }) });
    }

    fn look_up(&mut self, n: usize, call: CallId, what: Lookup) {
        if !self.calm && self.dice.chance(self.plan.reads) {
            // Asked a while later, or read now and told a while later.
            if self.dice.chance(500) {
                self.counters.add(Count::StaleReads);
                let found = self.store.lookup_now(SHARD, &what).map_err(|error| error.to_string());
                if found.is_err() {
                    self.unread(&what);
                }
                let at = self.now + self.dice.between(100, 3_000) * MS;
                let event = Box::new(Event::Store(StoreEvent::Loaded { call, found }));
                return self.queue.push(at, What::Step { node: n, event });
            }
            if self.dice.chance(300) {
                self.counters.add(Count::ReadsFailed);
                self.unread(&what);
                let event = Event::Store(StoreEvent::Loaded { call, found: Err("too late".to_owned()) });
                return self.queue.push(self.now + 200 * MS, What::Step { node: n, event: Box::new(event) });
            }
        }
        let at = (self.now + self.dice.between(1, 20) * MS).max(self.stalled_until);
        self.queue.push(at, What::Read { node: n, call, what });
    }

    pub(crate) fn read(&mut self, n: usize, call: CallId, what: &Lookup) {
        let found = self.store.lookup_now(SHARD, what).map_err(|error| error.to_string());
        if found.is_err() {
            self.unread(what);
        }
        self.step(n, Event::Store(StoreEvent::Loaded { call, found }));
    }

    fn unread(&mut self, what: &Lookup) {
        if let Lookup::Claim(key) = what {
            self.unreadable.insert(*key);
        }
    }

    fn act_on_link(&mut self, n: usize, link: LinkId, act: LinkAct) {
        match act {
            LinkAct::SignedOn => self.soon(n, Event::Link { link, is: LinkEvent::SignedOn }),
            LinkAct::SignedOff => self.soon(n, Event::Link { link, is: LinkEvent::SignedOff }),
            LinkAct::Reconnect => {
                self.counters.add(Count::LinksReconnected);
                self.cut_line(n, link, 3_000);
            }
        }
    }

    fn note(&mut self, n: usize, note: &Note) {
        self.trace.tell(self.now, || format!("node {n} notes {note:?}"));
        match note {
            Note::Repeat => self.counters.add(Count::RepeatsServed),
            Note::Unmatched { why, .. } => {
                self.counters.add(Count::Unmatched);
                if *why == "it came after its request was given up; a reversal is owed" {
                    self.counters.add(Count::LateApprovals);
                }
            }
            Note::Refused { code, .. } => match code.as_str() {
                "91" => self.counters.add(Count::Unavailable),
                "94" => self.counters.add(Count::Conflicts),
                _ => self.counters.add(Count::OwnDeclines),
            },
            Note::Payment { state: State::Abandoned, .. } => self.counters.add(Count::Abandoned),
            Note::LaneAttempt { attempt, .. } => {
                self.counters.add(if *attempt > 1 { Count::LaneRepeats } else { Count::LanesSent });
            }
            Note::LaneDead { payment, .. } => {
                self.counters.add(Count::LanesDead);
                self.dead.insert(*payment);
            }
            Note::Alarm { what, payment } => self.alarms.push((what, *payment)),
            Note::DayClosed(date) => {
                self.counters.add(Count::DaysClosed);
                self.freeze(*date);
            }
            Note::DayOpened(_) => self.counters.add(Count::CutOvers),
            // An operator of the simulation that is refused has to be as loud as ever.
            Note::Ordered { outcome: engine::OrderOutcome::Refused(_), order: engine::Order::Post(_) } => {
                self.alarms.push(("an operator's command was refused", None));
            }
            Note::Payment { .. } | Note::LaneDone { .. } | Note::Ordered { .. } => {}
        }
    }
}

fn describe(message: &Outgoing) -> String {
    match message {
        Outgoing::Network(out) => format!("0800 {:?} {}", out.function, out.stan),
        Outgoing::Managed(out) => format!("0810 {:?} {} {}", out.function, out.stan, out.code),
        Outgoing::Card(out) => {
            format!("{} stan {} rrn {} {}", out.egress.mti, out.egress.stan, out.egress.rrn, out.egress.amount)
        }
        Outgoing::Advice(out) => {
            format!("{} stan {} rrn {} {}", out.egress.mti, out.egress.stan, out.egress.rrn, out.egress.amount)
        }
        Outgoing::Reversal(out) => {
            format!("{} of stan {} rrn {} reason {}", out.mti, out.original.stan, out.original.rrn, out.reason)
        }
        Outgoing::CreditTransfer(out) => format!("pacs.008 {} uetr {} {}", out.message_id, out.facts.uetr, out.facts.amount),
        Outgoing::StatusRequest(out) => format!("pacs.028 about {} uetr {}", out.original_message_id, out.facts.uetr),
    }
}

fn described(response: &Response) -> String {
    match response {
        Response::Card(card) => {
            let rrn = card.rrn.map(|rrn| rrn.to_string()).unwrap_or_default();
            format!("{} {} to {}/{} rrn {rrn}", card.answer.code, card.head.mti, card.head.terminal, card.head.stan)
        }
        Response::Network(network) => format!("0810 {}", network.code),
        Response::Transfer(transfer) => format!("pacs.002 {} uetr {}", transfer.status.status, transfer.facts.uetr),
    }
}
