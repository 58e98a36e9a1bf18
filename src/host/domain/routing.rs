//! Where each stanza goes: to a session, to the store-and-forward face, to the archive, to contacts,
//! or answered at once.

use std::sync::Arc;

use isthmus_gateway::{Address, FaultKind, Kind, Parsed};

use super::Domain;
use crate::component::Outbox;
use crate::host::chat;
use crate::host::contact::read_in;
use crate::host::desk::Desk;
use crate::host::disco;
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::router::{Addressee, Route, route};
use crate::host::search;
use crate::host::service;
use crate::host::table::{Key, Offer, Want};
use crate::host::words::{Denial, Lang, Said};
use crate::xmpp::element::Element;
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::stream::{Stanza, StanzaKind};

impl Domain {
    pub(super) fn dispatch(self: &Arc<Self>, outbox: &Outbox, stanza: Stanza) {
        let (Some(from), Some(to)) = (stanza.from(), stanza.to()) else {
            return;
        };
        let Ok(from) = Jid::parse(&from) else {
            return tracing::debug!("a stanza from what is no JID is dropped");
        };
        let user = from.bare();
        let to = match Jid::parse(&to) {
            Ok(to) => to,
            Err(_) => {
                if let Some(origin) = Origin::of(&stanza, self.language_of(&user)) {
                    origin.error(outbox, Condition::JidMalformed, Denial::AddressNoJid);
                }
                return;
            }
        };
        let hub = self.hub.get();
        if hub.is_some_and(|hub| hub.came_back(&stanza, &from)) {
            return;
        }
        let addressee = match (to.local(), to.resource()) {
            (None, _) => Addressee::Gateway,
            (Some(_), None) => Addressee::Bare,
            (Some(_), Some(_)) => Addressee::Full,
        };
        let route = route(stanza.kind(), stanza.kind_attr().as_deref(), addressee);
        let asks = !matches!(
            route,
            Route::Drop | Route::Tell | Route::End | Route::Presence
        );
        if asks && !self.access().admits(&user) {
            if let Some(origin) = self.origin_of(&stanza, &user, &to) {
                let text = Denial::NotAdmitted;
                origin.fault(outbox, &fault::of(FaultKind::NotAllowed, text));
            }
            return;
        }
        if self.to_hub(route, &stanza, &from, &to) {
            return;
        }
        self.follow(outbox, route, stanza, user, &to);
    }

    /// Takes a stanza of somebody who is admitted where its route leads.
    fn follow(
        self: &Arc<Self>,
        outbox: &Outbox,
        route: Route,
        stanza: Stanza,
        user: BareJid,
        to: &Jid,
    ) {
        let local = unescape(to.local().unwrap_or_default());
        let network = self.gateway.network(&local);
        if route == Route::Open && stanza.kind() != StanzaKind::Iq {
            self.activity.note(&user, tokio::time::Instant::now());
        }
        match route {
            Route::Drop => {
                if let Some(asker) = self.asker.get()
                    && stanza.kind() == StanzaKind::Iq
                {
                    asker.answered(&stanza);
                } else if stanza.kind() == StanzaKind::Message {
                    self.read_elsewhere(outbox, stanza, user);
                }
            }
            // These have been taken.
            Route::Subscription | Route::Presence => {}
            Route::Open if self.is_job(&stanza, &local) => self.send(outbox, &stanza, user, &local),
            Route::Open => {
                let network = network.into();
                let offer = self.offer(outbox, &Key { user, network }, stanza, Want::Open);
                self.refuse_rest(outbox, offer);
            }
            // What was asked in the name of one of our addresses.
            Route::Tell
                if stanza.kind() == StanzaKind::Iq
                    && self.asker.get().is_some_and(|it| it.answered(&stanza)) => {}
            Route::Tell | Route::End => {
                if let (Route::End, Some(courier)) = (route, self.courier.get()) {
                    courier.returned(&user, &stanza);
                }
                let network = network.into();
                // Nobody is there to be told, or he is told enough: nothing is owed.
                self.offer(outbox, &Key { user, network }, stanza, Want::End);
            }
            Route::Ask if self.asks_archive(&stanza, &user, to) => {}
            Route::Ask => self.ask(outbox, stanza, user, &local),
            Route::Host => match self.gateway.home() {
                Some(home) if self.lists_rooms(&stanza, &local) => {
                    let network = home.into();
                    let offer = self.offer(outbox, &Key { user, network }, stanza, Want::Open);
                    self.refuse_rest(outbox, offer);
                }
                _ => self.answer(outbox, &stanza, &user, &local),
            },
            Route::BadRequest => {
                if let Some(origin) = Origin::of(&stanza, self.language_of(&user)) {
                    origin.error(outbox, Condition::BadRequest, Denial::NoType);
                }
            }
        }
    }

