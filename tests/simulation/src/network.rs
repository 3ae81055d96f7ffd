//! Networks with books of their own: they approve, decline and misbehave, and count every effect.

use std::collections::{BTreeMap, BTreeSet};

use iso8583::Message;
use payments::LinkId;

use crate::cards;
use crate::clock::{MS, SEC, Time};
use crate::counters::Count;
use crate::queue::{Trouble, What};
use crate::setup::{BANK, DUAL_A, DUAL_B, LIFE, LINES, link_form, zpk};
use crate::wire::{Form, key_of, number, text};
use crate::world::World;

/// How a request stands in a network's book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Declined,
    Reversed,
}

/// A request that had an effect, or was declined.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) link: LinkId,
    pub(crate) stan: String,
    pub(crate) rrn: String,
    pub(crate) request: Message,
    pub(crate) balance: bool,
    pub(crate) approved: i64,
    pub(crate) code: &'static str,
    pub(crate) approval: String,
    pub(crate) standing: Standing,
    /// How often a reversal took it back. More than once is money given away.
    pub(crate) reversals: u32,
    /// Completed for so much, and how often.
    pub(crate) completed: Option<i64>,
    pub(crate) advices: u32,
    pub(crate) touched: Time,
}

/// The networks' books; both links of the dual-message network share one.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// By link, STAN and DE7, as the request was sent.
    pub(crate) book: BTreeMap<(LinkId, String, String), Entry>,
    /// Reversals whose original was not there when they came.
    pub(crate) early: BTreeMap<(LinkId, String, String), Time>,
    /// Advices by link, STAN and DE37.
    advices: BTreeMap<(LinkId, String, String), i64>,
    /// Which request used a STAN last, and when it was last heard of.
    stans: BTreeMap<(LinkId, String), (String, Time, usize)>,
    approvals: u32,
    /// Links that they have signed off, and not on again.
    signed_off: BTreeSet<LinkId>,
}

/// What becomes of the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Prompt,
    Lost,
    Silent,
    Late,
    Twice,
    Garbled,
    WrongStan,
    WrongAmount,
}

impl World {
    /// A frame reaches a network.
    pub(crate) fn reach_network(&mut self, link: LinkId, frame: &[u8]) {
        self.trace.fold(self.now, b'n', frame);
        let (form, zak) = (link_form(&link), key_of(&format!("zak/{link}")));
        if form == Form::Binary {
            self.counters.add(Count::PackedAtNetworks);
        }
        if let Some(message) = form.read(frame)
            && message.mti() == "0800"
        {
            return self.manage(link, &message);
        }
        if let Some(message) = form.read(frame)
            && message.mti() == "0810"
        {
            // Only what it was told itself makes it stop saying so.
            if text(&message, 70) == "001" && text(&message, 39) == "00" && self.networks.signed_off.remove(&link) {
                self.counters.add(Count::SignedOnAgain);
            }
            return;
        }
        let Some(message) = form.opened(frame, zak) else {
            // Garbled on the way: a network says nothing to that.
            return self.counters.add(Count::BadMacs);
        };
        match message.mti() {
            "0100" | "0200" => self.authorize(link, message),
            "0220" | "0221" => self.advise(link, &message),
            "0420" | "0421" => self.reverse(link, &message),
            other => self.object(format!("a network got a {other}"), &[]),
        }
    }

    fn manage(&mut self, link: LinkId, message: &Message) {
        let sign_on = text(message, 70) == "001";
        let mut code = "00";
        if text(message, 70) == "002" {
            self.counters.add(Count::Left);
        }
        if !self.calm && self.dice.chance(self.plan.misbehaviour / 3) {
            if sign_on && self.dice.chance(400) {
                self.counters.add(Count::SignOnsRefused);
                code = "91";
            } else {
                return self.counters.add(Count::EchoesMissed);
            }
        }
        if sign_on && code == "00" {
            self.networks.signed_off.remove(&link);
        }
        let mut answer = Message::new("0810");
        answer.set(7, text(message, 7)).set(11, text(message, 11)).set(39, code).set(70, text(message, 70));
        let at = self.now + self.dice.between(1, 40) * MS;
        self.queue.push(at, What::FromNetwork { link, frame: link_form(&link).plain(&answer) });
    }

