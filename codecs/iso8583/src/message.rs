//! A message in memory: MTI and fields. Decoded fields are slices of the frame; what had to be
//! converted, or was set, stands in one side buffer that is wiped when the message goes.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use zeroize::Zeroize;

use crate::bitmap::Bitmap;
use crate::error::Note;
use crate::mask::visible_by_default;
use crate::spec::Layout;

/// One ISO 8583 message. Content is canonical, whatever the dialect's wire form: digits and text as
/// ASCII, binary elements as bytes; blanks that fill a fixed length are not part of it.
///
/// A decoded message remembers how each field stood on the wire. [`crate::Spec::encode`] writes what
/// was not touched exactly so again, so that decoding and encoding changes no byte.
#[derive(Clone)]
pub struct Message {
    mti: [u8; 4],
    frame: Bytes,
    side: Wiped,
    slots: Vec<Slot>,
    notes: Vec<Note>,
    /// Whose wire form the frame has.
    layout: Layout,
    /// The bitmaps at the beginning of the frame; empty once fields came or went.
    bitmaps: Span,
    /// What follows the last field, where the spec allows it.
    trailing: Span,
    mac_at: Option<usize>,
    /// Part of a frame that could not be read: a wrong bitmap may have shifted card data into any field.
    doubtful: bool,
}

/// Where a field's content stands. Slots are in ascending order of field number.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    content: Span,
    /// The field in the frame with its length prefix; empty where it was set here.
    wire: Span,
    mark: Mark,
}

/// The number of a slot's field in the lowest byte, and what is said by bits above: written at once.
#[derive(Clone, Copy)]
struct Mark(u32);

impl Mark {
    /// The content stands in the side buffer, else in the frame.
    const SIDE: u32 = 0x100;
    /// A fault of the content was let through.
    const FAULTY: u32 = 0x200;

    #[inline(always)]
    fn new(number: u8, side: bool, faulty: bool) -> Self {
        Self(u32::from(number) | if side { Self::SIDE } else { 0 } | if faulty { Self::FAULTY } else { 0 })
    }
}

/// A range of positions. Frames are bounded to what 32 bits can tell.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// A position as an index; wherever this runs it has as many bits.
#[inline(always)]
pub(crate) fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let bounded = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: bounded(start), end: bounded(end) }
    }

    /// Of positions that are known to fit.
    pub(crate) const fn of(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    #[inline]
    pub(crate) fn range(self) -> Range<usize> {
        index(self.start)..index(self.end)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A buffer that is wiped when it goes. It grows by hand, for a plain `Vec` would leave unwiped copies
/// behind, and wipes what it gives up, so what it holds is all that was ever written to it.
///
/// How far it is filled a reader tells from a register: it does not read back for every field a length that it
/// wrote with the one before.
#[derive(Clone, Default)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Room for so many bytes behind the first `filled`, to be appended; `expected` in all where nobody
    /// knows better.
    #[inline]
    pub(crate) fn room(&mut self, filled: usize, bytes: usize, expected: usize) -> &mut Vec<u8> {
        self.0.truncate(filled);
        if bytes > self.0.capacity() - self.0.len() {
            self.grow(self.0.len().saturating_add(bytes), expected);
        }
        &mut self.0
    }

    #[cold]
    fn grow(&mut self, wanted: usize, expected: usize) {
        let mut larger = Vec::with_capacity(wanted.max(self.0.capacity() * 2).max(expected));
        larger.extend_from_slice(&self.0);
        self.0.as_mut_slice().zeroize();
        self.0 = larger;
    }

    /// Takes what stands behind the first `filled` off again: nothing, where all that was read was right.
    #[inline]
    pub(crate) fn end(&mut self, filled: usize) {
        self.0.truncate(filled);
    }

    /// As [`Wiped::end`] where what is taken off was written in vain.
    #[cold]
    pub(crate) fn cut(&mut self, filled: usize) {
        self.0.get_mut(filled..).unwrap_or_default().zeroize();
        self.0.truncate(filled);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    /// Filled at once and then shown to the compiler as read: `zeroize` writes byte by byte, which costs a
    /// tenth of reading the message.
    fn drop(&mut self) {
        self.0.fill(0);
        zeroize::optimization_barrier(self.0.as_slice());
    }
}

/// What decoding finds, before it is a message.
pub(crate) struct Parts {
    pub(crate) mti: [u8; 4],
    pub(crate) side: Wiped,
    pub(crate) slots: Vec<Slot>,
    pub(crate) notes: Vec<Note>,
    pub(crate) bitmaps: Span,
    pub(crate) trailing: Span,
    pub(crate) mac_at: Option<usize>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            mti: [b'?'; 4],
            side: Wiped::default(),
            slots: Vec::new(),
            notes: Vec::new(),
            bitmaps: Span::default(),
            trailing: Span::default(),
            mac_at: None,
        }
    }
}

