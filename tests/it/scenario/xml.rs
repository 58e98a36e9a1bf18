//! XML as scenarios compare it: by meaning, with names for what cannot be known beforehand.
//!
//! The order of attributes, prefixes, and white space between elements mean nothing. In values,
//! `{name}` stands for anything at its first use and for the same at every later one, `{b!a}` is a
//! `{b}` that is not what `{a}` is, `{*}` stands for anything; an element's last content `{...}` for
//! whatever else is in it.

use std::collections::{BTreeMap, BTreeSet};

use isthmus::xmpp::Element;
use isthmus::xmpp::element::Node;

/// XEP-0421.
const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";

/// What names stand for.
pub(crate) type Names = BTreeMap<String, String>;

/// Ids that the scenario gave. Others are made up by the gateway, and written as `{*}`.
pub(crate) type Given = BTreeSet<String>;

/// Whether `actual` is what `expected` describes; learns names only if it is.
pub(crate) fn matches(expected: &Element, actual: &Element, names: &mut Names) -> bool {
    let mut learnt = names.clone();
    let same = same(expected, actual, &mut learnt);
    if same {
        *names = learnt;
    }
    same
}

/// Whether `actual` is what the pattern describes; learns names only if it is.
pub(crate) fn text_matches(pattern: &str, actual: &str, names: &mut Names) -> bool {
    let mut learnt = names.clone();
    let same = value_matches(&pieces(pattern), actual, &mut learnt);
    if same {
        *names = learnt;
    }
    same
}

/// The text with every known name replaced by what it stands for.
pub(crate) fn filled(text: &str, names: &Names) -> String {
    pieces(text).iter().fold(String::new(), |mut out, piece| {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => match names.get(apart(name).0) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("{{{name}}}")),
            },
        }
        out
    })
}

fn same(expected: &Element, actual: &Element, names: &mut Names) -> bool {
    if expected.name() != actual.name() || expected.ns() != actual.ns() {
        return false;
    }
    if expected.attrs().count() != actual.attrs().count() {
        return false;
    }
    let attrs = expected.attrs().all(|(name, pattern)| {
        let value = actual.attr(name);
        value.is_some_and(|value| value_matches(&pieces(pattern), value, names))
    });
    let ids = names_occupant(expected);
    attrs && same_content(&content(expected, ids), &content(actual, ids), names)
}

fn same_content(expected: &[&Node], actual: &[&Node], names: &mut Names) -> bool {
    match (expected, actual) {
        ([Node::Text(rest)], _) if rest.trim() == "{...}" => true,
        ([], []) => true,
        ([Node::Text(pattern), expected @ ..], [Node::Text(text), actual @ ..]) => {
            value_matches(&pieces(pattern), text, names) && same_content(expected, actual, names)
        }
        ([Node::Element(one), expected @ ..], [Node::Element(other), actual @ ..]) => {
            same(one, other, names) && same_content(expected, actual, names)
        }
        _ => false,
    }
}

/// Whether a scenario is about occupant ids here.
fn names_occupant(expected: &Element) -> bool {
    expected.child("occupant-id", OCCUPANT_ID).is_some()
}

/// Children and text; white space only counts where there is nothing else. Occupant ids are in
/// every stanza of a room (`check_identity`): where a scenario is not about them they are left out.
fn content(element: &Element, occupant_ids: bool) -> Vec<&Node> {
    let is_blank = |node: &Node| matches!(node, Node::Text(text) if text.trim().is_empty());
    if element.children().next().is_none() {
        return element.nodes().iter().collect();
    }
    let is_id =
        |node: &Node| matches!(node, Node::Element(it) if it.is("occupant-id", OCCUPANT_ID));
    let nodes = element.nodes().iter();
    nodes
        .filter(|node| !is_blank(node) && (occupant_ids || !is_id(node)))
        .collect()
}

