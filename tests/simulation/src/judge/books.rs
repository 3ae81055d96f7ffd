//! Three books, item by item: what the terminal saw, what the network holds, what we recorded.

use ledger::memory::Tables;
use ledger::{Capture, CaptureKind, ClaimKey, Clearing, PaymentKind, PaymentRecord};
use payments::request::Head;
use payments::{LocalDateTime, MerchantId, Stan, State, TerminalId, Text};

use crate::network::{Entry, Standing, is_dual};
use crate::setup::{ACQUIRER, INSTITUTION, merchant_id, terminal_id};
use crate::terminal::{Kind, Sale};
use crate::world::World;

/// A sale beside what the others have of it.
struct Triple<'a> {
    name: String,
    sale: &'a Sale,
    host_capture: bool,
    payment: Option<&'a PaymentRecord>,
    entries: Vec<&'a Entry>,
    items: Vec<&'a Capture>,
    /// The network refused what it owed: an operator was told.
    dead: bool,
}

/// The claim that a terminal's request has.
pub(super) fn claim_of(terminal: usize, sale: &Sale) -> ClaimKey {
    let text = |words: &str| payments::AcquirerId::new(words).expect("a short name");
    let local = LocalDateTime::parse(sale.local.0.as_bytes(), sale.local.1.as_bytes()).expect("made by the simulation");
    ClaimKey::card(&Head {
        acquirer: text(ACQUIRER),
        mti: Text::literal(sale.mti()),
        stan: Stan::new(sale.stan).expect("made by the simulation"),
        local,
        transmission: None,
        institution: Text::new(INSTITUTION).expect("a short name"),
        forwarding: None,
        rrn: None,
        terminal: TerminalId::new(&terminal_id(terminal)).expect("a short name"),
        merchant: MerchantId::new(&merchant_id(terminal)).expect("a short name"),
    })
}

impl World {
    pub(super) fn judge_books(&mut self, tables: &Tables) {
        let mut wrong: Vec<(String, Vec<String>)> = Vec::new();
        let mut met = Vec::new();
        for terminal in &self.terminals {
            for sale in terminal.book.iter().filter(|sale| sale.kind != Kind::Balance) {
                let payment = tables
                    .claims
                    .get(&claim_of(terminal.index, sale))
                    .and_then(|claim| claim.payment)
                    .and_then(|id| tables.payments.get(&id));
                let rrn = payment.map(|payment| payment.facts.rrn.to_string()).unwrap_or_default();
                let entries: Vec<_> =
                    self.networks.book.values().filter(|entry| !entry.balance && !rrn.is_empty() && entry.rrn == rrn).collect();
                met.extend(payment.map(|payment| payment.facts.id));
                let id = payment.map(|payment| payment.facts.id);
                let triple = Triple {
                    name: format!("{}/{:06} rrn {rrn}", terminal_id(terminal.index), sale.stan),
                    sale,
                    host_capture: terminal.model.host_capture,
                    payment,
                    entries,
                    items: tables.captures.values().filter(|item| Some(item.payment) == id).collect(),
                    dead: id.is_some_and(|id| self.dead.contains(&id)),
                };
                if let Err(what) = triple.judge() {
                    let about = [crate::terminal::name_of(terminal.index, sale), rrn]
                        .into_iter()
                        .filter(|name| !name.is_empty())
                        .collect();
                    wrong.push((format!("{}: {what}", triple.name), about));
                }
            }
        }
        for payment in tables.payments.values().filter(|payment| payment.facts.kind != PaymentKind::Transfer) {
            if !met.contains(&payment.facts.id) {
                wrong
                    .push((format!("payment {} belongs to no terminal", payment.facts.rrn), vec![payment.facts.rrn.to_string()]));
            }
        }
        let known = |entry: &Entry| tables.payments.values().any(|payment| payment.facts.rrn.as_str() == entry.rrn);
        for entry in self.networks.book.values().filter(|entry| !entry.balance && !known(entry)) {
            wrong.push((format!("a network has {}, which the record does not have", entry.rrn), vec![entry.rrn.clone()]));
        }
        for (what, about) in wrong {
            self.object(what, &about);
        }
    }
}

