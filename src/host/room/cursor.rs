//! How much of a room a resource has been shown, and the next step.
//!
//! XEP-0045 §7.2 fixes the order: the others' presence, one's own presence, history, subject, then
//! what happens.

use super::presence::{self, Details, Standing};
use super::{Archive, Resource, Room, code};
use crate::component::Level;
use crate::host::delay::{from_stamp, write_delay};
use crate::host::names::NickId;
use crate::host::post::head;
use crate::host::session::Base;
use crate::store::{Page, Row};
use crate::xmpp::element::Element;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// Occupants shown under one lock of the outbox.
const CHUNK: usize = 256;

/// The most rows one read of the archive brings.
pub(super) const PAGE: usize = 1000;

/// How much of a room a resource has been shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Nothing: the network has not let us in yet.
    Waiting,
    /// Occupants with lower numbers; what was said and the subject follow as far as they are owed.
    Occupants {
        /// The next one's number.
        from: NickId,
    },
    /// The occupants and itself; the archive is being read.
    Loading,
    /// Everything.
    Live,
}

impl Cursor {
    /// From the start.
    pub(super) fn start() -> Self {
        Self::Occupants { from: NickId(0) }
    }

    /// Whether it is told at once what happens to that occupant.
    pub(super) fn has_passed(self, id: NickId) -> bool {
        match self {
            Self::Waiting => false,
            Self::Occupants { from } => id < from,
            Self::Loading | Self::Live => true,
        }
    }
}

/// What a resource wants to see of the past (XEP-0045 §7.2.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryWish {
    /// At most so many messages.
    pub(crate) stanzas: Option<usize>,
    /// Only those after this time, in milliseconds since 1970.
    pub(crate) since: Option<i64>,
    /// None at all (`maxchars='0'`).
    pub(crate) nothing: bool,
}

impl HistoryWish {
    /// Reads `<history/>` of an entrance; what cannot be read is as if it were not there.
    pub(crate) fn of(x: &Element, now_ms: i64) -> Self {
        let Some(history) = x.child("history", ns::MUC) else {
            return Self::default();
        };
        let number = |name| {
            history
                .attr(name)
                .and_then(|value| value.parse::<u32>().ok())
        };
        let seconds = number("seconds").map(|seconds| now_ms - i64::from(seconds) * 1000);
        let since = history.attr("since").and_then(from_stamp);
        Self {
            stanzas: number("maxstanzas").map(|n| n as usize),
            since: seconds.max(since),
            nothing: number("maxchars") == Some(0),
        }
    }

    fn asks(self) -> bool {
        self != Self::default()
    }

    fn wants_none(self) -> bool {
        self.nothing || self.stanzas == Some(0)
    }
}

impl Resource {
    /// Is to be shown the room from the start, as one who enters.
    pub(super) fn begin(&mut self, archive: Option<Archive>) {
        self.cursor = Cursor::start();
        // It is in: nothing can refuse it any more.
        self.entrance = None;
        let from_now_on = self.history.wants_none();
        self.seen = archive.map(|it| it.last).filter(|_| from_now_on);
        self.subject_owed = true;
    }
}

impl Room {
    /// Moves every cursor as far as it goes now. Returns whether there is more to do at once.
    pub(crate) fn advance(&mut self, base: &mut Base) -> bool {
        let mut more = false;
        for at in 0..self.resources.len() {
            while let Cursor::Occupants { from } = self.resources[at].cursor {
                if !base.outbox.is_up() || base.outbox.level() != Level::Live {
                    break;
                }
                self.show_occupants(base, at, from);
                more = true;
            }
        }
        more
    }

    fn show_occupants(&mut self, base: &mut Base, at: usize, from: NickId) {
        let Self {
            occupants,
            local,
            resources,
            flags,
            identity,
            ..
        } = self;
        let resource = &mut resources[at];
        let (mut next, mut shown) = (from, 0);
        let mark = base.outbox.push(|batch| {
            let mut table = base.names.lock();
            for occupant in occupants.chunk(from, CHUNK) {
                next = NickId(occupant.id.0 + 1);
                shown += 1;
                let face = identity.of(&table.source(occupant.id));
                let nick = table.name(occupant.id);
                if base.is_me(nick) {
                    continue;
                }
                let standing = Standing::of(occupant.ranks, &base.facts.ranks, flags.moderated);
                let details = Details {
                    id: Some(face),
                    about: table.about(occupant.id),
                    lang: resource.lang,
                    ..Details::default()
                };
                presence::available(batch, local, nick, &resource.jid, standing, details);
            }
        });
        resource.shown = resource.shown.max(mark);
        resource.cursor = Cursor::Occupants { from: next };
        if shown < CHUNK {
            self.show_self(base, at);
            self.show_past(base, at);
        }
    }

