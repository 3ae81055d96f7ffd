//! Requests that come in at a node, as the tokio shell treats them: decode, verify, seal, hand over.

use bytes::Bytes;
use dialects::card::{Binding, Body, CompletionReceived};
use engine::{Carried, ConnId, Event};
use payments::{Request, ResponseCode};

use crate::cards;
use crate::counters::Count;
use crate::node::{Kept, Peer};
use crate::setup::{ACQUIRER, BANK_LISTENER, CARD_LISTENER, INSTITUTION, PARTY, PARTY_BIC, SWITCH_BIC, terminal_form};
use crate::wire::{self, Form};
use crate::world::World;

impl World {
    /// A frame of a terminal or party.
    pub(crate) fn request_frame(&mut self, n: usize, from: ConnId, frame: Vec<u8>) {
        let peer = self.nodes.get(n).filter(|node| node.alive()).and_then(|node| node.conns.get(&from.0)).copied();
        match peer {
            Some(Peer::Terminal(terminal)) => self.card_frame(n, from, terminal, frame),
            Some(Peer::Party) => self.party_frame(n, from, &frame),
            None => {}
        }
    }

    fn card_frame(&mut self, n: usize, from: ConnId, terminal: usize, frame: Vec<u8>) {
        let binding = Binding {
            acquirer: payments::AcquirerId::new(ACQUIRER).expect("a short name"),
            institution: payments::InstitutionId::new(INSTITUTION).expect("a short name"),
        };
        let form = terminal_form(terminal);
        if form == Form::Binary {
            self.counters.add(Count::PackedByTerminals);
        }
        let inbound = match self.dialects.of(form).read_request(Bytes::from(frame), &binding) {
            Ok(inbound) => inbound,
            Err(reject) => {
                self.counters.add(Count::BadMacs);
                if let Some(answer) = reject.answer() {
                    self.carry_to_terminal(terminal, form.plain(&answer));
                }
                return;
            }
        };
        let right = matches!(inbound.body, Body::Network(_))
            || inbound.mac.as_ref().is_some_and(|mac| mac.mac == wire::mac(cards::terminal_key(terminal), &mac.covered));
        if !right {
            self.counters.add(Count::BadMacs);
            let answer = inbound.echo.answer(ResponseCode::SECURITY_VIOLATION);
            return self.carry_to_terminal(terminal, form.plain(&answer));
        }
        let (request, secrets) = match inbound.body {
            Body::Network(network) => (Request::Network(network), None),
            Body::Completion(received) => {
                let CompletionReceived { mut completion, secrets } = *received;
                completion.card = secrets.as_ref().map(cards::seal);
                (Request::Completion(Box::new(completion)), None)
            }
            Body::Reversal(reversal) => (Request::Reversal(reversal), None),
            Body::Card(card) => {
                let sealed = cards::seal(&card.secrets);
                let (request, secrets) = card.with_card(sealed);
                (Request::Card(Box::new(request)), Some(secrets))
            }
        };
        let Some(node) = self.nodes.get_mut(n) else { return };
        let carried = secrets.map(|card| {
            node.next_carried += 1;
            node.keep.insert(node.next_carried, Kept { card, translated: None });
            Carried(node.next_carried)
        });
        self.step(n, Event::Request { from, link: CARD_LISTENER, request, carried, signed_off: false });
    }

    fn party_frame(&mut self, n: usize, from: ConnId, frame: &[u8]) {
        let us = dialects::pacs::Link::new(SWITCH_BIC, PARTY_BIC).expect("two BICs");
        match us.decode_request(frame, payments::AcquirerId::new(PARTY).expect("a short name")) {
            Ok(decoded) => {
                self.step(
                    n,
                    Event::Request { from, link: BANK_LISTENER, request: decoded.request, carried: None, signed_off: false },
                );
            }
            Err(_) => self.counters.add(Count::BadMacs),
        }
    }
}
