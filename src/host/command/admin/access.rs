//! Who may use the gateway and who runs it (XEP-0133 §4.3, 4.4, 4.11, 4.12, 4.29): rules beside
//! the configuration, kept in the store. What the configuration says is changed there alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::user::{users, which};
use super::{Answers, Asked, Asker, Ended, Row, Told, Work, form, host, named};
use crate::host::access::Rules;
use crate::host::desk::{Desk, store_fault};
use crate::host::fault;
use crate::host::words::{Phrase, Text};
use crate::xmpp::jid::BareJid;

pub(super) const COMMANDS: &[Row] = &[
    Row(
        "#disable-user",
        Text::DisableUser,
        "disable",
        Work::Asking(which, |desk, asker, answers| {
            bar(desk, asker, &answers, true)
        }),
    ),
    Row(
        "#reenable-user",
        Text::ReenableUser,
        "reenable",
        Work::Asking(which, |desk, asker, answers| {
            bar(desk, asker, &answers, false)
        }),
    ),
    Row(
        "#edit-blacklist",
        Text::EditBlacklist,
        "blacklist",
        Work::Asking(
            |desk, asker| entries(desk, asker, List::Black),
            |desk, asker, answers| edit(desk, asker, &answers, List::Black),
        ),
    ),
    Row(
        "#edit-whitelist",
        Text::EditWhitelist,
        "whitelist",
        Work::Asking(
            |desk, asker| entries(desk, asker, List::White),
            |desk, asker, answers| edit(desk, asker, &answers, List::White),
        ),
    ),
    Row(
        "#edit-admin",
        Text::EditAdmin,
        "admins",
        Work::Asking(
            |desk, asker| entries(desk, asker, List::Admin),
            |desk, asker, answers| edit(desk, asker, &answers, List::Admin),
        ),
    ),
];

/// A list that is edited as a whole.
#[derive(Clone, Copy)]
enum List {
    Black,
    White,
    Admin,
}

impl List {
    fn field(self) -> (&'static str, Text) {
        match self {
            Self::Black => ("blacklistjids", Text::Blacklist),
            Self::White => ("whitelistjids", Text::Whitelist),
            Self::Admin => ("adminjids", Text::Admins),
        }
    }

    fn of(self, rules: &mut Rules) -> &mut BTreeSet<String> {
        match self {
            Self::Black => &mut rules.black,
            Self::White => &mut rules.white,
            Self::Admin => &mut rules.admins,
        }
    }

    /// What stands in it, that of the configuration too, where it cannot be told apart by who
    /// reads it.
    fn entries(self, desk: &Desk) -> Result<BTreeSet<String>, Fault> {
        let host = host(desk)?;
        let mut entries = std::mem::take(self.of(&mut Rules::clone(&host.rules())));
        if matches!(self, Self::Admin) {
            entries.extend(host.configured_admins());
        }
        Ok(entries)
    }

    /// What is to be kept of a list as somebody wants it.
    fn kept(self, desk: &Desk, wanted: &[BareJid]) -> Result<BTreeSet<String>, Fault> {
        let entries: BTreeSet<String> = wanted.iter().map(BareJid::to_string).collect();
        if !matches!(self, Self::Admin) {
            return Ok(entries);
        }
        if let Some(domain) = wanted.iter().find(|it| it.local().is_none()) {
            let text = Text::NoUser.with(&[domain.as_str()]);
            return Err(fault::of(FaultKind::NotExpressible, text));
        }
        let configured = host(desk)?.configured_admins();
        let missing: Vec<&str> = configured
            .difference(&entries)
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let text = Text::AdminStays.with(&[&missing.join(", ")]);
            return Err(fault::of(FaultKind::NotAllowed, text));
        }
        Ok(entries.difference(&configured).cloned().collect())
    }
}

/// Changes the rules of access; they are on disk when it is told.
async fn rule(desk: &Desk, change: impl FnOnce(&mut Rules)) -> Result<(), Fault> {
    let host = host(desk)?;
    let _alone = desk.changes.lock().await;
    let mut rules = Rules::clone(&host.rules());
    change(&mut rules);
    let kept = serde_json::to_vec(&rules).map_err(|error| fault::ours(&error))?;
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    store.keep("", domain, Rules::NAME, Some(kept));
    let synced = store.synced().await;
    synced.map_err(|fault| store_fault(&fault))?;
    host.set_rules(rules);
    Ok(())
}

fn bar(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, bars: bool) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let users = users(answers);
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

fn entries(desk: &Arc<Desk>, asker: &Asker, list: List) -> Asked {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let entries: Vec<String> = list.entries(&desk)?.into_iter().collect();
        let (name, label) = list.field();
        let field = Field::new(name, lang.say(label), FieldKind::Lines);
        Ok(form(vec![field.value(&entries.join("\n"))]))
    })
}

fn edit(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, list: List) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    let name = list.field().0;
    let wanted = answers.contains_key(name);
    let wanted = wanted.then(|| named(answers, name));
    Box::pin(async move {
        let Some(wanted) = wanted else {
            // Nothing is wanted but to be told.
            return Ok(Told {
                text: lang.say(Text::ChangedNothing).to_owned(),
                values: vec![(name, list.entries(&desk)?.into_iter().collect())],
                listed: Some(name),
                ..Told::default()
            });
        };
        let kept = list.kept(&desk, &wanted?)?;
        rule(&desk, |rules| *list.of(rules) = kept).await?;
        Ok(Told::words(lang.say(Text::Done)))
    })
}
