//! The tree of one stanza: names resolved, references replaced, strictly well-formed.
//!
//! Events and namespaces come from quick-xml; what it lets through although XML 1.0, Namespaces
//! 1.0 or RFC 6120 §11.1 forbid it is refused here. Elements in `jabber:client` are reported in
//! [`ns::COMPONENT`], so that only one content namespace exists behind this point.
//! Not kept: comments (refused), prefixes, the order of attributes relative to declarations.

use std::borrow::Cow;

use compact_str::CompactString;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;

use super::ns;
use super::stanza::Condition;
use super::wellformed::{self, Tag};

/// The most elements may be nested.
pub const DEPTH_MAX: usize = 64;
/// The most attributes, declarations included, an element may have.
pub const ATTRIBUTES_MAX: usize = 64;
/// The most elements and pieces of text a tree may have.
pub const NODES_MAX: usize = 16 * 1024;

/// One element and everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: CompactString,
    ns: CompactString,
    attrs: Vec<Attr>,
    nodes: Vec<Node>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attr {
    /// Without prefix, except `xml:`.
    pub(super) name: CompactString,
    /// Empty for attributes without prefix and those of `xml:`.
    pub(super) ns: CompactString,
    pub(super) value: CompactString,
}

/// What an element contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Text, never empty and never next to other text in a parsed tree.
    Text(String),
}

/// Why a stanza has no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlFault {
    /// Not well-formed, or forbidden by RFC 6120 §11.1.
    #[error("stanza is not well-formed: {0}")]
    Malformed(&'static str),
    /// Beyond one of the bounds of this module.
    #[error("stanza is beyond bounds: {0}")]
    Bounds(&'static str),
}

impl XmlFault {
    /// The condition to answer the stanza with.
    pub fn condition(self) -> Condition {
        match self {
            XmlFault::Malformed(_) => Condition::BadRequest,
            XmlFault::Bounds(_) => Condition::PolicyViolation,
        }
    }
}

impl Element {
    /// Parses one stanza, as found in a component stream: names without prefix are in
    /// [`ns::COMPONENT`], `stream:` is bound.
    ///
    /// # Errors
    /// [`XmlFault`] when it is not exactly one well-formed element within bounds.
    pub fn parse(bytes: &[u8]) -> Result<Element, XmlFault> {
        Element::parse_in(
            bytes,
            ns::COMPONENT,
            &[("stream".into(), ns::STREAMS.into())],
        )
    }

    /// Parses one element with the declarations that are in force around it.
    pub(super) fn parse_in(
        bytes: &[u8],
        default: &str,
        prefixes: &[(CompactString, CompactString)],
    ) -> Result<Element, XmlFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| XmlFault::Malformed("not UTF-8"))?;
        let mut reader = NsReader::from_str(text);
        let resolver = reader.resolver_mut();
        let declared = resolver
            .add(PrefixDeclaration::Default, Namespace(default))
            .is_ok()
            && prefixes.iter().all(|(prefix, ns)| {
                resolver
                    .add(PrefixDeclaration::Named(prefix), Namespace(ns))
                    .is_ok()
            });
        if !declared {
            return Err(XmlFault::Malformed("bad declaration in the stream header"));
        }
        Builder::default().run(reader)
    }

    /// An element without content. Names and namespaces are of the program, not of the wire.
    pub fn new(name: &str, ns: &str) -> Element {
        debug_assert!(wellformed::is_name(name) && !name.contains(':'));
        Element {
            name: name.into(),
            ns: ns.into(),
            attrs: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// With an attribute set; replaces one of the same name.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: &str) -> Element {
        debug_assert!(wellformed::is_name(name));
        match self
            .attrs
            .iter_mut()
            .find(|attr| attr.name == name && attr.ns.is_empty())
        {
            Some(attr) => attr.value = value.into(),
            None => {
                self.attrs.push(Attr {
                    name: name.into(),
                    ns: "".into(),
                    value: value.into(),
                });
            }
        }
        self
    }

    /// With a child appended.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Element {
        self.nodes.push(Node::Element(child));
        self
    }

    /// Puts other text into the child of that name, if there is one.
    pub fn set_text(&mut self, name: &str, ns: &str, text: &str) {
        let child = self.nodes.iter_mut().find_map(|node| match node {
            Node::Element(child) if child.is(name, ns) => Some(child),
            _ => None,
        });
        if let Some(child) = child {
            child.nodes = vec![Node::Text(text.into())];
        }
    }

    /// With text appended.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Element {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.nodes.push(Node::Text(text.into())),
        }
        self
    }

    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; `jabber:client` is reported as [`ns::COMPONENT`].
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// Whether name and namespace are these.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// The value of an attribute without prefix, or of `xml:lang` and its like.
    pub fn attr(&self, name: &str) -> Option<&str> {
        let found = self
            .attrs
            .iter()
            .find(|attr| attr.name == name && attr.ns.is_empty())?;
        Some(&found.value)
    }

    /// Names and values of all attributes without prefix and those of `xml:`.
    pub fn attrs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attrs
            .iter()
            .filter(|a| a.ns.is_empty())
            .map(|a| (a.name.as_str(), a.value.as_str()))
    }

    pub(super) fn all_attrs(&self) -> &[Attr] {
        &self.attrs
    }

    /// The first child with this name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<&Element> {
        self.children().find(|child| child.is(name, ns))
    }

    /// The child elements.
    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// Children and text, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The text directly in this element, without that of children.
    pub fn text(&self) -> Cow<'_, str> {
        let mut text = Cow::Borrowed("");
        for node in &self.nodes {
            if let Node::Text(piece) = node {
                text += piece.as_str();
            }
        }
        text
    }
}

