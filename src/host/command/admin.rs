//! Service administration (XEP-0133 1.3), for those who run the gateway (`admins`): who is
//! registered, who is there, who may not be; words to all.
//!
//! Not here: passwords and accounts on the XMPP server, which are the server's; the program's start
//! and end, which concern more than one gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Answers, Asked, Asker, Command, Ended, Page, Told, Work};
use crate::component::Class;
use crate::host::access::Rules;
use crate::host::desk::{Desk, store_fault};
use crate::host::domain::Domain;
use crate::host::post::head;
use crate::host::words::{Lang, Text};
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// Users listed at a time, unless fewer are asked for.
const LISTED: usize = 1000;
/// Users named in one form.
const NAMED: usize = 100;
/// Entries of one list of access.
const ENTRIES: usize = 10_000;

const JIDS: &str = "accountjids";
const BLACK: &str = "blacklistjids";
const WHITE: &str = "whitelistjids";

/// The commands.
pub(super) fn commands(lang: Lang) -> Vec<Command> {
    use Text as T;
    let command = |name: &str, text, words: &str, work| {
        let node = format!("{}#{name}", ns::ADMIN);
        Command::new(&node, lang.say(text), words, work)
    };
    let users = |run| Work::Asking(which, run);
    let list = |run| Work::Asking(how_many, run);
    vec![
        command(
            "get-registered-users-num",
            T::RegisteredNum,
            "count registered",
            Work::Plain(|desk, asker, _| count(desk, asker, Group::Registered)),
        ),
        command(
            "get-disabled-users-num",
            T::DisabledNum,
            "count disabled",
            Work::Plain(|desk, asker, _| count(desk, asker, Group::Disabled)),
        ),
        command(
            "get-online-users-num",
            T::OnlineNum,
            "count online",
            Work::Plain(|desk, asker, _| count(desk, asker, Group::Online)),
        ),
        command(
            "get-registered-users-list",
            T::RegisteredList,
            "list registered",
            list(|desk, asker, answers| members(desk, asker, &answers, Group::Registered)),
        ),
        command(
            "get-disabled-users-list",
            T::DisabledList,
            "list disabled",
            list(|desk, asker, answers| members(desk, asker, &answers, Group::Disabled)),
        ),
        command(
            "get-online-users-list",
            T::OnlineList,
            "list online",
            list(|desk, asker, answers| members(desk, asker, &answers, Group::Online)),
        ),
        command(
            "disable-user",
            T::DisableUser,
            "disable",
            users(|desk, asker, answers| bar(desk, asker, &answers, true)),
        ),
        command(
            "reenable-user",
            T::ReenableUser,
            "reenable",
            users(|desk, asker, answers| bar(desk, asker, &answers, false)),
        ),
        command("delete-user", T::DeleteUser, "delete user", users(delete)),
        command("end-user-session", T::EndSession, "end session", users(end)),
        command("user-stats", T::UserStats, "stats", users(stats)),
        command(
            "edit-blacklist",
            T::EditBlacklist,
            "blacklist",
            Work::Asking(
                |desk, asker| lists(desk, asker, BLACK),
                |desk, asker, answers| edit(desk, asker, &answers, BLACK),
            ),
        ),
        command(
            "edit-whitelist",
            T::EditWhitelist,
            "whitelist",
            Work::Asking(
                |desk, asker| lists(desk, asker, WHITE),
                |desk, asker, answers| edit(desk, asker, &answers, WHITE),
            ),
        ),
        command(
            "announce",
            T::Announce,
            "announce",
            Work::Asking(what, announce),
        ),
    ]
}

/// Users of one kind.
#[derive(Clone, Copy)]
enum Group {
    Registered,
    Disabled,
    Online,
}

impl Group {
    /// The names of the fields that hold how many and who they are (§4.15 to 4.20).
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Registered => ("registeredusersnum", "registereduserjids"),
            Self::Disabled => ("disabledusersnum", "disableduserjids"),
            Self::Online => ("onlineusersnum", "onlineuserjids"),
        }
    }

    async fn members(self, desk: &Desk, host: &Domain) -> Result<Vec<String>, Fault> {
        Ok(match self {
            Self::Online => host.users().into_iter().collect(),
            Self::Disabled => host.rules().disabled.iter().cloned().collect(),
            Self::Registered => {
                let users = desk.shared.store.users(desk.outbox.domain());
                users.await.map_err(|fault| store_fault(&fault))?
            }
        })
    }
}

fn host(desk: &Desk) -> Result<Arc<Domain>, Fault> {
    let host = desk.domain.upgrade();
    host.ok_or_else(|| Fault::new(FaultKind::Internal, ""))
}

fn form(fields: Vec<Field>) -> Page {
    Page {
        about: Some(ns::ADMIN),
        fields,
        ..Page::default()
    }
}

fn asks(fields: Vec<Field>) -> Asked {
    Box::pin(std::future::ready(Ok(form(fields))))
}

fn which(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let label = asker.lang.say(Text::WhichUsers);
    asks(vec![Field::new(JIDS, label, FieldKind::Lines).required()])
}

fn how_many(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let label = asker.lang.say(Text::HowMany);
    let most = i64::try_from(LISTED).unwrap_or(i64::MAX);
    asks(vec![
        Field::new("max_items", label, FieldKind::Number).range(1, most),
    ])
}

fn what(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let say = |text| asker.lang.say(text);
    asks(vec![
        Field::new("announcement", say(Text::Announcement), FieldKind::Lines).required(),
        Field::new("subject", say(Text::Subject), FieldKind::Text),
    ])
}

