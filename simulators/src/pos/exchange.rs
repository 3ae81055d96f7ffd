//! One request and what follows from it at a terminal, without I/O: the answer is checked, silence
//! leads to repeats and a reversal, and everything is told to the book before it is done.

use std::sync::Arc;
use std::time::Duration;

use iso8583::Message;
use payments::{LocalDateTime, Mono, Now, Outcome, ResponseCode, Text};

use super::record::{Entry, Problem, Record, Standing};
use super::scenario::Operation;
use super::terminal::Terminal;
use crate::Error;
use crate::wire::{self, de};

/// What is done when no answer comes in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Repeats where so configured, then the reversal until it is acknowledged: money may have moved.
    Reverse,
    /// The same message again with its repeat MTI until it is acknowledged: advices, reversals.
    Insist,
    /// Nothing.
    GiveUp,
}

/// What an answer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// DE39.
    pub code: Text<2>,
    /// DE38.
    pub approval: Text<6>,
    /// DE37.
    pub rrn: Text<12>,
    /// DE63.
    pub network_id: Text<32>,
    /// DE4, minor units.
    pub amount: i64,
}

impl Seen {
    fn of(answer: &Message) -> Self {
        Self {
            code: text(answer, de::RESPONSE),
            approval: text(answer, de::APPROVAL),
            rrn: text(answer, de::RRN),
            network_id: text(answer, de::NETWORK_ID),
            amount: minor(answer),
        }
    }

    /// What the code means for money.
    pub fn outcome(&self) -> Outcome {
        ResponseCode::new(self.code.as_bytes()).map_or(Outcome::Declined, |code| code.outcome())
    }
}

/// How the exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How the request stands.
    pub standing: Standing,
    /// Minor units of it that stand.
    pub stands: i64,
    /// The answer that counted.
    pub answer: Option<Seen>,
}

/// What has to be done, in this order.
#[derive(Debug)]
pub enum Do {
    /// Write this to the book.
    Log(Box<Entry>),
    /// Send this message; answers with this DE41 and DE11 belong to the exchange.
    Send {
        /// Encoded, without its frame.
        message: Vec<u8>,
        /// DE41; empty where it has none.
        terminal: Text<8>,
        /// DE11.
        stan: Text<6>,
    },
    /// It is over.
    Done(Ended),
}

enum Phase {
    Waiting { repeats_left: u32, tries: u32 },
    Reversing { reversal: Message, tries: u32 },
    Done,
}

/// What the exchange is about, for the book.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What was asked.
    pub send: Operation,
    /// The network of the card.
    pub network: String,
    /// DE11 of the transaction that this one is about.
    pub of: Text<6>,
}

/// See the module.
pub struct Exchange {
    terminal: Arc<Terminal>,
    subject: Subject,
    request: Message,
    silence: Silence,
    wrong_mac: bool,
    lose_answer: bool,
    phase: Phase,
    deadline: Option<Mono>,
}

impl Exchange {
    /// An exchange that has not begun.
    pub fn new(terminal: Arc<Terminal>, subject: Subject, request: Message, silence: Silence) -> Self {
        let phase = Phase::Waiting { repeats_left: terminal.options.repeats, tries: 1 };
        Self { terminal, subject, request, silence, wrong_mac: false, lose_answer: false, phase, deadline: None }
    }

    /// Sends with a wrong MAC. A refusal without a MAC is then taken for an answer.
    pub fn with_wrong_mac(mut self, wrong: bool) -> Self {
        self.wrong_mac = wrong;
        self
    }

    /// Drops every answer to the request itself.
    pub fn losing_answers(mut self, lose: bool) -> Self {
        self.lose_answer = lose;
        self
    }

    /// The request.
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// When [`Exchange::timer`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    /// Sends the request.
    pub fn start(&mut self, now: Now) -> Result<Vec<Do>, Error> {
        let wait = match self.silence {
            Silence::Insist => self.terminal.options.retry_ms,
            _ => self.terminal.options.timer_ms,
        };
        self.wait(now, wait);
        self.send(&self.request, now)
    }

