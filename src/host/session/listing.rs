//! The rooms of a network (XEP-0045 §6.3: disco#items of the service), page by page (XEP-0059).
//!
//! A list may be long and costs the network something: it is asked for once, and pages that go on
//! from an earlier one come from what was found then.

use std::time::{Duration, Instant};

use isthmus_gateway::{Command, Fault, Kind, Tag, Text};

use super::{Pending, Session};
use crate::host::reply::Origin;
use crate::host::rsm::Paging;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// How long a list is good for a first page.
const FRESH: Duration = Duration::from_secs(60);
/// How long it is kept for the pages that go on.
const KEPT: Duration = Duration::from_secs(600);
/// The most rooms that are kept.
const MOST: usize = 100_000;
/// The most requests that wait for one list.
const MOST_WAITING: usize = 64;

/// One room.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    jid: String,
    name: String,
}

/// What the network has told of its rooms.
#[derive(Debug, Default)]
pub(super) struct Listing {
    rooms: Vec<Listed>,
    /// When the list was complete.
    at: Option<Instant>,
    /// The command that asks for a new one.
    asked: Option<Tag>,
    found: Vec<Listed>,
    waiting: Vec<(Origin, Paging)>,
}

impl Session {
    /// Takes disco#items of the service.
    pub(super) fn list_rooms(&mut self, origin: Origin, query: &Element) {
        let Some(paging) = Paging::of(query) else {
            let text = "this page makes no sense";
            return origin.error(&self.base.outbox, Condition::BadRequest, text);
        };
        let now = self.base.now;
        let listing = &mut self.listing;
        let good_for = if paging.goes_on() { KEPT } else { FRESH };
        if listing.at.is_some_and(|at| now - at < good_for) {
            return self.answer_listing(&origin, &paging);
        }
        if listing.waiting.len() >= MOST_WAITING {
            let text = "too many wait for this list";
            return origin.error(&self.base.outbox, Condition::ResourceConstraint, text);
        }
        listing.waiting.push((origin, paging));
        if listing.asked.is_none() {
            let command = Command::ListRooms { search: None };
            listing.asked = Some(self.base.issue(command, Pending::Rooms));
        }
    }

    /// The network tells of one room.
    pub(super) fn room_found(&mut self, tag: Tag, fields: &[(Text<'_>, Text<'_>)]) {
        if self.listing.asked != Some(tag) || self.listing.found.len() >= MOST {
            return;
        }
        let value = |name: &str| {
            let field = fields.iter().find(|(label, _)| label == name);
            field.map_or("", |(_, value)| value.as_ref())
        };
        let room = value("room");
        let Ok(local) = self.base.local(Kind::Room, room) else {
            return;
        };
        let jid = format!("{local}@{}", self.base.outbox.domain());
        let mut name = room.to_owned();
        if !value("occupants").is_empty() {
            name = format!("{name} ({})", value("occupants"));
        }
        if !value("subject").is_empty() {
            name = format!("{name}: {}", value("subject"));
        }
        self.listing.found.push(Listed { jid, name });
    }

    /// The list is complete, or cannot be had.
    pub(super) fn listing_ended(&mut self, fault: Option<&Fault>) {
        let listing = &mut self.listing;
        listing.asked = None;
        let mut found = std::mem::take(&mut listing.found);
        let waiting = std::mem::take(&mut listing.waiting);
        if let Some(fault) = fault {
            for (origin, _) in waiting {
                self.base.answer_fault(&origin, fault);
            }
            return;
        }
        found.sort_unstable_by(|one, other| one.jid.cmp(&other.jid));
        found.dedup_by(|one, other| one.jid == other.jid);
        listing.rooms = found;
        listing.at = Some(self.base.now);
        for (origin, paging) in waiting {
            self.answer_listing(&origin, &paging);
        }
    }

    /// Until when a list is good for a first page.
    pub(super) fn listing_fresh(&self) -> Option<Instant> {
        Some(self.listing.at? + FRESH)
    }

    /// Forgets a list that has had its time.
    pub(super) fn tidy_listing(&mut self) {
        if self.listing.at.is_some_and(|at| at + KEPT <= self.base.now) {
            self.listing.rooms = Vec::new();
            self.listing.at = None;
        }
    }

    fn answer_listing(&self, origin: &Origin, paging: &Paging) {
        let rooms = &self.listing.rooms;
        answer_page(
            &self.base.outbox,
            origin,
            paging,
            rooms,
            |room| &room.jid,
            |room| &room.name,
        );
    }
}

/// Answers disco#items with one page of a list of addresses and names.
pub(super) fn answer_page<T>(
    outbox: &crate::component::Outbox,
    origin: &Origin,
    paging: &Paging,
    list: &[T],
    jid: impl Fn(&T) -> &str,
    name: impl Fn(&T) -> &str,
) {
    let Some(page) = paging.range(list, &jid) else {
        let text = "there is no such page";
        return origin.error(outbox, Condition::ItemNotFound, text);
    };
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_ITEMS);
        for item in list.get(page.clone()).unwrap_or_default() {
            xml.start("item").attr("jid", jid(item));
            xml.attr("name", name(item)).end();
        }
        paging.write(xml, list, &page, &jid);
        xml.end();
    });
}
