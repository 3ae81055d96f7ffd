//! The commented configuration that `init` writes and `demo` fills in.

use std::fmt::Write as _;
use std::path::Path;

use crate::exit::{Exit, IO, OrExit};

/// What differs from one set of files to the next.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where terminals connect.
    pub(crate) pos: String,
    /// Where terminals with packed digits connect; without it their listener is there as a comment.
    pub(crate) pos_binary: Option<String>,
    /// Where the instructing party connects.
    pub(crate) party: String,
    /// The dual-message network.
    pub(crate) dual: String,
    /// The single-message network.
    pub(crate) single: String,
    /// What it speaks.
    pub(crate) single_protocol: &'static str,
    /// The bank.
    pub(crate) bank: String,
    /// The admin port.
    pub(crate) admin: String,
    /// Terminals.
    pub(crate) terminals: usize,
    /// Shards of the record.
    pub(crate) shards: u16,
    /// Timers of the links, or the defaults.
    pub(crate) timers: Option<Timers>,
    /// Connections of a card link.
    pub(crate) sockets: u16,
}

/// The dialects of card links here, by their names in `docs/wire.md`.
pub(crate) const ASCII: &str = "iso87-ascii";
pub(crate) const BINARY: &str = "iso87-binary";

/// Timers short enough for a demonstration, in seconds as text.
#[derive(Debug, Clone)]
pub(crate) struct Timers {
    pub(crate) answer_within: &'static str,
    pub(crate) maximum_life: &'static str,
    pub(crate) attempts_s: &'static str,
    pub(crate) reply_s: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pos: "127.0.0.1:8583".to_owned(),
            pos_binary: None,
            party: "127.0.0.1:8600".to_owned(),
            dual: "127.0.0.1:9001".to_owned(),
            single: "127.0.0.1:9002".to_owned(),
            single_protocol: ASCII,
            bank: "127.0.0.1:9003".to_owned(),
            admin: "127.0.0.1:9100".to_owned(),
            terminals: 4,
            shards: 1,
            timers: None,
            sockets: 1,
        }
    }
}

/// DE41 of the n-th terminal, from 1.
pub(crate) fn terminal_id(number: usize) -> String {
    format!("TERM{number:04}")
}

/// DE42 of a terminal's merchant: two terminals each.
pub(crate) fn merchant_id(terminal: usize) -> String {
    format!("M{:04}", terminal.div_ceil(2))
}

/// Writes the files into `dir`; refuses to overwrite.
pub(crate) fn write(dir: &Path, plan: &Plan) -> Result<(), Exit> {
    std::fs::create_dir_all(dir).or_exit(IO)?;
    let files = [
        ("switchyard.toml", node(plan)),
        ("registry.toml", registry(plan)),
        ("routes.toml", ROUTES.to_owned()),
        ("risk.toml", RISK.to_owned()),
        ("clearing.toml", CLEARING.to_owned()),
    ];
    if let Some((name, _)) = files.iter().find(|(name, _)| dir.join(name).exists()) {
        return Err(Exit::new(IO, format!("{} is there already; choose an empty directory", dir.join(name).display())));
    }
    for (name, text) in files {
        std::fs::write(dir.join(name), text).or_exit(IO)?;
    }
    Ok(())
}

fn node(plan: &Plan) -> String {
    let Plan { pos, party, dual, single, single_protocol, bank, admin, shards, sockets, .. } = plan;
    let pos_binary = pos_binary(plan);
    let timers = plan.timers.as_ref().map_or(String::new(), |timers| {
        format!(
            "answer_within = \"{}\"\nmaximum_life = \"{}\"\nattempts_s = {}\n",
            timers.answer_within, timers.maximum_life, timers.attempts_s
        )
    });
    let deadlines =
        plan.timers.as_ref().map_or(String::new(), |timers| format!("\n[deadlines]\nreply = \"{}\"\n", timers.reply_s));
    format!(
        r#"# Switchyard. `switchyard config check --config FILE` says what is wrong, with line and fix.
version = 1

# The private PostgreSQL cluster, the token and everything else that this node keeps.
data_dir = "data"

# Shards of the record: one engine and one writer each.
shards = {shards}

# lab, or production: refuses PIN routes on an HSM that lets clear PINs into this process.
profile = "lab"

# Health, metrics and operator's commands. Never on a network that terminals can reach.
admin = "{admin}"

# A PostgreSQL of your own instead of the private cluster:
# [database]
# url = "host=/run/postgresql user=switchyard dbname=switchyard"

[files]
registry = "registry.toml"
routes = "routes.toml"
risk = "risk.toml"

[hsm]
module = "/usr/lib/softhsm/libsofthsm2.so"
token_dir = "token"
kek = "kek"

# Terminals connect here. Every connection is bound to the acquirer.
[[listener]]
name = "pos"
protocol = "{ASCII}"
listen = "{pos}"
acquirer = "ACQ1"
mac = "required"
max_in_flight = 512
# Messages have a 2-byte length in front unless another framing is named here or at a link: ascii4, bcd2,
# nac (with a TPDU), vap, base24, ... or a table of what differs from one. See docs/iso8583/framing.md.
# framing = "nac"

# Terminals behind a network access controller, with the same elements packed: BCD digits, binary bitmaps,
# a MAC of 8 raw bytes (docs/wire.md), and a TPDU that is turned round in the answer.
{pos_binary}
# A party that instructs credit transfers.
[[listener]]
name = "party"
protocol = "iso20022"
listen = "{party}"
acquirer = "PARTY1"
pacs = {{ own_bic = "SWYDDEFF", peer_bic = "PRTYDEFF" }}

# A dual-message network: purchases go out as 0100 and are cleared by our presentment.
[link.dual]
protocol = "{ASCII}"
connect = "{dual}"
sockets = {sockets}
mac_key = "zak-dual"
[link.dual.rules]
pin_key = "zpk-dual"
{timers}
# A single-message network: 0200 moves the money, its totals are reconciled. A link's protocol is iso87-ascii
# or iso87-binary, whatever its terminals speak.
[link.single]
protocol = "{single_protocol}"
connect = "{single}"
sockets = {sockets}
mac_key = "zak-single"
[link.single.rules]
pin_key = "zpk-single"
{timers}
# The bank that executes credit transfers.
[link.bank]
protocol = "iso20022"
connect = "{bank}"
pacs = {{ own_bic = "SWYDDEFF", peer_bic = "BANKDEFF" }}
[link.bank.rules]
sign_on = false
{timers}
[banks]
"*" = "bank"
{deadlines}"#
    )
}

