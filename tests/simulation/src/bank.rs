//! A bank and an instructing party, each with a book of its own.

use std::collections::BTreeMap;

use dialects::pacs::Link;
use engine::ConnId;
use payments::answer::TransferStatus;
use payments::outgoing::{StatusRequestOut, TransferOut, TransferResponse};
use payments::request::TransferFacts;
use payments::{Amount, Currency, Request, Text};

use crate::clock::{MS, SEC};
use crate::counters::Count;
use crate::node::Peer;
use crate::queue::What;
use crate::setup::{BANK, BANK_BIC, DEBTORS, PARTY_BIC, SWITCH_BIC};
use crate::world::World;

/// How a transfer stands in the bank's book.
#[derive(Debug, Clone)]
pub(crate) struct Executed {
    pub(crate) facts: TransferFacts,
    pub(crate) rejected: bool,
    /// Not told before: it is still being worked on.
    ready_at: u64,
}

/// The bank.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    pub(crate) book: BTreeMap<String, Executed>,
    /// Transfers about which it said that it never had them.
    pub(crate) disowned: BTreeMap<String, u64>,
    messages: u64,
}

/// A transfer in the party's book.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) facts: TransferFacts,
    sends: u32,
    turn: u32,
    /// The last thing sent was a question.
    asked: bool,
    /// What it was told in the end: executed or not.
    pub(crate) executed: Option<bool>,
}

/// The instructing party.
#[derive(Debug, Default)]
pub(crate) struct Party {
    pub(crate) book: Vec<Ordered>,
    conn: Option<(usize, ConnId)>,
    messages: u64,
}

fn bank_link() -> Link {
    Link::new(BANK_BIC, SWITCH_BIC).expect("two BICs")
}

fn party_link() -> Link {
    Link::new(PARTY_BIC, SWITCH_BIC).expect("two BICs")
}

impl World {
    /// A frame reaches the bank.
    pub(crate) fn reach_bank(&mut self, frame: &[u8]) {
        self.trace.fold(self.now, b'b', frame);
        let Ok(decoded) = bank_link().decode_request(frame, Text::literal("SWITCH")) else {
            return self.counters.add(Count::BadMacs);
        };
        let bad = !self.calm && self.dice.chance(self.plan.misbehaviour);
        match decoded.request {
            Request::CreditTransfer(transfer) => {
                let facts = transfer.facts;
                let uetr = facts.uetr.to_string();
                let manner = if bad { self.dice.between(0, 9) } else { 9 };
                if manner == 0 {
                    return self.counters.add(Count::LostInNetwork);
                }
                if self.bank.disowned.contains_key(&uetr) && !self.bank.book.contains_key(&uetr) {
                    self.trace.tell(self.now, || format!("the bank gets {uetr}, which it had disowned"));
                }
                let rejected = self.dice.chance(150);
                let now = self.now;
                let slow = manner == 1 || manner == 2;
                let ready_at = if slow { now + self.dice.between(5, 50) * SEC } else { now };
                let known = self.bank.book.entry(uetr.clone()).or_insert(Executed { facts, rejected, ready_at });
                let known = known.clone();
                self.trace.tell(now, || format!("the bank has {uetr}, rejected {}, manner {manner}", known.rejected));
                match manner {
                    1 | 2 => {
                        self.counters.add(Count::Interim);
                        self.bank_answers(&known.facts, "ACSP", "", 20);
                        if manner == 2 {
                            self.counters.add(Count::LateAnswers);
                            let delay = known.ready_at.saturating_sub(now) / MS;
                            self.bank_tells(&known, delay);
                        }
                    }
                    3 | 4 => self.counters.add(Count::SilentNetwork),
                    5 => {
                        self.counters.add(Count::AnsweredTwice);
                        self.bank_tells(&known, 30);
                        self.bank_tells(&known, 900);
                    }
                    6 => {
                        self.counters.add(Count::LateAnswers);
                        let delay = self.dice.between(9_000, 50_000);
                        self.bank_tells(&known, delay);
                    }
                    _ => {
                        let delay = self.dice.between(5, 300);
                        self.bank_tells(&known, delay);
                    }
                }
            }
            Request::StatusEnquiry(enquiry) => {
                let uetr = enquiry.uetr.to_string();
                if bad && self.dice.chance(600) {
                    return self.counters.add(Count::SilentNetwork);
                }
                match self.bank.book.get(&uetr).cloned() {
                    Some(known) if known.ready_at > self.now => {
                        self.counters.add(Count::Interim);
                        self.bank_answers(&known.facts, "PDNG", "", 20);
                    }
                    Some(known) => self.bank_tells(&known, 20),
                    None => {
                        self.bank.disowned.insert(uetr, self.now);
                        let facts = TransferFacts {
                            message_id: enquiry.original_message_id,
                            instruction_id: Text::EMPTY,
                            end_to_end_id: enquiry.end_to_end_id,
                            transaction_id: enquiry.transaction_id,
                            uetr: enquiry.uetr,
                            amount: Amount::zero(Currency::EUR),
                            settlement_date: self.wall_at(0).date(),
                            debtor_agent: Text::EMPTY,
                            creditor_agent: Text::EMPTY,
                            debtor_account: Text::EMPTY,
                            creditor_account: Text::EMPTY,
                            debtor_name: String::new(),
                            creditor_name: String::new(),
                            remittance: String::new(),
                        };
                        self.bank_answers(&facts, "RJCT", "NOOR", 20);
                    }
                }
            }
            _ => {}
        }
    }

