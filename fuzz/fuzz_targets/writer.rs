//! Whatever the writer is given, one well-formed stanza of ours within the budget comes out, and
//! an element that was parsed is written so that it parses to itself.

#![no_main]

use isthmus::xmpp::write::{Written, stanza};
use isthmus::xmpp::{Element, Head, Jid, Sender, StanzaName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    |data: (u16, Option<&str>, Option<&str>, &str, &str, &[u8])| {
        let (max, local, resource, to, text, raw) = data;
        let head = Head {
            name: StanzaName::Message,
            domain: "irc.test",
            from: Sender { local, resource },
            to,
            kind: Some("chat"),
            id: Some(text),
        };
        let parsed = Element::parse(raw).ok();
        let mut out = Vec::new();
        let result = stanza(&mut out, usize::from(max), head, |xml| {
            xml.text_element("body", text)
                .text(to)
                .start("a")
                .attr("b", text);
            if let Some(element) = &parsed {
                xml.end().element(element);
            }
        });
        assert!(out.len() <= usize::from(max));
        if result == Written::Nothing {
            assert!(out.is_empty());
            return;
        }
        let element = Element::parse(&out).expect("what we write is well-formed");
        let from = Jid::parse(element.attr("from").expect("always there")).expect("an address");
        assert_eq!(from.domain(), "irc.test");
        if result == Written::Whole {
            assert_eq!(element.children().nth(2), parsed.as_ref());
        }
    }
);
