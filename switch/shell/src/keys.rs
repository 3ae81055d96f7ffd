//! The keys that a configuration names against those that the HSM has. A node without them would start,
//! say that it is ready, and refuse every message.

use std::collections::BTreeMap;
use std::path::Path;

use hsm::{Hsm, KeyName, KeyNameError, KeyRole};

use crate::config::{Config, ConfigError, Mac, line_of};
use crate::node::NodeError;

/// A terminal's PIN comes under its own key, under that of the acquirer's host, or under DUKPT.
const TERMINAL_PIN: &[KeyRole] = &[KeyRole::Tpk, KeyRole::Zpk, KeyRole::Bdk];
/// A terminal has a key of its own, or uses that of the acquirer's host.
const TERMINAL_MAC: &[KeyRole] = &[KeyRole::Tak, KeyRole::Zak];

/// Keys that are told by name after the first one that is wrong.
const TOLD: usize = 4;

/// Reads anew which keys the HSM has, and holds them against those that the configuration names.
///
/// # Errors
/// [`NodeError::Config`] with file, line and fix of the first key that is missing or of another role;
/// [`NodeError::Hsm`] when the HSM cannot say.
pub(crate) async fn check(config: &Config, hsm: &Hsm) -> Result<(), NodeError> {
    let failed = |error: hsm::HsmError| NodeError::Hsm(error.to_string());
    hsm.refresh().await.map_err(failed)?;
    let keys = hsm.list_keys().await.map_err(failed)?;
    let held = keys.into_iter().map(|key| (key.name, key.role)).collect();
    compare(config, &held).map_err(NodeError::Config)
}

/// A place in the configuration that names a key.
struct Named<'a> {
    /// Who uses it, for people: `terminal TERM0001`.
    whose: String,
    /// The setting.
    setting: &'static str,
    /// The key; empty where none is named and one is needed.
    key: &'a str,
    /// Roles that it may have, the usual one first.
    roles: &'static [KeyRole],
    file: &'a Path,
}

fn compare(config: &Config, held: &BTreeMap<KeyName, KeyRole>) -> Result<(), ConfigError> {
    let mut wrong = named(config).into_iter().filter_map(|named| Some((fault(config, &named, held)?, named)));
    let Some((mut what, first)) = wrong.next() else { return Ok(()) };
    let mut others: Vec<&str> = wrong.map(|(_, named)| named.key).collect();
    others.dedup();
    if !others.is_empty() {
        let told: Vec<&str> = others.iter().copied().take(TOLD).collect();
        let more = if others.len() > TOLD { ", …" } else { "" };
        what.push_str(&format!(" ({} more like this: {}{more})", others.len(), told.join(", ")));
    }
    let text = std::fs::read_to_string(first.file).unwrap_or_default();
    let quoted = format!("\"{}\"", first.key);
    Err(ConfigError { file: first.file.to_owned(), line: line_of(&text, &quoted), what })
}

/// What is wrong with a key and how to put it right.
fn fault(config: &Config, named: &Named<'_>, held: &BTreeMap<KeyName, KeyRole>) -> Option<String> {
    let Named { whose, setting, key, roles, .. } = named;
    let role = roles.first()?;
    if key.is_empty() {
        return Some(format!("{whose} has no {setting}, and its listener requires MACs; name its key, or write mac = \"none\""));
    }
    let file = config.file.display();
    let Ok(name) = key.parse::<KeyName>() else {
        return Some(format!("{whose}: {setting} \"{key}\" is no key name; {KeyNameError}"));
    };
    match held.get(&name) {
        Some(held) if roles.contains(held) => None,
        Some(held) => Some(format!(
            "{whose}: {setting} \"{key}\" is a {held} in the token, and a {role} is needed; name the right key, or bring one in \
             under another name with `switchyard hsm key import --config {file}`"
        )),
        None if *role == KeyRole::Kek => {
            Some(format!("{whose}: {setting} \"{key}\" is not in the token; make it with `switchyard hsm init --config {file}`"))
        }
        None => Some(format!(
            "{whose}: {setting} \"{key}\" is not in the token; correct the name, or bring it in with `echo '{role} {key} HEX' | \
             switchyard hsm key import --config {file}`"
        )),
    }
}

