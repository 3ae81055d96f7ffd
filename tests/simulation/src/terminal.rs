//! Terminals with books of their own. A terminal believes the first answer that it gets; what it sent
//! twice it believes only when the answer is about the outcome; what stays open it reverses until that
//! is acknowledged.

use engine::ConnId;
use iso8583::Message;

use crate::cards;
use crate::clock::{MS, SEC, Time};
use crate::counters::Count;
use crate::node::Peer;
use crate::queue::What;
use crate::setup::{CEILING, Model, merchant_id, model, terminal_form, terminal_id, tpk};
use crate::wire::{number, text};
use crate::world::World;

/// What a terminal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Purchase,
    Authorization,
    Refund,
    Balance,
}

/// What its cashier has in mind for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Plain,
    /// Reversed while its answer is awaited.
    CancelInFlight,
    /// The request is held up on its way, the reversal is not.
    ReversalFirst,
    /// Reversed later.
    CancelLater,
    /// Asked again after the answer: as a repeat, or unchanged.
    AskAgain,
    /// The same key with another amount.
    Conflict,
    /// A reversal with DE95.
    Partial,
}

/// How far a sale is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its answer is awaited.
    Asked,
    /// Nothing is awaited.
    Done,
    /// A reversal is not acknowledged yet.
    Reversing,
    /// It was.
    Reversed,
    /// A completion is not acknowledged yet.
    Completing,
}

/// The answer that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saw {
    pub(crate) code: String,
    pub(crate) amount: i64,
    pub(crate) approval: String,
    pub(crate) rrn: String,
}

/// One transaction in a terminal's book.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    pub(crate) kind: Kind,
    pub(crate) script: Script,
    pan: String,
    pin: Option<bool>,
    pub(crate) amount: i64,
    pub(crate) stan: u32,
    pub(crate) local: (String, String),
    transmission: String,
    own_rrn: Option<String>,
    pub(crate) stage: Stage,
    sends: u32,
    turn: u32,
    repeats_left: u32,
    pub(crate) conflicted: bool,
    /// The conflict was sent before the answer came: only a full approval of the right amount counts.
    ambiguous: bool,
    /// The other amount, where it is not clear which of the two was taken: reversed next when the first
    /// is refused.
    other: Option<i64>,
    pub(crate) saw: Option<Saw>,
    reversal: Option<(u32, bool, u32)>,
    partial: bool,
    pub(crate) completion: Option<(u32, i64, u32)>,
    /// The completion was acknowledged.
    pub(crate) completed: Option<i64>,
    /// Asked again and told again.
    pub(crate) again: Vec<Saw>,
}

impl Sale {
    pub(crate) fn mti(&self) -> &'static str {
        match self.kind {
            Kind::Purchase | Kind::Refund => "0200",
            Kind::Authorization | Kind::Balance => "0100",
        }
    }

    pub(crate) fn approved(&self) -> bool {
        self.saw.as_ref().is_some_and(|saw| is_approval(&saw.code))
    }

    /// Whether the terminal counts its money in the end.
    pub(crate) fn stands(&self) -> bool {
        self.approved() && !matches!(self.stage, Stage::Reversing | Stage::Reversed)
    }
}

/// One terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) index: usize,
    pub(crate) model: Model,
    /// Reverses whatever was not answered with an outcome, and may find its frames doubled.
    pub(crate) careful: bool,
    next_stan: u32,
    conn: Option<(usize, ConnId)>,
    pub(crate) book: Vec<Sale>,
}

/// A sale by its terminal and STAN.
pub(crate) fn name_of(t: usize, sale: &Sale) -> String {
    format!("{}/{:06}", terminal_id(t), sale.stan)
}

/// Codes that approve, as the terminal's own manual has them.
pub(crate) fn is_approval(code: &str) -> bool {
    matches!(code, "00" | "08" | "10" | "11" | "16" | "85" | "87")
}

/// Codes that say nothing about what was sent before.
fn says_nothing(code: &str) -> bool {
    matches!(code, "30" | "63" | "91" | "94" | "96")
}