    /// Takes a message whose DE11 is the exchange's.
    pub fn receive(&mut self, now: Now, answer: &Message) -> Result<Vec<Do>, Error> {
        let sent = match &self.phase {
            Phase::Reversing { reversal, .. } if answer.get(de::STAN) == reversal.get(de::STAN) => reversal,
            Phase::Waiting { .. } => &self.request,
            // The answer to the request, after its reversal began.
            _ => return Ok(vec![self.seen(now, answer, Some(Problem::Late))]),
        };
        let problem = match self.check(sent, answer) {
            None if self.lose_answer && matches!(self.phase, Phase::Waiting { .. }) => Some(Problem::Lost),
            problem => problem,
        };
        let mut out = vec![self.seen(now, answer, problem)];
        if problem.is_some() {
            return Ok(out);
        }
        let seen = Seen::of(answer);
        // An advice or reversal that was not taken in has to be told again; its timer runs on.
        let refused_for_now = matches!(seen.code.as_str(), "91" | "96" | "06" | "68");
        let ended = match (&self.phase, self.silence) {
            (Phase::Reversing { .. }, _) | (_, Silence::Insist) if refused_for_now => None,
            (Phase::Reversing { .. }, _) => Some(Ended { standing: Standing::Reversed, stands: 0, answer: None }),
            _ => Some(match seen.outcome() {
                Outcome::Declined => Ended { standing: Standing::Declined, stands: 0, answer: Some(seen) },
                _ => Ended { standing: Standing::Approved, stands: seen.amount, answer: Some(seen) },
            }),
        };
        out.extend(ended.map(|ended| self.done(ended)));
        Ok(out)
    }

    /// The deadline has passed.
    pub fn timer(&mut self, now: Now) -> Result<Vec<Do>, Error> {
        let options = &self.terminal.options;
        let (retry_ms, timer_ms, attempts) = (options.retry_ms, options.timer_ms, options.attempts);
        match &mut self.phase {
            Phase::Done => Ok(Vec::new()),
            Phase::Waiting { repeats_left, tries } => match self.silence {
                Silence::GiveUp => Ok(vec![self.done(Ended { standing: Standing::Unanswered, stands: 0, answer: None })]),
                Silence::Insist if *tries >= attempts => {
                    Ok(vec![self.done(Ended { standing: Standing::Unanswered, stands: 0, answer: None })])
                }
                Silence::Insist => {
                    *tries += 1;
                    self.wait(now, retry_ms);
                    self.send(&self.repeated(&self.request), now)
                }
                Silence::Reverse if *repeats_left > 0 => {
                    *repeats_left -= 1;
                    self.wait(now, timer_ms);
                    self.send(&self.repeated(&self.request), now)
                }
                Silence::Reverse => {
                    let reversal = self.terminal.reversal(&self.request, options.reversal_advice, "", None, now.wall);
                    let out = self.send(&reversal, now)?;
                    self.phase = Phase::Reversing { reversal, tries: 1 };
                    self.wait(now, retry_ms);
                    Ok(out)
                }
            },
            Phase::Reversing { tries, .. } if *tries >= attempts => {
                let stands = minor(&self.request);
                Ok(vec![self.done(Ended { standing: Standing::Reversing, stands, answer: None })])
            }
            Phase::Reversing { reversal, tries } => {
                *tries += 1;
                let again = reversal.clone();
                self.wait(now, retry_ms);
                self.send(&self.repeated(&again), now)
            }
        }
    }

    fn done(&mut self, ended: Ended) -> Do {
        self.phase = Phase::Done;
        self.deadline = None;
        Do::Done(ended)
    }

    fn wait(&mut self, now: Now, ms: u64) {
        self.deadline = Some(now.mono.after(Duration::from_millis(ms)));
    }

    fn repeated(&self, message: &Message) -> Message {
        let mut again = message.clone();
        if let Some(mti) = wire::repeat_mti(message.mti()) {
            again.retype(mti);
        }
        again
    }

    fn send(&self, message: &Message, now: Now) -> Result<Vec<Do>, Error> {
        let encoded = self.terminal.encode(message, self.wrong_mac)?;
        let entry = self.entry(now, Record::Sent, message);
        let stan = entry.stan;
        Ok(vec![Do::Log(Box::new(entry)), Do::Send { message: encoded, terminal: text(message, de::TERMINAL), stan }])
    }

