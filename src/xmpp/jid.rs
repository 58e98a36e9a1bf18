//! XMPP addresses (RFC 7622), parsed tolerantly and generated strictly.
//!
//! Servers disagree about which code points an address may hold, and some deliver addresses as
//! the user typed them; so parsing cuts, checks lengths and separators, and prepares (folds case,
//! normalises) for comparison, but refuses no letters. Not done: PRECIS tables, IDNA to ASCII.
//!
//! The types share one `Arc<str>`: `clone` and `bare` allocate nothing.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization, is_nfkc};

use super::escape;
use super::wellformed::cut;

/// The most bytes a localpart, domainpart or resourcepart may have (RFC 7622 §3).
pub const PART_MAX: usize = 1023;

/// An address with or without a resourcepart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Jid {
    /// `local@domain` or `domain`.
    Bare(BareJid),
    /// `local@domain/resource` or `domain/resource`.
    Full(FullJid),
}

/// An address without a resourcepart.
#[derive(Clone)]
pub struct BareJid {
    /// May go on behind `end` with a resourcepart, when taken from a full JID.
    text: Arc<str>,
    /// Offset of the `@`, 0 without localpart (which is never empty).
    at: u16,
    end: u16,
}

/// An address with a resourcepart.
#[derive(Clone)]
pub struct FullJid {
    text: Arc<str>,
    at: u16,
    slash: u16,
}

/// Why a text is no address; the stanza condition is `jid-malformed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidFault {
    /// Empty, too long, or holds a separator or control character.
    #[error("localpart is empty, too long or holds a forbidden character")]
    Local,
    /// Empty, too long, or holds a separator, space or control character.
    #[error("domainpart is empty, too long or holds a forbidden character")]
    Domain,
    /// Empty, too long, or holds a control character.
    #[error("resourcepart is empty, too long or holds a forbidden character")]
    Resource,
}

impl Jid {
    /// Parses and prepares: cuts at the first `/`, then at the first `@` (RFC 7622 §3.2).
    ///
    /// # Errors
    /// The part that is empty, longer than [`PART_MAX`] bytes, or holds a separator or control.
    pub fn parse(text: &str) -> Result<Jid, JidFault> {
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        let local = local.map(prepare_local).transpose()?;
        let domain = prepare_domain(domain)?;
        let resource = resource.map(check_resource).transpose()?;
        Ok(assemble(local.as_deref(), &domain, resource))
    }

    /// The localpart, prepared, still escaped (XEP-0106).
    pub fn local(&self) -> Option<&str> {
        match self {
            Jid::Bare(jid) => jid.local(),
            Jid::Full(jid) => jid.local(),
        }
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        match self {
            Jid::Bare(jid) => jid.domain(),
            Jid::Full(jid) => jid.domain(),
        }
    }

    /// The resourcepart.
    pub fn resource(&self) -> Option<&str> {
        match self {
            Jid::Bare(_) => None,
            Jid::Full(jid) => Some(jid.resource()),
        }
    }

    /// The address without its resourcepart.
    pub fn bare(&self) -> BareJid {
        match self {
            Jid::Bare(jid) => jid.clone(),
            Jid::Full(jid) => jid.bare(),
        }
    }

    /// The full JID, if there is a resourcepart.
    pub fn to_full(&self) -> Option<FullJid> {
        match self {
            Jid::Bare(_) => None,
            Jid::Full(jid) => Some(jid.clone()),
        }
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        match self {
            Jid::Bare(jid) => jid.as_str(),
            Jid::Full(jid) => jid.as_str(),
        }
    }
}

impl BareJid {
    /// Builds an address of ours; the localpart must be escaped already
    /// ([`escape`](super::escape::escape)) and is prepared here.
    ///
    /// # Errors
    /// As [`Jid::parse`], and when the localpart holds what RFC 7622 §3.3.1 excludes.
    pub fn new(local: Option<&str>, domain: &str) -> Result<BareJid, JidFault> {
        let local = local.map(prepare_local).transpose()?;
        if local
            .as_deref()
            .is_some_and(|l| l.bytes().any(|b| escape::code(b).is_some()))
        {
            return Err(JidFault::Local);
        }
        let domain = prepare_domain(domain)?;
        Ok(assemble(local.as_deref(), &domain, None).bare())
    }

