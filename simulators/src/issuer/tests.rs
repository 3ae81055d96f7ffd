//! The issuer in memory: messages in, answers and book lines out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use iso8583::Message;
use payments::Wall;

use super::book::{Row, RowKey};
use super::line::{Kind, Line, Note, Record, Standing};
use super::rules::{Act, Rule};
use super::{Action, Handled, Issuer, IssuerOptions, MessageSystem, report};
use crate::cards::{Class, Population, PopulationOptions};
use crate::keys::Secrets;
use crate::pos::TerminalOptions;
use crate::pos::scenario::{Operation, PinUse, Reading, Step};
use crate::pos::terminal::Terminal;
use crate::wire::{self, Wire, de};

const SECRETS: &[u8] = br#"{
    "terminals": {"TERM0001": {"tpk": "C1DCE6A46E073732DF9D2C20439EB6D6", "tak": "0123456789ABCDEFFEDCBA9876543210"}},
    "networks": {"dual": {"zpk": "C1DCE6A46E073732DF9D2C20439EB6D6", "zak": "0123456789ABCDEFFEDCBA9876543210"},
                 "single": {"zpk": "C1DCE6A46E073732DF9D2C20439EB6D6", "zak": "0123456789ABCDEFFEDCBA9876543210"}},
    "card_seed": "seed of tests", "pvk": "5D209843B60234F238852FDC80834A1A"}"#;

/// 2026-11-21T10:11:12Z.
const NOON: Wall = Wall(1_795_255_872_000_000);
const DAY: i64 = 86_400_000_000;

struct Rig {
    issuer: Issuer,
    terminal: Terminal,
    cards: Population,
    secrets: Secrets,
    now: Wall,
    book: Vec<Line>,
}

impl Rig {
    fn new(system: MessageSystem, change: impl FnOnce(&mut IssuerOptions)) -> Self {
        let network = if system == MessageSystem::Single { "single" } else { "dual" };
        let mut options = IssuerOptions { network: network.to_owned(), system, ..IssuerOptions::default() };
        change(&mut options);
        let secrets = Secrets::parse(SECRETS).unwrap();
        let wire = Wire::shipped("iso87-ascii").unwrap();
        let keys = secrets.terminal("TERM0001").unwrap().clone();
        let behaviour = TerminalOptions { acceptor: String::new(), chip_card_data: false, ..TerminalOptions::default() };
        Self {
            terminal: Terminal::new("TERM0001", 0, 0, keys, behaviour, wire).unwrap(),
            cards: Population::derive(&PopulationOptions::default(), network, "seed of tests").unwrap(),
            issuer: Issuer::new(options, &secrets).unwrap(),
            secrets,
            now: NOON,
            book: Vec::new(),
        }
    }

    fn dual() -> Self {
        Self::new(MessageSystem::Dual, |_| {})
    }

    fn with_rule(flag: &str) -> Self {
        Self::new(MessageSystem::Dual, |options| options.rules = vec![Rule::parse(flag).unwrap()])
    }

    /// A purchase of 12.50 from an ample card, with its chip and PIN.
    fn step() -> Step {
        Step { amount: Some(1250), pin: PinUse::Right, ..Step::of(Operation::Purchase) }
    }

    fn make(&self, step: &Step) -> Message {
        let card = self.cards.of_class(step.card, step.nth).unwrap();
        self.terminal.request(step, &card, self.secrets.pvk().ok(), self.now).unwrap()
    }

    fn give(&mut self, message: &Message) -> Handled {
        let raw = self.terminal.encode(message, false).unwrap();
        self.give_raw(raw)
    }

    fn give_raw(&mut self, raw: Vec<u8>) -> Handled {
        let handled = self.issuer.receive(self.now, Bytes::from(raw));
        self.book.extend(handled.lines.iter().cloned());
        handled
    }

