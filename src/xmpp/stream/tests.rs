use proptest::prelude::*;

use super::*;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/\
streams' xmlns='jabber:component:accept' id='i1' from='irc.test'>";

/// Everything the splitter says, fed in chunks of this size.
fn frames(limits: Limits, bytes: &[u8], chunk: usize) -> (Vec<Frame>, Option<StreamCondition>) {
    let mut splitter = Splitter::new(limits);
    let mut frames = Vec::new();
    for piece in bytes.chunks(chunk.max(1)) {
        splitter.buffer().extend_from_slice(piece);
        loop {
            match splitter.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault.condition)),
            }
        }
    }
    (frames, None)
}

fn in_stream(text: &str) -> (Vec<Frame>, Option<StreamCondition>) {
    let (mut frames, fault) = frames(
        Limits::default(),
        format!("{HEADER}{text}").as_bytes(),
        usize::MAX,
    );
    if !frames.is_empty() {
        frames.remove(0);
    }
    (frames, fault)
}

fn stanza(text: &str) -> Stanza {
    match in_stream(text).0.into_iter().next() {
        Some(Frame::Stanza(stanza)) => stanza,
        other => panic!("not a stanza: {other:?}"),
    }
}

#[test]
fn stream_is_cut_into_frames() {
    let text = format!(
        "{HEADER}<handshake/> \n<message to='a@b' from=\"c@d/e&amp;'\" type='chat' id='1'>\
         <body>a > b</body><x a='/>'/><![CDATA[</message>]]></message>\
         <iq xmlns='jabber:client' type='get'/><stream:error><conflict xmlns='{}'/></stream:error>\
         </stream:stream>",
        ns::STREAM_ERRORS
    );
    let (frames, fault) = frames(Limits::default(), text.as_bytes(), usize::MAX);
    assert_eq!(fault, None);
    let [
        Frame::Header(header),
        Frame::Stanza(handshake),
        Frame::Stanza(message),
        Frame::Stanza(iq),
        Frame::StreamError(error),
        Frame::End,
    ] = &frames[..]
    else {
        panic!("{frames:?}");
    };
    assert_eq!(header.id.as_deref(), Some("i1"));
    assert_eq!(header.from.as_deref(), Some("irc.test"));
    assert_eq!(handshake.kind(), StanzaKind::Handshake);
    assert_eq!(message.kind(), StanzaKind::Message);
    assert_eq!(message.to().as_deref(), Some("a@b"));
    assert_eq!(message.from().as_deref(), Some("c@d/e&'"));
    assert_eq!(message.kind_attr().as_deref(), Some("chat"));
    assert_eq!(message.id().as_deref(), Some("1"));
    let body = message
        .element()
        .unwrap()
        .child("body", ns::COMPONENT)
        .unwrap()
        .text()
        .into_owned();
    assert_eq!(body, "a > b");
    assert_eq!(iq.kind(), StanzaKind::Iq);
    assert!(iq.element().unwrap().is("iq", ns::COMPONENT));
    assert_eq!(error.condition, StreamCondition::Conflict);
}

fn fault(text: &str) -> Option<StreamCondition> {
    frames(Limits::default(), text.as_bytes(), usize::MAX).1
}

