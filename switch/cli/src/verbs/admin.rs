//! Verbs that talk to a running switch through its admin port.

use payments::{BusinessDate, Currency};
use serde_json::{Value, json};

use crate::exit::{CHECK, DATA, Exit, UNAVAILABLE};

/// Where the admin port is.
#[derive(clap::Args)]
pub(crate) struct Port {
    /// Address of the admin port, as `run` printed it.
    #[arg(long, env = "SWITCHYARD_ADMIN")]
    admin: String,
}

/// Shows links and shards, or signs a link off or on.
#[derive(clap::Args)]
#[command(
    after_help = "Example: switchyard link --admin 127.0.0.1:9100\nExample: switchyard link --admin 127.0.0.1:9100 sign-off dual"
)]
pub(crate) struct Links {
    #[command(flatten)]
    port: Port,
    /// What to tell a link. It stays off when its connection is lost, until it is signed on or the switch restarts.
    #[arg(requires = "link")]
    order: Option<LinkOrder>,
    /// Which link.
    link: Option<String>,
}

/// What a link can be told.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LinkOrder {
    /// 0800, DE70 001: payments go there again once the network agrees.
    SignOn,
    /// 0800, DE70 002: nothing new goes there.
    SignOff,
}

/// Owed messages.
#[derive(clap::Subcommand)]
pub(crate) enum SafAction {
    /// How many are owed.
    #[command(after_help = "Example: switchyard saf depth --admin 127.0.0.1:9100")]
    Depth {
        #[command(flatten)]
        port: Port,
    },
    /// What the other side refused for good: an issuer still has what was taken back. Somebody has to look.
    #[command(after_help = "Example: switchyard saf dead --admin 127.0.0.1:9100")]
    Dead {
        #[command(flatten)]
        port: Port,
    },
    /// Try a payment's owed message again now.
    #[command(after_help = "Example: switchyard saf retry --admin 127.0.0.1:9100 0193…")]
    Retry {
        #[command(flatten)]
        port: Port,
        /// The payment's id, as `trace` shows it.
        payment: String,
    },
}

/// Completions (0220) that came without their authorization.
#[derive(clap::Subcommand)]
pub(crate) enum CompletionAction {
    /// Those that nobody has matched or withdrawn. They were told as accepted, and move nothing.
    #[command(after_help = "Example: switchyard completion list --admin 127.0.0.1:9100")]
    List {
        #[command(flatten)]
        port: Port,
    },
    /// Capture one on the authorization that it belongs to: same merchant, same card, open. The same match again is
    /// no second capture.
    #[command(after_help = "Example: switchyard completion match --admin 127.0.0.1:9100 0193… --authorization 0193…")]
    Match {
        #[command(flatten)]
        port: Port,
        /// The completion, by the payment id that `list` shows.
        completion: String,
        /// The authorization, by the payment id that `trace` shows.
        #[arg(long)]
        authorization: String,
    },
    /// Set one aside that belongs to nothing: its merchant is not paid for it.
    #[command(after_help = "Example: switchyard completion withdraw --admin 127.0.0.1:9100 0193…")]
    Withdraw {
        #[command(flatten)]
        port: Port,
        /// The completion, by the payment id that `list` shows.
        completion: String,
    },
}

/// Everything the record has about a payment.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard trace --admin 127.0.0.1:9100 632509000042")]
pub(crate) struct Trace {
    #[command(flatten)]
    port: Port,
    /// DE37.
    rrn: String,
}

/// Cuts over.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard cut-over --admin 127.0.0.1:9100 2026-11-22")]
pub(crate) struct CutOver {
    #[command(flatten)]
    port: Port,
    /// The day to open, YYYY-MM-DD; later than the one that is open.
    date: String,
}

/// Puts money on an account.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard deposit --admin 127.0.0.1:9100 --reference init-1 DE89370400440532013000 100000 EUR")]
pub(crate) struct Deposit {
    #[command(flatten)]
    port: Port,
    /// Makes it idempotent.
    #[arg(long)]
    reference: String,
    /// The account, by its IBAN or other id.
    account: String,
    /// Minor units.
    amount_minor: i64,
    /// Currency, three letters.
    currency: String,
}

