//! `switchyard demo`: the whole job, end to end and for real, as processes of their own. Every check
//! that fails makes it end with 1.

mod evidence;
mod pairs;
mod place;
mod plant;
mod proof;
mod steps;
mod traffic;

use std::path::{Path, PathBuf};
use std::time::Duration;

use payments::BusinessDate;
use serde_json::{Value, json};
use simulators::bank::accounts;

use crate::exit::{CHECK, Exit, IO, OrExit, UNAVAILABLE};
use crate::stack::{Process, Stack, StackOptions};
use crate::three_books::terminals::TerminalsBook;
use crate::verbs::admin;
use place::Place;
use steps::Steps;

/// Options of the demonstration.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard demo --json | tail -1")]
pub(crate) struct Arguments {
    /// Where to write; a fresh directory under /var/tmp when absent, which the next run removes.
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
    let place = Place::take(arguments.dir.as_deref())?;
    let mut steps = Steps::new(false);
    let done = demonstrate(&arguments, &place.dir, &mut steps);
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
    let mut object = steps.facts.clone();
    object.insert("good".to_owned(), good.into());
    object.insert("checks".to_owned(), checks.into());
    object.insert("failed".to_owned(), json!(failed));
    object.insert("directory".to_owned(), json!(place.dir));
    let summary = Value::Object(object);
    place.finish(good, arguments.keep, &summary);
    if arguments.json {
        println!("{summary}");
    }
    if good { Ok(()) } else { Err(Exit::new(CHECK, "")) }
}