impl Terminal {
    pub(crate) fn new(index: usize, careful: bool) -> Self {
        Self {
            index,
            model: model(index),
            careful,
            next_stan: 1 + 1000 * u32::try_from(index).unwrap_or(0),
            conn: None,
            book: Vec::new(),
        }
    }

    fn stan(&mut self) -> u32 {
        self.next_stan = self.next_stan % 999_999 + 1;
        self.next_stan
    }
}

impl World {
    /// True wall time, which terminals have.
    fn stamp(&self) -> (String, String, String) {
        let wall = self.wall_at(0);
        let (local, transmission) = (wall.local(), wall.transmission());
        (local.time().to_owned(), local.date().to_owned(), transmission.as_str().to_owned())
    }

    /// Something new at the counter.
    pub(crate) fn next_sale(&mut self, t: usize) {
        if self.calm {
            return;
        }
        let gap = self.dice.between(self.plan.gap / 4, self.plan.gap * 2);
        self.queue.push(self.now + gap, What::NextSale { terminal: t });
        let dice = &mut self.dice;
        let kind = dice.pick(&[
            Kind::Purchase,
            Kind::Purchase,
            Kind::Purchase,
            Kind::Purchase,
            Kind::Authorization,
            Kind::Authorization,
            Kind::Refund,
            Kind::Balance,
        ]);
        let script = dice.pick(&[
            Script::Plain,
            Script::Plain,
            Script::Plain,
            Script::CancelInFlight,
            Script::ReversalFirst,
            Script::CancelLater,
            Script::CancelLater,
            Script::AskAgain,
            Script::AskAgain,
            Script::Conflict,
            Script::Partial,
        ]);
        let script = if kind == Kind::Balance { Script::Plain } else { script };
        let bin = if dice.chance(20) { "999999" } else { dice.pick(&["541333", "541333", "476173"]) };
        let amount = match (kind, dice.between(0, 60)) {
            (Kind::Balance, _) => 0,
            (_, 0) => CEILING + 1,
            (_, small) => i64::try_from(small * 37 + dice.between(1, 9_000)).unwrap_or(1),
        };
        let pan = cards::pan(bin, dice.index(40));
        let pin = dice.chance(500).then(|| !dice.chance(80));
        let own_rrn = dice.chance(400);
        let repeats_left = if dice.chance(500) { dice.pick(&[1, 2, 3]) } else { 0 };
        let (time, date, transmission) = self.stamp();
        let Some(terminal) = self.terminals.get_mut(t) else { return };
        let stan = terminal.stan();
        let own_rrn = own_rrn.then(|| format!("T{:02}{:09}", terminal.index, stan));
        let sale = Sale {
            kind,
            script,
            pan,
            pin,
            amount,
            stan,
            local: (time, date),
            transmission,
            own_rrn,
            stage: Stage::Asked,
            sends: 0,
            turn: 0,
            repeats_left,
            conflicted: false,
            ambiguous: false,
            other: None,
            saw: None,
            reversal: None,
            partial: false,
            completion: None,
            completed: None,
            again: Vec::new(),
        };
        let s = terminal.book.len();
        terminal.book.push(sale);
        self.counters.add(match kind {
            Kind::Purchase => Count::Purchases,
            Kind::Authorization => Count::Authorizations,
            Kind::Refund => Count::Refunds,
            Kind::Balance => Count::Balances,
        });
        let held_up = if script == Script::ReversalFirst { self.dice.between(500, 6_000) * MS } else { 0 };
        self.ask(t, s, held_up);
        match script {
            Script::CancelInFlight => {
                let delay = if self.dice.chance(500) { self.dice.between(5, 300) } else { self.dice.between(300, 12_000) };
                self.queue.push(self.now + delay * MS, What::FollowUp { terminal: t, sale: s });
            }
            Script::ReversalFirst => self.queue.push(self.now + 100 * MS, What::FollowUp { terminal: t, sale: s }),
            Script::Conflict if self.dice.chance(500) => {
                let delay = self.dice.between(1, 200) * MS;
                self.queue.push(self.now + delay, What::FollowUp { terminal: t, sale: s });
            }
            _ => {}
        }
    }