#[test]
fn headers_of_other_prefixes_are_understood() {
    for (header, message) in [
        (
            "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' id='1'>",
            "",
        ),
        (
            "\n<stream xmlns='http://etherx.jabber.org/streams' id='1'>",
            " xmlns='jabber:component:accept'",
        ),
        (
            "<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?>\n<a:stream id='1' \
             xmlns:b='urn:b' xmlns='jabber:component:accept' \
             xmlns:a=\"http://etherx.jabber.org/streams\" >",
            "",
        ),
    ] {
        let prefix = if header.contains("<s:") {
            "s:"
        } else if header.contains("<a:") {
            "a:"
        } else {
            ""
        };
        let text = format!(
            "{header}<message{message} to='a@b'><body/></message><{prefix}error><x/></{prefix}error>\
             </{prefix}stream >"
        );
        for chunk in [1, usize::MAX] {
            let (frames, fault) = frames(Limits::default(), text.as_bytes(), chunk);
            assert_eq!(fault, None, "{text}");
            let [
                Frame::Header(head),
                Frame::Stanza(stanza),
                Frame::StreamError(error),
                Frame::End,
            ] = &frames[..]
            else {
                panic!("{frames:?}");
            };
            assert_eq!(head.id.as_deref(), Some("1"));
            assert_eq!(stanza.kind(), StanzaKind::Message);
            let message = stanza.element().unwrap();
            assert!(message.child("body", ns::COMPONENT).is_some());
            assert_eq!(error.condition, StreamCondition::UndefinedCondition);
        }
    }
}

#[test]
fn prefixes_of_the_header_are_in_force_in_stanzas() {
    let text = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
                xmlns='jabber:component:accept' xmlns:p='urn:p'><message><p:x/></message>";
    let (frames, _) = frames(Limits::default(), text.as_bytes(), 1);
    let Some(Frame::Stanza(stanza)) = frames.last() else {
        panic!("{frames:?}");
    };
    assert!(stanza.element().unwrap().child("x", "urn:p").is_some());
}

#[test]
fn bad_headers_are_stream_faults() {
    use StreamCondition as C;
    let long = format!("<stream:stream a='{}'>", "x".repeat(9000));
    let streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    for (text, condition) in [
        ("x", C::NotWellFormed),
        ("<>", C::NotWellFormed),
        ("</stream:stream>", C::NotWellFormed),
        (" <?xml version='1.0'?>", C::RestrictedXml),
        ("<?php ?>", C::RestrictedXml),
        ("<?xml version='1.1'?>", C::NotWellFormed),
        ("<?xmlx?>", C::NotWellFormed),
        ("<?xml version='1.0'>", C::NotWellFormed),
        (
            "<?xml version='1.0' encoding='latin1'?>",
            C::UnsupportedEncoding,
        ),
        ("<!DOCTYPE x>", C::RestrictedXml),
        ("<!-- x -->", C::RestrictedXml),
        ("<stream:stream>", C::BadNamespacePrefix),
        ("<stream>", C::InvalidNamespace),
        (
            "<stream:stream xmlns:stream='urn:x' xmlns='jabber:client'>",
            C::InvalidNamespace,
        ),
        (
            &format!("<stream:stream {streams} xmlns='jabber:server'>"),
            C::InvalidNamespace,
        ),
        (
            &format!("<stream:x {streams} xmlns='jabber:client'>"),
            C::BadFormat,
        ),
        (
            &format!("<stream:stream {streams} id='1' id='2'>"),
            C::NotWellFormed,
        ),
        (
            &format!("<stream:stream {streams} id='&x;'>"),
            C::NotWellFormed,
        ),
        (&format!("<stream:stream {streams} id=1>"), C::NotWellFormed),
        ("<stream:stream <", C::NotWellFormed),
        (&long, C::PolicyViolation),
        (&" ".repeat(9000), C::PolicyViolation),
    ] {
        for chunk in [1, 7, usize::MAX] {
            let (frames, fault) = frames(Limits::default(), text.as_bytes(), chunk);
            assert_eq!(fault, Some(condition), "{text:.80}");
            assert!(frames.is_empty());
        }
    }
}