    /// A network signs off, and on again later. It says the latter until it is heard.
    pub(crate) fn sign_off(&mut self) {
        let link = self.dice.pick(&LINES);
        if link == BANK || !self.networks.signed_off.insert(link) {
            return;
        }
        self.counters.add(Count::SignedOff);
        self.own_management(link, "002");
        let at = self.now + self.dice.between(500, 30_000) * MS;
        self.queue.push(at, What::Trouble(Trouble::SignOn { link }));
    }

    pub(crate) fn sign_on(&mut self, link: LinkId) {
        if self.networks.signed_off.contains(&link) {
            self.own_management(link, "001");
            self.queue.push(self.now + 3 * SEC, What::Trouble(Trouble::SignOn { link }));
        }
    }

    /// An 0800 of a network's own. It is lost where there is no connection, and else comes in the order in
    /// which it was sent: a sign-off that overtakes a sign-on would be another history than the network's.
    fn own_management(&mut self, link: LinkId, function: &str) {
        let stan = self.dice.between(1, 999);
        let mut message = Message::new("0800");
        message.set(7, "1231235959").set(11, format!("{stan:06}")).set(70, function);
        let open = |n: &usize| self.nodes[*n].lines.get(&link).is_some_and(|line| line.up && !line.dead);
        let Some(node) = self.serving.filter(open) else { return };
        self.queue.push(self.now + 20 * MS, What::LineFrame { node, link, frame: link_form(&link).plain(&message) });
    }

    fn manner(&mut self) -> Manner {
        if self.calm || !self.dice.chance(self.plan.misbehaviour) {
            return Manner::Prompt;
        }
        self.dice.pick(&[
            Manner::Lost,
            Manner::Silent,
            Manner::Silent,
            Manner::Late,
            Manner::Late,
            Manner::Late,
            Manner::Twice,
            Manner::Twice,
            Manner::Garbled,
            Manner::WrongStan,
            Manner::WrongAmount,
        ])
    }

    fn authorize(&mut self, link: LinkId, message: Message) {
        let key = (link, text(&message, 11).to_owned(), text(&message, 7).to_owned());
        let rrn = text(&message, 37).to_owned();
        let about = vec![rrn.clone()];
        if let Some(known) = self.networks.book.get(&key) {
            // The same bytes twice: one effect, one answer again.
            let answer = answer_to(known);
            return self.answer_in(link, &answer, 30 * MS);
        }
        if self.networks.early.contains_key(&key) {
            self.object(format!("an 0420 overtook its original {} on {link}", key.1), &about);
        }
        let balance = text(&message, 3).starts_with("31");
        // Balance enquiries leave no mark in the record, and need none: their answers move nothing.
        if !balance
            && let Some((other, at, owners)) =
                self.networks.stans.insert((link, key.1.clone()), (rrn.clone(), self.now, self.nodes.len()))
            && other != rrn
            // The quarantine is in memory: a new owner goes on behind the last STAN of the record, and
            // where a block is so small that it wraps in a minute, it meets those of the old one.
            && owners == self.nodes.len()
            && self.now.saturating_sub(at) < LIFE
        {
            self.object(format!("STAN {} on {link} was used again too soon", key.1), &[rrn.clone(), other]);
        }
        self.check_pin(link, &message, &rrn);
        let manner = self.manner();
        if manner == Manner::Lost {
            return self.counters.add(Count::LostInNetwork);
        }
        let asked = number(&message, 4);
        let wrong_pin = message.get(52).is_some_and(|block| {
            let block: [u8; 8] = block.try_into().unwrap_or_default();
            cards::under(block, &zpk(&link)) == cards::pin(text(&message, 2), false)
        });
        let code = match self.dice.between(0, 99) {
            _ if wrong_pin => "55",
            0..=7 => self.dice.pick(&["05", "51", "54", "91", "68", "25", "30", "94"]),
            8..=14 if asked > 1 && !balance && !text(&message, 3).starts_with("20") => "10",
            15..=19 => self.dice.pick(&["08", "11", "85"]),
            _ => "00",
        };
        let approved = match code {
            "10" => asked / 2,
            "00" | "08" | "11" | "85" => asked,
            _ => 0,
        };
        self.networks.approvals += 1;
        let entry = Entry {
            link,
            stan: key.1.clone(),
            rrn,
            balance,
            approved,
            code,
            approval: if approved > 0 || balance { format!("{:06}", self.networks.approvals) } else { String::new() },
            standing: if approved > 0 && !balance { Standing::Open } else { Standing::Declined },
            reversals: 0,
            completed: None,
            advices: 0,
            touched: self.now,
            request: message,
        };
        self.trace.tell(self.now, || {
            format!("network {link} decides {} for rrn {} stan {}: {manner:?}", entry.code, entry.rrn, entry.stan)
        });
        let mut answer = answer_to(&entry);
        self.networks.book.insert(key, entry);
        let delay = self.dice.between(5, 250) * MS;
        match manner {
            Manner::Prompt | Manner::Lost => self.answer_in(link, &answer, delay),
            Manner::Silent => self.counters.add(Count::SilentNetwork),
            Manner::Late => {
                self.counters.add(Count::LateAnswers);
                let late =
                    if self.dice.chance(300) { self.dice.between(9_900, 10_100) } else { self.dice.between(8_000, 55_000) };
                self.answer_in(link, &answer, late * MS);
            }
            Manner::Twice => {
                self.counters.add(Count::AnsweredTwice);
                self.answer_in(link, &answer, delay);
                let again = self.dice.between(300, 20_000) * MS;
                self.answer_in(link, &answer, again);
            }
            Manner::Garbled => {
                self.counters.add(Count::Garbled);
                let mut frame = link_form(&link).sealed(&answer, key_of(&format!("zak/{link}")));
                let at = self.dice.index(frame.len());
                frame[at] ^= 1 << self.dice.index(7);
                self.queue.push(self.now + delay, What::FromNetwork { link, frame });
                if self.dice.chance(500) {
                    self.answer_in(link, &answer, delay + SEC);
                }
            }
            Manner::WrongStan => {
                self.counters.add(Count::WrongStan);
                let other = number(&answer, 11) % 999_999 + 1;
                answer.set(11, format!("{other:06}"));
                self.answer_in(link, &answer, delay);
            }
            Manner::WrongAmount => {
                self.counters.add(Count::WrongAmount);
                answer.set(4, format!("{:012}", asked + 1));
                self.answer_in(link, &answer, delay);
            }
        }
    }

