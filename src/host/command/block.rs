//! Whom a user does not want to hear of: `block`, `unblock`, `blocked`. The list belongs to a user
//! and a gateway, is kept with his settings, and holds for what addresses of the network send him
//! privately: messages, typing, presence, invitations. They are dropped and nobody is told. What
//! they say in rooms is heard there.
//!
//! Not here: where things are dropped (`session`, `courier`), and XEP-0191, which is his server's.

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind, Kind, Parsed};

use super::{Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::desk::Desk;
use crate::host::fault;
use crate::host::form::Answers;
use crate::host::words::{Label, Lang, Text};
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::BareJid;

/// The commands.
pub(super) fn commands(lang: Lang) -> [Command; 3] {
    let asks = |node, text, run| {
        Command::new(node, lang.say(text), node, Work::Asking(whom, run))
            .more(lang.say(Text::MoreAddress))
    };
    [
        asks("block", Text::Block, |desk, asker, answers| {
            change(desk, asker, &answers, true)
        }),
        asks("unblock", Text::Unblock, |desk, asker, answers| {
            change(desk, asker, &answers, false)
        }),
        Command::new(
            "blocked",
            lang.say(Text::Blocked),
            "blocked",
            Work::Plain(|desk, asker, _| list(desk, asker)),
        ),
    ]
}

fn whom(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let address = Field::new("address", asker.lang.say(Text::BlockWhom), FieldKind::Text);
    let page = Page {
        fields: vec![address.required()],
        ..Page::default()
    };
    Box::pin(std::future::ready(Ok(page)))
}

fn change(desk: &Arc<Desk>, asker: &Asker, answers: &Answers, on: bool) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    let typed = answers.get("address").map(|it| it.trim().to_owned());
    Box::pin(async move {
        let local = desk.person(&typed.unwrap_or_default())?;
        let (user, lang) = (&asker.user, asker.lang);
        let changed = desk.set_blocked(user, &local, on).await?;
        if on {
            desk.hub.hide(user, &local);
        }
        let text = match (on, changed) {
            (true, true) => Text::BlockDone,
            (true, false) => Text::BlockedAlready,
            (false, true) => Text::UnblockDone,
            (false, false) => Text::NotBlocked,
        };
        let jid = format!("{local}@{}", desk.outbox.domain());
        Ok(Told::words(lang.tell(text, &[&jid])))
    })
}

fn list(desk: &Arc<Desk>, asker: &Asker) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let kept = desk.kept_settings(&asker.user).await?;
        let domain = desk.outbox.domain();
        let rows = kept.blocked().iter();
        let rows: Vec<_> = rows
            .map(|local| vec![format!("{local}@{domain}")])
            .collect();
        let count = rows.len().to_string();
        Ok(Told {
            text: asker.lang.tell(Text::BlockCount, &[&count]),
            columns: vec![("address", asker.lang.say(Label::Address))],
            rows,
            ..Told::default()
        })
    })
}

impl Desk {
    /// The localpart of somebody, from his JID here or his address on the network.
    fn person(&self, typed: &str) -> Result<String, Fault> {
        let bad = || fault::bare(FaultKind::BadAddress);
        let domain = self.outbox.domain();
        let jid = |local: &str| BareJid::new(Some(local), domain).map_err(|_| bad());
        let ours = BareJid::parse(typed).ok();
        let ours = ours.filter(|jid| jid.domain() == domain);
        let ours = match ours {
            Some(ours) => ours,
            None => jid(&escape(typed))?,
        };
        let local = unescape(ours.local().unwrap_or_default()).into_owned();
        let address = match self.parsed(&local)? {
            Parsed::Canonical(address) => address,
            Parsed::Moved(proper) => match self.parsed(&proper)? {
                Parsed::Canonical(address) => address,
                Parsed::Moved(_) => return Err(bad()),
            },
        };
        if !matches!(address.kind, Kind::Contact | Kind::Room | Kind::Group) {
            return Err(bad());
        }
        let local = self.gateway.format(&address);
        let local = local.map_err(fault::address)?;
        let proper = jid(&escape(&local))?;
        Ok(proper.local().unwrap_or_default().to_owned())
    }

    fn parsed(&self, local: &str) -> Result<Parsed, Fault> {
        let parsed = self.gateway.parse(local, "");
        parsed.map_err(fault::address)
    }
}
