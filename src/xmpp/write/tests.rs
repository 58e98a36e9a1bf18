use proptest::prelude::*;
use quick_xml::events::Event;

use super::*;
use crate::xmpp::ns;
use crate::xmpp::stream::{Frame, Limits, OwnedPeek, Splitter, StanzaKind};
use crate::xmpp::{Condition, Element};

fn written(max: usize, body: impl FnOnce(&mut Xml<'_>)) -> String {
    let mut out = Vec::new();
    body(&mut Xml::new(&mut out, max));
    String::from_utf8(out).unwrap()
}

fn head<'a>() -> Head<'a> {
    Head {
        name: StanzaName::Message,
        domain: "irc.test",
        from: Sender::default(),
        to: "a@b/c",
        kind: None,
        id: None,
    }
}

fn from_of(local: Option<&str>, resource: Option<&str>) -> String {
    let mut out = Vec::new();
    let from = Sender { local, resource };
    assert_eq!(
        stanza(&mut out, STANZA_MAX, Head { from, ..head() }, |_| {}),
        Written::Whole
    );
    Element::parse(&out)
        .unwrap()
        .attr("from")
        .unwrap()
        .to_owned()
}

/// Reads everything with quick-xml alone.
fn quick_xml_accepts(bytes: &[u8]) -> bool {
    let mut reader = quick_xml::NsReader::from_str(std::str::from_utf8(bytes).unwrap());
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn peek(kind: StanzaKind, type_: &str, to: &str) -> OwnedPeek {
    OwnedPeek {
        kind,
        to: Some(to.into()),
        from: Some("u@h/r".into()),
        type_: Some(type_.into()),
        id: Some("7".into()),
        lang: None,
    }
}

#[test]
fn elements_are_written_as_called() {
    let text = written(1000, |xml| {
        xml.start("a")
            .attr("b", "<'\">&\n")
            .text("1 < 2 > 0 & 'x'\n");
        xml.start_ns("c", "urn:c")
            .end()
            .leaf("d", "urn:d")
            .text_element("e", "f");
        xml.start("g").start("h");
    });
    assert_eq!(
        text,
        "<a b='&lt;&apos;\"&gt;&amp;&#10;'>1 &lt; 2 &gt; 0 &amp; 'x'\n<c xmlns='urn:c'/>\
         <d xmlns='urn:d'/><e>f</e><g><h/></g></a>"
    );
}

#[test]
fn characters_that_xml_forbids_are_replaced() {
    let bad = "\u{2}a\u{0}\u{1f}\u{fffe}é\u{ffff}\u{fffd}\u{ff01}\u{7f}\u{85}";
    let text = written(1000, |xml| {
        xml.start("a").attr("b", bad).text(bad);
    });
    let good = "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}é\u{fffd}\u{fffd}\u{ff01}\u{7f}\u{85}";
    assert_eq!(text, format!("<a b='{good}'>{good}</a>"));
}

#[test]
fn carriage_returns_survive_reading() {
    let text = written(1000, |xml| {
        xml.start("a").attr("b", "1\r\n\t2").text("1\r\n\t2\r");
    });
    let element = Element::parse(text.as_bytes()).unwrap();
    assert_eq!(element.attr("b"), Some("1\r\n\t2"));
    assert_eq!(element.text(), "1\r\n\t2\r");
}

#[test]
fn text_is_cut_between_characters_at_the_end_of_the_budget() {
    for (max, text) in [
        (30, "<a><b>ééé&lt;</b></a>"),
        (24, "<a><b>ééé&lt;</b></a>"),
        (23, "<a><b>ééé</b></a>"),
        (20, "<a><b>ééé</b></a>"),
        (19, "<a><b>éé</b></a>"),
        (18, "<a><b>éé</b></a>"),
        (14, "<a><b></b></a>"),
        (13, "<a></a>"),
        (6, ""),
    ] {
        let got = written(max, |xml| {
            xml.start("a").text("").start("b").text("ééé<").end().end();
        });
        assert!(got.len() <= max, "{got}");
        let closed = text.replace("<b></b>", "<b/>").replace("<a></a>", "<a/>");
        let got = got.replace("<b></b>", "<b/>").replace("<a></a>", "<a/>");
        assert_eq!(got, closed, "{max}");
    }
}

#[test]
fn what_does_not_fit_whole_is_left_out() {
    let text = written(40, |xml| {
        xml.start("a").attr("b", &"x".repeat(99)).attr("c", "1");
        xml.start_ns("d", "urn:a-namespace-too-long-to-fit")
            .attr("e", "1")
            .text("no");
        xml.start("f").end().end();
        xml.text_element("g", "yes");
        assert!(!xml.is_whole());
    });
    assert_eq!(text, "<a c='1'><g>yes</g></a>");
}

#[test]
fn depth_is_bounded_and_ends_stay_in_step() {
    let text = written(100_000, |xml| {
        xml.start("r");
        for _ in 0..100 {
            xml.start("a");
        }
        xml.text("lost");
        for _ in 0..100 {
            xml.end();
        }
        xml.text_element("b", "kept").end().end().end();
    });
    assert!(text.ends_with("<b>kept</b></r>"), "{text}");
    assert!(!text.contains("lost"));
    assert!(Element::parse(text.as_bytes()).is_ok());
}

#[test]
fn sender_is_always_in_our_domain() {
    for (local, resource, from) in [
        (None, None, "irc.test"),
        (Some("#a%net"), None, "#a%net@irc.test"),
        (Some(""), Some(""), "irc.test/_"),
        (Some("a"), Some("Ni ck/@"), "a@irc.test/Ni ck/@"),
        (Some("evil.test/"), None, r"evil.test\2f@irc.test"),
        (
            Some("a@evil.test/b"),
            Some("c"),
            r"a\40evil.test\2fb@irc.test/c",
        ),
        (Some("evil.test／b＠c"), None, r"evil.test\2fb\40c@irc.test"),
        (Some("a\u{3} b"), Some("n\u{3}"), r"a\20b@irc.test/n_"),
    ] {
        assert_eq!(from_of(local, resource), from);
    }
}

#[test]
fn stanza_whose_head_does_not_fit_is_not_written() {
    let mut out = b"before".to_vec();
    let id = "x".repeat(200);
    let long = Head {
        id: Some(&id),
        ..head()
    };
    assert_eq!(stanza(&mut out, 100, long, |_| {}), Written::Nothing);
    assert_eq!(
        stanza(&mut out, 100, Head { to: "", ..head() }, |_| {}),
        Written::Nothing
    );
    assert_eq!(out, b"before");
    let cut = stanza(&mut out, 100, head(), |xml| {
        // One end too many must not end the stanza.
        xml.text_element("body", &id).end().end().leaf("x", "urn:x");
    });
    assert_eq!(cut, Written::Cut);
    assert_eq!(out.len(), 106);
    assert!(Element::parse(&out[6..]).is_ok());
}

#[test]
fn error_answers_go_back_with_the_same_id() {
    let mut out = Vec::new();
    let error = ErrorReply {
        text: Some(("en", "moved")),
        uri: Some("xmpp:new@irc.test"),
        ..Condition::Gone.into()
    };
    let to = "#a%n@irc.test/x";
    let written = error_reply(
        &mut out,
        1000,
        "irc.test",
        &peek(StanzaKind::Message, "chat", to),
        &error,
    );
    assert_eq!(written, Written::Whole);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<message from='#a%n@irc.test/x' to='u@h/r' type='error' id='7'><error type='cancel'>\
         <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:new@irc.test</gone>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>moved</text></error>\
         </message>"
    );
}

#[test]
fn errors_and_results_are_never_answered() {
    let mut out = Vec::new();
    let error = Condition::BadRequest.into();
    let no_sender = OwnedPeek {
        from: None,
        ..peek(StanzaKind::Iq, "get", "irc.test")
    };
    for peek in [
        peek(StanzaKind::Message, "error", "irc.test"),
        peek(StanzaKind::Presence, "error", "irc.test"),
        peek(StanzaKind::Iq, "error", "irc.test"),
        peek(StanzaKind::Iq, "result", "irc.test"),
        peek(StanzaKind::Other, "get", "irc.test"),
        no_sender,
    ] {
        assert_eq!(
            error_reply(&mut out, 1000, "irc.test", &peek, &error),
            Written::Nothing
        );
    }
    assert!(out.is_empty());
}

#[test]
fn answer_from_an_address_of_another_domain_comes_from_ours() {
    for to in ["x@other.test", "a@b@irc.test", "irc.test"] {
        let mut out = Vec::new();
        let get = peek(StanzaKind::Iq, "get", to);
        let error = Condition::BadRequest.into();
        assert_eq!(
            error_reply(&mut out, 1000, "irc.test", &get, &error),
            Written::Whole
        );
        let reply = Element::parse(&out).unwrap();
        assert_eq!(reply.attr("from"), Some("irc.test"));
        assert_eq!(reply.attr("to"), Some("u@h/r"));
    }
}

#[test]
fn copied_element_equals_the_original() {
    let text = "<x xmlns='urn:x' a='1' xmlns:p='urn:p' p:b='&lt;' xml:lang='de'>t&amp;\
                <body xmlns='jabber:client'/><y p:c='2'><p:z/></y><n xmlns=''/></x>";
    let element = Element::parse(text.as_bytes()).unwrap();
    let out = written(1000, |xml| {
        xml.start("message").element(&element).end();
    });
    let copy = Element::parse(out.as_bytes()).unwrap();
    assert_eq!(copy.children().next(), Some(&element));
    let alone = written(1000, |xml| {
        xml.element(&element);
    });
    assert_eq!(Element::parse(alone.as_bytes()), Ok(element));
}

#[derive(Clone, Debug)]
enum Call {
    Start(bool),
    Attr(String),
    Text(String),
    End,
    Copy(String),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => any::<bool>().prop_map(Call::Start),
        2 => any::<String>().prop_map(Call::Attr),
        3 => any::<String>().prop_map(Call::Text),
        3 => "[<>&'\"\\]a\u{3}\u{fffe}\u{d}é]{0,40}".prop_map(Call::Text),
        2 => Just(Call::End),
        1 => "[<>&' é]{0,40}".prop_map(Call::Copy),
    ]
}

