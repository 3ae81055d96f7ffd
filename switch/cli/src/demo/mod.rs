//! `switchyard demo`: the whole job, end to end and for real, as processes of their own. Every check
//! that fails makes it end with 1.

mod judge;
mod proof;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use payments::BusinessDate;
use serde_json::{Value, json};
use simulators::bank::accounts;

use crate::exit::{CHECK, Exit, IO, OrExit, UNAVAILABLE};
use crate::stack::{Process, Stack, StackOptions};
use crate::verbs::admin;
use steps::Steps;

/// Options of the demonstration.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard demo --json | tail -1")]
pub(crate) struct Arguments {
    /// Where to write; a fresh directory under /var/tmp when absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Conversations of the terminals.
    #[arg(long, default_value_t = 240)]
    conversations: u64,
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Afterwards, purchases a second, open loop.
    #[arg(long)]
    rate: Option<u32>,
    /// For how many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
}

/// Accounts that the switch keeps for the instructing party's debtors.
const DEBTORS: u32 = 8;

pub(crate) fn run(arguments: Arguments) -> Result<(), Exit> {
    let own = arguments.dir.is_none();
    let dir = arguments.dir.clone().unwrap_or_else(|| {
        let unique = std::process::id();
        PathBuf::from(format!("/var/tmp/switchyard-demo-{unique}"))
    });
    let mut steps = Steps::new(false);
    let done = demonstrate(&arguments, &dir, &mut steps);
    if let Err(exit) = &done {
        steps.check(format!("the run itself: {}", exit.what), false);
    }
    let (failed, checks) = steps.outcome();
    println!();
    if failed.is_empty() {
        println!("{checks} checks, all good");
    } else {
        println!("{checks} checks, {} failed:", failed.len());
        failed.iter().for_each(|what| println!("  {what}"));
    }
    let good = failed.is_empty();
    if own && good && !arguments.keep {
        remove(&dir);
    } else {
        println!("everything is in {}", dir.display());
    }
    if arguments.json {
        let mut object = steps.facts.clone();
        object.insert("good".to_owned(), good.into());
        println!("{}", Value::Object(object));
    }
    if good { Ok(()) } else { Err(Exit::new(CHECK, "")) }
}

