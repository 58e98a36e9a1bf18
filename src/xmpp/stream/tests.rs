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