    fn bank_tells(&mut self, known: &Executed, delay_ms: u64) {
        let (status, reason) = if known.rejected { ("RJCT", "AC04") } else { ("ACSC", "") };
        self.bank_answers(&known.facts, status, reason, delay_ms);
    }

    fn bank_answers(&mut self, facts: &TransferFacts, status: &str, reason: &str, delay_ms: u64) {
        self.bank.messages += 1;
        let mut facts = facts.clone();
        if self.dice.chance(200) {
            // A bank names a transfer by one of its names at least, not by all of them.
            facts.transaction_id = Text::EMPTY;
        }
        let response = TransferResponse {
            message_id: Text::new(&format!("B{:09}", self.bank.messages)).unwrap_or_default(),
            facts,
            status: TransferStatus {
                status: Text::new(status).unwrap_or_default(),
                reason: Text::new(reason).unwrap_or_default(),
            },
            created: self.wall_at(0),
        };
        match bank_link().encode_response(&response) {
            Ok(frame) => self.queue.push(self.now + delay_ms * MS, What::FromBank { frame }),
            Err(error) => self.object(format!("the bank cannot answer: {error}"), &[]),
        }
    }

    /// The party orders something.
    pub(crate) fn next_transfer(&mut self) {
        if self.calm {
            return;
        }
        let gap = self.dice.between(self.plan.gap / 2, self.plan.gap * 2);
        self.queue.push(self.now + gap, What::NextTransfer);
        let number = self.party.book.len();
        let uetr = uuid::Builder::from_random_bytes(self.dice.wide().to_be_bytes()).into_uuid();
        let minor = if self.dice.chance(30) { 45_000 } else { self.dice.between(1, 30_000) };
        let name = |prefix: &str| Text::new(&format!("{prefix}{number:06}")).unwrap_or_default();
        let facts = TransferFacts {
            message_id: name("M"),
            instruction_id: name("I"),
            end_to_end_id: name("E"),
            transaction_id: name("T"),
            uetr: Text::new(&uetr.to_string()).unwrap_or_default(),
            amount: Amount::new(i64::try_from(minor).unwrap_or(1), Currency::EUR).expect("a positive amount"),
            settlement_date: self.wall_at(0).date(),
            debtor_agent: Text::literal("PRTYDEFF"),
            creditor_agent: Text::literal("BANKFRPP"),
            debtor_account: Text::new(self.dice.pick(&DEBTORS)).unwrap_or_default(),
            creditor_account: Text::literal("CREDITOR-9"),
            debtor_name: "Müller".to_owned(),
            creditor_name: "Dupont".to_owned(),
            remittance: String::new(),
        };
        self.counters.add(Count::Transfers);
        self.party.book.push(Ordered { facts, sends: 0, turn: 0, asked: false, executed: None });
        self.order(number);
    }

