//! Pictures of people and channels: the key `avatar` of IRCv3 metadata (`draft/metadata-2`, keys by
//! the IRCv3 registry), subscribed to and told as links. The host fetches them.
//!
//! The user's own is set where he wants it. No other key is asked for. What a user asks by lines of his own (`METADATA nick LIST`) is
//! answered to him as it is.

use std::time::{Duration, Instant};

use isthmus_gateway::{Event, Fault, FaultKind, Place, Sink, Tag};

use super::asked::{Asked, Want};
use super::caps::Cap;
use super::command::one_line;
use super::queue::Owner;
use super::{Conversation, Phase, done, numeric};
use crate::line::Line;

/// The key that is subscribed to.
const AVATAR: &str = "avatar";
/// What stands for `{size}` in a link, in pixels: so large avatars are shown, and so small a
/// picture fits into a stanza.
const SIZE: &str = "96";
/// Synchronisations that are put off at a time.
const MOST_LATER: usize = 128;
/// For how long one is put off where the server does not say, and at most.
const LATER: Duration = Duration::from_secs(30);
const LATEST: u64 = 3600;

const WHOIS_KEY_VALUE: u16 = 760;
const KEY_VALUE: u16 = 761;
const KEY_NOT_SET: u16 = 766;
const SUBSCRIBED: u16 = 770;
const UNSUBSCRIBED: u16 = 771;
const SUBSCRIPTIONS: u16 = 772;
const SYNC_LATER: u16 = 774;

/// What is under way of it.
#[derive(Default)]
pub(super) struct Metadata {
    subscribed: bool,
    /// Of whom or what the server tells when it is asked again, and when to ask.
    later: Vec<(Instant, Box<str>)>,
}

/// `max-subs`, of the value of the capability.
pub(super) fn most_keys(value: &str) -> Option<u32> {
    let word = value.split(',').find_map(|it| it.strip_prefix("max-subs="));
    word?.parse().ok()
}

impl Conversation {
    /// Whether pictures are told.
    pub(super) fn has_metadata(&self) -> bool {
        // The capability depends on the other.
        let granted = self.can(Cap::Metadata) && self.can(Cap::Batch);
        granted && self.caps.keys != Some(0)
    }

    /// Subscribes, where that can be done and was not yet.
    pub(super) fn follow_keys(&mut self) {
        if !self.has_metadata() {
            return self.forget_keys();
        }
        if matches!(self.phase, Phase::Online) && !self.metadata.subscribed {
            self.metadata.subscribed = true;
            let line = format!("METADATA * SUB {AVATAR}");
            self.queue.push(line, Owner::None);
        }
    }

    /// Nothing is subscribed to any more.
    pub(super) fn forget_keys(&mut self) {
        self.metadata = Metadata::default();
    }

    /// `METADATA target key visibility [:value]`.
    pub(super) fn on_metadata(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        self.key_told(line, 0, sink);
    }

    /// The numbers of the specification. False: it is another.
    pub(super) fn on_metadata_reply(
        &mut self,
        number: u16,
        line: &Line<'_>,
        sink: &mut dyn Sink,
    ) -> bool {
        if !self.can(Cap::Metadata) {
            return false;
        }
        match number {
            WHOIS_KEY_VALUE => self.key_told(line, 1, sink),
            // What the host has set it knows.
            KEY_VALUE | KEY_NOT_SET if self.avatar_taken(line, sink) => return true,
            KEY_VALUE | KEY_NOT_SET => {
                if number == KEY_VALUE {
                    self.key_told(line, 1, sink);
                } else if let (Some(target), Some(key)) = (line.param(1), line.param(2)) {
                    self.tell_picture(target, key, None, sink);
                }
            }
            SUBSCRIBED | UNSUBSCRIBED | SUBSCRIPTIONS => {}
            SYNC_LATER => {
                self.sync_later(line);
                return true;
            }
            _ => return false,
        }
        if self.is_curious() {
            self.on_other(number, line, sink);
        }
        true
    }

    /// Shows the user to others.
    pub(super) fn show_avatar(&mut self, tag: Tag, url: Option<&str>, sink: &mut dyn Sink) {
        if !self.has_metadata() {
            let words = ("this network shows no pictures", "此网络不显示头像");
            return done(tag, Err(Fault::new(FaultKind::Unsupported, words)), sink);
        }
        let line = match url {
            Some(url) => format!("METADATA * SET {AVATAR} :{}", one_line(url)),
            None => format!("METADATA * SET {AVATAR}"),
        };
        self.ask(tag, Want::Avatar, ("", ""), line, sink);
    }

