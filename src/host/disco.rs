//! XEP-0030 service discovery: what each of our addresses is and can do.

use isthmus_gateway::{Address, Caps, Gateway, Identity, Kind, RoomFlags};

use crate::component::Outbox;
use crate::host::about::Form;
use crate::host::chat::Corrections;
use crate::host::picture::Portrait;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::shared::Shared;
use crate::host::words::Denial;
use crate::host::{about, caps, chat, command, desk};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::Xml;

/// What a room shows of itself beyond its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many are in it.
    pub(crate) occupants: usize,
    /// What it is about.
    pub(crate) subject: String,
    /// Whom to turn to: addresses.
    pub(crate) contacts: Vec<String>,
    /// What holds in it.
    pub(crate) flags: RoomFlags,
    /// The asker's nickname, if he is in it.
    pub(crate) nick: Option<String>,
    /// The asker is in it.
    pub(crate) entered: bool,
    /// How it looks.
    pub(crate) portrait: Portrait,
    /// What can be expressed there; `None`: what the gateway says of its networks.
    pub(crate) caps: Option<Caps>,
}

/// The node that asks for one's own nickname (XEP-0045 §7.12).
const OWN_NICK: &str = "x-roomuser-item";

/// What the gateway itself can do.
pub(crate) const GATEWAY_FEATURES: [&str; 8] = [
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::CAPS,
    ns::PING,
    ns::VERSION,
    ns::TIME,
    ns::LAST,
    ns::ESCAPING,
];

/// What one address is and can do.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    identities: Vec<Identity>,
    features: Vec<&'static str>,
    forms: Vec<Form>,
}

impl Profile {
    /// Its hash (XEP-0115 §5.1).
    pub(crate) fn hash(&self) -> String {
        caps::hash(&self.identities, &self.features, &self.forms)
    }

    /// Whether that is its caps node.
    fn is(&self, node: &str) -> bool {
        let rest = node.strip_prefix(caps::NODE);
        rest.and_then(|rest| rest.strip_prefix('#')) == Some(&self.hash())
    }

    fn write(&self, xml: &mut Xml<'_>) {
        for Identity {
            category,
            kind,
            name,
        } in &self.identities
        {
            xml.start("identity")
                .attr("category", category)
                .attr("type", kind);
            if !name.is_empty() {
                xml.attr("name", name);
            }
            xml.end();
        }
        for feature in &self.features {
            xml.start("feature").attr("var", feature).end();
        }
        for form in &self.forms {
            form.write(xml);
        }
    }
}

/// What the operator has laid down for a gateway.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// What is said is archived.
    archived: bool,
    /// How corrections are told where a network has none.
    corrections: Corrections,
}

impl Rules {
    /// Those of a gateway's domain.
    pub(crate) fn of(shared: &Shared, domain: &str) -> Self {
        Self {
            archived: shared.archives(domain),
            corrections: shared.corrections(),
        }
    }

    /// Features of a place that has an archive.
    fn archive(self) -> impl Iterator<Item = &'static str> {
        let features = [ns::MAM, ns::MAM_EXTENDED, ns::RETRACT_TOMBSTONE].into_iter();
        features.filter(move |_| self.archived)
    }
}

/// Of an address that has presence and of which no session tells more.
pub(crate) fn of(gateway: &dyn Gateway, shared: &Shared, domain: &str, to: &Address) -> Profile {
    match to.kind {
        Kind::Gateway => of_gateway(gateway, shared, domain),
        Kind::Network => of_service(gateway, to),
        _ => of_contact(gateway, to, None, Rules::of(shared, domain)),
    }
}

/// Of the gateway itself.
fn of_gateway(gateway: &dyn Gateway, shared: &Shared, domain: &str) -> Profile {
    let mut profile = of_service(gateway, &Address::new(Kind::Gateway, "", ""));
    if let Some(title) = shared.public().titles.get(domain) {
        for identity in &mut profile.identities {
            identity.name.clone_from(title);
        }
    }
    profile.forms = about::forms(gateway, shared, domain);
    profile
}

