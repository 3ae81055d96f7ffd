//! Numbers that a configuration may not say: each would be read as written, and would lose money or stop
//! the switch without a word.

use engine::tables::{Deadlines, Limits, LinkSettings};
use payments::Outcome;

/// What is wrong with the bounds of the engine.
pub(crate) fn limits(limits: &Limits) -> Option<String> {
    let Limits { cases, waiters, queued } = *limits;
    let least = [("cases", cases), ("waiters", waiters), ("queued", queued)];
    least.into_iter().find(|(_, value)| *value == 0).map(|(name, _)| format!("{name} must be at least 1"))
}

/// What is wrong with the deadlines of requests.
pub(crate) fn deadlines(deadlines: &Deadlines) -> Option<String> {
    let Deadlines { send, reply } = *deadlines;
    if send.is_zero() {
        return Some("send must be more than 0: nothing would ever be sent".to_owned());
    }
    (send >= reply).then(|| format!("send ({} s) must be less than reply ({} s)", send.as_secs_f32(), reply.as_secs_f32()))
}

/// What is wrong with the rules of a link.
pub(crate) fn rules(rules: &LinkSettings, deadlines: &Deadlines) -> Option<String> {
    let seconds = |time: std::time::Duration| time.as_secs_f32();
    if rules.timeout_code.outcome() != Outcome::Declined {
        return Some(format!(
            "timeout_code {} approves: a network's silence would be told as an approval; write a decline such as 68",
            rules.timeout_code
        ));
    }
    if let Some(code) = rules.acknowledged.iter().find(|code| rules.retry.contains(code)) {
        return Some(format!("code {code} stands in acknowledged and in retry; one of them must go"));
    }
    if rules.acknowledged.is_empty() {
        return Some("acknowledged is empty: no reversal could ever end well".to_owned());
    }
    if rules.attempts_s.is_empty() || rules.attempts_s.contains(&0) {
        return Some("attempts_s needs at least one wait, none of them 0".to_owned());
    }
    if rules.lane_window == 0 {
        return Some("lane_window must be at least 1: no reversal would ever be sent".to_owned());
    }
    if rules.echo_every.is_zero() || rules.echo_missed == 0 {
        return Some("echo_every and echo_missed must be more than 0".to_owned());
    }
    if rules.answer_within.is_zero() || deadlines.send + rules.answer_within > deadlines.reply {
        return Some(format!(
            "answer_within ({} s) must be more than 0, and with [deadlines] send ({} s) no more than reply ({} s): the inner \
             deadline fires first",
            seconds(rules.answer_within),
            seconds(deadlines.send),
            seconds(deadlines.reply)
        ));
    }
    (rules.maximum_life < rules.answer_within).then(|| {
        format!(
            "maximum_life ({} s) must be at least answer_within ({} s): a reversal would overtake its original",
            seconds(rules.maximum_life),
            seconds(rules.answer_within)
        )
    })
}
