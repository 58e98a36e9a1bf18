//! What clients make of the rooms they are shown: one [`Seat`] for each resource and room, kept by
//! nothing but the stanzas that reach it (XEP-0045).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use isthmus::xmpp::element::Element;
use isthmus::xmpp::ns;
use isthmus_gateway::Ranks;
use tokio::time::Instant;

use crate::server::{Clients, Position};

/// How long a client waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a resource stands to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Out,
    /// Asked to enter; asks again then.
    Entering(Instant),
    Inside,
    /// Asked to leave so many times; asks again then.
    Leaving(u32, Instant),
}

/// One resource in one room.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Full JID.
    pub(crate) jid: String,
    /// The room's localpart.
    pub(crate) room: String,
    /// The nickname it asks for.
    pub(crate) nick: String,
    pub(crate) stage: Stage,
    /// Its server knows it; else messages to it bounce.
    pub(crate) online: bool,
    /// The nickname it was told is its own.
    pub(crate) own: Option<String>,
    /// Affiliation and role by nickname.
    pub(crate) occupants: BTreeMap<String, (String, String)>,
    pub(crate) subject: Option<String>,
    /// Bodies in the order they were first shown in.
    pub(crate) shown: Vec<String>,
    /// Own messages: reflections and errors.
    pub(crate) answers: HashMap<String, (u32, u32)>,
    /// Messages by id, with where they stood.
    seen: HashMap<String, (usize, String)>,
    /// An entrance or a leave got lost, and stanzas of an earlier visit may still come: a client
    /// cannot know what it sees, and asks again on a quiet day.
    pub(crate) uncertain: bool,
    /// It is to enter once more.
    pub(crate) rejoins: bool,
    /// Times a message came again.
    pub(crate) again: usize,
    /// Presence stanzas received.
    pub(crate) presences: usize,
    pub(crate) faults: Vec<String>,
}

impl Seat {
    pub(crate) fn new(jid: &str, room: &str, nick: &str) -> Self {
        Self {
            jid: jid.to_owned(),
            room: room.to_owned(),
            nick: nick.to_owned(),
            stage: Stage::Out,
            online: true,
            own: None,
            occupants: BTreeMap::new(),
            subject: None,
            shown: Vec::new(),
            answers: HashMap::new(),
            seen: HashMap::new(),
            uncertain: false,
            rejoins: false,
            again: 0,
            presences: 0,
            faults: Vec::new(),
        }
    }

    fn forget(&mut self) {
        self.own = None;
        self.occupants.clear();
        self.subject = None;
        self.shown.clear();
        self.seen.clear();
    }

    /// Asks to enter.
    pub(crate) fn enter(&mut self) -> String {
        if matches!(self.stage, Stage::Entering(_)) {
            // The first time may have been heard: what it brings still counts.
            self.uncertain = true;
        } else {
            self.forget();
        }
        self.online = true;
        self.stage = Stage::Entering(Instant::now() + PATIENCE);
        let Self {
            jid, room, nick, ..
        } = self;
        format!(
            "<presence from='{jid}' to='{room}@{DOMAIN}/{nick}'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
    }

    /// Asks again to be shown everything, when in doubt: what it thought it knew is forgotten.
    pub(crate) fn enter_anew(&mut self) -> String {
        self.forget();
        self.stage = Stage::Out;
        self.uncertain = false;
        self.enter()
    }

    /// Asks to leave.
    pub(crate) fn leave(&mut self) -> String {
        let times = match self.stage {
            Stage::Leaving(times, _) => times + 1,
            _ => 1,
        };
        self.stage = Stage::Leaving(times, Instant::now() + PATIENCE);
        let Self {
            jid, room, nick, ..
        } = self;
        format!("<presence type='unavailable' from='{jid}' to='{room}@{DOMAIN}/{nick}'/>")
    }

    /// Asks for another nickname.
    pub(crate) fn rename(&mut self, nick: &str) -> String {
        self.nick = nick.to_owned();
        let Self {
            jid, room, nick, ..
        } = self;
        format!("<presence from='{jid}' to='{room}@{DOMAIN}/{nick}'/>")
    }

    /// Says something; the id is the text.
    pub(crate) fn say(&mut self, text: &str) -> String {
        self.answers.insert(text.to_owned(), (0, 0));
        let Self { jid, room, .. } = self;
        format!(
            "<message type='groupchat' id='{text}' from='{jid}' to='{room}@{DOMAIN}'>\
             <body>{text}</body></message>"
        )
    }

    /// Sets the subject.
    pub(crate) fn set_subject(&mut self, text: &str) -> String {
        let Self { jid, room, .. } = self;
        format!(
            "<message type='groupchat' id='{text}' from='{jid}' to='{room}@{DOMAIN}'>\
             <subject>{text}</subject></message>"
        )
    }

    /// The resource is gone without a word.
    pub(crate) fn vanish(&mut self) {
        self.online = false;
        self.stage = Stage::Out;
        self.uncertain = true;
        self.forget();
    }

    /// Asks again for what was not answered.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<String> {
        match self.stage {
            Stage::Entering(at) if at <= now => Some(self.enter()),
            Stage::Leaving(times, at) if at <= now => {
                self.uncertain = true;
                if times < 3 {
                    return Some(self.leave());
                }
                self.stage = Stage::Out;
                None
            }
            _ => None,
        }
    }

