//! The issuer without sockets: one message in, book lines and actions out. The lines have to be
//! durable before the actions are carried out.

use bytes::Bytes;
use crypto::TdesKey;
use crypto::hmac::HmacKey;
use iso8583::Message;
use payments::{ResponseCode, Text, Wall};

use super::book::Book;
use super::counts::{Counts, one_more};
use super::decide;
use super::line::{Kind, Line, Note};
use super::options::IssuerOptions;
use super::request::{FormatFault, Request};
use super::rules::{Act, Facts, Rule, Rules};
use crate::Error;
use crate::cards::Population;
use crate::chip;
use crate::keys::Secrets;
use crate::wire::{self, Wire, de};

mod settle;

/// What has to be done for a message, in this order, once its lines are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this message.
    Answer {
        /// The encoded message, without its frame.
        message: Vec<u8>,
        /// Milliseconds to wait first.
        after_ms: u64,
    },
    /// Close the connection that the message came on.
    Close,
}

/// What a message led to.
#[derive(Debug, Default)]
pub struct Handled {
    /// Lines for the book.
    pub lines: Vec<Line>,
    /// What to do after they are durable.
    pub actions: Vec<Action>,
}

/// See the module.
pub struct Issuer {
    options: IssuerOptions,
    wire: Wire,
    zpk: TdesKey,
    zak: TdesKey,
    pvk: TdesKey,
    cards: Population,
    arpc: HmacKey,
    rules: Rules,
    book: Book,
    counts: Counts,
    signed_on: bool,
}