    fn check_pin(&mut self, link: LinkId, message: &Message, rrn: &str) {
        let Some(block) = message.get(52) else { return };
        let block: [u8; 8] = block.try_into().unwrap_or_default();
        let clear = cards::under(block, &zpk(&link));
        let pan = text(message, 2);
        if clear != cards::pin(pan, true) && clear != cards::pin(pan, false) {
            self.object(format!("a PIN block on {link} is under another key"), &[rrn.to_owned()]);
        }
    }

    fn answer_in(&mut self, link: LinkId, answer: &Message, delay: Time) {
        let frame = link_form(&link).sealed(answer, key_of(&format!("zak/{link}")));
        self.queue.push(self.now + delay, What::FromNetwork { link, frame });
    }

    fn advise(&mut self, link: LinkId, message: &Message) {
        let (stan, rrn) = (text(message, 11).to_owned(), text(message, 37).to_owned());
        let key = (link, stan, rrn.clone());
        let amount = number(message, 4);
        let code = self.lane_code();
        let effect = code.is_none_or(|code| code != "12") && (code.is_none() || self.dice.chance(500));
        if effect && !self.networks.advices.contains_key(&key) {
            self.networks.advices.insert(key, amount);
            let entry =
                self.networks.book.values_mut().find(|entry| entry.link == link && entry.rrn == rrn && entry.approved > 0);
            match entry {
                Some(entry) => {
                    entry.completed = Some(amount);
                    entry.advices += 1;
                }
                None => self.object(format!("an advice for {rrn}, which {link} never approved"), std::slice::from_ref(&rrn)),
            }
        }
        self.trace.tell(self.now, || format!("network {link} got {} rrn {rrn}: {code:?} effect {effect}", message.mti()));
        self.acknowledge(link, message, "0230", code.unwrap_or("00"));
    }

