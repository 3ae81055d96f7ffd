//! Content models as data: what a sequence or choice of the schema may hold, in which order and how
//! often, and which of it the views read. [`Element`] walks the tree by them.

use crate::error::{Content, Error, Fault};
use crate::text::Text;
use crate::tree::{Space, Tree, is_blank};

/// One entry of an `xs:sequence`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    name: &'static str,
    required: bool,
    repeats: bool,
    read: bool,
}

/// `minOccurs` 1, `maxOccurs` 1.
pub(crate) const fn one(name: &'static str) -> Child {
    Child { name, required: true, repeats: false, read: true }
}

/// `minOccurs` 0, `maxOccurs` 1.
pub(crate) const fn opt(name: &'static str) -> Child {
    Child { name, required: false, repeats: false, read: true }
}

/// `minOccurs` 0, more than one allowed.
pub(crate) const fn many(name: &'static str) -> Child {
    Child { name, required: false, repeats: true, read: true }
}

impl Child {
    /// May stand here, is not read: its content is not looked at, and it is named in [`Unread`].
    pub(crate) const fn unread(self) -> Self {
        Self { read: false, ..self }
    }

    /// At least once.
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// Elements that the schema allows and no view holds. A message written again does not have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    names: Vec<&'static str>,
    count: usize,
}

impl Unread {
    /// Distinct names kept.
    const MAX: usize = 64;

    fn note(&mut self, name: &'static str) {
        self.count = self.count.saturating_add(1);
        if self.names.len() < Self::MAX && !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Their names as the schema has them (`Purp`, `IntrmyAgt1`), each once, in the order in which the views met them.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// How many there were, each with everything in it counted as one.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Every content model, so that names in errors come from the schemas and not from the peer.
const MODELS: &[&[Child]] = &[
    crate::envelope::ENVELOPE_MODEL,
    crate::envelope::ROOTS,
    crate::header::HEADER_MODEL,
    crate::header::ENDPOINT,
    crate::header::ORGANISATION,
    crate::parties::INSTITUTION,
    crate::parties::AGENT,
    crate::parties::MEMBER,
    crate::parties::CLEARING_SYSTEM,
    crate::parties::PARTY,
    crate::parties::PARTY_ID,
    crate::parties::ORGANISATION_ID,
    crate::parties::ACCOUNT,
    crate::parties::ACCOUNT_ID,
    crate::parties::OTHER_ACCOUNT,
    crate::credit_transfer::DOCUMENT,
    crate::credit_transfer::MESSAGE,
    crate::credit_transfer::GROUP_HEADER,
    crate::credit_transfer::SETTLEMENT,
    crate::credit_transfer::TRANSACTION,
    crate::credit_transfer::PAYMENT_ID,
    crate::credit_transfer::REMITTANCE,
    crate::status_report::DOCUMENT,
    crate::status_report::MESSAGE,
    crate::status_report::GROUP_HEADER,
    crate::status_report::GROUP_STATUS,
    crate::status_report::TRANSACTION,
    crate::status_report::ORIGINAL_GROUP,
    crate::status_report::REASON,
    crate::status_report::REASON_CODE,
    crate::status_request::DOCUMENT,
    crate::status_request::MESSAGE,
    crate::status_request::GROUP,
    crate::status_request::TRANSACTION,
];

/// The name as a schema spells it, where one does.
pub(crate) fn known_name(name: &str) -> Option<&'static str> {
    MODELS.iter().copied().flatten().find(|child| child.name == name).map(|child| child.name)
}

/// An element of the tree.
#[derive(Clone, Copy)]
pub(crate) struct Element<'t> {
    tree: &'t Tree<'t>,
    index: usize,
}

impl<'t> Element<'t> {
    /// The root of a document.
    pub(crate) fn root(tree: &'t Tree<'t>) -> Self {
        Self { tree, index: 0 }
    }

