//! What is asked in a demonstration, by whom, and what goes wrong with it.

use serde_json::Value;

use super::{DEBTORS, metric};
use crate::demo::steps::Steps;
use crate::three_books::terminals::TerminalsBook;

/// What the card networks do to some requests.
pub(super) fn card_rules() -> Vec<String> {
    [
        // The first reversal never arrives, the answer to the second is lost: each is sent again (0421).
        r#"{ do = "silent", mti = ["0420"], times = 1 }"#,
        r#"{ do = "silent-approved", mti = ["0420"], skip = 1, times = 1 }"#,
        // The answer to an advice is lost (0221).
        r#"{ do = "silent-approved", mti = ["0220"], times = 1 }"#,
        r#"{ do = "late", ms = 400, amount_ends = "90" }"#,
        r#"{ do = "silent", amount_ends = "91" }"#,
        r#"{ do = "silent-approved", amount_ends = "92" }"#,
        r#"{ do = "twice", amount_ends = "93" }"#,
        r#"{ do = "garbled", amount_ends = "94" }"#,
        r#"{ do = "wrong-mac", amount_ends = "95" }"#,
        r#"{ do = "late", ms = 1400, amount_ends = "96" }"#,
        r#"{ do = "partial", amount_ends = "97" }"#,
    ]
    .map(str::to_owned)
    .into()
}

/// What the bank does to some transfers.
pub(super) fn bank_rules() -> Vec<String> {
    [
        r#"{ do = "silent", skip = 3, times = 2, pending = 1 }"#,
        r#"{ do = "late", ms = 1500, skip = 2, times = 2 }"#,
        r#"{ do = "reject", skip = 4, times = 3 }"#,
        r#"{ do = "twice", skip = 6, times = 3 }"#,
        r#"{ do = "lost", skip = 8, times = 1 }"#,
    ]
    .map(str::to_owned)
    .into()
}

/// Terminals of the demonstration: three with random conversations and one of [`one_of_each`] that speak
/// ASCII, then two and one that speak the packed form.
pub(super) const TERMINALS: usize = 7;