#[test]
fn what_breaks_the_stream_is_a_stream_fault() {
    use StreamCondition as C;
    for (text, condition) in [
        ("x", C::BadFormat),
        ("&amp;", C::BadFormat),
        ("\u{0}", C::BadFormat),
        ("<![CDATA[x]]>", C::BadFormat),
        ("<message/>x", C::BadFormat),
        ("<!-- x -->", C::RestrictedXml),
        ("<!DOCTYPE x>", C::RestrictedXml),
        ("<?x?>", C::RestrictedXml),
        ("<?xml version='1.0'?>", C::RestrictedXml),
        ("<message><!-- x --></message>", C::RestrictedXml),
        ("<message><!ENTITY x></message>", C::RestrictedXml),
        ("<message><?x?></message>", C::RestrictedXml),
        ("<message><![cdata[x]]></message>", C::RestrictedXml),
        ("<message>< b/></message>", C::NotWellFormed),
        ("<message>a << b</message>", C::NotWellFormed),
        ("<message>1 <2</message>", C::NotWellFormed),
        ("<message><></></message>", C::NotWellFormed),
        ("<message <b/>", C::NotWellFormed),
        ("<message to='<'/>", C::NotWellFormed),
        ("<message / >", C::NotWellFormed),
        ("<message/ to='x'>", C::NotWellFormed),
        ("<message></iq>", C::NotWellFormed),
        ("<message></messages>", C::NotWellFormed),
        ("<message></ message>", C::NotWellFormed),
        ("<message></message a='b'>", C::NotWellFormed),
        ("</stream>", C::NotWellFormed),
        ("</message>", C::NotWellFormed),
        ("</stream:stream x>", C::NotWellFormed),
    ] {
        for chunk in [1, 7, usize::MAX] {
            let bytes = format!("{HEADER}{text}");
            let (_, fault) = frames(Limits::default(), bytes.as_bytes(), chunk);
            assert_eq!(fault, Some(condition), "{text}");
        }
    }
}

#[test]
fn malformed_stanza_is_refused_and_the_stream_lives() {
    for text in [
        "<message from='c@d' to=a@b></message>",
        "<message from='c@d' to></message>",
        "<message from='c@d'to='a@b'/>",
        "<message from='c@d' from='e@f'/>",
        "<message from='c@d' to='&x;'/>",
        "<message from='c@d' to='\u{3}'/>",
        "<message from='c@d' ='1'/>",
    ] {
        let (frames, fault) = in_stream(&format!("{text}<iq/>"));
        assert_eq!(fault, None, "{text}");
        let [Frame::Refused(refusal), Frame::Stanza(iq)] = &frames[..] else {
            panic!("{text}: {frames:?}");
        };
        assert_eq!(refusal.condition, Condition::BadRequest, "{text}");
        assert_eq!(refusal.peek.from.as_deref(), Some("c@d"), "{text}");
        assert_eq!(iq.kind(), StanzaKind::Iq);
    }
    let stanza = stanza("<message><body>\u{3}</body></message>");
    assert_eq!(
        stanza.element().unwrap_err().condition(),
        Condition::BadRequest
    );
}

#[test]
fn stanza_beyond_limits_is_skipped_to_its_end() {
    let limits = Limits {
        stanza: 200,
        depth: 4,
        attributes: 3,
    };
    let head = "<iq type='set' id='7' from='c@d'";
    let long = "x".repeat(500);
    let tail = "<presence from='e@f'/>";
    for (text, from, id) in [
        (format!("{head}>{long}</iq>"), true, true),
        (format!("{head}>{}</iq>", "<b/>".repeat(100)), true, true),
        (format!("{head}><b><c><d><e/></d></c></b></iq>"), true, true),
        (
            format!("{head}><b><c><d><e></e></d></c></b></iq>"),
            true,
            true,
        ),
        (
            format!("{head}><b a='1' b='2' c='3' d='4'>/></b></iq>"),
            true,
            true,
        ),
        (format!("{head}><b a='{long}>'/></iq>"), true, true),
        (format!("{head} x='{long}'/>"), true, true),
        (format!("{head} x='1' y='2'/>"), true, true),
        (
            format!("<iq type='set' id='7' x='{long}' from='c@d'></iq>"),
            false,
            true,
        ),
        (
            format!("<iq x='{long}' id='7' from='c@d'></iq>"),
            false,
            false,
        ),
        (format!("{head}></iq{}>", " ".repeat(300)), true, true),
    ] {
        let bytes = format!("{HEADER}{text}\n{tail}");
        for chunk in [1, 3, 64, usize::MAX] {
            let (frames, fault) = frames(limits, bytes.as_bytes(), chunk);
            assert_eq!(fault, None, "{text}");
            let [
                Frame::Header(_),
                Frame::Refused(refusal),
                Frame::Stanza(presence),
            ] = &frames[..]
            else {
                panic!("{text}: {frames:?}");
            };
            assert_eq!(refusal.condition, Condition::PolicyViolation);
            assert_eq!(refusal.peek.kind, StanzaKind::Iq);
            assert_eq!(
                refusal.peek.from.as_deref(),
                from.then_some("c@d"),
                "{text}"
            );
            assert_eq!(refusal.peek.id.as_deref(), id.then_some("7"), "{text}");
            assert_eq!(presence.from().as_deref(), Some("e@f"));
        }
    }
    let fits = format!("{HEADER}<iq>{}</iq>", "x".repeat(191));
    assert!(matches!(
        frames(limits, fits.as_bytes(), 1).0[1],
        Frame::Stanza(_)
    ));
}

