//! Addresses are stable: what was parsed parses to itself, and escaping can be reverted.

#![no_main]

use isthmus::xmpp::escape::{escape, unescape};
use isthmus::xmpp::jid::resource_from_nick;
use isthmus::xmpp::{BareJid, Jid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(jid) = Jid::parse(text) {
        assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(&jid));
        assert_eq!(Jid::parse(jid.bare().as_str()), Ok(Jid::Bare(jid.bare())));
        assert_eq!(jid.bare().domain(), jid.domain());
        assert_eq!(jid.bare().local(), jid.local());
    }
    assert_eq!(unescape(&escape(text)), text.trim_matches(' '));
    let resource = resource_from_nick(text).into_owned();
    assert_eq!(resource_from_nick(&resource), resource);
    let room = BareJid::new(Some("room"), "irc.test").expect("a good address");
    assert!(room.with_resource(&resource).is_ok());
    if let Ok(bare) = BareJid::new(Some(&escape(text)), "irc.test") {
        assert_eq!(bare.domain(), "irc.test");
    }
});
