//! Lists of who is what (XEP-0045 §8.4, §8.5, §9.2, §9.3, §9.5, §10.5: `muc#admin` get).
//!
//! Roles and affiliations are those of who is here: a network like IRC keeps no others. Outcasts
//! are the bans of the network, each by the address of its nickname or pattern; where the gateway
//! has no address for a pattern it stands as a nickname. Either form lifts the ban again.

use isthmus_gateway::{Affiliation, Command, FaultKind, Kind, Role};

use super::admin::{Wish, items};
use super::presence::{Standing, affiliation_name, role_name};
use super::{Phase, Room};
use crate::host::fault;
use crate::host::names::NickId;
use crate::host::reply::Origin;
use crate::host::session::{Base, Pending};
use crate::host::words::Denial;
use crate::xmpp::element::Element;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Owners who are named as contacts of a room.
const OWNERS: usize = 10;

/// One ban of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ban {
    /// The nickname or pattern.
    pub(crate) whom: String,
    /// Who set it.
    pub(crate) by: Option<String>,
    /// Why.
    pub(crate) reason: Option<String>,
}

impl Ban {
    /// Reads the labels and values of one result.
    pub(crate) fn of(fields: &[(isthmus_gateway::Text<'_>, isthmus_gateway::Text<'_>)]) -> Self {
        let value = |name: &str| {
            let field = fields.iter().find(|(label, _)| label == name);
            field.map(|(_, value)| value.to_string())
        };
        Self {
            whom: value("whom").unwrap_or_default(),
            by: value("by"),
            reason: value("reason"),
        }
    }
}

impl Room {
    /// What the user is here.
    pub(crate) fn my_standing(&self, base: &Base) -> Option<Standing> {
        let me = self.occupants.find(&base.facts.me, &base.facts.fold)?;
        let moderated = self.flags.moderated;
        Some(Standing::of(me.ranks, &base.facts.ranks, moderated))
    }

    /// The nicknames of all who are here, in the order of their numbers.
    pub(crate) fn nicks(&self, base: &Base) -> Vec<std::sync::Arc<str>> {
        let table = base.names.lock();
        let all = self.occupants.chunk(NickId(0), usize::MAX);
        all.map(|it| table.shared_name(it.id)).collect()
    }

    /// The addresses of the owners who are here.
    pub(crate) fn owners(&self, base: &Base) -> Vec<String> {
        let all = self.occupants.chunk(NickId(0), usize::MAX);
        let owners = all.filter(|it| {
            let standing = Standing::of(it.ranks, &base.facts.ranks, false);
            standing.affiliation == Affiliation::Owner
        });
        let names: Vec<_> = {
            let table = base.names.lock();
            owners
                .take(OWNERS)
                .map(|it| table.shared_name(it.id))
                .collect()
        };
        let address = |name: &std::sync::Arc<str>| base.local(Kind::Contact, name).ok();
        let locals = names.iter().filter_map(address);
        locals
            .map(|local| format!("{local}@{}", base.outbox.domain()))
            .collect()
    }

    /// Takes a `muc#admin` get.
    pub(crate) fn list(&mut self, base: &mut Base, origin: Origin, query: &Element) {
        if self.phase != Phase::Inside {
            return origin.fault(&base.outbox, &fault::bare(FaultKind::NotJoined));
        }
        let items = items(query);
        let wish = match items[..] {
            [item] => Wish::of(item),
            _ => None,
        };
        let Some(wish) = wish else {
            let text = Denial::ItemOne;
            return origin.error(&base.outbox, Condition::BadRequest, text);
        };
        if self
            .my_standing(base)
            .is_none_or(|me| me.role != Role::Moderator)
        {
            let text = Denial::ListsForRunners;
            return origin.error(&base.outbox, Condition::Forbidden, text);
        }
        match wish {
            Wish::Affiliation(Affiliation::Outcast) => {
                let room = self.name.clone().into();
                let pending = Pending::Bans {
                    origin,
                    found: Vec::new(),
                };
                base.issue(Command::Bans { room }, pending);
            }
            Wish::Affiliation(Affiliation::None) | Wish::Role(Role::None) => {
                let text = Denial::ListOfNothing;
                origin.error(&base.outbox, Condition::BadRequest, text);
            }
            wish => self.list_occupants(base, &origin, wish),
        }
    }

    fn list_occupants(&self, base: &Base, origin: &Origin, wish: Wish) {
        let moderated = self.flags.moderated;
        let named: Vec<_> = {
            let table = base.names.lock();
            let all = self.occupants.chunk(NickId(0), usize::MAX);
            all.map(|it| {
                let standing = Standing::of(it.ranks, &base.facts.ranks, moderated);
                (standing, table.shared_name(it.id))
            })
            .filter(|(standing, _)| match wish {
                Wish::Role(role) => standing.role == role,
                Wish::Affiliation(affiliation) => standing.affiliation == affiliation,
            })
            .collect()
        };
        let domain = base.outbox.domain();
        let address = |nick: &str| {
            Some(format!(
                "{}@{domain}",
                base.local(Kind::Contact, nick).ok()?
            ))
        };
        origin.result(&base.outbox, |xml| {
            xml.start_ns("query", ns::MUC_ADMIN);
            for (standing, nick) in &named {
                xml.start("item");
                xml.attr("affiliation", affiliation_name(standing.affiliation));
                if let Some(jid) = address(nick) {
                    xml.attr("jid", &jid);
                }
                xml.attr("nick", &resource_from_nick(nick));
                xml.attr("role", role_name(standing.role)).end();
            }
            xml.end();
        });
    }
}

/// Answers with the bans of a network.
pub(crate) fn answer_bans(base: &Base, origin: &Origin, found: &[Ban]) {
    let domain = base.outbox.domain();
    let local = |whom: &str| {
        let pattern = base.local(Kind::Pattern, whom);
        pattern.or_else(|_| base.local(Kind::Contact, whom)).ok()
    };
    origin.result(&base.outbox, |xml| {
        xml.start_ns("query", ns::MUC_ADMIN);
        for ban in found {
            xml.start("item").attr("affiliation", "outcast");
            match local(&ban.whom) {
                Some(local) => xml.attr("jid", &format!("{local}@{domain}")),
                None => xml.attr("nick", &ban.whom),
            };
            if let Some(by) = ban.by.as_deref().filter(|by| !by.is_empty()) {
                xml.start("actor").attr("nick", by).end();
            }
            if let Some(reason) = &ban.reason {
                xml.text_element("reason", reason);
            }
            xml.end();
        }
        xml.end();
    });
}
