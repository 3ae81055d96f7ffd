//! Application cryptograms: KQ with the card's own key or Mastercard's session key, KW with EMV's.

use zeroize::Zeroizing;

use super::super::codec::{Malformed, Reader, Request, Writer};
use super::super::keys::Wrapped;

/// How the key of a cryptogram comes from the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChipScheme {
    /// The card's own key (Visa cryptogram version 10): KQ, scheme 0.
    Static,
    /// Mastercard's key of counter and unpredictable number; answers under the card's key: KQ, scheme 1.
    MChip,
    /// EMV's common session key, card key by option A: KW, scheme 2.
    CommonA,
    /// The same by option B: KW, scheme 3.
    CommonB,
    /// The EMV2000 key tree, card key by option A: KW, scheme 0.
    TreeA(KeyTree),
    /// The same by option B: KW, scheme 1.
    TreeB(KeyTree),
}

/// An EMV2000 key tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyTree {
    /// What it starts from; zeros for most issuers.
    pub start: [u8; 16],
    /// Four branches and height 8, else two and height 16.
    pub quaternary: bool,
}

impl ChipScheme {
    fn code(self) -> u8 {
        match self {
            Self::Static | Self::TreeA(_) => b'0',
            Self::MChip | Self::TreeB(_) => b'1',
            Self::CommonA => b'2',
            Self::CommonB => b'3',
        }
    }

    fn tree(self) -> Option<KeyTree> {
        match self {
            Self::TreeA(tree) | Self::TreeB(tree) => Some(tree),
            _ => None,
        }
    }
}

/// What the issuer answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipAnswer<'a> {
    /// Method 1, a response code.
    Code([u8; 2]),
    /// Method 2: card status update, and up to 8 bytes of proprietary data.
    Status([u8; 4], &'a [u8]),
}

/// KQ or KW, by the scheme. Refused with 01 when the cryptogram is not the card's.
pub struct Cryptogram<'a> {
    /// Which.
    pub scheme: ChipScheme,
    /// Issuer master key for application cryptograms.
    pub key: &'a Wrapped,
    /// PAN, ASCII digits.
    pub pan: &'a [u8],
    /// PAN sequence number, two ASCII digits.
    pub sequence: &'a [u8; 2],
    /// Application transaction counter.
    pub counter: [u8; 2],
    /// Unpredictable number.
    pub unpredictable: [u8; 4],
    /// The data that it is over, padded as the card scheme wants; `None` does not check it.
    pub data: Option<&'a [u8]>,
    /// The cryptogram.
    pub received: [u8; 8],
    /// The answer to make.
    pub answer: Option<ChipAnswer<'a>>,
}

impl Cryptogram<'_> {
    fn is_static(&self) -> bool {
        matches!(self.scheme, ChipScheme::Static | ChipScheme::MChip)
    }

    fn mode(&self) -> u8 {
        match (self.data, self.answer) {
            (_, None) => b'0',
            (Some(_), Some(ChipAnswer::Code(_))) => b'1',
            (None, Some(ChipAnswer::Code(_))) => b'2',
            (Some(_), Some(ChipAnswer::Status(..))) => b'3',
            (None, Some(ChipAnswer::Status(..))) => b'4',
        }
    }

    /// PAN and sequence number in packed digits, right-justified in so many bytes; digits that do not fit
    /// are cut off on the left.
    fn digits(&self, bytes: usize) -> Zeroizing<Vec<u8>> {
        let all = || self.pan.iter().chain(self.sequence).map(|digit| digit & 0x0F);
        let count = self.pan.len() + self.sequence.len();
        let zeros = std::iter::repeat_n(0, (bytes * 2).saturating_sub(count));
        let nibbles = zeros.chain(all().skip(count.saturating_sub(bytes * 2)));
        let nibbles = Zeroizing::new(nibbles.collect::<Vec<u8>>());
        let (pairs, _) = nibbles.as_chunks::<2>();
        Zeroizing::new(pairs.iter().map(|[high, low]| high << 4 | low).collect())
    }
}

impl Request for Cryptogram<'_> {
    type Response = Vec<u8>;

    fn code(&self) -> [u8; 2] {
        if self.is_static() { *b"KQ" } else { *b"KW" }
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(&[self.mode(), self.scheme.code()]);
        self.key.write(out);
        if let Some(tree) = self.scheme.tree() {
            out.bytes(&tree.start);
        }
        if matches!(self.scheme, ChipScheme::CommonB | ChipScheme::TreeB(_)) {
            let length = u8::try_from(self.pan.len()).unwrap_or_default();
            out.bytes(&[b'0' + length / 10 % 10, b'0' + length % 10]);
            out.bytes(&self.digits((self.pan.len() + 2).div_ceil(2)));
            out.bytes(b";");
        } else {
            out.bytes(&self.digits(8));
        }
        if let Some(tree) = self.scheme.tree() {
            out.bytes(if tree.quaternary { b"1" } else { b"0" });
        }
        out.bytes(&self.counter);
        if self.is_static() {
            out.bytes(&self.unpredictable);
        }
        if let Some(data) = self.data {
            out.hex(&[u8::try_from(data.len()).unwrap_or(u8::MAX)]);
            out.bytes(data);
            out.bytes(b";");
        }
        out.bytes(&self.received);
        match self.answer {
            None => {}
            Some(ChipAnswer::Code(code)) => out.bytes(&code),
            Some(ChipAnswer::Status(status, proprietary)) => {
                out.bytes(&status);
                out.bytes(&[b'0' + u8::try_from(proprietary.len()).unwrap_or_default() % 10]);
                out.bytes(proprietary);
            }
        }
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        let length = match self.answer {
            None => 0,
            Some(ChipAnswer::Code(_)) => 8,
            Some(ChipAnswer::Status(..)) => 4,
        };
        Ok(fields.bytes(length)?.to_vec())
    }
}