    fn order(&mut self, number: usize) {
        let created = self.wall_at(0);
        let Some(ordered) = self.party.book.get_mut(number) else { return };
        ordered.sends += 1;
        ordered.asked = false;
        if ordered.sends > 1 {
            self.counters.add(Count::TransferRepeats);
        }
        let out = TransferOut { message_id: ordered.facts.message_id, facts: ordered.facts.clone(), created };
        self.trace.tell(self.now, || format!("the party orders {}", out.facts.uetr));
        match party_link().encode_transfer(&out) {
            Ok(frame) => self.party_sends(number, frame),
            Err(error) => self.object(format!("the party cannot order: {error}"), &[]),
        }
    }

    fn enquire(&mut self, number: usize) {
        let created = self.wall_at(0);
        self.party.messages += 1;
        let Some(ordered) = self.party.book.get_mut(number) else { return };
        ordered.asked = true;
        self.counters.add(Count::PartyEnquiries);
        let out = StatusRequestOut {
            message_id: Text::new(&format!("Q{:09}", self.party.messages)).unwrap_or_default(),
            original_message_id: ordered.facts.message_id,
            facts: ordered.facts.clone(),
            created,
        };
        match party_link().encode_status_request(&out) {
            Ok(frame) => self.party_sends(number, frame),
            Err(error) => self.object(format!("the party cannot ask: {error}"), &[]),
        }
    }

    fn party_sends(&mut self, number: usize, frame: Vec<u8>) {
        let patience = self.dice.between(18, 30) * SEC;
        if let Some(ordered) = self.party.book.get_mut(number) {
            ordered.turn += 1;
            let turn = ordered.turn;
            self.queue.push(self.now + patience, What::PartyImpatient { transfer: number, turn });
        }
        let Some((n, conn)) = self.connection(Peer::Party, self.party.conn) else {
            return self.counters.add(Count::Dropped);
        };
        self.party.conn = Some((n, conn));
        let rates = self.bank_rates();
        self.carry(rates, frame, 6 * SEC, move |frame| What::Frame { node: n, from: conn, frame });
    }

    /// Nothing final yet: it asks, or orders again.
    pub(crate) fn party_impatient(&mut self, number: usize, turn: u32) {
        let again = !self.calm && self.dice.chance(350);
        let Some(ordered) = self.party.book.get(number) else { return };
        if ordered.turn != turn || ordered.executed.is_some() {
            return;
        }
        if again { self.order(number) } else { self.enquire(number) }
    }

    pub(crate) fn carry_to_party(&mut self, frame: Vec<u8>) {
        let rates = self.bank_rates();
        self.carry(rates, frame, 6 * SEC, |frame| What::ToParty { frame });
    }

    pub(crate) fn bank_rates(&self) -> crate::setup::Rates {
        // No MAC on these links: TLS finds what is garbled, so it is cut off instead.
        self.network_rates(BANK)
    }

    /// A frame reaches the party.
    pub(crate) fn reach_party(&mut self, frame: &[u8]) {
        self.trace.fold(self.now, b'p', frame);
        let Ok(answer) = party_link().decode_answer(frame) else {
            return self.counters.add(Count::BadMacs);
        };
        let Some(ordered) = self.party.book.iter_mut().find(|ordered| ordered.facts.uetr == answer.uetr) else { return };
        let status = answer.answer.transfer.unwrap_or(TransferStatus { status: Text::EMPTY, reason: Text::EMPTY });
        let executed = match status.status.as_str() {
            "ACSC" => true,
            // Refused perhaps without a trace: a copy of the order may still be accepted. It asks first.
            "RJCT" if matches!(status.reason.as_str(), "AB08" | "AB05") && !ordered.asked => return,
            "RJCT" => false,
            _ => return,
        };
        match ordered.executed {
            None => ordered.executed = Some(executed),
            Some(told) if told != executed => {
                let about = ordered.facts.uetr.to_string();
                self.object(format!("{about} was said to be executed and not to be"), &[about]);
            }
            Some(_) => {}
        }
    }
}
