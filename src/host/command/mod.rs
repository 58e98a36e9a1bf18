//! What a user can have an address do: one table, shown as ad-hoc commands (`adhoc`, XEP-0050)
//! and as words in a chat with the address (`chat`). Which commands there are depends on what the
//! address is (the gateway, a network, a room) and on who asks.
//!
//! Most commands ask at most one form of questions, and end with words and perhaps a table. One
//! that asks step by step (`register`, a gateway's own) is a dialog of the gateway: `steps` holds
//! it by ad-hoc command, `talk` by chat.

mod adhoc;
mod admin;
mod archive;
mod block;
mod chat;
mod export;
mod queue;
mod settings;
mod steps;
mod talk;

#[cfg(all(test, feature = "loopback"))]
mod tests;

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Field, Gateway, Kind, Later};

use super::desk::{Desk, registers};
use super::form::Answers;
use super::words::{Lang, Text};
use crate::host::fault;
use crate::xmpp::jid::BareJid;

pub(crate) use self::adhoc::Sessions;
pub(crate) use self::settings::has as has_settings;

/// Who asks for something, and of whom.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// Who asks.
    pub(crate) user: BareJid,
    /// With which resource: a full JID.
    pub(crate) peer: String,
    /// What was asked.
    pub(crate) at: Address,
    /// The bare JID that was asked.
    pub(crate) jid: String,
    /// Whether he runs the gateway.
    pub(crate) admin: bool,
    /// The language of his request, if we speak it.
    pub(crate) asked_lang: Option<Lang>,
    /// The language he is answered in.
    pub(crate) lang: Lang,
}

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Its node (XEP-0050 §2.2).
    node: String,
    /// Its name for people.
    name: String,
    /// The words that call it in a chat; what follows answers its questions in order.
    words: String,
    /// What follows them, in words for help.
    more: &'static str,
    /// How it works.
    work: Work,
}

impl Command {
    fn new(node: &str, name: &str, words: &str, work: Work) -> Self {
        Self {
            node: node.to_owned(),
            name: name.to_owned(),
            words: words.to_owned(),
            more: "",
            work,
        }
    }

    /// With what follows its words, for help.
    fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }
}

/// How a command works.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// It does what it does at once.
    Plain(Run),
    /// It asks one form of questions, made for who asks.
    Asking(fn(&Arc<Desk>, &Asker) -> Asked, Run),
    /// It is registration, a dialog of the gateway.
    Register,
    /// It is another dialog of the gateway.
    Offered,
}

/// What a command does.
type Run = fn(&Arc<Desk>, &Asker, Answers) -> Ended;

impl Work {
    /// What is to be asked.
    async fn questions(self, desk: &Arc<Desk>, asker: &Asker) -> Result<Page, Fault> {
        match self {
            Self::Asking(questions, _) => questions(desk, asker).await,
            Self::Plain(_) | Self::Register | Self::Offered => Ok(Page::default()),
        }
    }

    /// Does it.
    async fn run(self, desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Result<Told, Fault> {
        match self {
            Self::Asking(_, run) | Self::Plain(run) => run(desk, asker, answers).await,
            Self::Register | Self::Offered => Err(fault::bare(FaultKind::Internal)),
        }
    }

    /// Whether it is a dialog.
    fn has_steps(self) -> bool {
        matches!(self, Self::Register | Self::Offered)
    }
}

/// The questions of a command.
type Asked = Later<Result<Page, Fault>>;

/// What came of a command.
type Ended = Later<Result<Told, Fault>>;

/// A form of questions.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// What it is called; empty: as the command is.
    title: String,
    /// What is to be known before it is filled in.
    words: String,
    /// Its `FORM_TYPE`, where it has one.
    about: Option<&'static str>,
    /// The questions.
    fields: Vec<Field>,
}

/// How a command ended.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// In words.
    text: String,
    /// Names and labels of columns.
    columns: Vec<(&'static str, &'static str)>,
    /// What stands below them.
    rows: Vec<Vec<String>>,
    /// The `FORM_TYPE` of the values; absent: that of XEP-0133.
    about: Option<&'static str>,
    /// What is told under the names that a specification gives it.
    values: Vec<(&'static str, Vec<String>)>,
    /// Those of them that words alone do not tell: a chat lists them.
    listed: Option<&'static str>,
}

impl Told {
    /// Nothing but words.
    fn words(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// The commands that an address has for who asks.
pub(crate) fn table(gateway: &dyn Gateway, kind: Kind, admin: bool, lang: Lang) -> Vec<Command> {
    let mut table = Vec::new();
    let itself = kind == Kind::Gateway;
    if kind == Kind::Contact && gateway.manifest().caps.lookup {
        // A session answers it; without one nobody can be asked.
        let run: Run =
            |_, _, _| Box::pin(async { Err(crate::host::fault::bare(FaultKind::NetworkDown)) });
        let name = lang.say(Text::Whois);
        table.push(Command::new("whois", name, "whois", Work::Plain(run)));
    }
    if itself && registers(gateway) {
        let name = lang.say(Text::Register);
        table.push(Command::new("register", name, "register", Work::Register));
    }
    if settings::has(gateway, kind) {
        table.push(settings::command(lang));
    }
    if itself && gateway.courier().is_some() {
        table.extend(queue::commands(lang));
    }
    if itself {
        table.extend(archive::commands(lang));
        table.push(export::command(lang));
        table.extend(block::commands(lang));
    }
    if itself && admin {
        table.extend(admin::commands(lang));
    }
    let offered = gateway.manifest().commands.iter();
    for command in offered.filter(|it| it.on == kind && (admin || !it.admin)) {
        let words = match command.words.is_empty() {
            true => command.node.replace('-', " "),
            false => command.words.clone(),
        };
        let (node, name) = (&command.node, lang.pick(&command.name));
        table.push(Command::new(node, name, &words, Work::Offered));
    }
    table
}

/// Whether an address of this kind has commands for everybody.
pub(crate) fn any(gateway: &dyn Gateway, kind: Kind) -> bool {
    !table(gateway, kind, false, Lang::En).is_empty()
}

/// The same with what commands are called by scripts beside.
fn listed(gateway: &dyn Gateway, asker: &Asker) -> Vec<Command> {
    let mut table = table(gateway, asker.at.kind, asker.admin, asker.lang);
    let settings = table.iter().find(|command| command.node == settings::NODE);
    // COMPAT(biboumi 9): its scripts look for them, those of other networks do not.
    let identities = &gateway.manifest().identities;
    let irc = identities.iter().any(|identity| identity.kind == "irc");
    let one = irc && gateway.home().is_some() && asker.at.kind == Kind::Gateway;
    if let Some(settings) = settings.filter(|_| one).cloned() {
        table.extend(settings::ALSO.iter().map(|&(node, name)| Command {
            // It is answered by the name it was called by.
            node: node.to_owned(),
            name: asker.lang.say(name).to_owned(),
            ..settings.clone()
        }));
    }
    table
}

fn named(gateway: &dyn Gateway, asker: &Asker, node: &str) -> Option<Command> {
    let mut found = listed(gateway, asker).into_iter();
    found.find(|command| command.node == node)
}
