//! Exchanges in memory: what a terminal does with answers, silence and nonsense.

use std::sync::Arc;
use std::time::Duration;

use iso8583::Message;
use payments::{Mono, Now, Wall};

use super::TerminalOptions;
use super::exchange::{Do, Ended, Exchange, Silence, Subject};
use super::record::{Entry, Problem, Record, Standing};
use super::scenario::{Operation, PinUse, Step};
use super::terminal::Terminal;
use crate::cards::{Population, PopulationOptions};
use crate::keys::Secrets;
use crate::wire::{self, OriginalData, Wire, de};

const SECRETS: &[u8] = br#"{"card_seed": "s", "terminals":
    {"TERM0001": {"tpk": "C1DCE6A46E073732DF9D2C20439EB6D6", "tak": "0123456789ABCDEFFEDCBA9876543210"}}}"#;

/// A terminal in an exchange, its clock in our hands.
struct Till {
    terminal: Arc<Terminal>,
    exchange: Exchange,
    now: Now,
    book: Vec<Entry>,
    sent: Vec<Message>,
    ended: Option<Ended>,
}

impl Till {
    fn new(silence: Silence, change: impl FnOnce(&mut TerminalOptions)) -> Self {
        let secrets = Secrets::parse(SECRETS).unwrap();
        let mut options = TerminalOptions { attempts: 3, ..TerminalOptions::default() };
        change(&mut options);
        let keys = secrets.terminal("TERM0001").unwrap().clone();
        let wire = Wire::shipped("iso87-ascii").unwrap();
        let terminal = Arc::new(Terminal::new("TERM0001", 5, 999_999, keys, options, wire).unwrap());
        let cards = Population::derive(&PopulationOptions::default(), "dual", "s").unwrap();
        let step = Step { pin: PinUse::Right, amount: Some(1250), ..Step::of(Operation::Purchase) };
        let now = Now { mono: Mono(0), wall: Wall(1_795_255_872_000_000) };
        let request = terminal.request(&step, &cards.card(0).unwrap(), None, now.wall).unwrap();
        let subject = Subject { send: Operation::Purchase, network: "dual".to_owned(), of: Default::default() };
        let exchange = Exchange::new(terminal.clone(), subject, request, silence);
        Self { terminal, exchange, now, book: Vec::new(), sent: Vec::new(), ended: None }
    }

    fn started(silence: Silence, change: impl FnOnce(&mut TerminalOptions)) -> Self {
        let mut till = Self::new(silence, change);
        let todo = till.exchange.start(till.now).unwrap();
        till.carry_out(todo);
        till
    }

    fn carry_out(&mut self, todo: Vec<Do>) {
        for next in todo {
            match next {
                Do::Log(entry) => self.book.push(*entry),
                Do::Send { message, stan, .. } => {
                    // Written before it is sent.
                    assert_eq!(self.book.last().map(|entry| (entry.record, entry.stan)), Some((Record::Sent, stan)));
                    self.sent.push(self.terminal.wire.decode(message.into()).unwrap());
                }
                Do::Done(ended) => self.ended = Some(ended),
            }
        }
    }

    fn wait_for_timer(&mut self) {
        let due = self.exchange.deadline().unwrap();
        self.now = Now { mono: due, wall: self.now.wall.after(due.since(self.now.mono)) };
        let todo = self.exchange.timer(self.now).unwrap();
        self.carry_out(todo);
    }

    /// The answer of a good switch to the last message.
    fn answer(&self, code: &str) -> Message {
        let sent = self.sent.last().unwrap();
        let mut answer = Message::new(wire::answer_mti(sent.mti()).unwrap());
        for number in wire::ECHOED {
            answer.set_some(number, sent.get(number));
        }
        answer.set(de::RESPONSE, code);
        if code == "00" {
            answer.set(de::APPROVAL, "123456").set(de::NETWORK_ID, "N1");
        }
        answer
    }

    fn give(&mut self, mut answer: Message) {
        let raw = self.terminal.wire.encode_with_mac(&mut answer, &self.terminal.keys.mac).unwrap();
        self.give_raw(raw);
    }

    fn give_raw(&mut self, raw: Vec<u8>) {
        let answer = self.terminal.wire.decode(raw.into()).unwrap();
        let todo = self.exchange.receive(self.now, &answer).unwrap();
        self.carry_out(todo);
    }

