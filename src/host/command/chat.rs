//! The commands in a chat with the gateway: for clients that show no other way.
//!
//! `help` lists them. While a dialog asks something, what is said is its answer. Otherwise what follows the words of a command answers its questions, in order. A
//! message that is no command is answered with an error, never with words: two gateways that
//! talk to each other come to an end.

use std::sync::Arc;

use isthmus_gateway::Fault;

use super::{Command, Told, Work, table};
use crate::host::desk::{Desk, registers};
use crate::host::domain::NOBODY_READS;
use crate::host::errand::{Answer, Done};
use crate::host::fault::words;
use crate::host::form::{self, Answers};
use crate::host::reply::Origin;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Condition;

impl Desk {
    /// Takes a message to the gateway itself; false: it is no command.
    pub(crate) fn chat(self: &Arc<Self>, origin: &Origin, user: &BareJid, body: &str) -> bool {
        let said: Vec<&str> = body.split_whitespace().collect();
        if said.len() == 1 && said[0].eq_ignore_ascii_case("help") {
            let answer = self.words(self.help());
            self.errands.answer(origin.clone(), answer);
            return true;
        }
        let called = called(&table(&*self.gateway), &said)
            .map(|(command, rest)| (command, rest.iter().map(|&word| word.to_owned()).collect()));
        if called.is_none() && !registers(&*self.gateway) {
            return false;
        }
        let (desk, user, body) = (Arc::clone(self), user.clone(), body.to_owned());
        self.errands.run(origin.clone(), async move {
            let done = desk.said(&user, &body, called).await;
            done.unwrap_or_else(|fault| Done::with(desk.words(words(&fault).to_owned())))
        });
        true
    }

    /// Takes what was said: an answer, if something was asked.
    async fn said(
        self: &Arc<Self>,
        user: &BareJid,
        body: &str,
        called: Option<(&'static Command, Vec<String>)>,
    ) -> Result<Done, Fault> {
        if registers(&*self.gateway)
            && let Some(done) = self.answered(user, body).await?
        {
            return Ok(done);
        }
        match called {
            None => Ok(Done::with(Answer::Error(
                Condition::ServiceUnavailable,
                NOBODY_READS,
            ))),
            Some((command, _)) if matches!(command.work, Work::Steps) => self.talk(user).await,
            Some((command, rest)) => {
                let told = self.called(command, user, rest).await?;
                Ok(Done::with(self.words(plain(&told))))
            }
        }
    }

    pub(super) fn words(&self, text: String) -> Answer {
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
            let (words, more) = (command.words, command.more);
            help.push_str(&format!("\n{words}{more}: {}", command.name));
        }
        help
    }

    async fn called(
        self: &Arc<Self>,
        command: &'static Command,
        user: &BareJid,
        rest: Vec<String>,
    ) -> Result<Told, Fault> {
        let asked = command.work.questions(self, user).await?;
        let names = asked.iter().map(|field| field.name.clone());
        let answers: Answers = names.zip(rest).collect();
        form::check(&asked, &answers, None)?;
        command.work.run(self, user, answers).await
    }
}

/// The command that is called, the one of most words, and what follows.
fn called<'a, 'b>(
    table: &[&'static Command],
    said: &'b [&'a str],
) -> Option<(&'static Command, &'b [&'a str])> {
    let fits = |command: &&&'static Command| {
        let words = command.words.split(' ');
        let count = words.clone().count();
        let same = words.zip(said).all(|(a, b)| a.eq_ignore_ascii_case(b));
        let asks = matches!(command.work, Work::Asking(..));
        same && said.len() >= count && (asks || said.len() == count)
    };
    let found = table.iter().filter(fits);
    let found = *found.max_by_key(|command| command.words.len())?;
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
        called(&COMMANDS.iter().collect::<Vec<_>>(), &said)
            .map(|(command, rest)| (command.node, rest.len()))
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