/// Of the gateway or of a network, with the features of a room service (XEP-0045 §6.1).
fn of_service(gateway: &dyn Gateway, to: &Address) -> Profile {
    let manifest = gateway.manifest();
    let itself = to.kind == Kind::Gateway;
    let mut features = GATEWAY_FEATURES.to_vec();
    if manifest.caps.rooms {
        features.extend([ns::MUC, ns::RSM, ns::OCCUPANT_ID]);
    }
    let itself_at = Address::new(Kind::Gateway, "", "");
    if searches(gateway, &itself_at) || searches(gateway, to) {
        features.push(ns::CHANNEL_SEARCH);
    }
    if manifest.caps.rooms && manifest.caps.pictures {
        // XEP-0486 §4.1
        features.push(ns::VCARD);
    }
    if itself && desk::registers(gateway) {
        features.push(ns::REGISTER);
    }
    if itself && gateway.courier().is_some() {
        // XEP-0033 §3
        features.push(ns::ADDRESS);
    }
    if itself && desk::prompts(gateway) {
        features.push(ns::GATEWAY);
    }
    if itself && (desk::registers(gateway) || manifest.caps.watch) {
        // XEP-0144 §5.3.2: it may suggest contacts.
        features.push(ns::ROSTERX);
    }
    if command::any(gateway, to.kind) {
        features.push(ns::COMMANDS);
    }
    Profile {
        identities: manifest.identities.clone(),
        features,
        forms: Vec::new(),
    }
}

/// Of a contact; `caps`: what can be expressed there, if a session tells. All contacts of one kind
/// have one hash: it is asked for once.
pub(crate) fn of_contact(
    gateway: &dyn Gateway,
    to: &Address,
    caps: Option<&Caps>,
    rules: Rules,
) -> Profile {
    let live = !gateway.courier().is_some_and(|it| it.serves(to));
    let mut profile = of_person(gateway, "", caps, (live, rules));
    profile.features.extend([ns::CAPS, ns::VCARD, ns::VCARD4]);
    if live && gateway.manifest().caps.watch {
        profile.features.push(ns::LAST);
    }
    if gateway.is_deaf(to) {
        // XEP-0506 §4
        profile.features.push(ns::NO_REPLY);
    }
    profile.features.extend(rules.archive());
    profile
}

/// Of a contact or an occupant. `live`: he is spoken to on a live network.
fn of_person(
    gateway: &dyn Gateway,
    name: &str,
    caps: Option<&Caps>,
    (live, rules): (bool, Rules),
) -> Profile {
    let manifest = gateway.manifest();
    let caps = caps.unwrap_or(&manifest.caps);
    let mut features = vec![ns::DISCO_INFO, ns::PING];
    if live && manifest.caps.lookup {
        // Of his program and his clock.
        features.extend([ns::COMMANDS, ns::VERSION, ns::TIME]);
    }
    features.extend(chat::of_contact(caps, live, rules.corrections));
    Profile {
        // XEP-0100 leaves it open; `client` is what a contact is to whoever asks.
        identities: vec![identity("client", &manifest.name, name)],
        features,
        forms: chat::restrictions(caps).into_iter().collect(),
    }
}

/// Whether rooms can be searched for at an address (XEP-0433 §4.1).
pub(crate) fn searches(gateway: &dyn Gateway, at: &Address) -> bool {
    let service = match at.kind {
        Kind::Gateway => gateway.home().is_some(),
        kind => kind == Kind::Network,
    };
    service && gateway.manifest().caps.rooms
}

/// Answers disco#info of the gateway itself, by its caps node, too.
pub(crate) fn itself(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    shared: &Shared,
    origin: &Origin,
    node: Option<&str>,
) {
    let profile = of_gateway(gateway, shared, outbox.domain());
    answer(outbox, origin, &profile, node);
}

