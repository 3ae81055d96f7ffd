//! Plays the steps of one conversation on one terminal, and holds what was seen against what was
//! expected.

use std::collections::BTreeMap;

use iso8583::Message;
use payments::Text;

use super::exchange::{Ended, Exchange, Seen, Silence, Subject, minor, state_line};
use super::fleet::{Fleet, Seat, lock};
use super::record::Standing;
use super::scenario::{Expect, Operation, Saw, Step};
use crate::Error;
use crate::wire::{self, de};

/// What a terminal remembers of a transaction during its conversation.
struct Transaction {
    subject: Subject,
    request: Message,
    /// Whether it was made and not sent yet.
    withheld: bool,
    /// How it stands; `None` as long as nothing was sent about it.
    ended: Option<Ended>,
}

/// Plays steps to their end. The error is one of the book or of the scenario, not of the switch.
pub async fn play(fleet: &Fleet, seat: &Seat, name: &str, steps: &[Step]) -> Result<(), Error> {
    let mut transactions = BTreeMap::<usize, Transaction>::new();
    let mut named = BTreeMap::<&str, usize>::new();
    for (number, step) in steps.iter().enumerate() {
        if step.wait_ms > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(step.wait_ms)).await;
        }
        let earlier = named.get(step.of.as_str()).copied();
        let of = earlier.and_then(|at| transactions.get(&at));
        let made = match make(fleet, seat, step, of)? {
            Some(made) => made,
            None => {
                lock(&fleet.tally).skipped_steps += 1;
                continue;
            }
        };
        if !step.id.is_empty() {
            named.insert(step.id.as_str(), number);
        }
        let (subject, request, silence) = made;
        if step.withhold {
            transactions.insert(number, Transaction { subject, request, withheld: true, ended: None });
            continue;
        }
        let begun = fleet.clock.now();
        let mut exchange = Exchange::new(seat.terminal.clone(), subject.clone(), request.clone(), silence)
            .with_wrong_mac(step.wrong_mac)
            .losing_answers(step.lose_answer);
        let ended = fleet.exchange(seat, &mut exchange).await?;
        let first = of.and_then(|of| of.ended.as_ref()).and_then(|ended| ended.answer.clone());
        {
            let mut tally = lock(&fleet.tally);
            if ended.answer.is_some() && is_card(step.send) {
                let taken = fleet.clock.now().mono.since(begun.mono);
                tally.latency.record(u64::try_from(taken.as_micros()).unwrap_or(u64::MAX));
            }
            let again = matches!(step.send, Operation::Repeat | Operation::Duplicate);
            if let Some(expect) = step.expect.as_ref().filter(|_| !(again && without_trace(first.as_ref()))) {
                let missed = miss(expect, &ended, first.as_ref());
                let words = missed.map(|missed| format!("{name}, step {} ({}): {missed}", number + 1, step.send.as_str()));
                tally.expectation(words);
            }
        }
        let changed = match step.send {
            // The first real attempt, where the one before left no trace: its outcome is that of the transaction.
            Operation::Repeat | Operation::Duplicate if without_trace(first.as_ref()) => {
                if let Some(of) = earlier.and_then(|at| transactions.get_mut(&at)) {
                    (of.request, of.ended) = (request, Some(ended));
                }
                earlier
            }
            Operation::Repeat | Operation::Duplicate | Operation::Echo | Operation::SignOn | Operation::SignOff => None,
            Operation::Completion | Operation::Reversal | Operation::ReversalAdvice => {
                earlier.filter(|at| transactions.get_mut(at).is_some_and(|of| follow(of, step, &ended, &request)))
            }
            Operation::Release => earlier.inspect(|at| {
                if let Some(of) = transactions.get_mut(at) {
                    of.ended = Some(ended.clone());
                    of.withheld = false;
                }
            }),
            Operation::Purchase | Operation::Authorization | Operation::Refund | Operation::Balance => {
                transactions.insert(number, Transaction { subject, request, withheld: false, ended: Some(ended) });
                Some(number)
            }
        };
        if let Some((of, ended)) = changed.and_then(|at| transactions.get(&at)).and_then(|of| Some((of, of.ended.as_ref()?))) {
            let line = state_line(seat.terminal.id, &of.subject, &of.request, fleet.clock.now(), ended);
            let ticket = fleet.log(&line)?;
            fleet.durable(ticket).await?;
        }
    }
    let mut tally = lock(&fleet.tally);
    for of in transactions.values() {
        if let Some(ended) = &of.ended {
            tally.transaction(&of.subject.network, of.subject.send.as_str(), ended.standing, ended.stands);
        }
    }
    *tally.conversations.entry(name.to_owned()).or_default() += 1;
    Ok(())
}