    fn presence(&mut self, stanza: &Element, at: Position) {
        self.presences += 1;
        let from = stanza.attr("from").unwrap_or_default();
        let nick = from.split_once('/').map_or("", |(_, nick)| nick).to_owned();
        let x = stanza.child("x", ns::MUC_USER);
        let codes: Vec<&str> = x
            .into_iter()
            .flat_map(Element::children)
            .filter(|child| child.name() == "status")
            .filter_map(|child| child.attr("code"))
            .collect();
        let item = x.and_then(|x| x.child("item", ns::MUC_USER));
        let attr = |name: &str| {
            let value = item.and_then(|item| item.attr(name));
            value.unwrap_or_default().to_owned()
        };
        match stanza.attr("type") {
            Some("error") if stanza.child("x", ns::MUC).is_some() => {
                if matches!(self.stage, Stage::Entering(_)) {
                    self.stage = Stage::Out;
                    self.forget();
                }
            }
            Some("error") => {}
            Some("unavailable") if codes.contains(&"110") && codes.contains(&"303") => {
                self.occupants.remove(&nick);
                self.own = Some(attr("nick"));
            }
            Some("unavailable") if codes.contains(&"110") => {
                if matches!(self.stage, Stage::Entering(_)) {
                    // Sent again, of an earlier visit.
                    self.uncertain = true;
                } else {
                    // One that nobody asked for, and no removal, or one that came before: of an
                    // earlier visit, while the host thinks that this one goes on.
                    let stale = codes == ["110"] || at.repeated;
                    self.uncertain |= self.stage == Stage::Inside && stale;
                    // The answer to an earlier leave, sent again: this one may have got lost.
                    self.uncertain |= matches!(self.stage, Stage::Leaving(..)) && at.repeated;
                    self.stage = Stage::Out;
                    self.forget();
                }
            }
            Some("unavailable") => {
                if self.own.as_ref() == Some(&nick) && self.stage == Stage::Inside {
                    let words = format!("{nick} is this client and left without 110");
                    self.faults.push(words);
                }
                self.occupants.remove(&nick);
            }
            Some(other) => self.faults.push(format!("presence of type {other}")),
            None => {
                if matches!(self.stage, Stage::Entering(_)) {
                    // It is being answered: who is shown a large room does not ask again.
                    self.stage = Stage::Entering(Instant::now() + PATIENCE);
                }
                if codes.contains(&"110") {
                    self.own = Some(nick.clone());
                    if matches!(self.stage, Stage::Entering(_)) {
                        self.stage = Stage::Inside;
                    }
                }
                self.occupants
                    .insert(nick, (attr("affiliation"), attr("role")));
            }
        }
    }

