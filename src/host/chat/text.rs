//! The text of a user's message as a network can have it.
//!
//! * What only stands there for clients that know less (XEP-0428 0.2) is left out where the network
//!   knows more: the quote of a reply (XEP-0461).
//! * A link beside the text is part of it: XEP-0066 1.5, XEP-0447 0.3 with XEP-0446, XEP-0385 0.3.
//! * A spoiler (XEP-0382 0.2) says that it is one.
//! * Where the network styles text, XEP-0393 signs and XEP-0394 markup become spans; elsewhere the
//!   signs stay as they were typed.

use std::ops::Range;

use isthmus_gateway::{Caps, Outgoing, Place, Span, Style};
use isthmus_kit::style::{Plain, parse};

use crate::host::words::{Lang, Notice};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// What of a message can go to a network: its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// The text, without `/me `.
    pub(crate) body: String,
    /// It tells what the sender does (XEP-0245).
    pub(crate) action: bool,
    /// How stretches of it look; empty where the network has no styles.
    pub(crate) style: Vec<Span>,
}

impl Text {
    /// As a message to `to`, with thread and subject of the stanza.
    pub(crate) fn into_message(self, stanza: &Element, to: Place<'static>) -> Outgoing<'static> {
        let mut message = Outgoing::text(to, self.body);
        message.action = self.action;
        message.style = self.style.into();
        message.subject = subject_of(stanza).map(Into::into);
        let thread = stanza.child("thread", ns::COMPONENT);
        message.thread = thread.map(|thread| thread.text().into_owned().into());
        message
    }
}

/// A text as it was typed.
pub(crate) fn typed(body: &str, action: bool) -> String {
    match action {
        true => format!("/me {body}"),
        false => body.to_owned(),
    }
}

/// Puts what a message is about into its text: for networks that have no place for it.
pub(crate) fn subject_in_front(message: &mut Outgoing<'_>) {
    let Some(subject) = message.subject.take() else {
        return;
    };
    let front = match message.body.is_empty() {
        true => subject.into_owned(),
        false => format!("[{subject}] "),
    };
    let by = i64::try_from(front.len()).unwrap_or(0);
    message.style = shifted(&message.style, by).into();
    message.body = (front + &message.body).into();
}

/// The body of a message. Of several (RFC 6121 §5.2.3) the one in the language of the whole
/// message, which needs no name.
pub(crate) fn body_of(stanza: &Element) -> Option<&Element> {
    in_its_language(stanza, "body")
}

/// What a message is about, likewise; `None`: it does not say.
pub(crate) fn subject_of(stanza: &Element) -> Option<String> {
    let subject = in_its_language(stanza, "subject")?.text();
    let subject = subject.trim();
    (!subject.is_empty()).then(|| subject.to_owned())
}

fn in_its_language<'s>(stanza: &'s Element, name: &str) -> Option<&'s Element> {
    let whole = stanza.attr("xml:lang");
    let all = || {
        stanza
            .children()
            .filter(|child| child.is(name, ns::COMPONENT))
    };
    let own = all().find(|child| {
        let lang = child.attr("xml:lang").filter(|lang| !lang.is_empty());
        lang.is_none_or(|lang| whole.is_some_and(|whole| whole.eq_ignore_ascii_case(lang)))
    });
    own.or_else(|| all().next())
}

/// The text of a message; `None` if it has none. `room`: it is for a room.
pub(crate) fn text_of(stanza: &Element, caps: &Caps, room: bool, lang: Lang) -> Option<Text> {
    let typed = body_of(stanza)
        .map(|body| body.text().to_string())
        .unwrap_or_default();
    // Who reads a room that knows no replies has just seen what is answered; elsewhere the quote
    // is all that says it, if there is room for lines.
    let quote_helps = !caps.reply && !room && caps.multiline;
    let (body, cut) = if stanza.child("reply", ns::REPLY).is_some() && !quote_helps {
        without(&typed, &fallback_of(stanza, ns::REPLY))
    } else {
        (typed, 0)
    };
    let Plain { text: body, style } = styled(stanza, body, cut, caps);
    let (body, style) = with_links(stanza, body, style);
    if body.is_empty() {
        return None;
    }
    let (body, style) = with_spoiler(stanza, body, style, lang);
    Some(match body.strip_prefix("/me ") {
        Some(action) => Text {
            style: shifted(&style, -4),
            body: action.to_owned(),
            action: true,
        },
        None => Text {
            body,
            action: false,
            style,
        },
    })
}

/// The parts of the body that are a fallback for a specification, in code points (XEP-0426);
/// `0..usize::MAX` is all of it.
fn fallback_of(stanza: &Element, of: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let fallbacks = stanza
        .children()
        .filter(|it| it.is("fallback", ns::FALLBACK) && it.attr("for") == Some(of));
    for fallback in fallbacks {
        if fallback.children().next().is_none() {
            ranges.push(0..usize::MAX);
        }
        for body in fallback.children().filter(|it| it.name() == "body") {
            let number = |name| body.attr(name).and_then(|it| it.parse().ok());
            match (number("start"), number("end")) {
                (Some(start), Some(end)) => ranges.push(start..end),
                (None, None) => ranges.push(0..usize::MAX),
                // Half of a range says nothing.
                _ => {}
            }
        }
    }
    ranges
}

