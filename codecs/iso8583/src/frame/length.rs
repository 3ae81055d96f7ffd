//! The number in a length header: binary, ASCII digits or BCD.

use bytes::{BufMut, BytesMut};

use super::FrameError;

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthForm {
    /// An unsigned integer of 2 or 4 bytes.
    Binary(Order),
    /// Decimal digits in ASCII, one a byte, 1 to 6 bytes.
    Ascii,
    /// Decimal digits in BCD, two a byte, 1 to 4 bytes.
    Bcd,
}

/// Which byte of a binary length comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The highest: network byte order.
    Big,
    /// The lowest.
    Little,
}

impl LengthForm {
    /// Which byte comes first, where that is a choice.
    pub(super) fn order(self) -> Option<Order> {
        match self {
            Self::Binary(order) => Some(order),
            Self::Ascii | Self::Bcd => None,
        }
    }

    /// What one byte counts: 256, 10 or 100.
    fn radix(self) -> usize {
        match self {
            Self::Binary(_) => 256,
            Self::Ascii => 10,
            Self::Bcd => 100,
        }
    }

    /// The largest number in so many bytes.
    pub(super) fn largest(self, width: usize) -> usize {
        (0..width).fold(0usize, |largest, _| largest.saturating_mul(self.radix()).saturating_add(self.radix() - 1))
    }

    /// The number in these bytes.
    pub(super) fn read(self, bytes: &[u8]) -> Result<usize, FrameError> {
        let digit = |offset: usize, byte: u8| match self {
            Self::Binary(_) => Ok(byte),
            Self::Ascii if byte.is_ascii_digit() => Ok(byte - b'0'),
            Self::Bcd if byte >> 4 <= 9 && byte & 0x0F <= 9 => Ok((byte >> 4) * 10 + (byte & 0x0F)),
            Self::Ascii | Self::Bcd => Err(FrameError::NotADigit { offset }),
        };
        let step = |number: usize, digit: u8| number.saturating_mul(self.radix()).saturating_add(usize::from(digit));
        if self == Self::Binary(Order::Little) {
            return Ok(bytes.iter().rev().fold(0, |number, byte| step(number, *byte)));
        }
        bytes.iter().enumerate().try_fold(0, |number, (offset, byte)| Ok(step(number, digit(offset, *byte)?)))
    }

    /// Appends a number of at most `largest(width)`.
    pub(super) fn write(self, number: usize, width: usize, out: &mut BytesMut) {
        let start = out.len();
        out.put_bytes(0, width);
        let mut rest = number;
        let mut fill = |byte: &mut u8| {
            // A remainder by 256 at most fits.
            let digit = u8::try_from(rest % self.radix()).unwrap_or(0);
            rest /= self.radix();
            *byte = match self {
                Self::Binary(_) => digit,
                Self::Ascii => b'0' + digit,
                Self::Bcd => ((digit / 10) << 4) | (digit % 10),
            };
        };
        let bytes = out.get_mut(start..).unwrap_or_default();
        match self {
            Self::Binary(Order::Little) => bytes.iter_mut().for_each(&mut fill),
            _ => bytes.iter_mut().rev().for_each(&mut fill),
        }
    }
}
