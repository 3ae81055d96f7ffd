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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::three_books::terminals::Seen;

    /// A book with an approval on this network, which was taken back or not.
    fn book(network: &str, standing: Standing) -> TerminalsBook {
        let mut book = TerminalsBook::default();
        book.transactions.push(Seen {
            terminal: "TERM0001".to_owned(),
            rrn: String::new(),
            kind: "purchase".to_owned(),
            network: network.to_owned(),
            currency: Some(978),
            asked: 100,
            approved: Some(100),
            standing: Some(standing),
            stands: 0,
            code: "00".to_owned(),
        });
        book
    }

    fn failed(books: &[(&str, &TerminalsBook)]) -> Vec<String> {
        let named = |pairs: [(&str, &str); 2]| pairs.map(|(name, protocol)| (name.to_owned(), protocol.to_owned())).into();
        let dialects = Dialects {
            listeners: named([("pos", "iso87-ascii"), ("party", "iso20022")]),
            links: named([("dual", "iso87-ascii"), ("single", "iso87-binary")]),
        };
        let mut steps = Steps::new(true);
        check(&mut steps, &dialects, books);
        steps.outcome().0.to_vec()
    }

    #[test]
    fn a_pair_that_carried_nothing_or_took_nothing_back_fails() {
        let [dual, single] = ["dual", "single"].map(|network| book(network, Standing::Reversed));
        assert_eq!(failed(&[("pos", &dual), ("pos", &single)]), Vec::<String>::new());
        assert_eq!(failed(&[("pos", &dual)]), ["iso87-ascii to iso87-binary: 0 payments, 0 approved, 0 taken back"]);
        let stays = book("single", Standing::Approved);
        let wanted = ["iso87-ascii to iso87-binary: 1 payments, 1 approved, 0 taken back"];
        assert_eq!(failed(&[("pos", &dual), ("pos", &stays)]), wanted);
    }

    #[test]
    fn dialects_are_those_of_the_configuration() {
        let dir = std::env::temp_dir().join(format!("switchyard-pairs-{}", std::process::id()));
        let plan = crate::skeleton::Plan { pos_binary: Some("127.0.0.1:0".to_owned()), ..Default::default() };
        crate::skeleton::write(&dir, &plan).unwrap();
        let read = Dialects::read(&dir.join("switchyard.toml")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let words = |names: &BTreeMap<String, String>| names.values().cloned().collect::<Vec<_>>();
        assert_eq!(words(&read.listeners), ["iso20022", "iso87-ascii", "iso87-binary"]);
        assert_eq!(words(&read.links), ["iso20022", "iso87-ascii", "iso87-ascii"]);
    }
}