fn demonstrate(arguments: &Arguments, dir: &Path, steps: &mut Steps) -> Result<(), Exit> {
    let program = std::env::current_exe().or_exit(IO)?;

    steps.begin("keys, token, two networks and a bank");
    let mut options = StackOptions::new(program, dir);
    options.dual_rules = card_rules();
    options.single_rules = card_rules();
    options.bank_rules = vec![
        r#"{ do = "silent", skip = 3, times = 2, pending = 1 }"#.to_owned(),
        r#"{ do = "late", ms = 1500, skip = 2, times = 2 }"#.to_owned(),
        r#"{ do = "reject", skip = 4, times = 3 }"#.to_owned(),
        r#"{ do = "twice", skip = 6, times = 3 }"#.to_owned(),
        r#"{ do = "lost", skip = 8, times = 1 }"#.to_owned(),
    ];
    let mut stack = Stack::prepare(options).or_exit(UNAVAILABLE)?;
    let keys = stack.command(&["hsm", "key", "list"], None).or_exit(UNAVAILABLE)?;
    steps.say(format!("networks at {} and {}, bank at {}", "dual", "single", "127.0.0.1"));
    steps.population("keys in the PKCS#11 token", keys.lines().count() as u64);
    steps.end();

    steps.begin("the switch: private PostgreSQL, migrations, links signed on");
    stack.start_switch(&[]).or_exit(UNAVAILABLE)?;
    steps.say(format!("terminals at {}, party at {}, admin at {}", stack.pos, stack.party, stack.admin));
    let today = open_day(&stack)?;
    steps.say(format!("business day {today}"));
    let livez = admin::get_text(&stack.admin, "/livez")?;
    let ready = admin::get(&stack.admin, "/readyz")?;
    steps.check("/livez and /readyz", livez == "ok" && ready["ready"] == json!(true));
    for number in 0..DEBTORS {
        let account = accounts::debtor(number).or_exit(IO)?;
        let order = json!({ "reference": format!("opening-{number}"), "account": account.as_str(),
            "amount_minor": 50_000_000, "currency": 978 });
        admin::post(&stack.admin, "/v1/deposits", &order)?;
    }
    steps.end();

    steps.begin("traffic: terminals on both networks, credit transfers, and a cut-over under it");
    let began = Instant::now();
    let pos = stack.start_pos("pos", &pos_options(arguments.conversations)).or_exit(UNAVAILABLE)?;
    // One sale of each network before the cut-over whose reversal comes behind it.
    let late = stack.start_pos("late-reversal", &late_reversal()).or_exit(UNAVAILABLE)?;
    let party = stack.start_party("party", &party_options()).or_exit(UNAVAILABLE)?;
    stack
        .wait("the first payments", Duration::from_secs(60), |stack| {
            let text = admin::get_text(&stack.admin, "/metrics").ok()?;
            (metric(&text, "switchyard_requests_total") > arguments.conversations / 2).then_some(())
        })
        .or_exit(UNAVAILABLE)?;
    let tomorrow = today.next();
    admin::post(&stack.admin, "/v1/cut-over", &json!({ "date": tomorrow }))?;
    steps.say(format!("cut over to {tomorrow} while {} are in flight", in_flight(&stack)?));
    let (_, terminals) = pos.wait(Duration::from_secs(300)).or_exit(UNAVAILABLE)?;
    let (_, late) = late.wait(Duration::from_secs(120)).or_exit(UNAVAILABLE)?;
    let (_, transfers) = party.wait(Duration::from_secs(120)).or_exit(UNAVAILABLE)?;
    let took = began.elapsed();
    settle_down(&mut stack)?;
    for (who, summary) in [("terminals", &terminals), ("late reversals", &late)] {
        let expectations = summary["expectations_met"].as_u64().unwrap_or(0);
        steps.check(format!("{who}: {expectations} expectations met, none missed: {}", summary["missed"]), met(summary));
    }
    steps.population("credit transfers executed", transfers["executed"].as_u64().unwrap_or(0));
    steps.check(
        "no transfer's status contradicts another",
        transfers["contradictions"] == json!(0) && transfers["unknown"] == json!(0),
    );
    let metrics = admin::get_text(&stack.admin, "/metrics")?;
    traffic_facts(steps, &metrics, &terminals, &transfers, took);
    steps.end();

    steps.begin("the closed day: clearing file, read back and proved");
    wait_closed(&mut stack, today)?;
    let files = build(&stack, today)?;
    let again = build(&stack, today)?;
    steps.check("a second run finds the same file", again["found"] == json!(true) && again["sha256"] == files["sha256"]);
    let verified = stack.command_with(&["clearing", "verify"], &[files["manifest"].as_str().unwrap_or_default()]);
    steps.check("the file agrees with its manifest", verified.is_ok());
    steps.population("records in the clearing file", files["records"].as_u64().unwrap_or(0));
    steps.say(format!("{} sha256 {}", files["file"].as_str().unwrap_or_default(), files["sha256"].as_str().unwrap_or_default()));
    steps.end();

    steps.begin("the day after: its own file, with what came back after the freeze");
    let after = tomorrow.next();
    admin::post(&stack.admin, "/v1/cut-over", &json!({ "date": after }))?;
    wait_closed(&mut stack, tomorrow)?;
    let second = build(&stack, tomorrow)?;
    let credits = second["totals"].as_array().into_iter().flatten().filter(|total| total["movement"] != json!("sale")).count();
    steps.population("credits and refunds in the second file, kinds of", credits as u64);
    steps.fact("clearing_files", json!([files, second]));
    steps.end();

    let rate = arguments.rate;
    if let Some(rate) = rate {
        load(steps, &stack, rate, arguments.seconds)?;
        settle_down(&mut stack)?;
    }

    proof::record(steps, &stack)?;

    if arguments.keep {
        keep(steps, &mut stack);
    }
    steps.begin("the end: everything stops, and the issuers write their reports");
    let status = stack.stop_switch().or_exit(UNAVAILABLE)?;
    steps.check("the switch drained and ended with 0", status.success());
    let dir = dir.to_owned();
    let config = stack.config();
    let reports = ["dual", "single"].map(|network| dir.join(format!("{network}.report.ndjson")));
    let summaries = stack.stop_peers().or_exit(UNAVAILABLE)?;
    steps.fact("issuers", json!(&summaries[..2]));
    steps.fact("bank", summaries[2].clone());
    steps
        .population("credit transfers that the switch asked about (pacs.028)", summaries[2]["asked_about"].as_u64().unwrap_or(0));
    steps.check("no transfer was ever resent", summaries[2]["resent"] == json!(0));
    steps.end();

    proof::books(steps, &config, &dir, &reports)
}