    /// The user's own presence ends the list of occupants (XEP-0045 §7.2.2).
    fn show_self(&mut self, base: &Base, at: usize) {
        let me = self.occupants.find(&base.facts.me, &base.facts.fold);
        let ranks = me.map(|me| me.ranks).unwrap_or_default();
        let standing = Standing::of(ranks, &base.facts.ranks, self.flags.moderated);
        let id = self.id_of(base, &base.facts.me);
        let resource = &mut self.resources[at];
        let mut codes = vec![code::SELF];
        if self.archive.is_some() {
            codes.push(code::LOGGED);
        }
        if resource.wished != base.facts.me {
            codes.push(code::NICK_ALTERED);
        }
        let details = Details {
            codes: &codes,
            id: Some(id),
            ..Details::default()
        };
        let (local, nick) = (&self.local, &base.facts.me);
        let mark = base.outbox.push(|batch| {
            presence::available(batch, local, nick, &resource.jid, standing, details);
        });
        resource.shown = resource.shown.max(mark);
    }

    /// Reads what it has not been shown from the archive, or passes on if there is nothing.
    fn show_past(&mut self, base: &mut Base, at: usize) {
        let resource = &mut self.resources[at];
        let page = match (self.archive, resource.seen) {
            (Some(archive), None) if archive.last > 0 => {
                let wish = resource.history;
                // Who does not ask for a certain past gets what nobody has heard yet, or the
                // newest few.
                let missed = usize::try_from(archive.last - archive.heard).unwrap_or(0);
                let newest = if wish.asks() {
                    wish.stanzas.unwrap_or(PAGE)
                } else {
                    base.history_of(&self.name).max(missed)
                };
                Page {
                    after: 0,
                    newest: newest.min(PAGE),
                    since: wish.since,
                    until: Some(archive.last),
                }
            }
            (Some(archive), Some(seen)) if archive.last > seen => page_behind(seen, archive.last),
            _ => return self.finish(base, at),
        };
        self.read(base, at, page);
    }

    fn read(&mut self, base: &mut Base, at: usize, page: Page) {
        let Some(archive) = self.archive else { return };
        let resource = &mut self.resources[at];
        resource.cursor = Cursor::Loading;
        base.load(self.key.clone(), resource.jid.clone(), archive.id, page);
    }

    /// Rows of the archive have come for a resource that enters.
    pub(crate) fn loaded(&mut self, base: &mut Base, jid: &str, until: i64, rows: &[Row]) {
        if jid.is_empty() {
            return self.looked_back(rows);
        }
        let Some(at) = self
            .resources
            .iter()
            .position(|resource| resource.jid == jid)
        else {
            return;
        };
        if self.resources[at].cursor != Cursor::Loading {
            return;
        }
        // A read begun before the stream broke may bring what another has brought.
        let seen = self.resources[at].seen.unwrap_or(0);
        for row in rows.iter().filter(|row| row.number > seen) {
            self.show_row(base, jid, row);
        }
        let seen = seen.max(until);
        self.resources[at].seen = Some(seen);
        // What was said while the archive was being read stands in it by now.
        match self.archive {
            Some(archive) if archive.last > seen => {
                self.read(base, at, page_behind(seen, archive.last));
            }
            _ => self.finish(base, at),
        }
    }

    fn finish(&mut self, base: &mut Base, at: usize) {
        if std::mem::take(&mut self.resources[at].subject_owed) {
            let jid = self.resources[at].jid.clone();
            self.show_subject(base, &jid, true);
        }
        self.resources[at].cursor = Cursor::Live;
        self.resources[at].again = false;
        if let Some(archive) = &mut self.archive {
            archive.heard = archive.last;
        }
    }

    /// Shows one archived message: as it was sent, with the time it was sent at (XEP-0203).
    fn show_row(&self, base: &Base, to: &str, row: &Row) {
        let Ok(stanza) = Element::parse(&row.stanza) else {
            let (user, room) = (&base.user, &self.local);
            tracing::error!(%user, room, row = row.number, "an archived message cannot be read");
            return;
        };
        if stanza.child("retracted", ns::RETRACT).is_some() {
            // XEP-0424 §5: who enters is not shown that there was something.
            return;
        }
        let holds = |name| stanza.child(name, ns::COMPONENT).is_some();
        if holds("subject") && !holds("body") {
            // What the room is about ends an entrance; it comes once, behind all else.
            return;
        }
        let nick = resource_from_nick(&row.nick);
        let from = Sender {
            local: Some(&self.local),
            resource: Some(nick.as_ref()).filter(|_| !row.nick.is_empty()),
        };
        let room = format!("{}@{}", self.local, base.outbox.domain());
        let (class, name) = (crate::component::Class::Message, StanzaName::Message);
        base.outbox.push(|batch| {
            batch.stanza(
                class,
                head(name, from, to, Some("groupchat"), stanza.attr("id")),
                |xml| {
                    for child in stanza
                        .children()
                        .filter(|child| !child.is("delay", ns::DELAY))
                    {
                        xml.element(child);
                    }
                    write_delay(xml, &room, row.at);
                },
            );
        });
    }
}

/// The rows that follow `seen`, as many as one read brings: none is skipped.
fn page_behind(seen: i64, last: i64) -> Page {
    let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
    Page {
        after: seen,
        newest: PAGE,
        since: None,
        until: Some(last.min(seen.saturating_add(most))),
    }
}
