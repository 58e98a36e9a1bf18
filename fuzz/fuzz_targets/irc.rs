//! Whatever an IRC server says, the session lives: nothing panics, and every command ends once.

#![no_main]

use std::time::{Duration, Instant, SystemTime};

use isthmus_gateway::{Command, Event, Fault, FaultKind, Outgoing, Place, Sink, Tag};
use isthmus_irc::translate::{Conversation, Settings};
use libfuzzer_sys::fuzz_target;

/// How often each command ended.
#[derive(Default)]
struct Ends(std::collections::HashMap<u32, u32>);

impl Sink for Ends {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Done { tag, .. } = event {
            *self.0.entry(tag.0).or_default() += 1;
        }
    }
}

const CAPS: &str = "message-tags server-time batch labeled-response echo-message \
    draft/multiline=max-bytes=999 draft/chathistory draft/read-marker draft/message-redaction \
    draft/metadata-2";

fuzz_target!(|text: &str| {
    let mut now = Instant::now();
    let settings = Settings {
        network: "irc.example".to_owned(),
        nick: "ferris".to_owned(),
        set_nick: None,
        username: "crab".to_owned(),
        realname: None,
        password: None,
        webirc: None,
        login: None,
        after_connect: Vec::new(),
        bot: true,
        notices: Default::default(),
        encodings: Default::default(),
        throttle_burst: 10,
        throttle_rate: 1.0,
        queue: 100,
        ping_after: Duration::from_secs(90),
        ping_timeout: Duration::from_secs(60),
        epoch: (now, SystemTime::UNIX_EPOCH),
    };
    let mut talk = Conversation::new(settings, now);
    let mut ends = Ends::default();
    talk.connected(now);
    for line in [
        format!(":s CAP * LS :{CAPS}"),
        format!(":s CAP * ACK :{CAPS}"),
        ":s 001 ferris :Welcome".to_owned(),
        ":s 422 ferris :No MOTD".to_owned(),
    ] {
        talk.line(&line, now, &mut ends);
    }
    let mut tag = 0;
    for line in text.lines() {
        let room = || "#c".into();
        let command = match line.len() % 4 {
            0 => Command::Join {
                room: room(),
                nick: "ferris".into(),
                password: None,
            },
            1 => Command::Send(Outgoing::text(Place::Room(room()), "one\ntwo")),
            2 => Command::Lookup {
                contact: "bob".into(),
            },
            _ => Command::Bans { room: room() },
        };
        tag += 1;
        talk.command(Tag(tag), command, now, &mut ends);
        talk.line(line, now, &mut ends);
        now += Duration::from_secs(1);
        talk.tick(now, &mut ends);
        talk.wire().clear();
    }
    talk.lost(Fault::new(FaultKind::NetworkDown, "reset"), &mut ends);
    assert!((1..=tag).all(|tag| ends.0.get(&tag) == Some(&1)));
});
