//! Presence of occupants, as XEP-0045 §7.2.2 and §7.14 want it written.

use isthmus_gateway::{Affiliation, Rank, Ranks, Role};

use super::{Identity, OccupantId};
use crate::component::{Batch, Class, Mark};
use crate::host::names::{About, Source};
use crate::host::post::head;
use crate::host::session::Base;
use crate::host::words::{Denial, Lang, Notice};
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName, Xml};

/// What an occupant is in the words of XEP-0045 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Beyond the visit.
    pub(crate) affiliation: Affiliation,
    /// During the visit.
    pub(crate) role: Role,
}

impl Standing {
    /// The standing of who holds `ranks` of `table`; without any he may speak unless the room is
    /// moderated.
    pub(crate) fn of(ranks: Ranks, table: &[Rank], moderated: bool) -> Self {
        let lowest = if moderated {
            Role::Visitor
        } else {
            Role::Participant
        };
        let none = Self {
            affiliation: Affiliation::None,
            role: lowest,
        };
        table
            .iter()
            .take(8)
            .enumerate()
            .filter(|(bit, _)| ranks.0 >> bit & 1 == 1)
            .fold(none, |best, (_, rank)| Self {
                affiliation: best.affiliation.max(rank.affiliation),
                role: best.role.max(rank.role),
            })
    }
}

/// The word of XEP-0045 §5.2.
pub(crate) fn affiliation_name(affiliation: Affiliation) -> &'static str {
    match affiliation {
        Affiliation::Outcast => "outcast",
        Affiliation::None => "none",
        Affiliation::Member => "member",
        Affiliation::Admin => "admin",
        Affiliation::Owner => "owner",
    }
}

/// The word of XEP-0045 §5.1.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::None => "none",
        Role::Visitor => "visitor",
        Role::Participant => "participant",
        Role::Moderator => "moderator",
    }
}

/// Status codes of XEP-0045 §15.6 (registry of the XMPP Registrar).
pub(crate) mod code {
    /// This presence is about yourself.
    pub(crate) const SELF: u16 = 110;
    /// The room is archived.
    pub(crate) const LOGGED: u16 = 170;
    /// Your nickname is not the one you asked for.
    pub(crate) const NICK_ALTERED: u16 = 210;
    /// Removed for good.
    pub(crate) const BANNED: u16 = 301;
    /// Has another nickname now.
    pub(crate) const NICK_CHANGED: u16 = 303;
    /// Removed.
    pub(crate) const KICKED: u16 = 307;
    /// Removed for want of the standing the room asks for.
    pub(crate) const DISMISSED: u16 = 321;
    /// Removed as the room is for members only now.
    pub(crate) const CLOSED: u16 = 322;
    /// The service shuts down.
    pub(crate) const SHUTDOWN: u16 = 332;
    /// A technical problem took the occupant away.
    pub(crate) const TECHNICAL: u16 = 333;
}

/// What hats are named by (XEP-0317 §3.1): a URI for each.
const HATS: &str = "https://isthmus.im/hats#";

/// What a presence says beyond who and whether available.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Details<'a> {
    /// Status codes.
    pub(crate) codes: &'a [u16],
    /// The new nickname, with code 303.
    pub(crate) new_nick: Option<&'a str>,
    /// Who removed him.
    pub(crate) actor: Option<&'a str>,
    /// Why he was removed.
    pub(crate) reason: Option<&'a str>,
    /// Parting words.
    pub(crate) status: Option<&'a str>,
    /// The occupant's id.
    pub(crate) id: Option<OccupantId>,
    /// What the network tells of the occupant.
    pub(crate) about: Option<&'a About>,
    /// The language of what is said of him.
    pub(crate) lang: Lang,
    /// It cannot be derived anew when the stream breaks, as who gets it is no longer here: it is
    /// kept and sent again like a message.
    pub(crate) kept: bool,
}

/// An occupant is here.
pub(crate) fn available(
    batch: &mut Batch<'_>,
    room: &str,
    nick: &str,
    to: &str,
    standing: Standing,
    details: Details<'_>,
) -> Mark {
    write(batch, room, nick, to, None, standing, details)
}

/// Somebody who is not in the room behaves as if he were: he is told that he is out, in the words
/// of a removal for technical reasons (XEP-0045 §15.6, 307 with 333).
pub(crate) fn turn_stranger_out(base: &Base, local: &str, nick: &str, to: &str) {
    let room = format!("{local}@{}", base.outbox.domain());
    let identity = Identity::new(&base.shared.occupant_key, &room);
    let details = Details {
        codes: &[code::SELF, code::KICKED, code::TECHNICAL],
        reason: Some(base.lang(None).say(Denial::NotInRoomJoin)),
        id: Some(identity.of(&Source::Nick(nick))),
        // Not kept: sent again after a cut it could meet him inside.
        ..Details::default()
    };
    let standing = Standing::of(Ranks::default(), &[], false);
    base.outbox.push(|batch| {
        unavailable(batch, local, nick, to, standing, details);
    });
}

