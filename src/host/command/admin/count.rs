//! How many users there are, and who they are (XEP-0133 §4.13 to 4.22).
//!
//! Registered: who has an account or settings here. Online: who has a session, or has told that he
//! is there. Active: who of them did something in the last ten minutes; idle: the others.

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Answers, Asked, Asker, Ended, Row, Told, Work, asks, host, text};
use crate::host::desk::{Desk, store_fault};
use crate::host::domain::Domain;
use crate::host::fault;
use crate::host::words::{Phrase, Text};
use crate::xmpp::jid::BareJid;

/// Users listed at a time, unless fewer are asked for: a stanza bears them.
const LISTED: usize = 1000;
/// What can be chosen, as the specification has it.
const CHOICES: [&str; 6] = ["25", "50", "75", "100", "150", "200"];
/// All of them, as far as a stanza bears them.
const ALL: &str = "none";

pub(super) const COMMANDS: &[Row] = &[
    Row(
        "#get-registered-users-num",
        Text::RegisteredNum,
        "count registered",
        Work::Plain(|desk, asker, _| count(desk, asker, Group::Registered)),
    ),
    Row(
        "#get-disabled-users-num",
        Text::DisabledNum,
        "count disabled",
        Work::Plain(|desk, asker, _| count(desk, asker, Group::Disabled)),
    ),
    Row(
        "#get-online-users-num",
        Text::OnlineNum,
        "count online",
        Work::Plain(|desk, asker, _| count(desk, asker, Group::Online)),
    ),
    Row(
        "#get-active-users-num",
        Text::ActiveNum,
        "count active",
        Work::Plain(|desk, asker, _| count(desk, asker, Group::Active)),
    ),
    Row(
        "#get-idle-users-num",
        Text::IdleNum,
        "count idle",
        Work::Plain(|desk, asker, _| count(desk, asker, Group::Idle)),
    ),
    Row(
        "#get-registered-users-list",
        Text::RegisteredList,
        "list registered",
        Work::Asking(how_many, |desk, asker, answers| {
            members(desk, asker, &answers, Group::Registered)
        }),
    ),
    Row(
        "#get-disabled-users-list",
        Text::DisabledList,
        "list disabled",
        Work::Asking(how_many, |desk, asker, answers| {
            members(desk, asker, &answers, Group::Disabled)
        }),
    ),
    Row(
        "#get-online-users-list",
        Text::OnlineList,
        "list online",
        Work::Asking(how_many, |desk, asker, answers| {
            members(desk, asker, &answers, Group::Online)
        }),
    ),
    // The specification has no `-list` here.
    Row(
        "#get-active-users",
        Text::ActiveList,
        "list active",
        Work::Asking(how_many, |desk, asker, answers| {
            members(desk, asker, &answers, Group::Active)
        }),
    ),
    Row(
        "#get-idle-users",
        Text::IdleList,
        "list idle",
        Work::Asking(how_many, |desk, asker, answers| {
            members(desk, asker, &answers, Group::Idle)
        }),
    ),
];

/// Users of one kind.
#[derive(Clone, Copy)]
enum Group {
    Registered,
    Disabled,
    Online,
    Active,
    Idle,
}

impl Group {
    /// The names of the fields that hold how many and who they are.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Registered => ("registeredusersnum", "registereduserjids"),
            Self::Disabled => ("disabledusersnum", "disableduserjids"),
            Self::Online => ("onlineusersnum", "onlineuserjids"),
            Self::Active => ("activeusersnum", "activeuserjids"),
            // §4.22 has no name of its own for those who are idle.
            Self::Idle => ("idleusersnum", "activeuserjids"),
        }
    }

    async fn members(self, desk: &Desk, host: &Domain) -> Result<Vec<String>, Fault> {
        let users = match self {
            Self::Online => host.users(),
            Self::Active => host.users_who_are(true),
            Self::Idle => host.users_who_are(false),
            Self::Disabled => return Ok(host.rules().disabled.iter().cloned().collect()),
            Self::Registered => {
                let users = desk.shared.store.users(desk.outbox.domain());
                return users.await.map_err(|fault| store_fault(&fault));
            }
        };
        Ok(users.iter().map(BareJid::to_string).collect())
    }
}

fn how_many(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let label = |it: &'static str| match it {
        ALL => (ALL, asker.lang.say(Text::AllOfThem)),
        number => (number, number),
    };
    let options: Vec<_> = CHOICES.into_iter().chain([ALL]).map(label).collect();
    let label = asker.lang.say(Text::HowMany);
    // Another number will do as well.
    let field = Field::new("max_items", label, FieldKind::Text);
    asks(vec![field.options(&options)])
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
    let most = match text(answers, "max_items") {
        "" | ALL => Some(LISTED),
        number => number.parse().ok().filter(|&most| most > 0),
    };
    Box::pin(async move {
        let Some(most) = most else {
            let what = [
                lang.say(Text::HowMany),
                "max_items",
                lang.say(Text::IsNoNumber),
            ];
            let text = Text::BadField.with(&what);
            return Err(fault::of(FaultKind::NotExpressible, text));
        };
        let host = host(&desk)?;
        let mut users = group.members(&desk, &host).await?;
        let number = users.len().to_string();
        users.truncate(most.min(LISTED));
        Ok(Told {
            text: lang.tell(Text::UsersCounted, &[&number]),
            values: vec![(group.fields().1, users)],
            listed: Some(group.fields().1),
            ..Told::default()
        })
    })
}
