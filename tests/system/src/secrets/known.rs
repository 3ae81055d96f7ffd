//! The secrets of a laboratory's run, derived as its simulators derive them: cards from the seed, keys
//! from the object that everybody was given.
//!
//! A PIN of four digits cannot be searched for: every log has any four digits. It is looked for in the
//! places where it means something: inside PIN blocks, clear or as they were sent, and behind a label.

use std::collections::HashSet;

use crypto::TdesKey;
use crypto::pin::format0_encode;
use serde_json::Value;
use simulators::cards::{Card, Class, Population, PopulationOptions};
use simulators::keys::Secrets;
use testkit::KitError;

use super::forms::{Form, hashed, of_bytes, of_packed, of_text};
use super::scan::{Kind, Scanner};

/// Cards of a population that were issued to nobody and that terminals present all the same.
const UNKNOWN: u32 = 64;

/// Everything to look for, from the JSON object that the simulators were given.
///
/// # Errors
/// When the object is not one, or a card cannot be derived.
pub fn scanner(json: &str) -> Result<Scanner, KitError> {
    let bad = |error: &dyn std::fmt::Display| KitError::Drill(format!("secrets: {error}"));
    let secrets = Secrets::parse(json.as_bytes()).map_err(|error| bad(&error))?;
    let raw: Value = serde_json::from_str(json).map_err(|error| bad(&error))?;
    let mut scanner = Scanner::default();
    keys(&raw, String::new(), &mut scanner);
    let pin_keys = |group: &str, name: &str| -> Result<Vec<(String, TdesKey)>, KitError> {
        let all = raw[group].as_object().into_iter().flatten();
        let pairs = all.filter_map(|(id, pair)| Some((id.clone(), pair[name].as_str()?.to_owned())));
        pairs.map(|(id, key)| Ok((format!("{name} of {id}"), TdesKey::from_hex(&key).map_err(|e| bad(&e))?))).collect()
    };
    let mut under = pin_keys("terminals", "tpk")?;
    under.extend(pin_keys("networks", "zpk")?);
    let seed = secrets.card_seed().map_err(|error| bad(&error))?;
    let options = PopulationOptions::default();
    let mut pins = HashSet::new();
    for range in &options.ranges {
        let cards = Population::derive(&options, &range.network, seed).map_err(|error| bad(&error))?;
        for index in 0..cards.size() + UNKNOWN {
            let card = cards.card(index).map_err(|error| bad(&error))?;
            let whose = format!("card {index} of {}", range.network);
            pan(&card, &whose, &mut scanner);
            if card.class != Class::Unknown {
                blocks(&card, &whose, secrets.pvk().ok(), &under, &mut scanner).map_err(|error| bad(&error))?;
                pins.insert(card.pin.reveal().to_vec());
            }
        }
    }
    scanner.labelled(pins);
    Ok(scanner)
}

fn put(scanner: &mut Scanner, kind: Kind, whose: &str, forms: Vec<Form>) {
    for (form, bytes) in forms {
        scanner.add(kind, whose, form, bytes);
    }
}

fn pan(card: &Card, whose: &str, scanner: &mut Scanner) {
    let pan = card.pan.reveal();
    for forms in [of_text(pan), of_packed(pan), hashed(pan)] {
        put(scanner, Kind::Pan, whose, forms);
    }
    // Up to the service code: what follows is the issuer's own and may be cut off.
    let track = card.track2();
    let track = track.get(..24).unwrap_or(&track);
    let with_d: Vec<u8> = track.iter().map(|byte| if *byte == b'=' { b'D' } else { *byte }).collect();
    for forms in [of_text(track), of_text(&with_d), of_packed(track)] {
        put(scanner, Kind::Track, whose, forms);
    }
}

fn blocks(
    card: &Card,
    whose: &str,
    pvk: Option<&TdesKey>,
    under: &[(String, TdesKey)],
    scanner: &mut Scanner,
) -> Result<(), crypto::CryptoError> {
    for pin in [card.pin.clone(), card.wrong_pin(pvk)?] {
        let clear = format0_encode(&pin, card.pan.reveal())?;
        put(scanner, Kind::ClearPinBlock, whose, of_bytes(clear.reveal()));
        // The PIN field before the card number is added to it: its raw bytes are too plain to look for.
        let digits = String::from_utf8_lossy(pin.reveal()).into_owned();
        let field = format!("{:02}{digits:F<14}", digits.len());
        put(
            scanner,
            Kind::ClearPinBlock,
            whose,
            vec![("pin field in hex", field.to_lowercase().into_bytes()), ("pin field in hex", field.into_bytes())],
        );
        for (key, tdes) in under {
            put(scanner, Kind::SentPinBlock, &format!("{whose} under {key}"), of_bytes(&clear.encrypt(tdes)));
        }
    }
    Ok(())
}

/// Every string in the object is a key or a seed: whole, and each half of a double-length key.
fn keys(value: &Value, path: String, scanner: &mut Scanner) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                keys(member, if path.is_empty() { name.clone() } else { format!("{path} {name}") }, scanner);
            }
        }
        Value::String(text) => {
            put(scanner, Kind::Key, &path, of_text(text.as_bytes()));
            if let Ok(raw) = hex::decode(text) {
                put(scanner, Kind::Key, &path, of_bytes(&raw));
                for half in raw.chunks_exact(8) {
                    put(scanner, Kind::Key, &format!("half of {path}"), of_bytes(half));
                }
            }
        }
        _ => {}
    }
}