impl Slot {
    /// A place for a field.
    pub(crate) const EMPTY: Self = Self { content: Span::of(0, 0), wire: Span::of(0, 0), mark: Mark(0) };

    /// A field in which nothing is wrong.
    #[inline(always)]
    pub(crate) fn sound(number: u8, content: Span, converted: bool, wire: Span) -> Self {
        Self { content, wire, mark: Mark::new(number, converted, false) }
    }

    /// A field that stands in the frame as it is, at `content`.
    pub(crate) fn framed(number: u8, content: Span, wire: Span, faulty: bool) -> Self {
        Self { content, wire, mark: Mark::new(number, false, faulty) }
    }

    /// A field whose content was converted into the side buffer.
    pub(crate) fn converted(number: u8, content: Span, wire: Span, faulty: bool) -> Self {
        Self { content, wire, mark: Mark::new(number, true, faulty) }
    }

    /// The number of the field.
    #[inline]
    pub(crate) fn number(&self) -> u8 {
        let [number, ..] = self.mark.0.to_le_bytes();
        number
    }

    /// Whether a fault of its content was let through.
    pub(crate) fn is_faulty(&self) -> bool {
        self.mark.0 & Mark::FAULTY != 0
    }

    /// Where it stands in the frame.
    pub(crate) fn wire(&self) -> Span {
        self.wire
    }
}

impl Message {
    /// An empty message. An MTI that is not four digits is refused when the message is encoded.
    pub fn new(mti: &str) -> Self {
        let mti = mti.as_bytes().try_into().unwrap_or([b'?'; 4]);
        Self::decoded(Bytes::new(), Parts { mti, ..Parts::default() }, Layout::NONE)
    }

    /// What was read out of `frame`.
    pub(crate) fn decoded(frame: Bytes, parts: Parts, layout: Layout) -> Self {
        let Parts { mti, side, slots, notes, bitmaps, trailing, mac_at } = parts;
        Self { mti, frame, side, slots, notes, layout, bitmaps, trailing, mac_at, doubtful: false }
    }

    /// The message type indicator, four digits.
    pub fn mti(&self) -> &str {
        std::str::from_utf8(&self.mti).unwrap_or_default()
    }

    pub(crate) fn mti_bytes(&self) -> &[u8; 4] {
        &self.mti
    }

    /// Changes the message type indicator.
    pub fn retype(&mut self, mti: &str) -> &mut Self {
        self.mti = mti.as_bytes().try_into().unwrap_or([b'?'; 4]);
        self
    }