impl Issuer {
    /// An issuer with an empty book.
    pub fn new(options: IssuerOptions, secrets: &Secrets) -> Result<Self, Error> {
        let keys = secrets.network(&options.network)?;
        let cut_over = options.cut_over.as_str();
        if cut_over.len() != 4 || !cut_over.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::BadOption { option: "cut_over", reason: "hhmm, four digits".to_owned() });
        }
        if let Some(date) = &options.settlement_date
            && (date.len() != 4 || !date.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(Error::BadOption { option: "settlement_date", reason: "MMDD, four digits".to_owned() });
        }
        Ok(Self {
            wire: Wire::shipped(&options.dialect)?,
            zpk: keys.pin.clone(),
            zak: keys.mac.clone(),
            pvk: secrets.pvk()?.clone(),
            cards: Population::derive(&options.cards, &options.network, secrets.card_seed()?)?,
            arpc: HmacKey::new(&HmacKey::new(&[0; 32]).sign(&[secrets.card_seed()?.as_bytes(), b"arpc"])),
            rules: Rules::new(options.rules.clone(), options.seed)?,
            book: Book::new(options.system),
            counts: Counts::default(),
            signed_on: false,
            options,
        })
    }

    /// Takes up a line of an existing book.
    pub fn replay(&mut self, line: &Line) {
        self.book.apply(line, self.options.tombstones);
    }

    /// The book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The network's settlement date at a time, `MMDD`.
    pub fn settlement_date(&self, now: Wall) -> Text<4> {
        if let Some(fixed) = &self.options.settlement_date {
            return Text::new(fixed).unwrap_or_default();
        }
        let after = now.local().time().get(..4).unwrap_or_default() >= self.options.cut_over.as_str();
        let (_, month, day) = if after { now.date().next() } else { now.date() }.parts();
        Text::new(&format!("{month:02}{day:02}")).unwrap_or_default()
    }

    /// Handles one message.
    pub fn receive(&mut self, now: Wall, raw: Bytes) -> Handled {
        let message = match self.wire.decode(raw) {
            Ok(message) => message,
            Err(fault) => {
                self.counts.format_errors += 1;
                return self.format_error(&fault.partial);
            }
        };
        one_more(&mut self.counts.received, message.mti());
        if wire::answer_mti(message.mti()).is_none() {
            self.counts.not_requests += 1;
            return Handled::default();
        }
        if message.mti().starts_with("08") {
            return self.manage(&message);
        }
        if self.options.mac {
            if !self.wire.mac_verifies(&message, &self.zak) {
                self.counts.macs_wrong += 1;
                return self.refuse_mac(&message);
            }
            self.counts.macs_verified += 1;
        }
        match Request::read(&message) {
            Ok(request) => self.financial(now, &message, &request),
            Err(FormatFault(_)) => {
                self.counts.format_errors += 1;
                self.format_error(&message)
            }
        }
    }

    /// 0800: answered without a trace in the book.
    fn manage(&mut self, message: &Message) -> Handled {
        let code = match message.str(de::FUNCTION) {
            Some("001") => {
                self.counts.sign_ons += 1;
                self.signed_on = true;
                ResponseCode::APPROVED
            }
            Some("002") => {
                self.signed_on = false;
                ResponseCode::APPROVED
            }
            Some("301") => {
                self.counts.echoes += 1;
                ResponseCode::APPROVED
            }
            Some(_) => ResponseCode::INVALID_TRANSACTION,
            None => ResponseCode::FORMAT_ERROR,
        };
        let mut answer = answer_to(message, &[de::TRANSMISSION, de::STAN, de::FUNCTION]);
        answer.set(de::RESPONSE, code.as_str());
        self.plain(self.wire.encode(&answer))
    }

    /// What can be addressed is answered with 30, without a MAC: nothing in it was verified.
    fn format_error(&mut self, partial: &Message) -> Handled {
        let addressed = wire::answer_mti(partial.mti()).is_some() && partial.has(de::STAN);
        let mut answer = answer_to(partial, &wire::ECHOED);
        answer.set(de::RESPONSE, ResponseCode::FORMAT_ERROR.as_str());
        match self.wire.encode(&answer) {
            Ok(message) if addressed => Handled { lines: Vec::new(), actions: vec![Action::Answer { message, after_ms: 0 }] },
            _ => {
                self.counts.unanswerable += 1;
                Handled { lines: Vec::new(), actions: vec![Action::Close] }
            }
        }
    }

    /// 63, and no MAC over anything that an unverified message claimed.
    fn refuse_mac(&self, message: &Message) -> Handled {
        let mut answer = answer_to(message, &[de::TRANSMISSION, de::STAN, de::TERMINAL]);
        answer.set(de::RESPONSE, ResponseCode::SECURITY_VIOLATION.as_str());
        self.plain(self.wire.encode(&answer))
    }

    fn plain(&self, encoded: Result<Vec<u8>, Error>) -> Handled {
        let action = encoded.map_or(Action::Close, |message| Action::Answer { message, after_ms: 0 });
        Handled { lines: Vec::new(), actions: vec![action] }
    }

    fn financial(&mut self, now: Wall, message: &Message, request: &Request) -> Handled {
        if request.not_forwardable {
            self.counts.not_forwardable += 1;
        }
        if request.kind == Kind::Reversal && wire::is_repeat(request.mti.as_str()) {
            self.counts.reversal_repeats += 1;
        }
        let pan = request.pan.as_ref().map(payments::Pan::reveal).unwrap_or_default();
        let facts = Facts { mti: request.mti.as_str(), kind: request.kind, amount: request.amount, pan };
        let rule = self.rules.pick(facts);
        if let Some(rule) = &rule {
            one_more(&mut self.counts.misbehaved, rule.act.as_str());
            if rule.act == Act::Silent {
                return Handled::default();
            }
        }
        let line = self.settle(now, request, rule.as_ref());
        self.book.apply(&line, self.options.tombstones);
        if let Some(note) = line.note {
            let name = serde_json::to_value(note).ok().and_then(|name| name.as_str().map(str::to_owned));
            one_more(&mut self.counts.notes, name.unwrap_or_default());
        }
        let actions = self.act(message, request, &line, rule.as_ref());
        Handled { lines: vec![line], actions }
    }

    /// The answer that a line stands for, and what a rule makes of it.
    fn act(&self, message: &Message, request: &Request, line: &Line, rule: Option<&Rule>) -> Vec<Action> {
        let mut answer = self.answer(message, request, line);
        let act = rule.map(|rule| rule.act);
        if act == Some(Act::WrongStan) {
            let other = (request.key.stan.get() + 499_999) % 999_999 + 1;
            answer.set(de::STAN, format!("{other:06}"));
        }
        let encoded = if self.options.mac {
            let wrong = TdesKey::unchecked(&[0x42; 16]).ok().filter(|_| act == Some(Act::WrongMac));
            self.wire.encode_with_mac(&mut answer, wrong.as_ref().unwrap_or(&self.zak))
        } else {
            self.wire.encode(&answer)
        };
        let Ok(mut message) = encoded else { return vec![Action::Close] };
        let send = |message: Vec<u8>| Action::Answer { message, after_ms: 0 };
        match act {
            Some(Act::SilentApproved) => Vec::new(),
            Some(Act::DisconnectBefore) => vec![Action::Close],
            Some(Act::DisconnectAfter) => vec![send(message), Action::Close],
            Some(Act::Twice) => vec![send(message.clone()), send(message)],
            Some(Act::Late) => vec![Action::Answer { message, after_ms: rule.map_or(0, |rule| rule.ms) }],
            Some(Act::Garbled) => {
                self.wire.garble(&mut message);
                vec![send(message)]
            }
            _ => vec![send(message)],
        }
    }

    fn answer(&self, message: &Message, request: &Request, line: &Line) -> Message {
        let mut answer = answer_to(message, &wire::ECHOED);
        answer.set(de::RESPONSE, line.de39.as_str());
        if !matches!(line.note, Some(Note::Conflict)) {
            answer.set(de::RRN, line.rrn.as_str());
        }
        if line.de39 == ResponseCode::PARTIAL {
            answer.set(de::AMOUNT, format!("{:012}", line.approved));
        }
        let mut set = |number: u8, text: &str| {
            if !text.is_empty() {
                answer.set(number, text);
            }
        };
        set(de::APPROVAL, line.de38.as_str());
        set(de::RESULTS, line.de44.as_str());
        set(de::NETWORK_ID, line.network_id.as_str());
        set(de::SETTLEMENT_DATE, line.settlement_date.as_str());
        if request.kind == Kind::Balance
            && line.de39 == ResponseCode::APPROVED
            && let Some(card) = line.card.and_then(|index| self.cards.card(index).ok())
        {
            let left = decide::available(&card, &self.book);
            answer.set(de::BALANCES, decide::balances(left, request.currency.numeric()));
        }
        if request.chip && !line.network_id.is_empty() {
            let drawn = self.arpc.sign(&[line.network_id.as_bytes()]);
            answer.set(de::CHIP, chip::response(drawn.first_chunk().copied().unwrap_or_default(), line.de39.as_str()));
        }
        answer
    }
}

/// The answer to a message with these of its fields.
fn answer_to(message: &Message, echoed: &[u8]) -> Message {
    let mut answer = Message::new(wire::answer_mti(message.mti()).unwrap_or_default());
    for number in echoed {
        answer.set_some(*number, message.get(*number));
    }
    answer
}
