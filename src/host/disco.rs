//! XEP-0030 service discovery: what each of our addresses is and can do.

use isthmus_gateway::{Address, Caps, Gateway, Identity, Kind, RoomFlags};

use crate::component::Outbox;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::shared::Shared;
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
    /// What can be expressed there; `None`: what the gateway says of its networks.
    pub(crate) caps: Option<Caps>,
}

/// The node that asks for one's own nickname (XEP-0045 §7.12).
const OWN_NICK: &str = "x-roomuser-item";

/// What the gateway itself can do.
pub(crate) const GATEWAY_FEATURES: [&str; 5] = [
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::CAPS,
    ns::PING,
    ns::VERSION,
];

/// The identities of the gateway, and its features with those of a room service (XEP-0045 §6.1).
pub(crate) fn of_gateway(gateway: &dyn Gateway) -> (Vec<Identity>, Vec<&'static str>) {
    let manifest = gateway.manifest();
    let mut features = GATEWAY_FEATURES.to_vec();
    if manifest.caps.rooms {
        features.extend([ns::MUC, ns::RSM, ns::OCCUPANT_ID]);
    }
    if searches(gateway, &Address::new(Kind::Gateway, "", "")) {
        features.push(ns::CHANNEL_SEARCH);
    }
    if desk::registers(gateway) {
        features.push(ns::REGISTER);
    }
    if desk::prompts(gateway) {
        features.push(ns::GATEWAY);
    }
    if command::any(gateway, Kind::Gateway) {
        features.push(ns::COMMANDS);
    }
    (manifest.identities.clone(), features)
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
    let (identities, features) = of_gateway(gateway);
    let forms = about::forms(gateway, shared, outbox.domain());
    let ours = |node: &str| {
        node.strip_prefix(caps::NODE)
            .and_then(|rest| rest.strip_prefix('#'))
            == Some(&caps::hash(&identities, &features, &forms))
    };
    if node.is_some_and(|node| !ours(node)) {
        return origin.error(outbox, Condition::ItemNotFound, "there is no such node");
    }
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_INFO);
        if let Some(node) = node {
            xml.attr("node", node);
        }
        write(xml, &identities, &features);
        for form in &forms {
            form.write(xml);
        }
        xml.end();
    });
}

/// Answers disco#info of what is not the gateway itself. `archived`: what is said is.
pub(crate) fn info(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    origin: &Origin,
    to: &Address,
    archived: bool,
    node: Option<&str>,
    seen: Option<&Seen>,
) {
    let full = origin.resource.is_some();
    if full && is_room(to.kind) && !seen.is_some_and(|seen| seen.entered) {
        // XEP-0045 §6.6
        let text = "only an occupant may ask about an occupant";
        return origin.error(outbox, Condition::BadRequest, text);
    }
    if is_room(to.kind) && !full && gateway.manifest().caps.rooms {
        match node {
            Some(OWN_NICK) => return own_nick(outbox, origin, seen),
            Some(ns::MUC_TRAFFIC) => return traffic(outbox, gateway, origin),
            _ => {}
        }
    }
    let (identities, mut features) = of_gateway(gateway);
    if node.is_some() {
        return origin.error(outbox, Condition::ItemNotFound, "there is no such node");
    }
    let archive: &[&'static str] = match archived && !full {
        true => &[ns::MAM, ns::MAM_EXTENDED],
        false => &[],
    };
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::DISCO_INFO);
        match to.kind {
            Kind::Gateway => write(xml, &identities, &features),
            // What is asked of the gateway itself is not asked of a network.
            Kind::Network => {
                let commands = command::any(gateway, Kind::Network);
                let not_here = [ns::REGISTER, ns::GATEWAY];
                features.retain(|feature| {
                    !not_here.contains(feature) && (commands || *feature != ns::COMMANDS)
                });
                if !features.contains(&ns::CHANNEL_SEARCH) && searches(gateway, to) {
                    features.push(ns::CHANNEL_SEARCH);
                }
                write(xml, &identities, &features);
            }
            Kind::Room | Kind::Group if !full => write_room(xml, gateway, to, seen, archive),
            // An occupant is somebody of the room, by his nickname.
            Kind::Room | Kind::Group => {
                let name = origin.resource.as_deref().unwrap_or(&to.id);
                write_contact(xml, gateway, name, seen, true, archive);
            }
            _ => {
                let live = !gateway.courier().is_some_and(|courier| courier.serves(to));
                write_contact(xml, gateway, &to.id, seen, live, archive);
            }
        }
        xml.end();
    });
}