#[test]
fn skipping_holds_no_more_than_the_limit() {
    let mut splitter = Splitter::new(Limits {
        stanza: 1000,
        ..Limits::default()
    });
    splitter.buffer().extend_from_slice(HEADER.as_bytes());
    splitter
        .buffer()
        .extend_from_slice(b"<message from='a@b'><body>");
    for _ in 0..10_000 {
        while !matches!(splitter.next(), Ok(None)) {}
        assert!(splitter.buffer().len() <= 1000);
        splitter.buffer().extend_from_slice(&[b'x'; 100]);
    }
    assert!(splitter.buffer().capacity() < 8192);
    splitter.buffer().extend_from_slice(b"</body></message>");
    assert!(matches!(splitter.next(), Ok(Some(Frame::Refused(_)))));
}

#[test]
fn fault_is_repeated_until_reset() {
    let mut splitter = Splitter::new(Limits::default());
    splitter.buffer().extend_from_slice(b"<!DOCTYPE");
    let fault = splitter.next().unwrap_err();
    splitter.buffer().extend_from_slice(HEADER.as_bytes());
    assert_eq!(splitter.next(), Err(fault));
    splitter.reset();
    splitter.buffer().extend_from_slice(HEADER.as_bytes());
    assert!(matches!(splitter.next(), Ok(Some(Frame::Header(_)))));
}

#[test]
fn nothing_follows_the_end_of_the_stream() {
    for end in ["</stream:stream>", "</stream:stream\n>"] {
        let (frames, fault) = in_stream(&format!("{end}<message/>garbage"));
        assert_eq!((frames, fault), (vec![Frame::End], None));
    }
    let empty = HEADER.replace("'irc.test'>", "'irc.test'/>");
    assert_eq!(fault(&empty), None);
    let (frames, _) = frames(Limits::default(), empty.as_bytes(), 1);
    assert!(
        matches!(&frames[..], [Frame::Header(_), Frame::End]),
        "{frames:?}"
    );
}

#[test]
fn stream_error_carries_condition_and_text() {
    for (inner, condition, text) in [
        (
            "<host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no &lt;such&gt; host</text>",
            StreamCondition::HostUnknown,
            Some("no <such> host"),
        ),
        (
            "<xml-not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>",
            StreamCondition::NotWellFormed,
            None,
        ),
        (
            "<x xmlns='urn:x'/>",
            StreamCondition::UndefinedCondition,
            None,
        ),
        ("", StreamCondition::UndefinedCondition, None),
    ] {
        let (frames, _) = in_stream(&format!("<stream:error>{inner}</stream:error>"));
        let text = text.map(str::to_owned);
        assert_eq!(
            frames,
            [Frame::StreamError(StreamError { condition, text })]
        );
    }
    assert_eq!(stanza("<error/>").kind(), StanzaKind::Other);
}