    /// The one answer, its MAC verified.
    fn ask(&mut self, message: &Message) -> Message {
        let mut answers = self.answers(message);
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    fn answers(&mut self, message: &Message) -> Vec<Message> {
        let handled = self.give(message);
        let decode = |action: &Action| match action {
            Action::Answer { message, .. } => self.terminal.wire.decode(message.clone().into()).ok(),
            Action::Close => None,
        };
        let answers: Vec<Message> = handled.actions.iter().filter_map(decode).collect();
        for answer in answers.iter().filter(|answer| !answer.mti().starts_with("08")) {
            assert!(self.terminal.wire.mac_verifies(answer, &self.terminal.keys.mac));
        }
        answers
    }

    fn code(&mut self, message: &Message) -> String {
        self.ask(message).str(de::RESPONSE).unwrap().to_owned()
    }

    fn last(&self) -> &Line {
        self.book.last().unwrap()
    }

    fn stands(&self) -> Vec<(Kind, i64, i64)> {
        self.issuer.book().items().iter().map(|item| (item.kind, item.approved, item.stands)).collect()
    }

    fn reversal(&self, original: &Message) -> Message {
        self.terminal.reversal(original, true, "", None, self.now)
    }

    fn report(&self) -> String {
        String::from_utf8(report::render("net1", self.issuer.book())).unwrap()
    }
}

fn decline(change: impl FnOnce(&mut Step)) -> String {
    let mut rig = Rig::dual();
    let mut step = Rig::step();
    change(&mut step);
    let request = rig.make(&step);
    let code = rig.code(&request);
    assert_eq!(rig.stands(), []);
    assert_eq!((rig.last().record, rig.last().state), (Record::Answer, Standing::Declined));
    code
}

#[test]
fn an_approval_says_everything_that_its_line_in_the_book_says() {
    let mut rig = Rig::dual();
    let mut request = rig.make(&Rig::step());
    request.retype("0100").set(de::ACQUIRER, "123456").set(de::RRN, "632510000017");
    let answer = rig.ask(&request);
    let line = rig.last().clone();
    assert_eq!(answer.mti(), "0110");
    for number in wire::ECHOED {
        assert_eq!(answer.get(number), request.get(number), "DE{number}");
    }
    assert_eq!(answer.str(de::RESPONSE), Some("00"));
    assert_eq!(answer.str(de::APPROVAL), Some(line.de38.as_str()));
    assert_eq!(answer.str(de::NETWORK_ID), Some(line.network_id.as_str()));
    assert_eq!(answer.str(de::SETTLEMENT_DATE), Some("1121"));
    assert_eq!(answer.str(de::RESULTS), Some("UM"));
    assert_eq!(line.network_id.as_str(), "D2611210000000001");
    assert_eq!(answer.get(de::CHIP).map(|data| (data.len(), data[0])), Some((12, 0x91)));
    assert_eq!((line.record, line.kind, line.state), (Record::Effect, Kind::Authorization, Standing::Open));
    assert_eq!((line.amount, line.approved, line.stands, line.rrn.as_str()), (1250, 1250, 1250, "632510000017"));
    assert_eq!((rig.issuer.counts().pins_verified, rig.issuer.counts().macs_verified), (1, 1));
}

#[test]
fn declines_have_the_right_codes() {
    assert_eq!(decline(|step| step.card = Class::Unknown), "14");
    assert_eq!(decline(|step| step.card = Class::Empty), "51");
    assert_eq!(decline(|step| (step.card, step.amount) = (Class::Low, Some(10_001))), "51");
    assert_eq!(decline(|step| step.card = Class::Expired), "54");
    assert_eq!(decline(|step| step.pin = PinUse::Wrong), "55");
    assert_eq!(decline(|step| step.amount = Some(500_001)), "61");
    assert_eq!(decline(|step| step.card = Class::Blocked), "62");
    assert_eq!(decline(|step| step.amount = Some(0)), "13");
}

#[test]
fn a_wrong_expiry_is_54_and_a_block_under_another_key_is_81() {
    let mut rig = Rig::dual();
    let mut request = rig.make(&Rig::step());
    request.set(de::EXPIRY, "9912");
    assert_eq!(rig.code(&request), "54");
    // A block that does not decode under the ZPK; a wrong key looks the same.
    let mut request = rig.make(&Rig::step());
    request.set(de::PIN_BLOCK, [0x5A; 8]);
    assert_eq!(rig.code(&request), "81");
    assert_eq!((rig.issuer.counts().pin_blocks_undecodable, rig.issuer.counts().pins_wrong), (1, 0));
}

#[test]
fn a_card_runs_out_of_money_and_a_refund_or_reversal_gives_it_back() {
    let mut rig = Rig::dual();
    let low = |operation, amount| Step { card: Class::Low, amount: Some(amount), ..Step::of(operation) };
    let first = rig.make(&low(Operation::Purchase, 9_000));
    assert_eq!(rig.code(&first), "00");
    let second = rig.make(&low(Operation::Purchase, 2_000));
    assert_eq!(rig.code(&second), "51");
    let refund = rig.make(&low(Operation::Refund, 500));
    assert_eq!(rig.code(&refund), "00");
    let third = rig.make(&low(Operation::Purchase, 1_500));
    assert_eq!(rig.code(&third), "00");
    let reversal = rig.reversal(&first);
    assert_eq!(rig.code(&reversal), "00");
    let fourth = rig.make(&low(Operation::Purchase, 9_000));
    assert_eq!(rig.code(&fourth), "00");
}

#[test]
fn a_repeat_gets_the_same_answer_without_a_second_effect() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    let first = rig.ask(&request);
    let mut repeat = request.clone();
    repeat.retype("0201").set(de::TRANSMISSION, "1121101200");
    for again in [&request, &repeat, &repeat] {
        let answer = rig.ask(again);
        for number in [de::APPROVAL, de::RESPONSE, de::NETWORK_ID, de::SETTLEMENT_DATE, de::RESULTS, de::CHIP, de::RRN] {
            assert_eq!(answer.get(number), first.get(number), "DE{number}");
        }
        assert_eq!((rig.last().record, rig.last().note), (Record::Note, Some(Note::Repeat)));
    }
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 1250)]);
    assert_eq!(rig.issuer.counts().approved["purchase"], 1);
    assert_eq!(rig.issuer.counts().pins_verified, 1);
}

