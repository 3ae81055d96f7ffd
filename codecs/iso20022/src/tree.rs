//! The document as a bounded arena of elements: well-formedness, namespaces and limits are settled
//! here; what the elements mean is for the views.

use std::borrow::Cow;
use std::cell::RefCell;

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use crate::error::{Error, Fault};
use crate::limits::Limits;
use crate::sequence::{Unread, known_name};
use crate::text::is_xml_char;
use crate::{ENVELOPE, HEADER, NAMESPACE_PREFIX, PACS_002, PACS_008, PACS_028};

/// `xsi:schemaLocation` and its like may stand on a root and are ignored, never fetched.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The namespaces that the views know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Envelope,
    Header,
    Pacs008,
    Pacs002,
    Pacs028,
    Other,
}

impl Space {
    fn of(namespace: &str) -> Self {
        match namespace {
            ENVELOPE => Self::Envelope,
            HEADER => Self::Header,
            _ => match namespace.strip_prefix(NAMESPACE_PREFIX) {
                Some(PACS_008) => Self::Pacs008,
                Some(PACS_002) => Self::Pacs002,
                Some(PACS_028) => Self::Pacs028,
                _ => Self::Other,
            },
        }
    }
}

/// One element.
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) space: Space,
    /// The namespace where `space` is `Other` and the element is a `Document`.
    pub(crate) foreign: Option<String>,
    pub(crate) offset: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) text: Cow<'a, str>,
    /// Attribute `Ccy`.
    pub(crate) currency: Option<Cow<'a, str>>,
    /// An attribute other than `Ccy`, a namespace declaration or a schema location.
    pub(crate) odd_attribute: bool,
}

/// A well-formed document within its limits. Node 0 is the root.
pub(crate) struct Tree<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) unread: RefCell<Unread>,
}

impl<'a> Tree<'a> {
    /// Reads a whole document.
    pub(crate) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let whole = |offset, fault| Error { path: String::new(), offset, fault };
        if bytes.len() > limits.document_bytes {
            return Err(whole(0, Fault::TooLarge { got: bytes.len(), max: limits.document_bytes }));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| whole(e.valid_up_to(), Fault::NotUtf8))?;
        if let Some((offset, _)) = text.char_indices().find(|(_, c)| !is_xml_char(*c)) {
            return Err(whole(offset, Fault::NotWellFormed("a character that XML cannot carry")));
        }
        let bom = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        let body = text.get(bom..).unwrap_or_default();
        Builder { limits, bom, nodes: Vec::new(), open: Vec::new() }.run(body)
    }

    /// The path of a node, by names of the schemas.
    pub(crate) fn path(&self, index: usize) -> String {
        path(&self.nodes, Some(index))
    }
}