/// Every key that the configuration names, in the order of its files.
fn named(config: &Config) -> Vec<Named<'_>> {
    let file = config.file.as_path();
    let mut all = vec![Named { whose: "[hsm]".to_owned(), setting: "kek", key: &config.hsm.kek, roles: &[KeyRole::Kek], file }];
    for (name, link) in &config.links {
        let whose = format!("link {name}");
        let pin = config.tables.links.get(name).map_or("", |rules| rules.pin_key.as_str());
        all.push(Named { whose: whose.clone(), setting: "mac_key", key: link.mac_key.as_str(), roles: &[KeyRole::Zak], file });
        all.push(Named { whose, setting: "pin_key", key: pin, roles: &[KeyRole::Zpk], file });
    }
    let file = config.registry.as_path();
    let mut needed = Vec::new();
    for ((acquirer, id), terminal) in &config.tables.registry.terminals {
        let whose = format!("terminal {id}");
        let mac = terminal.mac_key.as_str();
        let requires = config
            .listeners
            .iter()
            .any(|listener| listener.acquirer == *acquirer && listener.protocol.is_card() && listener.mac == Mac::Required);
        let mac = Named { whose: whose.clone(), setting: "mac_key", key: mac, roles: TERMINAL_MAC, file };
        if requires && mac.key.is_empty() {
            needed.push(mac);
        } else {
            all.push(mac);
        }
        all.push(Named { whose, setting: "pin_key", key: terminal.pin_key.as_str(), roles: TERMINAL_PIN, file });
    }
    // What is not named is not needed, but for the MAC key of a terminal whose listener asks for one.
    all.retain(|named| !named.key.is_empty());
    all.extend(needed);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = r#"
version = 1
[files]
registry = "registry.toml"
routes = "routes.toml"
risk = "risk.toml"
[[listener]]
name = "pos"
protocol = "iso87-ascii"
listen = "127.0.0.1:0"
acquirer = "ACQ1"
[link.net]
protocol = "iso87-ascii"
connect = "127.0.0.1:1"
mac_key = "zak-net"
[link.net.rules]
pin_key = "zpk-net"
"#;
    const REGISTRY: &str = r#"