    fn standing(&self) -> Option<(Standing, i64)> {
        self.ended.as_ref().map(|ended| (ended.standing, ended.stands))
    }

    fn problem(&self) -> Option<Problem> {
        self.book.last().unwrap().problem
    }

    fn mtis(&self) -> Vec<&str> {
        self.sent.iter().map(Message::mti).collect()
    }
}

#[test]
fn an_approval_stands_for_its_amount() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    till.give(till.answer("00"));
    assert_eq!(till.standing(), Some((Standing::Approved, 1250)));
    let seen = till.ended.unwrap().answer.unwrap();
    assert_eq!((seen.code.as_str(), seen.approval.as_str(), seen.rrn.as_str()), ("00", "123456", "0RR005000001"));
    assert_eq!(till.exchange.deadline(), None);
}

#[test]
fn a_partial_approval_stands_for_what_was_approved() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    let mut answer = till.answer("10");
    answer.set(de::AMOUNT, "000000000600");
    till.give(answer);
    assert_eq!(till.standing(), Some((Standing::Approved, 600)));
}

#[test]
fn a_wrong_answer_is_written_down_and_ignored_until_the_right_one_comes() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    let mut raw = till.terminal.wire.encode_with_mac(&mut till.answer("00"), &till.terminal.keys.mac).unwrap();
    let last = raw.len() - 1;
    raw[last] = if raw[last] == b'0' { b'1' } else { b'0' };
    till.give_raw(raw);
    assert_eq!(till.problem(), Some(Problem::BadMac));
    till.give_raw(till.terminal.wire.encode(&till.answer("00")).unwrap());
    assert_eq!(till.problem(), Some(Problem::Unsigned));
    for (number, other) in [
        (de::AMOUNT, "000000001251"),
        (de::RRN, "000000000009"),
        (de::TERMINAL, "TERM0002"),
        (de::STAN, "000099"),
        (de::CURRENCY, "840"),
        (de::LOCAL_TIME, "101113"),
    ] {
        let mut answer = till.answer("00");
        answer.set(number, other);
        till.give(answer);
        assert_eq!(till.problem(), Some(Problem::Echo), "DE{number}");
    }
    let mut answer = till.answer("00");
    answer.retype("0110");
    till.give(answer);
    assert_eq!(till.problem(), Some(Problem::Mti));
    assert_eq!(till.standing(), None);
    till.give(till.answer("51"));
    assert_eq!(till.standing(), Some((Standing::Declined, 0)));
}

#[test]
fn silence_leads_to_a_reversal_that_insists_until_it_is_acknowledged() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    assert_eq!(till.exchange.deadline(), Some(Mono(0).after(Duration::from_millis(15_000))));
    till.wait_for_timer();
    assert_eq!(till.mtis(), ["0200", "0400"]);
    let named = OriginalData::parse(till.sent[1].get(de::ORIGINAL).unwrap()).unwrap();
    assert_eq!((named.mti.as_str(), named.stan.as_str()), ("0200", "000001"));
    assert_eq!(till.sent[1].get(de::LOCAL_TIME), till.sent[0].get(de::LOCAL_TIME));
    assert_ne!(till.sent[1].get(de::STAN), till.sent[0].get(de::STAN));
    assert_eq!(till.sent[1].get(de::RRN), till.sent[0].get(de::RRN));
    // "Later, please" is no acknowledgement.
    till.give(till.answer("96"));
    assert_eq!(till.standing(), None);
    till.wait_for_timer();
    assert_eq!(till.mtis(), ["0200", "0400", "0401"]);
    assert_eq!(till.sent[2].get(de::STAN), till.sent[1].get(de::STAN));
    till.give(till.answer("00"));
    assert_eq!(till.standing(), Some((Standing::Reversed, 0)));
}

#[test]
fn a_late_approval_does_not_stop_the_reversal() {
    let mut till = Till::started(Silence::Reverse, |options| options.reversal_advice = true);
    let late = till.answer("00");
    till.wait_for_timer();
    till.give(late);
    assert_eq!((till.problem(), till.standing()), (Some(Problem::Late), None));
    till.give(till.answer("25"));
    assert_eq!(till.mtis(), ["0200", "0420"]);
    assert_eq!(till.standing(), Some((Standing::Reversed, 0)));
}

