//! The business message envelope (nvlp.001.001.01: `Hdr`, `Doc`, `Ref`, `SplmtryData`) and the
//! documents in it.

use crate::credit_transfer::CreditTransfer;
use crate::error::{Content, Error, Fault};
use crate::header::BusinessHeader;
use crate::limits::Limits;
use crate::sequence::{Child, Element, Unread, many, one, opt};
use crate::status_report::StatusReport;
use crate::status_request::StatusRequest;
use crate::tree::{Space, Tree};
use crate::writer::Writer;
use crate::{ENVELOPE, NAMESPACE_PREFIX, PACS_002, PACS_008, PACS_028};

/// The schema lets `Hdr` be absent; a bank link needs it, so here it must be there.
pub(crate) const ENVELOPE_MODEL: &[Child] = &[one("Hdr"), one("Doc"), many("Ref").unread(), many("SplmtryData").unread()];
/// Names of roots, for paths only.
pub(crate) const ROOTS: &[Child] = &[opt("BizMsgEnvlp"), opt("AppHdr"), opt("Document")];

/// A header and the message that it announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `Hdr/AppHdr`.
    pub header: BusinessHeader,
    /// `Doc/Document`.
    pub document: Document,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// pacs.008.001.08.
    CreditTransfer(Box<CreditTransfer>),
    /// pacs.002.001.10.
    StatusReport(StatusReport),
    /// pacs.028.001.03.
    StatusRequest(StatusRequest),
    /// A message that no view knows: well-formed and within the limits, its content not looked at.
    Unknown {
        /// Namespace of its `Document`, empty where it has none.
        namespace: String,
    },
}

impl Document {
    /// The message definition, where it is a known one.
    pub fn definition(&self) -> Option<&'static str> {
        match self {
            Self::CreditTransfer(_) => Some(PACS_008),
            Self::StatusReport(_) => Some(PACS_002),
            Self::StatusRequest(_) => Some(PACS_028),
            Self::Unknown { .. } => None,
        }
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<T> {
    /// The view.
    pub value: T,
    /// Elements that the view does not hold.
    pub unread: Unread,
}

/// Reads an envelope.
///
/// # Errors
/// Where and why it was refused.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Received<Envelope>, Error> {
    let tree = Tree::parse(bytes, limits)?;
    let root = Element::root(&tree);
    root.expect("BizMsgEnvlp", Space::Envelope)?;
    let parts = root.sequence(ENVELOPE_MODEL)?;
    let announced = parts.need("Hdr")?.payload("AppHdr")?;
    announced.expect("AppHdr", Space::Header)?;
    let header = BusinessHeader::read(announced)?;
    let payload = parts.need("Doc")?.payload("Document")?;
    let document = document(payload)?;
    let definition = document.definition().map(str::to_owned).or_else(|| match &document {
        Document::Unknown { namespace } => namespace.strip_prefix(NAMESPACE_PREFIX).map(str::to_owned),
        _ => None,
    });
    if definition.is_some_and(|definition| definition != header.message_definition.as_str()) {
        return Err(announced.error(Fault::HeaderMismatch));
    }
    let unread = tree.unread.take();
    Ok(Received { value: Envelope { header, document }, unread })
}

/// Reads a bare `Document`, as some files and interfaces have it.
///
/// # Errors
/// As [`read`].
pub fn read_document(bytes: &[u8], limits: &Limits) -> Result<Received<Document>, Error> {
    let tree = Tree::parse(bytes, limits)?;
    let value = document(Element::root(&tree))?;
    let unread = tree.unread.take();
    Ok(Received { value, unread })
}

fn document(element: Element<'_>) -> Result<Document, Error> {
    if element.name() != "Document" {
        element.expect("Document", Space::Pacs008)?;
    }
    match element.space() {
        Space::Pacs008 => CreditTransfer::read(element).map(|it| Document::CreditTransfer(Box::new(it))),
        Space::Pacs002 => StatusReport::read(element).map(Document::StatusReport),
        Space::Pacs028 => StatusRequest::read(element).map(Document::StatusRequest),
        _ => {
            let namespace = element.foreign().unwrap_or_default();
            let plain = namespace.len() <= 128 && namespace.bytes().all(|b| b.is_ascii_graphic());
            if !plain {
                return Err(element.error(Content::Pattern("a namespace of at most 128 printable ASCII characters").into()));
            }
            Ok(Document::Unknown { namespace: namespace.to_owned() })
        }
    }
}

/// Writes an envelope: UTF-8, no white space between elements, valid by its schemas. The header's
/// `MsgDefIdr` is taken as it stands. A [`Document::Unknown`] has no content to write and becomes an
/// empty `Document`.
pub fn write(envelope: &Envelope) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.root("BizMsgEnvlp", ENVELOPE, |xml| {
        xml.within("Hdr", |xml| envelope.header.write(xml));
        xml.within("Doc", |xml| write_into(&envelope.document, xml));
    });
    xml.finish()
}

/// Writes a bare `Document`.
pub fn write_document(document: &Document) -> Vec<u8> {
    let mut xml = Writer::new();
    write_into(document, &mut xml);
    xml.finish()
}

fn write_into(document: &Document, xml: &mut Writer) {
    let namespace = match document {
        Document::Unknown { namespace } => namespace.clone(),
        known => format!("{NAMESPACE_PREFIX}{}", known.definition().unwrap_or_default()),
    };
    xml.root("Document", &namespace, |xml| match document {
        Document::CreditTransfer(transfer) => transfer.write(xml),
        Document::StatusReport(report) => report.write(xml),
        Document::StatusRequest(request) => request.write(xml),
        Document::Unknown { .. } => {}
    });
}
