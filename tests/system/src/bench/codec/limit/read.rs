//! The two parsers: straight on, one field behind the other.

use super::checks::{
    digits, hexadecimal, letters_or_digits, month_day, packed, packed_month_day, packed_time, printable, time, track, trimmed,
};
use super::{Places, Refused, tlv};

/// The bitmap of the twenty fields.
pub(super) const BITMAP: u64 = {
    let mut bits = 0;
    let numbers = [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 35, 37, 41, 42, 43, 49, 52, 55];
    let mut nth = 0;
    while nth < numbers.len() {
        bits |= 1 << (64 - numbers[nth]);
        nth += 1;
    }
    bits
};

/// Reads the frame, one field after the other.
struct Cursor<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn refuse(&self, field: u8) -> Refused {
        Refused { field, offset: self.at }
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self, field: u8) -> Result<&'a [u8; N], Refused> {
        let chunk = self.frame.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(self.refuse(field))?;
        self.at += N;
        Ok(chunk)
    }

    #[inline(always)]
    fn run(&mut self, field: u8, length: usize) -> Result<&'a [u8], Refused> {
        let run = self.frame.get(self.at..self.at + length).ok_or(self.refuse(field))?;
        self.at += length;
        Ok(run)
    }

    /// So many bytes of a class; tells where they stand.
    #[inline(always)]
    fn fixed<const N: usize>(&mut self, field: u8, right: impl Fn(&[u8; N]) -> bool) -> Result<(u32, u32), Refused> {
        let start = self.at;
        let right = right(self.chunk::<N>(field)?);
        if right { Ok(place(start, self.at)) } else { Err(Refused { field, offset: start }) }
    }

    /// Text whose blanks at the end are filler.
    #[inline(always)]
    fn text<const N: usize>(&mut self, field: u8, right: impl Fn(&[u8]) -> bool) -> Result<(u32, u32), Refused> {
        let start = self.at;
        let content = trimmed(self.chunk::<N>(field)?);
        if right(content) { Ok(place(start, start + content.len())) } else { Err(Refused { field, offset: start }) }
    }

    /// A length of so many ASCII digits.
    #[inline(always)]
    fn length<const N: usize>(&mut self, field: u8, most: usize) -> Result<usize, Refused> {
        let start = self.at;
        let chunk = self.chunk::<N>(field)?;
        let length = chunk.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit & 0x0F));
        if digits(chunk) && length <= most { Ok(length) } else { Err(Refused { field, offset: start }) }
    }

    /// A length of packed digits.
    #[inline(always)]
    fn packed_length<const N: usize>(&mut self, field: u8, most: usize) -> Result<usize, Refused> {
        let start = self.at;
        let chunk = self.chunk::<N>(field)?;
        let length = chunk.iter().fold(0, |sum, pair| sum * 100 + usize::from((pair >> 4) * 10 + (pair & 0x0F)));
        if packed(chunk) && length <= most { Ok(length) } else { Err(Refused { field, offset: start }) }
    }

    #[inline(always)]
    fn counted(&mut self, field: u8, length: usize, right: impl Fn(&[u8]) -> bool) -> Result<(u32, u32), Refused> {
        let start = self.at;
        let right = right(self.run(field, length)?);
        if right { Ok(place(start, self.at)) } else { Err(Refused { field, offset: start }) }
    }

    /// Packed digits in front of which an odd number has a filler of zero.
    #[inline(always)]
    fn counted_packed(&mut self, field: u8, length: usize) -> Result<(u32, u32), Refused> {
        let filled = length % 2 == 1;
        let right = |bytes: &[u8]| packed(bytes) && !(filled && bytes.first().is_some_and(|byte| byte >> 4 != 0));
        self.counted(field, length.div_ceil(2), right)
    }

    #[inline(always)]
    fn end(&self) -> Result<(), Refused> {
        if self.at == self.frame.len() { Ok(()) } else { Err(self.refuse(129)) }
    }
}

