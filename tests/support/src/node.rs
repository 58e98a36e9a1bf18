//! XML as a tree of values, as parsed by the client's own library, so that no parser of ours is
//! involved in what a test believes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;

/// The namespace of what a client receives (RFC 6120 §4.8.2).
const CLIENT: &str = "jabber:client";

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Namespace; empty when there is none.
    pub ns: String,
    /// Local name.
    pub name: String,
    /// Attributes; a namespaced one is written `{namespace}name`.
    pub attrs: BTreeMap<String, String>,
    /// The text directly inside, in one piece.
    pub text: String,
    /// The elements directly inside, in order.
    pub children: Vec<Node>,
}

impl Node {
    /// An attribute; empty when it is not there.
    pub fn attr(&self, name: &str) -> &str {
        self.attrs.get(name).map_or("", String::as_str)
    }

    /// The first child of that name, in whatever namespace.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of that name and namespace.
    pub fn child_ns(&self, name: &str, ns: &str) -> Option<&Node> {
        self.children
            .iter()
            .find(|child| child.name == name && child.ns == ns)
    }

    /// The children of that name, in whatever namespace.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first descendant of that name and namespace, depth first.
    pub fn find(&self, name: &str, ns: &str) -> Option<&Node> {
        self.children.iter().find_map(|child| {
            if child.name == name && child.ns == ns {
                Some(child)
            } else {
                child.find(name, ns)
            }
        })
    }

    /// The text of the first child of that name; empty when there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }
}

/// A stanza as a client received it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Stanza {
    /// The XML, as written out by the client's library.
    pub xml: String,
    /// The element.
    pub node: Node,
}

impl Stanza {
    /// `message`, `presence` or `iq`.
    pub fn kind(&self) -> &str {
        &self.node.name
    }

    /// The attribute `type`; empty when there is none.
    pub fn type_(&self) -> &str {
        self.attr("type")
    }

    /// The attribute `from`.
    pub fn from(&self) -> &str {
        self.attr("from")
    }

    /// The attribute `to`.
    pub fn to(&self) -> &str {
        self.attr("to")
    }

    /// The attribute `id`.
    pub fn id(&self) -> &str {
        self.attr("id")
    }

    /// The body; empty when there is none. One in another namespace is none to any client.
    pub fn body(&self) -> &str {
        self.child_ns("body", CLIENT)
            .map_or("", |body| body.text.as_str())
    }

    /// The subject, if there is one: an empty one is something else than none.
    pub fn subject(&self) -> Option<&str> {
        self.child_ns("subject", CLIENT)
            .map(|child| child.text.as_str())
    }

    /// Whether it is a message of that type and body.
    pub fn is_message(&self, type_: &str, body: &str) -> bool {
        self.kind() == "message" && self.type_() == type_ && self.body() == body
    }

    /// The XEP-0045 status codes in the order they stand.
    pub fn status_codes(&self) -> Vec<u16> {
        let user = self.child_ns("x", "http://jabber.org/protocol/muc#user");
        user.into_iter()
            .flat_map(|user| user.children_named("status"))
            .filter_map(|status| status.attr("code").parse().ok())
            .collect()
    }

    /// The RFC 6120 condition of an error stanza, such as `item-not-found`; empty for others.
    pub fn error_condition(&self) -> &str {
        let Some(error) = self.child("error").filter(|_| self.type_() == "error") else {
            return "";
        };
        let stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
        let condition = error
            .children
            .iter()
            .find(|c| c.ns == stanzas && c.name != "text");
        condition.map_or("", |condition| &condition.name)
    }
}

impl Deref for Stanza {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl fmt::Debug for Stanza {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.xml)
    }
}

/// Text made fit to stand in an element or an attribute of a stanza that a test writes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}