proptest! {
    #[test]
    fn whatever_is_called_one_stanza_within_budget_comes_out(
        calls in proptest::collection::vec(call(), 0..60),
        local in proptest::option::of(any::<String>()),
        resource in proptest::option::of(any::<String>()),
        to in any::<String>(),
        id in proptest::option::of(any::<String>()),
        max in 0usize..700,
    ) {
        let mut out = Vec::new();
        let from = Sender { local: local.as_deref(), resource: resource.as_deref() };
        let head = Head { from, to: &to, id: id.as_deref(), ..head() };
        let result = stanza(&mut out, max, head, |xml| {
            // Two attributes of one name are the one mistake that the program must not make.
            let mut attr = false;
            for call in &calls {
                match call {
                    Call::Start(true) => { attr = true; xml.start("x"); }
                    Call::Start(false) => { attr = true; xml.start_ns("y", "urn:y"); }
                    Call::Attr(value) if attr => { attr = false; xml.attr("z", value); }
                    Call::Attr(_) => {}
                    Call::Text(text) => { attr = false; xml.text(text); }
                    Call::End => { attr = false; xml.end(); }
                    Call::Copy(text) => {
                        attr = false;
                        let inner = Element::new("i", ns::PING).with_attr("j", text);
                        xml.element(&Element::new("k", "urn:k").with_text(text).with_child(inner));
                    }
                }
            }
        });
        prop_assert!(out.len() <= max);
        if result == Written::Nothing {
            prop_assert!(out.is_empty());
            return Ok(());
        }
        let element = Element::parse(&out).unwrap();
        let from = crate::xmpp::Jid::parse(element.attr("from").unwrap()).unwrap();
        prop_assert_eq!(from.domain(), "irc.test");
        prop_assert!(quick_xml_accepts(&out));
        let mut splitter = Splitter::new(Limits::default());
        splitter.buffer().extend_from_slice(b"<s:stream xmlns='jabber:client' xmlns:s='");
        splitter.buffer().extend_from_slice(ns::STREAMS.as_bytes());
        splitter.buffer().extend_from_slice(b"'>");
        splitter.buffer().extend_from_slice(&out);
        prop_assert!(matches!(splitter.next(), Ok(Some(Frame::Header(_)))));
        let Ok(Some(Frame::Stanza(stanza))) = splitter.next() else {
            panic!("no stanza");
        };
        prop_assert_eq!(&stanza.bytes()[..], &out[..]);
    }
}

#[test]
fn a_stanza_inside_a_stanza_is_one_of_clients() {
    // XEP-0297 §3.2
    let forwarded = "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>\
                     <body>x</body></message></forwarded><body>y</body></message>";
    let stanza = Element::parse(forwarded.as_bytes()).expect("XML");
    let mut out = Vec::new();
    let whole = super::stanza(&mut out, STANZA_MAX, head(), |xml| {
        for child in stanza.children() {
            xml.element(child);
        }
    });
    assert_eq!(whole, Written::Whole);
    let text = String::from_utf8(out).expect("text");
    let inner = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>\
                 <body>x</body></message></forwarded><body>y</body>";
    assert!(text.contains(inner), "{text}");
}
