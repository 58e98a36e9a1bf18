//! Stanzas: head, budget, and a sender that is always ours.

use unicode_normalization::{UnicodeNormalization, is_nfkc};

use super::super::escape;
use super::super::jid::{PART_MAX, resource_from_nick};
use super::super::wellformed;
use super::budget::Xml;

/// The three kinds of stanza (RFC 6120 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StanzaName {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl StanzaName {
    /// The element name.
    pub fn as_str(self) -> &'static str {
        match self {
            StanzaName::Message => "message",
            StanzaName::Presence => "presence",
            StanzaName::Iq => "iq",
        }
    }
}

/// The start tag of a stanza.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// What kind of stanza.
    pub name: StanzaName,
    /// The domain of the component, prepared: every `from` is in it.
    pub domain: &'a str,
    /// Who sends it.
    pub from: Sender<'a>,
    /// Where to: an address as it came from the server or from [`Jid`](super::super::jid::Jid).
    pub to: &'a str,
    /// The `type` attribute.
    pub kind: Option<&'a str>,
    /// The `id` attribute.
    pub id: Option<&'a str>,
}

/// Who in our domain sends a stanza; the domain itself by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// Localpart, escaped (XEP-0106) and prepared.
    pub local: Option<&'a str>,
    /// Resourcepart.
    pub resource: Option<&'a str>,
}

/// How much of a stanza came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// All of it.
    Whole,
    /// The body was cut to the budget.
    Cut,
    /// Nothing: not even the head fitted, or there was no address.
    Nothing,
}

/// Appends one stanza of at most `max` bytes.
pub fn stanza(
    buffer: &mut Vec<u8>,
    max: usize,
    head: Head<'_>,
    body: impl FnOnce(&mut Xml<'_>),
) -> Written {
    let before = buffer.len();
    let mut xml = Xml::new(buffer, max);
    xml.start(head.name.as_str());
    if head.to.is_empty() || head.domain.is_empty() || !write_head(&mut xml, &head) {
        drop(xml);
        buffer.truncate(before);
        return Written::Nothing;
    }
    xml.keep_open();
    body(&mut xml);
    if xml.is_whole() {
        Written::Whole
    } else {
        Written::Cut
    }
}

fn write_head(xml: &mut Xml<'_>, head: &Head<'_>) -> bool {
    write_from(xml, head)
        && xml.attr_pieces("to", &[head.to])
        && head
            .kind
            .is_none_or(|kind| xml.attr_pieces("type", &[kind]))
        && head.id.is_none_or(|id| xml.attr_pieces("id", &[id]))
}

fn write_from(xml: &mut Xml<'_>, head: &Head<'_>) -> bool {
    let fixed_local;
    let local = match head.from.local {
        None | Some("") => "",
        Some(local) if is_good_local(local) => local,
        // A separator in it would make the address another domain's.
        Some(local) => {
            fixed_local = fix_local(local);
            fixed_local.as_str()
        }
    };
    let fixed_resource;
    let resource = match head.from.resource {
        None => "",
        Some(resource) => {
            fixed_resource = resource_from_nick(resource);
            fixed_resource.as_ref()
        }
    };
    let at = if local.is_empty() { "" } else { "@" };
    let slash = if resource.is_empty() { "" } else { "/" };
    xml.attr_pieces("from", &[local, at, head.domain, slash, resource])
}

fn is_good_local(local: &str) -> bool {
    let good = |b: u8| b > b' ' && b != 0x7f && escape::code(b).is_none();
    local.len() <= PART_MAX
        && local.bytes().all(good)
        && (local.is_ascii() || (is_nfkc(local) && local.chars().all(is_good_char)))
}

fn is_good_char(ch: char) -> bool {
    !ch.is_control() && wellformed::is_char(ch)
}

fn fix_local(local: &str) -> String {
    let mut fixed = String::with_capacity(local.len());
    // Normalised first: servers do, and it can bring a separator about.
    for ch in local.nfkc().filter(|&ch| is_good_char(ch)) {
        match u8::try_from(ch).ok().and_then(escape::code) {
            Some(code) => fixed.push_str(code),
            None => fixed.push(ch),
        }
    }
    fixed.truncate(wellformed::cut(&fixed, PART_MAX).len());
    fixed
}