#[test]
fn only_the_content_namespace_has_stanzas() {
    assert_eq!(stanza("<message xmlns='urn:x'/>").kind(), StanzaKind::Other);
    assert_eq!(stanza("<messages/>").kind(), StanzaKind::Other);
    assert_eq!(stanza("<stream:features/>").kind(), StanzaKind::Other);
    assert_eq!(
        stanza("<presence xmlns='jabber:client'/>").kind(),
        StanzaKind::Presence
    );
}

#[test]
fn short_stanza_does_not_pin_a_long_buffer() {
    let mut splitter = Splitter::new(Limits::default());
    splitter.buffer().reserve(64 * 1024);
    splitter.buffer().extend_from_slice(HEADER.as_bytes());
    splitter.buffer().extend_from_slice(b"<message/><iq/>");
    let start = splitter.buffer().as_ptr() as usize;
    assert!(matches!(splitter.next(), Ok(Some(Frame::Header(_)))));
    let Ok(Some(Frame::Stanza(message))) = splitter.next() else {
        panic!("no stanza");
    };
    let at = message.bytes().as_ptr() as usize;
    assert!(!(start..start + 64 * 1024).contains(&at));
}

/// Pieces that make streams which go wrong in all places.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "<message to='a@b' from='c@d/e' type='chat' id='1'>",
        "</message>",
        "<iq type='get' id=\"2\"/>",
        "<presence from='é@d'>",
        "</presence>",
        "<body>",
        "</body>",
        "<x xmlns='urn:x' a='>' b=\"'/\"/>",
        "<x/>",
        "text ]]> &amp; é",
        "<![CDATA[ < ]] > ]]>",
        "]]]>",
        " \n",
        "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        "<",
        ">",
        "'",
        "/",
        "</stream:stream>",
        "<!--",
        "<message x='1' y='2' z='3' from='a@b'>",
    ];
    // Mostly balanced elements: else few streams would get far.
    prop_oneof![
        6 => "[a-z]{0,80}".prop_map(|text| format!("<message from='a@b' id='{text}'><body>{text}\
            </body></message>")),
        2 => "[a-c/>]{0,9}".prop_map(|text| format!("<iq a='{text}'><x><x><x/></x></x></iq> ")),
        1 => proptest::sample::select(fixed[..13].to_vec()).prop_map(str::to_owned),
        1 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_chunks(
        pieces in proptest::collection::vec(piece(), 0..24),
        chunk in 1usize..100,
        stanza in 20usize..200,
        depth in 2usize..4,
        attributes in 2usize..6,
    ) {
        let limits = Limits { stanza, depth, attributes };
        let bytes = format!("{HEADER}{}", pieces.concat());
        let whole = frames(limits, bytes.as_bytes(), usize::MAX);
        prop_assert_eq!(&whole, &frames(limits, bytes.as_bytes(), 1));
        prop_assert_eq!(&whole, &frames(limits, bytes.as_bytes(), chunk));
    }

    #[test]
    fn peek_sees_what_the_tree_has(
        to in "[ -~é]{0,9}", from in "\\PC{0,9}", id in any::<String>(), body in any::<String>(),
    ) {
        let mut bytes = HEADER.as_bytes().to_vec();
        let mut xml = crate::xmpp::Xml::new(&mut bytes, 100_000);
        xml.start("message").attr("to", &to).attr("from", &from).attr("id", &id);
        xml.text_element("body", &body);
        drop(xml);
        let (frames, fault) = frames(Limits::default(), &bytes, usize::MAX);
        prop_assert_eq!(fault, None);
        let Some(Frame::Stanza(stanza)) = frames.last() else {
            panic!("{frames:?}");
        };
        let element = stanza.element().unwrap();
        prop_assert_eq!(stanza.to(), element.attr("to").map(Into::into));
        prop_assert_eq!(stanza.from(), element.attr("from").map(Into::into));
        prop_assert_eq!(stanza.id(), element.attr("id").map(Into::into));
        prop_assert_eq!(stanza.to(), Some(to.as_str().into()));
    }
}
