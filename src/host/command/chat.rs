//! The commands in a chat with the gateway: for clients that show no other way.
//!
//! `help` lists them. What follows the words of a command answers its questions, in order. A
//! message that is no command is answered with an error, never with words: two gateways that
//! talk to each other come to an end.

use std::sync::Arc;

use isthmus_gateway::Fault;

use super::{Command, Told, table};
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault::words;
use crate::host::form::{self, Answers};
use crate::host::reply::Origin;
use crate::xmpp::jid::BareJid;

impl Desk {
    /// Takes a message to the gateway itself; false: it is no command.
    pub(crate) fn chat(self: &Arc<Self>, origin: &Origin, user: &BareJid, body: &str) -> bool {
        let said: Vec<&str> = body.split_whitespace().collect();
        if said.len() == 1 && said[0].eq_ignore_ascii_case("help") {
            let answer = self.words(self.help());
            self.errands.answer(origin.clone(), answer);
            return true;
        }
        let Some((command, rest)) = called(table(&*self.gateway), &said) else {
            return false;
        };
        let (desk, user) = (Arc::clone(self), user.clone());
        let rest: Vec<String> = rest.iter().map(|&word| word.to_owned()).collect();
        self.errands.run(origin.clone(), async move {
            Done::with(match desk.called(command, &user, rest).await {
                Ok(told) => desk.words(plain(&told)),
                Err(fault) => desk.words(words(&fault).to_owned()),
            })
        });
        true
    }

    fn words(&self, text: String) -> Answer {
        let id = format!("{:016x}", self.shared.next_session());
        Answer::Words { id, text }
    }

    fn help(&self) -> String {
        let mut help = format!("This is {}.", self.name());
        let prompt = &self.gateway.manifest().prompt;
        if !prompt.is_empty() {
            help.push_str(&format!(" Addresses here: {prompt}"));
        }
        help.push_str("\nhelp: these words");
        for command in table(&*self.gateway) {
            let more = if command.asks { " NUMBER" } else { "" };
            help.push_str(&format!("\n{}{more}: {}", command.words, command.name));
        }
        help
    }

    async fn called(
        self: &Arc<Self>,
        command: &'static Command,
        user: &BareJid,
        rest: Vec<String>,
    ) -> Result<Told, Fault> {
        let asked = (command.questions)(self, user).await?;
        let names = asked.iter().map(|field| field.name.clone());
        let answers: Answers = names.zip(rest).collect();
        form::check(&asked, &answers, None)?;
        (command.run)(self, user, answers).await
    }
}

/// The command that is called, the one of most words, and what follows.
fn called<'a, 'b>(
    table: &'static [Command],
    said: &'b [&'a str],
) -> Option<(&'static Command, &'b [&'a str])> {
    let fits = |command: &&Command| {
        let words = command.words.split(' ');
        let count = words.clone().count();
        let same = words.zip(said).all(|(a, b)| a.eq_ignore_ascii_case(b));
        same && said.len() >= count && (command.asks || said.len() == count)
    };
    let found = table.iter().filter(fits);
    let found = found.max_by_key(|command| command.words.len())?;
    Some((found, &said[found.words.split(' ').count()..]))
}

/// What a command told, without a form.
fn plain(told: &Told) -> String {
    let mut text = told.text.clone();
    for row in &told.rows {
        text.push('\n');
        let cells = told.columns.iter().zip(row);
        let cells = cells.map(|((_, label), value)| format!("{}: {value}", label.to_lowercase()));
        text.push_str(&cells.collect::<Vec<_>>().join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::called;
    use crate::host::command::queue::COMMANDS;

    fn node(body: &str) -> Option<(&'static str, usize)> {
        let said: Vec<&str> = body.split_whitespace().collect();
        called(&COMMANDS, &said).map(|(command, rest)| (command.node, rest.len()))
    }

    #[test]
    fn the_command_of_most_words_is_called() {
        assert_eq!(node("queue"), Some(("queue", 0)));
        assert_eq!(node("Queue  Cancel 7"), Some(("queue-cancel", 1)));
        assert_eq!(node("queue cancel"), Some(("queue-cancel", 0)));
    }

    #[test]
    fn talk_that_only_begins_like_a_command_calls_none() {
        assert_eq!(node("queue up please"), None);
        assert_eq!(node("hello"), None);
        assert_eq!(node(""), None);
    }
}
