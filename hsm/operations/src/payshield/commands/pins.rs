//! PIN blocks: CA, CC, G0 take them from key to key; DC, EC, DA, EA hold a PIN against what the issuer
//! keeps of it.

use crypto::dukpt::Ksn;

use super::super::codec::{ErrorCode, Malformed, Reader, Request, Writer};
use super::super::keys::Wrapped;
use super::{Account, PinFormat, write_ksn};
use zeroize::Zeroizing;

/// The longest PIN that commands are told, always.
const LONGEST: &[u8; 2] = b"12";

/// Which key a PIN block came under.
pub enum PinKey<'a> {
    /// A terminal's.
    Terminal(&'a Wrapped),
    /// A zone's.
    Zone(&'a Wrapped),
}

impl<'a> PinKey<'a> {
    fn wrapped(&self) -> &'a Wrapped {
        match self {
            Self::Terminal(key) | Self::Zone(key) => key,
        }
    }
}

/// Where a PIN block comes from.
pub enum Origin<'a> {
    /// A static key.
    Static(PinKey<'a>),
    /// The PIN key of one DUKPT transaction.
    Dukpt(&'a Wrapped, &'a Ksn),
}

/// CA, CC or G0, by the origin.
pub struct TranslatePin<'a> {
    /// Under which key it comes.
    pub origin: Origin<'a>,
    /// The zone PIN key that it goes under.
    pub target: &'a Wrapped,
    /// The block.
    pub block: &'a [u8],
    /// Its layout.
    pub from: PinFormat,
    /// The layout that it gets.
    pub to: PinFormat,
    /// The account.
    pub account: &'a Account,
}

impl Request for TranslatePin<'_> {
    type Response = Zeroizing<Vec<u8>>;

    fn code(&self) -> [u8; 2] {
        match &self.origin {
            Origin::Static(PinKey::Terminal(_)) => *b"CA",
            Origin::Static(PinKey::Zone(_)) => *b"CC",
            Origin::Dukpt(..) => *b"G0",
        }
    }

    fn room(&self) -> usize {
        2048
    }

    fn write(&self, out: &mut Writer) {
        match &self.origin {
            Origin::Static(key) => {
                key.wrapped().write(out);
                self.target.write(out);
                out.bytes(LONGEST);
            }
            Origin::Dukpt(base, ksn) => {
                base.write(out);
                self.target.write(out);
                write_ksn(ksn, out);
            }
        }
        out.hex(self.block);
        out.bytes(self.from.code());
        out.bytes(self.to.code());
        self.account.write(out);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        // The length of the PIN: nobody here wants to know it.
        let _: [u8; 2] = fields.digits()?;
        let block = fields.hex(self.to.bytes())?;
        if &fields.array()? == self.to.code() { Ok(block) } else { Err(Malformed) }
    }
}

/// DC or EC: by the Visa method. Refused with 01 when the PIN is another.
pub struct VerifyPvv<'a> {
    /// Under which key the block comes.
    pub key: PinKey<'a>,
    /// The PIN verification key.
    pub verification: &'a Wrapped,
    /// The block.
    pub block: &'a [u8],
    /// Its layout.
    pub format: PinFormat,
    /// The account.
    pub account: &'a Account,
    /// Index of the verification key, an ASCII digit.
    pub index: u8,
    /// What the issuer keeps.
    pub value: &'a [u8; 4],
}

impl Request for VerifyPvv<'_> {
    type Response = ();

    fn code(&self) -> [u8; 2] {
        match self.key {
            PinKey::Terminal(_) => *b"DC",
            PinKey::Zone(_) => *b"EC",
        }
    }

    fn room(&self) -> usize {
        2048
    }

    fn write(&self, out: &mut Writer) {
        self.key.wrapped().write(out);
        self.verification.write(out);
        out.hex(self.block);
        out.bytes(self.format.code());
        self.account.write(out);
        out.bytes(&[self.index]);
        out.bytes(self.value);
    }

    fn read(&self, _: &mut Reader<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}

/// DA or EA: by the IBM 3624 method. Refused with 01 when the PIN is another.
pub struct VerifyOffset<'a> {
    /// Under which key the block comes.
    pub key: PinKey<'a>,
    /// The PIN verification key.
    pub verification: &'a Wrapped,
    /// The block.
    pub block: &'a [u8],
    /// Its layout.
    pub format: PinFormat,
    /// Fewest digits of a PIN.
    pub shortest: u8,
    /// The account.
    pub account: &'a Account,
    /// Sixteen digits.
    pub table: &'a [u8; 16],
    /// Twelve characters with an `N`.
    pub validation: &'a [u8; 12],
    /// The offset's digits, 4 to 12.
    pub offset: &'a [u8],
}

impl Request for VerifyOffset<'_> {
    type Response = ();

    fn code(&self) -> [u8; 2] {
        match self.key {
            PinKey::Terminal(_) => *b"DA",
            PinKey::Zone(_) => *b"EA",
        }
    }

    /// The verification key is a double-length one.
    fn advice(&self) -> &'static [ErrorCode] {
        &[ErrorCode::LONG_KEY]
    }

    fn room(&self) -> usize {
        2048
    }

    fn write(&self, out: &mut Writer) {
        self.key.wrapped().write(out);
        self.verification.write(out);
        out.bytes(LONGEST);
        out.hex(self.block);
        out.bytes(self.format.code());
        out.bytes(&[b'0' + self.shortest / 10 % 10, b'0' + self.shortest % 10]);
        self.account.write(out);
        out.bytes(self.table);
        out.bytes(self.validation);
        let filled = self.offset.iter().copied().chain(std::iter::repeat(b'F')).take(12);
        out.bytes(&Zeroizing::new(filled.collect::<Vec<u8>>()));
    }

    fn read(&self, _: &mut Reader<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}