#[test]
fn a_repeated_decline_stays_the_same_decline() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { card: Class::Empty, ..Rig::step() });
    assert_eq!([rig.code(&request), rig.code(&request)], ["51", "51"]);
    assert_eq!(rig.issuer.counts().declined["51"], 1);
}

#[test]
fn the_same_key_with_another_amount_or_card_is_a_conflict() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    assert_eq!(rig.code(&request), "00");
    let mut dearer = request.clone();
    dearer.set(de::AMOUNT, "000000001251");
    assert_eq!(rig.code(&dearer), "94");
    let mut other = request.clone();
    other.set(de::PAN, rig.cards.of_class(Class::Ample, 3).unwrap().pan.reveal());
    assert_eq!(rig.code(&other), "94");
    assert_eq!(rig.code(&request), "00");
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 1250)]);
}

#[test]
fn a_reversal_takes_back_once_however_often_it_comes() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    rig.ask(&request);
    let mut reversal = rig.reversal(&request);
    assert_eq!(rig.ask(&reversal).mti(), "0430");
    assert_eq!((rig.last().state, rig.last().stands, rig.last().item), (Standing::Reversed, 0, Some(1)));
    reversal.retype("0421");
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!(rig.last().note, Some(Note::Repeat));
    // Another reversal of the same, with a STAN of its own.
    let second = rig.reversal(&request);
    assert_eq!(rig.code(&second), "00");
    assert_eq!(rig.last().note, Some(Note::AlreadyReversed));
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 0)]);
    assert_eq!((rig.issuer.counts().reversals_effective, rig.issuer.counts().reversal_repeats), (1, 1));
    // The sale again: its stored answer, and nothing stands.
    assert_eq!(rig.code(&request), "00");
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 0)]);
}

#[test]
fn de95_is_the_amount_that_finally_stands() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    rig.ask(&request);
    let reduce = |to: i64, rig: &mut Rig| {
        let reversal = rig.terminal.reversal(&request, false, "", Some(to), NOON);
        (rig.code(&reversal), rig.last().note, rig.stands()[0].2)
    };
    assert_eq!(reduce(800, &mut rig), ("00".to_owned(), None, 800));
    assert_eq!(reduce(800, &mut rig), ("00".to_owned(), Some(Note::AlreadyReversed), 800));
    assert_eq!(reduce(900, &mut rig), ("13".to_owned(), Some(Note::AboveStanding), 800));
    assert_eq!(reduce(300, &mut rig), ("00".to_owned(), None, 300));
    assert_eq!(reduce(0, &mut rig), ("00".to_owned(), None, 0));
}

#[test]
fn an_unknown_reversal_is_25_and_a_late_original_is_taken_unless_tombstones_are_kept() {
    for (tombstones, late) in [(false, "00"), (true, "21")] {
        let mut rig = Rig::new(MessageSystem::Dual, |options| options.tombstones = tombstones);
        let request = rig.make(&Rig::step());
        let reversal = rig.reversal(&request);
        assert_eq!(rig.code(&reversal), "25");
        assert_eq!((rig.last().note, rig.last().state), (Some(Note::UnknownOriginal), Standing::Unknown));
        assert_eq!(rig.code(&request), late);
        assert_eq!(rig.stands().len(), usize::from(!tombstones));
    }
}

#[test]
fn a_repeat_of_an_unknown_reversal_looks_again() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    let mut reversal = rig.reversal(&request);
    assert_eq!(rig.code(&reversal), "25");
    reversal.retype("0421");
    assert_eq!(rig.code(&reversal), "25");
    assert_eq!(rig.code(&request), "00");
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 0)]);
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!(rig.last().note, Some(Note::Repeat));
}

#[test]
fn a_reversal_with_the_card_of_somebody_else_takes_nothing_back() {
    let mut rig = Rig::dual();
    let mut request = rig.make(&Rig::step());
    rig.ask(&request);
    request.set(de::PAN, rig.cards.of_class(Class::Ample, 3).unwrap().pan.reveal());
    let reversal = rig.reversal(&request);
    assert_eq!(rig.code(&reversal), "25");
    assert_eq!(rig.last().note, Some(Note::OriginalMismatch));
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 1250)]);
}

