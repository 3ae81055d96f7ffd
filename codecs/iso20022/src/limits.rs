//! Bounds on what is read. Each is checked before the thing it bounds is kept.

/// Bounds of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub document_bytes: usize,
    /// Open elements at one time, the root included.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Bytes of text of one element.
    pub text_bytes: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in scope at one time.
    pub namespaces: usize,
}

impl Limits {
    /// For bank links: a frame of 64 KiB. The deepest path that the schemas of this crate have is 14.
    pub const LINK: Self =
        Self { document_bytes: 65_536, depth: 32, elements: 4_096, text_bytes: 8_192, attributes: 16, namespaces: 16 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::LINK
    }
}
