//! Service administration (XEP-0133 1.3), for those who run the gateway (`admins`), with the
//! nodes and fields of the specification; and two commands that scripts of other gateways know.
//!
//! Who is there (`count`), single users (`user`), who may (`access`), and the gateway as a whole
//! (`service`). Not here: passwords, rosters and accounts on the XMPP server, which are the
//! server's; `restart`, since a program cannot promise that anybody starts it again; messages of
//! the day and welcome messages.

mod access;
mod count;
mod service;
mod user;

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field};

use super::{Answers, Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::desk::Desk;
use crate::host::domain::Domain;
use crate::host::fault;
use crate::host::words::{Lang, Phrase, Text};
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Users named in one form.
const NAMED: usize = 100;
/// Entries of one list of access.
const ENTRIES: usize = 10_000;

/// The commands.
pub(super) fn commands(lang: Lang) -> Vec<Command> {
    let parts = [count::COMMANDS, user::COMMANDS, access::COMMANDS];
    let parts = parts.into_iter().chain([service::COMMANDS]);
    parts.flatten().map(|row| row.command(lang)).collect()
}

/// A command of these: its node, below that of the specification unless it has its own, its name,
/// the words that call it in a chat, and how it works.
struct Row(&'static str, Text, &'static str, Work);

impl Row {
    fn command(&self, lang: Lang) -> Command {
        let Self(name, text, words, work) = self;
        let node = match name.strip_prefix('#') {
            Some(_) => format!("{}{name}", ns::ADMIN),
            None => (*name).to_owned(),
        };
        Command::new(&node, lang.say(*text), words, *work)
    }
}

fn host(desk: &Desk) -> Result<Arc<Domain>, Fault> {
    let host = desk.domain.upgrade();
    host.ok_or_else(|| fault::bare(FaultKind::Internal))
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

/// An answer without the white space around it; empty if there is none.
fn text<'a>(answers: &'a Answers, name: &str) -> &'a str {
    answers.get(name).map(|it| it.trim()).unwrap_or_default()
}

/// The users that are named in a field, each on a line or behind a space.
fn named(answers: &Answers, field: &str) -> Result<Vec<BareJid>, Fault> {
    let jids = text(answers, field).split_whitespace().map(|word| {
        BareJid::parse(word).map_err(|_| {
            let text = Text::NoJid.with(&[field, word]);
            fault::of(FaultKind::NotExpressible, text)
        })
    });
    let jids: Vec<BareJid> = jids.collect::<Result<_, _>>()?;
    match jids.len() > ENTRIES {
        true => Err(fault::of(FaultKind::Full, Text::SettingsFull)),
        false => Ok(jids),
    }
}