#[test]
fn de90_must_say_what_was_received_unless_the_issuer_is_lenient() {
    for (strict, code, stands) in [(true, "25", 1250), (false, "00", 0)] {
        let mut rig = Rig::new(MessageSystem::Dual, |options| options.strict_original = strict);
        let request = rig.make(&Rig::step());
        rig.ask(&request);
        let mut altered = request.clone();
        altered.set(de::TRANSMISSION, "1121101113");
        let reversal = rig.reversal(&altered);
        assert_eq!(rig.code(&reversal), code);
        assert_eq!(rig.stands()[0].2, stands);
    }
    // The DE7 of a repeat is as good as that of the first.
    let mut rig = Rig::dual();
    let mut request = rig.make(&Rig::step());
    rig.ask(&request);
    request.set(de::TRANSMISSION, "1121101113");
    rig.ask(&request);
    let reversal = rig.reversal(&request);
    assert_eq!(rig.code(&reversal), "00");
}

#[test]
fn a_reversal_of_a_decline_has_no_effect() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { card: Class::Empty, ..Rig::step() });
    rig.ask(&request);
    let reversal = rig.reversal(&request);
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!((rig.last().record, rig.last().note), (Record::Answer, Some(Note::NothingStood)));
    assert_eq!(rig.stands(), []);
}

#[test]
fn a_completion_and_its_authorization_are_one_item() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { send: Operation::Authorization, ..Rig::step() });
    let answer = rig.ask(&request);
    let (rrn, approval) = (answer.str(de::RRN).unwrap(), answer.str(de::APPROVAL).unwrap());
    let completion = rig.terminal.completion(&request, rrn, approval, 1000, NOON);
    let done = rig.ask(&completion);
    assert_eq!((done.mti(), done.str(de::RESPONSE)), ("0230", Some("00")));
    assert_eq!(done.get(de::NETWORK_ID), answer.get(de::NETWORK_ID));
    assert_eq!(rig.stands(), [(Kind::Completion, 1000, 1000)]);
    // The same again, and a second completion of its own.
    let mut repeat = completion.clone();
    repeat.retype("0221");
    assert_eq!(rig.code(&repeat), "00");
    let second = rig.terminal.completion(&request, rrn, approval, 900, NOON);
    assert_eq!(rig.code(&second), "00");
    assert_eq!(rig.last().note, Some(Note::AlreadyCompleted));
    assert_eq!(rig.stands(), [(Kind::Completion, 1000, 1000)]);
    // Reversing the 0220 takes back the whole item.
    let reversal = rig.reversal(&completion);
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!(rig.stands(), [(Kind::Completion, 1000, 0)]);
}

#[test]
fn an_advice_is_never_refused_on_business_grounds() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { send: Operation::Authorization, ..Rig::step() });
    let answer = rig.ask(&request);
    let rrn = answer.str(de::RRN).unwrap();
    let above = rig.terminal.completion(&request, rrn, "", 9_999_999, NOON);
    assert_eq!(rig.code(&above), "00");
    assert_eq!(rig.last().note, Some(Note::AboveAuthorized));
    let stranger = rig.terminal.completion(&request, "999999999999", "", 700, NOON);
    assert_eq!(rig.code(&stranger), "00");
    assert_eq!(rig.last().note, Some(Note::UnmatchedCompletion));
    assert_eq!(rig.stands(), [(Kind::Completion, 9_999_999, 9_999_999), (Kind::Completion, 700, 700)]);
}

#[test]
fn a_wrong_mac_has_no_effect_at_all() {
    let mut rig = Rig::dual();
    let request = rig.make(&Rig::step());
    for raw in [rig.terminal.encode(&request, true).unwrap(), rig.terminal.wire.encode(&request).unwrap()] {
        let handled = rig.give_raw(raw);
        let [Action::Answer { message, .. }] = &handled.actions[..] else { panic!("one answer") };
        let answer = rig.terminal.wire.decode(message.clone().into()).unwrap();
        assert_eq!((answer.mti(), answer.str(de::RESPONSE)), ("0210", Some("63")));
        assert!(!answer.has(de::MAC) && !answer.has(de::AMOUNT));
        assert!(handled.lines.is_empty());
    }
    assert_eq!(rig.issuer.counts().macs_wrong, 2);
    assert_eq!(rig.issuer.book().answered_count(), 0);
    // Sent rightly, it is the first.
    assert_eq!(rig.code(&request), "00");
    assert_eq!(rig.last().record, Record::Effect);
}

