//! What stands in a configuration file, value by value with its line, without the one secret that may be there.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// How to reach a PostgreSQL. It may hold a password, which `Debug` and `Display` leave out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// All of it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `postgres://user:password@host/name`; of the form `key=value ...` only what surely is no secret.
        if let Some((scheme, rest)) = self.0.split_once("://") {
            let (name, _) = rest.split_once('?').unwrap_or((rest, ""));
            let (user, place) = name.rsplit_once('@').unwrap_or(("", name));
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            return write!(f, "{scheme}://{user}@{place}");
        }
        let shown = ["host", "hostaddr", "port", "user", "dbname"];
        let words = self.0.split_whitespace().filter(|word| word.split_once('=').is_some_and(|(key, _)| shown.contains(&key)));
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// A value of a configuration file, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The keys that lead to it, `link.dual.rules.maximum_life`.
    pub key: String,
    /// As it is written.
    pub value: String,
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

/// Every value of a file of a configuration, in the order of the file. Passwords are left out.
///
/// # Errors
/// When the file cannot be read, or is no TOML.
pub fn written(file: &Path) -> Result<Vec<Written>, ConfigError> {
    let wrong = |what: String| ConfigError { file: file.to_owned(), line: None, what };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let table = DeTable::parse(&text).map_err(|error| wrong(error.message().to_owned()))?;
    let mut found = Vec::new();
    walk(String::new(), table.get_ref(), &mut found);
    found.sort_by_key(|(_, span)| span.start);
    let shown = |(key, span): (String, Range<usize>)| {
        let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
        let value = text.get(span).unwrap_or_default();
        // `[database] url` may hold a password, whatever the file is called.
        let value = match key.as_str() {
            "database.url" => format!("\"{}\"", DatabaseUrl(value.trim_matches(['"', '\'']).to_owned())),
            _ => value.to_owned(),
        };
        Written { key, value, file: file.to_owned(), line }
    };
    Ok(found.into_iter().map(shown).collect())
}

/// Values are what is no table and no list of tables.
fn walk(path: String, table: &DeTable<'_>, found: &mut Vec<(String, Range<usize>)>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => walk(path, inner, found),
            DeValue::Array(items) if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
                for (at, item) in items.iter().enumerate() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        walk(format!("{path}[{at}]"), inner, found);
                    }
                }
            }
            _ => found.push((path, value.span())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_nowhere_and_the_place_is_there() {
        for (url, shown) in [
            ("postgres://sy:s3cret@db.example:5432/sy?password=s3cret", "postgres://sy@db.example:5432/sy"),
            ("postgres://sy:s3@cret@db/sy", "postgres://sy@db/sy"),
            ("postgresql://db/sy", "postgresql://@db/sy"),
            ("host=db port=5432 user=sy password=s3cret dbname=sy", "host=db port=5432 user=sy dbname=sy"),
            ("host=db password = s3cret", "host=db"),
        ] {
            let url = DatabaseUrl(url.to_owned());
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), format!("DatabaseUrl({shown})")));
        }
    }

    #[test]
    fn values_come_with_their_keys_and_lines() {
        let file = std::env::temp_dir().join(format!("switchyard-written-{}.toml", std::process::id()));
        let text = "shards = 2\n\n[database]\nurl = \"postgres://sy:s3cret@db/sy\"\n\n[[listener]]\nname = \"pos\"\nlist = [1,\n  2]\n[link.net]\nrules = { echo = 3 }\n";
        std::fs::write(&file, text).unwrap();
        let found = written(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let lines: Vec<String> = found.iter().map(|one| format!("{} {} {}", one.line, one.key, one.value)).collect();
        assert_eq!(
            lines,
            [
                "1 shards 2",
                "4 database.url \"postgres://sy@db/sy\"",
                "7 listener[0].name \"pos\"",
                "8 listener[0].list [1,\n  2]",
                "11 link.net.rules.echo 3",
            ]
        );
    }
}
