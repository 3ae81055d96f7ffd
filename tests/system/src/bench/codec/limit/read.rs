//! The two parsers: straight on, one field behind the other. Each is compiled twice, handing over content
//! or places only; the table of the bench shows both.

use super::checks::{
    digits, hexadecimal, letters_or_digits, month_day, packed, packed_month_day, packed_time, printable, time, track, trimmed,
};
use super::convert::{unhex, unpack};
use super::{Found, Place, ROOM, Refused, tlv};

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

/// Reads the frame, one field after the other. Where it is to `CONVERT`, what does not stand in the frame
/// as it is in memory is converted behind what was converted before.
struct Cursor<'a, const CONVERT: bool> {
    frame: &'a [u8],
    at: usize,
    converted: &'a mut [u8; ROOM],
    to: usize,
}

impl<'a, const CONVERT: bool> Cursor<'a, CONVERT> {
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
    fn fixed<const N: usize>(&mut self, field: u8, right: impl Fn(&[u8; N]) -> bool) -> Result<Place, Refused> {
        let start = self.at;
        let right = right(self.chunk::<N>(field)?);
        if right { Ok(Place::framed(start, self.at)) } else { Err(Refused { field, offset: start }) }
    }

    /// Text whose blanks at the end are filler.
    #[inline(always)]
    fn text<const N: usize>(&mut self, field: u8, right: impl Fn(&[u8]) -> bool) -> Result<Place, Refused> {
        let start = self.at;
        let content = trimmed(self.chunk::<N>(field)?);
        if right(content) { Ok(Place::framed(start, start + content.len())) } else { Err(Refused { field, offset: start }) }
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
    fn counted(&mut self, field: u8, length: usize, right: impl Fn(&[u8]) -> bool) -> Result<Place, Refused> {
        let start = self.at;
        let right = right(self.run(field, length)?);
        if right { Ok(Place::framed(start, self.at)) } else { Err(Refused { field, offset: start }) }
    }

    /// So many digits, packed; in front of an odd number stands a filler of zero.
    #[inline(always)]
    fn packed<const N: usize, const DIGITS: usize>(
        &mut self,
        field: u8,
        right: impl Fn(&[u8; N]) -> bool,
    ) -> Result<Place, Refused> {
        let start = self.at;
        let chunk = self.chunk::<N>(field)?;
        let filled = DIGITS % 2 == 1 && chunk[0] > 0x0F;
        let place = self.unpacked(chunk, DIGITS, start);
        place.filter(|_| !filled && right(chunk)).ok_or(Refused { field, offset: start })
    }

    /// As many packed digits as a length said, at most as many as fit `MOST` bytes.
    #[inline(always)]
    fn counted_packed<const MOST: usize>(&mut self, field: u8, length: usize) -> Result<Place, Refused> {
        let start = self.at;
        let bytes = self.run(field, length.div_ceil(2))?;
        let filled = length % 2 == 1 && bytes.first().is_some_and(|byte| *byte > 0x0F);
        let to = self.to;
        let place = self.unpacked(bytes, length, start);
        // The next field has a place that the compiler knows.
        self.to = to + MOST * 2;
        place.filter(|_| !filled).ok_or(Refused { field, offset: start })
    }

    #[inline(always)]
    fn unpacked(&mut self, bytes: &[u8], digits: usize, start: usize) -> Option<Place> {
        if !CONVERT {
            return packed(bytes).then_some(Place::framed(start, self.at));
        }
        let to = self.to;
        let end = to + bytes.len() * 2;
        self.to = end;
        unpack(bytes, self.converted.get_mut(to..)?).then_some(Place::converted(end - digits, end))
    }

    /// Bytes as so many hexadecimal characters.
    #[inline(always)]
    fn hexadecimal(&mut self, field: u8, length: usize, right: impl Fn(&[u8]) -> bool) -> Result<Place, Refused> {
        let refused = Refused { field, offset: self.at };
        let (start, to) = (self.at, self.to);
        let text = self.run(field, length)?;
        if !CONVERT {
            let right = length.is_multiple_of(2) && hexadecimal(text) && (field != 55 || tlv::well_formed_text(text));
            return if right { Ok(Place::framed(start, self.at)) } else { Err(refused) };
        }
        self.to = to + length / 2;
        let bytes = self.converted.get_mut(to..self.to).ok_or(refused)?;
        if unhex(text, bytes) && right(bytes) { Ok(Place::converted(to, self.to)) } else { Err(refused) }
    }

    #[inline(always)]
    fn end(&self) -> Result<(), Refused> {
        if self.at == self.frame.len() { Ok(()) } else { Err(self.refuse(129)) }
    }
}

/// Reads layout A.
///
/// # Errors
/// Where the frame is not this message, or a content is not of its class.
#[inline(never)]
pub fn read_ascii(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    ascii::<true>(frame, found)
}

/// Checks layout A as [`read_ascii`] does, and only tells where the contents stand in the frame.
///
/// # Errors
/// As [`read_ascii`].
#[inline(never)]
pub fn place_ascii(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    ascii::<false>(frame, found)
}

#[inline(always)]
fn ascii<const CONVERT: bool>(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    let Found { places, converted } = found;
    let mut read = Cursor::<CONVERT> { frame, at: 0, converted, to: 0 };
    read.fixed::<4>(0, |mti| digits(mti))?;
    read.fixed::<16>(1, |bitmap| hexadecimal(bitmap) && bits(bitmap) == BITMAP)?;
    let length = read.length::<2>(2, 19)?;
    places[0] = read.counted(2, length, digits)?;
    places[1] = read.fixed::<6>(3, |content| digits(content))?;
    places[2] = read.fixed::<12>(4, |content| digits(content))?;
    places[3] = read.fixed::<10>(7, |content| {
        let [m1, m2, d1, d2, time_of_day @ ..] = *content;
        digits(content) && month_day([m1, m2, d1, d2]) && time(time_of_day)
    })?;
    places[4] = read.fixed::<6>(11, |content| digits(content))?;
    places[5] = read.fixed::<6>(12, |content| digits(content) && time(*content))?;
    places[6] = read.fixed::<4>(13, |content| digits(content) && month_day(*content))?;
    places[7] = read.fixed::<4>(14, |content| digits(content))?;
    places[8] = read.fixed::<4>(18, |content| digits(content))?;
    places[9] = read.fixed::<3>(22, |content| digits(content))?;
    places[10] = read.fixed::<2>(25, |content| digits(content))?;
    let length = read.length::<2>(32, 11)?;
    places[11] = read.counted(32, length, digits)?;
    let length = read.length::<2>(35, 37)?;
    places[12] = read.counted(35, length, track)?;
    places[13] = read.text::<12>(37, letters_or_digits)?;
    places[14] = read.text::<8>(41, printable)?;
    places[15] = read.text::<15>(42, printable)?;
    places[16] = read.text::<40>(43, printable)?;
    places[17] = read.fixed::<3>(49, |content| digits(content))?;
    places[18] = read.hexadecimal(52, 16, |_| true)?;
    let length = read.length::<3>(55, 510)?;
    places[19] = read.hexadecimal(55, length, tlv::well_formed)?;
    read.end()
}

/// Reads layout B.
///
/// # Errors
/// Where the frame is not this message, or a content is not of its class.
#[inline(never)]
pub fn read_packed(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    digits_packed::<true>(frame, found)
}

/// Checks layout B as [`read_packed`] does, and only tells where the contents stand in the frame.
///
/// # Errors
/// As [`read_packed`].
#[inline(never)]
pub fn place_packed(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    digits_packed::<false>(frame, found)
}

#[inline(always)]
fn digits_packed<const CONVERT: bool>(frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    let Found { places, converted } = found;
    let mut read = Cursor::<CONVERT> { frame, at: 0, converted, to: 0 };
    read.fixed::<2>(0, |mti| packed(mti))?;
    read.fixed::<8>(1, |bitmap| u64::from_be_bytes(*bitmap) == BITMAP)?;
    let length = read.packed_length::<1>(2, 19)?;
    places[0] = read.counted_packed::<10>(2, length)?;
    places[1] = read.packed::<3, 6>(3, |_| true)?;
    places[2] = read.packed::<6, 12>(4, |_| true)?;
    places[3] = read.packed::<5, 10>(7, |content| {
        let [month, day, time_of_day @ ..] = *content;
        packed_month_day([month, day]) && packed_time(time_of_day)
    })?;
    places[4] = read.packed::<3, 6>(11, |_| true)?;
    places[5] = read.packed::<3, 6>(12, |content| packed_time(*content))?;
    places[6] = read.packed::<2, 4>(13, |content| packed_month_day(*content))?;
    places[7] = read.packed::<2, 4>(14, |_| true)?;
    places[8] = read.packed::<2, 4>(18, |_| true)?;
    places[9] = read.packed::<2, 3>(22, |_| true)?;
    places[10] = read.packed::<1, 2>(25, |_| true)?;
    let length = read.packed_length::<1>(32, 11)?;
    places[11] = read.counted_packed::<6>(32, length)?;
    let length = read.packed_length::<1>(35, 37)?;
    places[12] = read.counted(35, length, track)?;
    places[13] = read.text::<12>(37, letters_or_digits)?;
    places[14] = read.text::<8>(41, printable)?;
    places[15] = read.text::<15>(42, printable)?;
    places[16] = read.text::<40>(43, printable)?;
    places[17] = read.packed::<2, 3>(49, |_| true)?;
    places[18] = read.fixed::<8>(52, |_| true)?;
    let length = read.packed_length::<2>(55, 255)?;
    places[19] = read.counted(55, length, tlv::well_formed)?;
    read.end()
}

/// The bits of hexadecimal text that is known to be that.
#[inline(always)]
fn bits(text: &[u8; 16]) -> u64 {
    text.iter().fold(0, |bits, digit| bits << 4 | u64::from((digit & 0x0F) + 9 * (digit >> 6)))
}
