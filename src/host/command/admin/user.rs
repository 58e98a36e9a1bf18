//! Single users (XEP-0133 §4.2, 4.5, 4.9, 4.10): deleted, sent away, and what is known of them.
//! `disconnect-user` is what scripts of other gateways call for the same as `end-user-session`.

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Answers, Asked, Asker, Ended, NAMED, Row, Told, Work, asks, form, host, named, text};
use crate::host::delay::stamp;
use crate::host::desk::{Desk, store_fault};
use crate::host::domain::people::LAST_LOGIN;
use crate::host::fault;
use crate::host::words::{Lang, Notice, Phrase, Said, Text};
use crate::xmpp::jid::BareJid;

pub(super) const JIDS: &str = "accountjids";
const JID: &str = "accountjid";

pub(super) const COMMANDS: &[Row] = &[
    Row(
        "#delete-user",
        Text::DeleteUser,
        "delete user",
        Work::Asking(which, delete),
    ),
    Row(
        "#end-user-session",
        Text::EndSession,
        "end session",
        Work::Asking(which, end),
    ),
    Row(
        "disconnect-user",
        Text::Disconnect,
        "disconnect user",
        Work::Asking(who_is_there, disconnect),
    ),
    Row(
        "#user-stats",
        Text::UserStats,
        "stats",
        Work::Asking(which_one, stats),
    ),
    Row(
        "#get-user-lastlogin",
        Text::LastLogin,
        "last login",
        Work::Asking(which, last_login),
    ),
];

/// The question for users.
pub(super) fn which(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let label = asker.lang.say(Text::WhichUsers);
    asks(vec![Field::new(JIDS, label, FieldKind::Lines).required()])
}

fn which_one(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let label = asker.lang.say(Text::WhichUser);
    asks(vec![Field::new(JID, label, FieldKind::Text).required()])
}

fn who_is_there(desk: &Arc<Desk>, asker: &Asker) -> Asked {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let users = host(&desk)?.users();
        let users: Vec<_> = users.iter().map(|it| (it.as_str(), it.as_str())).collect();
        let jids = Field::new("jids", lang.say(Text::WhichUsers), FieldKind::Lines);
        let words = Field::new("quit-message", lang.say(Text::QuitMessage), FieldKind::Text);
        let mut page = form(vec![
            jids.options(&users).required(),
            words.value(lang.say(Text::QuitBy)),
        ]);
        page.about = None;
        Ok(page)
    })
}

/// The users that are named in the form, a hundred at most.
pub(super) fn users(answers: &Answers) -> Result<Vec<BareJid>, Fault> {
    let users = named(answers, JIDS)?;
    match users.len() > NAMED {
        true => Err(fault::of(FaultKind::Full, Text::SettingsFull)),
        false => Ok(users),
    }
}

fn delete(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(&answers);
    Box::pin(async move {
        for user in users? {
            desk.erase(&user).await?;
            desk.hub.farewell_to(&user);
        }
        Ok(Told::words(lang.say(Text::Done)))
    })
}

fn end(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = named(&answers, JIDS);
    Box::pin(async move {
        let host = host(&desk)?;
        for user in users? {
            host.end_sessions(&user, &Notice::SessionEnded.into());
        }
        Ok(Told::words(lang.say(Text::Done)))
    })
}

fn disconnect(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = named(&answers, "jids");
    let words = match text(&answers, "quit-message") {
        "" => lang.say(Text::QuitBy),
        words => words,
    };
    let words = Said::theirs(words.into());
    Box::pin(async move {
        let host = host(&desk)?;
        let users = users?;
        let ended = users.iter().filter(|user| host.end_sessions(user, &words));
        let number = ended.count().to_string();
        Ok(Told::words(lang.tell(Text::Disconnected, &[&number])))
    })
}

/// The specification's fields as far as a gateway has them, and its own with `x-` (XEP-0068 §3.4).
fn stats(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = named(&answers, JID);
    Box::pin(async move {
        let (host, users) = (host(&desk)?, users?);
        let [user] = users.as_slice() else {
            let what = [lang.say(Text::WhichUser), JID, lang.say(Text::IsNotOfForm)];
            let text = Text::BadField.with(&what);
            return Err(fault::of(FaultKind::NotExpressible, text));
        };
        let yes = |is: bool| vec![if is { "1" } else { "0" }.to_owned()];
        let resources = desk.hub.resources(user).into_iter();
        let resource = |full: String| Some(full.split_once('/')?.1.to_owned());
        let networks = host.networks_of(user);
        let disabled = host.rules().disabled.contains(user.as_str());
        let registered = desk.account(user).await?.is_some();
        let values = vec![
            (JID, vec![user.to_string()]),
            ("rostersize", vec![desk.hub.contacts(user).to_string()]),
            ("onlineresources", resources.filter_map(resource).collect()),
            ("x-registered", yes(registered)),
            ("x-disabled", yes(disabled)),
            ("x-sessions", vec![networks.len().to_string()]),
            ("x-networks", networks),
        ];
        let text = stats_in_words(&values, lang);
        Ok(Told {
            text,
            values,
            ..Told::default()
        })
    })
}

/// The same in a line.
fn stats_in_words(values: &[(&str, Vec<String>)], lang: Lang) -> String {
    let label = |name: &str| match name {
        "rostersize" => Some(Text::ColumnContacts),
        "onlineresources" => Some(Text::ColumnResources),
        "x-registered" => Some(Text::ColumnRegistered),
        "x-disabled" => Some(Text::ColumnDisabled),
        "x-sessions" => Some(Text::ColumnSessions),
        "x-networks" => Some(Text::ColumnNetworks),
        _ => None,
    };
    let told = values.iter().map(|(name, values)| {
        let value = values.join(" ");
        match label(name) {
            Some(label) => format!("{}: {value}", lang.say(label).to_lowercase()),
            None => value,
        }
    });
    told.collect::<Vec<_>>().join(", ")
}

/// When each of the users came last; the two fields are in the same order, and who never came has
/// an empty value.
fn last_login(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(&answers);
    Box::pin(async move {
        let (store, domain) = (desk.shared.store(), desk.outbox.domain());
        let (mut jids, mut times, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for user in users? {
            let kept = store.kept(user.as_str(), domain, LAST_LOGIN).await;
            let kept = kept.map_err(|fault| store_fault(&fault))?;
            let at = kept.and_then(|it| String::from_utf8(it).ok()?.parse().ok());
            let time = at.map(stamp);
            let told = time.as_deref().unwrap_or(lang.say(Text::NeverSeen));
            words.push(format!("{user}: {told}"));
            jids.push(user.to_string());
            times.push(time.unwrap_or_default());
        }
        Ok(Told {
            text: words.join(", "),
            values: vec![(JIDS, jids), ("lastlogin", times)],
            ..Told::default()
        })
    })
}