#[test]
fn what_cannot_be_read_is_answered_30_where_it_can_be_addressed() {
    let mut rig = Rig::dual();
    let mut request = rig.make(&Rig::step());
    request.remove(de::AMOUNT);
    assert_eq!(rig.answers_unsigned(&request), ["30"]);
    // A letter in DE4 of an otherwise sound message.
    let mut raw = rig.terminal.encode(&rig.make(&Rig::step()), false).unwrap();
    let at = raw.windows(12).position(|window| window == b"000000001250").unwrap();
    raw[at] = b'x';
    assert!(matches!(&rig.give_raw(raw).actions[..], [Action::Answer { .. }]));
    assert_eq!(rig.give_raw(b"not a message".to_vec()).actions, [Action::Close]);
    assert_eq!((rig.issuer.counts().format_errors, rig.issuer.counts().unanswerable), (3, 1));
    assert!(rig.book.is_empty());
}

impl Rig {
    fn answers_unsigned(&mut self, message: &Message) -> Vec<String> {
        let handled = self.give(message);
        let code = |action: &Action| match action {
            Action::Answer { message, .. } => {
                let answer = self.terminal.wire.decode(message.clone().into()).unwrap();
                answer.str(de::RESPONSE).unwrap().to_owned()
            }
            Action::Close => "closed".to_owned(),
        };
        handled.actions.iter().map(code).collect()
    }
}

#[test]
fn network_management_is_answered_and_an_answer_is_not() {
    let mut rig = Rig::new(MessageSystem::Dual, |options| options.sign_on_required = true);
    let sale = rig.make(&Rig::step());
    assert_eq!(rig.code(&sale), "91");
    for function in ["001", "301"] {
        let request = rig.terminal.management(function, "000777", NOON);
        let answer = rig.ask(&request);
        assert_eq!((answer.mti(), answer.str(de::RESPONSE), answer.str(de::FUNCTION)), ("0810", Some("00"), Some(function)));
    }
    // The refusal left no claim.
    assert_eq!(rig.code(&sale), "00");
    let off = rig.terminal.management("002", "000778", NOON);
    rig.ask(&off);
    let sale = rig.make(&Rig::step());
    assert_eq!(rig.code(&sale), "91");
    let mut answer = rig.make(&Rig::step());
    answer.retype("0210");
    assert!(rig.give(&answer).actions.is_empty());
    assert_eq!(rig.issuer.counts().not_requests, 1);
}

#[test]
fn a_balance_is_told_and_leaves_no_more_than_a_note_in_the_book() {
    let mut rig = Rig::dual();
    let step = Step { send: Operation::Balance, card: Class::Low, ..Rig::step() };
    let sale = rig.make(&Step { card: Class::Low, ..Rig::step() });
    rig.ask(&sale);
    let (lines, items) = (rig.book.len(), rig.issuer.book().items().len());
    let request = rig.make(&step);
    let answer = rig.ask(&request);
    assert_eq!(answer.str(de::BALANCES), Some("3001978C0000000087503002978C000000008750"));
    let request = rig.make(&Step { pin: PinUse::Wrong, ..step });
    let answer = rig.ask(&request);
    assert_eq!((answer.str(de::RESPONSE), answer.str(de::BALANCES)), (Some("55"), None));
    let noted: Vec<_> = rig.book[lines..].iter().map(|line| (line.record, line.note, line.de39.to_string())).collect();
    let enquiry = |code: &str| (Record::Note, Some(Note::Enquiry), code.to_owned());
    assert_eq!(noted, [enquiry("00"), enquiry("55")]);
    assert_eq!((rig.issuer.book().items().len(), rig.issuer.book().answered_count()), (items, 1));
}

#[test]
fn results_of_ecommerce_checks_are_in_de44() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { reading: Reading::Ecommerce, pin: PinUse::None, ..Rig::step() });
    assert_eq!(rig.ask(&request).str(de::RESULTS), Some("YM2"));
}

#[test]
fn a_switch_that_sends_on_too_much_is_noticed() {
    let mut rig = Rig::dual();
    let request = rig.make(&Step { reading: Reading::Stripe, ..Rig::step() });
    rig.ask(&request);
    assert_eq!(rig.issuer.counts().not_forwardable, 1);
    let request = rig.make(&Rig::step());
    rig.ask(&request);
    assert_eq!(rig.issuer.counts().not_forwardable, 1);
}

