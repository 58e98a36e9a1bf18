//! The conversation as people know it: what the host asks, what the server says, what comes of it.

mod batch;
mod caps;
mod lookup;
mod message;
mod metadata;
mod monitor;
mod people;
mod refusal;
mod register;
mod robust;
mod room;
mod sasl;
mod send;
mod shared;
mod tags;
mod who;

use std::time::{Duration, Instant, SystemTime};

use isthmus_gateway::{Command, Event, Fault, FaultKind, Outgoing, Place, Sink, Tag};

use super::{Conversation, Notices, Settings};

/// A conversation with its clock, what it said to the server and what it told the host.
struct Desk {
    talk: Conversation,
    now: Instant,
    told: Told,
    tag: u32,
}

#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn event(&mut self, event: Event<'_>) {
        self.0.push(brief(&event));
    }
}

impl Desk {
    /// Before the connection.
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// Before the connection, with other settings.
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let now = Instant::now();
        let mut settings = Self::settings(now);
        change(&mut settings);
        Self {
            talk: Conversation::new(settings, now),
            now,
            told: Told::default(),
            tag: 0,
        }
    }

    /// What holds unless a test says otherwise.
    fn settings(now: Instant) -> Settings {
        Settings {
            network: "irc.example".to_owned(),
            nick: "ferris".to_owned(),
            set_nick: None,
            username: "crab".to_owned(),
            realname: None,
            password: None,
            webirc: None,
            login: None,
            after_connect: Vec::new(),
            bot: false,
            notices: Default::default(),
            encodings: Default::default(),
            throttle_burst: 10,
            throttle_rate: 1.0,
            queue: 20,
            ping_after: Duration::from_secs(90),
            ping_timeout: Duration::from_secs(60),
            epoch: (
                now,
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            ),
        }
    }

    /// Welcomed by a server that shows these capabilities.
    fn online_with(caps: &str) -> Self {
        Self::online_on(caps, "")
    }

    /// The same, on a network with these words in its 005.
    fn online_on(caps: &str, words: &str) -> Self {
        let mut desk = Self::new();
        desk.talk.connected(desk.now);
        desk.hear(&format!(":s CAP * LS :{caps}"));
        let acked: Vec<_> = caps
            .split(' ')
            .map(|cap| cap.split('=').next().unwrap_or(cap))
            .collect();
        desk.hear(&format!(":s CAP ferris ACK :{}", acked.join(" ")));
        desk.hear(":s 001 ferris :Welcome");
        desk.hear(
            ":s 005 ferris CASEMAPPING=rfc1459 CHANTYPES=#& PREFIX=(qaohv)~&@%+ \
             CHANMODES=beI,k,lf,imnpst STATUSMSG=@+ NETWORK=Example :are supported by this server",
        );
        desk.hear(&format!(
            ":s 005 ferris {words} :are supported by this server"
        ));
        desk.hear(":s 376 ferris :End of MOTD");
        desk.said();
        desk.events();
        desk
    }

    /// Welcomed by a server without capabilities.
    fn online() -> Self {
        Self::online_with("")
    }

    /// Welcomed, and in this channel.
    fn joined(mut self, channel: &str) -> Self {
        self.join(channel);
        self.hear(&format!(":ferris!~crab@host.example JOIN {channel}"));
        self.hear(&format!(":s 353 ferris = {channel} :ferris @alice"));
        self.hear(&format!(":s 366 ferris {channel} :End of NAMES"));
        self.said();
        self.events();
        self
    }

    fn hear(&mut self, line: &str) {
        self.talk.line(line, self.now, &mut self.told);
    }

    fn ask(&mut self, command: Command<'_>) -> u32 {
        self.tag += 1;
        self.talk
            .command(Tag(self.tag), command, self.now, &mut self.told);
        self.tag
    }

    fn join(&mut self, room: &str) -> u32 {
        self.join_as("ferris", room)
    }

    fn join_as(&mut self, nick: &str, room: &str) -> u32 {
        self.ask(Command::Join {
            room: room.into(),
            nick: nick.to_owned().into(),
            password: None,
        })
    }

    fn say(&mut self, room: &str, text: &str) -> u32 {
        self.ask(Command::Send(Outgoing::text(
            Place::Room(room.into()),
            text,
        )))
    }

    fn tell(&mut self, nick: &str, text: &str) -> u32 {
        self.ask(Command::Send(Outgoing::text(
            Place::Contact(nick.into()),
            text,
        )))
    }

    /// Time goes by, and what is due is done.
    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.talk.tick(self.now, &mut self.told);
    }

    fn lose(&mut self) -> super::End {
        let fault = Fault::new(FaultKind::NetworkDown, "reset");
        self.talk.lost(fault, &mut self.told)
    }

    /// The lines that went to the server since the last call.
    fn said(&mut self) -> Vec<String> {
        let bytes = std::mem::take(self.talk.wire());
        let text = String::from_utf8(bytes).expect("lines are UTF-8");
        assert!(text.is_empty() || text.ends_with("\r\n"));
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    /// What the host was told since the last call.
    fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told.0)
    }
}