    /// 761 and 766 of the user's own avatar. False: nobody has set it here.
    fn avatar_taken(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let target = line.param(1).unwrap_or("");
        let mine = target == "*" || self.is_me(target);
        let key = line.param(2).unwrap_or("");
        let it = mine && key.eq_ignore_ascii_case(AVATAR);
        it && self.finish(|asked| asked.want == Want::Avatar, sink)
    }

    /// `FAIL METADATA KEY_NOT_SET ...`: what was to be taken away was not there, so it is done. With
    /// a label only the command that it names is. False: it is about something else.
    pub(super) fn on_nothing_to_unset(
        &mut self,
        code: &str,
        line: &Line<'_>,
        sink: &mut dyn Sink,
    ) -> bool {
        if line.param(0) != Some("METADATA") || code != "KEY_NOT_SET" {
            return false;
        }
        let label = self.context.label;
        let is_it = |asked: &Asked| {
            asked.want == Want::Avatar && label.is_none_or(|tag| asked.line() == tag)
        };
        let ended = self.finish(is_it, sink);
        self.context.used |= ended && label.is_some();
        ended
    }

    /// `FAIL METADATA code ...`: of what the host has set, else told to who has asked by a line of
    /// his own.
    pub(super) fn on_metadata_fail(&mut self, code: &str, line: &Line<'_>, sink: &mut dyn Sink) {
        let set = if code == "TOO_MANY_SUBS" {
            None
        } else {
            let label = self.context.label;
            self.take_asked(|asked| {
                asked.want == Want::Avatar && label.is_none_or(|tag| asked.line() == tag)
            })
        };
        if let Some(tag) = set {
            let fault = Fault::new(numeric::fail_kind(code), line.last());
            done(tag, Err(fault), sink);
        } else if self.is_curious() {
            self.chatter(line.last(), true, sink);
        } else {
            tracing::debug!(code = line.param(1), "metadata refused");
        }
    }

    /// `target key visibility [:value]`, from the parameter at `first` on.
    fn key_told(&mut self, line: &Line<'_>, first: usize, sink: &mut dyn Sink) {
        let word = |at: usize| line.param(first + at);
        if let (Some(target), Some(key)) = (word(0), word(1)) {
            self.tell_picture(target, key, word(3), sink);
        }
    }

    fn tell_picture(&self, target: &str, key: &str, value: Option<&str>, sink: &mut dyn Sink) {
        // Before anybody is known nobody can be shown.
        let online = matches!(self.phase, Phase::Online);
        if !online || target.is_empty() || !key.eq_ignore_ascii_case(AVATAR) {
            return;
        }
        let url = value.map(str::trim).filter(|url| !url.is_empty());
        let at = match target {
            "*" => Place::Contact(self.me.as_str().into()),
            _ if self.isupport.is_channel(target) => Place::Room(target.into()),
            _ => Place::Contact(target.into()),
        };
        sink.event(Event::PictureLink {
            at,
            url: url.map(|url| url.replace("{size}", SIZE).into()),
        });
    }

    /// `774 me target [seconds]`: what there is of it can be asked for later.
    fn sync_later(&mut self, line: &Line<'_>) {
        let Some(target) = line.param(1) else { return };
        let seconds = line.param(2).and_then(|text| text.parse::<u64>().ok());
        let wait = seconds.map_or(LATER, |it| Duration::from_secs(it.clamp(1, LATEST)));
        let key = self.folded(target);
        let later = &mut self.metadata.later;
        later.retain(|(_, other)| !self.isupport.fold.same(other, target));
        let known = self.rooms.iter().any(|room| *room.key == *key);
        if (known || self.is_watched(target)) && self.metadata.later.len() < MOST_LATER {
            let entry = (self.clock + wait, target.into());
            self.metadata.later.push(entry);
        }
    }

    /// When something is to be asked for again.
    pub(super) fn sync_deadline(&self) -> Option<Instant> {
        self.metadata.later.iter().map(|(at, _)| *at).min()
    }

    /// Asks for what is due, if it is still of interest.
    pub(super) fn sync_tick(&mut self, now: Instant) {
        while let Some(due) = self.metadata.later.iter().position(|(at, _)| *at <= now) {
            if !self.queue.fits(1) {
                self.metadata.later[due].0 = now + LATER;
                continue;
            }
            let (_, target) = self.metadata.later.swap_remove(due);
            if self.room(&target).is_some() || self.is_watched(&target) {
                let line = format!("METADATA {target} SYNC");
                self.queue.push(line, Owner::None);
            }
        }
    }
}