/// Answers with a profile, at its caps node, too (XEP-0115 §6.2).
fn answer(outbox: &Outbox, origin: &Origin, profile: &Profile, node: Option<&str>) {
    if node.is_some_and(|node| !profile.is(node)) {
        return origin.error(outbox, Condition::ItemNotFound, Denial::NoNode);
    }
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_INFO);
        if let Some(node) = node {
            xml.attr("node", node);
        }
        profile.write(xml);
        xml.end();
    });
}

/// Answers disco#info of what is not the gateway itself.
pub(crate) fn info(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    origin: &Origin,
    to: &Address,
    rules: Rules,
    node: Option<&str>,
    seen: Option<&Seen>,
) {
    let full = origin.resource.is_some();
    if full && is_room(to.kind) && !seen.is_some_and(|seen| seen.entered) {
        // XEP-0045 §6.6
        let text = Denial::OccupantAsks;
        return origin.error(outbox, Condition::BadRequest, text);
    }
    if is_room(to.kind) && !full && gateway.manifest().caps.rooms {
        match node {
            Some(OWN_NICK) => return own_nick(outbox, origin, seen),
            Some(ns::MUC_TRAFFIC) => return traffic(outbox, gateway, origin),
            _ => {}
        }
    }
    let caps = seen.and_then(|seen| seen.caps.as_ref());
    let profile = match to.kind {
        Kind::Gateway | Kind::Network => of_service(gateway, to),
        Kind::Room | Kind::Group if !full => of_room(gateway, to, seen, rules),
        // An occupant is somebody of the room, by his nickname.
        Kind::Room | Kind::Group => {
            let name = origin.resource.as_deref().unwrap_or(&to.id);
            of_person(gateway, name, caps, (true, rules))
        }
        _ => {
            let archived = rules.archived && !full;
            of_contact(gateway, to, caps, Rules { archived, ..rules })
        }
    };
    answer(outbox, origin, &profile, node);
}

/// Answers what nickname the asker has in a room (XEP-0045 §7.12): the one he is in it with, as a
/// network like IRC reserves none.
fn own_nick(outbox: &Outbox, origin: &Origin, seen: Option<&Seen>) {
    let Some(nick) = seen.and_then(|seen| seen.nick.as_deref()) else {
        let text = Denial::NoNicknames;
        return origin.error(outbox, Condition::FeatureNotImplemented, text);
    };
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_INFO).attr("node", OWN_NICK);
        write(xml, &[identity("conference", "text", nick)], &[]);
        xml.end();
    });
}

/// Answers what passes through a room (XEP-0045 §17.1.1) besides text.
fn traffic(outbox: &Outbox, gateway: &dyn Gateway, origin: &Origin) {
    let caps = &gateway.manifest().caps;
    let known = [
        (true, ns::OOB),
        (caps.typing, ns::CHAT_STATES),
        (caps.edit, ns::CORRECT),
        (caps.reply, ns::REPLY),
        (caps.react, ns::REACTIONS),
        (caps.retract, ns::RETRACT),
    ];
    let features: Vec<_> = known.iter().filter(|it| it.0).map(|it| it.1).collect();
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_INFO)
            .attr("node", ns::MUC_TRAFFIC);
        write(xml, &[], &features);
        xml.end();
    });
}

/// Answers disco#items of what has none, or shows none to the asker. Who asks for a page is told
/// that there are none (XEP-0059).
pub(crate) fn items(outbox: &Outbox, origin: &Origin, query: &Element) {
    if query.attr("node").is_some() {
        return origin.error(outbox, Condition::ItemNotFound, Denial::NoNode);
    }
    let paged = query.child("set", ns::RSM).is_some();
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_ITEMS);
        if paged {
            xml.start_ns("set", ns::RSM).text_element("count", "0");
            xml.end();
        }
        xml.end();
    });
}

