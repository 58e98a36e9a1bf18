//! A user's archive in his own hands: `archive show` tells it page by page, to be kept elsewhere, and
//! `archive delete` removes it.

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::archive;
use crate::host::delay::stamp;
use crate::host::desk::{Desk, store_fault};
use crate::host::form::Answers;
use crate::host::words::{Lang, Text};
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
        Command::new("archive-export", show, "archive show", asking).more(" ADDRESS"),
        Command::new("archive-delete", forget, "archive delete", deleting).more(" true ADDRESS"),
    ]
}

const COLUMNS: [(&str, &str); 5] = [
    ("id", "Number"),
    ("at", "When"),
    ("with", "With"),
    ("from", "From"),
    ("text", "Text"),
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
    let bad = |_| Fault::new(FaultKind::BadRequest, "that is no address");
    let with = with.map(BareJid::parse).transpose().map_err(bad)?;
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let peer = with.as_ref().map(BareJid::as_str);
    let kept = store.archives(user.as_str(), domain, peer).await;
    let kept = kept.map_err(|fault| store_fault(&fault))?;
    if kept.is_empty() && with.is_some() {
        let text = "you have no archive of that address";
        return Err(Fault::new(FaultKind::NoSuchTarget, text));
    }
    Ok(kept)
}

fn export(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, user) = (Arc::clone(desk), asker.user.clone());
    Box::pin(async move {
        let kept = named(&desk, &user, &answers).await?;
        let one = answers
            .get("with")
            .is_some_and(|with| !with.trim().is_empty());
        match kept.first().filter(|_| one) {
            Some(kept) => {
                let after = answers.get("after").and_then(|it| it.trim().parse().ok());
                page(&desk, kept, after.unwrap_or(0)).await
            }
            None => overview(&desk, &kept).await,
        }
    })
}

/// Which archives there are, and how large they are.
async fn overview(desk: &Desk, all: &[Kept]) -> Result<Told, Fault> {
    let mut rows = Vec::new();
    for kept in all.iter().take(SHOWN) {
        let count = desk.shared.store.count(kept.id, Stretch::ALL).await;
        let count = count.map_err(|fault| store_fault(&fault))?;
        if count > 0 {
            let count = match count > COUNTED {
                true => format!("more than {COUNTED}"),
                false => count.to_string(),
            };
            rows.push(vec![kept.peer.clone(), count]);
        }
    }
    let mut text = format!("{} archives", rows.len());
    if all.len() > SHOWN {
        text.push_str("; there are more");
    }
    Ok(Told {
        text,
        columns: vec![("with", "With"), ("messages", "Messages")],
        rows,
        ..Told::default()
    })
}

async fn page(desk: &Desk, kept: &Kept, after: i64) -> Result<Told, Fault> {
    let stretch = Stretch {
        after,
        ..Stretch::ALL
    };
    let rows = desk.shared.store.stretch(kept.id, stretch, false, SHOWN);
    let rows = rows.await.map_err(|fault| store_fault(&fault))?;
    let text = match rows.last() {
        Some(last) if rows.len() == SHOWN => {
            format!("for more ask for what is behind {}", last.number)
        }
        _ => format!("{} messages; this is the end", rows.len()),
    };
    Ok(Told {
        text,
        columns: COLUMNS.to_vec(),
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
    let (desk, user) = (Arc::clone(desk), asker.user.clone());
    Box::pin(async move {
        let sure = answers.get("sure").map(|sure| sure.trim());
        if !matches!(sure, Some("1" | "true")) {
            let text = "nothing was deleted: you did not say yes".to_owned();
            return Ok(Told {
                text,
                ..Told::default()
            });
        }
        let kept = named(&desk, &user, &answers).await?;
        let gone = archive::erase(&desk.shared, &kept).await;
        let gone = gone.map_err(|fault| store_fault(&fault))?;
        Ok(Told {
            text: format!("{gone} messages were deleted"),
            ..Told::default()
        })
    })
}