[[acquirer]]
id = "ACQ1"
institution = "00000000001"
[[merchant]]
id = "M1"
acquirer = "ACQ1"
category = "5411"
name = "Shop"
city = "Berlin"
country = "DE"
currency = 978
[[terminal]]
id = "T1"
acquirer = "ACQ1"
merchant = "M1"
pin_key = "tpk-t1"
mac_key = "tak-t1"
"#;
    const KEYS: [(&str, KeyRole); 5] = [
        ("kek", KeyRole::Kek),
        ("zak-net", KeyRole::Zak),
        ("zpk-net", KeyRole::Zpk),
        ("tpk-t1", KeyRole::Tpk),
        ("tak-t1", KeyRole::Tak),
    ];

    /// What is said of a configuration, with its files still there.
    fn said(node: &str, registry: &str, held: &[(&str, KeyRole)]) -> Result<(), (String, Option<usize>, String)> {
        let dir = std::env::temp_dir().join(format!("keys-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        write("switchyard.toml", node);
        write("registry.toml", registry);
        write("routes.toml", "");
        write("risk.toml", "version = \"r1\"\n");
        let config = Config::load(&dir.join("switchyard.toml")).unwrap();
        let held = held.iter().map(|(name, role)| (name.parse().unwrap(), *role)).collect();
        let compared = compare(&config, &held);
        std::fs::remove_dir_all(&dir).unwrap();
        compared.map_err(|error| (error.file.file_name().unwrap().to_str().unwrap().to_owned(), error.line, error.what))
    }

    #[test]
    fn a_token_with_every_key_passes() {
        assert_eq!(said(NODE, REGISTRY, &KEYS), Ok(()));
    }

    #[test]
    fn a_token_without_keys_is_refused_with_the_first_and_the_number_of_the_others() {
        let (file, line, what) = said(NODE, REGISTRY, &[("kek", KeyRole::Kek)]).unwrap_err();
        assert_eq!((file.as_str(), line), ("switchyard.toml", Some(15)));
        assert!(what.starts_with("link net: mac_key \"zak-net\" is not in the token"), "{what}");
        assert!(what.contains("echo 'zak zak-net HEX' | switchyard hsm key import --config "), "{what}");
        assert!(what.ends_with("(3 more like this: zpk-net, tak-t1, tpk-t1)"), "{what}");
    }

    #[test]
    fn each_key_that_is_missing_or_misspelt_is_named_with_its_line() {
        for (at, (name, role)) in KEYS.iter().enumerate() {
            let mut held = KEYS.to_vec();
            held.remove(at);
            let (file, line, what) = said(NODE, REGISTRY, &held).unwrap_err();
            let registry = name.ends_with("t1");
            assert_eq!(file, if registry { "registry.toml" } else { "switchyard.toml" });
            assert!(line.is_some() || *role == KeyRole::Kek, "{name} has a line");
            assert!(what.contains(&format!("\"{name}\" is not in the token")), "{what}");
            assert!(what.contains(if *role == KeyRole::Kek { "switchyard hsm init" } else { "hsm key import" }), "{what}");
        }
        let (file, line, what) = said(NODE, &REGISTRY.replace("\"tpk-t1\"", "\"tpk-tl\""), &KEYS).unwrap_err();
        assert_eq!((file.as_str(), line), ("registry.toml", Some(17)));
        assert!(what.contains("terminal T1: pin_key \"tpk-tl\""), "{what}");
    }

    #[test]
    fn a_name_that_no_key_can_have_is_refused() {
        let (file, line, what) = said(&NODE.replace("\"zak-net\"", "\"ZAK net\""), REGISTRY, &KEYS).unwrap_err();
        assert_eq!((file.as_str(), line), ("switchyard.toml", Some(15)));
        assert!(what.contains("link net: mac_key \"ZAK net\" is no key name; key names are"), "{what}");
    }

    #[test]
    fn a_key_of_another_role_is_refused() {
        for (name, other) in [("zpk-net", KeyRole::Zak), ("zak-net", KeyRole::Tak), ("tpk-t1", KeyRole::Tak)] {
            let held: Vec<_> = KEYS.iter().map(|(key, role)| (*key, if *key == name { other } else { *role })).collect();
            let (_, _, what) = said(NODE, REGISTRY, &held).unwrap_err();
            assert!(what.contains(&format!("\"{name}\" is a {other} in the token")), "{what}");
        }
    }

    #[test]
    fn a_terminal_may_use_the_keys_of_its_acquirers_host() {
        let held: Vec<_> = KEYS
            .iter()
            .map(|(key, role)| {
                let role = match role {
                    KeyRole::Tpk => KeyRole::Zpk,
                    KeyRole::Tak => KeyRole::Zak,
                    role => *role,
                };
                (*key, role)
            })
            .collect();
        assert_eq!(said(NODE, REGISTRY, &held), Ok(()));
    }

    #[test]
    fn a_terminal_without_a_mac_key_is_refused_where_macs_are_required() {
        let bare = REGISTRY.replace("\"tak-t1\"", "\"\"").replace("\"tpk-t1\"", "\"\"");
        let (file, _, what) = said(NODE, &bare, &KEYS).unwrap_err();
        assert_eq!(file, "registry.toml");
        assert!(what.starts_with("terminal T1 has no mac_key"), "{what}");
        let open = NODE.replace("acquirer = \"ACQ1\"", "acquirer = \"ACQ1\"\nmac = \"none\"");
        assert_eq!(said(&open, &bare, &KEYS), Ok(()));
    }
}
