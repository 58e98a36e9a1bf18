//! Everything that is stored of a user behind one gateway, as JSON he can take away: `export`.
//!
//! One document, written anew for each request and told in pages of lines, or kept as a file at our
//! own file server where there is one. Secrets are named and not told: their value is `null`. Of
//! archives it counts the messages; `archive show` tells them. Of files it tells what they are, and
//! where our own file server has them.
//!
//! The members of the document are listed in `docs/mapping/host.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Field, FieldKind, Kind, Values};
use serde_json::{Map, Value, json};

use super::{Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::attachment::Files;
use crate::host::delay::stamp;
use crate::host::desk::{Desk, store_fault};
use crate::host::fault;
use crate::host::form::Answers;
use crate::host::setting::{Kept, fields};
use crate::host::shared::now_ms;
use crate::host::words::{Lang, Phrase, Text};
use crate::store::archives::Stretch;
use crate::store::contacts::{Item, Standing};
use crate::xmpp::jid::BareJid;

/// The command's node, and the word that calls it.
const NODE: &str = "export";
/// Bytes of a page: a stanza bears them, escaped.
const PAGE: usize = 32 * 1024;
/// Things of each kind: no more contacts can be had.
const MOST: usize = 10_000;
/// What the document follows.
const VERSION: u32 = 1;
/// `FORM_TYPE` of what is told.
const ABOUT: &str = "https://isthmus.im/export";

/// The command.
pub(super) fn command(lang: Lang) -> Command {
    let asking = Work::Asking(which, export);
    Command::new(NODE, lang.say(Text::Export), NODE, asking).more(" [PAGE]")
}

/// The file server, if there is one.
fn server(desk: &Desk) -> Option<Arc<Files>> {
    let files = desk.shared.files();
    files.filter(|files| files.settings().public_url.is_some())
}

fn which(desk: &Arc<Desk>, asker: &Asker) -> Asked {
    let say = |text| asker.lang.say(text);
    let page = Field::new("page", say(Text::ExportPage), FieldKind::Number);
    let mut fields = vec![page.range(1, i64::from(u32::MAX)).value("1")];
    if server(desk).is_some() {
        fields.push(Field::new("file", say(Text::ExportFile), FieldKind::Bool).value("false"));
    }
    let page = Page {
        words: say(Text::ExportAbout).to_owned(),
        fields,
        ..Page::default()
    };
    Box::pin(std::future::ready(Ok(page)))
}

fn export(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let document = desk.all_about(&asker.user).await?;
        let text = serde_json::to_string_pretty(&document).map_err(|error| fault::ours(&error))?;
        let lang = asker.lang;
        let file = answers.get("file").map(|file| file.trim());
        if matches!(file, Some("true"))
            && let Some(files) = server(&desk)
        {
            let owner = (asker.user.as_str(), desk.outbox.domain());
            let kept = files.keep(
                &desk.shared,
                "export.json",
                "application/json",
                text.as_bytes(),
                owner,
            );
            let Some(url) = kept.await else {
                return Err(fault::of(FaultKind::Full, Text::ExportNoFile));
            };
            return Ok(Told {
                text: lang.tell(Text::ExportAt, &[&url]),
                about: Some(ABOUT),
                values: vec![("url", vec![url])],
                ..Told::default()
            });
        }
        let pages = pages(&text);
        let number = answers.get("page").and_then(|it| it.trim().parse().ok());
        let number: usize = number.unwrap_or(1);
        let count = pages.len().to_string();
        let Some(lines) = number.checked_sub(1).and_then(|at| pages.get(at)) else {
            let text = Text::ExportNoPage.with(&[&count]);
            return Err(fault::of(FaultKind::NoSuchTarget, text));
        };
        let number = number.to_string();
        Ok(Told {
            text: lang.tell(Text::ExportPages, &[&number, &count]),
            about: Some(ABOUT),
            values: vec![
                ("page", vec![number]),
                ("pages", vec![count]),
                ("json", lines.iter().map(|&line| line.to_owned()).collect()),
            ],
            listed: Some("json"),
            ..Told::default()
        })
    })
}

