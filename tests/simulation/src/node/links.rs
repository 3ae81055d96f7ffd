//! Links of a node: writes with their deadlines, cuts, half-open sockets, answers that come in.

use bytes::Bytes;
use engine::{Event, LinkEvent, Sent};
use payments::LinkId;
use payments::outgoing::{Incoming, Outgoing};

use crate::clock::{MS, SEC};
use crate::counters::Count;
use crate::faults::Edge;
use crate::queue::{What, Write};
use crate::setup::{BANK, BANK_BIC, LINES, SWITCH_BIC, link_form};
use crate::wire;
use crate::world::{Mutation, World};

impl World {
    /// Just before the write: the deadline, the lease, the socket.
    pub(crate) fn write(&mut self, write: Write) {
        let Write { node: n, leg, link, frame, by, proof, message, financial } = write;
        let Some(node) = self.nodes.get(n).filter(|node| node.alive()) else { return };
        let careless = self.mutation == Mutation::WriteLate;
        let line = node.lines.get(&link).copied().unwrap_or_default();
        let late = node.mono(self.now) >= by;
        let lease_gone = node.lease_until.is_some_and(|until| self.now >= until);
        if lease_gone && !careless {
            self.counters.add(Count::WithheldByLease);
            return self.kill_node(n, "its lease is gone");
        }
        let sent = match frame {
            _ if late && !careless => {
                self.counters.add(Count::WithheldByDeadline);
                Sent::NotSent
            }
            Some(frame) if line.up => {
                if late && financial {
                    self.late_writes += 1;
                }
                self.watch_send(n, &proof, link, &message);
                if line.dead {
                    Sent::Sent
                } else if !self.calm && self.dice.chance(self.plan.mid_frame) {
                    self.counters.add(Count::MidFrameCuts);
                    self.cut_line(n, link, 8_000);
                    // The kernel took some of it, or all: then it arrives whole.
                    if self.dice.chance(300) {
                        self.carry_to_network(link, frame);
                    }
                    Sent::MaybeSent
                } else {
                    self.carry_to_network(link, frame);
                    Sent::Sent
                }
            }
            _ => Sent::NotSent,
        };
        match sent {
            Sent::NotSent => self.counters.add(Count::NotSent),
            Sent::MaybeSent => self.counters.add(Count::MaybeSent),
            Sent::Sent => {}
        }
        self.trace.tell(self.now, || format!("node {n} leg {} on {link}: {sent:?}", leg.0));
        let edge = match &*message {
            Outgoing::Card(_) | Outgoing::CreditTransfer(_) => Edge::AfterSend,
            _ => Edge::AfterReversal,
        };
        if !matches!(&*message, Outgoing::Network(_) | Outgoing::Managed(_)) && sent != Sent::NotSent && self.crashes_at(n, edge)
        {
            return;
        }
        let delay = if self.dice.chance(50) { self.dice.between(5, 150) } else { self.dice.between(0, 2) };
        let event = Box::new(Event::Written { leg, sent });
        self.queue.push(self.now + delay * MS, What::Step { node: n, event });
    }

    /// A socket is lost; the engine hears of it in a moment, and it is connected again later.
    pub(crate) fn cut_line(&mut self, n: usize, link: LinkId, at_most_ms: u64) {
        let heard = self.now + self.dice.between(0, 400) * MS;
        let back = heard + self.dice.between(200, at_most_ms) * MS;
        let Some(line) = self.nodes.get_mut(n).and_then(|node| node.lines.get_mut(&link)) else { return };
        if !line.up {
            return;
        }
        line.up = false;
        line.dead = false;
        line.quiet_until = back;
        self.trace.tell(self.now, || format!("node {n} link {link} is cut"));
        self.queue.push(heard, What::Step { node: n, event: Box::new(Event::Link { link, is: LinkEvent::Down }) });
        self.queue.push(back, What::LineUp { node: n, link });
    }

    /// A network's answer finds its way to the node that has the link now.
    pub(crate) fn hear_network(&mut self, link: LinkId, frame: Vec<u8>) {
        let open = |n: &usize| self.nodes[*n].lines.get(&link).is_some_and(|line| line.up && !line.dead);
        let Some(n) = self.serving.filter(open) else {
            return self.counters.add(Count::Dropped);
        };
        self.carry(self.network_rates(link), frame, 40 * SEC, move |frame| What::LineFrame { node: n, link, frame });
    }

    /// An answer came in.
    pub(crate) fn line_frame(&mut self, n: usize, link: LinkId, frame: &[u8]) {
        if !self.nodes.get(n).is_some_and(|node| node.alive() && node.lines.get(&link).is_some_and(|line| line.up)) {
            return;
        }
        let form = link_form(&link);
        let mti = form.mti(frame);
        let edge = match &mti {
            b"0430" | b"0230" => Edge::AtAcknowledgement,
            _ => Edge::AtAnswer,
        };
        if !matches!(&mti, b"0810" | b"0800") && self.crashes_at(n, edge) {
            return;
        }
        if link == BANK {
            let us = dialects::pacs::Link::new(SWITCH_BIC, BANK_BIC).expect("two BICs");
            return match us.decode_answer(frame) {
                Ok(answer) => self.step(n, Event::Answer { link, answer: Incoming::Transfer(Box::new(answer)) }),
                Err(_) => self.unusable(n, link, "not an answer"),
            };
        }
        match self.dialects.of(form).read_answer(Bytes::copy_from_slice(frame)) {
            Ok(from) => {
                let key = wire::key_of(&format!("zak/{link}"));
                let right = match (&from.incoming, &from.mac) {
                    (Incoming::Network(_) | Incoming::Manage(_), _) => true,
                    (_, Some(mac)) => mac.mac == wire::mac(key, &mac.covered),
                    (_, None) => false,
                };
                if right {
                    self.step(n, Event::Answer { link, answer: from.incoming });
                } else {
                    self.unusable(n, link, "a wrong MAC");
                }
            }
            Err(_) => self.unusable(n, link, "unreadable"),
        }
    }

    fn unusable(&mut self, n: usize, link: LinkId, why: &'static str) {
        self.counters.add(Count::BadMacs);
        self.step(n, Event::Unusable { link, why });
    }

    /// Cuts one of the serving node's links.
    pub(crate) fn cut_some_line(&mut self, half_open: bool) {
        let link = self.dice.pick(&LINES);
        let Some(n) = self.serving else { return };
        if half_open {
            if let Some(line) = self.nodes[n].lines.get_mut(&link)
                && line.up
                && link != BANK
            {
                line.dead = true;
                self.counters.add(Count::HalfOpen);
                self.trace.tell(self.now, || format!("node {n} link {link} is dead and looks alive"));
            }
        } else {
            self.counters.add(Count::LinksCut);
            self.cut_line(n, link, 12_000);
        }
    }
}
