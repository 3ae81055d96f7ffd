//! The settings of a clearing endpoint: whom the file is for and how it is written.

use std::collections::BTreeMap;

use files::Charset;
use files::ipm::{Format, Layout, Mode};
use payments::{LinkId, Text};
use serde::{Deserialize, Serialize};

/// Where clearing files of one network go. A section of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoint {
    /// Its name: part of the file's name, so letters, digits and `_` only.
    pub name: Text<24>,
    /// The link whose captures it clears.
    pub network: LinkId,
    /// Processor id in the file id, at most 11 digits.
    pub processor: Text<11>,
    /// Acquirer's BIN in the acquirer references, 6 digits.
    pub reference_bin: Text<6>,
    /// File type in the file id, 3 digits.
    #[serde(default = "file_type")]
    pub file_type: Text<3>,
    /// Whether its files move money.
    #[serde(default)]
    pub mode: ModeSetting,
    /// Plain records or blocks of 1014.
    #[serde(default)]
    pub layout: LayoutSetting,
    /// Character set.
    #[serde(default)]
    pub charset: CharsetSetting,
    /// DE33, at most 11 digits.
    #[serde(default)]
    pub forwarder: Text<11>,
    /// DE94, at most 11 digits.
    #[serde(default)]
    pub originator: Text<11>,
    /// Country of merchants that do not say theirs, ISO 3166-1 alpha-3.
    pub country: Text<3>,
    /// Private data subelements for every record, tag of 4 digits to value.
    #[serde(default)]
    pub private: BTreeMap<Text<4>, Text<64>>,
}

fn file_type() -> Text<3> {
    Text::literal("002")
}

/// See [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeSetting {
    /// No money moves.
    #[default]
    Test,
    /// Money moves.
    Production,
}

/// See [`Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutSetting {
    /// Records one after the other.
    #[default]
    Plain,
    /// In blocks of 1014 bytes.
    Blocked,
}

/// See [`Charset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CharsetSetting {
    /// ISO 8859-1.
    #[default]
    Latin1,
    /// EBCDIC 500.
    Cp500,
    /// EBCDIC 037.
    Cp037,
}

/// A setting that cannot be: which key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {endpoint}: {key}: {fix}")]
pub struct SettingError {
    /// The endpoint's name.
    pub endpoint: String,
    /// The key.
    pub key: &'static str,
    /// What it has to be.
    pub fix: &'static str,
}

impl Endpoint {
    /// Checks what the types do not.
    pub fn validate(&self) -> Result<(), SettingError> {
        let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let name = self.name.as_str();
        let checks = [
            ("name", !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "letters, digits and _"),
            ("network", !self.network.is_empty(), "the name of a link"),
            ("processor", digits(self.processor.as_str(), 1..=11), "1 to 11 digits"),
            ("reference-bin", digits(self.reference_bin.as_str(), 6..=6), "6 digits"),
            ("file-type", digits(self.file_type.as_str(), 3..=3), "3 digits"),
            ("forwarder", digits(self.forwarder.as_str(), 0..=11), "at most 11 digits"),
            ("originator", digits(self.originator.as_str(), 0..=11), "at most 11 digits"),
            (
                "country",
                self.country.as_bytes().len() == 3 && self.country.as_bytes().iter().all(u8::is_ascii_uppercase),
                "three capital letters of ISO 3166-1, such as DEU",
            ),
            ("private", self.private.keys().all(|tag| digits(tag.as_str(), 4..=4)), "tags of 4 digits"),
        ];
        match checks.into_iter().find(|(_, right, _)| !right) {
            Some((key, _, fix)) => Err(SettingError { endpoint: name.to_owned(), key, fix }),
            None => Ok(()),
        }
    }

    /// How its files are laid out.
    pub fn format(&self) -> Format {
        Format {
            layout: match self.layout {
                LayoutSetting::Plain => Layout::Plain,
                LayoutSetting::Blocked => Layout::Blocked,
            },
            charset: match self.charset {
                CharsetSetting::Latin1 => Charset::Latin1,
                CharsetSetting::Cp500 => Charset::Cp500,
                CharsetSetting::Cp037 => Charset::Cp037,
            },
        }
    }

    /// The processing mode in the header.
    pub fn file_mode(&self) -> Mode {
        match self.mode {
            ModeSetting::Test => Mode::Test,
            ModeSetting::Production => Mode::Production,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Endpoint {
        toml::from_str(
            r#"
            name = "scheme1"
            network = "net1"
            processor = "12345"
            reference-bin = "541234"
            forwarder = "012345"
            originator = "00000012345"
            country = "DEU"
            private = { "0165" = "M" }
            "#,
        )
        .unwrap()
    }

    #[test]
    fn a_wrong_setting_names_its_key() {
        assert_eq!(sample().validate(), Ok(()));
        let wrong = Endpoint { reference_bin: Text::literal("54123"), ..sample() };
        assert_eq!(wrong.validate().unwrap_err().key, "reference-bin");
        assert!(toml::from_str::<Endpoint>("name = \"x\"\nnetwrk = \"net1\"").is_err());
    }
}