/// Says what is wrong with a stanza of the gateway in the light of XEP-0421 §3: whatever comes from
/// an occupant bears his id.
pub(crate) fn check_identity(stanza: &Element) -> Result<(), String> {
    let from_occupant = stanza.attr("from").is_some_and(|from| from.contains('/'));
    let kind = stanza.attr("type");
    let of_room = match stanza.name() {
        "presence" => {
            kind != Some("error")
                && stanza
                    .child("x", "http://jabber.org/protocol/muc#user")
                    .is_some()
        }
        "message" => kind == Some("groupchat"),
        _ => false,
    };
    if of_room && from_occupant && !names_occupant(stanza) {
        return Err("a stanza from an occupant without his id".to_owned());
    }
    Ok(())
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn pieces(mut pattern: &str) -> Vec<Piece<'_>> {
    let is_name = |name: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (one, other) = apart(name);
        name == "*" || (!one.is_empty() && one.chars().all(is_word) && other.chars().all(is_word))
    };
    let mut pieces = Vec::new();
    let mut from = 0;
    while let Some(open) = pattern[from..].find('{').map(|at| from + at) {
        let close = pattern[open..].find('}').map(|at| open + at);
        match close.map(|close| &pattern[open + 1..close]) {
            Some(name) if is_name(name) => {
                pieces.push(Piece::Text(&pattern[..open]));
                pieces.push(Piece::Name(name));
                pattern = &pattern[open + name.len() + 2..];
                from = 0;
            }
            _ => from = open + 1,
        }
    }
    pieces.push(Piece::Text(pattern));
    pieces
}

/// `b!a`: a name, and one that stands for something else; none if empty.
fn apart(name: &str) -> (&str, &str) {
    name.split_once('!').unwrap_or((name, ""))
}

fn value_matches(pieces: &[Piece<'_>], actual: &str, names: &mut Names) -> bool {
    match pieces {
        [] => actual.is_empty(),
        [Piece::Text(text)] => *text == actual,
        [Piece::Text(text), rest @ ..] => actual
            .strip_prefix(text)
            .is_some_and(|tail| value_matches(rest, tail, names)),
        [Piece::Name(name), rest @ ..] => {
            let (name, other) = apart(name);
            let other = names.get(other).cloned();
            let differs = |value: &str| other.as_deref() != Some(value);
            if let Some(value) = names.get(name) {
                let tail = actual.strip_prefix(value.as_str()).map(str::to_owned);
                let tail = tail.filter(|_| differs(value));
                return tail.is_some_and(|tail| value_matches(rest, &tail, names));
            }
            let ends = actual
                .char_indices()
                .map(|(at, _)| at)
                .chain([actual.len()]);
            // A name stands for something: never for nothing.
            for end in ends.filter(|&end| end > 0 && differs(&actual[..end])) {
                let mut learnt = names.clone();
                if name != "*" {
                    learnt.insert(name.to_owned(), actual[..end].to_owned());
                }
                if value_matches(rest, &actual[end..], &mut learnt) {
                    *names = learnt;
                    return true;
                }
            }
            false
        }
    }
}

/// `actual` as it would be written in a scenario: with the patterns of `expected` where they hold,
/// over several lines if it is long.
pub(crate) fn written(
    actual: &Element,
    expected: Option<&Element>,
    names: &mut Names,
    given: &Given,
) -> String {
    let mut line = String::new();
    let mut writer = Writer { names, given };
    writer.write(actual, expected, actual.ns(), None, &mut line);
    if line.len() <= 90 {
        return line;
    }
    line.clear();
    writer.write(actual, expected, actual.ns(), Some(1), &mut line);
    line
}

struct Writer<'a> {
    names: &'a mut Names,
    given: &'a Given,
}

