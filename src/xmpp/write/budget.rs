//! Elements, attributes and text, within a budget of bytes.

use super::super::element::{Element, Node};
use super::super::{ns, wellformed};

/// The most elements may be open; deeper ones are left out.
const DEPTH: usize = 32;
/// The most elements may be nested in an [`Element`] that is copied.
const COPY_DEPTH: usize = 64;

/// Writes elements to a buffer; what was started is closed when this is dropped.
#[derive(Debug)]
pub struct Xml<'b> {
    out: &'b mut Vec<u8>,
    /// The buffer may grow to this length, end tags included.
    limit: usize,
    /// Bytes that closing everything open will take.
    reserved: usize,
    open: [&'static str; DEPTH],
    depth: usize,
    /// Elements below this one cannot be ended by the caller.
    floor: usize,
    /// How many elements that were left out are open.
    omitted: usize,
    /// In a start tag, before its `>`.
    in_tag: bool,
    whole: bool,
}

impl<'b> Xml<'b> {
    /// Appends to the buffer, at most `max` bytes.
    pub fn new(out: &'b mut Vec<u8>, max: usize) -> Xml<'b> {
        let limit = out.len().saturating_add(max);
        Xml {
            out,
            limit,
            reserved: 0,
            open: [""; DEPTH],
            depth: 0,
            floor: 0,
            omitted: 0,
            in_tag: false,
            whole: true,
        }
    }

    /// Opens an element in the namespace of the one around it.
    pub fn start(&mut self, name: &'static str) -> &mut Self {
        self.open(name, None);
        self
    }

    /// Opens an element and declares its namespace.
    pub fn start_ns(&mut self, name: &'static str, ns: &'static str) -> &mut Self {
        self.open(name, Some(ns));
        self
    }

    /// Adds an attribute to the element just started; leaves it out if it does not fit whole.
    pub fn attr(&mut self, name: &'static str, value: &str) -> &mut Self {
        debug_assert!(wellformed::is_name(name));
        self.try_attr(name, value);
        self
    }

    /// Adds text; cuts it at the end of the budget, between characters.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if self.omitted > 0 || text.is_empty() || self.depth == 0 {
            return self;
        }
        self.close_tag();
        let room = self.room();
        self.whole &= escape(self.out, text, room, false);
        self
    }

    /// Closes the element opened last.
    pub fn end(&mut self) -> &mut Self {
        if self.omitted > 0 {
            self.omitted -= 1;
        } else if self.depth > self.floor {
            self.close();
        }
        self
    }

    /// An element without content.
    pub fn leaf(&mut self, name: &'static str, ns: &'static str) -> &mut Self {
        self.start_ns(name, ns).end()
    }

    /// An element with text, in the namespace of the one around it.
    pub fn text_element(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.start(name).text(text).end()
    }

    /// Copies an element; what does not fit is left out.
    pub fn element(&mut self, element: &Element) -> &mut Self {
        if self.omitted == 0 && self.depth > 0 {
            self.close_tag();
        }
        if self.omitted > 0 {
            return self;
        }
        // Right in the stanza the namespace around is that of the stream; deeper nothing is known
        // of it, and the first level declares its own. COMPAT(jabberd2 2.7): passes a declared
        // content namespace on as it is, so that no client finds its body.
        let around = (self.floor == 1 && self.depth == 1).then_some(ns::COMPONENT);
        self.copy(element, around, 0);
        self
    }

    /// Whether nothing was cut or left out so far.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Forbids the caller to end what is open now.
    pub(super) fn keep_open(&mut self) {
        self.floor = self.depth;
    }

    /// Adds an attribute whose value is put together from pieces.
    pub(super) fn attr_pieces(&mut self, name: &'static str, pieces: &[&str]) -> bool {
        if self.omitted > 0 || !self.in_tag {
            return false;
        }
        let before = self.out.len();
        let overhead = name.len() + 4;
        let fits = self.room() >= overhead && {
            self.out.push(b' ');
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"='");
            // One byte is for the quote.
            pieces.iter().all(|piece| {
                let room = self.room().saturating_sub(1);
                escape(self.out, piece, room, true)
            })
        };
        if fits {
            self.out.push(b'\'');
        } else {
            self.out.truncate(before);
            self.whole = false;
        }
        fits
    }

    fn try_attr(&mut self, name: &'static str, value: &str) -> bool {
        self.attr_pieces(name, &[value])
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len() + self.reserved)
    }

    fn open(&mut self, name: &'static str, ns: Option<&'static str>) {
        debug_assert!(wellformed::is_name(name));
        let ns_len = ns.map_or(0, |ns| ns.len() + 9);
        // `<name` now, `>` and `</name>` later.
        let cost = 2 * name.len() + 5 + ns_len;
        if self.omitted > 0 || self.depth == DEPTH || self.room() < cost {
            self.omitted += 1;
            self.whole = false;
            return;
        }
        self.close_tag();
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.reserved += name.len() + 4;
        self.open[self.depth] = name;
        self.depth += 1;
        self.in_tag = true;
        if let Some(ns) = ns {
            self.attr_pieces("xmlns", &[ns]);
        }
    }

    /// Ends a start tag; its byte is reserved.
    fn close_tag(&mut self) {
        if self.in_tag {
            self.in_tag = false;
            self.out.push(b'>');
            self.reserved -= 1;
        }
    }

    fn close(&mut self) {
        self.depth -= 1;
        let name = self.open[self.depth];
        if self.in_tag {
            self.in_tag = false;
            self.out.extend_from_slice(b"/>");
            self.reserved -= name.len() + 4;
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(name.as_bytes());
            self.out.push(b'>');
            self.reserved -= name.len() + 3;
        }
    }

    /// Closes everything, the caller's floor included.
    pub(super) fn finish(&mut self) {
        while self.depth > 0 {
            self.close();
        }
    }

    /// Writes an element whose name is not ours; `around` is the namespace it is in.
    fn copy(&mut self, element: &Element, around: Option<&str>, depth: usize) {
        let name = element.name();
        let before = self.out.len();
        let reserved = self.reserved;
        self.reserved += name.len() + 4;
        if depth >= COPY_DEPTH || !wellformed::is_name(name) || !self.copy_start(element, around) {
            self.out.truncate(before);
            self.reserved = reserved;
            self.whole = false;
            return;
        }
        if element.nodes().is_empty() {
            self.out.extend_from_slice(b"/>");
            self.reserved = reserved;
            return;
        }
        self.out.push(b'>');
        self.reserved -= 1;
        for node in element.nodes() {
            match node {
                Node::Element(child) => self.copy(child, Some(element.ns()), depth + 1),
                Node::Text(text) => {
                    let room = self.room();
                    self.whole &= escape(self.out, text, room, false);
                }
            }
        }
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
        self.reserved = reserved;
    }

    /// The start tag without its `>`; false if it does not fit.
    fn copy_start(&mut self, element: &Element, around: Option<&str>) -> bool {
        if self.room() <= element.name().len() {
            return false;
        }
        self.out.push(b'<');
        self.out.extend_from_slice(element.name().as_bytes());
        // The content namespace is that of the stream only in the stanza itself: a stanza inside
        // one (XEP-0297 §3.2) goes to clients as it is.
        let ns = match element.ns() {
            ns::COMPONENT => ns::CLIENT,
            ns => ns,
        };
        if around != Some(element.ns()) && !self.copy_attr(&["xmlns"], ns) {
            return false;
        }
        for (index, attr) in element.all_attrs().iter().enumerate() {
            if !wellformed::is_name(&attr.name) {
                return false;
            }
            if attr.ns.is_empty() {
                if !self.copy_attr(&[&attr.name], &attr.value) {
                    return false;
                }
                continue;
            }
            // Prefixes are not kept: one per attribute, told apart by the index.
            let digits = [b'a' + (index / 26 % 26) as u8, b'a' + (index % 26) as u8];
            let prefix = std::str::from_utf8(&digits).unwrap_or("aa");
            if !self.copy_attr(&["xmlns:n", prefix], &attr.ns)
                || !self.copy_attr(&["n", prefix, ":", &attr.name], &attr.value)
            {
                return false;
            }
        }
        true
    }

    fn copy_attr(&mut self, name: &[&str], value: &str) -> bool {
        let overhead = name.iter().map(|piece| piece.len()).sum::<usize>() + 4;
        if self.room() < overhead {
            return false;
        }
        self.out.push(b' ');
        for piece in name {
            self.out.extend_from_slice(piece.as_bytes());
        }
        self.out.extend_from_slice(b"='");
        let room = self.room().saturating_sub(1);
        let fits = escape(self.out, value, room, true);
        self.out.push(b'\'');
        fits
    }
}