fn path(nodes: &[Node<'_>], mut at: Option<usize>) -> String {
    let mut names = Vec::new();
    while let Some(node) = at.and_then(|index| nodes.get(index)) {
        names.push(known_name(node.name).unwrap_or("?"));
        at = node.parent;
    }
    names.reverse();
    names.join("/")
}

struct Builder<'a, 'l> {
    limits: &'l Limits,
    /// Bytes of a byte order mark before the text that is parsed.
    bom: usize,
    nodes: Vec<Node<'a>>,
    open: Vec<usize>,
}

impl<'a> Builder<'a, '_> {
    fn run(mut self, text: &'a str) -> Result<Tree<'a>, Error> {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.enable_all_checks(true);
        reader.resolver_mut().set_max_namespace_bindings(self.limits.namespaces);
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let (space, event) = match reader.read_resolved_event() {
                Ok(event) => event,
                Err(error) => {
                    let at = usize::try_from(reader.error_position()).unwrap_or(at);
                    return Err(self.error(at, fault_of(&error)));
                }
            };
            let empty = matches!(event, Event::Empty(_));
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    let (name, rest) = split_tag(text, at, &start).ok_or_else(|| self.error(at, UNREADABLE))?;
                    let found = resolve(space, name).map_err(|fault| self.error(at, fault))?;
                    self.open_element(at, name, found, rest, &start, &reader)?;
                    if empty {
                        self.open.pop();
                    }
                }
                Event::End(_) => {
                    self.open.pop();
                }
                Event::Text(piece) => {
                    if piece.contains("]]>") {
                        return Err(self.error(at, Fault::NotWellFormed("]]> in text")));
                    }
                    self.add_text(at, piece.xml10_content())?;
                }
                Event::CData(piece) => {
                    if self.open.is_empty() {
                        return Err(self.error(at, Fault::NotWellFormed("text outside the root")));
                    }
                    self.add_text(at, piece.xml10_content())?;
                }
                Event::GeneralRef(reference) => {
                    if self.open.is_empty() {
                        return Err(self.error(at, Fault::NotWellFormed("text outside the root")));
                    }
                    let replacement = match reference.resolve_char_ref() {
                        Ok(Some(c)) if is_xml_char(c) => Cow::Owned(c.to_string()),
                        Ok(None) => Cow::Borrowed(predefined(&reference).ok_or_else(|| self.error(at, Fault::Entity))?),
                        _ => return Err(self.error(at, Fault::NotWellFormed("a character reference to no XML character"))),
                    };
                    self.add_text(at, replacement)?;
                }
                Event::Decl(declaration) => {
                    if at != 0 {
                        return Err(self.error(at, Fault::NotWellFormed("an XML declaration that is not at the start")));
                    }
                    if !matches!(declaration.version(), Ok(version) if version == "1.0") {
                        return Err(self.error(at, Fault::NotWellFormed("an XML version other than 1.0")));
                    }
                    if declaration.encoding().is_some_and(|it| !it.is_ok_and(|name| name.eq_ignore_ascii_case("UTF-8"))) {
                        return Err(self.error(at, Fault::NotUtf8));
                    }
                }
                Event::Comment(_) => {}
                Event::PI(_) => return Err(self.error(at, Fault::ProcessingInstruction)),
                Event::DocType(_) => return Err(self.error(at, Fault::Doctype)),
                Event::Eof => break,
            }
        }
        match (self.open.last(), self.nodes.is_empty()) {
            (Some(_), _) => Err(self.error(text.len(), Fault::NotWellFormed("the document ends inside an element"))),
            (None, true) => Err(self.error(text.len(), Fault::NotWellFormed("no element"))),
            (None, false) => Ok(Tree { nodes: self.nodes, unread: RefCell::default() }),
        }
    }

    fn open_element(
        &mut self,
        at: usize,
        name: &'a str,
        (space, foreign): (Space, Option<String>),
        attributes: &str,
        start: &BytesStart<'_>,
        reader: &NsReader<&[u8]>,
    ) -> Result<(), Error> {
        if self.open.is_empty() && !self.nodes.is_empty() {
            return Err(self.error(at, Fault::NotWellFormed("a second root")));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.error(at, Fault::TooDeep { max: self.limits.depth }));
        }
        if self.nodes.len() >= self.limits.elements {
            return Err(self.error(at, Fault::TooManyElements { max: self.limits.elements }));
        }
        let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
        if !is_ncname(local) || !prefix.is_none_or(is_ncname) {
            return Err(self.error(at, Fault::NotWellFormed("an element name")));
        }
        let index = self.nodes.len();
        let parent = self.open.last().copied();
        self.nodes.push(Node {
            name: local,
            space,
            foreign,
            offset: at + self.bom,
            parent,
            children: Vec::new(),
            text: Cow::Borrowed(""),
            currency: None,
            odd_attribute: false,
        });
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            parent.children.push(index);
        }
        self.open.push(index);
        let (currency, odd) = self.attributes(attributes, start, reader).map_err(|fault| self.error(at, fault))?;
        if let Some(node) = self.nodes.get_mut(index) {
            node.currency = currency;
            node.odd_attribute = odd;
        }
        Ok(())
    }

    /// Reads the attributes of a start tag: `Ccy`, and whether there is one that may not be there.
    fn attributes(
        &self,
        raw: &str,
        start: &BytesStart<'_>,
        reader: &NsReader<&[u8]>,
    ) -> Result<(Option<Cow<'a, str>>, bool), Fault> {
        if !blanks_between_attributes(raw) {
            return Err(Fault::NotWellFormed("attributes without a blank between them"));
        }
        let mut currency = None;
        let mut odd = false;
        let mut seen: Vec<(String, &str)> = Vec::new();
        for (count, attribute) in start.attributes().with_checks(false).enumerate() {
            let attribute = attribute.map_err(|_| Fault::NotWellFormed("an attribute"))?;
            if count >= self.limits.attributes {
                return Err(Fault::TooManyAttributes);
            }
            let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).map_err(|_| Fault::Entity)?;
            if attribute.value.contains('<') || !value.chars().all(is_xml_char) {
                return Err(Fault::NotWellFormed("an attribute value"));
            }
            let key = attribute.key;
            let (prefix, local) = key.0.split_once(':').map_or((None, key.0), |(prefix, local)| (Some(prefix), local));
            if !is_ncname(local) || !prefix.is_none_or(is_ncname) {
                return Err(Fault::NotWellFormed("an attribute name"));
            }
            let declares = key.as_namespace_binding().is_some();
            let space = match (declares, reader.resolver().resolve_attribute(key).0) {
                (true, _) => "xmlns",
                (false, ResolveResult::Bound(Namespace(space))) => space,
                (false, ResolveResult::Unbound) => "",
                (false, ResolveResult::Unknown(_)) => return Err(Fault::NotWellFormed("a prefix without a namespace")),
            };
            let name = if declares { key.0 } else { local };
            if seen.iter().any(|(known_space, known)| known_space == space && *known == name) {
                return Err(Fault::NotWellFormed("an attribute twice"));
            }
            seen.push((space.to_owned(), name));
            match (space, local) {
                ("xmlns", _) if prefix.is_some() && value.is_empty() => {
                    return Err(Fault::NotWellFormed("a prefix bound to nothing"));
                }
                ("xmlns", _) | (XSI, "schemaLocation" | "noNamespaceSchemaLocation") => {}
                ("", "Ccy") => currency = Some(Cow::Owned(value.into_owned())),
                _ => odd = true,
            }
        }
        Ok((currency, odd))
    }

    fn add_text(&mut self, at: usize, piece: Cow<'a, str>) -> Result<(), Error> {
        let Some(index) = self.open.last().copied() else {
            return if piece.chars().all(is_blank) {
                Ok(())
            } else {
                Err(self.error(at, Fault::NotWellFormed("text outside the root")))
            };
        };
        let max = self.limits.text_bytes;
        let fits = self.nodes.get_mut(index).is_none_or(|node| {
            if node.text.is_empty() {
                node.text = piece;
            } else {
                node.text.to_mut().push_str(&piece);
            }
            node.text.len() <= max
        });
        if fits { Ok(()) } else { Err(self.error(at, Fault::TextTooLong { max })) }
    }

    fn error(&self, at: usize, fault: Fault) -> Error {
        Error { path: path(&self.nodes, self.open.last().copied()), offset: at.saturating_add(self.bom), fault }
    }
}