    /// Takes an event of the user's PubSub service about what he has read (XEP-0490 §4.3).
    fn read_elsewhere(self: &Arc<Self>, outbox: &Outbox, stanza: Stanza, user: BareJid) {
        let from_account = stanza.from().as_deref() == Some(user.as_str());
        if !from_account || stanza.kind_attr().as_deref() != Some("headline") {
            return;
        }
        let Ok(event) = stanza.element() else { return };
        let read = read_in(&event, outbox.domain());
        if let Some((local, _)) = read.first() {
            let network = self.gateway.network(&unescape(local)).into();
            // Nobody is there to be told: his clients tell again when they read on.
            self.offer(outbox, &Key { user, network }, stanza, Want::Ask);
        }
    }

    /// Hands a question to the session, and answers it where there is none.
    fn ask(self: &Arc<Self>, outbox: &Outbox, stanza: Stanza, user: BareJid, local: &str) {
        let key = Key {
            user,
            network: self.gateway.network(local).into(),
        };
        // Whose rooms are asked for must be reached.
        let lists = self.lists_rooms(&stanza, local);
        let opens = lists || self.registers(&stanza, local);
        let want = if opens { Want::Open } else { Want::Ask };
        match self.offer(outbox, &key, stanza, want) {
            Offer::Absent(stanza) => self.answer(outbox, &stanza, &key.user, local),
            other => self.refuse_rest(outbox, other),
        }
    }

    /// Whether a stanza asks for the rooms of a network.
    fn lists_rooms(&self, stanza: &Stanza, local: &str) -> bool {
        if stanza.kind() != StanzaKind::Iq || !self.gateway.manifest().caps.rooms {
            return false;
        }
        let to = self.address(local);
        let service = |to: Address| matches!(to.kind, Kind::Gateway | Kind::Network);
        if stanza.kind_attr().as_deref() != Some("get") || !to.is_some_and(service) {
            return false;
        }
        let element = stanza.element().ok();
        let payload = element.as_ref().and_then(|it| it.children().next());
        payload.is_some_and(|it| match it.ns() {
            ns::DISCO_ITEMS => it.name() == "query" && it.attr("node").is_none(),
            _ => search::is_search(it),
        })
    }

    /// Whether a stanza asks a room to let one in (XEP-0045 §7.10): its network must be reached.
    fn registers(&self, stanza: &Stanza, local: &str) -> bool {
        if stanza.kind() != StanzaKind::Iq || !self.gateway.manifest().caps.rooms {
            return false;
        }
        let to = self.address(local);
        if stanza.kind_attr().as_deref() != Some("set") || !to.is_some_and(|it| is_room(it.kind)) {
            return false;
        }
        let element = stanza.element().ok();
        let payload = element.as_ref().and_then(|it| it.children().next());
        let registers = |it: &Element| it.is("query", ns::REGISTER);
        payload.is_some_and(|it| registers(it) && it.child("remove", ns::REGISTER).is_none())
    }

    /// Takes a request to an archive: the store answers it, whether there is a session or not.
    fn asks_archive(&self, stanza: &Stanza, user: &BareJid, to: &Jid) -> bool {
        let desk = self.desk.get();
        desk.is_some_and(|desk| desk.archive(stanza, user, to))
    }

    /// Whether a stanza is a message for the store-and-forward face.
    fn is_job(&self, stanza: &Stanza, local: &str) -> bool {
        stanza.kind() == StanzaKind::Message
            && self
                .gateway
                .courier()
                .is_some_and(|courier| self.address(local).is_none_or(|to| courier.serves(&to)))
    }