/// The text without these parts, and how many code points are missing at its start.
fn without(text: &str, parts: &[Range<usize>]) -> (String, usize) {
    if parts.is_empty() {
        return (text.to_owned(), 0);
    }
    let is_cut = |at: &usize| parts.iter().any(|part| part.contains(at));
    let mut cut = (0..).take_while(|at| is_cut(at)).take(text.len()).count();
    let kept: String = text
        .chars()
        .enumerate()
        .filter(|(at, _)| !is_cut(at))
        .map(|(_, c)| c)
        .collect();
    let trimmed = kept.trim_start();
    cut += kept.chars().count() - trimmed.chars().count();
    (trimmed.to_owned(), cut)
}

/// The text without signs, where the network has styles of its own. `cut` code points are missing
/// at its start, which the markup beside it counts.
fn styled(stanza: &Element, body: String, cut: usize, caps: &Caps) -> Plain {
    let style = Vec::new();
    if !caps.style {
        return Plain { text: body, style };
    }
    if let Some(markup) = stanza.child("markup", ns::MARKUP) {
        let style = spans_of(markup, &body, cut);
        return Plain { text: body, style };
    }
    if stanza.child("unstyled", ns::STYLING).is_some() {
        return Plain { text: body, style };
    }
    match body.strip_prefix("/me ") {
        Some(action) => {
            let Plain { text, style } = parse(action).plain();
            Plain {
                text: format!("/me {text}"),
                style: shifted(&style, 4),
            }
        }
        None => parse(&body).plain(),
    }
}

/// The spans of XEP-0394 markup that have a meaning here.
fn spans_of(markup: &Element, body: &str, cut: usize) -> Vec<Span> {
    let bounds: Vec<usize> = body
        .char_indices()
        .map(|(at, _)| at)
        .chain([body.len()])
        .collect();
    let byte = |element: &Element, name| -> Option<u32> {
        let at: usize = element.attr(name)?.parse().ok()?;
        let at = *bounds.get(at.checked_sub(cut)?)?;
        u32::try_from(at).ok()
    };
    let mut spans = Vec::new();
    for element in markup.children() {
        let (Some(start), Some(end)) = (byte(element, "start"), byte(element, "end")) else {
            continue;
        };
        let mut push = |style| {
            if start < end {
                spans.push(Span { start, end, style });
            }
        };
        if element.name() == "bcode" {
            push(Style::Monospace);
        }
        for child in element.children().filter(|_| element.name() == "span") {
            match child.name() {
                "strong" => push(Style::Bold),
                "emphasis" => push(Style::Italic),
                "deleted" => push(Style::Strike),
                "code" => push(Style::Monospace),
                _ => {}
            }
        }
    }
    spans
}

/// Links beside the text that it does not hold, each on a line of its own.
fn with_links(stanza: &Element, body: String, style: Vec<Span>) -> (String, Vec<Span>) {
    let mut body = body;
    for link in links_of(stanza) {
        if link.is_empty() || body.contains(link.as_str()) {
            continue;
        }
        if !body.is_empty() {
            body.push('\n');
        }
        body.push_str(&link);
    }
    (body, style)
}

fn links_of(stanza: &Element) -> Vec<String> {
    let mut links = Vec::new();
    for child in stanza.children() {
        match (child.name(), child.ns()) {
            ("x", ns::OOB) => {
                links.extend(
                    child
                        .child("url", ns::OOB)
                        .map(|url| url.text().to_string()),
                );
            }
            ("file-sharing", ns::FILE_SHARING) => {
                let sources = child.child("sources", ns::FILE_SHARING);
                let url = sources.and_then(|it| it.child("url-data", ns::URL_DATA));
                links.extend(url.and_then(|it| it.attr("target")).map(str::to_owned));
            }
            ("reference", ns::REFERENCE) => {
                let sources = child
                    .child("media-sharing", ns::MEDIA_SHARING)
                    .and_then(|it| it.child("sources", ns::MEDIA_SHARING));
                let url = sources.and_then(|it| it.child("reference", ns::REFERENCE));
                links.extend(url.and_then(|it| it.attr("uri")).map(str::to_owned));
            }
            _ => {}
        }
    }
    links
}

fn with_spoiler(
    stanza: &Element,
    body: String,
    style: Vec<Span>,
    lang: Lang,
) -> (String, Vec<Span>) {
    let Some(spoiler) = stanza.child("spoiler", ns::SPOILER) else {
        return (body, style);
    };
    let hint = spoiler.text();
    let prefix = match hint.trim() {
        "" => lang.say(Notice::Spoiler).to_owned(),
        hint => lang.tell(Notice::SpoilerAbout, &[hint]),
    };
    let prefix = format!("[{prefix}] ");
    let by = i64::try_from(prefix.len()).unwrap_or(0);
    (prefix + &body, shifted(&style, by))
}