#[test]
fn repeats_come_before_the_reversal_where_the_terminal_is_so_configured() {
    let mut till = Till::started(Silence::Reverse, |options| options.repeats = 1);
    till.wait_for_timer();
    assert_eq!(till.mtis(), ["0200", "0201"]);
    assert_eq!(till.sent[1].get(de::STAN), till.sent[0].get(de::STAN));
    till.give(till.answer("00"));
    assert_eq!(till.standing(), Some((Standing::Approved, 1250)));
    let mut till = Till::started(Silence::Reverse, |options| options.repeats = 1);
    till.wait_for_timer();
    till.wait_for_timer();
    assert_eq!(till.mtis(), ["0200", "0201", "0400"]);
}

#[test]
fn a_reversal_that_is_never_acknowledged_is_told_as_such() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    for _ in 0..4 {
        assert_eq!(till.standing(), None);
        till.wait_for_timer();
    }
    assert_eq!(till.mtis(), ["0200", "0400", "0401", "0401"]);
    assert_eq!(till.standing(), Some((Standing::Reversing, 1250)));
}

#[test]
fn an_enquiry_is_given_up_and_an_advice_is_not() {
    let mut till = Till::started(Silence::GiveUp, |_| {});
    till.wait_for_timer();
    assert_eq!((till.mtis(), till.standing()), (vec!["0200"], Some((Standing::Unanswered, 0))));
    let mut till = Till::started(Silence::Insist, |_| {});
    till.wait_for_timer();
    till.give(till.answer("91"));
    assert_eq!(till.standing(), None);
    till.wait_for_timer();
    assert_eq!(till.mtis(), ["0200", "0201", "0201"]);
    till.give(till.answer("00"));
    assert_eq!(till.standing(), Some((Standing::Approved, 1250)));
}

#[test]
fn a_refusal_without_a_mac_counts_only_for_a_wrong_mac_of_ours() {
    let refusal = |till: &Till| {
        let sent = till.sent.last().unwrap();
        let mut answer = Message::new("0210");
        answer.set_some(de::STAN, sent.get(de::STAN)).set_some(de::TERMINAL, sent.get(de::TERMINAL)).set(de::RESPONSE, "63");
        till.terminal.wire.encode(&answer).unwrap()
    };
    let mut till = Till::started(Silence::Reverse, |_| {});
    till.give_raw(refusal(&till));
    assert_eq!((till.problem(), till.standing()), (Some(Problem::Unsigned), None));
    let mut till = Till::new(Silence::GiveUp, |_| {});
    till.exchange = till.exchange.with_wrong_mac(true);
    let todo = till.exchange.start(till.now).unwrap();
    till.carry_out(todo);
    assert!(!till.terminal.wire.mac_verifies(&till.sent[0], &till.terminal.keys.mac));
    till.give_raw(refusal(&till));
    assert_eq!(till.standing(), Some((Standing::Declined, 0)));
}

#[test]
fn an_answer_that_is_lost_on_purpose_leads_to_a_reversal() {
    let mut till = Till::new(Silence::Reverse, |_| {});
    till.exchange = till.exchange.losing_answers(true);
    let todo = till.exchange.start(till.now).unwrap();
    till.carry_out(todo);
    till.give(till.answer("00"));
    assert_eq!(till.problem(), Some(Problem::Lost));
    till.wait_for_timer();
    till.give(till.answer("00"));
    assert_eq!(till.standing(), Some((Standing::Reversed, 0)));
}

#[test]
fn no_line_of_the_book_holds_card_data() {
    let mut till = Till::started(Silence::Reverse, |_| {});
    till.wait_for_timer();
    till.give(till.answer("00"));
    let pan = String::from_utf8(till.sent[0].get(de::PAN).unwrap().to_vec()).unwrap();
    let written: String = till.book.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    assert!(till.book.len() == 3 && !written.contains(&pan[..8]) && !written.contains(&pan[6..15]));
}

#[test]
fn stans_go_round_without_zero() {
    let till = Till::new(Silence::GiveUp, |_| {});
    // The request took 000001.
    let all: Vec<String> = (0..999_999).map(|_| till.terminal.next_stan()).collect();
    assert_eq!((all[0].as_str(), all[999_997].as_str(), all[999_998].as_str()), ("000002", "999999", "000001"));
    assert!(!all.iter().any(|stan| stan == "000000"));
}
