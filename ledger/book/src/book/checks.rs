//! The checks of one command, in order; a command that passes has its numbers.

use payments::{Cause, PaymentId, State};

use super::Refusal;
use super::layer::{Days, Trial};
use super::money::{next, post};
use super::recent::{HoldKnown, Known};
use crate::command::{Capture, CaptureKind, Command, JournalKind, LaneWrite, PaymentKind, PaymentWrite, Standing};
use crate::store::EntryNumbers;

/// Checks a command on top of what came before it and writes the numbers into it. Returns its
/// canonical body and the numbers of its entries.
pub(super) fn check(trial: &mut Trial<'_>, command: &mut Command) -> Result<(String, Vec<EntryNumbers>), Refusal> {
    claims(trial, command)?;
    payment(trial, command)?;
    days(&mut trial.mine.days, command)?;
    capture(trial, command.capture.as_mut())?;
    lanes(trial, &command.lanes)?;
    let entries = post(trial, &mut command.journals, command.hold.as_ref())?;
    trial.mine.stans.extend(command.stan);
    if let Some(event) = &mut command.outbox {
        event.seq = next(&mut trial.mine.numbers.outbox)?;
    }
    // Cannot fail: no map in a command has keys that are not text.
    let body = serde_json::to_string(command).map_err(|_| Refusal::Overflow)?;
    Ok((body, entries))
}

fn claims(trial: &mut Trial<'_>, command: &Command) -> Result<(), Refusal> {
    for taken in command.claim.iter().chain(&command.tombstone) {
        if trial.claimed(&taken.key) {
            return Err(Refusal::ClaimTaken(taken.key));
        }
        trial.mine.claims.insert(taken.key);
    }
    Ok(())
}

fn payment(trial: &mut Trial<'_>, command: &Command) -> Result<(), Refusal> {
    let item = command.capture.as_ref();
    let exposed = command.journals.iter().any(|journal| journal.kind == JournalKind::Exposure);
    let (id, standing, mut known) = match &command.payment {
        // An item belongs to the change that captured it: else the remainder would not know of it.
        None => return item.map_or(Ok(()), |item| Err(Refusal::Illegal(item.payment))),
        Some(PaymentWrite::Open { facts, cause, standing }) => {
            let id = facts.id;
            let known = trial.payment(&id).cloned().unwrap_or_default();
            if standing.version != 1 || known.standing.is_some() {
                return Err(Refusal::Version(id));
            }
            lifecycle(id, Some(facts.kind), Before::Nothing, *cause, standing.state)?;
            remainder(id, Some(facts.kind), Some(&NOTHING), standing, item, exposed)?;
            let fresh = Known {
                kind: Some(facts.kind),
                currency: Some(facts.amount.currency()),
                lane_items: Some(0),
                hold: if known.hold == HoldKnown::Unknown { HoldKnown::None } else { known.hold },
                ..known
            };
            (id, standing, fresh)
        }
        Some(PaymentWrite::Change { id, cause, standing, .. }) => {
            let known = trial.payment(id).cloned().unwrap_or_default();
            let next = known.standing.map(|before| before.version.checked_add(1));
            if standing.version < 2 || next.is_some_and(|next| next != Some(standing.version)) {
                return Err(Refusal::Version(*id));
            }
            let before = known.standing.map_or(Before::Unknown, |before| Before::State(before.state));
            lifecycle(*id, known.kind, before, *cause, standing.state)?;
            remainder(*id, known.kind, known.standing.as_ref(), standing, item, exposed)?;
            (*id, standing, known)
        }
    };
    if item.is_some_and(|item| item.payment != id || known.currency.is_some_and(|c| c != item.amount.currency())) {
        return Err(Refusal::Illegal(id));
    }
    known.standing = Some(*standing);
    trial.mine.payments.insert(id, known);
    Ok(())
}

/// What is known of the state before a change.
enum Before {
    /// The payment begins.
    Nothing,
    /// It was in this state.
    State(State),
    /// Not remembered; the store's version vouches for it.
    Unknown,
}

/// The state must be the one that the lifecycle gives, for the kind of payment where that is known.
fn lifecycle(id: PaymentId, kind: Option<PaymentKind>, before: Before, cause: Cause, after: State) -> Result<(), Refusal> {
    let steps = |from: Option<State>| {
        let card = kind != Some(PaymentKind::Transfer) && State::step(from, cause) == Ok(after);
        let transfer = kind.is_none_or(|kind| kind == PaymentKind::Transfer) && State::step_transfer(from, cause) == Ok(after);
        card || transfer
    };
    let legal = match before {
        Before::Nothing => steps(None),
        Before::State(state) => steps(Some(state)),
        Before::Unknown => State::ALL.into_iter().any(|state| steps(Some(state))),
    };
    if legal { Ok(()) } else { Err(Refusal::Illegal(id)) }
}