    fn request(&self, t: usize, s: usize) -> Option<Message> {
        let sale = self.terminals.get(t)?.book.get(s)?;
        let name = terminal_id(t);
        let code = match sale.kind {
            Kind::Purchase | Kind::Authorization => "000000",
            Kind::Refund => "200000",
            Kind::Balance => "310000",
        };
        let mut message = Message::new(sale.mti());
        message
            .set(2, &sale.pan)
            .set(3, code)
            .set(4, format!("{:012}", sale.amount))
            .set(7, &sale.transmission)
            .set(11, format!("{:06}", sale.stan))
            .set(12, &sale.local.0)
            .set(13, &sale.local.1)
            .set(14, "3012")
            .set(18, "5411")
            .set(22, "051")
            .set(25, "00")
            .set_some(37, sale.own_rrn.as_ref())
            .set(41, &name)
            .set(42, merchant_id(t))
            .set(49, "978");
        if let Some(right) = sale.pin {
            message.set(52, cards::under(cards::pin(&sale.pan, right), &tpk(&name)));
        }
        Some(message)
    }

    /// Sends the request, for the first time or again.
    fn ask(&mut self, t: usize, s: usize, held_up: Time) {
        let Some(mut message) = self.request(t, s) else { return };
        let (_, _, transmission) = self.stamp();
        let plain_duplicate = self.dice.chance(400);
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        sale.sends += 1;
        sale.turn += 1;
        let turn = sale.turn;
        if sale.sends > 1 {
            // A repeat carries a DE7 of its own.
            message.set(7, transmission);
            if plain_duplicate {
                self.counters.add(Count::Duplicates);
            } else {
                let repeat = if sale.mti() == "0100" { "0101" } else { "0201" };
                message.retype(repeat);
                self.counters.add(Count::Repeats);
            }
        }
        self.terminal_sends(t, &message, held_up);
        let patience = self.dice.between(13_000, 20_000) * MS;
        self.queue.push(self.now + patience, What::Impatient { terminal: t, sale: s, turn });
    }

    fn terminal_sends(&mut self, t: usize, message: &Message, held_up: Time) {
        let frame = terminal_form(t).sealed(message, cards::terminal_key(t));
        self.trace.tell(self.now, || {
            let name = terminal_id(t);
            let about = text(message, 90).get(4..10).map(|stan| format!(" about {name}/{stan}")).unwrap_or_default();
            let rrn = text(message, 37);
            format!("{name}/{} sends {} amount {} rrn {rrn}{about}", text(message, 11), message.mti(), text(message, 4))
        });
        let known = self.terminals.get(t).and_then(|terminal| terminal.conn);
        let Some((n, conn)) = self.connection(Peer::Terminal(t), known) else {
            return self.counters.add(Count::Dropped);
        };
        let Some(terminal) = self.terminals.get_mut(t) else { return };
        terminal.conn = Some((n, conn));
        let mut rates = if self.calm { Default::default() } else { self.plan.terminal_leg };
        if !terminal.careful {
            rates.doubled = 0;
        }
        self.carry_later(rates, frame, 6 * SEC, held_up, move |frame| What::Frame { node: n, from: conn, frame });
    }

    /// An answer on its way to a terminal.
    pub(crate) fn carry_to_terminal(&mut self, t: usize, frame: Vec<u8>) {
        let rates = if self.calm { Default::default() } else { self.plan.terminal_leg };
        self.carry(rates, frame, 8 * SEC, move |frame| What::ToTerminal { terminal: t, frame });
    }

    /// It waited long enough.
    pub(crate) fn impatient(&mut self, t: usize, s: usize, turn: u32) {
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        if sale.turn != turn {
            return;
        }
        match sale.stage {
            Stage::Asked if sale.kind == Kind::Balance => sale.stage = Stage::Done,
            Stage::Asked if sale.repeats_left > 0 => {
                sale.repeats_left -= 1;
                self.ask(t, s, 0);
            }
            Stage::Asked => self.start_reversal(t, s),
            Stage::Reversing => self.send_reversal(t, s),
            Stage::Completing => self.send_completion(t, s),
            Stage::Done | Stage::Reversed => {}
        }
    }

