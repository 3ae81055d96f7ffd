//! Licences of everything that is linked, against the allow list of `deny.toml`; and its list of crates that
//! must not come in by any door.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What `deny.toml` says, as far as this test reads it.
#[derive(Debug)]
pub(super) struct Policy {
    allow: BTreeSet<String>,
    banned: BTreeSet<String>,
}

#[derive(Deserialize)]
struct File {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

impl Policy {
    /// Reads `deny.toml`.
    pub(super) fn read(text: &str) -> Self {
        let file: File = toml::from_str(text).expect("deny.toml has licenses.allow and bans.deny");
        Self { allow: file.licenses.allow.into_iter().collect(), banned: file.bans.deny.into_iter().map(|b| b.name).collect() }
    }

    /// Every package, by name and licence expression, that may not be linked.
    pub(super) fn breaches(&self, packages: &[(String, Option<String>)]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, licence) in packages {
            if self.banned.contains(name) {
                found.push(format!("{name} is banned by deny.toml"));
            }
            match licence {
                None => found.push(format!("{name} states no licence")),
                Some(expression) if !self.accepts(expression) => found.push(format!("{name} is licensed {expression}")),
                Some(_) => {}
            }
        }
        found
    }

    /// Whether an SPDX expression can be met with allowed licences only. `/` is the older way to write OR.
    fn accepts(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().collect::<Vec<_>>().into_iter().peekable();
        let accepted = self.either(&mut words);
        accepted && words.peek().is_none()
    }

    fn either<'a>(&self, words: &mut Words<'a>) -> bool {
        let mut accepted = self.both(words);
        while words.next_if_eq(&"OR").is_some() {
            accepted |= self.both(words);
        }
        accepted
    }

    fn both<'a>(&self, words: &mut Words<'a>) -> bool {
        let mut accepted = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            accepted &= self.one(words);
        }
        accepted
    }

    fn one<'a>(&self, words: &mut Words<'a>) -> bool {
        match words.next() {
            Some("(") => {
                let accepted = self.either(words);
                words.next_if_eq(&")").is_some() && accepted
            }
            Some(licence) => {
                if words.next_if_eq(&"WITH").is_some() {
                    let exception = words.next().unwrap_or_default();
                    return self.allow.contains(&format!("{licence} WITH {exception}"));
                }
                self.allow.contains(licence)
            }
            None => false,
        }
    }
}

type Words<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::read(
            r#"
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]
            [bans]
            deny = [{ crate = "ring", reason = "one provider" }]
            "#,
        )
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let policy = policy();
        for accepted in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-2.0 OR MIT",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(policy.accepts(accepted), "{accepted}");
        }
        for refused in
            ["GPL-3.0", "MIT AND LGPL-2.1", "Unicode-3.0 AND (GPL-3.0 OR AGPL-3.0)", "", "MIT MIT", "(MIT", "MIT WITH x"]
        {
            assert!(!policy.accepts(refused), "{refused}");
        }
    }

    #[test]
    fn copyleft_unstated_and_banned_packages_are_found() {
        let package = |name: &str, licence: Option<&str>| (name.to_owned(), licence.map(str::to_owned));
        let packages = [
            package("good", Some("MIT")),
            package("left", Some("AGPL-3.0")),
            package("mute", None),
            package("ring", Some("MIT")),
        ];
        assert_eq!(policy().breaches(&packages).len(), 3);
    }
}
