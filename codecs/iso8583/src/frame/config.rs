//! A framing as configurations write it: the name of a preset, or a table of what differs from one.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::header::{self, Header};
use super::{End, Framing, HeaderKind, Length, LengthForm, Order, Preset, ZeroLength};

/// The most zero bytes behind a length.
const MOST_FILLER: usize = 8;

/// A framing that cannot be, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// No preset has this name.
    #[error("framing \"{0}\" is not known; there are {names}", names = names())]
    Unknown(String),
    /// A length of so many bytes cannot be written in its form.
    #[error("a length in {form} has {allowed} bytes, bytes is {got}")]
    Width {
        /// The form.
        form: &'static str,
        /// What would be right.
        allowed: &'static str,
        /// What is written.
        got: usize,
    },
    /// A key that means nothing with this length.
    #[error("{key} means nothing with length = \"{form}\"; leave it out")]
    Meaningless {
        /// The key.
        key: &'static str,
        /// The form.
        form: &'static str,
    },
    /// Nothing says where a message ends.
    #[error("without a length, trailer or stx_etx_lrc = true must say where a message ends")]
    Endless,
    /// Two things that would end a message.
    #[error("trailer and stx_etx_lrc = true exclude each other; leave one out")]
    TwoEnds,
    /// A counted trailer that is not there.
    #[error("trailer_counted needs a trailer, for example trailer = 3")]
    NoTrailer,
    /// Too many zero bytes.
    #[error("filler is {0}, at most {MOST_FILLER} zero bytes may stand behind the length")]
    Filler(usize),
    /// A header that is not hex text, or too long.
    #[error("header must be hexadecimal digits for at most {} bytes, for a TPDU for example \"6000010000\"", header::LONGEST)]
    HeaderText,
    /// A header that its kind does not have.
    #[error("header has {got} bytes, header_kind = \"{kind}\" has {wanted}")]
    HeaderLength {
        /// The kind.
        kind: &'static str,
        /// Bytes of the kind.
        wanted: usize,
        /// Bytes written.
        got: usize,
    },
    /// A kind of header that is not there.
    #[error("header_kind needs header = \"...\", the bytes (in hex) of a message that answers none")]
    NoHeader,
}

fn names() -> String {
    Preset::all().iter().map(|preset| format!("\"{}\"", preset.name)).collect::<Vec<_>>().join(", ")
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Binary,
    Ascii,
    Bcd,
    None,
}

impl Form {
    fn of(framing: &Framing) -> Self {
        match framing.length.map(|length| length.form) {
            Some(LengthForm::Binary(_)) => Self::Binary,
            Some(LengthForm::Ascii) => Self::Ascii,
            Some(LengthForm::Bcd) => Self::Bcd,
            None => Self::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Bcd => "bcd",
            Self::None => "none",
        }
    }
}

/// The table. Whatever is left out is as in the preset.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What it differs from; `binary2` when it does not say.
    preset: Option<String>,
    /// How the length is written.
    length: Option<Form>,
    /// Bytes of the length.
    bytes: Option<usize>,
    /// Which byte of a binary length comes first.
    order: Option<Order>,
    /// Whether the length counts itself and the filler.
    inclusive: Option<bool>,
    /// Zero bytes behind the length.
    filler: Option<usize>,
    /// The fixed header of a message that answers none, in hex; empty for no header.
    header: Option<String>,
    /// What is known of the header.
    header_kind: Option<HeaderKind>,
    /// The byte behind each message.
    trailer: Option<u8>,
    /// Whether the length counts the trailer.
    trailer_counted: Option<bool>,
    /// Whether header and message stand between STX and ETX, a check byte behind them.
    stx_etx_lrc: Option<bool>,
    /// What a frame of nothing means.
    zero_length: Option<ZeroLength>,
}