    /// What was planned.
    pub(crate) fn follow_up(&mut self, t: usize, s: usize) {
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        match (sale.script, sale.stage) {
            (Script::CancelInFlight, Stage::Asked) => {
                self.counters.add(Count::ReversalsDuring);
                self.start_reversal(t, s);
            }
            (Script::ReversalFirst, Stage::Asked) => {
                self.counters.add(Count::ReversalsBefore);
                self.start_reversal(t, s);
            }
            (Script::Partial, Stage::Done) if sale.approved() => {
                sale.partial = true;
                self.start_reversal(t, s);
            }
            (Script::CancelLater | Script::CancelInFlight, Stage::Done) if sale.approved() => {
                self.counters.add(Count::ReversalsAfter);
                self.start_reversal(t, s);
            }
            (Script::AskAgain, Stage::Done) => {
                let turn = sale.turn;
                self.ask(t, s, 0);
                // Nothing is awaited: the first answer stands.
                if let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) {
                    sale.turn = turn + 1;
                }
            }
            // Refused without a trace: the other body would be the request.
            (Script::Conflict, Stage::Done) if sale.saw.as_ref().is_some_and(|saw| says_nothing(&saw.code)) => {}
            // While it is taken back nothing is asked under its key.
            (Script::Conflict, stage) if !sale.conflicted && stage != Stage::Reversing => {
                sale.conflicted = true;
                // Now nobody can say which of the two an answer is about: asking again would not help.
                sale.ambiguous = stage == Stage::Asked;
                sale.repeats_left = 0;
                let other = sale.amount + 100;
                sale.other = Some(other).filter(|_| sale.ambiguous);
                if let Some(mut message) = self.request(t, s) {
                    message.set(4, format!("{other:012}"));
                    self.terminal_sends(t, &message, 0);
                }
            }
            (Script::Plain, Stage::Done) if sale.completion.is_none() && sale.approved() => self.complete(t, s),
            _ => {}
        }
    }

    pub(crate) fn start_reversal(&mut self, t: usize, s: usize) {
        let advice = self.dice.chance(600);
        let Some(terminal) = self.terminals.get_mut(t) else { return };
        let stan = terminal.stan();
        let Some(sale) = terminal.book.get_mut(s) else { return };
        sale.reversal = Some((stan, advice, 0));
        sale.stage = Stage::Reversing;
        self.send_reversal(t, s);
    }

    fn send_reversal(&mut self, t: usize, s: usize) {
        let (_, _, transmission) = self.stamp();
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        let Some((stan, advice, sent)) = sale.reversal.as_mut() else { return };
        *sent += 1;
        let mti = match (*advice, *sent > 1) {
            (true, false) => "0420",
            (true, true) => "0421",
            (false, false) => "0400",
            (false, true) => "0401",
        };
        if *sent > 1 {
            self.counters.add(Count::ReversalRepeats);
        }
        let mut message = Message::new(mti);
        message
            .set(3, if sale.kind == Kind::Refund { "200000" } else { "000000" })
            .set(4, format!("{:012}", sale.amount))
            .set(7, transmission)
            .set(11, format!("{stan:06}"))
            .set(12, &sale.local.0)
            .set(13, &sale.local.1)
            .set(39, "17")
            .set(41, terminal_id(t))
            .set(42, merchant_id(t))
            .set(49, "978")
            .set(90, format!("{}{:06}{}{:022}", sale.mti(), sale.stan, sale.transmission, 0));
        if sale.partial {
            message.set(95, format!("{:012}{:030}", sale.amount / 2 + 1, 0));
        }
        sale.turn += 1;
        let turn = sale.turn;
        self.terminal_sends(t, &message, 0);
        let patience = self.dice.between(8, 20) * SEC;
        self.queue.push(self.now + patience, What::Impatient { terminal: t, sale: s, turn });
    }

    fn complete(&mut self, t: usize, s: usize) {
        let factor = self.dice.pick(&[100, 100, 100, 60, 120, 0]);
        let Some(terminal) = self.terminals.get_mut(t) else { return };
        let stan = terminal.stan();
        let Some(sale) = terminal.book.get_mut(s) else { return };
        let amount = sale.saw.as_ref().map_or(0, |saw| saw.amount) * factor / 100;
        sale.completion = Some((stan, amount, 0));
        sale.stage = Stage::Completing;
        self.counters.add(match factor {
            0 => Count::ZeroCompletions,
            120 => Count::CompletionsAbove,
            _ => Count::Completions,
        });
        self.send_completion(t, s);
    }

    fn send_completion(&mut self, t: usize, s: usize) {
        let (_, _, transmission) = self.stamp();
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        let Some((stan, amount, sent)) = sale.completion.as_mut() else { return };
        *sent += 1;
        let mut message = Message::new(if *sent > 1 { "0221" } else { "0220" });
        message
            .set(3, "000000")
            .set(4, format!("{amount:012}"))
            .set(7, transmission)
            .set(11, format!("{stan:06}"))
            .set(12, &sale.local.0)
            .set(13, &sale.local.1)
            .set_some(37, sale.saw.as_ref().map(|saw| &saw.rrn))
            .set_some(38, sale.saw.as_ref().map(|saw| &saw.approval).filter(|code| !code.is_empty()))
            .set(41, terminal_id(t))
            .set(42, merchant_id(t))
            .set(49, "978");
        sale.turn += 1;
        let turn = sale.turn;
        self.terminal_sends(t, &message, 0);
        let patience = self.dice.between(8, 20) * SEC;
        self.queue.push(self.now + patience, What::Impatient { terminal: t, sale: s, turn });
    }

    /// A frame reaches a terminal.
    pub(crate) fn reach_terminal(&mut self, t: usize, frame: &[u8]) {
        self.trace.fold(self.now, b't', frame);
        let form = terminal_form(t);
        let (message, trusted) = match (form.opened(frame, cards::terminal_key(t)), form.read(frame)) {
            (Some(message), _) => (message, true),
            // A refusal of what could not be verified carries no MAC: it is worth as much.
            (None, Some(message)) if message.mac().is_none() => (message, false),
            _ => return self.counters.add(Count::BadMacs),
        };
        let stan = u32::try_from(number(&message, 11)).unwrap_or(0);
        let Some(terminal) = self.terminals.get(t) else { return };
        let is = |sale: &Sale| match message.mti() {
            "0110" | "0210" => sale.stan == stan,
            "0230" => sale.completion.is_some_and(|(own, ..)| own == stan),
            "0410" | "0430" => sale.reversal.is_some_and(|(own, ..)| own == stan),
            _ => false,
        };
        let Some(s) = terminal.book.iter().position(is) else { return };
        if !trusted {
            return;
        }
        self.trace
            .tell(self.now, || format!("{} hears {} {} about stan {stan:06}", terminal_id(t), message.mti(), text(&message, 39)));
        match message.mti() {
            "0110" | "0210" => self.answered(t, s, &message),
            "0230" => self.completion_answered(t, s, &message),
            _ => self.reversal_answered(t, s, &message),
        }
    }

    fn answered(&mut self, t: usize, s: usize, message: &Message) {
        let saw = Saw {
            code: text(message, 39).to_owned(),
            amount: number(message, 4),
            approval: text(message, 38).to_owned(),
            rrn: text(message, 37).to_owned(),
        };
        let Some(terminal) = self.terminals.get_mut(t) else { return };
        let (careful, takes_partial) = (terminal.careful, terminal.model.takes_partial);
        let Some(sale) = terminal.book.get_mut(s) else { return };
        if sale.conflicted && saw.code == "94" {
            return;
        }
        if saw.code == "10" && !takes_partial {
            let about = name_of(t, sale);
            return self.object("a terminal got a partial approval that it cannot take".to_owned(), &[about]);
        }
        if let Some(first) = &sale.saw {
            // A balance is asked for anew each time.
            if sale.kind != Kind::Balance && !says_nothing(&saw.code) && !says_nothing(&first.code) {
                if *first != saw {
                    let (about, first) = (name_of(t, sale), first.clone());
                    return self.object(format!("asked again, told otherwise: {first:?}, then {saw:?}"), &[about]);
                }
                sale.again.push(saw);
            }
            return;
        }
        if sale.stage != Stage::Asked {
            return;
        }
        if says_nothing(&saw.code) && sale.sends > 1 {
            return;
        }
        let approved = is_approval(&saw.code);
        if sale.ambiguous && !(approved && saw.amount == sale.amount) {
            return self.start_reversal(t, s);
        }
        let balance = sale.kind == Kind::Balance;
        match saw.code.as_str() {
            "10" => self.counters.add(Count::Partials),
            "68" => self.counters.add(Count::TimeoutsTold),
            _ if approved => self.counters.add(Count::Approvals),
            _ => self.counters.add(Count::IssuerDeclines),
        }
        let nothing = says_nothing(&saw.code);
        let unsure = nothing || saw.code == "68";
        sale.saw = Some(saw);
        sale.stage = Stage::Done;
        sale.turn += 1;
        let (kind, script, host) = (sale.kind, sale.script, terminal.model.host_capture);
        if balance {
            return;
        }
        if unsure && careful {
            return self.start_reversal(t, s);
        }
        let later = |world: &mut Self, low: u64, high: u64| {
            let at = world.now + world.dice.between(low, high) * MS;
            world.queue.push(at, What::FollowUp { terminal: t, sale: s });
        };
        if approved && matches!(script, Script::CancelLater | Script::Partial) {
            later(self, 100, 90_000);
        }
        // What was refused without a trace would be a new request if it came again.
        if matches!(script, Script::AskAgain | Script::Conflict) && !nothing {
            later(self, 50, 40_000);
        }
        let by_completion = kind == Kind::Authorization || (kind == Kind::Purchase && !host);
        if approved && by_completion && script == Script::Plain && self.dice.chance(900) {
            later(self, 500, 60_000);
        }
    }

    fn completion_answered(&mut self, t: usize, s: usize, message: &Message) {
        let code = text(message, 39).to_owned();
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        if sale.stage != Stage::Completing {
            return;
        }
        match code.as_str() {
            "00" => {
                sale.completed = sale.completion.map(|(_, amount, _)| amount);
                sale.stage = Stage::Done;
                sale.turn += 1;
                if self.dice.chance(250) {
                    // A completed sale is taken back, on the same day or on another.
                    if let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) {
                        sale.script = Script::CancelLater;
                    }
                    let at = self.now + self.dice.between(100, 60_000) * MS;
                    self.queue.push(at, What::FollowUp { terminal: t, sale: s });
                }
            }
            "91" | "96" | "68" | "30" | "63" => {}
            other => {
                let about = name_of(t, sale);
                self.object(format!("a completion was refused with {other}"), &[about]);
            }
        }
    }

    fn reversal_answered(&mut self, t: usize, s: usize, message: &Message) {
        let code = text(message, 39).to_owned();
        let Some(sale) = self.terminals.get_mut(t).and_then(|terminal| terminal.book.get_mut(s)) else { return };
        let Some((_, advice, _)) = sale.reversal.filter(|_| sale.stage == Stage::Reversing) else { return };
        match code.as_str() {
            "12" if sale.partial => {
                self.counters.add(Count::PartialReversalsRefused);
                sale.partial = false;
                sale.reversal = None;
                sale.stage = Stage::Done;
                sale.turn += 1;
            }
            // It was the other amount that was taken.
            "12" if sale.other.is_some() => {
                sale.amount = sale.other.take().unwrap_or(sale.amount);
                self.start_reversal(t, s);
            }
            "00" if !sale.partial => {
                sale.stage = Stage::Reversed;
                sale.turn += 1;
            }
            "21" | "25" if !advice => {
                sale.stage = Stage::Reversed;
                sale.turn += 1;
            }
            "91" | "96" | "68" | "30" | "63" => {}
            other => {
                let about = name_of(t, sale);
                self.object(format!("a reversal was refused with {other}"), &[about]);
            }
        }
    }

    /// Whether everything that terminals began has ended.
    pub(crate) fn terminals_done(&self) -> bool {
        let open = |sale: &Sale| matches!(sale.stage, Stage::Asked | Stage::Reversing | Stage::Completing);
        !self.terminals.iter().any(|terminal| terminal.book.iter().any(open))
    }
}
