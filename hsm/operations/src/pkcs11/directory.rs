//! Which keys are in the token: read once, then kept beside the handles of their objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::template;
use crate::{Algorithm, Kcv, KeyInfo, KeyName, KeyRole};

/// End of the label of a companion object.
const COMPANION: &str = ".companion";

/// A key and its objects.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub info: KeyInfo,
    pub whole: ObjectHandle,
    pub companion: Option<ObjectHandle>,
}

impl Entry {
    /// Whether the role's companion is there.
    pub(super) fn complete(&self) -> bool {
        self.companion.is_some() || !needs_companion(self.info.role, self.info.algorithm)
    }
}

/// The keys of the token. A change makes a new one with the next version.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub version: u64,
    pub keys: Arc<BTreeMap<KeyName, Entry>>,
}

/// As [`crate::ClearKey::companion`] makes them.
pub(super) fn needs_companion(role: KeyRole, algorithm: Algorithm) -> bool {
    matches!(role, KeyRole::Tak | KeyRole::Zak | KeyRole::Cvk | KeyRole::Bdk) && algorithm.is_tdes()
}

/// Label of a key's object.
pub(super) fn label(name: &KeyName, role: KeyRole) -> String {
    format!("{role}.{name}")
}

/// Label of its companion.
pub(super) fn companion_label(name: &KeyName, role: KeyRole) -> String {
    format!("{role}.{name}{COMPANION}")
}

fn parse(label: &str) -> Option<(KeyName, KeyRole)> {
    let (role, name) = label.split_once('.')?;
    let role = KeyRole::ALL.into_iter().find(|known| known.as_str() == role)?;
    Some((name.parse().ok()?, role))
}

/// Reads every key of ours. Objects with other labels belong to somebody else and are left alone; a
/// name under two roles is dropped with an error in the log, since nobody can say which was meant.
pub(super) fn read(session: &Session) -> Result<BTreeMap<KeyName, Entry>, Error> {
    let mut found = BTreeMap::new();
    let mut companions = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for handle in session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true)])? {
        let Seen { label, kcv, id, kind, bytes } = look(session, handle)?;
        let Ok(label) = String::from_utf8(label) else { continue };
        if let Some(of) = label.strip_suffix(COMPANION).and_then(parse) {
            companions.insert(of, handle);
        } else if let Some((name, role)) = parse(&label) {
            let algorithm = kind.and_then(|kind| template::algorithm(kind, bytes)).filter(|algorithm| role.admits(*algorithm));
            let Some(algorithm) = algorithm else {
                tracing::error!(target: "hsm", key = %name, "a key in the token has an algorithm that its role does not have");
                continue;
            };
            let (mode, exportability) = template::of_id(&id);
            let info = KeyInfo { name, role, algorithm, mode, exportability, kcv: Kcv(kcv.unwrap_or_default()) };
            if found.insert(name, Entry { info, whole: handle, companion: None }).is_some() {
                tracing::error!(target: "hsm", key = %name, "two keys of one name in the token: neither is used");
                twice.insert(name);
            }
        }
    }
    found.retain(|name, _| !twice.contains(name));
    for ((name, role), handle) in companions {
        if let Some(entry) = found.get_mut(&name).filter(|entry| entry.info.role == role) {
            entry.companion = Some(handle);
        }
    }
    Ok(found)
}

/// What an object tells of itself.
#[derive(Default)]
struct Seen {
    label: Vec<u8>,
    kcv: Option<[u8; 3]>,
    id: Vec<u8>,
    kind: Option<KeyType>,
    bytes: Option<usize>,
}

fn look(session: &Session, handle: ObjectHandle) -> Result<Seen, Error> {
    let wanted = [
        AttributeType::Label,
        AttributeType::CheckValue,
        AttributeType::Id,
        AttributeType::KeyType,
        // Last: a token may not have it for keys whose type says their length.
        AttributeType::ValueLen,
    ];
    let mut seen = Seen::default();
    for attribute in session.get_attributes(handle, &wanted)? {
        match attribute {
            Attribute::Label(raw) => seen.label = raw,
            Attribute::CheckValue(raw) => seen.kcv = raw.first_chunk::<3>().copied(),
            Attribute::Id(raw) => seen.id = raw,
            Attribute::KeyType(kind) => seen.kind = Some(kind),
            Attribute::ValueLen(bytes) => seen.bytes = usize::try_from(u64::from(bytes)).ok(),
            _ => {}
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_role_id_and_generation() {
        let name: KeyName = "zpk-net1.3".parse().unwrap();
        assert_eq!(label(&name, KeyRole::Zpk), "zpk.zpk-net1.3");
        assert_eq!(parse("zpk.zpk-net1.3"), Some((name, KeyRole::Zpk)));
        assert_eq!(companion_label(&name, KeyRole::Tak), "tak.zpk-net1.3.companion");
        assert_eq!(parse("tak.zpk-net1.3.companion"), None);
        assert_eq!(parse("somebody else's key"), None);
    }
}
