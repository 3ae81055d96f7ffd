//! Paths: `4`, `127.2`, `48.01`, `55.9F26`. A path in an error names elements that the spec has;
//! tags that came from the wire stay out of it, for a wrong length may have made them of card data.

use std::fmt;

/// Shapes may stand this deep in one another below a data element; bounds paths and recursion.
pub const DEEPEST_PATH: usize = 4;

/// One step of a path: a number, or a tag as text, at most 8 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Label([u8; 8]);

impl Label {
    /// From 1 to 8 printable ASCII characters without a dot.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || !text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
            return None;
        }
        let mut label = [0; 8];
        label.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(label))
    }

    /// Of a number.
    pub fn number(number: u8) -> Self {
        let digit = |value: u8| b'0' + value % 10;
        let (hundreds, tens, ones) = (digit(number / 100), digit(number / 10), digit(number));
        match number {
            0..=9 => Self([ones, 0, 0, 0, 0, 0, 0, 0]),
            10..=99 => Self([tens, ones, 0, 0, 0, 0, 0, 0]),
            100.. => Self([hundreds, tens, ones, 0, 0, 0, 0, 0]),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The steps below a data element; empty for the element itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Path([Label; DEEPEST_PATH]);

impl Path {
    /// The same place, seen from the element above `label`.
    pub(crate) fn under(self, label: Label) -> Self {
        let mut steps = self.0;
        steps.rotate_right(1);
        if let Some(first) = steps.first_mut() {
            *first = label;
        }
        Self(steps)
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Label::as_str).take_while(|step| !step.is_empty())
    }

    /// Whether it is the data element itself.
    pub fn is_empty(&self) -> bool {
        self.steps().next().is_none()
    }
}

/// `.2`, `.25.9F26`, or nothing: what follows the number of the data element.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps().try_for_each(|step| write!(f, ".{step}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_from_the_outside_in() {
        let path = Path::default().under(Label::new(b"9F26").unwrap()).under(Label::number(25));
        assert_eq!(path.to_string(), ".25.9F26");
        assert!(Path::default().is_empty() && !path.is_empty());
        for number in 0..=u8::MAX {
            assert_eq!(Label::number(number).as_str(), number.to_string());
        }
        assert_eq!((Label::new(b""), Label::new(b"123456789"), Label::new(b"1.2")), (None, None, None));
    }
}