    /// Hands a message to the store-and-forward face.
    fn send(&self, outbox: &Outbox, stanza: &Stanza, user: BareJid, local: &str) {
        let (Some(origin), Some(courier)) = (
            Origin::of(stanza, self.language_of(&user)),
            self.courier.get(),
        ) else {
            return;
        };
        let element = match stanza.element() {
            Ok(element) => element,
            Err(fault) => return origin.error(outbox, fault.condition(), Denial::StanzaMalformed),
        };
        let origin = origin.saying_at(&*self.gateway, local, &element);
        let to = match self.gateway.parse(local, "") {
            Ok(Parsed::Canonical(to)) => to,
            Ok(Parsed::Moved(proper)) => {
                let proper = format!("{}@{}", escape(&proper), outbox.domain());
                return origin.moved(outbox, &proper);
            }
            Err(fault) => {
                return origin.error(outbox, Condition::JidMalformed, Said::theirs(fault.text));
            }
        };
        courier.message(origin, user, vec![to], element);
    }

    fn refuse_rest(&self, outbox: &Outbox, offer: Offer) {
        if let Offer::Refused(stanza, text) = offer
            && let Some(from) = stanza.from().and_then(|from| Jid::parse(&from).ok())
            && let Some(to) = stanza.to().and_then(|to| Jid::parse(&to).ok())
            && let Some(origin) = self.origin_of(&stanza, &from.bare(), &to)
        {
            origin.fault(outbox, &fault::of(FaultKind::Full, text));
        }
    }

    /// Where the answer to a stanza goes that nobody has read yet.
    fn origin_of(&self, stanza: &Stanza, user: &BareJid, to: &Jid) -> Option<Origin> {
        let origin = Origin::of(stanza, self.language_of(user))?;
        if stanza.kind() != StanzaKind::Message {
            return Some(origin);
        }
        let local = unescape(to.local().unwrap_or_default());
        match stanza.element() {
            Ok(element) => Some(origin.saying_at(&*self.gateway, &local, &element)),
            Err(_) => Some(origin),
        }
    }

    /// The language of answers to a user who asks for none.
    fn language_of(&self, user: &BareJid) -> Lang {
        let domain = self.outbox.get().map_or("", Outbox::domain);
        self.shared.language_of(domain, user)
    }

    pub(super) fn address(&self, local: &str) -> Option<Address> {
        if local.is_empty() {
            return Some(Address::new(Kind::Gateway, "", ""));
        }
        match self.gateway.parse(local, "") {
            Ok(Parsed::Canonical(address)) => Some(address),
            _ => None,
        }
    }

    /// Answers what needs no session.
    fn answer(&self, outbox: &Outbox, stanza: &Stanza, user: &BareJid, local: &str) {
        let Some(origin) = Origin::of(stanza, self.language_of(user)) else {
            return;
        };
        let Some(to) = self.address(local) else {
            let text = Denial::AddressBad;
            return origin.error(outbox, Condition::JidMalformed, text);
        };
        let element = match stanza.element() {
            Ok(element) => element,
            Err(fault) => return origin.error(outbox, fault.condition(), Denial::StanzaMalformed),
        };
        let desk = self
            .desk
            .get()
            .filter(|_| to.kind == Kind::Gateway || origin.resource.is_none());
        let asker = |desk: &Arc<Desk>| desk.asker(&origin, user, &to, element.attr("xml:lang"));
        if stanza.kind() == StanzaKind::Message {
            let itself = desk.filter(|_| to.kind == Kind::Gateway);
            if itself.is_some_and(|desk| desk.several(&origin, user, &element)) {
                return;
            }
            let Some(body) = chat::body_of(&element) else {
                return;
            };
            // What stands beside it are words of the client's.
            if let Some(fault) = chat::encrypted(&element) {
                return origin.fault(outbox, &fault);
            }
            let chats = stanza.kind_attr().as_deref() != Some("groupchat");
            let desk = desk.filter(|_| chats && to.kind == Kind::Gateway);
            if !desk.is_some_and(|desk| desk.chat(&origin, asker(desk), &body.text())) {
                origin.error(outbox, Condition::ServiceUnavailable, Denial::NobodyReads);
            }
            return;
        }
        let mut payloads = element.children();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            let text = Denial::IqPayload;
            return origin.error(outbox, Condition::BadRequest, text);
        };
        let get = stanza.kind_attr().as_deref() == Some("get");
        if !desk.is_some_and(|desk| desk.iq(&origin, asker(desk), get, payload)) {
            if get && to.kind == Kind::Gateway && payload.is("query", ns::DISCO_INFO) {
                let node = payload.attr("node");
                return disco::itself(outbox, &*self.gateway, &self.shared, &origin, node);
            }
            let rules = disco::Rules::of(&self.shared, outbox.domain());
            service::answer(outbox, &*self.gateway, &origin, &to, get, payload, rules);
        }
    }
}