    /// Parses an address and forgets its resourcepart.
    ///
    /// # Errors
    /// As [`Jid::parse`].
    pub fn parse(text: &str) -> Result<BareJid, JidFault> {
        Jid::parse(text).map(|jid| jid.bare())
    }

    /// This address with a resourcepart, taken as it is (see [`resource_from_nick`]).
    ///
    /// # Errors
    /// [`JidFault::Resource`] if it is empty, too long, or holds a control character.
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, JidFault> {
        let resource = check_resource(resource)?;
        Ok(FullJid {
            text: format!("{self}/{resource}").into(),
            at: self.at,
            slash: self.end,
        })
    }

    /// The localpart, prepared, still escaped (XEP-0106).
    pub fn local(&self) -> Option<&str> {
        (self.at > 0).then(|| &self.text[..usize::from(self.at)])
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        let start = if self.at > 0 {
            usize::from(self.at) + 1
        } else {
            0
        };
        &self.text[start..usize::from(self.end)]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text[..usize::from(self.end)]
    }
}

impl FullJid {
    /// Parses an address that has a resourcepart.
    ///
    /// # Errors
    /// As [`Jid::parse`]; [`JidFault::Resource`] if there is none.
    pub fn parse(text: &str) -> Result<FullJid, JidFault> {
        match Jid::parse(text)? {
            Jid::Full(jid) => Ok(jid),
            Jid::Bare(_) => Err(JidFault::Resource),
        }
    }

    /// The localpart, prepared, still escaped (XEP-0106).
    pub fn local(&self) -> Option<&str> {
        (self.at > 0).then(|| &self.text[..usize::from(self.at)])
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        let start = if self.at > 0 {
            usize::from(self.at) + 1
        } else {
            0
        };
        &self.text[start..usize::from(self.slash)]
    }

    /// The resourcepart.
    pub fn resource(&self) -> &str {
        &self.text[usize::from(self.slash) + 1..]
    }