    /// The content of a field.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        let at = self.slots.binary_search_by_key(&number, |slot| slot.number()).ok()?;
        self.slots.get(at).map(|slot| self.content(slot))
    }

    /// The content of a field as text; `None` also where it is not UTF-8.
    pub fn str(&self, number: u8) -> Option<&str> {
        std::str::from_utf8(self.get(number)?).ok()
    }

    /// Whether a field is there.
    pub fn has(&self, number: u8) -> bool {
        self.get(number).is_some()
    }

    /// Sets a field, canonical content. Whether it fits is checked by [`crate::Spec::encode`].
    pub fn set(&mut self, number: u8, content: impl AsRef<[u8]>) -> &mut Self {
        let content = self.keep(content.as_ref());
        let slot = Slot::converted(number, content, Span::default(), false);
        match self.slots.binary_search_by_key(&number, |slot| slot.number()) {
            Ok(at) => {
                if let Some(old) = self.slots.get_mut(at) {
                    *old = slot;
                }
            }
            Err(at) => {
                self.slots.insert(at, slot);
                self.bitmaps = Span::default();
            }
        }
        self
    }

    /// As [`Message::set`] where there is something to set.
    pub fn set_some(&mut self, number: u8, content: Option<impl AsRef<[u8]>>) -> &mut Self {
        match content {
            Some(content) => self.set(number, content),
            None => self,
        }
    }

    /// Takes a field out; tells whether it was there.
    pub fn remove(&mut self, number: u8) -> bool {
        match self.slots.binary_search_by_key(&number, |slot| slot.number()) {
            Ok(at) => {
                self.slots.remove(at);
                self.bitmaps = Span::default();
                true
            }
            Err(_) => false,
        }
    }

    /// Every field in ascending order.
    pub fn fields(&self) -> Fields<'_> {
        Fields { message: self, slots: self.slots.iter() }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Faults of content that the spec lets pass with a note.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The frame that the message was decoded from; empty where it was made here.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The bytes of the frame that the MAC covers: from the MTI up to the MAC field, which is the
    /// last one. `None` where the message was not decoded or has no MAC as its last field.
    pub fn mac_range(&self) -> Option<Range<usize>> {
        self.mac_at.map(|at| 0..at)
    }

    /// The bytes that the MAC covers and the MAC itself, as received.
    pub fn mac(&self) -> Option<(Bytes, &[u8])> {
        let range = self.mac_range()?;
        let mac = self.slots.last().map(|slot| self.content(slot))?;
        (range.end <= self.frame.len()).then(|| (self.frame.slice(range), mac))
    }

    /// What is left of a frame that was refused. Nothing of it is written again as it stood.
    pub(crate) fn doubt(&mut self) {
        self.mac_at = None;
        self.layout = Layout::NONE;
        self.doubtful = true;
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The fields that are there.
    pub(crate) fn bitmap(&self) -> Bitmap {
        self.slots.iter().fold(Bitmap::default(), |bitmap, slot| bitmap.with(slot.number()))
    }

    /// The bytes of the frame that a field stood in, if it was not touched and the frame has the wire
    /// form of `layout`.
    pub(crate) fn source(&self, slot: &Slot, layout: Layout) -> Option<&[u8]> {
        self.framed(slot.wire, layout)
    }

    /// The bitmaps as they stood in a frame of this layout, if no field came or went.
    pub(crate) fn source_bitmaps(&self, layout: Layout) -> Option<&[u8]> {
        self.framed(self.bitmaps, layout)
    }

    /// What followed the last field in a frame of this layout.
    pub(crate) fn source_trailing(&self, layout: Layout) -> &[u8] {
        self.framed(self.trailing, layout).unwrap_or_default()
    }

    fn framed(&self, span: Span, layout: Layout) -> Option<&[u8]> {
        if span.is_empty() || layout != self.layout { None } else { self.frame.get(span.range()) }
    }

    /// Copies content into the side buffer.
    fn keep(&mut self, content: &[u8]) -> Span {
        let start = self.side.bytes().len();
        let room = self.side.room(start, content.len(), 64);
        room.extend_from_slice(content);
        Span::new(start, room.len())
    }

    pub(crate) fn content(&self, slot: &Slot) -> &[u8] {
        let whole: &[u8] = if slot.mark.0 & Mark::SIDE != 0 { self.side.bytes() } else { &self.frame };
        whole.get(slot.content.range()).unwrap_or_default()
    }
}

/// Equal when MTI and fields are, wherever their bytes stand.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.mti == other.mti && self.fields().eq(other.fields())
    }
}

impl Eq for Message {}

/// Shows the MTI and the length of every field; the content of a few codes only (DE3, 11, 39, 49,
/// 70), and not even that where the frame was refused.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}", self.mti().escape_debug())?;
        for (number, content) in self.fields() {
            match std::str::from_utf8(content) {
                Ok(text) if visible_by_default(number) && !self.doubtful => write!(f, " {number}={text:?}")?,
                _ => write!(f, " {number}=[{}]", content.len())?,
            }
        }
        f.write_str(")")
    }
}

/// Iterator over the fields of a message, see [`Message::fields`].
pub struct Fields<'a> {
    message: &'a Message,
    slots: std::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let slot = self.slots.next()?;
        Some((slot.number(), self.message.content(slot)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}