#[test]
fn every_misbehaviour_does_what_it_says_and_nothing_else() {
    let plain = |rig: &Rig, message: &[u8]| {
        let answer = rig.terminal.wire.decode(message.to_vec().into()).ok()?;
        rig.terminal.wire.mac_verifies(&answer, &rig.terminal.keys.mac).then_some(answer)
    };
    for act in Act::ALL {
        let flag = format!("{}{},times=1", act.as_str(), if act == Act::Late { ",ms=12000" } else { "" });
        let mut rig = Rig::with_rule(&flag);
        let request = rig.make(&Rig::step());
        let handled = rig.give(&request);
        let sent: Vec<(&[u8], u64)> = handled
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Answer { message, after_ms } => Some((&message[..], *after_ms)),
                Action::Close => None,
            })
            .collect();
        let closes = handled.actions.iter().filter(|action| **action == Action::Close).count();
        let stands: Vec<i64> = rig.stands().into_iter().map(|(_, _, stands)| stands).collect();
        let good = sent.first().and_then(|(message, _)| plain(&rig, message));
        let code = good.as_ref().and_then(|answer| answer.str(de::RESPONSE));
        match act {
            Act::Late => assert_eq!((sent.len(), sent[0].1, code), (1, 12_000, Some("00"))),
            Act::Silent => assert!(sent.is_empty() && handled.lines.is_empty()),
            Act::SilentApproved => assert_eq!((sent.len(), handled.lines.len()), (0, 1)),
            Act::Twice => assert!(sent.len() == 2 && sent[0] == sent[1] && code == Some("00")),
            Act::Garbled => assert!(sent.len() == 1 && rig.terminal.wire.decode(sent[0].0.to_vec().into()).is_err()),
            Act::WrongMac => {
                assert!(sent.len() == 1 && good.is_none());
                assert!(rig.terminal.wire.decode(sent[0].0.to_vec().into()).is_ok());
            }
            Act::WrongStan => assert_ne!(good.as_ref().unwrap().get(de::STAN), request.get(de::STAN)),
            Act::DisconnectBefore => assert_eq!(handled.actions, [Action::Close]),
            Act::DisconnectAfter => assert_eq!((sent.len(), handled.actions.last()), (1, Some(&Action::Close))),
            Act::Decline => assert_eq!(code, Some("05")),
            Act::Partial => {
                assert_eq!(code, Some("10"));
                assert_eq!(good.as_ref().unwrap().str(de::AMOUNT), Some("000000000625"));
            }
        }
        let expected: &[i64] = match act {
            Act::Silent | Act::Decline => &[],
            Act::Partial => &[625],
            _ => &[1250],
        };
        assert_eq!(stands, expected, "{act:?}");
        let closing = matches!(act, Act::DisconnectBefore | Act::DisconnectAfter);
        assert_eq!(closes, usize::from(closing), "{act:?}");
        assert_eq!(rig.issuer.counts().misbehaved[act.as_str()], 1);
        // The rule is used up: a repeat gets the plain answer to what was done.
        let again = rig.code(&request);
        assert_eq!(
            again,
            if act == Act::Decline {
                "05"
            } else if act == Act::Partial {
                "10"
            } else {
                "00"
            }
        );
        assert_eq!(rig.stands().len(), usize::from(act != Act::Decline));
    }
}

#[test]
fn a_lost_reversal_answer_leaves_the_effect_and_its_repeat_is_counted() {
    let mut rig = Rig::with_rule("silent-approved,mti=0420");
    let request = rig.make(&Rig::step());
    rig.ask(&request);
    let mut reversal = rig.reversal(&request);
    assert!(rig.give(&reversal).actions.is_empty());
    assert_eq!(rig.stands(), [(Kind::Purchase, 1250, 0)]);
    reversal.retype("0421");
    assert_eq!(rig.code(&reversal), "00");
    assert_eq!((rig.issuer.counts().reversals_effective, rig.issuer.counts().reversal_repeats), (1, 1));
}

#[test]
fn a_partial_approval_is_reversed_by_either_amount() {
    for amount in ["000000001250", "000000000625"] {
        let mut rig = Rig::with_rule("partial");
        let mut request = rig.make(&Rig::step());
        rig.ask(&request);
        request.set(de::AMOUNT, amount);
        let reversal = rig.reversal(&request);
        assert_eq!(rig.code(&reversal), "00");
        assert_eq!(rig.stands(), [(Kind::Purchase, 625, 0)]);
    }
}

