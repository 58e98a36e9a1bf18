//! A user's archive in his own hands: `archive show` tells it page by page, to be kept elsewhere, and
//! `archive delete` removes it.

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::archive;
use crate::host::delay::stamp;
use crate::host::desk::{Desk, store_fault};
use crate::host::fault;
use crate::host::form::Answers;
use crate::host::words::{Denial, Lang, Text};
use crate::store::Row;
use crate::store::archives::{COUNTED, Kept, Stretch};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Messages shown at a time.
const SHOWN: usize = 100;

/// Both commands.
pub(super) fn commands(lang: Lang) -> [Command; 2] {
    let (show, forget) = (lang.say(Text::ArchiveShow), lang.say(Text::ArchiveDelete));
    let asking = Work::Asking(what, export);
    let deleting = Work::Asking(which, delete);
    [
        Command::new("archive-export", show, "archive show", asking)
            .more(lang.say(Text::MoreAddress)),
        Command::new("archive-delete", forget, "archive delete", deleting)
            .more(lang.say(Text::MoreYesAddress)),
    ]
}

const COLUMNS: [(&str, Text); 5] = [
    ("id", Text::ColumnNumber),
    ("at", Text::ColumnWhen),
    ("with", Text::ColumnWith),
    ("from", Text::ColumnFrom),
    ("text", Text::ColumnWords),
];

fn asks(fields: Vec<Field>) -> Asked {
    let page = Page {
        fields,
        ..Page::default()
    };
    Box::pin(std::future::ready(Ok(page)))
}

fn what(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let say = |text| asker.lang.say(text);
    asks(vec![
        Field::new("with", say(Text::ArchiveWith), FieldKind::Text),
        Field::new("after", say(Text::ArchiveAfter), FieldKind::Number),
    ])
}

fn which(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let say = |text| asker.lang.say(text);
    asks(vec![
        Field::new("sure", say(Text::ArchiveSure), FieldKind::Bool).required(),
        Field::new("with", say(Text::ArchiveOf), FieldKind::Text),
    ])
}

/// The archives that were named: one, or all.
async fn named(desk: &Desk, user: &BareJid, answers: &Answers) -> Result<Vec<Kept>, Fault> {
    let with = answers.get("with").map(|with| with.trim());
    let with = with.filter(|with| !with.is_empty());
    let bad = |_| fault::of(FaultKind::BadRequest, Denial::AddressNoJid);
    let with = with.map(BareJid::parse).transpose().map_err(bad)?;
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let peer = with.as_ref().map(BareJid::as_str);
    let kept = store.archives(user.as_str(), domain, peer).await;
    let kept = kept.map_err(|fault| store_fault(&fault))?;
    if kept.is_empty() && with.is_some() {
        let text = Text::ArchiveNone;
        return Err(fault::of(FaultKind::NoSuchTarget, text));
    }
    Ok(kept)
}

fn export(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, user, lang) = (Arc::clone(desk), asker.user.clone(), asker.lang);
    Box::pin(async move {
        let kept = named(&desk, &user, &answers).await?;
        let one = answers
            .get("with")
            .is_some_and(|with| !with.trim().is_empty());
        match kept.first().filter(|_| one) {
            Some(kept) => {
                let after = answers.get("after").and_then(|it| it.trim().parse().ok());
                page(&desk, kept, after.unwrap_or(0), lang).await
            }
            None => overview(&desk, &kept, lang).await,
        }
    })
}

/// Which archives there are, and how large they are.
async fn overview(desk: &Desk, all: &[Kept], lang: Lang) -> Result<Told, Fault> {
    let mut rows = Vec::new();
    for kept in all.iter().take(SHOWN) {
        let count = desk.shared.store.count(kept.id, Stretch::ALL).await;
        let count = count.map_err(|fault| store_fault(&fault))?;
        if count > 0 {
            let count = match count > COUNTED {
                true => lang.tell(Text::ArchiveMoreThan, &[&COUNTED.to_string()]),
                false => count.to_string(),
            };
            rows.push(vec![kept.peer.clone(), count]);
        }
    }
    let count = rows.len().to_string();
    let text = match all.len() > SHOWN {
        true => lang.tell(Text::ArchivesFirst, &[&count]),
        false => lang.tell(Text::Archives, &[&count]),
    };
    Ok(Told {
        text,
        columns: vec![
            ("with", lang.say(Text::ColumnWith)),
            ("messages", lang.say(Text::ColumnMessages)),
        ],
        rows,
        ..Told::default()
    })
}

async fn page(desk: &Desk, kept: &Kept, after: i64, lang: Lang) -> Result<Told, Fault> {
    let stretch = Stretch {
        after,
        ..Stretch::ALL
    };
    let rows = desk.shared.store.stretch(kept.id, stretch, false, SHOWN);
    let rows = rows.await.map_err(|fault| store_fault(&fault))?;
    let text = match rows.last() {
        Some(last) if rows.len() == SHOWN => {
            lang.tell(Text::ArchiveGoesOn, &[&last.number.to_string()])
        }
        _ => lang.tell(Text::ArchiveEnd, &[&rows.len().to_string()]),
    };
    Ok(Told {
        text,
        columns: COLUMNS.map(|(name, text)| (name, lang.say(text))).to_vec(),
        rows: rows.iter().map(|row| line(kept, row)).collect(),
        ..Told::default()
    })
}

fn line(kept: &Kept, row: &Row) -> Vec<String> {
    let stanza = Element::parse(&row.stanza).ok();
    let from = stanza.as_ref().and_then(|it| it.attr("from"));
    let text = ["body", "subject"].into_iter().find_map(|name| {
        let child = stanza.as_ref()?.child(name, ns::COMPONENT)?;
        Some(child.text().into_owned())
    });
    vec![
        row.number.to_string(),
        stamp(row.at),
        kept.peer.clone(),
        from.unwrap_or_default().to_owned(),
        text.unwrap_or_default(),
    ]
}

fn delete(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, user, lang) = (Arc::clone(desk), asker.user.clone(), asker.lang);
    Box::pin(async move {
        if answers.get("sure").map(String::as_str) != Some("true") {
            return Ok(Told::words(lang.say(Text::ArchiveKept)));
        }
        let kept = named(&desk, &user, &answers).await?;
        let gone = archive::erase(&desk.shared, &kept).await;
        let gone = gone.map_err(|fault| store_fault(&fault))?;
        let gone = gone.to_string();
        Ok(Told::words(lang.tell(Text::ArchiveGone, &[&gone])))
    })
}
