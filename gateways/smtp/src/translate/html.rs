//! HTML to text in one pass, without a tree and without recursion: the cost is in proportion to
//! the input whatever it nests.
//!
//! Headings, paragraphs and rows become lines, lists get bullets, quotes `>`, links their address
//! where it differs from what is shown. What is hidden, scripts and styles vanish. Nothing is ever
//! fetched.

/// Deepest quote that is shown.
const DEEPEST_QUOTE: usize = 8;
/// Longest tag that is looked at, in bytes; longer ones vanish.
const LONGEST_TAG: usize = 8192;

/// The text of an HTML document or fragment.
pub fn to_text(html: &str) -> String {
    let mut writer = Writer::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        writer.text(&rest[..at]);
        rest = writer.markup(&rest[at..]);
    }
    writer.text(rest);
    writer.finish()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Empty lines that are owed before the next word, 0 to 2 line ends.
    breaks: usize,
    space: bool,
    quote: usize,
    pre: usize,
    items: usize,
    bullet: bool,
    /// The address of the open link and where its text began.
    link: Option<(String, usize)>,
}

impl Writer {
    /// Reads one tag, comment or stray `<` at the beginning of `html`; the rest.
    fn markup<'a>(&mut self, html: &'a str) -> &'a str {
        if let Some(comment) = html.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let is_tag = html[1..]
            .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !is_tag {
            self.text("<");
            return &html[1..];
        }
        let Some(end) = end_of_tag(html) else {
            return "";
        };
        let tag = Tag::read(&html[1..end]);
        let rest = &html[end + 1..];
        if !tag.closing
            && matches!(
                tag.name.as_str(),
                "script" | "style" | "head" | "title" | "template" | "svg" | "noscript"
            )
        {
            return after_closing(rest, &tag.name);
        }
        if !tag.closing
            && tag.is_hidden()
            && matches!(tag.name.as_str(), "div" | "span" | "p" | "td")
        {
            return after_closing(rest, &tag.name);
        }
        self.tag(&tag);
        rest
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        match tag.name.as_str() {
            "br" => self.line_end(),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" => self.owe(2),
            "div" | "tr" | "section" | "article" | "header" | "footer" | "center" | "dd" | "dt" => {
                self.owe(1)
            }
            "hr" => {
                self.owe(1);
                self.word("---");
                self.owe(1);
            }
            "td" | "th" => self.space = true,
            "ul" | "ol" => {
                self.owe(1);
                self.items = if tag.closing {
                    self.items.saturating_sub(1)
                } else {
                    self.items + 1
                };
            }
            "li" => {
                self.owe(1);
                self.bullet = !tag.closing;
            }
            "pre" => {
                self.owe(1);
                self.pre = if tag.closing {
                    self.pre.saturating_sub(1)
                } else {
                    self.pre + 1
                };
            }
            "blockquote" => {
                self.owe(1);
                self.quote = if tag.closing {
                    self.quote.saturating_sub(1)
                } else {
                    self.quote + 1
                };
            }
            "a" => self.anchor(tag),
            "img" => self.image(tag),
            _ => {}
        }
    }

    fn anchor(&mut self, tag: &Tag<'_>) {
        self.end_link();
        if let (false, Some(href)) = (tag.closing, tag.attribute("href")) {
            let href = decode(href);
            let shown = ["http:", "https:", "mailto:"]
                .iter()
                .any(|it| starts_with(&href, it));
            self.link = shown.then_some((href, self.out.len()));
        }
    }

    fn image(&mut self, tag: &Tag<'_>) {
        if let Some(alt) = tag
            .attribute("alt")
            .map(decode)
            .filter(|alt| !alt.trim().is_empty())
        {
            self.word(&format!("[{}]", alt.trim()));
        }
    }

    fn text(&mut self, raw: &str) {
        if raw.is_empty() {
            return;
        }
        let text = decode(raw);
        if self.pre > 0 {
            for (at, line) in text.split('\n').enumerate() {
                if at > 0 {
                    self.line_end();
                }
                self.word(line.trim_end_matches('\r'));
            }
            return;
        }
        let blank = |c: char| c.is_ascii_whitespace();
        if text.starts_with(blank) {
            self.space = true;
        }
        for word in text.split(blank).filter(|word| !word.is_empty()) {
            self.word(word);
            self.space = true;
        }
        self.space = text.ends_with(blank);
    }

    /// Writes what stands on one line, with the line ends and the space that are owed before it.
    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        let begin = self.out.is_empty();
        if !begin && self.breaks > 0 {
            for _ in 0..self.breaks {
                self.out.push('\n');
            }
        }
        let fresh = begin || self.breaks > 0;
        if fresh {
            for _ in 0..self.quote.min(DEEPEST_QUOTE) {
                self.out.push_str("> ");
            }
        } else if self.space {
            self.out.push(' ');
        }
        if self.bullet {
            for _ in 1..self.items.min(DEEPEST_QUOTE) {
                self.out.push_str("  ");
            }
            self.out.push_str("• ");
            self.bullet = false;
        }
        self.breaks = 0;
        self.space = false;
        self.out.push_str(word);
    }

    fn owe(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
        self.space = false;
    }

    fn line_end(&mut self) {
        self.breaks = (self.breaks + 1).min(2);
        self.space = false;
    }

    fn end_link(&mut self) {
        let Some((href, from)) = self.link.take() else {
            return;
        };
        let shown = self.out.get(from..).unwrap_or_default();
        let plain = |text: &str| {
            let text = text.trim().trim_end_matches('/');
            let text = text.strip_prefix("mailto:").unwrap_or(text);
            let text = text
                .strip_prefix("https://")
                .or(text.strip_prefix("http://"))
                .unwrap_or(text);
            text.to_lowercase()
        };
        if plain(shown) != plain(&href) {
            self.space = true;
            self.word(&format!("<{href}>"));
        }
    }

    fn finish(mut self) -> String {
        self.end_link();
        let end = self.out.trim_end().len();
        self.out.truncate(end);
        self.out
    }
}

