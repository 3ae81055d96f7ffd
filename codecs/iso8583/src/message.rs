//! A message in memory: MTI and fields. Decoded fields are slices of the frame; what had to be
//! converted, or was set, stands in one side buffer that is wiped when the message goes.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::error::Note;
use crate::mask::visible_by_default;

/// One ISO 8583 message. Content is canonical, whatever the dialect's wire form: digits and text as
/// ASCII, binary elements as bytes; trailing blanks of fixed-length text are not part of it.
#[derive(Clone)]
pub struct Message {
    mti: [u8; 4],
    frame: Bytes,
    side: Zeroizing<Vec<u8>>,
    slots: Vec<Slot>,
    notes: Vec<Note>,
    mac_at: Option<usize>,
    /// Part of a frame that could not be read: a wrong bitmap may have shifted card data into any field.
    doubtful: bool,
}

/// Where a field's content stands. Slots are in ascending order of field number.
#[derive(Clone, Copy)]
struct Slot {
    number: u8,
    /// In the side buffer, else in the frame.
    side: bool,
    start: usize,
    end: usize,
}

impl Message {
    /// An empty message. An MTI that is not four digits is refused when the message is encoded.
    pub fn new(mti: &str) -> Self {
        Self::decoded(mti.as_bytes().try_into().unwrap_or([b'?'; 4]), Bytes::new(), 0)
    }

    /// The beginning of a message that is being read out of `frame`.
    pub(crate) fn decoded(mti: [u8; 4], frame: Bytes, fields: usize) -> Self {
        Self {
            mti,
            frame,
            side: Zeroizing::new(Vec::new()),
            slots: Vec::with_capacity(fields),
            notes: Vec::new(),
            mac_at: None,
            doubtful: false,
        }
    }

    /// The message type indicator, four digits.
    pub fn mti(&self) -> &str {
        std::str::from_utf8(&self.mti).unwrap_or_default()
    }

    pub(crate) fn mti_bytes(&self) -> &[u8; 4] {
        &self.mti
    }

    pub(crate) fn set_mti(&mut self, mti: [u8; 4]) {
        self.mti = mti;
    }

    /// Changes the message type indicator.
    pub fn retype(&mut self, mti: &str) -> &mut Self {
        self.mti = mti.as_bytes().try_into().unwrap_or([b'?'; 4]);
        self
    }

    /// The content of a field.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        let at = self.slots.binary_search_by_key(&number, |slot| slot.number).ok()?;
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
        let (start, end) = self.keep(content.as_ref());
        let slot = Slot { number, side: true, start, end };
        match self.slots.binary_search_by_key(&number, |slot| slot.number) {
            Ok(at) => {
                if let Some(old) = self.slots.get_mut(at) {
                    *old = slot;
                }
            }
            Err(at) => self.slots.insert(at, slot),
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
        match self.slots.binary_search_by_key(&number, |slot| slot.number) {
            Ok(at) => {
                self.slots.remove(at);
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

    /// What is left of a frame that was refused.
    pub(crate) fn doubt(&mut self) {
        self.mac_at = None;
        self.doubtful = true;
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(crate) fn mac_starts(&mut self, at: Option<usize>) {
        self.mac_at = at;
    }

    /// Appends a field that stands in the frame. Decoding goes in ascending order.
    pub(crate) fn push_framed(&mut self, number: u8, start: usize, end: usize) {
        self.slots.push(Slot { number, side: false, start, end });
    }

    /// Appends a field that had to be converted.
    pub(crate) fn push_converted(&mut self, number: u8, content: &[u8]) {
        let (start, end) = self.keep(content);
        self.slots.push(Slot { number, side: true, start, end });
    }

    /// Copies content into the side buffer. Grows by hand: a plain `Vec` would leave unwiped copies.
    fn keep(&mut self, content: &[u8]) -> (usize, usize) {
        let start = self.side.len();
        let end = start + content.len();
        if end > self.side.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(end.max(self.side.capacity() * 2).max(64)));
            larger.extend_from_slice(&self.side);
            self.side = larger;
        }
        self.side.extend_from_slice(content);
        (start, end)
    }

    fn content(&self, slot: &Slot) -> &[u8] {
        let whole: &[u8] = if slot.side { &self.side } else { &self.frame };
        whole.get(slot.start..slot.end).unwrap_or_default()
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
        Some((slot.number, self.message.content(slot)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}