/// An occupant is gone; his role is `none` then, except where he only takes another nickname.
pub(crate) fn unavailable(
    batch: &mut Batch<'_>,
    room: &str,
    nick: &str,
    to: &str,
    mut standing: Standing,
    details: Details<'_>,
) -> Mark {
    if details.new_nick.is_none() {
        standing.role = Role::None;
    }
    if details.codes.contains(&code::BANNED) {
        standing.affiliation = Affiliation::Outcast;
    }
    write(
        batch,
        room,
        nick,
        to,
        Some("unavailable"),
        standing,
        details,
    )
}

fn write(
    batch: &mut Batch<'_>,
    room: &str,
    nick: &str,
    to: &str,
    kind: Option<&str>,
    standing: Standing,
    details: Details<'_>,
) -> Mark {
    let nick = resource_from_nick(nick);
    let from = Sender {
        local: Some(room),
        resource: Some(&nick),
    };
    let head = head(StanzaName::Presence, from, to, kind, None);
    let class = if details.kept {
        Class::Message
    } else {
        Class::Presence
    };
    let about = details.about.filter(|_| kind.is_none());
    let away = about.and_then(|about| about.away.as_deref());
    let status = details.status.or(away);
    batch.stanza(class, head, |xml| {
        if away.is_some() {
            xml.text_element("show", "away");
        }
        if let Some(status) = status.filter(|status| !status.is_empty()) {
            xml.text_element("status", status);
        }
        write_muc_user(xml, standing, details);
        if let Some(id) = &details.id {
            id.write(xml);
        }
        if let Some(about) = about {
            write_hats(xml, about, details.lang);
            about.portrait.write_update(xml);
        }
    })
}

/// XEP-0317 §3.1: what the network tells of an occupant beyond role and affiliation.
fn write_hats(xml: &mut Xml<'_>, about: &About, lang: Lang) {
    if about.account.is_none() && !about.bot && !about.operator {
        return;
    }
    xml.start_ns("hats", ns::HATS);
    let mut hat = |name: &str, title: &str| {
        xml.start("hat").attr("title", title);
        xml.attr("uri", &format!("{HATS}{name}")).end();
    };
    if about.operator {
        hat("operator", lang.say(Notice::Operator));
    }
    if about.bot {
        hat("bot", lang.say(Notice::Bot));
    }
    if let Some(account) = &about.account {
        hat("account", &lang.tell(Notice::Account, &[account]));
    }
    xml.end();
}

fn write_muc_user(xml: &mut Xml<'_>, standing: Standing, details: Details<'_>) {
    xml.start_ns("x", ns::MUC_USER);
    xml.start("item");
    xml.attr("affiliation", affiliation_name(standing.affiliation));
    xml.attr("role", role_name(standing.role));
    if let Some(nick) = details.new_nick {
        xml.attr("nick", &resource_from_nick(nick));
    }
    if let Some(actor) = details.actor {
        xml.start("actor")
            .attr("nick", &resource_from_nick(actor))
            .end();
    }
    if let Some(reason) = details.reason.filter(|reason| !reason.is_empty()) {
        xml.text_element("reason", reason);
    }
    xml.end();
    for code in details.codes {
        let mut digits = [0; 5];
        xml.start("status")
            .attr("code", decimal(*code, &mut digits))
            .end();
    }
    xml.end();
}

/// A status code in digits, without allocation.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[at..]).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Rank> {
        let rank = |sign, letter, affiliation, role| Rank {
            sign,
            letter,
            affiliation,
            role,
        };
        vec![
            rank('@', 'o', Affiliation::Admin, Role::Moderator),
            rank('+', 'v', Affiliation::Member, Role::Participant),
        ]
    }

    #[test]
    fn the_highest_rank_counts_and_moderation_silences_the_unranked() {
        let of = |ranks, moderated| Standing::of(Ranks(ranks), &table(), moderated);
        let standing = |affiliation, role| Standing { affiliation, role };
        assert_eq!(
            of(0b11, true),
            standing(Affiliation::Admin, Role::Moderator)
        );
        assert_eq!(
            of(0b10, true),
            standing(Affiliation::Member, Role::Participant)
        );
        assert_eq!(of(0, false), standing(Affiliation::None, Role::Participant));
        assert_eq!(of(0, true), standing(Affiliation::None, Role::Visitor));
        // A bit beyond the table means nothing.
        assert_eq!(
            of(0b100, false),
            standing(Affiliation::None, Role::Participant)
        );
    }

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 7, 110, 303, u16::MAX] {
            assert_eq!(decimal(number, &mut [0; 5]), number.to_string());
        }
    }
}