/// The elements that are open, and the nodes counted so far.
#[derive(Default)]
struct Builder {
    open: Vec<Element>,
    nodes: usize,
    root: Option<Element>,
}

impl Builder {
    fn run(mut self, mut reader: NsReader<&[u8]>) -> Result<Element, XmlFault> {
        loop {
            let event = reader
                .read_event()
                .map_err(|_| XmlFault::Malformed("syntax"))?;
            match event {
                Event::Start(tag) => {
                    let element = self.element(&tag, reader.resolver())?;
                    self.open.push(element);
                }
                Event::Empty(tag) => {
                    let element = self.element(&tag, reader.resolver())?;
                    self.close(element);
                }
                Event::End(_) => {
                    // quick-xml has compared the names.
                    let element = self.open.pop().ok_or(XmlFault::Malformed("end tag"))?;
                    self.close(element);
                }
                Event::Text(text) if text.contains("]]>") => {
                    return Err(XmlFault::Malformed("]]> in text"));
                }
                Event::Text(text) => self.text(&text)?,
                Event::CData(text) => self.cdata(&text)?,
                Event::GeneralRef(name) => {
                    let ch = wellformed::reference(&name).ok_or(XmlFault::Malformed("entity"))?;
                    self.append(ch.encode_utf8(&mut [0; 4]))?;
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {
                    return Err(XmlFault::Malformed("restricted by RFC 6120"));
                }
                Event::Eof => break,
            }
        }
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err(XmlFault::Malformed("not one whole element")),
        }
    }

