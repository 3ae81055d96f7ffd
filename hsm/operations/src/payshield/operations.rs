//! What callers say when they ask for an operation: where a PIN comes from, how it is checked, how a MAC is
//! made. Keys by name.

use std::fmt;

use crypto::CryptoError;
use crypto::dukpt::Ksn;
use crypto::ibm3624::{self, DecimalizationTable};
use crypto::pvv;
use payments::Pan;
use zeroize::Zeroizing;

use super::commands::macs::MacAlgorithm;
use super::commands::{Account, PinFormat};
use super::{ChipScheme, MacPadding};
use crate::{HsmError, KeyName};

/// How a PIN block came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFrom {
    /// Under a terminal or zone PIN key.
    Static {
        /// The key.
        key: KeyName,
        /// The block's layout.
        format: PinFormat,
    },
    /// Under the PIN key of one TDES DUKPT transaction.
    Dukpt {
        /// The base derivation key.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: Ksn,
        /// The block's layout.
        format: PinFormat,
    },
}

impl PinFrom {
    pub(super) fn format(&self) -> PinFormat {
        match self {
            Self::Static { format, .. } | Self::Dukpt { format, .. } => *format,
        }
    }
}

/// Where a PIN block goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinTo {
    /// A zone PIN key.
    pub key: KeyName,
    /// The block's layout.
    pub format: PinFormat,
}

/// What an issuer keeps of a PIN.
#[derive(Debug, Clone)]
pub enum PinCheck {
    /// The Visa method.
    Visa(Pvv),
    /// The IBM 3624 method.
    Ibm3624(Offset),
}

/// A PIN verification value and the key to it.
#[derive(Debug, Clone)]
pub struct Pvv {
    /// A PIN verification key.
    pub key: KeyName,
    /// Its index, an ASCII digit.
    pub index: u8,
    /// The value.
    pub value: pvv::Pvv,
}

/// A PIN offset, and how the natural PIN is made.
#[derive(Debug, Clone)]
pub struct Offset {
    /// A PIN verification key.
    pub key: KeyName,
    /// Sixteen ASCII digits; must be one of the settings' tables.
    pub table: [u8; 16],
    /// First digit of the PAN that is validated, from 0.
    pub start: usize,
    /// Digits of the PAN that are validated.
    pub length: usize,
    /// Fills them up to sixteen, an ASCII hexadecimal digit.
    pub pad: u8,
    /// Fewest digits of a PIN.
    pub shortest: u8,
    /// The offset.
    pub offset: ibm3624::Offset,
}

impl Offset {
    /// The validation data as commands carry it: sixteen digits, the last five of the account in them
    /// replaced by `N`.
    pub(super) fn validation(&self, pan: &Pan, account: &Account) -> Result<Zeroizing<[u8; 12]>, HsmError> {
        DecimalizationTable::new(&self.table)?;
        let end = self.start.checked_add(self.length);
        let digits = end.and_then(|end| pan.reveal().get(self.start..end)).filter(|digits| (1..=16).contains(&digits.len()));
        let digits = digits.ok_or(HsmError::KeyRefused(CryptoError::ValidationData))?;
        if !self.pad.is_ascii_hexdigit() {
            return Err(HsmError::KeyRefused(CryptoError::ValidationData));
        }
        let filled = digits.iter().copied().chain(std::iter::repeat(self.pad)).take(16);
        let text = Zeroizing::new(filled.collect::<Vec<u8>>());
        let last = account.last_five().ok_or(HsmError::Pan)?;
        let at = text.windows(5).position(|window| window == last).ok_or(NO_PLACE)?;
        let (before, rest) = text.split_at(at);
        let mut field = Zeroizing::new([b'N'; 12]);
        let after = rest.iter().skip(5);
        let places = before.iter().chain(std::iter::once(&b'N')).chain(after);
        field.iter_mut().zip(places).for_each(|(room, digit)| *room = *digit);
        Ok(field)
    }
}

const NO_PLACE: HsmError = HsmError::Unsupported("validate digits that do not hold the account's last five");

/// A card and what is printed or written on it.
#[derive(Clone, Copy)]
pub struct CardSecurity<'a> {
    /// A card verification key.
    pub key: KeyName,
    /// The card's number.
    pub pan: &'a Pan,
    /// Expiry as stripe or panel has it, ASCII digits.
    pub expiry: [u8; 4],
    /// Service code, ASCII digits: `000` for the panel, `999` for the chip.
    pub service_code: [u8; 3],
}

impl fmt::Debug for CardSecurity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardSecurity({}, [redacted])", self.key)
    }
}

/// Which key makes or checks a MAC, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacFrom {
    /// A terminal or zone authentication key.
    Static {
        /// The key.
        key: KeyName,
        /// How.
        algorithm: MacAlgorithm,
    },
    /// Algorithm 3 under the request key of one TDES DUKPT transaction.
    Dukpt {
        /// The base derivation key.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: Ksn,
        /// Padding 1 or 2.
        padding: MacPadding,
    },
}

/// Whole blocks of data as a MAC by DUKPT wants them.
pub(super) fn padded(data: &[u8], padding: MacPadding) -> Result<Zeroizing<Vec<u8>>, HsmError> {
    let mut whole = Zeroizing::new(Vec::with_capacity(data.len() + 8));
    whole.extend_from_slice(data);
    match padding {
        MacPadding::Zeros => {}
        MacPadding::OneThenZeros => whole.push(0x80),
        MacPadding::Length => return Err(HsmError::Unsupported("pad by the length for a MAC by DUKPT")),
    }
    let blocks = whole.len().max(1).next_multiple_of(8);
    whole.resize(blocks, 0);
    Ok(whole)
}

/// A key for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSource {
    /// A zone or data encryption key.
    Static {
        /// The key.
        key: KeyName,
    },
    /// The data key for requests of one TDES DUKPT transaction.
    Dukpt {
        /// The base derivation key.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: Ksn,
    },
}

/// A cryptogram that a card sent.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Issuer master key for application cryptograms.
    pub key: KeyName,
    /// How session keys are made.
    pub scheme: ChipScheme,
    /// The card's number.
    pub pan: &'a Pan,
    /// Its sequence number, two ASCII digits.
    pub sequence: [u8; 2],
    /// Application transaction counter.
    pub counter: [u8; 2],
    /// Unpredictable number.
    pub unpredictable: [u8; 4],
    /// The cryptogram.
    pub cryptogram: [u8; 8],
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({}, {:?}, [redacted])", self.key, self.scheme)
    }
}

/// Components of a key, each under the local master key.
pub type Components<'a> = &'a [super::Wrapped];
