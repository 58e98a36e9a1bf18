//! Moderation (XEP-0045 §8, `muc#admin`): an iq becomes one command, its end the iq's answer.

use isthmus_gateway::{Affiliation, Command, Fault, FaultKind, Rank, Ranks, Role};

use super::{Phase, Room};
use crate::host::reply::Origin;
use crate::host::session::{Base, Pending};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

impl Room {
    /// Takes a `muc#admin` set. Exactly one item a request: the network answers one thing at a
    /// time, and an iq has one answer.
    pub(crate) fn administer(&mut self, base: &mut Base, origin: Origin, query: &Element) {
        if self.phase != Phase::Inside {
            return origin.fault(&base.outbox, &Fault::new(FaultKind::NotJoined, ""));
        }
        let items: Vec<_> = query
            .children()
            .filter(|c| c.is("item", ns::MUC_ADMIN))
            .collect();
        let [item] = items[..] else {
            let text = "one item a request, please";
            return origin.error(&base.outbox, Condition::BadRequest, text);
        };
        let Some(nick) = item.attr("nick") else {
            let text = "name the occupant by nickname: this network knows no JIDs";
            return origin.error(&base.outbox, Condition::BadRequest, text);
        };
        let Some(occupant) = self.occupants.find(nick, &base.facts.fold) else {
            let text = format!("{nick} is not in this room");
            return origin.error(&base.outbox, Condition::ItemNotFound, &text);
        };
        let reason = item
            .child("reason", ns::MUC_ADMIN)
            .map(|reason| reason.text().to_string());
        let name = base.names.lock().shared_name(occupant.id);
        let command = match (item.attr("role"), item.attr("affiliation")) {
            (Some("none"), None) => Command::Kick {
                room: self.name.clone().into(),
                nick: name.to_string().into(),
                reason: reason.map(Into::into),
            },
            (None, Some("outcast")) => Command::Ban {
                room: self.name.clone().into(),
                whom: name.to_string().into(),
                on: true,
                reason: reason.map(Into::into),
            },
            (role, affiliation) => match wanted(role, affiliation, &base.facts.ranks) {
                Some(set) => Command::Rank {
                    room: self.name.clone().into(),
                    nick: name.to_string().into(),
                    set,
                    cleared: Ranks(occupant.ranks.0 & !set.0),
                },
                None => {
                    let text = "this network has no such rank";
                    return origin.error(&base.outbox, Condition::NotAllowed, text);
                }
            },
        };
        base.issue(command, Pending::Answer(origin));
    }
}

/// The rank to give for a role or an affiliation; no rank at all where none is needed.
fn wanted(role: Option<&str>, affiliation: Option<&str>, ranks: &[Rank]) -> Option<Ranks> {
    let bit = |found: Option<usize>| found.map(|bit| Ranks(1 << bit));
    match (role, affiliation) {
        (Some("moderator"), None) => {
            // The lowest rank that moderates.
            bit(ranks.iter().rposition(|rank| rank.role == Role::Moderator))
        }
        (Some("participant"), None) => bit(ranks
            .iter()
            .rposition(|rank| rank.role == Role::Participant)),
        (Some("visitor"), None) | (None, Some("none")) => Some(Ranks(0)),
        (None, Some("member")) => bit(ranks
            .iter()
            .rposition(|rank| rank.affiliation == Affiliation::Member)),
        (None, Some("admin")) => bit(ranks
            .iter()
            .rposition(|rank| rank.affiliation == Affiliation::Admin)),
        (None, Some("owner")) => bit(ranks
            .iter()
            .rposition(|rank| rank.affiliation == Affiliation::Owner)),
        _ => None,
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
        assert_eq!(wanted(Some("moderator"), None, &ranks), Some(Ranks(1 << 3)));
        assert_eq!(
            wanted(Some("participant"), None, &ranks),
            Some(Ranks(1 << 4))
        );
        assert_eq!(wanted(None, Some("admin"), &ranks), Some(Ranks(1 << 2)));
        assert_eq!(wanted(None, Some("owner"), &ranks), Some(Ranks(1 << 1)));
        assert_eq!(wanted(None, Some("none"), &ranks), Some(Ranks(0)));
        assert_eq!(wanted(Some("moderator"), Some("owner"), &ranks), None);
        assert_eq!(wanted(Some("emperor"), None, &ranks), None);
    }
}
