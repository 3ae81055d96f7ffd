//! PIN blocks.

use crypto::pin::{self, ClearPinBlock, Fill, Format, format4};
use crypto::{AesKey, CryptoError, Pin, TdesKey};
use serde_json::Value;

use super::super::case::{Case, Trouble, Values, digits, of_key, shown, values};

/// A format, as cases number them.
enum Layout {
    Eight(Format),
    Sixteen,
}

fn layout(case: &Case<'_>, name: &str) -> Result<Layout, Trouble> {
    Ok(match case.number(name)? {
        0 => Layout::Eight(Format::Iso0),
        1 => Layout::Eight(Format::Iso1),
        2 => Layout::Eight(Format::Iso2),
        3 => Layout::Eight(Format::Iso3),
        4 => Layout::Sixteen,
        other => return Err(Trouble::Unreadable(format!("PIN block format {other} is unknown"))),
    })
}

/// The key that the format has: AES for format 4 alone.
pub(super) enum PinKey {
    Tdes(TdesKey),
    Aes(AesKey),
}

impl PinKey {
    fn read(case: &Case<'_>, name: &'static str, layout: &Layout) -> Result<Self, Trouble> {
        match layout {
            Layout::Eight(_) => case.tdes(name).map(Self::Tdes),
            Layout::Sixteen => case.aes(name).map(Self::Aes),
        }
    }

    fn open(&self, layout: &Layout, block: &[u8], pan: &[u8]) -> Result<Pin, Trouble> {
        match (layout, self) {
            (Layout::Eight(format), Self::Tdes(key)) => Ok(pin::decode(*format, &ClearPinBlock::decrypt(key, block)?, pan)?),
            (Layout::Sixteen, Self::Aes(key)) => Ok(format4::decipher(key, block, pan)?),
            _ => Err(Trouble::Unreadable("its key is not of the format's cipher".to_owned())),
        }
    }

    fn close(&self, case: &Case<'_>, layout: &Layout, pin: &Pin, pan: &[u8]) -> Result<Value, Trouble> {
        match (layout, self) {
            (Layout::Eight(format), Self::Tdes(key)) => {
                Ok(shown(pin::encode(*format, pin, pan, &fill(case.fixed("dst_fill"), *format))?.encrypt(key)))
            }
            (Layout::Sixteen, Self::Aes(key)) => {
                Ok(shown(format4::encipher(key, pin, pan, random(case.fixed("dst_pin_field")))?))
            }
            _ => Err(Trouble::Unreadable("its key is not of the format's cipher".to_owned())),
        }
    }
}

/// The fill that makes these nibbles.
fn fill(nibbles: Option<&str>, format: Format) -> Fill {
    let least = if format == Format::Iso3 { 0xA } else { 0 };
    let mut fill = Fill::default();
    let values =
        nibbles.unwrap_or_default().chars().filter_map(|digit| digit.to_digit(16)).filter_map(|value| u8::try_from(value).ok());
    fill.iter_mut().zip(values).for_each(|(room, value)| *room = value.saturating_sub(least));
    fill
}

/// The random half of a field of format 4.
fn random(field: Option<&str>) -> [u8; 8] {
    let field = field.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    field.last_chunk().copied().unwrap_or_default()
}

pub(super) fn encode(case: &Case<'_>) -> Result<Values, Trouble> {
    let Layout::Eight(format) = layout(case, "format")? else {
        return Err(Trouble::Unreadable("format 4 has no clear block".to_owned()));
    };
    let (pin, pan) = (case.pin()?, case.pan()?);
    // Where the case does not say what it was filled with, its own block does.
    let wanted = case.fixed("pin_block").and_then(|text| text.get(2 + pin.reveal().len()..));
    let block = pin::encode(format, &pin, pan, &fill(wanted, format))?;
    let decoded = pin::decode(format, &block, pan)?;
    if decoded != pin {
        return Err(Trouble::Refused("does not decode to what was encoded".to_owned()));
    }
    values([("pin_block", shown(block.reveal()))])
}

pub(super) fn decode(case: &Case<'_>) -> Result<Values, Trouble> {
    let Layout::Eight(format) = layout(case, "format")? else {
        return Err(Trouble::Unreadable("format 4 has no clear block".to_owned()));
    };
    let block = case.bytes("pin_block")?.try_into().map_err(|_| CryptoError::PinBlock)?;
    let pin = pin::decode(format, &ClearPinBlock::new(block), case.pan()?)?;
    values([("pin", digits(pin.reveal()))])
}

pub(super) fn encipher(case: &Case<'_>) -> Result<Values, Trouble> {
    let (key, pin, pan) = (case.aes("key")?, case.pin()?, case.pan()?);
    let field = case.find("pin_field").and_then(Value::as_str);
    let block = format4::encipher(&key, &pin, pan, random(field))?;
    values([("encrypted_pin_block", shown(block))])
}

pub(super) fn decipher(case: &Case<'_>) -> Result<Values, Trouble> {
    let pin = format4::decipher(&case.aes("key")?, &case.bytes("encrypted_pin_block")?, case.pan()?)?;
    values([("pin", digits(pin.reveal()))])
}

pub(super) fn translate(case: &Case<'_>) -> Result<Values, Trouble> {
    let source = layout(case, "src_format")?;
    let key = PinKey::read(case, "src_key", &source)?;
    translate_from(case, &key)
}

/// From a key that the case gives or that was derived.
pub(super) fn translate_from(case: &Case<'_>, key: &PinKey) -> Result<Values, Trouble> {
    let (source, target) = (layout(case, "src_format")?, layout(case, "dst_format")?);
    let pin = key.open(&source, &case.bytes("src_block")?, case.pan()?)?;
    let moved = PinKey::read(case, "dst_key", &target)?.close(case, &target, &pin, case.pan()?)?;
    values([("pin", digits(pin.reveal())), ("pin_block_under_dst", moved)])
}

/// Whether two blocks of a format with random fill hold one PIN under the target's key.
pub(in super::super) fn same_pin(case: &Case<'_>, wanted: &Value, got: &Value) -> bool {
    let read = |block: &Value| -> Result<Pin, Trouble> {
        let target = layout(case, "dst_format")?;
        if matches!(target, Layout::Eight(format) if !format.is_random()) {
            return Err(Trouble::Refused("nothing is random in this format".to_owned()));
        }
        let block = block.as_str().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
        PinKey::read(case, "dst_key", &target)?.open(&target, &block, case.pan()?)
    };
    // Where the case says what is random, the block must be the very one.
    let fixed = case.fixed("dst_fill").or(case.fixed("dst_pin_field"));
    fixed.is_none() && matches!((read(wanted), read(got)), (Ok(wanted), Ok(got)) if wanted == got)
}

/// For DUKPT: format and key as they come.
pub(super) fn encrypt(case: &Case<'_>, format: &str, key: &TdesKey) -> Result<Value, Trouble> {
    match layout(case, format)? {
        Layout::Eight(format) => Ok(shown(pin::encode(format, &case.pin()?, case.pan()?, &Fill::default())?.encrypt(key))),
        Layout::Sixteen => Err(of_key("pin")(CryptoError::KeyLength)),
    }
}