struct Tag<'a> {
    name: String,
    closing: bool,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    fn read(inside: &'a str) -> Self {
        let closing = inside.starts_with('/');
        let inside = inside.trim_start_matches('/');
        let end = inside
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(inside.len());
        let (name, attributes) = inside.split_at(end);
        let attributes = if inside.len() > LONGEST_TAG {
            ""
        } else {
            attributes
        };
        Self {
            name: name
                .chars()
                .take(16)
                .collect::<String>()
                .to_ascii_lowercase(),
            closing,
            attributes,
        }
    }

    /// The raw value of an attribute.
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let end = rest
                .find(|c: char| c.is_ascii_whitespace() || c == '=')
                .unwrap_or(rest.len());
            let (key, tail) = rest.split_at(end);
            let tail = tail.trim_start();
            let Some(tail) = tail.strip_prefix('=') else {
                rest = tail;
                continue;
            };
            let tail = tail.trim_start();
            let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, after) = match quote {
                Some(quote) => tail[1..].split_once(quote).unwrap_or((&tail[1..], "")),
                None => tail.split_at(
                    tail.find(|c: char| c.is_ascii_whitespace())
                        .unwrap_or(tail.len()),
                ),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            rest = after;
        }
    }

    /// What a reader of the mail does not see, such as previews for lists of mails.
    fn is_hidden(&self) -> bool {
        let style = self.attribute("style").unwrap_or_default();
        let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
        let style = style.to_ascii_lowercase();
        style.contains("display:none") || style.contains("mso-hide:all")
    }
}

/// Where the tag at the beginning of `html` ends; a `>` in quotes does not.
fn end_of_tag(html: &str) -> Option<usize> {
    let mut quote = None;
    let mut value = false;
    for (at, byte) in html.bytes().enumerate().take(4 * LONGEST_TAG) {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if value => quote = Some(byte),
            (None, b'>') => return Some(at),
            (None, b'=') => value = true,
            (None, b' ' | b'\t' | b'\r' | b'\n') => {}
            _ => value = false,
        }
    }
    // A quote that never ends: the first `>` has to do.
    html.find('>')
}

/// What follows the element `name`, of which the opening tag has been read. Elements of the same
/// name inside are counted.
fn after_closing<'a>(html: &'a str, name: &str) -> &'a str {
    let mut depth = 1usize;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let tail = &rest[at + 1..];
        let (closing, word) = match tail.strip_prefix('/') {
            Some(word) => (true, word),
            None => (false, tail),
        };
        let same = starts_with(word, name)
            && !word[name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        rest = tail;
        if !same {
            continue;
        }
        depth = if closing { depth - 1 } else { depth + 1 };
        if depth == 0 {
            return tail.split_once('>').map_or("", |(_, after)| after);
        }
    }
    ""
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Resolves the character references that mail uses.
fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&rest[..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || *c == '\n');
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "zwnj" => '\u{200c}',
        "zwj" => '\u{200d}',
        "shy" => '\u{ad}',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "euro" => '€',
        "pound" => '£',
        "laquo" => '«',
        "raquo" => '»',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bdquo" => '„',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "bull" => '•',
        "middot" => '·',
        "times" => '×',
        "deg" => '°',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "ccedil" => 'ç',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_element_has_its_text() {
        for (html, text) in [
            ("<p>one</p><p>two</p>", "one\n\ntwo"),
            ("<div>one</div><div>two<br>three</div>", "one\ntwo\nthree"),
            (
                "<ul><li>one<li>two<ul><li>deep</ul></ul>after",
                "• one\n• two\n  • deep\nafter",
            ),
            (
                "said:<blockquote>one<blockquote>two</blockquote></blockquote>three",
                "said:\n> one\n> > two\nthree",
            ),
            (
                "<a href=\"https://a.example/x\">here</a>.",
                "here <https://a.example/x>.",
            ),
            ("<a href='https://a.example/'>a.example</a>", "a.example"),
            ("<a href=\"javascript:x()\">here</a>", "here"),
            ("<a href=mailto:a@b.example>a@b.example</a>", "a@b.example"),
            (
                "<head><title>t</title></head><style>p{}</style><script>1<2</script>text",
                "text",
            ),
            (
                "<div style=\"display: none\">pre<div>view</div></div>text",
                "text",
            ),
            (
                "a &lt;b&gt; &amp;amp; &#8364;&#x20AC; &nope; &",
                "a <b> &amp; €€ &nope; &",
            ),
            ("1 < 2 and <!-- no > comment -->3", "1 < 2 and 3"),
            (
                "<img alt=\"a cat\" src=\"https://tracker.example/1\"><img src=x>",
                "[a cat]",
            ),
            ("<pre>a\n  b</pre>", "a\n  b"),
            ("  white \n\n space ", "white space"),
            (
                "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
                "a b\nc",
            ),
            ("<b>bo</b>ld", "bold"),
            ("<p title=\"a > b\">x", "x"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn nesting_costs_no_more_than_length() {
        let start = Instant::now();
        for tag in [
            "<div>",
            "<blockquote>",
            "<a href='http://x'>",
            "<div style='display:none'>",
            "<",
            "<!--",
            "<a href=\"",
            "&",
        ] {
            let text = to_text(&tag.repeat(100_000));
            assert!(text.len() < 4_000_000, "{tag}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(html in "(<|/|>|a|div|li|style|script|&|;|#|x|\"|'|=| |\\PC){0,40}") {
            to_text(&html);
        }
    }
}
