//! The fields of a request, taken off from the left. Whatever is not there or not of its alphabet is
//! an error in the input data.

use zeroize::Zeroizing;

use super::codes::Code;

/// What is left of a request.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// What stands before a trailer.
const TRAILER: u8 = 0x19;
/// Longest trailer.
const TRAILER_MOST: usize = 32;

impl<'a> Fields<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The next `count` bytes, whatever they are.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Code> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Code::INPUT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Code> {
        self.bytes(N)?.try_into().map_err(|_| Code::INPUT)
    }

    pub(super) fn one(&mut self) -> Result<u8, Code> {
        let [one] = self.array()?;
        Ok(one)
    }

    /// The next byte without taking it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn digits(&mut self, count: usize) -> Result<&'a [u8], Code> {
        let taken = self.bytes(count)?;
        if taken.iter().all(u8::is_ascii_digit) { Ok(taken) } else { Err(Code::INPUT) }
    }

    /// So many hexadecimal characters, as the bytes they stand for.
    pub(super) fn hex(&mut self, characters: usize) -> Result<Zeroizing<Vec<u8>>, Code> {
        hex::decode(self.bytes(characters)?).map(Zeroizing::new).map_err(|_| Code::INPUT)
    }

    /// A number in so many hexadecimal characters, at most eight.
    pub(super) fn hex_number(&mut self, characters: usize) -> Result<usize, Code> {
        let text = self.bytes(characters)?;
        text.iter().try_fold(0usize, |number, digit| {
            let digit = char::from(*digit).to_digit(16).and_then(|digit| usize::try_from(digit).ok()).ok_or(Code::INPUT)?;
            number.checked_mul(16).and_then(|number| number.checked_add(digit)).ok_or(Code::INPUT)
        })
    }

    /// A number in so many decimal digits.
    pub(super) fn number(&mut self, count: usize) -> Result<usize, Code> {
        let text = self.digits(count)?;
        text.iter().try_fold(0usize, |number, digit| {
            number.checked_mul(10).and_then(|number| number.checked_add(usize::from(digit - b'0'))).ok_or(Code::INPUT)
        })
    }

    /// One character that must be this one.
    pub(super) fn mark(&mut self, mark: u8) -> Result<(), Code> {
        if self.one()? == mark { Ok(()) } else { Err(Code::INPUT) }
    }

    /// Up to a delimiter, which is taken, too; at most `most` bytes before it.
    pub(super) fn until(&mut self, mark: u8, most: usize) -> Result<&'a [u8], Code> {
        let at = self.rest.iter().take(most + 1).position(|byte| *byte == mark).ok_or(Code::INPUT)?;
        let taken = self.bytes(at)?;
        self.mark(mark)?;
        Ok(taken)
    }

    /// Nothing, or a trailer, which is returned with its mark.
    pub(super) fn end(self) -> Result<&'a [u8], Code> {
        match self.rest.split_first() {
            None => Ok(&[]),
            Some((&TRAILER, trailer)) if trailer.len() <= TRAILER_MOST => Ok(self.rest),
            Some(_) => Err(Code::INPUT),
        }
    }
}
