//! One case: what goes in, read by name and kind, and what must come out.

use crypto::{AesKey, CryptoError, Pin, TdesKey};
use serde_json::{Map, Value};

/// What came out, by the names that cases use: byte strings as upper-case hexadecimal text, digits as text.
pub(super) type Values = Map<String, Value>;

/// Why nothing came out.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The operation refused what it was given: the class of the refusal.
    Refused(String),
    /// The runner cannot read the case.
    Unreadable(String),
}

impl From<CryptoError> for Trouble {
    fn from(error: CryptoError) -> Self {
        Self::Refused(class(error))
    }
}

/// The word that cases use for a refusal.
fn class(error: CryptoError) -> String {
    let word = match error {
        CryptoError::Parity => "parity",
        CryptoError::CheckValue => "kcv_mismatch",
        CryptoError::WeakKey => "weak_key",
        CryptoError::RepeatedParts => "repeated_halves",
        CryptoError::PinBlock => "pin_block",
        CryptoError::PinLengthOrDigits => "pin_length_or_digits",
        CryptoError::Pan => "pan",
        CryptoError::BlockMac => "mac",
        CryptoError::BlockLength => "length",
        CryptoError::BlockVersion => "version",
        CryptoError::KsnLength => "ksn_length",
        CryptoError::KsnCounter => "ksn_counter_bits",
        CryptoError::DecimalizationTable => "decimalization_table",
        CryptoError::Pvki => "pvki",
        CryptoError::Expiry => "expiry",
        CryptoError::DomainTooSmall => "domain_too_small",
        CryptoError::Alphabet => "alphabet",
        other => return format!("{other:?}"),
    };
    word.to_owned()
}

/// Wrong lengths of keys are told by the key's name in the case.
pub(super) fn of_key(name: &'static str) -> impl Fn(CryptoError) -> Trouble {
    move |error| match error {
        CryptoError::KeyLength => Trouble::Refused(format!("{name}_length")),
        other => other.into(),
    }
}

/// Bytes as cases write them.
pub(super) fn shown(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode_upper(bytes))
}

/// Digits as cases write them.
pub(super) fn digits(text: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(text).into_owned())
}

/// The values by name.
pub(super) fn values<const N: usize>(pairs: [(&str, Value); N]) -> Result<Values, Trouble> {
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What only steers how a random block is compared.
const HINTS: [&str; 3] = ["compare", "dst_fill", "dst_pin_field"];

/// A case of the file.
pub(super) struct Case<'a> {
    value: &'a Value,
}

