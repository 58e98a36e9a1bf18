//! The rooms of a network (XEP-0045 §6.3: disco#items of the service; XEP-0433: a search), page by
//! page (XEP-0059).
//!
//! A list may be long and costs the network something: it is asked for once, and pages that go on
//! from an earlier one come from what was found then.

use std::time::{Duration, Instant};

use isthmus_gateway::{Command, Fault, Kind, Tag, Text};

use super::{Pending, Session};
use crate::host::reply::Origin;
use crate::host::rsm::Paging;
use crate::host::search::{self, Listed, Refusal, Search};
use crate::host::words::Denial;
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

/// What the network has told of its rooms.
#[derive(Debug, Default)]
pub(super) struct Listing {
    rooms: Vec<Listed>,
    /// When the list was complete.
    at: Option<Instant>,
    /// The command that asks for a new one.
    asked: Option<Tag>,
    found: Vec<Listed>,
    waiting: Vec<Wish>,
}

/// Who waits for a list, for which page of it, or of what he searches for in it.
#[derive(Debug)]
struct Wish {
    origin: Origin,
    paging: Paging,
    search: Option<Search>,
}

impl Session {
    /// Takes disco#items of the service.
    pub(super) fn list_rooms(&mut self, origin: Origin, query: &Element) {
        let Some(paging) = Paging::of(query) else {
            let text = Denial::PageSenseless;
            return origin.error(&self.base.outbox, Condition::BadRequest, text);
        };
        let search = None;
        self.list(Wish {
            origin,
            paging,
            search,
        });
    }

    /// Takes a search (XEP-0433 §4.2).
    pub(super) fn search_rooms(&mut self, origin: Origin, payload: &Element) {
        let search = match Search::of(payload) {
            Ok(search) => Some(search),
            Err(refusal) => return refuse(&self.base.outbox, &origin, refusal),
        };
        let Some(paging) = Paging::of(payload) else {
            let refusal = Refusal::Value(Denial::PageSenseless);
            return refuse(&self.base.outbox, &origin, refusal);
        };
        self.list(Wish {
            origin,
            paging,
            search,
        });
    }

    fn list(&mut self, wish: Wish) {
        let now = self.base.now;
        let listing = &mut self.listing;
        let good_for = if wish.paging.goes_on() { KEPT } else { FRESH };
        if listing.at.is_some_and(|at| now - at < good_for) {
            return self.answer_listing(&wish);
        }
        if listing.waiting.len() >= MOST_WAITING {
            return refuse(&self.base.outbox, &wish.origin, Refusal::Rate);
        }
        listing.waiting.push(wish);
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
        let found = Listed {
            jid,
            name: room.to_owned(),
            occupants: value("occupants").parse().ok(),
            subject: value("subject").to_owned(),
        };
        self.listing.found.push(found);
    }

    /// The list is complete, or cannot be had.
    pub(super) fn listing_ended(&mut self, fault: Option<&Fault>) {
        let listing = &mut self.listing;
        listing.asked = None;
        let mut found = std::mem::take(&mut listing.found);
        let waiting = std::mem::take(&mut listing.waiting);
        if let Some(fault) = fault {
            for wish in waiting {
                self.base.answer_fault(&wish.origin, fault);
            }
            return;
        }
        found.sort_unstable_by(|one, other| one.jid.cmp(&other.jid));
        found.dedup_by(|one, other| one.jid == other.jid);
        listing.rooms = found;
        listing.at = Some(self.base.now);
        for wish in waiting {
            self.answer_listing(&wish);
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

    fn answer_listing(&self, wish: &Wish) {
        let (outbox, rooms) = (&self.base.outbox, &self.listing.rooms);
        let (origin, paging) = (&wish.origin, &wish.paging);
        let Some(search) = &wish.search else {
            return answer_page(outbox, origin, paging, rooms, |it| &it.jid, named);
        };
        let found = search.of_list(rooms);
        let Some(page) = paging.range(&found, jid_of) else {
            let text = Denial::NoPage;
            return origin.error(outbox, Condition::ItemNotFound, text);
        };
        origin.result(outbox, |xml| {
            xml.start_ns("result", ns::CHANNEL_SEARCH);
            for room in found.get(page.clone()).unwrap_or_default() {
                search::write_item(xml, room);
            }
            paging.write(xml, &found, &page, jid_of);
            xml.end();
        });
    }
}

fn jid_of<'a>(room: &'a &Listed) -> &'a str {
    &room.jid
}

/// What a room is called in a list: with its users and its subject.
fn named(room: &Listed) -> String {
    let mut name = room.name.clone();
    if let Some(occupants) = room.occupants {
        name = format!("{name} ({occupants})");
    }
    if !room.subject.is_empty() {
        name = format!("{name}: {}", room.subject);
    }
    name
}

fn refuse(outbox: &crate::component::Outbox, origin: &Origin, refusal: Refusal) {
    let (condition, kind, _, text) = refusal.error();
    origin.refuse(outbox, (condition, kind), text, |xml| refusal.write(xml));
}

/// Answers disco#items with one page of a list of addresses and names.
pub(super) fn answer_page<T>(
    outbox: &crate::component::Outbox,
    origin: &Origin,
    paging: &Paging,
    list: &[T],
    jid: impl Fn(&T) -> &str,
    name: impl Fn(&T) -> String,
) {
    let Some(page) = paging.range(list, &jid) else {
        let text = Denial::NoPage;
        return origin.error(outbox, Condition::ItemNotFound, text);
    };
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_ITEMS);
        for item in list.get(page.clone()).unwrap_or_default() {
            xml.start("item").attr("jid", jid(item));
            xml.attr("name", &name(item)).end();
        }
        paging.write(xml, list, &page, &jid);
        xml.end();
    });
}