    /// What is wrong with an answer to `sent`.
    fn check(&self, sent: &Message, answer: &Message) -> Option<Problem> {
        let folded = if wire::is_repeat(answer.mti()) { None } else { wire::answer_mti(sent.mti()) };
        if folded != Some(answer.mti()) {
            return Some(Problem::Mti);
        }
        if self.terminal.options.mac && !sent.mti().starts_with("08") {
            let signed = answer.has(de::MAC) || answer.has(de::MAC_SECOND);
            if signed && !self.terminal.wire.mac_verifies(answer, &self.terminal.keys.mac) {
                return Some(Problem::BadMac);
            }
            if !signed && !self.wrong_mac {
                return Some(Problem::Unsigned);
            }
        }
        let partial = Seen::of(answer).outcome() == Outcome::Partial;
        let refused = self.wrong_mac || matches!(answer.get(de::RESPONSE), Some(b"30" | b"63"));
        let echoed =
            [de::PROCESSING_CODE, de::AMOUNT, de::LOCAL_TIME, de::LOCAL_DATE, de::RRN, de::TERMINAL, de::MERCHANT, de::CURRENCY];
        let differs = echoed.into_iter().any(|number| match (sent.get(number), answer.get(number)) {
            (Some(_), _) if number == de::AMOUNT && partial => false,
            (Some(ours), Some(theirs)) => ours != theirs,
            // A refusal may echo less; so may 0810.
            (Some(_), None) => !refused && !sent.mti().starts_with("08"),
            (None, _) => false,
        });
        (differs || sent.get(de::STAN) != answer.get(de::STAN)).then_some(Problem::Echo)
    }

    fn seen(&self, now: Now, answer: &Message, problem: Option<Problem>) -> Do {
        let mut entry = self.entry(now, Record::Seen, answer);
        let seen = Seen::of(answer);
        (entry.de39, entry.de38, entry.network_id) = (seen.code, seen.approval, seen.network_id);
        entry.problem = problem;
        Do::Log(Box::new(entry))
    }

    fn entry(&self, now: Now, record: Record, message: &Message) -> Entry {
        let mut entry = entry(self.terminal.id, &self.subject, now, record, message);
        if message.mti().starts_with("04") && entry.of.is_empty() {
            entry.of = text(&self.request, de::STAN);
        }
        entry
    }
}

/// How the transaction of `request` stands, as a line of the book.
pub fn state_line(terminal: Text<8>, subject: &Subject, request: &Message, now: Now, ended: &Ended) -> Entry {
    let mut entry = entry(terminal, subject, now, Record::State, request);
    entry.state = Some(ended.standing);
    entry.stands = Some(ended.stands);
    if let Some(seen) = &ended.answer {
        (entry.de39, entry.de38, entry.network_id) = (seen.code, seen.approval, seen.network_id);
        if entry.rrn.is_empty() {
            entry.rrn = seen.rrn;
        }
    }
    entry
}

/// An answer that nobody waited for, as a line of the book.
pub fn stray_line(now: Now, answer: &Message) -> Entry {
    let subject = Subject { send: Operation::Purchase, network: String::new(), of: Text::EMPTY };
    let mut entry = entry(text(answer, de::TERMINAL), &subject, now, Record::Seen, answer);
    let seen = Seen::of(answer);
    (entry.de39, entry.de38, entry.network_id) = (seen.code, seen.approval, seen.network_id);
    entry.kind = "stray".to_owned();
    entry.problem = Some(Problem::Late);
    entry
}

fn entry(terminal: Text<8>, subject: &Subject, now: Now, record: Record, message: &Message) -> Entry {
    let raw = |number: u8| message.get(number).unwrap_or_default();
    let kind = if message.mti().starts_with("04") { Operation::Reversal } else { subject.send };
    Entry {
        at: now.wall.to_string(),
        record,
        terminal,
        mti: Text::new(message.mti()).unwrap_or_default(),
        kind: kind.as_str().to_owned(),
        network: subject.network.clone(),
        rrn: text(message, de::RRN),
        stan: text(message, de::STAN),
        de7: text(message, de::TRANSMISSION),
        local: LocalDateTime::parse(raw(de::LOCAL_TIME), raw(de::LOCAL_DATE)).ok(),
        of: subject.of,
        amount: minor(message),
        currency: text(message, de::CURRENCY),
        de39: Text::EMPTY,
        de38: Text::EMPTY,
        network_id: Text::EMPTY,
        state: None,
        stands: None,
        problem: None,
    }
}

/// A field as bounded text; empty where it is missing or does not fit.
fn text<const N: usize>(message: &Message, number: u8) -> Text<N> {
    message.get(number).and_then(|raw| Text::from_bytes(raw).ok()).unwrap_or_default()
}

/// DE4 in minor units; 0 where there is none.
pub fn minor(message: &Message) -> i64 {
    message.str(de::AMOUNT).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