/// Where a payment stands before it begins.
pub(crate) const NOTHING: Standing = Standing { version: 0, ..Standing::begins(State::Sent) };

/// What is captured changes by exactly the item of the command, and never beyond what was approved
/// unless the command posts the excess to exposure. A credit transfer has no items: all of it or
/// nothing is executed.
fn remainder(
    id: PaymentId,
    kind: Option<PaymentKind>,
    before: Option<&Standing>,
    after: &Standing,
    item: Option<&Capture>,
    exposed: bool,
) -> Result<(), Refusal> {
    let illegal = Err(Refusal::Illegal(id));
    if after.approved < 0 || after.captured < 0 || after.captures < 0 {
        return illegal;
    }
    if kind == Some(PaymentKind::Transfer) || matches!(after.state, State::Enquiring | State::Executed) {
        let whole = after.captured == 0 || (after.state == State::Executed && after.captured == after.approved);
        return if whole && item.is_none() && after.captures == 0 { Ok(()) } else { illegal };
    }
    let moved = match item {
        None => 0,
        Some(item) if item.amount.is_zero() || item.number != after.captures => return illegal,
        Some(item) => match item.kind {
            CaptureKind::Sale | CaptureKind::Refund => i128::from(item.amount.minor()),
            CaptureKind::Void | CaptureKind::Credit => -i128::from(item.amount.minor()),
        },
    };
    let captured = i128::from(after.captured);
    if captured < moved {
        return illegal;
    }
    if let Some(before) = before {
        let items = before.captures.checked_add(i16::from(item.is_some()));
        if captured != i128::from(before.captured) + moved || items != Some(after.captures) {
            return illegal;
        }
    }
    let excess = |standing: &Standing| (i128::from(standing.captured) - i128::from(standing.approved)).max(0);
    // A payment that is not remembered can only get a new excess by a new item.
    let allowed = before.map_or(if moved > 0 { 0 } else { i128::MAX }, excess);
    if excess(after) > allowed && !exposed { illegal } else { Ok(()) }
}

/// One day is open, at most one before it is being closed.
fn days(days: &mut Days, command: &Command) -> Result<(), Refusal> {
    if let Some(date) = command.day_opened {
        if days.closing.is_some() || days.open.is_some_and(|open| open >= date) {
            return Err(Refusal::Day(date));
        }
        *days = Days { open: Some(date), closing: days.open };
    }
    if let Some(date) = command.day_closed {
        if days.closing != Some(date) {
            return Err(Refusal::Day(date));
        }
        days.closing = None;
    }
    Ok(())
}

/// An item belongs to a day that is not closed: behind the closing it would miss the clearing file.
fn capture(trial: &mut Trial<'_>, item: Option<&mut Capture>) -> Result<(), Refusal> {
    let Some(item) = item else { return Ok(()) };
    let days = trial.mine.days;
    if days.open.is_some() && days.open != Some(item.date) && days.closing != Some(item.date) {
        return Err(Refusal::Day(item.date));
    }
    item.seq = next(&mut trial.mine.numbers.capture)?;
    Ok(())
}

/// Owed messages are numbered from 1 without gaps and end once.
fn lanes(trial: &mut Trial<'_>, writes: &[LaneWrite]) -> Result<(), Refusal> {
    for write in writes {
        match write {
            LaneWrite::Owe(item) => {
                let known = trial.payment_mut(item.payment);
                let wanted = known.lane_items.map(|last| last.checked_add(1));
                let again = known.lanes.contains_key(&item.number);
                if item.number < 1 || again || wanted.is_some_and(|wanted| wanted != Some(item.number)) {
                    return Err(Refusal::Duplicate);
                }
                known.lane_items = known.lane_items.map(|_| item.number);
                known.lanes.insert(item.number, true);
            }
            LaneWrite::End { payment, number, .. } => {
                let known = trial.payment_mut(*payment);
                let ended = known.lanes.get(number) == Some(&false);
                if *number < 1 || ended || known.lane_items.is_some_and(|last| *number > last) {
                    return Err(Refusal::Duplicate);
                }
                known.lanes.insert(*number, false);
            }
        }
    }
    Ok(())
}
