//! Rules about text: what may stand in which files. They read the files as people do, word by word, so that
//! a rule needs no compiler and can say where it was broken.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Most files are shorter than this.
pub(super) const USUAL_LINES: usize = 400;
/// No file is longer than this.
pub(super) const MOST_LINES: usize = 900;

/// Folders whose code is a pure function of its arguments.
const PURE: &[&str] = &[
    "payments/",
    "codecs/iso8583/",
    "codecs/iso20022/",
    "codecs/files/",
    "codecs/dialects/",
    "hsm/crypto/",
    "ledger/book/",
    "routing/routes/",
    "routing/risk/",
    "switch/engine/",
];
const IMPURE: &[&str] =
    &["Instant::now", "SystemTime::now", "Zoned::now", "Timestamp::now", "std::fs", "std::net", "std::env", "std::thread"];

/// Folders where a float would sooner or later be money.
const NEAR_MONEY: &[&str] = &["payments/", "ledger/book/", "switch/engine/"];

/// Behaviour of networks is named by what it is, never by whose it is.
const NETWORKS: &[&str] =
    &["mastercard", "visa", "amex", "jcb", "unionpay", "rupay", "maestro", "interac", "diners", "banknet", "visanet", "cirrus"];

/// The packages that own a schema, and the suites which look at what they wrote.
const SQL_OWNERS: &[&str] = &["ledger/postgres/", "hsm/vault/", "settlement/", "tests/"];
const SQL: &[&str] = &["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE "];

/// The root of the one package that may have unsafe code, and the module of it that may.
const MAY_BE_UNSAFE: (&str, &str) = ("hsm/operations/src/lib.rs", "hsm/operations/src/pkcs11/raw.rs");
/// The table of contents of the documentation.
const CONTENTS: &str = "docs/README.md";

/// One file, its path from the root.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    fn is_below(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// Every Rust source of the house.
pub(super) fn rust(root: &Path) -> Vec<Source> {
    let mut found = texts(root);
    found.retain(|source| source.path.ends_with(".rs"));
    found
}

/// Every file that is text, without what is generated and the copies of test vectors.
pub(super) fn texts(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the checkout is readable") {
        let path = entry.expect("a folder of the checkout is readable").path();
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if path.is_symlink() || ["target", ".git", ".demo", "tests/vectors"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push(Source { path: name, text });
        }
    }
}

/// The sources without their tests: files below `tests/` and `benches/`, files named `tests.rs`, and in the
/// rest everything from the test module on, which comes last.
pub(super) fn production(sources: &[Source]) -> Vec<Source> {
    let is_test = |path: &str| path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs");
    let code = sources.iter().filter(|source| !is_test(&source.path)).cloned();
    code.map(|mut source| {
        if let Some(start) = source.text.find("#[cfg(test)]\nmod ") {
            source.text.truncate(start);
        }
        source
    })
    .collect()
}

pub(super) fn below<'a>(sources: &'a [Source], folder: &'a str) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(move |source| source.path.starts_with(folder))
}

pub(super) fn pure(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.is_below(PURE))
}

pub(super) fn near_money(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.is_below(NEAR_MONEY))
}

/// `path:line: what` for every line for which `rule` says what is wrong.
fn search<'a>(sources: impl Iterator<Item = &'a Source>, rule: impl Fn(&str) -> Option<String>) -> Vec<String> {
    sources
        .flat_map(|source| {
            let lines = source.text.lines().enumerate();
            lines.filter_map(|(at, line)| Some(format!("{}:{}: {}", source.path, at + 1, rule(line)?))).collect::<Vec<_>>()
        })
        .collect()
}

fn first_in(line: &str, words: &[&str]) -> Option<String> {
    words.iter().find(|word| line.contains(*word)).map(|word| (*word).to_owned())
}