    fn node(&self) -> Option<&'t crate::tree::Node<'t>> {
        self.tree.nodes.get(self.index)
    }

    /// Its local name.
    pub(crate) fn name(&self) -> &'t str {
        self.node().map_or("", |node| node.name)
    }

    /// Its namespace.
    pub(crate) fn space(&self) -> Space {
        self.node().map_or(Space::Other, |node| node.space)
    }

    /// The namespace of a `Document` that no view knows.
    pub(crate) fn foreign(&self) -> Option<&'t str> {
        self.node().and_then(|node| node.foreign.as_deref())
    }

    /// An error at this element.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        Error { path: self.tree.path(self.index), offset: self.node().map_or(0, |node| node.offset), fault }
    }

    /// Checks that it is the wanted element.
    pub(crate) fn expect(&self, want: &'static str, space: Space) -> Result<(), Error> {
        if self.name() == want && self.space() == space {
            return Ok(());
        }
        let got = if self.name() == want { "another namespace" } else { known_name(self.name()).unwrap_or("another element") };
        Err(self.error(Fault::Unexpected { want, got }))
    }

    /// Its child elements; text between them and attributes on it are refused.
    fn elements(&self) -> Result<Vec<Element<'t>>, Error> {
        let Some(node) = self.node() else { return Ok(Vec::new()) };
        if !node.text.chars().all(is_blank) {
            return Err(self.error(Fault::Mixed));
        }
        if node.odd_attribute || node.currency.is_some() {
            return Err(self.error(Fault::Attribute));
        }
        Ok(node.children.iter().map(|index| Element { tree: self.tree, index: *index }).collect())
    }

    /// Its one child element, of whatever name (`Hdr` and `Doc` of the envelope).
    pub(crate) fn payload(&self, want: &'static str) -> Result<Element<'t>, Error> {
        match self.elements()?.as_slice() {
            [] => Err(self.error(Fault::Missing { want })),
            [only] => Ok(*only),
            [_, second, ..] => Err(second
                .error(Fault::Unexpected { want: "nothing more", got: known_name(second.name()).unwrap_or("another element") })),
        }
    }

    /// Its children by an `xs:sequence`: order, occurrence and namespace are checked, what is not read is noted.
    pub(crate) fn sequence(&self, model: &'static [Child]) -> Result<Fields<'t>, Error> {
        let mut found = Vec::new();
        let mut place = 0;
        let mut taken = 0usize;
        for element in self.elements()? {
            loop {
                let Some(child) = model.get(place) else {
                    let got = known_name(element.name()).unwrap_or("another element");
                    return Err(element.error(Fault::Unexpected { want: "nothing more", got }));
                };
                if child.name == element.name() {
                    element.expect(child.name, self.space())?;
                    if taken > 0 && !child.repeats {
                        return Err(element.error(Fault::Unexpected { want: "it only once", got: child.name }));
                    }
                    taken = taken.saturating_add(1);
                    if child.read {
                        found.push((child.name, element));
                    } else {
                        self.tree.unread.borrow_mut().note(child.name);
                    }
                    break;
                }
                if child.required && taken == 0 {
                    let got = known_name(element.name()).unwrap_or("another element");
                    return Err(element.error(Fault::Unexpected { want: child.name, got }));
                }
                if !model.iter().skip(place).any(|later| later.name == element.name()) {
                    let got = known_name(element.name()).unwrap_or("another element");
                    let open = model.get(place + usize::from(taken > 0)..).unwrap_or_default();
                    let want = open.iter().find(|next| next.required).or(open.first()).map_or("nothing more", |next| next.name);
                    return Err(element.error(Fault::Unexpected { want, got }));
                }
                place += 1;
                taken = 0;
            }
        }
        let behind = place + usize::from(taken > 0);
        match model.iter().skip(behind).find(|child| child.required) {
            Some(child) => Err(self.error(Fault::Missing { want: child.name })),
            None => Ok(Fields { parent: *self, found }),
        }
    }

    /// Its one child by an `xs:choice`: the name of the branch and the element, `None` for a branch that is not read.
    pub(crate) fn choice(&self, model: &'static [Child], want: &'static str) -> Result<(&'static str, Element<'t>), Error> {
        let elements = self.elements()?;
        let first = elements.first().copied().ok_or_else(|| self.error(Fault::Missing { want }))?;
        if let Some(second) = elements.get(1) {
            let got = known_name(second.name()).unwrap_or("another element");
            return Err(second.error(Fault::Unexpected { want: "one branch of the choice only", got }));
        }
        let Some(child) = model.iter().find(|child| child.name == first.name()) else {
            let got = known_name(first.name()).unwrap_or("another element");
            return Err(first.error(Fault::Unexpected { want, got }));
        };
        first.expect(child.name, self.space())?;
        if !child.read {
            self.tree.unread.borrow_mut().note(child.name);
        }
        Ok((child.name, first))
    }

    /// The text of an element without children or attributes, blanks kept.
    pub(crate) fn raw(&self) -> Result<&'t str, Error> {
        let Some(node) = self.node() else { return Ok("") };
        if node.odd_attribute || node.currency.is_some() {
            return Err(self.error(Fault::Attribute));
        }
        self.raw_with_attributes()
    }

    fn raw_with_attributes(&self) -> Result<&'t str, Error> {
        match self.node() {
            Some(node) if node.children.is_empty() => Ok(&node.text),
            _ => Err(self.error(Fault::Mixed)),
        }
    }

    /// A value by its constructor; blanks belong to it (`xs:string`).
    pub(crate) fn value<T>(&self, make: impl FnOnce(&'t str) -> Result<T, Content>) -> Result<T, Error> {
        make(self.raw()?).map_err(|content| self.error(content.into()))
    }

    /// A value by its constructor; blanks around it do not belong to it (XSD `whiteSpace` collapse).
    pub(crate) fn collapsed<T>(&self, make: impl FnOnce(&'t str) -> Result<T, Content>) -> Result<T, Error> {
        make(self.raw()?.trim_matches(is_blank)).map_err(|content| self.error(content.into()))
    }

    /// `MaxNText`.
    pub(crate) fn text<const MAX: usize>(&self) -> Result<Text<MAX>, Error> {
        self.value(Text::new)
    }

    /// An amount with its attribute `Ccy`.
    pub(crate) fn amount(&self) -> Result<crate::Amount, Error> {
        let currency = match self.node() {
            Some(node) if node.odd_attribute => return Err(self.error(Fault::Attribute)),
            Some(node) => node.currency.as_deref().ok_or_else(|| self.error(Fault::Missing { want: "Ccy" }))?,
            None => "",
        };
        let decimal = self.raw_with_attributes()?.trim_matches(is_blank);
        crate::CurrencyCode::new(currency)
            .and_then(|currency| crate::Amount::parse(decimal, currency))
            .map_err(|content| self.error(content.into()))
    }
}

/// The children that a view reads, in the order of the document.
pub(crate) struct Fields<'t> {
    parent: Element<'t>,
    found: Vec<(&'static str, Element<'t>)>,
}

impl<'t> Fields<'t> {
    /// All of a name.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = Element<'t>> + '_ {
        self.found.iter().filter(move |(found, _)| *found == name).map(|(_, element)| *element)
    }

    /// The one of a name, where it is there.
    pub(crate) fn get(&self, name: &'static str) -> Option<Element<'t>> {
        self.all(name).next()
    }

    /// The one of a name that must be there.
    pub(crate) fn need(&self, name: &'static str) -> Result<Element<'t>, Error> {
        self.get(name).ok_or_else(|| self.parent.error(Fault::Missing { want: name }))
    }

    /// The value of an optional child.
    pub(crate) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Element<'t>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name).map(read).transpose()
    }
}
