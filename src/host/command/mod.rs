//! What a user can have the gateway do: one table, shown as ad-hoc commands (`adhoc`, XEP-0050)
//! and as words in a chat with the gateway (`chat`).
//!
//! Most commands ask at most one form of questions, and end with words and perhaps a table. One
//! that asks step by step (`register`) is a dialog of the gateway: `steps` holds it by ad-hoc
//! command, `talk` by chat.

mod adhoc;
mod archive;
mod chat;
mod queue;
mod steps;
mod talk;

#[cfg(all(test, feature = "loopback"))]
mod tests;

use std::sync::Arc;

use isthmus_gateway::{Fault, FaultKind, Field, Gateway, Later};

use super::desk::{Desk, registers};
use super::form::Answers;
use crate::xmpp::jid::BareJid;

pub(crate) use self::adhoc::{Sessions, disco};

/// One command.
pub(crate) struct Command {
    /// Its node (XEP-0050 §2.2).
    node: &'static str,
    /// Its name for people.
    name: &'static str,
    /// The words that call it in a chat; what follows answers its questions in order.
    words: &'static str,
    /// What follows them, in words for help.
    more: &'static str,
    /// How it works.
    work: Work,
}

/// How a command works.
#[derive(Clone, Copy)]
enum Work {
    /// It does what it does at once.
    Plain(Run),
    /// It asks one form of questions, made for who asks.
    Asking(fn(&Arc<Desk>, &BareJid) -> Asked, Run),
    /// It is a dialog of the gateway.
    Steps,
}

/// What a command does.
type Run = fn(&Arc<Desk>, &BareJid, Answers) -> Ended;

impl Work {
    /// What is to be asked.
    async fn questions(self, desk: &Arc<Desk>, user: &BareJid) -> Result<Vec<Field>, Fault> {
        match self {
            Self::Asking(questions, _) => questions(desk, user).await,
            Self::Plain(_) | Self::Steps => Ok(Vec::new()),
        }
    }

    /// Does it.
    async fn run(self, desk: &Arc<Desk>, user: &BareJid, answers: Answers) -> Result<Told, Fault> {
        match self {
            Self::Asking(_, run) | Self::Plain(run) => run(desk, user, answers).await,
            Self::Steps => Err(Fault::new(FaultKind::Internal, "a dialog has steps")),
        }
    }
}

/// Registration, step by step.
static REGISTER: Command = Command {
    node: "register",
    name: "Register",
    words: "register",
    more: "",
    work: Work::Steps,
};

/// The questions of a command.
type Asked = Later<Result<Vec<Field>, Fault>>;

/// What came of a command.
type Ended = Later<Result<Told, Fault>>;

/// How a command ended.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// In words.
    text: String,
    /// Names and labels of columns.
    columns: Vec<(&'static str, &'static str)>,
    /// What stands below them.
    rows: Vec<Vec<String>>,
}

/// The commands of a gateway.
pub(crate) fn table(gateway: &dyn Gateway) -> Vec<&'static Command> {
    let register = registers(gateway).then_some(&REGISTER);
    let queue = gateway.courier().map(|_| &queue::COMMANDS);
    register
        .into_iter()
        .chain(queue.into_iter().flatten())
        .chain(&archive::COMMANDS)
        .collect()
}

/// Whether a gateway has commands.
pub(crate) fn any(gateway: &dyn Gateway) -> bool {
    !table(gateway).is_empty()
}

fn named(gateway: &dyn Gateway, node: &str) -> Option<&'static Command> {
    table(gateway)
        .into_iter()
        .find(|command| command.node == node)
}