impl Triple<'_> {
    fn judge(&self) -> Result<(), String> {
        let twice = self.entries.iter().any(|entry| entry.reversals > 1);
        let open: Vec<_> = self.entries.iter().filter(|entry| entry.standing == Standing::Open).collect();
        check(!twice, "its effect was reversed twice")?;
        check(open.len() < 2, "it is open at networks more than once")?;
        for item in &self.items {
            let presented = self.payment.and_then(|p| p.facts.egress.as_ref()).is_some_and(|egress| is_dual(&egress.link));
            let wanted = if presented { Clearing::Presentment } else { Clearing::Online };
            check(item.clearing == wanted, "an item goes to the wrong clearing")?;
        }
        // A completion of zero gives it back; on a single-message route the network is told of it.
        let released = self.sale.completed == Some(0)
            && self.payment.and_then(|p| p.facts.egress.as_ref()).is_some_and(|egress| is_dual(&egress.link));
        if self.sale.stands() && !released {
            self.stands(open.first().map(|entry| **entry))
        } else {
            self.is_undone(open.first().map(|entry| **entry))
        }
    }

    /// The terminal saw an approval and did not reverse it.
    fn stands(&self, open: Option<&Entry>) -> Result<(), String> {
        let saw = self.sale.saw.as_ref().map_or(0, |saw| saw.amount);
        let payment = self.payment.ok_or("the terminal saw an approval, and there is no payment")?;
        let entry = open.ok_or("the terminal saw an approval, and no network has it open")?;
        check(entry.approved == saw, "the network holds another amount than the terminal saw")?;
        check(payment.standing.approved == saw, "the record holds another amount than the terminal saw")?;
        let host = matches!(self.sale.kind, Kind::Refund) || (self.sale.kind == Kind::Purchase && self.host_capture);
        let (state, captured) = match (host, self.sale.completed) {
            (true, _) => (State::Captured, saw),
            (false, Some(amount)) => (State::Captured, amount),
            (false, None) => (State::Approved, 0),
        };
        check(payment.standing.state == state, &format!("it is {:?}, not {state:?}", payment.standing.state))?;
        check(payment.standing.captured == captured, "the record captured another amount")?;
        let kind = if self.sale.kind == Kind::Refund { CaptureKind::Refund } else { CaptureKind::Sale };
        let exactly = match (captured, self.items.as_slice()) {
            (0, []) => true,
            (_, [item]) => {
                item.kind == kind && item.amount.minor() == captured && Some(item.date) == payment.standing.capture_date
            }
            _ => false,
        };
        check(exactly, &format!("its items are not one of {captured}: {:?}", self.items))?;
        let told = if is_dual(&entry.link) { None } else { self.sale.completed };
        check(entry.completed == told || self.dead, "the network was told of another completion")
    }

    /// The terminal saw no approval, or took it back.
    fn is_undone(&self, open: Option<&Entry>) -> Result<(), String> {
        let credited = self.items.iter().any(|item| item.kind == CaptureKind::Credit);
        let state = self.payment.map(|payment| payment.standing.state);
        let ended = match state {
            None | Some(State::Declined | State::Abandoned | State::Reversed) => true,
            Some(State::Reversing) => self.dead,
            _ => false,
        };
        check(ended, &format!("the terminal has it undone, the record has it {state:?}"))?;
        check(open.is_none() || credited || self.dead, "the terminal has it undone, and a network has it open")?;
        check(open.is_some() || !credited, "it was credited, and no network has it open")?;
        check(self.payment.is_none_or(|payment| payment.standing.captured == 0), "it is undone and captured")?;
        let fine = match self.items.as_slice() {
            [] => true,
            [item, back] => {
                let same = item.amount == back.amount && matches!(item.kind, CaptureKind::Sale | CaptureKind::Refund);
                same && match (back.kind, back.clearing) {
                    (CaptureKind::Void, Clearing::Presentment) => back.date == item.date,
                    (CaptureKind::Void, Clearing::Online) => back.date >= item.date,
                    (CaptureKind::Credit, Clearing::Presentment) => back.date > item.date,
                    _ => false,
                }
            }
            _ => false,
        };
        check(fine, &format!("its items do not cancel: {:?}", self.items))
    }
}

fn check(right: bool, what: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(what.to_owned()) }
}