/// Answers what nickname the asker has in a room (XEP-0045 §7.12): the one he is in it with, as a
/// network like IRC reserves none.
fn own_nick(outbox: &Outbox, origin: &Origin, seen: Option<&Seen>) {
    let Some(nick) = seen.and_then(|seen| seen.nick.as_deref()) else {
        let text = "this network reserves no nicknames";
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
        return origin.error(outbox, Condition::ItemNotFound, "there is no such node");
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

fn write(xml: &mut Xml<'_>, identities: &[Identity], features: &[&str]) {
    for Identity {
        category,
        kind,
        name,
    } in identities
    {
        xml.start("identity")
            .attr("category", category)
            .attr("type", kind)
            .attr("name", name);
        xml.end();
    }
    for feature in features {
        xml.start("feature").attr("var", feature).end();
    }
}

fn identity(category: &str, kind: &str, name: &str) -> Identity {
    Identity {
        category: category.into(),
        kind: kind.into(),
        name: name.into(),
    }
}

fn write_contact(
    xml: &mut Xml<'_>,
    gateway: &dyn Gateway,
    name: &str,
    seen: Option<&Seen>,
    live: bool,
    archive: &[&'static str],
) {
    // XEP-0100 leaves it open; `client` is what a contact is to whoever asks.
    let identity = identity("client", &gateway.manifest().name, name);
    let caps = caps_of(gateway, seen);
    let mut features = vec![ns::DISCO_INFO, ns::PING];
    features.extend(chat::of_contact(caps, live));
    features.extend(archive);
    write(xml, &[identity], &features);
    chat::write_restrictions(xml, caps);
}

fn caps_of<'a>(gateway: &'a dyn Gateway, seen: Option<&'a Seen>) -> &'a Caps {
    let own = seen.and_then(|seen| seen.caps.as_ref());
    own.unwrap_or(&gateway.manifest().caps)
}

fn write_room(
    xml: &mut Xml<'_>,
    gateway: &dyn Gateway,
    to: &Address,
    seen: Option<&Seen>,
    archive: &[&'static str],
) {
    let identity = identity("conference", &gateway.manifest().name, &to.id);
    let flags = seen.map(|seen| seen.flags).unwrap_or_default();
    let either = |is, yes, no| if is { yes } else { no };
    let caps = caps_of(gateway, seen);
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
        "muc_persistent",
        "muc_semianonymous",
        either(flags.moderated, "muc_moderated", "muc_unmoderated"),
        either(flags.members_only, "muc_membersonly", "muc_open"),
        either(flags.password, "muc_passwordprotected", "muc_unsecured"),
        either(flags.hidden, "muc_hidden", "muc_public"),
    ];
    if command::any(gateway, to.kind) {
        features.push(ns::COMMANDS);
    }
    features.extend(chat::of_room(caps));
    features.extend(archive);
    write(xml, &[identity], &features);
    chat::write_restrictions(xml, caps);
    let Some(seen) = seen else { return };
    // XEP-0045 §6.4, form type `muc#roominfo` (XEP-0004 §3.2).
    xml.start_ns("x", ns::DATA_FORMS).attr("type", "result");
    field(xml, "FORM_TYPE", Some("hidden"), ns::MUC_ROOMINFO);
    field(xml, "muc#roominfo_description", None, &to.id);
    field(
        xml,
        "muc#roominfo_occupants",
        None,
        &seen.occupants.to_string(),
    );
    field(xml, "muc#roominfo_subject", None, &seen.subject);
    let may = if seen.flags.subject_locked { "0" } else { "1" };
    field(xml, "muc#roominfo_subjectmod", None, may);
    if !seen.contacts.is_empty() {
        xml.start("field").attr("var", "muc#roominfo_contactjid");
        for contact in &seen.contacts {
            xml.text_element("value", contact);
        }
        xml.end();
    }
    xml.end();
}

fn field(xml: &mut Xml<'_>, var: &str, kind: Option<&str>, value: &str) {
    if value.is_empty() {
        return;
    }
    xml.start("field").attr("var", var);
    if let Some(kind) = kind {
        xml.attr("type", kind);
    }
    xml.text_element("value", value).end();
}