/// What the card networks do to some amounts.
fn card_rules() -> Vec<String> {
    [
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

fn pos_options(conversations: u64) -> Vec<String> {
    [
        format!("conversations = {conversations}"),
        "in_flight = 4".to_owned(),
        "seed = 7".to_owned(),
        "mischief_per_mille = 150".to_owned(),
        "mischief_ends = [\"90\", \"91\", \"92\", \"93\", \"94\", \"95\", \"96\", \"97\"]".to_owned(),
        // Partial reversals (DE95) are refused by this version.
        "mix.authorization-reduced = 0".to_owned(),
        "fleet.terminal.timer_ms = 6000".to_owned(),
        "fleet.terminal.retry_ms = 1000".to_owned(),
        // The fourth terminal is the one that reverses late.
        "fleet.terminals = [\"TERM0001\", \"TERM0002\", \"TERM0003\"]".to_owned(),
    ]
    .into()
}

/// A sale on each network, reversed well after the cut-over.
fn late_reversal() -> Vec<String> {
    let step = |network: &str, nth: u32| {
        format!(
            r#"{{ send = "purchase", id = "{network}", network = "{network}", nth = {nth}, reading = "ecommerce", amount = 1500, expect = {{ saw = "approved" }} }}, {{ send = "reversal", of = "{network}", wait_ms = 6000, expect = {{ saw = "approved" }} }}"#
        )
    };
    vec![
        format!("given = [{{ name = \"late-reversal\", step = [{}, {}] }}]", step("dual", 3), step("single", 4)),
        "fleet.terminal.timer_ms = 6000".to_owned(),
        "fleet.terminals = [\"TERM0004\"]".to_owned(),
        // Its references are made by the switch, as for terminals that have none.
        "fleet.terminal.send_rrn = false".to_owned(),
    ]
}

fn party_options() -> Vec<String> {
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

fn met(summary: &Value) -> bool {
    summary["expectations_missed"] == json!(0) && summary["expectations_met"].as_u64().is_some_and(|met| met > 0)
}

fn open_day(stack: &Stack) -> Result<BusinessDate, Exit> {
    let status = stack.status().or_exit(UNAVAILABLE)?;
    let day = status["shards"][0]["business_date"].as_str().unwrap_or_default();
    BusinessDate::parse(day).map_err(|_| Exit::new(UNAVAILABLE, "the switch names no business day"))
}

fn in_flight(stack: &Stack) -> Result<u64, Exit> {
    let status = stack.status().or_exit(UNAVAILABLE)?;
    Ok(status["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["in_flight"].as_u64()).sum())
}

/// Waits until nothing is in flight and nothing is owed.
fn settle_down(stack: &mut Stack) -> Result<(), Exit> {
    let calm = |stack: &Stack| {
        let status = stack.status().ok()?;
        let calm = status["shards"].as_array()?.iter().all(|shard| shard["in_flight"] == json!(0) && shard["owed"] == json!(0));
        (calm && status["carried"] == json!(0)).then_some(())
    };
    stack.wait("everything owed to be acknowledged", Duration::from_secs(120), calm).or_exit(UNAVAILABLE)
}

fn wait_closed(stack: &mut Stack, day: BusinessDate) -> Result<(), Exit> {
    let closed = |stack: &Stack| {
        let status = stack.status().ok()?;
        let all = status["shards"]
            .as_array()?
            .iter()
            .all(|shard| shard["closed"].as_array().is_some_and(|days| days.iter().any(|closed| *closed == json!(day))));
        all.then_some(())
    };
    stack.wait("the day to close", Duration::from_secs(60), closed).or_exit(UNAVAILABLE)
}

/// `clearing build` for a day; its line.
fn build(stack: &Stack, day: BusinessDate) -> Result<Value, Exit> {
    let date = day.to_string();
    let line = stack.command_with(&["clearing", "build"], &["--date", &date, "--admin", &stack.admin]).or_exit(UNAVAILABLE)?;
    serde_json::from_str(line.lines().last().unwrap_or_default()).or_exit(IO)
}

/// Counts of the traffic step.
fn traffic_facts(steps: &mut Steps, metrics: &str, terminals: &Value, transfers: &Value, took: Duration) {
    let pins = metric(metrics, "switchyard_pins_translated_total");
    steps.population("PINs translated in the token", pins);
    steps.population("owed messages sent (reversals, advices, enquiries)", metric(metrics, "switchyard_saf_attempts_total"));
    steps.population("owed messages acknowledged", metric(metrics, "switchyard_saf_done_total"));
    steps.population("answers that matched nothing, recorded and ignored", metric(metrics, "switchyard_answers_unmatched_total"));
    steps.population("repeats answered from the record", metric(metrics, "switchyard_repeats_total"));
    steps.fact("payments", terminals["transactions"].clone());
    steps.fact("terminal_codes", terminals["codes"].clone());
    steps.fact("transfers", transfers.clone());
    steps.fact("pins_translated", pins);
    steps.fact("reversals_and_advices_sent", metric(metrics, "switchyard_saf_attempts_total"));
    steps.fact("reversals_and_advices_acknowledged", metric(metrics, "switchyard_saf_done_total"));
    let (p50, p99) = (&terminals["latency"]["p50_us"], &terminals["latency"]["p99_us"]);
    let ms = |us: &Value| us.as_u64().map(|us| format!("{}.{:03}", us / 1000, us % 1000));
    steps.fact("p50_ms", ms(p50));
    steps.fact("p99_ms", ms(p99));
    let requests = metric(metrics, "switchyard_requests_total");
    let per_second = u128::from(requests) * 1000 / took.as_millis().max(1);
    steps.fact("authorizations_per_second", u64::try_from(per_second).unwrap_or(u64::MAX));
    steps.say(format!(
        "{requests} requests in {} s; p50 {} ms, p99 {} ms with misbehaving networks",
        took.as_secs(),
        ms(p50).unwrap_or_default(),
        ms(p99).unwrap_or_default()
    ));
}

/// A load, open loop.
fn load(steps: &mut Steps, stack: &Stack, rate: u32, seconds: u32) -> Result<(), Exit> {
    steps.begin(&format!("load: {rate} purchases a second for {seconds} s"));
    let sets = [
        format!("rate = {rate}"),
        format!("seconds = {seconds}"),
        "warm_up_seconds = 2".to_owned(),
        format!("fleet.log = {:?}", stack.options.dir.join("load.book.ndjson").display().to_string()),
        "fleet.sync = false".to_owned(),
        "fleet.terminal.send_rrn = false".to_owned(),
    ];
    let process: Process = stack.start_load("load", &sets).or_exit(UNAVAILABLE)?;
    let (_, summary) = process.wait(Duration::from_secs(u64::from(seconds) + 120)).or_exit(UNAVAILABLE)?;
    steps.say(summary.to_string());
    steps.fact("load", summary);
    steps.end();
    Ok(())
}

fn keep(steps: &mut Steps, stack: &mut Stack) {
    steps.begin("kept running; Ctrl-C ends it");
    steps.say(format!("terminals: {}   party: {}   admin: http://{}/v1/status", stack.pos, stack.party, stack.admin));
    steps.say(format!("configuration: {}", stack.config().display()));
    let ended = crate::token::runtime().map(|runtime| runtime.block_on(tokio::signal::ctrl_c()));
    if !matches!(ended, Ok(Ok(()))) {
        steps.say("no signal can be waited for; ending");
    }
}

/// The sum of a counter over its labels.
pub(super) fn metric(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok()
    });
    values.sum()
}

fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        println!("{} could not be removed: {error}", dir.display());
    }
}