/// The lines of a document, as many on a page as it bears; two at least but on the last.
fn pages(text: &str) -> Vec<Vec<&str>> {
    let mut pages: Vec<Vec<&str>> = vec![Vec::new()];
    let mut bytes = 0;
    for line in text.lines() {
        if bytes + line.len() > PAGE && pages.last().is_some_and(|page| page.len() > 1) {
            pages.push(Vec::new());
            bytes = 0;
        }
        bytes += line.len();
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    pages
}

/// Values by name, without those that are or may be secret: only a field that is known not to be
/// one is told.
fn open_values(values: &Values, fields: &[Field]) -> Value {
    let told = |name: &str| {
        let field = fields.iter().find(|field| field.name == name);
        field.is_some_and(|field| !field.kind.is_secret())
    };
    let values = values.iter().map(|(name, value)| {
        let value = match told(name) {
            true => Value::from(value.as_str()),
            false => Value::Null,
        };
        (name.clone(), value)
    });
    Value::Object(values.collect())
}

/// A value that was kept: the document it is, or its text.
fn kept(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// One thing, by its columns.
fn thing(item: &Item, domain: &str) -> Value {
    let mut told = Map::new();
    for (name, text) in &item.columns {
        let number = || text.parse::<i64>().ok();
        match (*name, number()) {
            ("standing", Some(number)) => {
                let standing = u8::try_from(number).unwrap_or_default();
                let Standing {
                    to,
                    from,
                    offered,
                    declined,
                } = Standing::from_number(standing);
                let told = told.entry("standing").or_insert(Value::Null);
                *told = json!({"to": to, "from": from, "offered": offered, "declined": declined});
            }
            ("created" | "until" | "at", Some(ms)) => {
                told.insert((*name).to_owned(), stamp(ms).into());
            }
            ("address", _) if text.is_empty() => {
                told.insert("address".to_owned(), domain.into());
            }
            ("address", _) => {
                told.insert("address".to_owned(), format!("{text}@{domain}").into());
            }
            ("message" | "value", _) => {
                told.insert((*name).to_owned(), kept(text));
            }
            _ => {
                told.insert((*name).to_owned(), text.as_str().into());
            }
        }
    }
    Value::Object(told)
}

impl Desk {
    /// Everything of a user behind this gateway.
    async fn all_about(&self, user: &BareJid) -> Result<Value, Fault> {
        let domain = self.outbox.domain();
        let account = self.account(user).await?;
        let asked = &self.gateway.manifest().register;
        let account = account.map(|account| open_values(&account.fields, asked));
        let kept = self.kept_settings(user).await?;
        let settings = self.settings_about(&kept);
        let blocked = kept.blocked().iter();
        let blocked: Vec<_> = blocked.map(|local| format!("{local}@{domain}")).collect();
        let all = self.shared.store.all_of(user.as_str(), domain, MOST).await;
        let all = all.map_err(|fault| store_fault(&fault))?;
        let mut things: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for item in all.iter().filter(|item| item.kind != "message") {
            let of_kind = things.entry(item.kind).or_default();
            of_kind.push(thing(item, domain));
        }
        let mut of = |kind: &str| things.remove(kind).unwrap_or_default();
        Ok(json!({
            "version": VERSION,
            "gateway": domain,
            "user": user.as_str(),
            "at": stamp(now_ms()),
            "account": account,
            "settings": settings,
            "blocked": blocked,
            "contacts": of("contact"),
            "kept": of("setting"),
            "messages": of("job"),
            "references": of("reference"),
            "archives": self.archives_about(user).await?,
            "files": self.files_about(user).await?,
        }))
    }

    fn settings_about(&self, kept: &Kept) -> Value {
        let known = |kind| fields(&*self.gateway, &Address::new(kind, "", ""), Lang::En);
        let (gateway, network) = (known(Kind::Gateway), known(Kind::Network));
        let mut room = known(Kind::Room);
        room.extend(known(Kind::Group));
        let networks = kept.networks().map(|(name, own, rooms)| {
            let rooms = rooms.iter();
            let rooms = rooms.map(|(name, values)| (name.clone(), open_values(values, &room)));
            let rooms = Value::Object(rooms.collect());
            let own = open_values(own, &network);
            (name.to_owned(), json!({"settings": own, "rooms": rooms}))
        });
        let networks = Value::Object(networks.collect());
        json!({
            "gateway": open_values(kept.gateway(), &gateway),
            "networks": networks,
        })
    }

    /// His files, the oldest first.
    async fn files_about(&self, user: &BareJid) -> Result<Vec<Value>, Fault> {
        let Some(kept) = self.shared.attachments() else {
            return Ok(Vec::new());
        };
        let (user, domain) = (user.to_string(), self.outbox.domain().to_owned());
        let listed = tokio::task::spawn_blocking(move || kept.of(&user, &domain, MOST)).await;
        let listed = listed.map_err(|fault| fault::ours(&fault))?;
        let listed = listed.map_err(|fault| fault::ours(&fault))?;
        let files = self.shared.files();
        let told = listed.iter().map(|(id, about, at)| {
            let url = files.as_ref().and_then(|it| it.own_url(id, &about.name));
            json!({
                "name": about.name, "type": about.mime, "size": about.size,
                "at": stamp(*at), "url": url,
            })
        });
        Ok(told.collect())
    }

    async fn archives_about(&self, user: &BareJid) -> Result<Vec<Value>, Fault> {
        let store = &self.shared.store;
        let all = store.archives(user.as_str(), self.outbox.domain(), None);
        let all = all.await.map_err(|fault| store_fault(&fault))?;
        let mut told = Vec::with_capacity(all.len());
        for archive in &all {
            let count = store.count(archive.id, Stretch::ALL).await;
            let count = count.map_err(|fault| store_fault(&fault))?;
            told.push(json!({"with": archive.peer, "messages": count}));
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_all_lines_once_and_a_long_one_too() {
        let long = "x".repeat(PAGE);
        let text = format!("{{\n{long}\na\n{long}\n}}");
        let pages = pages(&text);
        assert!(pages.len() > 1);
        assert_eq!(pages.concat().join("\n"), text);
    }

    #[test]
    fn only_what_is_known_to_be_no_secret_is_told() {
        let fields = [
            Field::new("nick", "Nick", FieldKind::Text),
            Field::new("pass", "Password", FieldKind::Secret),
        ];
        let values = ["nick", "pass", "token"].map(|name| (name.to_owned(), "x".to_owned()));
        let told = open_values(&Values::from(values), &fields);
        assert_eq!(told, json!({"nick": "x", "pass": null, "token": null}));
    }
}