impl<'a> Case<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self { value }
    }

    pub(super) fn name(&self) -> &'a str {
        self.value["id"].as_str().unwrap_or("a case without a name")
    }

    pub(super) fn op(&self) -> &'a str {
        self.value["op"].as_str().unwrap_or_default()
    }

    /// An input that may be missing.
    pub(super) fn find(&self, name: &str) -> Option<&'a Value> {
        self.value["inputs"].get(name)
    }

    fn need(&self, name: &str) -> Result<&'a Value, Trouble> {
        self.find(name).ok_or_else(|| Trouble::Unreadable(format!("has no input {name:?}")))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Trouble> {
        self.need(name)?.as_str().ok_or_else(|| Trouble::Unreadable(format!("its {name} is no text")))
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, Trouble> {
        let value = self.need(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.ok_or_else(|| Trouble::Unreadable(format!("its {name} is no number")))
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, Trouble> {
        hex::decode(self.text(name)?).map_err(|error| Trouble::Unreadable(format!("its {name}: {error}")))
    }

    pub(super) fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], Trouble> {
        self.bytes(name)?.try_into().map_err(|_| Trouble::Unreadable(format!("its {name} is not {N} bytes")))
    }

    pub(super) fn array_if<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, Trouble> {
        self.find(name).map(|_| self.array(name)).transpose()
    }

    /// What is authenticated or encrypted, as bytes or as text.
    pub(super) fn data(&self) -> Result<Vec<u8>, Trouble> {
        match self.find("data_ascii") {
            Some(_) => Ok(self.text("data_ascii")?.as_bytes().to_vec()),
            None => self.bytes("data"),
        }
    }

    /// A TDES key of any parity, as published examples have them.
    pub(super) fn tdes(&self, name: &'static str) -> Result<TdesKey, Trouble> {
        TdesKey::unchecked(&self.bytes(name)?).map_err(of_key(name))
    }

    pub(super) fn aes(&self, name: &'static str) -> Result<AesKey, Trouble> {
        AesKey::from_bytes(&self.bytes(name)?).map_err(of_key(name))
    }

    pub(super) fn pin(&self) -> Result<Pin, Trouble> {
        Ok(Pin::new(self.text("pin")?.as_bytes())?)
    }

    /// The PAN, empty where the operation needs none.
    pub(super) fn pan(&self) -> Result<&'a [u8], Trouble> {
        self.find("pan").map_or(Ok(&[]), |_| Ok(self.text("pan")?.as_bytes()))
    }

    /// The whole case.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// What the case fixes of what is random in its result, as text.
    pub(super) fn fixed(&self, name: &str) -> Option<&'a str> {
        self.value["expected"][name].as_str()
    }

    /// Compares what came out with what the case expects; what a backend keeps inside is not asked for.
    pub(super) fn judge(&self, outcome: Result<Values, Trouble>, kept: &[&str]) -> Result<(), String> {
        let expected = self.value["expected"].as_object().filter(|expected| !expected.is_empty());
        let expected = expected.ok_or("it expects nothing")?;
        match (expected.get("error").map(Value::as_str), outcome) {
            (_, Err(Trouble::Unreadable(why))) => Err(format!("cannot be run: {why}")),
            (Some(Some(wanted)), Err(Trouble::Refused(class))) if class == wanted => Ok(()),
            (Some(wanted), Err(Trouble::Refused(class))) => Err(format!("refused as {class}, wanted {wanted:?}")),
            (Some(wanted), Ok(_)) => Err(format!("accepted, wanted {wanted:?}")),
            (None, Err(Trouble::Refused(class))) => Err(format!("refused as {class}")),
            (None, Ok(values)) => {
                let asked = |name: &str| !HINTS.contains(&name) && !kept.contains(&name);
                let wanted = expected.iter().filter(|(name, _)| asked(name));
                wanted.into_iter().try_for_each(|(name, wanted)| self.compare(name, wanted, values.get(name)))
            }
        }
    }

    fn compare(&self, name: &str, wanted: &Value, got: Option<&Value>) -> Result<(), String> {
        let got = got.ok_or_else(|| format!("no {name} came out"))?;
        let agrees = match (name, wanted, got) {
            ("mac", Value::String(wanted), Value::String(got)) => wanted.len() >= 8 && got.starts_with(wanted.as_str()),
            ("optional_blocks", wanted, Value::Array(got)) => same_blocks(wanted, got),
            ("pin_block_under_dst", ..) if wanted != got => super::pure::same_pin(self, wanted, got),
            _ => wanted == got,
        };
        if agrees { Ok(()) } else { Err(format!("{name} {got}, wanted {wanted}")) }
    }
}

/// The optional blocks of a key block. Cases give them by name without the padding block, or tell only how
/// many there are: some makers of cases count the padding block, as the header does, and some do not.
fn same_blocks(wanted: &Value, got: &[Value]) -> bool {
    let kept: Vec<&Value> = got.iter().filter(|block| block[0] != "PB").collect();
    match wanted {
        Value::Number(count) => [got.len(), kept.len()].iter().any(|len| count.as_u64() == u64::try_from(*len).ok()),
        Value::Object(wanted) => {
            let same = |block: &&Value| block[0].as_str().and_then(|id| wanted.get(id)) == Some(&block[1]);
            kept.len() == wanted.len() && kept.iter().all(same)
        }
        _ => false,
    }
}