/// Frames are far shorter than 32 bits can tell: the longest length of theirs is 999.
#[inline(always)]
fn place(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

/// Reads layout A.
///
/// # Errors
/// Where the frame is not this message, or a content is not of its class.
#[inline(never)]
pub fn read_ascii(frame: &[u8], places: &mut Places) -> Result<(), Refused> {
    let mut read = Cursor { frame, at: 0 };
    read.fixed::<4>(0, |mti| digits(mti))?;
    read.fixed::<16>(1, |bitmap| hexadecimal(bitmap) && bits(bitmap) == BITMAP)?;
    let length = read.length::<2>(2, 19)?;
    places.0[0] = read.counted(2, length, digits)?;
    places.0[1] = read.fixed::<6>(3, |content| digits(content))?;
    places.0[2] = read.fixed::<12>(4, |content| digits(content))?;
    places.0[3] = read.fixed::<10>(7, |content| {
        let [m1, m2, d1, d2, time_of_day @ ..] = *content;
        digits(content) && month_day([m1, m2, d1, d2]) && time(time_of_day)
    })?;
    places.0[4] = read.fixed::<6>(11, |content| digits(content))?;
    places.0[5] = read.fixed::<6>(12, |content| digits(content) && time(*content))?;
    places.0[6] = read.fixed::<4>(13, |content| digits(content) && month_day(*content))?;
    places.0[7] = read.fixed::<4>(14, |content| digits(content))?;
    places.0[8] = read.fixed::<4>(18, |content| digits(content))?;
    places.0[9] = read.fixed::<3>(22, |content| digits(content))?;
    places.0[10] = read.fixed::<2>(25, |content| digits(content))?;
    let length = read.length::<2>(32, 11)?;
    places.0[11] = read.counted(32, length, digits)?;
    let length = read.length::<2>(35, 37)?;
    places.0[12] = read.counted(35, length, track)?;
    places.0[13] = read.text::<12>(37, letters_or_digits)?;
    places.0[14] = read.text::<8>(41, printable)?;
    places.0[15] = read.text::<15>(42, printable)?;
    places.0[16] = read.text::<40>(43, printable)?;
    places.0[17] = read.fixed::<3>(49, |content| digits(content))?;
    places.0[18] = read.fixed::<16>(52, |content| hexadecimal(content))?;
    let length = read.length::<3>(55, 510)?;
    let objects = |content: &[u8]| content.len() % 2 == 0 && hexadecimal(content) && tlv::well_formed_text(content);
    places.0[19] = read.counted(55, length, objects)?;
    read.end()
}

/// Reads layout B.
///
/// # Errors
/// Where the frame is not this message, or a content is not of its class.
#[inline(never)]
pub fn read_packed(frame: &[u8], places: &mut Places) -> Result<(), Refused> {
    let mut read = Cursor { frame, at: 0 };
    read.fixed::<2>(0, |mti| packed(mti))?;
    read.fixed::<8>(1, |bitmap| u64::from_be_bytes(*bitmap) == BITMAP)?;
    let length = read.packed_length::<1>(2, 19)?;
    places.0[0] = read.counted_packed(2, length)?;
    places.0[1] = read.fixed::<3>(3, |content| packed(content))?;
    places.0[2] = read.fixed::<6>(4, |content| packed(content))?;
    places.0[3] = read.fixed::<5>(7, |content| {
        let [month, day, time_of_day @ ..] = *content;
        packed(content) && packed_month_day([month, day]) && packed_time(time_of_day)
    })?;
    places.0[4] = read.fixed::<3>(11, |content| packed(content))?;
    places.0[5] = read.fixed::<3>(12, |content| packed(content) && packed_time(*content))?;
    places.0[6] = read.fixed::<2>(13, |content| packed(content) && packed_month_day(*content))?;
    places.0[7] = read.fixed::<2>(14, |content| packed(content))?;
    places.0[8] = read.fixed::<2>(18, |content| packed(content))?;
    places.0[9] = read.fixed::<2>(22, |content| packed(content) && content[0] < 0x10)?;
    places.0[10] = read.fixed::<1>(25, |content| packed(content))?;
    let length = read.packed_length::<1>(32, 11)?;
    places.0[11] = read.counted_packed(32, length)?;
    let length = read.packed_length::<1>(35, 37)?;
    places.0[12] = read.counted(35, length, track)?;
    places.0[13] = read.text::<12>(37, letters_or_digits)?;
    places.0[14] = read.text::<8>(41, printable)?;
    places.0[15] = read.text::<15>(42, printable)?;
    places.0[16] = read.text::<40>(43, printable)?;
    places.0[17] = read.fixed::<2>(49, |content| packed(content) && content[0] < 0x10)?;
    places.0[18] = read.fixed::<8>(52, |_| true)?;
    let length = read.packed_length::<2>(55, 255)?;
    places.0[19] = read.counted(55, length, tlv::well_formed)?;
    read.end()
}

/// The bits of hexadecimal text that is known to be that.
#[inline(always)]
fn bits(text: &[u8; 16]) -> u64 {
    text.iter().fold(0, |bits, digit| bits << 4 | u64::from((digit & 0x0F) + 9 * (digit >> 6)))
}