impl Drop for Xml<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Appends escaped text of at most `room` bytes; false if that was not all.
fn escape(out: &mut Vec<u8>, text: &str, mut room: usize, attribute: bool) -> bool {
    let bytes = text.as_bytes();
    let mut clean = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !SUSPECT[usize::from(byte)] {
            at += 1;
            continue;
        }
        let (replacement, len): (&[u8], usize) = match byte {
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'&' => (b"&amp;", 1),
            b'\'' if attribute => (b"&apos;", 1),
            b'\t' if attribute => (b"&#9;", 1),
            b'\n' if attribute => (b"&#10;", 1),
            b'\r' => (b"&#13;", 1),
            0xef if matches!(bytes[at + 1..], [0xbf, 0xbe | 0xbf, ..]) => (REPLACEMENT, 3),
            0xef | b'\'' | b'\t' | b'\n' => {
                at += 1;
                continue;
            }
            _ => (REPLACEMENT, 1),
        };
        if !append(out, &text[clean..at], &mut room) || replacement.len() > room {
            return false;
        }
        out.extend_from_slice(replacement);
        room -= replacement.len();
        at += len;
        clean = at;
    }
    append(out, &text[clean..], &mut room)
}

/// Appends as much as there is room for, whole characters only.
fn append(out: &mut Vec<u8>, clean: &str, room: &mut usize) -> bool {
    let fits = wellformed::cut(clean, *room);
    out.extend_from_slice(fits.as_bytes());
    *room -= fits.len();
    fits.len() == clean.len()
}

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Bytes that are escaped or replaced somewhere.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'&' as usize] = true;
    table[b'\'' as usize] = true;
    table[0xef] = true;
    table
};
