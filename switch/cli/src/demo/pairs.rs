//! Which dialect of terminals met which dialect of networks: the switch maps between them, so each pair
//! has to have carried payments and taken some back.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use simulators::pos::record::Standing;

use super::steps::Steps;
use crate::exit::{Exit, IO, OrExit};
use crate::three_books::terminals::TerminalsBook;

/// Dialects by the name of listeners and links, as the configuration says.
pub(super) struct Dialects {
    listeners: BTreeMap<String, String>,
    links: BTreeMap<String, String>,
}

/// Transactions of one pair, by the terminals' books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
struct Pair {
    payments: u64,
    approved: u64,
    reversed: u64,
}

impl Dialects {
    /// Reads them from the configuration of the switch.
    pub(super) fn read(config: &Path) -> Result<Self, Exit> {
        let table: toml::Table = std::fs::read_to_string(config).or_exit(IO)?.parse().or_exit(IO)?;
        let protocol = |table: &toml::Value| table.get("protocol").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let listeners = table.get("listener").and_then(toml::Value::as_array).into_iter().flatten();
        let named = |listener: &toml::Value| Some((listener.get("name")?.as_str()?.to_owned(), protocol(listener)));
        let links = table.get("link").and_then(toml::Value::as_table).into_iter().flatten();
        Ok(Self {
            listeners: listeners.filter_map(named).collect(),
            links: links.map(|(name, link)| (name.clone(), protocol(link))).collect(),
        })
    }
}

/// Counts what terminals at each listener had on each network; every pair needs some of each.
pub(super) fn check(steps: &mut Steps, dialects: &Dialects, books: &[(&str, &TerminalsBook)]) {
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    let [terminals, networks] = [&dialects.listeners, &dialects.links].map(|names| {
        let cards = names.values().filter(|protocol| protocol.starts_with("iso87"));
        cards.map(String::as_str).collect::<std::collections::BTreeSet<_>>()
    });
    for (terminal, network) in terminals.iter().flat_map(|terminal| networks.iter().map(move |network| (terminal, network))) {
        pairs.entry(name(terminal, network)).or_default();
    }
    for (listener, book) in books {
        let Some(terminal) = dialects.listeners.get(*listener) else { continue };
        for seen in &book.transactions {
            let Some(network) = dialects.links.get(&seen.network) else { continue };
            let pair = pairs.entry(name(terminal, network)).or_default();
            pair.payments += 1;
            pair.approved += u64::from(seen.approved.is_some());
            pair.reversed += u64::from(seen.standing == Some(Standing::Reversed));
        }
    }
    for (name, Pair { payments, approved, reversed }) in &pairs {
        steps.check(
            format!("{name}: {payments} payments, {approved} approved, {reversed} taken back"),
            [payments, approved, reversed].into_iter().all(|count| *count > 0),
        );
    }
    steps.fact("dialect_pairs", json!(pairs));
}

fn name(terminal: &str, network: &str) -> String {
    format!("{terminal} to {network}")
}