/// An event on one line.
fn brief(event: &Event<'_>) -> String {
    let place = |place: &Place<'_>| match place {
        Place::Room(name) | Place::Contact(name) => name.to_string(),
        other => format!("{other:?}"),
    };
    match event {
        Event::Online(facts) => format!("online {} on {}", facts.me, facts.network),
        Event::Done { tag, result } => match result {
            Ok(outcome) => format!("done {} {outcome:?}", tag.0),
            Err(fault) => format!("done {} {:?}: {}", tag.0, fault.kind, fault.text),
        },
        Event::Echo {
            tag, keys, altered, ..
        } => {
            let keys: Vec<_> = keys.iter().map(|key| key.0.as_ref()).collect();
            let altered = altered.as_deref().map(|text| format!(" as {text}"));
            format!(
                "echo {} [{}]{}",
                tag.0,
                keys.join(","),
                altered.unwrap_or_default()
            )
        }
        Event::Message(m) => {
            let sign = |on: bool, sign: &'static str| if on { sign } else { "" };
            format!(
                "message {}{}{}{} {}: {}",
                sign(m.mine, "mine "),
                sign(m.action, "action "),
                sign(m.auto, "auto "),
                place(&m.at),
                m.who.nick,
                m.body
            )
        }
        Event::Joined { room, nick, asked } => {
            format!("joined {room} as {nick} for {:?}", asked.map(|tag| tag.0))
        }
        Event::Names { room, some, last } => {
            let some: Vec<_> = some
                .iter()
                .map(|name| format!("{}:{}", name.who.nick, name.ranks.0))
                .collect();
            format!(
                "names {room} [{}]{}",
                some.join(" "),
                if *last { " last" } else { "" }
            )
        }
        Event::Came { room, who, .. } => format!("came {room} {}", who.nick),
        Event::Left(left) => format!(
            "left {} {} {:?} by {} {:?}",
            left.room.as_deref().unwrap_or("*"),
            left.nicks.join(","),
            left.why,
            left.by.as_deref().unwrap_or("-"),
            left.text.as_deref().unwrap_or("")
        ),
        Event::Renamed { from, to } => format!("renamed {from} {to}"),
        Event::Keep { state } => format!("keep {}", String::from_utf8_lossy(state)),
        Event::Ranks { room, changes, by } => {
            let changes: Vec<_> = changes
                .iter()
                .map(|c| format!("{}+{}-{}", c.nick, c.set.0, c.cleared.0))
                .collect();
            format!(
                "ranks {room} {} by {}",
                changes.join(" "),
                by.as_deref().unwrap_or("-")
            )
        }
        Event::Subject {
            room,
            text,
            by,
            time,
            live,
        } => format!(
            "subject {room} {text:?} by {} at {:?}{}",
            by.as_deref().unwrap_or("-"),
            time.map(|time| time.0),
            if *live { " live" } else { "" }
        ),
        Event::Flags {
            room,
            flags,
            password,
        } => {
            let password = password.as_deref().map(|key| format!(" key {key}"));
            format!("flags {room} {flags:?}{}", password.unwrap_or_default())
        }
        Event::Typing { at, who, on } => format!("typing {} {} {on}", place(at), who.nick),
        Event::React { at, key, who, with } => {
            format!("react {} {} {} {with:?}", place(at), key.0, who.nick)
        }
        Event::Retract { at, key, by, text } => format!(
            "retract {} {} by {} {}",
            place(at),
            key.0,
            by.nick,
            text.as_deref().unwrap_or("-")
        ),
        Event::Read { at, key, who } => format!("read {} {} {}", place(at), key.0, who.nick),
        Event::Contact {
            contact,
            online,
            away,
            ..
        } => format!("contact {contact} {online} {away:?}"),
        Event::Past { tag, message } => format!(
            "past {} {} {} at {:?}: {}",
            tag.0,
            place(&message.at),
            message.who.nick,
            message.time.map(|time| time.0),
            message.body
        ),
        Event::Known { who } => format!(
            "known {} {} {} {}{}",
            who.nick,
            who.account.as_deref().unwrap_or("-"),
            who.handle.as_deref().unwrap_or("-"),
            who.name.as_deref().unwrap_or("-"),
            who.away
                .as_deref()
                .map(|away| format!(" away: {away}"))
                .unwrap_or_default()
        ),
        Event::PictureLink { at, url } => {
            format!("picture {} {}", place(at), url.as_deref().unwrap_or("-"))
        }
        Event::Knocked { room, who, .. } => format!("knocked {room} {}", who.nick),
        Event::Found { tag, fields } => {
            let fields: Vec<_> = fields.iter().map(|(l, v)| format!("{l}={v}")).collect();
            format!("found {} {}", tag.0, fields.join(" "))
        }
        Event::Invited { room, by, .. } => format!("invited {room} by {}", by.nick),
        Event::Notice { room, text } => {
            format!("notice {} {text}", room.as_deref().unwrap_or("*"))
        }
        other => format!("{other:?}"),
    }
}