/// The users that are named in a field, each on a line or behind a space.
fn named(answers: &Answers, field: &str, lang: Lang) -> Result<Vec<BareJid>, Fault> {
    let words = answers.get(field).map(String::as_str).unwrap_or_default();
    let jids = words.split_whitespace().map(|word| {
        BareJid::parse(word).map_err(|_| {
            let text = lang.tell(Text::NoJid, &[field, word]);
            Fault::new(FaultKind::NotExpressible, text)
        })
    });
    let jids: Vec<BareJid> = jids.collect::<Result<_, _>>()?;
    match jids.len() > ENTRIES {
        true => Err(Fault::new(FaultKind::Full, lang.say(Text::SettingsFull))),
        false => Ok(jids),
    }
}

fn users(answers: &Answers, lang: Lang) -> Result<Vec<BareJid>, Fault> {
    let users = named(answers, JIDS, lang)?;
    match users.len() > NAMED {
        true => Err(Fault::new(FaultKind::Full, lang.say(Text::SettingsFull))),
        false => Ok(users),
    }
}

fn count(desk: &Arc<Desk>, asker: &Asker, group: Group) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let host = host(&desk)?;
        let number = group.members(&desk, &host).await?.len().to_string();
        Ok(Told {
            text: lang.tell(Text::UsersCounted, &[&number]),
            values: vec![(group.fields().0, vec![number])],
            ..Told::default()
        })
    })
}

fn members(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, group: Group) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let most = answers
        .get("max_items")
        .and_then(|most| most.trim().parse().ok());
    let most = most.unwrap_or(LISTED).min(LISTED);
    Box::pin(async move {
        let host = host(&desk)?;
        let mut users = group.members(&desk, &host).await?;
        let number = users.len().to_string();
        users.truncate(most);
        Ok(Told {
            text: lang.tell(Text::UsersCounted, &[&number]),
            values: vec![(group.fields().1, users)],
            ..Told::default()
        })
    })
}

/// Changes the rules of access; they are on disk when it is told.
async fn rule(desk: &Desk, change: impl FnOnce(&mut Rules)) -> Result<(), Fault> {
    let host = host(desk)?;
    let _alone = desk.changes.lock().await;
    let mut rules = Rules::clone(&host.rules());
    change(&mut rules);
    let kept = serde_json::to_vec(&rules)
        .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?;
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    store.keep("", domain, Rules::NAME, Some(kept));
    let synced = store.synced().await;
    synced.map_err(|fault| store_fault(&fault))?;
    host.set_rules(rules);
    Ok(())
}

fn bar(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, bars: bool) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(answers, lang);
    Box::pin(async move {
        let users = users?;
        rule(&desk, |rules| {
            for user in &users {
                match bars {
                    true => rules.disabled.insert(user.to_string()),
                    false => rules.disabled.remove(user.as_str()),
                };
            }
        })
        .await?;
        Ok(Told::words(lang.say(Text::Done)))
    })
}

fn lists(desk: &Arc<Desk>, asker: &Asker, list: &'static str) -> Asked {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let rules = host(&desk)?.rules();
        let (label, entries) = match list {
            BLACK => (Text::Blacklist, &rules.black),
            _ => (Text::Whitelist, &rules.white),
        };
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let field = Field::new(list, lang.say(label), FieldKind::Lines);
        Ok(form(vec![field.value(&entries.join("\n"))]))
    })
}

fn edit(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, list: &'static str) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let given = answers.contains_key(list);
    let entries = named(answers, list, lang);
    Box::pin(async move {
        if !given {
            return Ok(Told::words(lang.say(Text::ChangedNothing)));
        }
        let entries: BTreeSet<String> = entries?.iter().map(BareJid::to_string).collect();
        rule(&desk, |rules| match list {
            BLACK => rules.black = entries,
            _ => rules.white = entries,
        })
        .await?;
        Ok(Told::words(lang.say(Text::Done)))
    })
}

fn delete(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(&answers, lang);
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
    let users = named(&answers, JIDS, lang);
    Box::pin(async move {
        let host = host(&desk)?;
        for user in users? {
            host.end_sessions(&user);
        }
        Ok(Told::words(lang.say(Text::Done)))
    })
}

fn stats(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(&answers, lang);
    Box::pin(async move {
        let host = host(&desk)?;
        let mut rows = Vec::new();
        for user in users? {
            let registered = desk.account(&user).await?.is_some();
            let yes = |is: bool| if is { "1" } else { "0" }.to_owned();
            let networks = host.networks_of(&user);
            rows.push(vec![
                user.to_string(),
                yes(registered),
                yes(host.rules().disabled.contains(user.as_str())),
                networks.len().to_string(),
                networks.join(" "),
            ]);
        }
        Ok(Told {
            columns: vec![
                ("accountjid", "JID"),
                ("registered", lang.say(Text::ColumnRegistered)),
                ("disabled", lang.say(Text::ColumnDisabled)),
                ("sessions", lang.say(Text::ColumnSessions)),
                ("networks", lang.say(Text::ColumnNetworks)),
            ],
            rows,
            ..Told::default()
        })
    })
}

fn announce(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let users = host(&desk)?.users();
        let text = |name: &str| answers.get(name).map(|it| it.trim()).unwrap_or_default();
        let (words, subject) = (text("announcement"), text("subject"));
        for user in &users {
            let id = format!("{:016x}", desk.shared.next_session());
            let (name, from) = (StanzaName::Message, Sender::default());
            let head = head(name, from, user, Some("headline"), Some(&id));
            desk.outbox.push(|batch| {
                batch.stanza(Class::Message, head, |xml| {
                    if !subject.is_empty() {
                        xml.text_element("subject", subject);
                    }
                    xml.text_element("body", words);
                });
            });
        }
        let number = users.len().to_string();
        Ok(Told::words(lang.tell(Text::Announced, &[&number])))
    })
}