    fn message(&mut self, stanza: &Element, at: Position) {
        let id = stanza.attr("id").unwrap_or_default().to_owned();
        let body = stanza.child("body", ns::COMPONENT);
        if stanza.attr("type") == Some("error") {
            if let Some((_, errors)) = self.answers.get_mut(&id) {
                *errors += 1;
            }
            return;
        }
        if stanza.attr("type") != Some("groupchat") {
            return;
        }
        if let (Some(subject), None) = (stanza.child("subject", ns::COMPONENT), body) {
            self.subject = Some(subject.text().into_owned());
            return;
        }
        if body.is_none() && stanza.child("x", ns::MUC_USER).is_some() {
            // The room's configuration is another (status 104).
            return;
        }
        let Some(body) = body else {
            return self.faults.push(format!("a message of nothing: {id}"));
        };
        let body = body.text().into_owned();
        if let Some((reflected, _)) = self.answers.get_mut(&body) {
            *reflected += 1;
        }
        let Some((before, same)) = self.seen.insert(id.clone(), (at.index, body.clone())) else {
            return self.shown.push(body);
        };
        self.again += 1;
        if same != body {
            let words = format!("id {id} was of {same:?} and is of {body:?}");
            self.faults.push(words);
        }
        if before < at.settled && !self.uncertain {
            let Position { index, settled, .. } = at;
            self.faults.push(format!(
                "{body} came at {before}, was confirmed up to {settled}, came again at {index}"
            ));
        }
    }
}

/// All seats.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) seats: Vec<Seat>,
    /// The last stanzas, for who looks into a failure.
    pub(crate) log: Vec<String>,
}

impl Model {
    /// Asks again for what was not answered.
    pub(crate) fn tick(&mut self) -> Vec<String> {
        let now = Instant::now();
        self.seats
            .iter_mut()
            .filter_map(|seat| seat.tick(now))
            .collect()
    }

    /// What went wrong so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        let of = |seat: &Seat| {
            let name = format!("{} in {}", seat.jid, seat.room);
            seat.faults
                .iter()
                .map(move |fault| format!("{name}: {fault}"))
                .collect::<Vec<_>>()
        };
        self.seats.iter().flat_map(of).collect()
    }
}

impl Clients for Model {
    fn receive(&mut self, stanza: &Element, at: Position) -> Vec<String> {
        let (to, from) = (stanza.attr("to"), stanza.attr("from"));
        let (to, from) = (to.unwrap_or_default(), from.unwrap_or_default());
        self.log.push(line(stanza, at));
        let room = from.split('@').next().unwrap_or_default();
        let Some(seat) = self
            .seats
            .iter_mut()
            .find(|seat| seat.jid == to && seat.room == room)
        else {
            return Vec::new();
        };
        if !seat.online {
            let bounces = stanza.name() == "message" && stanza.attr("type") != Some("error");
            let id = stanza.attr("id").unwrap_or_default();
            let bounce = || {
                format!(
                    "<message type='error' id='{id}' from='{to}' to='{from}'>\
                     <error type='cancel'><service-unavailable \
                     xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
                )
            };
            return bounces.then(bounce).into_iter().collect();
        }
        if seat.stage == Stage::Out {
            return Vec::new();
        }
        match stanza.name() {
            "presence" => seat.presence(stanza, at),
            "message" => seat.message(stanza, at),
            _ => {}
        }
        Vec::new()
    }
}

/// One line about a stanza.
fn line(stanza: &Element, at: Position) -> String {
    let attr = |name| stanza.attr(name).unwrap_or("-");
    let text = |name: &str| {
        let child = stanza.child(name, ns::COMPONENT);
        child.map(|child| format!(" {name}={}", child.text()))
    };
    let x: String = stanza
        .child("x", ns::MUC_USER)
        .into_iter()
        .flat_map(Element::children)
        .flat_map(|child| {
            child
                .attrs()
                .map(|(name, value)| format!(" {name}={value}"))
        })
        .collect();
    format!(
        "{} {} {} {} -> {}{}{}{x}",
        at.index,
        stanza.name(),
        attr("type"),
        attr("from"),
        attr("to"),
        text("body").unwrap_or_default(),
        text("subject").unwrap_or_default(),
    )
}

/// The domain of the component under test.
pub(crate) const DOMAIN: &str = "loop.example.org";

/// XEP-0045 §5 of the ranks of the loopback network.
pub(crate) fn standing(ranks: Ranks, moderated: bool) -> (String, String) {
    let (affiliation, role) = match ranks.0 {
        ranks if ranks & 1 != 0 => ("owner", "moderator"),
        ranks if ranks & 2 != 0 => ("admin", "moderator"),
        ranks if ranks & 4 != 0 => ("member", "participant"),
        _ if moderated => ("none", "visitor"),
        _ => ("none", "participant"),
    };
    (affiliation.to_owned(), role.to_owned())
}
