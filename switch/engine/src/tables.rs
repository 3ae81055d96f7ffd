//! Tables: the configuration that a case is decided by. Built and checked by the shell from files,
//! pinned by each case when it begins.

use std::time::Duration;

use indexmap::IndexMap;
use payments::{AcquirerId, Currency, InstitutionId, LinkId, MerchantCategory, MerchantId, ResponseCode, TerminalId, Text};
use serde::Deserialize;

/// One version of everything.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Names what stands in the rest: the record keeps it with each payment.
    pub version: u64,
    /// Acquirers, merchants, terminals.
    pub registry: Registry,
    /// Outgoing links (networks and banks).
    pub links: IndexMap<LinkId, LinkSettings>,
    /// Routes by BIN.
    pub routes: routing::Routes,
    /// Risk rules.
    pub rules: risk::Rules,
    /// The bank link that carries credit transfers, by the creditor agent's BIC; `*` for all others.
    pub banks: IndexMap<Text<11>, LinkId>,
    /// Bounds of the engine.
    pub limits: Limits,
    /// Deadlines of requests.
    pub deadlines: Deadlines,
}

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Acquirers by id.
    pub acquirers: IndexMap<AcquirerId, Acquirer>,
    /// Merchants by acquirer and DE42.
    pub merchants: IndexMap<(AcquirerId, MerchantId), Merchant>,
    /// Terminals by acquirer and DE41.
    pub terminals: IndexMap<(AcquirerId, TerminalId), Terminal>,
}

/// An acquirer: `[[acquirer]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquirer {
    /// Its id.
    pub id: AcquirerId,
    /// DE32 towards networks.
    pub institution: InstitutionId,
}

/// A merchant: `[[merchant]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merchant {
    /// DE42.
    pub id: MerchantId,
    /// Whose.
    pub acquirer: AcquirerId,
    /// Merchant category code.
    pub category: MerchantCategory,
    /// Name, as DE43 shows it.
    pub name: Text<25>,
    /// City.
    pub city: Text<13>,
    /// Country, two letters.
    pub country: Text<2>,
    /// Postal code.
    #[serde(default)]
    pub postal_code: Text<10>,
    /// Street.
    #[serde(default)]
    pub street: Text<40>,
    /// Currency of its terminals.
    pub currency: Currency,
    /// Whether it may trade.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A terminal: `[[terminal]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// DE41.
    pub id: TerminalId,
    /// Whose.
    pub acquirer: AcquirerId,
    /// Merchant, DE42.
    pub merchant: MerchantId,
    /// Name of the key that its PIN blocks are under: TPK, or the BDK of its DUKPT keys.
    pub pin_key: Text<48>,
    /// Name of its MAC key (TAK).
    pub mac_key: Text<48>,
    /// Who captures.
    #[serde(default)]
    pub capture: CaptureMode,
    /// Whether it can take less than it asked for (10, 87).
    #[serde(default)]
    pub partial_approval: bool,
    /// Transaction types that it may do; all when empty.
    #[serde(default)]
    pub allowed: Vec<payments::request::CardKind>,
    /// Whether it may trade.
    #[serde(default = "yes")]
    pub active: bool,
}

/// Who captures an approved sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureMode {
    /// The switch, when it approves.
    #[default]
    Host,
    /// The terminal, by a later completion.
    Terminal,
}

/// How an outgoing link behaves: `[link.NAME]`, besides its sockets and keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettings {
    /// DE33 of our messages on it; empty for none.
    pub forwarding: InstitutionId,
    /// Name of the key that PIN blocks go out under (ZPK).
    pub pin_key: Text<48>,
    /// Whether we sign on after connecting.
    pub sign_on: bool,
    /// Echo after so long without traffic.
    #[serde(with = "seconds")]
    pub echo_every: Duration,
    /// Down after so many unanswered echoes.
    pub echo_missed: u32,
    /// Silence becomes unknown so long after the write.
    #[serde(with = "seconds")]
    pub answer_within: Duration,
    /// A request may wander through the network so long; a reversal waits for it.
    #[serde(with = "seconds")]
    pub maximum_life: Duration,
    /// Waits before the attempts of a reversal; the last one repeats.
    pub attempts_s: Vec<u64>,
    /// DE39 values that end a reversal or advice well.
    pub acknowledged: Vec<ResponseCode>,
    /// DE39 values after which it is tried again.
    pub retry: Vec<ResponseCode>,
    /// Owed messages in flight at once.
    pub lane_window: usize,
    /// DE7 of a repeat (0421, 0221).
    pub repeat_transmission: RepeatTransmission,
    /// DE39 told to the terminal when the network is silent.
    pub timeout_code: ResponseCode,
}

/// DE7 of the repeats of a reversal or advice (SEMANTICS 13). Networks that look for duplicates by DE7
/// want the same, those that refuse old times want a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatTransmission {
    /// When the attempt is made.
    #[default]
    New,
    /// The same in every attempt, after a restart too: the time from which the message is owed. It lies
    /// up to a maximum life ahead where a late answer lets a reversal go early.
    Same,
}

impl Default for LinkSettings {
    fn default() -> Self {
        let codes = |list: &[&str]| list.iter().filter_map(|code| ResponseCode::new(code.as_bytes()).ok()).collect();
        Self {
            forwarding: InstitutionId::default(),
            pin_key: Text::EMPTY,
            sign_on: true,
            echo_every: Duration::from_secs(30),
            echo_missed: 3,
            answer_within: Duration::from_secs(10),
            maximum_life: Duration::from_secs(60),
            attempts_s: vec![5, 10, 30, 60, 300],
            acknowledged: codes(&["00", "08", "10", "11", "16", "21", "85", "87"]),
            retry: codes(&["91", "96", "06", "68"]),
            lane_window: 64,
            repeat_transmission: RepeatTransmission::default(),
            timeout_code: ResponseCode::TIMEOUT,
        }
    }
}

/// Bounds of one engine.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in flight; more are refused with 96.
    pub cases: usize,
    /// Repeats that may wait with one original.
    pub waiters: usize,
    /// Operations that may queue behind one payment.
    pub queued: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cases: 8192, waiters: 8, queued: 8 }
    }
}

/// Deadlines of a request; the inner one always fires first.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// No byte leaves later than this after acceptance.
    #[serde(with = "seconds")]
    pub send: Duration,
    /// Nobody waits for a reply longer than this after acceptance.
    #[serde(with = "seconds")]
    pub reply: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { send: Duration::from_secs(2), reply: Duration::from_secs(12) }
    }
}

fn yes() -> bool {
    true
}

/// Durations as whole or decimal-string seconds: `30` or `"0.5"`. No floats.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Whole(u64),
        Text(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        match Form::deserialize(d)? {
            Form::Whole(seconds) => Ok(Duration::from_secs(seconds)),
            Form::Text(text) => {
                parse(&text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is not a time; write 30 or \"0.5\" (seconds)")))
            }
        }
    }

    fn parse(text: &str) -> Option<Duration> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let millis: u64 = format!("{part:0<3}").get(..3)?.parse().ok()?;
        Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_millis(millis))
    }
}