    fn element(
        &mut self,
        tag: &BytesStart,
        scope: &NamespaceResolver,
    ) -> Result<Element, XmlFault> {
        if self.root.is_some() {
            return Err(XmlFault::Malformed("more than one element"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(XmlFault::Bounds("depth"));
        }
        self.count()?;
        let (name, attributes) = Tag::new(tag);
        if !wellformed::is_name(name) || name.starts_with("xmlns:") {
            return Err(XmlFault::Malformed("element name"));
        }
        let ns = match scope.resolve_element(QName(name)).0 {
            ResolveResult::Unbound => CompactString::const_new(""),
            ResolveResult::Bound(Namespace(ns)) => namespace(ns)?,
            ResolveResult::Unknown(_) => return Err(XmlFault::Malformed("prefix without ns")),
        };
        let local = name.split_once(':').map_or(name, |(_, local)| local);
        let attrs = attributes_of(attributes, scope)?;
        Ok(Element {
            name: local.into(),
            ns,
            attrs,
            nodes: Vec::new(),
        })
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.nodes.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, raw: &str) -> Result<(), XmlFault> {
        if self.open.is_empty() && raw.chars().all(wellformed::is_space) {
            return Ok(());
        }
        self.cdata(raw)
    }

    fn cdata(&mut self, raw: &str) -> Result<(), XmlFault> {
        if !wellformed::is_clean(raw) {
            return Err(XmlFault::Malformed("forbidden character"));
        }
        self.append(&wellformed::line_ends(raw))
    }

    fn append(&mut self, text: &str) -> Result<(), XmlFault> {
        let Some(parent) = self.open.last_mut() else {
            return Err(XmlFault::Malformed("text outside the element"));
        };
        match parent.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => last.push_str(text),
            _ => {
                parent.nodes.push(Node::Text(text.into()));
                self.count()?;
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), XmlFault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(XmlFault::Bounds("number of elements"));
        }
        Ok(())
    }
}

/// Checks and resolves all attributes of a tag.
fn attributes_of(tag: Tag<'_>, scope: &NamespaceResolver) -> Result<Vec<Attr>, XmlFault> {
    let mut attrs: Vec<Attr> = Vec::new();
    // Declarations are checked and dropped; at most a handful, so that a scan finds doubles.
    let mut declared: Vec<&str> = Vec::new();
    for (index, item) in tag.enumerate() {
        if index >= ATTRIBUTES_MAX {
            return Err(XmlFault::Bounds("number of attributes"));
        }
        let (name, raw) = item.map_err(XmlFault::Malformed)?;
        let value = wellformed::attribute_value(raw).ok_or(XmlFault::Malformed("attribute"))?;
        if name == "xmlns" || name.starts_with("xmlns:") {
            if declared.contains(&name) {
                return Err(XmlFault::Malformed("namespace declared twice"));
            }
            check_declaration(name, &value)?;
            declared.push(name);
            continue;
        }
        let (ns, local) = match name.split_once(':') {
            None | Some(("xml", _)) => (CompactString::const_new(""), name),
            Some((_, local)) => match scope.resolve_attribute(QName(name)).0 {
                ResolveResult::Bound(Namespace(ns)) => (namespace(ns)?, local),
                _ => return Err(XmlFault::Malformed("prefix without namespace")),
            },
        };
        if attrs.iter().any(|attr| attr.name == local && attr.ns == ns) {
            return Err(XmlFault::Malformed("attribute given twice"));
        }
        attrs.push(Attr {
            name: local.into(),
            ns,
            value: value.as_ref().into(),
        });
    }
    Ok(attrs)
}

/// Namespaces 1.0 §3 and §2.2: what may be bound to what. (quick-xml refuses to bind `xml` and
/// `xmlns`, but looks at the value as written.)
fn check_declaration(name: &str, value: &str) -> Result<(), XmlFault> {
    let reserved = value == ns::XML || value == "http://www.w3.org/2000/xmlns/";
    match name.strip_prefix("xmlns:") {
        Some("xml") if value == ns::XML => Ok(()),
        Some("xml" | "xmlns") => Err(XmlFault::Malformed("reserved prefix")),
        Some(_) if value.is_empty() => Err(XmlFault::Malformed("prefix bound to nothing")),
        _ if reserved => Err(XmlFault::Malformed("reserved namespace")),
        _ => Ok(()),
    }
}

/// A namespace as written in its declaration, ready for comparison.
fn namespace(raw: &str) -> Result<CompactString, XmlFault> {
    let value = wellformed::attribute_value(raw).ok_or(XmlFault::Malformed("namespace"))?;
    if value == ns::CLIENT {
        return Ok(CompactString::const_new(ns::COMPONENT));
    }
    Ok(value.as_ref().into())
}

#[cfg(test)]
mod tests;