#[test]
fn the_report_is_in_the_form_that_reconciliation_reads() {
    let mut rig = Rig::new(MessageSystem::Single, |_| {});
    let sale = rig.make(&Rig::step());
    rig.ask(&sale);
    let refund = rig.make(&Step { amount: Some(900), ..Step::of(Operation::Refund) });
    rig.ask(&refund);
    // The next day: a reversal counts there, the closed day keeps its row.
    rig.now = Wall(NOON.0 + DAY);
    let reversal = rig.reversal(&sale);
    rig.ask(&reversal);
    let declined = rig.make(&Step { card: Class::Empty, ..Rig::step() });
    rig.ask(&declined);
    let rrn = |message: &Message| message.str(de::RRN).unwrap().to_owned();
    let (first, second) = (rrn(&sale), rrn(&refund));
    let expected = format!(
        r#"{{"report":"switchyard.issuer-items.1","network":"net1"}}
{{"rrn":"{first}","network_id":"S2611210000000001","stan":"000001","kind":"purchase","approved":1250,"amount":0,"currency":"EUR","state":"reversed","captured":true,"settlement_date":"1121","reversal_date":"1122"}}
{{"rrn":"{second}","network_id":"S2611210000000002","stan":"000002","kind":"refund","approved":900,"amount":900,"currency":"EUR","state":"open","captured":true,"settlement_date":"1121"}}
{{"end":true,"items":2,"totals":[{{"settlement_date":"1121","kind":"purchase","currency":"EUR","count":1,"amount":1250,"reversed_count":0,"reversed_amount":0}},{{"settlement_date":"1121","kind":"refund","currency":"EUR","count":1,"amount":900,"reversed_count":0,"reversed_amount":0}},{{"settlement_date":"1122","kind":"purchase","currency":"EUR","count":0,"amount":0,"reversed_count":1,"reversed_amount":1250}}]}}
"#
    );
    assert_eq!(rig.report(), expected);
    assert!(rig.report().lines().take(3).all(|line| line.len() < 1024));
}

