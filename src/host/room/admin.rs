//! Moderation and administration (XEP-0045 §8 and §9, `muc#admin` set): every item becomes one
//! command, the end of all of them the iq's answer.
//!
//! What is plainly wrong is refused before anything is asked of the network; whether the user's
//! rank suffices is the network's to say.

use isthmus_gateway::{Affiliation, Command, FaultKind, Kind, Parsed, Rank, Ranks, Role};

use super::occupants::Occupant;
use super::presence::Standing;
use super::{Phase, Room};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::session::{Base, Pending};
use crate::host::words::{Denial, Phrase, Said};
use crate::xmpp::element::Element;
use crate::xmpp::escape::unescape;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Items of one request.
const MOST: usize = 32;

/// Why an item is refused without asking the network.
type Refusal = (Condition, Said);

/// What an item wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Role(Role),
    Affiliation(Affiliation),
}

/// Whom an item is about.
enum Whom {
    Here(Occupant),
    /// A nickname or a pattern that nobody here has.
    Elsewhere(String),
}

impl Wish {
    /// Reads the attributes of an item: one of the two, in the words of §5.
    pub(super) fn of(item: &Element) -> Option<Self> {
        match (item.attr("role"), item.attr("affiliation")) {
            (Some(role), None) => Some(Self::Role(match role {
                "none" => Role::None,
                "visitor" => Role::Visitor,
                "participant" => Role::Participant,
                "moderator" => Role::Moderator,
                _ => return None,
            })),
            (None, Some(affiliation)) => Some(Self::Affiliation(match affiliation {
                "outcast" => Affiliation::Outcast,
                "none" => Affiliation::None,
                "member" => Affiliation::Member,
                "admin" => Affiliation::Admin,
                "owner" => Affiliation::Owner,
                _ => return None,
            })),
            _ => None,
        }
    }
}

/// The items of a `muc#admin` query.
pub(super) fn items(query: &Element) -> Vec<&Element> {
    let items = query.children();
    items.filter(|it| it.is("item", ns::MUC_ADMIN)).collect()
}

impl Room {
    /// Takes a `muc#admin` set.
    pub(crate) fn administer(&mut self, base: &mut Base, origin: Origin, query: &Element) {
        if self.phase != Phase::Inside {
            return origin.fault(&base.outbox, &fault::bare(FaultKind::NotJoined));
        }
        let items = items(query);
        if items.is_empty() || items.len() > MOST {
            let text = Denial::ItemCount.with(&[&MOST.to_string()]);
            return origin.error(&base.outbox, Condition::BadRequest, text);
        }
        let acts: Result<Vec<_>, Refusal> =
            items.into_iter().map(|item| self.act(base, item)).collect();
        let acts = match acts {
            Ok(acts) => acts,
            Err((condition, text)) => return origin.error(&base.outbox, condition, text),
        };
        let batch = base.begin_batch(origin, acts.len());
        for (command, whom) in acts {
            let (room, whom) = (self.key.clone(), base.folded(&whom));
            base.issue(command, Pending::Share { batch, room, whom });
        }
    }

    /// The command for an item, and the name of whom it is about.
    fn act(&self, base: &Base, item: &Element) -> Result<(Command<'static>, String), Refusal> {
        let Some(wish) = Wish::of(item) else {
            let text = Denial::ItemRoleOrAffiliation;
            return Err((Condition::BadRequest, text.into()));
        };
        let reason = item
            .child("reason", ns::MUC_ADMIN)
            .map(|reason| reason.text().to_string().into());
        let ban = |whom: &str, on| Command::Ban {
            room: self.name.clone().into(),
            whom: whom.to_owned().into(),
            on,
            reason: reason.clone(),
        };
        let occupant = match (self.whom(base, item, wish)?, wish) {
            (Whom::Here(occupant), _) => occupant,
            (Whom::Elsewhere(whom), Wish::Affiliation(Affiliation::Outcast)) => {
                return Ok((ban(&whom, true), whom));
            }
            (Whom::Elsewhere(whom), Wish::Affiliation(Affiliation::None)) => {
                return Ok((ban(&whom, false), whom));
            }
            (Whom::Elsewhere(whom), _) => {
                let text = Denial::NotHere.with(&[&whom]);
                return Err((Condition::ItemNotFound, text));
            }
        };
        let name = base.names.lock().shared_name(occupant.id).to_string();
        self.may_touch(base, occupant, &name, wish)?;
        let command = match wish {
            Wish::Role(Role::None) => Command::Kick {
                room: self.name.clone().into(),
                nick: name.clone().into(),
                reason,
            },
            Wish::Affiliation(Affiliation::Outcast) => ban(&name, true),
            _ => {
                let Some(set) = wanted(wish, &base.facts.ranks) else {
                    let text = Denial::NoRank.into();
                    return Err((Condition::NotAllowed, text));
                };
                Command::Rank {
                    room: self.name.clone().into(),
                    nick: name.clone().into(),
                    set,
                    cleared: Ranks(occupant.ranks.0 & !set.0),
                }
            }
        };
        Ok((command, name))
    }