const UNREADABLE: Fault = Fault::NotWellFormed("a tag");

/// Name and attribute part of the tag that starts at `at`, borrowed from the document.
fn split_tag<'a>(text: &'a str, at: usize, start: &BytesStart<'_>) -> Option<(&'a str, &'a str)> {
    let inner = text.get(at.checked_add(1)?..)?.get(..start.len())?;
    inner.split_at_checked(start.name().0.len())
}

/// The namespace of an element, kept as text only for a `Document` that no view knows.
fn resolve(space: ResolveResult<'_>, name: &str) -> Result<(Space, Option<String>), Fault> {
    match space {
        ResolveResult::Bound(Namespace(text)) => {
            let space = Space::of(text);
            let foreign = space == Space::Other && name.ends_with("Document");
            Ok((space, foreign.then(|| text.to_owned())))
        }
        ResolveResult::Unbound => Ok((Space::Other, None)),
        ResolveResult::Unknown(_) => Err(Fault::NotWellFormed("a prefix without a namespace")),
    }
}

fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "amp" => Some("&"),
        "lt" => Some("<"),
        "gt" => Some(">"),
        "apos" => Some("'"),
        "quot" => Some("\""),
        _ => None,
    }
}

/// XML white space (XML 1.0 §2.3).
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// XML Namespaces 1.0, production `NCName`.
fn is_ncname(name: &str) -> bool {
    let first = |c: char| {
        matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
            | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let later =
        |c: char| first(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}');
    let mut characters = name.chars();
    characters.next().is_some_and(first) && characters.all(later)
}

/// Whether a blank stands before each attribute, which the event reader does not ask for.
fn blanks_between_attributes(raw: &str) -> bool {
    let mut quote = None;
    let mut after_value = false;
    raw.chars().all(|c| match quote {
        Some(open) => {
            if c == open {
                quote = None;
                after_value = true;
            }
            true
        }
        None => {
            let parted = !after_value || is_blank(c) || c == '/';
            after_value = false;
            if matches!(c, '"' | '\'') {
                quote = Some(c);
            }
            parted
        }
    })
}

fn fault_of(error: &quick_xml::Error) -> Fault {
    use quick_xml::Error as E;
    use quick_xml::errors::{IllFormedError as I, SyntaxError as S};
    use quick_xml::name::NamespaceError as N;
    match error {
        E::Namespace(N::TooManyBindings(_)) => Fault::TooManyAttributes,
        E::Namespace(_) => Fault::NotWellFormed("a reserved prefix or namespace"),
        E::IllFormed(I::MismatchedEndTag { .. } | I::UnmatchedEndTag(_)) => {
            Fault::NotWellFormed("an end tag that fits no start tag")
        }
        E::IllFormed(I::UnclosedReference) => Fault::NotWellFormed("an ampersand that begins no reference"),
        E::IllFormed(I::DoubleHyphenInComment) => Fault::NotWellFormed("-- in a comment"),
        E::IllFormed(_) => Fault::NotWellFormed("the structure"),
        E::Syntax(S::UnclosedDoctype) => Fault::Doctype,
        E::Syntax(_) => Fault::NotWellFormed("markup that is not closed"),
        E::Encoding(_) => Fault::NotUtf8,
        E::InvalidAttr(_) => Fault::NotWellFormed("an attribute"),
        E::Escape(_) => Fault::Entity,
        E::Io(_) => Fault::NotWellFormed("the input"),
    }
}