impl Table {
    fn build(self) -> Result<Framing, FramingError> {
        let name = self.preset.as_deref().unwrap_or("binary2");
        let base = Preset::named(name).ok_or_else(|| FramingError::Unknown(name.to_owned()))?.framing;
        let form = self.length.unwrap_or(Form::of(&base));
        let length = self.length(form, &base)?;
        let end = self.end(&base)?;
        let header = self.header(&base)?;
        if length.is_none() && end == End::Nothing {
            return Err(FramingError::Endless);
        }
        if length.is_none() && header.length() > 0 {
            return Err(FramingError::Meaningless { key: "header", form: form.name() });
        }
        Ok(Framing { length, header, end, zero_length: self.zero_length.unwrap_or(base.zero_length), cap: base.cap })
    }

    fn length(&self, form: Form, base: &Framing) -> Result<Option<Length>, FramingError> {
        let meaningless = |key| Err(FramingError::Meaningless { key, form: form.name() });
        if self.order.is_some() && form != Form::Binary {
            return meaningless("order");
        }
        let keys = [("bytes", self.bytes.is_some()), ("inclusive", self.inclusive.is_some()), ("filler", self.filler.is_some())];
        if let (Form::None, Some((key, _))) = (form, keys.iter().find(|(_, written)| *written)) {
            return meaningless(key);
        }
        // What the preset says of another form's length does not hold for this one.
        let same = base.length.filter(|_| Form::of(base) == form);
        let order = self.order.or_else(|| same.and_then(|length| length.form.order())).unwrap_or(Order::Big);
        let (form_of_length, usual, allowed, right) = match form {
            Form::None => return Ok(None),
            Form::Binary => (LengthForm::Binary(order), 2, "2 or 4", [2, 4].as_slice()),
            Form::Ascii => (LengthForm::Ascii, 4, "1 to 6", [1, 2, 3, 4, 5, 6].as_slice()),
            Form::Bcd => (LengthForm::Bcd, 2, "1 to 4", [1, 2, 3, 4].as_slice()),
        };
        let width = self.bytes.or(same.map(|length| length.width)).unwrap_or(usual);
        if !right.contains(&width) {
            return Err(FramingError::Width { form: form.name(), allowed, got: width });
        }
        let filler = self.filler.or(base.length.map(|length| length.filler)).unwrap_or(0);
        if filler > MOST_FILLER {
            return Err(FramingError::Filler(filler));
        }
        let inclusive = self.inclusive.or(base.length.map(|length| length.inclusive)).unwrap_or(false);
        Ok(Some(Length { form: form_of_length, width, inclusive, filler }))
    }

    fn end(&self, base: &Framing) -> Result<End, FramingError> {
        let between = self.stx_etx_lrc.unwrap_or(base.end == End::StxEtxLrc && self.trailer.is_none());
        let (byte, counted) = match base.end {
            End::Trailer { byte, counted } if !between => (Some(byte), counted),
            _ => (None, true),
        };
        match (self.trailer.or(byte), self.trailer_counted) {
            (Some(_), _) if between => Err(FramingError::TwoEnds),
            (Some(byte), written) => Ok(End::Trailer { byte, counted: written.unwrap_or(counted) }),
            (None, Some(_)) => Err(FramingError::NoTrailer),
            (None, None) => Ok(if between { End::StxEtxLrc } else { End::Nothing }),
        }
    }

    fn header(&self, base: &Framing) -> Result<Header, FramingError> {
        let kind = self.header_kind.unwrap_or(base.header.kind());
        let Some(text) = &self.header else {
            return if self.header_kind.is_none() { Ok(base.header) } else { Err(FramingError::NoHeader) };
        };
        let bytes = hex::decode(text).map_err(|_| FramingError::HeaderText)?;
        let kind = if bytes.is_empty() { HeaderKind::Opaque } else { kind };
        match (Header::new(kind, &bytes), kind.length()) {
            (Some(header), _) => Ok(header),
            (None, Some(wanted)) => Err(FramingError::HeaderLength { kind: kind.name(), wanted, got: bytes.len() }),
            (None, None) => Err(FramingError::HeaderText),
        }
    }
}

impl<'de> Deserialize<'de> for Framing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrTable)
    }
}

struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = Framing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a framing or a table")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Framing, E> {
        let table = Table { preset: Some(name.to_owned()), ..Table::default() };
        table.build().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Framing, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map))?.build().map_err(de::Error::custom)
    }
}