    /// What an owed message is answered with; none for what is right.
    fn lane_code(&mut self) -> Option<&'static str> {
        if self.calm || !self.dice.chance(self.plan.misbehaviour) {
            return None;
        }
        let code = self.dice.pick(&["91", "96", "06", "68", "", "", "", "", "12"]);
        // A refusal for good must be rare, or nothing else would be seen.
        if code == "12" && !self.dice.chance(300) { None } else { Some(code) }
    }

    fn reverse(&mut self, link: LinkId, message: &Message) {
        let original = text(message, 90).to_owned();
        let (mti, stan, transmission) = (
            original.get(..4).unwrap_or_default().to_owned(),
            original.get(4..10).unwrap_or_default().to_owned(),
            original.get(10..20).unwrap_or_default().to_owned(),
        );
        let key = (link, stan.clone(), transmission);
        let rrn = text(message, 37).to_owned();
        let code = self.lane_code();
        let refused = code == Some("12");
        let effect = !refused && (code.is_none() || self.dice.chance(500));
        let now = self.now;
        if let Some((_, at, _)) = self.networks.stans.get_mut(&(link, stan.clone())) {
            *at = now;
        }
        let mut wrong = None;
        let answer = match self.networks.book.get_mut(&key) {
            None => {
                self.networks.early.entry(key.clone()).or_insert(now);
                "25"
            }
            Some(entry) => {
                entry.touched = now;
                let same = [3, 4, 11, 12, 13, 32, 37, 41, 42, 49].iter().find(|de| entry.request.get(**de) != message.get(**de));
                if let Some(de) = same {
                    wrong = Some(format!("a reversal's DE{de} is not that of its original as sent"));
                } else if entry.request.mti() != mti {
                    wrong = Some(format!("a reversal names its original as {mti}, it was {}", entry.request.mti()));
                }
                match entry.standing {
                    Standing::Open if effect => {
                        entry.standing = Standing::Reversed;
                        entry.reversals += 1;
                        "00"
                    }
                    Standing::Open => "00",
                    Standing::Reversed => self.dice.pick(&["00", "21"]),
                    Standing::Declined => self.dice.pick(&["00", "21", "25"]),
                }
            }
        };
        if let Some(wrong) = wrong {
            self.object(wrong, std::slice::from_ref(&rrn));
        }
        self.trace.tell(self.now, || {
            format!("network {link} got {} rrn {rrn} of stan {stan}: {answer}, says {code:?}, effect {effect}", message.mti())
        });
        let code = code.unwrap_or(answer);
        match code {
            "25" => self.counters.add(Count::NotFoundFinal),
            "91" | "96" | "06" | "68" => self.counters.add(Count::LanesRetried),
            _ => {}
        }
        self.acknowledge(link, message, "0430", code);
    }

    /// An empty code is silence.
    fn acknowledge(&mut self, link: LinkId, message: &Message, mti: &str, code: &str) {
        if code.is_empty() {
            return self.counters.add(Count::SilentNetwork);
        }
        let mut answer = echoed(message, mti);
        answer.set(39, code);
        let mut delay = self.dice.between(5, 200);
        if !self.calm && self.dice.chance(self.plan.misbehaviour / 4) {
            delay = self.dice.between(8_000, 20_000);
        }
        self.answer_in(link, &answer, delay * MS);
        if !self.calm && self.dice.chance(self.plan.misbehaviour / 4) {
            self.answer_in(link, &answer, delay * MS + SEC);
        }
    }

    /// What messages on a link suffer.
    pub(crate) fn network_rates(&self, link: LinkId) -> crate::setup::Rates {
        if self.calm {
            Default::default()
        } else if link == crate::setup::BANK {
            self.plan.bank_leg
        } else {
            self.plan.network_leg
        }
    }
}

/// Whether two links lead to one network.
pub(crate) fn is_dual(link: &LinkId) -> bool {
    *link == DUAL_A || *link == DUAL_B
}

fn echoed(message: &Message, mti: &str) -> Message {
    let mut answer = Message::new(mti);
    for number in [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49] {
        answer.set_some(number, message.get(number));
    }
    answer
}

fn answer_to(entry: &Entry) -> Message {
    let mut answer = echoed(&entry.request, if entry.request.mti() == "0100" { "0110" } else { "0210" });
    answer.set(39, entry.code);
    if entry.code == "10" {
        answer.set(4, format!("{:012}", entry.approved));
    }
    if !entry.approval.is_empty() {
        answer.set(38, &entry.approval).set(15, "1123").set(63, format!("NET{}", entry.approval));
    }
    if entry.balance && entry.code == "00" {
        answer.set(54, "0002978C000000012345");
    }
    answer
}