/// The message of a step and what silence leads to; `None` where the step has become pointless.
fn make(fleet: &Fleet, seat: &Seat, step: &Step, of: Option<&Transaction>) -> Result<Option<(Subject, Message, Silence)>, Error> {
    let now = fleet.clock.now().wall;
    let terminal = &seat.terminal;
    let own = |network: &str| Subject { send: step.send, network: network.to_owned(), of: Text::EMPTY };
    if matches!(step.send, Operation::Echo | Operation::SignOn | Operation::SignOff) {
        let function = match step.send {
            Operation::SignOn => "001",
            Operation::SignOff => "002",
            _ => "301",
        };
        return Ok(Some((own(""), terminal.management(function, &seat.link.next_stan(), now), Silence::GiveUp)));
    }
    if is_card(step.send) {
        let card = fleet.population(&step.network)?.of_class(step.card, step.nth)?;
        let request = terminal.request(step, &card, fleet.pvk.as_ref(), now)?;
        let silence = if step.send == Operation::Balance || step.wrong_mac { Silence::GiveUp } else { Silence::Reverse };
        return Ok(Some((own(&step.network), request, silence)));
    }
    // Steps about an earlier one, which is not there when that one was skipped itself.
    let Some(of) = of else { return Ok(None) };
    let standing = of.ended.as_ref().map(|ended| ended.standing);
    let stan = of.request.get(de::STAN).and_then(|raw| Text::from_bytes(raw).ok()).unwrap_or_default();
    let subject = Subject { of: stan, ..own(&of.subject.network) };
    let seen = of.ended.as_ref().and_then(|ended| ended.answer.clone()).unwrap_or_default();
    Ok(match (step.send, standing) {
        (Operation::Completion, Some(Standing::Approved)) => {
            let amount = step.amount.unwrap_or_else(|| minor(&of.request));
            let rrn = of.request.str(de::RRN).unwrap_or(seen.rrn.as_str());
            Some((subject, terminal.completion(&of.request, rrn, seen.approval.as_str(), amount, now), Silence::Insist))
        }
        (Operation::Reversal | Operation::ReversalAdvice, None | Some(Standing::Approved | Standing::Completed)) => {
            let advice = step.send == Operation::ReversalAdvice;
            let rrn = if of.request.has(de::RRN) { "" } else { seen.rrn.as_str() };
            Some((subject, terminal.reversal(&of.request, advice, rrn, step.final_amount, now), Silence::Insist))
        }
        (Operation::Repeat | Operation::Duplicate, Some(Standing::Approved | Standing::Completed | Standing::Declined)) => {
            let mut again = of.request.clone();
            if let (Operation::Repeat, Some(mti)) = (step.send, wire::repeat_mti(again.mti())) {
                again.retype(mti);
            }
            if step.new_de7 {
                again.set(de::TRANSMISSION, now.transmission().as_str());
            }
            if let Some(amount) = step.amount {
                again.set(de::AMOUNT, format!("{amount:012}"));
            }
            let money = of.subject.send != Operation::Balance;
            let silence = if money && without_trace(Some(&seen)) { Silence::Reverse } else { Silence::GiveUp };
            Some((subject, again, silence))
        }
        (Operation::Release, _) if of.withheld => Some((of.subject.clone(), of.request.clone(), Silence::Reverse)),
        _ => None,
    })
}

/// What a completion or reversal does to its transaction; tells whether anything changed.
fn follow(of: &mut Transaction, step: &Step, ended: &Ended, request: &Message) -> bool {
    let code = ended.answer.as_ref().map(|seen| seen.code);
    let approved = ended.standing == Standing::Approved;
    let (standing, stands) = match (step.send, code) {
        (Operation::Completion, _) if approved => (Standing::Completed, minor(request)),
        (Operation::Completion, _) => return false,
        (_, None) => (Standing::Reversing, of.ended.as_ref().map_or(0, |ended| ended.stands)),
        (_, Some(_)) if approved && step.final_amount.is_some_and(|minor| minor > 0) => {
            let standing = of.ended.as_ref().map_or(Standing::Approved, |ended| ended.standing);
            (standing, step.final_amount.unwrap_or(0))
        }
        // Nothing to take back is as good as taken back.
        (_, Some(code)) if approved || matches!(code.as_str(), "21" | "25") => (Standing::Reversed, 0),
        _ => return false,
    };
    let answer = of.ended.take().and_then(|ended| ended.answer);
    of.ended = Some(Ended { standing, stands, answer });
    true
}

/// Whether a request was refused before anything was kept of it (format error, issuer unavailable,
/// malfunction): the same message sent again is then a new request, and may be approved.
fn without_trace(answer: Option<&Seen>) -> bool {
    answer.is_some_and(|seen| matches!(seen.code.as_bytes(), b"30" | b"91" | b"96"))
}

fn is_card(send: Operation) -> bool {
    matches!(send, Operation::Purchase | Operation::Authorization | Operation::Refund | Operation::Balance)
}

/// In words, what was seen instead of what was expected.
fn miss(expect: &Expect, ended: &Ended, first: Option<&Seen>) -> Option<String> {
    let code = ended.answer.as_ref().map(|seen| seen.code.to_string());
    let saw = match (&ended.answer, ended.standing) {
        (None, Standing::Reversed) => Saw::Reversed,
        (None, _) => Saw::Nothing,
        (Some(_), Standing::Approved) => Saw::Approved,
        (Some(_), _) => Saw::Declined,
    };
    let told = code.clone().unwrap_or_else(|| "no answer".to_owned());
    if !expect.code.is_empty() && !code.is_some_and(|code| expect.code.contains(&code)) {
        return Some(format!("expected {}, saw {told}", expect.code.join(" or ")));
    }
    match expect.saw {
        Some(Saw::Same) => {
            let same = |seen: &Seen| (seen.code, seen.approval);
            let (now, then) = (ended.answer.as_ref().map(same), first.map(same));
            if now.is_none() || now != then {
                return Some(format!("expected the first answer again, saw {told}"));
            }
        }
        Some(wanted) if wanted != saw => return Some(format!("expected {wanted:?}, saw {saw:?} ({told})")),
        _ => {}
    }
    match expect.stands {
        Some(wanted) if wanted != ended.stands => Some(format!("expected {wanted} to stand, {} stands", ended.stands)),
        _ => None,
    }
}
