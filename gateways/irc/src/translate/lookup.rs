//! Asking the network: who somebody is (WHOIS) and which channels there are (LIST).
//!
//! Answers come in pieces: those of a WHOIS are gathered and told when it ends, channels as they
//! come. A LIST at a time: servers do not say which of two a line answers.

use isthmus_gateway::{Event, Fault, FaultKind, Outcome, Sink, Tag, Text};

use super::asked::Want;
use super::send::is_target;
use super::{Conversation, done, format};
use crate::line::{Line, to_iso};

/// What a WHOIS has brought so far.
#[derive(Default)]
pub(super) struct Whois {
    /// The folded nickname.
    key: Vec<u8>,
    fields: Vec<(&'static str, String)>,
    /// The folded nicknames of those that ended before their last line: what still comes of them
    /// is nothing to read.
    failed: Vec<Vec<u8>>,
}

/// Look-ups whose last lines may still come.
const MOST_FAILED: usize = 16;

/// Values of one WHOIS.
const MOST_FIELDS: usize = 32;

const AWAY: u16 = 301;
const REG_NICK: u16 = 307;
const USER: u16 = 311;
const SERVER: u16 = 312;
const OPERATOR: u16 = 313;
const IDLE: u16 = 317;
const CHANNELS: u16 = 319;
/// UnrealIRCd, ergo, InspIRCd: the mode of bots.
const BOT: u16 = 335;
const ACCOUNT: u16 = 330;
const ACTUALLY: u16 = 338;
const HOST: u16 = 378;
const SECURE: u16 = 671;
const CERTIFICATE: u16 = 276;
const SPECIAL: u16 = 320;

impl Conversation {
    pub(super) fn lookup(&mut self, tag: Tag, nick: &str, sink: &mut dyn Sink) {
        if !is_target(nick) || self.isupport.is_channel(nick) {
            let fault = Fault::new(
                FaultKind::BadAddress,
                ("not the name of a person", "不是人的名称"),
            );
            return done(tag, Err(fault), sink);
        }
        self.ask(tag, Want::Lookup, (nick, ""), format!("WHOIS {nick}"), sink);
    }

    pub(super) fn list(&mut self, tag: Tag, search: Option<&str>, sink: &mut dyn Sink) {
        if self.asked.iter().any(|asked| asked.want == Want::List) {
            let words = (
                "the network is being asked for its channels already",
                "正在向该网络查询频道列表",
            );
            return done(tag, Err(Fault::new(FaultKind::TooFast, words)), sink);
        }
        let search = search.unwrap_or("").trim().to_lowercase();
        self.ask(tag, Want::List, ("", &search), "LIST".to_owned(), sink);
        if let Some(asked) = self.asked.last_mut().filter(|asked| asked.tag == tag) {
            asked.nick = search.into_bytes();
        }
    }

    /// A piece of a WHOIS. False: nobody has asked for it.
    pub(super) fn on_whois(&mut self, number: u16, line: &Line<'_>) -> bool {
        let Some(nick) = line.param(1) else {
            return false;
        };
        let key = self.folded(nick);
        let open = |asked: &super::Asked| asked.want == Want::Lookup && asked.key == key;
        if !self
            .asked
            .iter()
            .any(|asked| asked.gone.is_some() && open(asked))
        {
            return self.whois.failed.contains(&key);
        }
        if self.whois.key != key {
            self.whois.key = key;
            self.whois.fields = vec![("nick", nick.to_owned())];
        }
        let word = |at: usize| line.param(at).unwrap_or("");
        let whois = &mut self.whois;
        match number {
            USER => {
                whois.add("user", word(2));
                whois.add("host", word(3));
                whois.add("name", &format::plain(line.last()).body);
            }
            SERVER => whois.add("server", word(2)),
            IDLE => {
                whois.add("idle", word(2));
                if let Ok(since) = word(3).parse::<i64>() {
                    let since = isthmus_gateway::Time(since.saturating_mul(1000));
                    whois.add("since", &to_iso(since));
                }
            }
            CHANNELS => whois.add("channels", line.last()),
            ACCOUNT => whois.add("account", word(2)),
            AWAY => whois.add("away", &format::plain(line.last()).body),
            REG_NICK | OPERATOR | BOT | ACTUALLY | HOST | SECURE | CERTIFICATE | SPECIAL => {
                let label = match number {
                    OPERATOR => "operator",
                    BOT => "bot",
                    SECURE => "secure",
                    CERTIFICATE => "certificate",
                    ACTUALLY | HOST => "address",
                    _ => "note",
                };
                let words = line.params().get(2..).unwrap_or(&[]).join(" ");
                whois.add(label, &words);
            }
            _ => return false,
        }
        true
    }

    /// 318: the WHOIS ends.
    pub(super) fn on_whois_end(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        let Some(tag) = self.take_asked(|a| a.want == Want::Lookup && a.key == key) else {
            let failed = self.whois.failed.iter().position(|it| *it == key);
            return failed.map(|at| self.whois.failed.remove(at)).is_some();
        };
        let whois = &mut self.whois;
        let (told, fields) = (
            std::mem::take(&mut whois.key),
            std::mem::take(&mut whois.fields),
        );
        if told != key || fields.is_empty() {
            let fault = Fault::new(
                FaultKind::NoSuchTarget,
                ("there is nobody of that name", "没有这个名称的人"),
            );
            done(tag, Err(fault), sink);
            return true;
        }
        let fields = fields.into_iter();
        let fields = fields.map(|(label, value)| (label.into(), Text::Owned(value)));
        sink.event(Event::Found {
            tag,
            fields: fields.collect(),
        });
        done(tag, Ok(Outcome::Finished), sink);
        true
    }

    /// A look-up has ended before its last line (401 comes before 318).
    pub(super) fn lookup_failed(&mut self, key: Vec<u8>) {
        let failed = &mut self.whois.failed;
        if failed.len() == MOST_FAILED {
            failed.remove(0);
        }
        failed.push(key);
    }

    /// `322 me #channel users :topic`. False: nobody has asked for it.
    pub(super) fn on_list(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let open = |asked: &&mut super::Asked| asked.want == Want::List && asked.gone.is_some();
        let Some(asked) = self.asked.iter_mut().find(open) else {
            return false;
        };
        // As long as channels come the network answers, however many they are.
        asked.gone = asked.gone.map(|(place, _)| (place, self.clock));
        let (Some(name), users) = (line.param(1), line.param(2).unwrap_or("")) else {
            return true;
        };
        let topic = format::plain(line.param(3).unwrap_or("")).body;
        let search = String::from_utf8_lossy(&asked.nick);
        let fits = |text: &str| text.to_lowercase().contains(&*search);
        // Some servers show a secret channel as `*`.
        if self.isupport.is_channel(name) && (fits(name) || fits(&topic)) {
            let fields = [("room", name), ("occupants", users), ("subject", &*topic)];
            let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
            sink.event(Event::Found {
                tag: asked.tag,
                fields: fields
                    .map(|(label, value)| (label.into(), value.into()))
                    .collect(),
            });
        }
        true
    }

    /// 323: that was the last channel.
    pub(super) fn on_list_end(&mut self, sink: &mut dyn Sink) -> bool {
        self.finish(|asked| asked.want == Want::List, sink)
    }
}

impl Whois {
    fn add(&mut self, label: &'static str, value: &str) {
        if !value.is_empty() && self.fields.len() < MOST_FIELDS {
            self.fields.push((label, value.to_owned()));
        }
    }
}
