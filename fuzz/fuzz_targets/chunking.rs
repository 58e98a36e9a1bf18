//! The splitter says the same however the bytes arrive, and what it hands out never panics.

#![no_main]

use isthmus::xmpp::{Frame, Limits, Splitter, StreamCondition};
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
    xmlns='jabber:component:accept' id='1'>";
const LIMITS: Limits = Limits {
    stanza: 300,
    depth: 5,
    attributes: 6,
};

fn frames(
    bytes: &[u8],
    mut sizes: impl Iterator<Item = usize>,
) -> (Vec<Frame>, Option<StreamCondition>) {
    let mut splitter = Splitter::new(LIMITS);
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        splitter.buffer().extend_from_slice(&rest[..size]);
        rest = &rest[size..];
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

fuzz_target!(|data: &[u8]| {
    // The first byte says whether the header is fuzzed too; the next eight are chunk sizes.
    if data.len() < 9 {
        return;
    }
    let (sizes, data) = data.split_at(9);
    let mut bytes = if sizes[0] & 1 == 0 {
        HEADER.to_vec()
    } else {
        Vec::new()
    };
    bytes.extend_from_slice(data);
    let whole = frames(&bytes, std::iter::empty());
    let single = frames(&bytes, std::iter::repeat(1));
    let mixed = frames(
        &bytes,
        sizes[1..].iter().map(|&size| usize::from(size)).cycle(),
    );
    assert_eq!(whole, single);
    assert_eq!(whole, mixed);
    for frame in &whole.0 {
        if let Frame::Stanza(stanza) = frame
            && let Ok(element) = stanza.element()
        {
            assert_eq!(stanza.to().as_deref(), element.attr("to"));
            assert_eq!(stanza.from().as_deref(), element.attr("from"));
            assert_eq!(stanza.kind_attr().as_deref(), element.attr("type"));
            assert_eq!(stanza.id().as_deref(), element.attr("id"));
        }
    }
});
