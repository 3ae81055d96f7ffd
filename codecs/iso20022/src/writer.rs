//! Writing: compact XML, default namespaces, escaped text. Values are valid by their types, so
//! writing cannot fail.

/// An XML document in the making.
#[derive(Default)]
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    /// Starts a document with its declaration.
    pub(crate) fn new() -> Self {
        Self { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") }
    }

    /// An element with what `inner` writes in it.
    pub(crate) fn within(&mut self, name: &'static str, inner: impl FnOnce(&mut Self)) {
        self.open(name, "");
        inner(self);
        self.close(name);
    }

    /// An element that sets the default namespace.
    pub(crate) fn root(&mut self, name: &'static str, namespace: &str, inner: impl FnOnce(&mut Self)) {
        self.open(name, &format!(" xmlns=\"{}\"", escape(namespace)));
        inner(self);
        self.close(name);
    }

    /// An element with text.
    pub(crate) fn leaf(&mut self, name: &'static str, text: &str) {
        self.open(name, "");
        self.out.push_str(&escape(text));
        self.close(name);
    }

    /// An element with text, where there is one.
    pub(crate) fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// An amount with its currency.
    pub(crate) fn amount(&mut self, name: &'static str, amount: crate::Amount) {
        self.open(name, &format!(" Ccy=\"{}\"", amount.currency().as_str()));
        self.out.push_str(&amount.decimal());
        self.close(name);
    }

    /// The bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(attributes);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

/// Escapes for text and for double-quoted attribute values. A carriage return becomes a reference,
/// since a reader would make a line feed of it (XML 1.0 §2.11).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}