impl Writer<'_> {
    fn write(
        &mut self,
        actual: &Element,
        expected: Option<&Element>,
        outer: &str,
        depth: Option<usize>,
        out: &mut String,
    ) {
        let expected = expected.filter(|it| it.name() == actual.name() && it.ns() == actual.ns());
        self.write_start(actual, expected, outer, out);
        let ids = expected.is_some_and(names_occupant);
        let content = content(actual, ids);
        if content.is_empty() {
            return out.push_str("/>");
        }
        out.push('>');
        let depth = depth.filter(|_| actual.children().next().is_some());
        let theirs = expected
            .map(|it| self::content(it, ids))
            .unwrap_or_default();
        for (at, node) in content.iter().enumerate() {
            if let Some(depth) = depth {
                out.push('\n');
                out.push_str(&" ".repeat(6 + depth * 2));
            }
            match (node, theirs.get(at)) {
                (Node::Element(child), Some(Node::Element(pattern))) => {
                    self.write(
                        child,
                        Some(pattern),
                        actual.ns(),
                        depth.map(|it| it + 1),
                        out,
                    );
                }
                (Node::Element(child), _) => {
                    self.write(child, None, actual.ns(), depth.map(|it| it + 1), out);
                }
                (Node::Text(text), Some(Node::Text(pattern))) => {
                    out.push_str(&self.kept(text, Some(pattern)));
                }
                (Node::Text(text), _) => out.push_str(&self.kept(text, None)),
            }
        }
        if let Some(depth) = depth {
            out.push('\n');
            out.push_str(&" ".repeat(4 + depth * 2));
        }
        out.push_str(&format!("</{}>", actual.name()));
    }

    fn write_start(
        &mut self,
        actual: &Element,
        expected: Option<&Element>,
        outer: &str,
        out: &mut String,
    ) {
        out.push('<');
        out.push_str(actual.name());
        if actual.ns() != outer {
            out.push_str(&format!(" xmlns='{}'", actual.ns()));
        }
        let rank = |name: &str| {
            ["from", "to", "type", "id"]
                .iter()
                .position(|it| *it == name)
        };
        let mut attrs: Vec<_> = actual.attrs().collect();
        attrs.sort_by_key(|(name, _)| (rank(name).unwrap_or(9), *name));
        for (name, value) in attrs {
            let made_up = (name == "id" && !self.given.contains(value)) || name == "stamp";
            let pattern = expected
                .and_then(|it| it.attr(name))
                .or(made_up.then_some("{*}"));
            out.push_str(&format!(" {name}='{}'", self.kept(value, pattern)));
        }
    }

    /// The pattern if it holds, else the value itself.
    fn kept(&mut self, value: &str, pattern: Option<&str>) -> String {
        match pattern {
            Some(pattern) if text_matches(pattern, value, self.names) => escaped(pattern),
            _ => escaped(value),
        }
    }
}

/// Escapes text for XML in single quotes.
pub(crate) fn escaped(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&apos;");
    text.replace('\n', "&#10;")
        .replace('\t', "&#9;")
        .replace('\r', "&#13;")
}

#[test]
fn the_order_of_attributes_and_space_between_elements_mean_nothing() {
    let parse = |text: &str| Element::parse(text.as_bytes()).expect("XML");
    let one =
        parse("<message to='a' from='b'>\n <x xmlns='u:x'/>\n <y xmlns='u:y'>1</y></message>");
    let other =
        parse("<message from='b' to='a'><x xmlns='u:x'/><p:y xmlns:p='u:y'>1</p:y></message>");
    assert!(matches(&one, &other, &mut Names::new()));
    let more = parse("<message from='b' to='a' id='1'/>");
    assert!(!matches(&one, &more, &mut Names::new()));
}

#[test]
fn a_name_stands_for_the_same_everywhere() {
    let parse = |text: &str| Element::parse(text.as_bytes()).expect("XML");
    let pattern = parse("<iq id='{id}-{id}' to='{*}@example'/>");
    let mut names = Names::new();
    assert!(!matches(
        &pattern,
        &parse("<iq id='1-2' to='a@example'/>"),
        &mut names
    ));
    assert!(names.is_empty());
    assert!(matches(
        &pattern,
        &parse("<iq id='1-1' to='a@example'/>"),
        &mut names
    ));
    assert_eq!(names.get("id").map(String::as_str), Some("1"));
    assert_eq!(filled("PING :{id} {other}", &names), "PING :1 {other}");
}

#[test]
fn a_name_may_have_to_stand_for_something_else() {
    let mut names = Names::new();
    assert!(text_matches("{a} {a}", "1 1", &mut names));
    assert!(!text_matches("{b!a} {b}", "1 1", &mut names));
    assert!(text_matches("{b!a} {b}", "2 2", &mut names));
    assert!(!text_matches("{b}", "1", &mut names));
    assert_eq!(filled("{b!a} {c!a}", &names), "2 {c!a}");
}

#[test]
fn three_dots_stand_for_the_rest() {
    let parse = |text: &str| Element::parse(text.as_bytes()).expect("XML");
    let pattern = parse("<iq><a/>{...}</iq>");
    assert!(matches(
        &pattern,
        &parse("<iq><a/></iq>"),
        &mut Names::new()
    ));
    assert!(matches(
        &pattern,
        &parse("<iq><a/><b/></iq>"),
        &mut Names::new()
    ));
    assert!(!matches(
        &pattern,
        &parse("<iq><b/><a/></iq>"),
        &mut Names::new()
    ));
}