pub(crate) fn links(arguments: &Links) -> Result<(), Exit> {
    let order = arguments.order.map(|order| match order {
        LinkOrder::SignOn => "sign-on",
        LinkOrder::SignOff => "sign-off",
    });
    let admin = &arguments.port.admin;
    print(&match (order, &arguments.link) {
        (Some(order), Some(link)) => post(admin, &format!("/v1/links/{link}/{order}"), &json!({}))?,
        _ => get(admin, "/v1/status")?,
    });
    Ok(())
}

pub(crate) fn saf(action: SafAction) -> Result<(), Exit> {
    match action {
        SafAction::Depth { port } => {
            let status = get(&port.admin, "/v1/status")?;
            let owed: u64 = status["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["owed"].as_u64()).sum();
            println!("{owed}");
        }
        SafAction::Dead { port } => print(&get(&port.admin, "/v1/lanes/dead")?),
        SafAction::Retry { port, payment } => print(&post(&port.admin, &format!("/v1/lanes/{payment}/retry"), &json!({}))?),
    }
    Ok(())
}

pub(crate) fn completion(action: CompletionAction) -> Result<(), Exit> {
    print(&match action {
        CompletionAction::List { port } => get(&port.admin, "/v1/completions")?,
        CompletionAction::Match { port, completion, authorization } => {
            let order = json!({ "authorization": authorization });
            post(&port.admin, &format!("/v1/completions/{completion}/match"), &order)?
        }
        CompletionAction::Withdraw { port, completion } => {
            post(&port.admin, &format!("/v1/completions/{completion}/withdraw"), &json!({}))?
        }
    });
    Ok(())
}

pub(crate) fn trace(arguments: &Trace) -> Result<(), Exit> {
    print(&get(&arguments.port.admin, &format!("/v1/trace/{}", arguments.rrn))?);
    Ok(())
}

pub(crate) fn cut_over(arguments: &CutOver) -> Result<(), Exit> {
    let date = BusinessDate::parse(&arguments.date).map_err(|_| Exit::new(DATA, "write the date as YYYY-MM-DD"))?;
    print(&post(&arguments.port.admin, "/v1/cut-over", &json!({ "date": date }))?);
    Ok(())
}

pub(crate) fn deposit(arguments: &Deposit) -> Result<(), Exit> {
    let currency = Currency::from_alpha(&arguments.currency).ok_or_else(|| Exit::new(DATA, "not a currency of ISO 4217"))?;
    let order = json!({
        "reference": arguments.reference,
        "account": arguments.account,
        "amount_minor": arguments.amount_minor,
        "currency": currency,
    });
    print(&post(&arguments.port.admin, "/v1/deposits", &order)?);
    Ok(())
}

/// Reads from the admin port.
pub(crate) fn get(admin: &str, path: &str) -> Result<Value, Exit> {
    read(ureq::get(format!("http://{admin}{path}")).config().http_status_as_error(false).build().call(), admin)
}

/// Reads text from the admin port.
pub(crate) fn get_text(admin: &str, path: &str) -> Result<String, Exit> {
    let mut answer = ureq::get(format!("http://{admin}{path}")).call().map_err(|error| unavailable(admin, &error))?;
    answer.body_mut().read_to_string().map_err(|error| unavailable(admin, &error))
}

/// Orders something through the admin port.
pub(crate) fn post(admin: &str, path: &str, body: &Value) -> Result<Value, Exit> {
    let request = ureq::post(format!("http://{admin}{path}"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/json");
    read(request.send(body.to_string()), admin)
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, admin: &str) -> Result<Value, Exit> {
    let mut answer = answer.map_err(|error| unavailable(admin, &error))?;
    let good = answer.status().is_success();
    let text = answer.body_mut().read_to_string().map_err(|error| unavailable(admin, &error))?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if good {
        return Ok(value);
    }
    // 503: it could not be found out, which is not a refusal.
    let code = if answer.status().as_u16() == 503 { UNAVAILABLE } else { CHECK };
    // What is no JSON at all is the framework's word about a body that it could not read.
    let what = value["error"].as_str().or(value.as_str()).unwrap_or("refused");
    Err(Exit::new(code, what))
}

fn unavailable(admin: &str, error: &ureq::Error) -> Exit {
    Exit::new(UNAVAILABLE, format!("the admin port {admin} does not answer: {error}"))
}

fn print(value: &Value) {
    println!("{value:#}");
}