/// The code of a line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Identifiers and words of a line, split at `_` and where a capital letter starts a new word, in lower case.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in line.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn has_word(line: &str, wanted: &[&str]) -> Option<String> {
    words(line).into_iter().find(|word| wanted.contains(&word.as_str()))
}

/// Reads of a clock, a file, a socket or the environment in packages that are pure.
pub(super) fn impure(production: &[Source]) -> Vec<String> {
    search(pure(production), |line| first_in(code(line), IMPURE))
}

/// Names of networks in the engine, comments included.
pub(super) fn network_names(sources: &[Source]) -> Vec<String> {
    search(below(sources, "switch/engine/"), |line| has_word(line, NETWORKS))
}

/// Floats near money.
pub(super) fn floats(sources: &[Source]) -> Vec<String> {
    search(near_money(sources), |line| has_word(code(line), &["f32", "f64"]))
}

/// Statements outside the packages that own a schema.
pub(super) fn sql(production: &[Source]) -> Vec<String> {
    search(production.iter().filter(|source| !source.is_below(SQL_OWNERS)), |line| first_in(code(line), SQL))
}

/// Crates that do not forbid unsafe code: the compiler then refuses it in all their modules. The one that may
/// have some denies it, and allows it again in one module alone (decision 5).
pub(super) fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let (root, module) = MAY_BE_UNSAFE;
    let lacking = roots(sources).filter_map(|source| {
        let wanted = if source.path == root { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        (!source.text.lines().any(|line| line == wanted)).then(|| format!("{}: {wanted} is missing", source.path))
    });
    let folder = root.trim_end_matches("lib.rs");
    let allowing = below(sources, folder).filter(|source| source.path != module && source.text.contains("allow(unsafe_code)"));
    lacking.chain(allowing.map(|source| format!("{}: unsafe code is for {module} alone", source.path))).collect()
}

/// The root module of every library, program and suite.
pub(super) fn roots(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| {
        let path = source.path.as_str();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        path.ends_with("src/lib.rs")
            || path.ends_with("src/main.rs")
            || folder.ends_with("src/bin")
            || folder.ends_with("/benches")
    })
}

/// Absolute paths of somebody's machine.
pub(super) fn machine_paths(texts: &[Source]) -> Vec<String> {
    // Root's home is a fact of every machine; what somebody keeps in it is not.
    let folders = ["work/", "root/.", "home/", "Users/"].map(|folder| format!("/{folder}"));
    search(texts.iter(), |line| {
        let folder = folders.iter().find(|folder| {
            line.match_indices(folder.as_str()).any(|(at, _)| {
                let before = line[..at].chars().next_back().unwrap_or(' ');
                !before.is_alphanumeric() && !['.', '_', '-', '}', '*'].contains(&before)
            })
        })?;
        Some(format!("names {folder}"))
    })
}

/// Links in Markdown that lead nowhere, and pages of `docs/` that the table of contents does not list.
pub(super) fn dead_ends(texts: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let mut linked = BTreeSet::new();
    for page in pages(texts) {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = resolve(folder, target);
            if !texts.iter().any(|text| text.path == path) {
                found.push(format!("{} links to {target}, which is not there", page.path));
            }
            if page.path == CONTENTS {
                linked.insert(path);
            }
        }
    }
    let unlisted =
        pages(texts).filter(|page| page.path.starts_with("docs/") && page.path != CONTENTS && !linked.contains(&page.path));
    found.extend(unlisted.map(|page| format!("{} is not in {CONTENTS}", page.path)));
    found
}

/// Every page of Markdown.
pub(super) fn pages(texts: &[Source]) -> impl Iterator<Item = &Source> {
    texts.iter().filter(|text| text.path.ends_with(".md"))
}

