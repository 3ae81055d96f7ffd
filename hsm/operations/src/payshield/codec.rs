//! How requests become bytes and answers become values. No I/O; the frame and its header are
//! the connection's. Fields are in docs/hsm/host-commands.md.

use std::fmt;

use zeroize::Zeroizing;

/// Error code of an answer, two characters as they came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub [u8; 2]);

impl ErrorCode {
    pub(super) const DONE: Self = Self(*b"00");
    pub(super) const FAILED: Self = Self(*b"01");
    pub(super) const LONG_KEY: Self = Self(*b"02");

    /// Whether the box itself is not well, so that another one may do better.
    pub(super) fn is_unwell(self) -> bool {
        matches!(&self.0, b"12" | b"13" | [b'4', _])
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is no letter or digit is the peer's nonsense and is not passed on.
        let shown = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '?' };
        let [first, second] = self.0;
        write!(f, "{}{}", shown(first), shown(second))
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An answer that is not one of its command: too short, too long, another alphabet, another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Why an answer has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The HSM said so.
    Refused(ErrorCode),
    /// The HSM said something else.
    Malformed,
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// One command: how its request is written and its answer read.
pub trait Request {
    /// What the answer tells.
    type Response;

    /// The command's two characters.
    fn code(&self) -> [u8; 2];

    /// Error codes that are advice: the answer's fields follow all the same.
    fn advice(&self) -> &'static [ErrorCode] {
        &[]
    }

    /// Bytes that the request needs at most, so that its buffer never moves and leaves nothing behind.
    fn room(&self) -> usize {
        1024
    }

    /// Appends the fields.
    fn write(&self, out: &mut Writer);

    /// Reads the fields after the error code.
    ///
    /// # Errors
    /// When they are not those of the command.
    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed>;
}

/// Command code and fields: what follows the header.
pub fn encode<R: Request>(request: &R) -> Zeroizing<Vec<u8>> {
    let mut out = Writer { out: Zeroizing::new(Vec::with_capacity(request.room())) };
    out.bytes(&request.code());
    request.write(&mut out);
    out.out
}

/// The values of an answer (what follows the header), and the code that came with them: 00 or an advice.
///
/// # Errors
/// When the HSM refused, or when the answer is not one of this command.
pub fn decode<R: Request>(request: &R, answer: &[u8]) -> Result<(ErrorCode, R::Response), Failure> {
    let mut fields = Reader { rest: answer };
    let [first, second] = request.code();
    if fields.array()? != [first, second.wrapping_add(1)] {
        return Err(Failure::Malformed);
    }
    let code = ErrorCode(fields.array()?);
    if code != ErrorCode::DONE && !request.advice().contains(&code) {
        return Err(Failure::Refused(code));
    }
    let response = request.read(&mut fields)?;
    if fields.rest.is_empty() { Ok((code, response)) } else { Err(Failure::Malformed) }
}

/// Appends fields to a request.
pub struct Writer {
    out: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes as upper-case hexadecimal characters.
    pub fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
        self.out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]));
    }

    /// A length in four hexadecimal characters, and what is so long. Callers keep data below the bound of
    /// one command.
    pub fn counted(&mut self, data: &[u8]) {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        self.hex(&length.to_be_bytes());
        self.bytes(data);
    }
}

/// Takes fields off an answer.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// As [`Reader::bytes`], of a length known here.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    /// So many digits.
    ///
    /// # Errors
    /// When there are fewer, or others among them.
    pub fn digits<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let digits = self.array()?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(digits) } else { Err(Malformed) }
    }

    /// Hexadecimal characters, as the `count` bytes that they stand for.
    ///
    /// # Errors
    /// When there are fewer, or others among them.
    pub fn hex(&mut self, count: usize) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let characters = self.bytes(count.checked_mul(2).ok_or(Malformed)?)?;
        hex::decode(characters).map(Zeroizing::new).map_err(|_| Malformed)
    }

    /// A length in four hexadecimal characters, and what is so long.
    ///
    /// # Errors
    /// When there is less.
    pub fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.hex(2)?;
        let length = length.first_chunk::<2>().map(|length| u16::from_be_bytes(*length)).ok_or(Malformed)?;
        self.bytes(usize::from(length))
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