/// The listener of terminals with packed digits, as a comment where there is none.
fn pos_binary(plan: &Plan) -> String {
    let address = plan.pos_binary.as_deref().unwrap_or("127.0.0.1:8584");
    let text = format!(
        r#"[[listener]]
name = "pos-binary"
protocol = "{BINARY}"
framing = "nac"
listen = "{address}"
acquirer = "ACQ1"
mac = "required"
"#
    );
    match plan.pos_binary {
        Some(_) => text,
        None => text.lines().map(|line| format!("# {line}\n")).collect(),
    }
}

fn registry(plan: &Plan) -> String {
    let mut text = String::from(
        r#"# Who may ask: acquirers, their merchants, their terminals.
[[acquirer]]
id = "ACQ1"
institution = "00000000001"
"#,
    );
    for number in 1..=plan.terminals.div_ceil(2) {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            r#"
[[merchant]]
id = "M{number:04}"
acquirer = "ACQ1"
category = "5411"
name = "Corner Shop {number}"
street = "Market Street {number}"
city = "Berlin"
country = "DE"
postal_code = "10115"
currency = 978
"#
        );
    }
    for number in 1..=plan.terminals {
        let (id, merchant) = (terminal_id(number), merchant_id(number));
        let lower = id.to_lowercase();
        let _ = write!(
            text,
            r#"
[[terminal]]
id = "{id}"
acquirer = "ACQ1"
merchant = "{merchant}"
pin_key = "tpk-{lower}"
mac_key = "tak-{lower}"
capture = "host"
partial_approval = true
"#
        );
    }
    text
}

const ROUTES: &str = r#"# Which links carry which cards. The longest BIN prefix wins.
[[route]]
name = "dual"
bins = ["510000-559999", "222100-272099"]
system = "dual"
links = ["dual"]

[[route]]
name = "single"
bins = ["4"]
system = "single"
links = ["single"]
"#;

const RISK: &str = r#"# Rules before anything is sent, in order; the first that hits declines.
version = "r1"

[[rule]]
name = "ceiling"
code = "61"
kind = "amount-ceiling"
max_minor = 500000
currency = 978

[[rule]]
name = "often"
code = "65"
kind = "velocity"
count = 200
window_s = 60
"#;

const CLEARING: &str = r#"# Where clearing files of dual-message networks go: `switchyard clearing build`.
directory = "clearing"

[[endpoint]]
name = "DUAL"
network = "dual"
processor = "00000000001"
reference-bin = "541333"
forwarder = "00000000001"
originator = "00000000001"
country = "DEU"
mode = "test"
"#;

#[cfg(test)]
mod tests {
    use switch::config::Config;

    use super::*;

    /// Uncommented it is the listener that a laboratory has, and both are right.
    #[test]
    fn the_listener_that_is_a_comment_would_do() {
        let dir = std::env::temp_dir().join(format!("switchyard-skeleton-{}", std::process::id()));
        let live = Plan { pos_binary: Some("127.0.0.1:8584".to_owned()), single_protocol: BINARY, ..Plan::default() };
        for (name, plan, listeners) in [("comment", Plan::default(), 2), ("live", live.clone(), 3)] {
            write(&dir.join(name), &plan).unwrap();
            let config = Config::load(&dir.join(name).join("switchyard.toml")).unwrap();
            assert_eq!(config.listeners.len(), listeners, "{name}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
        let comment = pos_binary(&Plan::default());
        let uncommented: String = comment.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect();
        assert_eq!(uncommented, pos_binary(&live));
    }
}