fn write(xml: &mut Xml<'_>, identities: &[Identity], features: &[&'static str]) {
    let profile = Profile {
        identities: identities.to_vec(),
        features: features.to_vec(),
        forms: Vec::new(),
    };
    profile.write(xml);
}

fn identity(category: &str, kind: &str, name: &str) -> Identity {
    Identity {
        category: category.into(),
        kind: kind.into(),
        name: name.into(),
    }
}

fn of_room(gateway: &dyn Gateway, to: &Address, seen: Option<&Seen>, rules: Rules) -> Profile {
    let identity = identity("conference", &gateway.manifest().name, &to.id);
    let own = seen.and_then(|seen| seen.caps.as_ref());
    let caps = own.unwrap_or(&gateway.manifest().caps);
    let mut features = vec![
        ns::DISCO_INFO,
        ns::MUC,
        ns::MUC_STABLE_ID,
        ns::MUC_SELF_PING_OPTIMIZATION,
        ns::STANZA_ID,
        ns::OCCUPANT_ID,
        ns::HATS,
        ns::MUC_REQUEST,
        ns::RSM,
        ns::PING,
        ns::TIME,
        "muc_persistent",
        "muc_semianonymous",
    ];
    // What holds in a room nobody has seen from within is not made up.
    features.extend(seen.map(|seen| held(seen.flags)).into_iter().flatten());
    if caps.pictures {
        features.push(ns::VCARD);
    }
    if command::any(gateway, to.kind) {
        features.push(ns::COMMANDS);
    }
    features.extend(chat::of_room(caps, rules.corrections));
    features.extend(rules.archive());
    let forms = chat::restrictions(caps).into_iter();
    Profile {
        identities: vec![identity],
        features,
        forms: forms.chain(seen.map(|seen| roominfo(to, seen))).collect(),
    }
}

/// The features of a room that tell what holds in it (XEP-0045 §15.2).
fn held(flags: RoomFlags) -> [&'static str; 4] {
    let either = |is, yes, no| if is { yes } else { no };
    [
        either(flags.moderated, "muc_moderated", "muc_unmoderated"),
        either(flags.members_only, "muc_membersonly", "muc_open"),
        either(flags.password, "muc_passwordprotected", "muc_unsecured"),
        either(flags.hidden, "muc_hidden", "muc_public"),
    ]
}

/// XEP-0045 §6.4, form type `muc#roominfo` (XEP-0004 §3.2).
fn roominfo(to: &Address, seen: &Seen) -> Form {
    let mut form = Form::new(ns::MUC_ROOMINFO);
    let mut put = |var: &str, value: &str| {
        if !value.is_empty() {
            form.put(var, "", &[value]);
        }
    };
    put("muc#roominfo_description", &to.id);
    put("muc#roominfo_occupants", &seen.occupants.to_string());
    put("muc#roominfo_subject", &seen.subject);
    let may = if seen.flags.subject_locked { "0" } else { "1" };
    put("muc#roominfo_subjectmod", may);
    // As the form of the configuration names it, for who does not read features.
    let flags = seen.flags;
    for (var, is) in [
        ("muc#roomconfig_moderatedroom", flags.moderated),
        ("muc#roomconfig_membersonly", flags.members_only),
        ("muc#roomconfig_passwordprotectedroom", flags.password),
        ("muc#roomconfig_publicroom", !flags.hidden),
        ("muc#roomconfig_changesubject", !flags.subject_locked),
    ] {
        put(var, if is { "1" } else { "0" });
    }
    if flags.limit > 0 {
        put("muc#roomconfig_maxusers", &flags.limit.to_string());
    }
    if let Some(image) = seen.portrait.image() {
        // XEP-0486 §4.3
        form.put("muc#roominfo_avatarhash", "text-multi", &[&image.hash]);
    }
    if !seen.contacts.is_empty() {
        form.put("muc#roominfo_contactjid", "", &seen.contacts);
    }
    form
}