/// Spans of a text that has grown or shrunk at its start.
pub(super) fn shifted(style: &[Span], by: i64) -> Vec<Span> {
    let moved = |at: u32| u32::try_from((i64::from(at) + by).max(0)).unwrap_or(u32::MAX);
    style
        .iter()
        .map(|span| Span {
            start: moved(span.start),
            end: moved(span.end),
            style: span.style,
        })
        .filter(|span| span.start < span.end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payload: &str, caps: &Caps) -> Option<Text> {
        let stanza = format!("<message>{payload}</message>");
        text_of(
            &Element::parse(stanza.as_bytes()).expect("well-formed"),
            caps,
            true,
            Lang::En,
        )
    }

    fn text(payload: &str) -> Option<Text> {
        of(payload, &Caps::default())
    }

    #[test]
    fn actions_are_told_from_words() {
        let action = text("<body>/me waves</body>").expect("a body");
        assert_eq!((action.body.as_str(), action.action), ("waves", true));
        let words = text("<body>/meow</body>").expect("a body");
        assert_eq!((words.body.as_str(), words.action), ("/meow", false));
        assert_eq!(text("<body/>"), None);
        assert_eq!(
            text("<active xmlns='http://jabber.org/protocol/chatstates'/>"),
            None
        );
    }

    #[test]
    fn of_several_bodies_the_one_in_the_language_of_the_message_counts() {
        let body = |stanza: &str| {
            let stanza = Element::parse(stanza.as_bytes()).expect("well-formed");
            let text = text_of(&stanza, &Caps::default(), false, Lang::En);
            text.expect("a body").body
        };
        let two = "<body xml:lang='cs'>ahoj</body><body>hello</body>";
        assert_eq!(body(&format!("<message>{two}</message>")), "hello");
        let two = "<body xml:lang='cs'>ahoj</body><body xml:lang='en'>hello</body>";
        let of = |lang: &str| body(&format!("<message xml:lang='{lang}'>{two}</message>"));
        assert_eq!((of("EN"), of("de")), ("hello".into(), "ahoj".into()));
    }

    #[test]
    fn a_link_beside_the_text_is_sent_with_it() {
        let oob = "<x xmlns='jabber:x:oob'><url>https://files.example/a.png</url></x>";
        let both = text(&format!("<body>look</body>{oob}")).expect("a body");
        assert_eq!(both.body, "look\nhttps://files.example/a.png");
        let same = text(&format!("<body>https://files.example/a.png</body>{oob}")).expect("a body");
        assert_eq!(same.body, "https://files.example/a.png");
        let sfs = "<file-sharing xmlns='urn:xmpp:sfs:0'><sources>\
                   <url-data xmlns='http://jabber.org/protocol/url-data' target='https://f.example/b'/>\
                   </sources></file-sharing>";
        assert_eq!(text(sfs).expect("a link").body, "https://f.example/b");
        let sims = "<reference xmlns='urn:xmpp:reference:0' type='data'>\
                    <media-sharing xmlns='urn:xmpp:sims:1'><sources>\
                    <reference xmlns='urn:xmpp:reference:0' type='data' uri='https://f.example/c'/>\
                    </sources></media-sharing></reference>";
        assert_eq!(text(sims).expect("a link").body, "https://f.example/c");
    }

    #[test]
    fn the_quote_of_a_reply_is_cut_by_code_points() {
        let reply = "<body>&gt; \u{1f980} wrote\nyes</body><reply xmlns='urn:xmpp:reply:0' id='a'/>\
                     <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>\
                     <body start='0' end='10'/></fallback>";
        assert_eq!(text(reply).expect("a body").body, "yes");
        let other = reply.replace("for='urn:xmpp:reply:0'", "for='urn:other'");
        assert_eq!(text(&other).expect("a body").body, "> \u{1f980} wrote\nyes");
        let beyond = reply.replace("end='10'", "end='99999999999'");
        assert_eq!(text(&beyond), None, "all of it is the quote");
    }

    #[test]
    fn styles_are_spans_only_where_the_network_has_them() {
        let styles = Caps {
            style: true,
            ..Caps::default()
        };
        assert_eq!(text("<body>*hi*</body>").expect("a body").body, "*hi*");
        let bold = of("<body>*hi*</body>", &styles).expect("a body");
        assert_eq!((bold.body.as_str(), bold.style.len()), ("hi", 1));
        let unstyled = "<body>*hi*</body><unstyled xmlns='urn:xmpp:styling:0'/>";
        assert_eq!(of(unstyled, &styles).expect("a body").body, "*hi*");
        let markup = "<body>\u{e4} hi</body><markup xmlns='urn:xmpp:markup:0'>\
                      <span start='2' end='4'><strong/></span></markup>";
        let style = of(markup, &styles).expect("a body").style;
        let (start, end) = (3, 5);
        let bold = Style::Bold;
        assert_eq!(
            style,
            [Span {
                start,
                end,
                style: bold
            }]
        );
    }

    #[test]
    fn a_spoiler_says_so() {
        let spoiler = "<body>he dies</body><spoiler xmlns='urn:xmpp:spoiler:0'>the end</spoiler>";
        assert_eq!(
            text(spoiler).expect("a body").body,
            "[spoiler: the end] he dies"
        );
    }
}