fn demonstrate(arguments: &Arguments, dir: &Path, steps: &mut Steps) -> Result<(), Exit> {
    let program = std::env::current_exe().or_exit(IO)?;

    steps.begin("keys, token, two networks and a bank");
    let mut options = StackOptions::new(program, dir);
    options.binary = true;
    options.terminals = traffic::TERMINALS;
    options.dual_rules = traffic::card_rules();
    options.single_rules = traffic::card_rules();
    options.bank_rules = traffic::bank_rules();
    let mut stack = Stack::prepare(options).or_exit(UNAVAILABLE)?;
    let keys = stack.command(&["hsm", "key", "list"], None).or_exit(UNAVAILABLE)?;
    steps.population("keys in the PKCS#11 token", keys.lines().count() as u64);
    steps.end();

    steps.begin("the switch: private PostgreSQL, migrations, links signed on");
    stack.start_switch(&[]).or_exit(UNAVAILABLE)?;
    steps.say(format!("terminals at {} and, packed, at {}", stack.pos, stack.pos_binary));
    steps.say(format!("party at {}, admin at {}", stack.party, stack.admin));
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

    let tomorrow = today.next();
    exchange(steps, &mut stack, arguments.conversations, tomorrow)?;

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

    if let Some(rate) = arguments.rate {
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
    let config = stack.config();
    let [dual, single, bank] = stack.stop_peers().or_exit(UNAVAILABLE)?;
    proof::counts(steps, &[("dual", &dual), ("single", &single)], &bank);
    steps.end();

    proof::reconciled(steps, &config, dir)?;
    proof::card_books(steps, &config, dir)?;
    proof::transfer_books(steps, &config, dir)
}

/// All traffic, and a cut-over in the middle of it.
fn exchange(steps: &mut Steps, stack: &mut Stack, conversations: u64, tomorrow: BusinessDate) -> Result<(), Exit> {
    steps.begin("traffic: terminals on both networks, credit transfers, and a cut-over under it");
    let pos = stack.start_pos("pos", &traffic::terminals(conversations)).or_exit(UNAVAILABLE)?;
    let packed = stack.start_binary_pos("pos-binary", &traffic::binary_terminals(conversations)).or_exit(UNAVAILABLE)?;
    let each = stack.start_pos("one-of-each", &traffic::one_of_each("TERM0004")).or_exit(UNAVAILABLE)?;
    let each_packed = stack.start_binary_pos("one-of-each-binary", &traffic::one_of_each("TERM0007")).or_exit(UNAVAILABLE)?;
    let party = stack.start_party("party", &traffic::party()).or_exit(UNAVAILABLE)?;
    stack
        .wait("the first payments", Duration::from_secs(60), |stack| {
            let text = admin::get_text(&stack.admin, "/metrics").ok()?;
            let sold = |name: &str| {
                let book = TerminalsBook::read(&stack.options.dir.join(format!("{name}.book.ndjson"))).ok()?;
                Some(book.transactions.iter().filter(|seen| seen.approved.is_some()).count())
            };
            let enough = metric(&text, "switchyard_requests_total") > conversations / 4;
            let sold = sold("one-of-each")?.min(sold("one-of-each-binary")?);
            (enough && sold >= traffic::BEFORE_CUT_OVER).then_some(())
        })
        .or_exit(UNAVAILABLE)?;
    admin::post(&stack.admin, "/v1/cut-over", &json!({ "date": tomorrow }))?;
    steps.say(format!("cut over to {tomorrow} while {} are in flight", in_flight(stack)?));
    let (_, terminals) = pos.wait(Duration::from_secs(300)).or_exit(UNAVAILABLE)?;
    let (_, packed) = packed.wait(Duration::from_secs(300)).or_exit(UNAVAILABLE)?;
    let (_, each) = each.wait(Duration::from_secs(120)).or_exit(UNAVAILABLE)?;
    let (_, each_packed) = each_packed.wait(Duration::from_secs(120)).or_exit(UNAVAILABLE)?;
    let (_, transfers) = party.wait(Duration::from_secs(120)).or_exit(UNAVAILABLE)?;
    settle_down(stack)?;
    let everybody = [
        ("terminals", &terminals),
        ("packed terminals", &packed),
        ("every kind of payment once", &each),
        ("every kind of payment once, packed", &each_packed),
    ];
    for (who, summary) in everybody {
        let expectations = summary["expectations_met"].as_u64().unwrap_or(0);
        steps.check(format!("{who}: {expectations} expectations met, none missed: {}", summary["missed"]), met(summary));
    }
    let astray: u64 = everybody.iter().filter_map(|(_, summary)| summary["misaddressed"].as_u64()).sum();
    steps.check(format!("{astray} answers behind a TPDU that is not the terminal's turned round"), astray == 0);
    steps.check(
        "no transfer's status contradicts another",
        transfers["contradictions"] == json!(0) && transfers["unknown"] == json!(0),
    );
    steps.fact("party", transfers);
    let book = TerminalsBook::read(&stack.options.dir.join("pos.book.ndjson")).or_exit(IO)?;
    traffic::facts(steps, &admin::get_text(&stack.admin, "/metrics")?, &terminals, &book);
    steps.end();
    Ok(())
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

/// A load, open loop.
fn load(steps: &mut Steps, stack: &Stack, rate: u32, seconds: u32) -> Result<(), Exit> {
    steps.begin(&format!("load: {rate} purchases a second for {seconds} s"));
    let sets = [
        format!("rate = {rate}"),
        format!("seconds = {seconds}"),
        "warm_up_seconds = 2".to_owned(),
        format!("fleet.log = {:?}", stack.options.dir.join("load.book.ndjson").display().to_string()),
        "fleet.sync = false".to_owned(),
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
    steps.say(format!("terminals: {}   packed, behind a TPDU: {}", stack.pos, stack.pos_binary));
    steps.say(format!("party: {}   admin: http://{}/v1/status", stack.party, stack.admin));
    steps.say(format!("configuration: {}", stack.config().display()));
    let ended = crate::token::runtime().map(|runtime| runtime.block_on(tokio::signal::ctrl_c()));
    if !matches!(ended, Ok(Ok(()))) {
        steps.say("no signal can be waited for; ending");
    }
}

/// The sum of a counter over its labels.
fn metric(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok()
    });
    values.sum()
}