/// `target` as seen from `folder`, from the root.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Files longer than anybody reads.
pub(super) fn too_long(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|s| s.lines() > MOST_LINES).map(|s| format!("{} has {} lines", s.path, s.lines())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> Vec<Source> {
        vec![Source { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn a_clock_in_a_pure_package_is_found_but_not_in_its_tests() {
        let broken = one("switch/engine/src/lib.rs", "fn now() { Instant::now(); }\n");
        assert_eq!(impure(&production(&broken)), ["switch/engine/src/lib.rs:1: Instant::now"]);
        let tested = one("switch/engine/src/lib.rs", "#[cfg(test)]\nmod tests { use std::fs; }\n");
        assert_eq!(impure(&production(&tested)), Vec::<String>::new());
    }

    #[test]
    fn a_network_in_the_engine_is_found_in_any_spelling() {
        for line in ["// as VISA does", "let visa_code = 1;", "enum VisaCode {}", "struct MasterCard;\nlet mastercard = 1;"] {
            assert_eq!(network_names(&one("switch/engine/src/case.rs", line)).len(), 1, "{line}");
        }
        assert_eq!(network_names(&one("switch/engine/src/case.rs", "// it is advisable to supervise")), Vec::<String>::new());
    }

    #[test]
    fn a_float_near_money_is_found() {
        assert_eq!(floats(&one("ledger/book/src/a.rs", "let rate: f64 = x;")).len(), 1);
        assert_eq!(floats(&one("ledger/book/src/a.rs", "// never f64")), Vec::<String>::new());
    }

    #[test]
    fn sql_in_the_shell_is_found() {
        assert_eq!(sql(&one("switch/shell/src/a.rs", "let q = \"SELECT 1\";")).len(), 1);
        assert_eq!(sql(&one("hsm/vault/src/a.rs", "let q = \"SELECT 1\";")), Vec::<String>::new());
    }

    #[test]
    fn a_crate_that_may_be_unsafe_is_found() {
        assert_eq!(unsafe_code(&one("payments/src/lib.rs", "//! nothing")).len(), 1);
        assert_eq!(unsafe_code(&one("tests/system/src/bin/drill.rs", "// #![forbid(unsafe_code)]")).len(), 1);
        assert_eq!(unsafe_code(&one("payments/src/lib.rs", "//! x\n#![forbid(unsafe_code)]\n")), Vec::<String>::new());
        assert_eq!(unsafe_code(&one("payments/src/card.rs", "//! a module")), Vec::<String>::new());
        let (root, module) = MAY_BE_UNSAFE;
        assert_eq!(unsafe_code(&one(root, "#![deny(unsafe_code)]")), Vec::<String>::new());
        assert_eq!(unsafe_code(&one(root, "//! nothing")).len(), 1);
        assert_eq!(unsafe_code(&one(module, "#![allow(unsafe_code)]")), Vec::<String>::new());
        assert_eq!(unsafe_code(&one("hsm/operations/src/pool.rs", "#[allow(unsafe_code)]")).len(), 1);
    }

    #[test]
    fn a_path_of_somebodys_machine_is_found() {
        let path = ["see /", "home", "/me/x"].concat();
        assert_eq!(machine_paths(&one("README.md", &path)).len(), 1);
        assert_eq!(machine_paths(&one("README.md", &["target/", "work", "/x"].concat())), Vec::<String>::new());
    }

    #[test]
    fn a_dead_link_and_an_unlisted_page_are_found() {
        let mut pages = one("docs/README.md", "[a](adr/1.md) [b](../README.md#top) [c](https://example.org)");
        pages.extend(one("docs/adr/1.md", "[back](../README.md)"));
        pages.extend(one("README.md", ""));
        assert_eq!(dead_ends(&pages), Vec::<String>::new());
        pages.extend(one("docs/secret.md", "[gone](missing.md)"));
        assert_eq!(dead_ends(&pages).len(), 2);
    }

    #[test]
    fn a_file_beyond_the_bound_is_found() {
        assert_eq!(too_long(&one("a.rs", &"x\n".repeat(MOST_LINES + 1))).len(), 1);
    }
}
