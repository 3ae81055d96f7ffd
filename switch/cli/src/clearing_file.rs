//! `clearing.toml`, beside the configuration: where clearing files go, and for which network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use payments::LinkId;
use serde::Deserialize;
use settlement::clearing::Endpoint;
use switch::Config;
use switch::config::LinkConfig;

use crate::exit::{CONFIG, Exit};

/// What the file says, checked.
pub(crate) struct ClearingFile {
    /// One file a day is made for each.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Where the files go.
    pub(crate) directory: PathBuf,
}

/// The file as it is written; its endpoints with their places, or without.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<E> {
    directory: PathBuf,
    #[serde(default = "Vec::new")]
    endpoint: Vec<E>,
}

/// Its keys, as JSON Schema.
pub(crate) fn schema() -> serde_json::Value {
    switch::schema::of::<Written<Endpoint>>()
}

/// The file that lies beside a configuration.
pub(crate) fn beside(config: &Path) -> PathBuf {
    config.with_file_name("clearing.toml")
}

impl ClearingFile {
    /// Reads the file beside a configuration and checks it against the links of that.
    pub(crate) fn load(config: &Config) -> Result<Self, Exit> {
        let path = beside(&config.file);
        let text = std::fs::read_to_string(&path).map_err(|error| Exit::new(CONFIG, format!("{}: {error}", path.display())))?;
        let cards = |(name, link): (&LinkId, &Arc<LinkConfig>)| link.protocol.is_card().then_some(*name);
        let links: BTreeSet<LinkId> = config.links.iter().filter_map(cards).collect();
        let file = check(&text, &links).map_err(|(line, what)| {
            let place = line.map_or(String::new(), |line| format!(":{line}"));
            Exit::new(CONFIG, format!("{}{place}: {what}", path.display()))
        })?;
        let base = config.file.parent().unwrap_or(Path::new("."));
        Ok(Self { directory: base.join(file.directory), ..file })
    }
}

/// What is wrong: its line, from 1, and what to write instead.
type Wrong = (Option<usize>, String);

fn check(text: &str, links: &BTreeSet<LinkId>) -> Result<ClearingFile, Wrong> {
    let line_at = |offset: usize| text.get(..offset).map(|before| before.matches('\n').count() + 1);
    let written: Written<toml::Spanned<Endpoint>> = toml::from_str(text)
        .map_err(|error| (error.span().and_then(|span| line_at(span.start)), error.message().trim_end().to_owned()))?;
    let (mut names, mut networks) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in &written.endpoint {
        let span = endpoint.span();
        // The line of the key in the endpoint's own table, else that of its header, which is what the span is of.
        let at = |key: &str| {
            let mut table = text.get(span.start..).unwrap_or_default().lines().enumerate();
            let own = table.by_ref().skip(1).take_while(|(_, line)| !line.starts_with('['));
            let before = own.into_iter().find(|(_, line)| line.trim_start().starts_with(key)).map_or(0, |(before, _)| before);
            line_at(span.start).map(|first| first + before)
        };
        let endpoint = endpoint.get_ref();
        endpoint.validate().map_err(|error| (at(error.key), error.to_string()))?;
        let Endpoint { name, network, .. } = endpoint;
        if !links.contains(network) {
            let known: Vec<&str> = links.iter().map(|link| link.as_str()).collect();
            let what = format!("endpoint {name}: network \"{network}\" is no card link; write one of: {}", known.join(", "));
            return Err((at("network"), what));
        }
        if !names.insert(*name) {
            return Err((at("name"), format!("endpoint {name} stands twice; give each a name of its own")));
        }
        if !networks.insert(*network) {
            let what = format!("endpoint {name}: network \"{network}\" has an endpoint already, and a capture is presented once");
            return Err((at("network"), what));
        }
    }
    let endpoints = written.endpoint.into_iter().map(toml::Spanned::into_inner).collect();
    Ok(ClearingFile { endpoints, directory: written.directory })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"directory = "clearing"

[[endpoint]]
name = "scheme1"
network = "dual"
processor = "12345"
reference-bin = "541234"
country = "DEU"
"#;

    fn refused(text: &str) -> Wrong {
        check(text, &BTreeSet::from([LinkId::literal("dual"), LinkId::literal("single")])).err().expect("it is refused")
    }

    #[test]
    fn a_clearing_file_that_cannot_work_is_refused_with_its_line() {
        assert_eq!(check(GOOD, &BTreeSet::from([LinkId::literal("dual")])).ok().map(|file| file.endpoints.len()), Some(1));
        let (line, what) = refused(&GOOD.replace("\"dual\"", "\"duel\""));
        assert_eq!(line, Some(5), "{what}");
        assert!(what.contains("\"duel\"") && what.contains("dual, single"), "{what}");
        assert_eq!(refused(&GOOD.replace("541234", "5412")).0, Some(7));
        assert_eq!(refused(&GOOD.replace("processor", "procesor")).0, Some(6));
        assert_eq!(refused(&GOOD.replace("\"DEU\"", "\"deu\"")).0, Some(8));
        let twice = format!("{GOOD}{}", GOOD.trim_start_matches("directory = \"clearing\"\n").replace("scheme1", "scheme2"));
        let (line, what) = refused(&twice);
        assert_eq!(line, Some(12), "{what}");
        assert!(what.contains("presented once"), "{what}");
    }
}