    /// The address without its resourcepart; shares the text.
    pub fn bare(&self) -> BareJid {
        BareJid {
            text: Arc::clone(&self.text),
            at: self.at,
            end: self.slash,
        }
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<BareJid> for Jid {
    fn from(jid: BareJid) -> Jid {
        Jid::Bare(jid)
    }
}

impl From<FullJid> for Jid {
    fn from(jid: FullJid) -> Jid {
        Jid::Full(jid)
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! compare_by_text {
    ($($name:ident)*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                // As str does: required by Borrow<str>.
                self.as_str().hash(state);
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    )*};
}

compare_by_text!(BareJid FullJid);

/// Makes a nickname of a foreign network fit for a resourcepart, unchanged wherever possible.
///
/// Replaced is what RFC 6122 resourceprep refuses, since servers of that generation answer the
/// stanza with an error or close the stream: controls become `_`, other refused code points their
/// number (`u1f600`, so that two such nicknames stay different). The rest is normalised (NFKC),
/// and cut at [`PART_MAX`] bytes. Never empty.
pub fn resource_from_nick(nick: &str) -> Cow<'_, str> {
    let plain = nick.bytes().all(|b| matches!(b, 0x20..=0x7e));
    if plain && !nick.is_empty() && nick.len() <= PART_MAX {
        return Cow::Borrowed(nick);
    }
    let mut out = String::with_capacity(nick.len());
    for ch in nick.nfkc().filter(|&ch| !mapped_to_nothing(ch)) {
        if ch.is_control() {
            out.push('_');
        } else if refused_in_resource(ch) {
            out.push_str(&format!("u{:x}", u32::from(ch)));
        } else {
            out.push(ch);
        }
    }
    // Dropping characters can bring others together that compose.
    if !is_nfkc(&out) {
        out = out.nfkc().collect();
    }
    if out.is_empty() {
        out.push('_');
    }
    out.truncate(cut(&out, PART_MAX).len());
    Cow::Owned(out)
}

/// Stringprep table B.1 (RFC 3454).
fn mapped_to_nothing(ch: char) -> bool {
    matches!(ch, '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Stringprep tables C.1.2 and C.3 to C.9, as resourceprep wants (RFC 6122 appendix B.5), and the
/// supplementary code points that Unicode 3.2 had not assigned (emoji among them).
fn refused_in_resource(ch: char) -> bool {
    matches!(ch, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}'
        | '\u{3000}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2061}'..='\u{2063}' | '\u{206a}'..='\u{206f}'
        | '\u{2ff0}'..='\u{2ffb}' | '\u{340}' | '\u{341}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{ffff}')
        || (ch > '\u{ffff}'
            && !matches!(ch, '\u{10300}'..='\u{10323}' | '\u{10330}'..='\u{1034a}'
                | '\u{10400}'..='\u{10425}' | '\u{10428}'..='\u{1044d}'
                | '\u{1d100}'..='\u{1d126}' | '\u{1d12a}'..='\u{1d172}'
                | '\u{20000}'..='\u{2a6d6}' | '\u{2f800}'..='\u{2fa1d}'))
}

fn prepare_local(local: &str) -> Result<Cow<'_, str>, JidFault> {
    let local = fold(local);
    let bad = |b: u8| b == b'@' || b == b'/' || b.is_ascii_control();
    if local.is_empty() || local.len() > PART_MAX || local.bytes().any(bad) {
        return Err(JidFault::Local);
    }
    Ok(local)
}

fn prepare_domain(domain: &str) -> Result<Cow<'_, str>, JidFault> {
    let mut domain = fold(domain);
    // RFC 7622 §3.2: a final dot is dropped before anything is compared. After folding, which
    // turns wide dots into this one.
    if domain.ends_with('.') {
        domain = Cow::Owned(domain[..domain.len() - 1].to_owned());
    }
    let bad = |b: u8| matches!(b, b'@' | b'/' | b' ') || b.is_ascii_control();
    let bad = domain.ends_with('.') || domain.bytes().any(bad);
    if domain.is_empty() || domain.len() > PART_MAX || bad {
        return Err(JidFault::Domain);
    }
    Ok(domain)
}

fn check_resource(resource: &str) -> Result<&str, JidFault> {
    if resource.is_empty() || resource.len() > PART_MAX || resource.chars().any(char::is_control) {
        return Err(JidFault::Resource);
    }
    Ok(resource)
}

/// Folds case and width for comparison (RFC 7622 §3.3: UsernameCaseMapped, without its tables).
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    // Letter by letter: the final sigma of str::to_lowercase depends on what follows. Twice:
    // lower-casing may leave what NFKC changes, and the result must be stable.
    let once: String = text.nfkc().flat_map(char::to_lowercase).collect();
    Cow::Owned(once.nfkc().flat_map(char::to_lowercase).nfkc().collect())
}

/// Joins checked parts.
fn assemble(local: Option<&str>, domain: &str, resource: Option<&str>) -> Jid {
    let mut text = String::with_capacity(
        local.map_or(0, |l| l.len() + 1) + domain.len() + resource.map_or(0, |r| r.len() + 1),
    );
    let mut at = 0;
    if let Some(local) = local {
        at = offset(local.len());
        text.push_str(local);
        text.push('@');
    }
    text.push_str(domain);
    let end = offset(text.len());
    match resource {
        None => Jid::Bare(BareJid {
            text: text.into(),
            at,
            end,
        }),
        Some(resource) => {
            text.push('/');
            text.push_str(resource);
            Jid::Full(FullJid {
                text: text.into(),
                at,
                slash: end,
            })
        }
    }
}

/// Offsets fit: two parts of at most [`PART_MAX`] bytes and a separator.
fn offset(len: usize) -> u16 {
    debug_assert!(len <= 2 * PART_MAX + 1);
    len as u16
}

#[cfg(test)]
mod tests;