/// Three terminals with random conversations.
pub(super) fn terminals(conversations: u64) -> Vec<String> {
    random(conversations, 7, r#"["TERM0001", "TERM0002", "TERM0003"]"#)
}

/// Two terminals with others, half as many.
pub(super) fn binary_terminals(conversations: u64) -> Vec<String> {
    random(conversations.div_ceil(2), 11, r#"["TERM0005", "TERM0006"]"#)
}

fn random(conversations: u64, seed: u64, terminals: &str) -> Vec<String> {
    [
        format!("conversations = {conversations}"),
        "in_flight = 4".to_owned(),
        format!("seed = {seed}"),
        "mischief_per_mille = 150".to_owned(),
        "mischief_ends = [\"90\", \"91\", \"92\", \"93\", \"94\", \"95\", \"96\", \"97\"]".to_owned(),
        // Partial reversals (DE95) are refused by this version.
        "mix.authorization-reduced = 0".to_owned(),
        "fleet.terminal.timer_ms = 6000".to_owned(),
        "fleet.terminal.retry_ms = 1000".to_owned(),
        format!("fleet.terminals = {terminals}"),
    ]
    .into()
}

/// Sales of [`one_of_each`] that have to be there before the cut-over.
pub(super) const BEFORE_CUT_OVER: usize = 2;

/// One terminal: first a sale on each network that is reversed well after the cut-over; meanwhile
/// every kind of payment with every end once on each network, so that none depends on a draw.
pub(super) fn one_of_each(terminal: &str) -> Vec<String> {
    let approved = r#"expect = { saw = "approved" }"#;
    let declined = r#"expect = { saw = "declined" }"#;
    let mut steps = Vec::new();
    let networks = || ["dual", "single"].into_iter().enumerate();
    for (at, network) in networks() {
        let nth = at + 3;
        steps.push(format!(
            r#"send = "purchase", id = "late-{network}", network = "{network}", nth = {nth}, reading = "ecommerce", amount = 1500, {approved}"#
        ));
    }
    for (at, network) in networks() {
        let card = |nth: usize| format!(r#"network = "{network}", nth = {}"#, 10 * (at + 1) + nth);
        let more = [
            format!(r#"send = "purchase", {}, pin = "right", amount = 2010, {approved}"#, card(0)),
            format!(r#"send = "authorization", {}, pin = "right", amount = 2120, {approved}"#, card(1)),
            format!(r#"send = "authorization", id = "auth-{network}", {}, pin = "right", amount = 2230, {approved}"#, card(2)),
            format!(r#"send = "completion", of = "auth-{network}", amount = 2040, {approved}"#),
            format!(r#"send = "refund", {}, reading = "contactless", amount = 1040, {approved}"#, card(3)),
            format!(r#"send = "balance", {}, pin = "right", amount = 0, {approved}"#, card(4)),
            format!(r#"send = "purchase", id = "back-{network}", {}, pin = "right", amount = 1750, {approved}"#, card(5)),
            format!(r#"send = "reversal-advice", of = "back-{network}", {approved}"#),
            format!(
                r#"send = "purchase", {}, card = "empty", reading = "contactless", amount = 1860, expect = {{ code = ["51"] }}"#,
                card(6)
            ),
            // By the rules above: the request is lost, then its answer.
            format!(r#"send = "purchase", {}, reading = "contactless", amount = 1991, {declined}"#, card(7)),
            format!(r#"send = "purchase", {}, reading = "contactless", amount = 1992, {declined}"#, card(8)),
        ];
        steps.extend(more);
    }
    steps.push(format!(r#"send = "reversal", of = "late-dual", wait_ms = 4000, {approved}"#));
    steps.push(format!(r#"send = "reversal", of = "late-single", {approved}"#));
    let steps: Vec<String> = steps.into_iter().map(|step| format!("{{ {step} }}")).collect();
    vec![
        format!("given = [{{ name = \"one-of-each\", step = [{}] }}]", steps.join(", ")),
        "fleet.terminal.timer_ms = 6000".to_owned(),
        format!("fleet.terminals = [\"{terminal}\"]"),
        // Its references are made by the switch, as for terminals that have none.
        "fleet.terminal.send_rrn = false".to_owned(),
    ]
}

/// The instructing party.
pub(super) fn party() -> Vec<String> {
    [
        "transfers = 60".to_owned(),
        format!("debtors = {DEBTORS}"),
        "in_flight = 8".to_owned(),
        "min_minor = 100".to_owned(),
        "max_minor = 99999".to_owned(),
        "doubles_per_mille = 50".to_owned(),
        "curious_per_mille = 50".to_owned(),
        "ask_after_ms = 4000".to_owned(),
        "ask_every_ms = 1000".to_owned(),
    ]
    .into()
}

/// What the traffic was, by the terminals' own book and by the switch's counters.
pub(super) fn facts(steps: &mut Steps, metrics: &str, terminals: &Value, book: &TerminalsBook) {
    let pins = metric(metrics, "switchyard_pins_translated_total");
    steps.population("PINs translated in the token", pins);
    steps.population("answers that matched nothing, recorded and ignored", metric(metrics, "switchyard_answers_unmatched_total"));
    steps.population("repeats answered from the record", metric(metrics, "switchyard_repeats_total"));
    steps.fact("pins_translated", pins);
    steps.fact("terminal_codes", terminals["codes"].clone());
    steps.fact("owed_messages_sent_with_repeats", metric(metrics, "switchyard_saf_attempts_total"));
    let [p50, p99] = ["p50_us", "p99_us"].map(|name| thousandths(terminals["latency"][name].as_u64().unwrap_or(0)));
    let answered = book.answered();
    let a_second = per_second(answered.count, answered.micros);
    steps.population("authorizations answered (purchases, authorizations, refunds)", answered.count);
    steps.fact("authorizations_answered", answered.count);
    steps.fact("authorizations_seconds", thousandths(answered.micros / 1000));
    steps.say(format!(
        "{a_second} a second from three ASCII terminals that wait for each answer; p50 {p50} ms, p99 {p99} ms with misbehaving networks \
         (./dev bench switch measures)"
    ));
    steps.fact("p50_ms", p50);
    steps.fact("p99_ms", p99);
    steps.fact("authorizations_per_second", a_second);
}

/// A whole number of parts as a JSON number with so many digits behind the point, without arithmetic on
/// floats: thousandths of 47519 are 47.519.
fn with_digits(whole: u128, digits: usize) -> Value {
    let text = format!("{whole:0width$}", width = digits + 1);
    let (before, behind) = text.split_at(text.len() - digits);
    format!("{before}.{behind}").parse().map_or(Value::Null, Value::Number)
}

fn thousandths(whole: u64) -> Value {
    with_digits(whole.into(), 3)
}

/// How many a second, one digit behind the point.
fn per_second(count: u64, micros: u64) -> Value {
    with_digits(u128::from(count) * 10_000_000 / u128::from(micros.max(1)), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_numbers() {
        assert_eq!(per_second(223, 7_400_000).to_string(), "30.1");
        assert_eq!(per_second(1, 0).to_string(), "1000000.0", "nothing is divided by zero");
        assert_eq!([thousandths(47_519), thousandths(7)].map(|ms| ms.to_string()), ["47.519", "0.007"]);
        assert!(thousandths(7).is_number() && thousandths(u64::MAX).is_number());
    }

    /// The scenario is TOML in a string: nobody else would notice before a demonstration fails.
    #[test]
    fn one_of_each_can_be_played() {
        let text = one_of_each("TERM0004").remove(0);
        #[derive(serde::Deserialize)]
        struct Given {
            given: Vec<simulators::pos::scenario::Scenario>,
        }
        let given: Given = toml::from_str(&text).unwrap();
        assert_eq!(simulators::pos::scenario::check(&given.given[0].step), Ok(()));
        assert_eq!(given.given[0].step.len(), BEFORE_CUT_OVER + 2 * 11 + 2);
    }
}