    /// What §8 and §9 forbid whatever the network thinks.
    fn may_touch(
        &self,
        base: &Base,
        occupant: Occupant,
        name: &str,
        wish: Wish,
    ) -> Result<(), Refusal> {
        let standing = |ranks| Standing::of(ranks, &base.facts.ranks, self.flags.moderated);
        let theirs = standing(occupant.ranks);
        if base.is_me(name) {
            // §9.1
            return match wish {
                Wish::Affiliation(Affiliation::Outcast) => {
                    let text = Denial::BanYourself.into();
                    Err((Condition::Conflict, text))
                }
                _ => Ok(()),
            };
        }
        // §8.2: a moderator may not. Whether who is none has a say at all the network knows.
        let me = self.my_standing(base);
        let me = me.filter(|me| me.role == Role::Moderator);
        if me.is_some_and(|me| me.affiliation < theirs.affiliation) {
            let text = Denial::Stands.with(&[name]);
            return Err((Condition::NotAllowed, text));
        }
        let silenced = standing(Ranks::default()).role == Role::Visitor;
        if wish == Wish::Role(Role::Visitor) && !silenced {
            let text = Denial::UnmoderatedRoom.into();
            return Err((Condition::NotAllowed, text));
        }
        Ok(())
    }

    /// Whom an item is about: by nickname, or by an address of this network.
    fn whom(&self, base: &Base, item: &Element, wish: Wish) -> Result<Whom, Refusal> {
        let nick = match (item.attr("nick"), item.attr("jid"), wish) {
            (Some(nick), ..) => nick.to_owned(),
            (None, Some(_), Wish::Role(_)) => {
                let text = Denial::ItemRoleByNick.into();
                return Err((Condition::BadRequest, text));
            }
            (None, Some(jid), _) => person(base, jid)?,
            (None, None, _) => {
                let text = Denial::ItemAddressOrNick.into();
                return Err((Condition::BadRequest, text));
            }
        };
        let found = self.occupants.find(&nick, &base.facts.fold);
        Ok(found.map_or(Whom::Elsewhere(nick), Whom::Here))
    }
}

/// The name on this network behind an address: a contact, an occupant, or a pattern of names.
pub(crate) fn person(base: &Base, jid: &str) -> Result<String, Refusal> {
    let jid =
        Jid::parse(jid).map_err(|_| (Condition::JidMalformed, Denial::AddressNoJid.into()))?;
    let unknown = || {
        let text = Denial::NobodyOnNetwork.with(&[jid.as_str()]);
        Err((Condition::ItemNotFound, text))
    };
    if jid.domain() != base.outbox.domain() {
        return unknown();
    }
    let local = jid.local().unwrap_or_default();
    match base.gateway.parse(&unescape(local), "") {
        Ok(Parsed::Canonical(address)) if address.network == *base.network => {
            match (address.kind, jid.resource()) {
                (Kind::Contact | Kind::Pattern, _) => Ok(address.id),
                (Kind::Room | Kind::Group, Some(nick)) => Ok(nick.to_owned()),
                _ => unknown(),
            }
        }
        Ok(_) => unknown(),
        Err(fault) => Err((Condition::JidMalformed, Said::theirs(fault.text))),
    }
}

/// The rank to give for a role or an affiliation; no rank at all where none is needed.
pub(super) fn wanted(wish: Wish, ranks: &[Rank]) -> Option<Ranks> {
    let bit = |found: Option<usize>| found.map(|bit| Ranks(1 << bit));
    match wish {
        // The lowest rank that serves.
        Wish::Role(role @ (Role::Moderator | Role::Participant)) => {
            bit(ranks.iter().rposition(|rank| rank.role == role))
        }
        Wish::Role(Role::Visitor) | Wish::Affiliation(Affiliation::None) => Some(Ranks(0)),
        Wish::Affiliation(
            affiliation @ (Affiliation::Member | Affiliation::Admin | Affiliation::Owner),
        ) => bit(ranks
            .iter()
            .rposition(|rank| rank.affiliation == affiliation)),
        Wish::Role(Role::None) | Wish::Affiliation(Affiliation::Outcast) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_rank_that_serves_is_given() {
        let rank = |letter, affiliation, role| Rank {
            sign: letter,
            letter,
            affiliation,
            role,
        };
        let ranks = [
            rank('q', Affiliation::Owner, Role::Moderator),
            rank('a', Affiliation::Owner, Role::Moderator),
            rank('o', Affiliation::Admin, Role::Moderator),
            rank('h', Affiliation::Member, Role::Moderator),
            rank('v', Affiliation::Member, Role::Participant),
        ];
        let role = |role| wanted(Wish::Role(role), &ranks);
        let affiliation = |affiliation| wanted(Wish::Affiliation(affiliation), &ranks);
        assert_eq!(role(Role::Moderator), Some(Ranks(1 << 3)));
        assert_eq!(role(Role::Participant), Some(Ranks(1 << 4)));
        assert_eq!(role(Role::Visitor), Some(Ranks(0)));
        assert_eq!(affiliation(Affiliation::Admin), Some(Ranks(1 << 2)));
        assert_eq!(affiliation(Affiliation::Owner), Some(Ranks(1 << 1)));
        assert_eq!(affiliation(Affiliation::None), Some(Ranks(0)));
        assert_eq!(affiliation(Affiliation::Outcast), None);
    }

    #[test]
    fn an_item_gives_a_role_or_an_affiliation_and_not_both() {
        let wish = |attrs: &str| {
            let item = format!("<item {attrs}/>");
            Wish::of(&Element::parse(item.as_bytes()).expect("XML"))
        };
        assert_eq!(wish("role='visitor'"), Some(Wish::Role(Role::Visitor)));
        assert_eq!(wish("role='visitor' affiliation='none'"), None);
        assert_eq!(wish("affiliation='emperor'"), None);
        assert_eq!(wish(""), None);
    }
}
