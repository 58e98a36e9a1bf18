//! What a user can have the gateway do: one table, shown as ad-hoc commands (`adhoc`, XEP-0050)
//! and as words in a chat with the gateway (`chat`).
//!
//! A command asks at most one form of questions, and ends with words and perhaps a table.

mod adhoc;
mod chat;
mod queue;

#[cfg(all(test, feature = "loopback"))]
mod tests;

use std::sync::Arc;

use isthmus_gateway::{Fault, Field, Gateway, Later};

use super::desk::Desk;
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
    /// What it asks, made for who asks.
    questions: fn(&Arc<Desk>, &BareJid) -> Asked,
    /// What it does.
    run: fn(&Arc<Desk>, &BareJid, Answers) -> Ended,
    /// It asks something.
    asks: bool,
}

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
pub(crate) fn table(gateway: &dyn Gateway) -> &'static [Command] {
    match gateway.courier() {
        Some(_) => &queue::COMMANDS,
        None => &[],
    }
}

/// Whether a gateway has commands.
pub(crate) fn any(gateway: &dyn Gateway) -> bool {
    !table(gateway).is_empty()
}

fn named(gateway: &dyn Gateway, node: &str) -> Option<&'static Command> {
    table(gateway).iter().find(|command| command.node == node)
}
