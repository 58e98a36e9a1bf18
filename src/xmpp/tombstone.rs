//! What stands in an archive in the place of a message that was taken back (XEP-0424 §5,
//! XEP-0425 §5): who said it to whom and under which id stays, what it said is gone.

use super::element::Element;
use super::ns;
use super::write::{STANZA_MAX, Xml};

/// The message with `stone` (an element) for its content. What is no message is replaced whole.
pub(crate) fn entombed(message: &[u8], stone: &[u8]) -> Vec<u8> {
    let (Ok(message), Ok(stone)) = (Element::parse(message), Element::parse(stone)) else {
        return stone.to_vec();
    };
    let mut tomb = Element::new("message", ns::COMPONENT);
    for (name, value) in message.attrs() {
        if matches!(name, "from" | "to" | "type" | "id") {
            tomb = tomb.with_attr(name, value);
        }
    }
    let stays = |child: &&Element| {
        child.is("occupant-id", ns::OCCUPANT_ID) || child.is("stanza-id", ns::STANZA_ID)
    };
    for child in message.children().filter(stays) {
        tomb = tomb.with_child(child.clone());
    }
    let mut bytes = Vec::with_capacity(256);
    Xml::new(&mut bytes, STANZA_MAX).element(&tomb.with_child(stone));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_said_it_and_under_which_id_stays_and_what_it_said_is_gone() {
        let message =
            b"<message from='#a@irc/bob' to='j@e' type='groupchat' id='m1' xml:lang='en'>\
            <body>secret</body><subject>secret</subject><markable xmlns='urn:xmpp:chat-markers:0'/>\
            <occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/></message>";
        let stone = b"<retracted xmlns='urn:xmpp:message-retract:1' id='r'/>";
        let tomb = Element::parse(&entombed(message, stone)).expect("well-formed");
        let attr = |name| tomb.attr(name).unwrap_or_default();
        let head = (attr("from"), attr("to"), attr("type"), attr("id"));
        assert_eq!(head, ("#a@irc/bob", "j@e", "groupchat", "m1"));
        assert_eq!(tomb.attr("xml:lang"), None);
        let inside: Vec<_> = tomb.children().map(Element::name).collect();
        assert_eq!(inside, ["occupant-id", "retracted"]);
        assert_eq!(entombed(b"<broken", stone), stone);
    }
}