#[test]
fn a_dual_message_network_has_no_totals_and_captures_nothing() {
    let mut rig = Rig::dual();
    let sale = rig.make(&Rig::step());
    rig.ask(&sale);
    let report = rig.report();
    assert!(report.contains(r#""captured":false"#) && report.ends_with("\"items\":1,\"totals\":[]}\n"), "{report}");
}

#[test]
fn a_completed_authorization_of_a_single_message_network_counts_when_it_is_completed() {
    let mut rig = Rig::new(MessageSystem::Single, |_| {});
    let request = rig.make(&Step { send: Operation::Authorization, ..Rig::step() });
    let rrn = rig.ask(&request).str(de::RRN).unwrap().to_owned();
    assert!(rig.issuer.book().totals().is_empty());
    rig.now = Wall(NOON.0 + DAY);
    let completion = rig.terminal.completion(&request, &rrn, "", 1100, rig.now);
    rig.ask(&completion);
    let report = rig.report();
    assert!(report.contains(r#""kind":"completion","approved":1100,"amount":1100,"currency":"EUR","state":"open","captured":true,"settlement_date":"1122""#), "{report}");
    assert!(
        report.contains(r#"{"settlement_date":"1122","kind":"completion","currency":"EUR","count":1,"amount":1100"#),
        "{report}"
    );
}

#[test]
fn an_item_that_is_reduced_twice_counts_once_among_the_reversed() {
    let mut rig = Rig::new(MessageSystem::Single, |_| {});
    let sale = rig.make(&Rig::step());
    rig.ask(&sale);
    for (day, to) in [(0, 1000), (1, 400)] {
        rig.now = Wall(NOON.0 + day * DAY);
        let reversal = rig.terminal.reversal(&sale, true, "", Some(to), rig.now);
        assert_eq!(rig.code(&reversal), "00");
    }
    let reversed: Vec<(u64, i64)> =
        rig.issuer.book().totals().values().map(|row| (row.reversed_count, row.reversed_amount)).collect();
    assert_eq!(reversed, [(0, 0), (1, 850)]);
}

/// Works the totals out again from the items, as the reader of the report does.
fn totals_are_those_of_the_items(rig: &Rig) {
    let mut counted = BTreeMap::<RowKey, Row>::new();
    for item in rig.issuer.book().items().iter().filter(|item| item.captured) {
        let row = counted.entry((item.settlement_date, item.kind, item.currency)).or_default();
        (row.count, row.amount) = (row.count + 1, row.amount + item.approved);
        if let Some(date) = item.reversal_date.filter(|_| item.stands < item.approved) {
            let row = counted.entry((date, item.kind, item.currency)).or_default();
            (row.reversed_count, row.reversed_amount) =
                (row.reversed_count + 1, row.reversed_amount + item.approved - item.stands);
        }
    }
    let mut kept = rig.issuer.book().totals().clone();
    kept.retain(|_, row| *row != Row::default());
    assert_eq!(kept, counted);
}

#[test]
fn an_authorization_that_was_reduced_and_then_completed_counts_as_completed() {
    let mut rig = Rig::new(MessageSystem::Single, |_| {});
    // Another completion that is reversed the same day: its row must not suffer.
    for reduced in [false, true] {
        let request = rig.make(&Step { send: Operation::Authorization, ..Rig::step() });
        let rrn = rig.ask(&request).str(de::RRN).unwrap().to_owned();
        if reduced {
            let reversal = rig.terminal.reversal(&request, true, "", Some(800), rig.now);
            assert_eq!(rig.code(&reversal), "00");
        }
        let completion = rig.terminal.completion(&request, &rrn, "", 700, rig.now);
        assert_eq!(rig.code(&completion), "00");
        totals_are_those_of_the_items(&rig);
        let reversal = rig.reversal(&completion);
        assert_eq!(rig.code(&reversal), "00");
        totals_are_those_of_the_items(&rig);
    }
    let reversed: Vec<(u64, i64)> =
        rig.issuer.book().totals().values().map(|row| (row.reversed_count, row.reversed_amount)).collect();
    assert_eq!(reversed, [(2, 1400)]);
}

#[test]
fn the_settlement_date_changes_at_cut_over() {
    let rig = Rig::new(MessageSystem::Dual, |options| options.cut_over = "1200".to_owned());
    let at = |hours: i64| rig.issuer.settlement_date(Wall(NOON.0 + hours * 3_600_000_000)).to_string();
    assert_eq!(
        (at(0), at(1), at(2), at(14), at(26)),
        ("1121".into(), "1121".into(), "1122".into(), "1122".into(), "1123".into())
    );
    let fixed = Rig::new(MessageSystem::Dual, |options| options.settlement_date = Some("0101".to_owned()));
    assert_eq!(fixed.issuer.settlement_date(NOON).as_str(), "0101");
}

#[test]
fn a_book_that_is_read_back_gives_the_same_answers() {
    let generator = crate::pos::generate::Generator::new(3, &Default::default(), vec!["single".to_owned()], 0, Vec::new());
    let change = |options: &mut IssuerOptions| options.tombstones = true;
    let mut rig = Rig::new(MessageSystem::Single, change);
    let mut asked = Vec::new();
    for number in 0..300 {
        let (_, steps) = generator.conversation(number);
        let mut first: Option<Message> = None;
        for step in steps {
            let message = match (step.send, &first) {
                (Operation::Echo, _) => continue,
                (Operation::Completion, Some(of)) => {
                    rig.terminal.completion(of, of.str(de::RRN).unwrap(), "", step.amount.unwrap(), rig.now)
                }
                (Operation::Reversal | Operation::ReversalAdvice, Some(of)) => {
                    rig.terminal.reversal(of, step.send == Operation::ReversalAdvice, "", step.final_amount, rig.now)
                }
                (Operation::Repeat | Operation::Duplicate | Operation::Release, Some(of)) => of.clone(),
                _ => rig.make(&step),
            };
            first.get_or_insert_with(|| message.clone());
            if step.withhold {
                continue;
            }
            rig.give(&message);
            if message.str(de::PROCESSING_CODE) != Some("310000") {
                asked.push(message);
            }
            rig.now = Wall(rig.now.0 + 400_000_000);
        }
    }
    let mut again = Rig::new(MessageSystem::Single, change);
    for line in &rig.book {
        let text = serde_json::to_string(line).unwrap();
        again.issuer.replay(&serde_json::from_str(&text).unwrap());
    }
    again.now = rig.now;
    totals_are_those_of_the_items(&rig);
    assert_eq!(again.report(), rig.report());
    assert!(rig.issuer.book().items().len() > 150 && rig.book.iter().any(|line| line.note == Some(Note::Tombstone)));
    for message in &asked {
        assert_eq!(again.ask(message), rig.ask(message));
    }
    assert_eq!(again.report(), rig.report());
}

#[test]
fn no_line_of_the_book_and_no_report_holds_card_data() {
    let mut rig = Rig::dual();
    let mut seen = Vec::new();
    for nth in 0..20 {
        let card = rig.cards.card(nth).unwrap();
        let step = Step { nth, ..Rig::step() };
        let request = rig.terminal.request(&step, &card, None, NOON).unwrap();
        rig.give(&request);
        seen.push(String::from_utf8(card.pan.reveal().to_vec()).unwrap());
    }
    let written = rig.book.iter().map(|line| serde_json::to_string(line).unwrap()).collect::<String>() + &rig.report();
    for pan in &seen {
        assert!(!written.contains(pan) && !written.contains(&pan[6..15]));
    }
    // The search would find one.
    assert!((written + &seen[0]).contains(&seen[0]));
}

#[test]
fn a_full_book_refuses_and_remembers_nothing() {
    let mut rig = Rig::new(MessageSystem::Dual, |options| options.max_requests = 1);
    let first = rig.make(&Rig::step());
    let second = rig.make(&Rig::step());
    assert_eq!([rig.code(&first), rig.code(&second), rig.code(&first)], ["00", "96", "00"]);
    assert_eq!(rig.stands().len(), 1);
}

#[test]
fn issuers_can_be_shared_between_tasks() {
    fn sendable<T: std::marker::Send>() {}
    sendable::<Arc<std::sync::Mutex<Issuer>>>();
}
