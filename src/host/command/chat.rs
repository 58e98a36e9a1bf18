//! The commands in a chat with an address: for clients that show no other way.
//!
//! `help` lists them. While a dialog with the gateway asks something, or the network does, what is
//! said is its answer.
//! Otherwise what follows the words of a command answers its questions, in order. A message to the
//! gateway that is no command is answered with an error, never with words: two gateways that talk
//! to each other come to an end. To a network or a room what is no command is something else.

use std::sync::Arc;

use isthmus_gateway::{Fault, Field, FieldKind, Gateway, Kind};

use super::settings::{self, Word};
use super::{Asker, Command, Told, Work, table};
use crate::host::contact::Way;
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault::words;
use crate::host::form::{self, Answers};
use crate::host::reply::Origin;
use crate::host::words::{Denial, Text};
use crate::xmpp::stanza::Condition;

/// What a message calls for.
enum Call {
    Help,
    Setting(Word),
    /// A command, and what follows its words.
    Command(Command, Vec<String>),
    /// Nothing, unless something was asked.
    Nothing,
}

impl Desk {
    /// Takes a message to an address that has commands; false: it is no command.
    pub(crate) fn chat(self: &Arc<Self>, origin: &Origin, asker: Asker, body: &str) -> bool {
        let call = self.call(&asker, body);
        let asked = match asker.at.kind {
            // What its only network asks is on disk, and nothing else is said to the gateway.
            Kind::Gateway => true,
            Kind::Network => self.questions.has(&asker.user, &asker.at.network),
            _ => false,
        };
        if matches!(call, Call::Nothing) && !asked {
            return false;
        }
        let (desk, body) = (Arc::clone(self), body.to_owned());
        self.errands.run(origin.clone(), async move {
            let asker = desk.in_language(asker);
            let done = desk.said(&asker, &body, call).await;
            done.unwrap_or_else(|fault| {
                Done::with(desk.words(words(&fault, asker.lang).to_owned()))
            })
            .in_lang(asker.lang)
        });
        true
    }

    fn call(&self, asker: &Asker, body: &str) -> Call {
        let said: Vec<&str> = body.split_whitespace().collect();
        // To a network raw lines are said, too, and those are in capitals.
        let itself = asker.at.kind == Kind::Gateway;
        let table = table(&*self.gateway, asker.at.kind, asker.admin, asker.lang);
        let help = |word: &str| match itself {
            true => word.eq_ignore_ascii_case("help"),
            false => word == "help",
        };
        if said.len() == 1 && help(said[0]) && !table.is_empty() {
            return Call::Help;
        }
        if settings::has(&*self.gateway, asker.at.kind)
            && let Some(word) = Word::of(body)
        {
            return Call::Setting(word);
        }
        match called(&table, &said, itself) {
            Some((command, rest)) => {
                let rest = rest.iter().map(|&word| word.to_owned()).collect();
                Call::Command(command.clone(), rest)
            }
            None => Call::Nothing,
        }
    }

    /// Takes what was said: an answer, if something was asked.
    async fn said(self: &Arc<Self>, asker: &Asker, body: &str, call: Call) -> Result<Done, Fault> {
        if !matches!(call, Call::Help) {
            for way in ways(&*self.gateway, asker) {
                if let Some(done) = self.answered(asker, way, body).await? {
                    return Ok(done);
                }
            }
        }
        match call {
            Call::Help => Ok(Done::with(self.words(self.help(asker)))),
            Call::Nothing => Ok(Done::with(Answer::Error(
                Condition::ServiceUnavailable,
                Denial::NobodyReads.into(),
            ))),
            Call::Setting(word) => {
                let text = self.settle(asker, word).await?;
                Ok(Done::with(self.words(text)))
            }
            Call::Command(command, rest) if command.work.has_steps() => {
                self.talk(asker, &command.node, &rest).await
            }
            Call::Command(command, _) if command.node == settings::NODE => {
                let text = self.settle(asker, Word::All).await?;
                Ok(Done::with(self.words(text)))
            }
            Call::Command(command, rest) => {
                let told = self.called(&command, asker, rest).await?;
                Ok(Done::with(self.words(plain(&told))))
            }
        }
    }

    pub(super) fn words(&self, text: String) -> Answer {
        let id = self.new_id();
        Answer::Words { id, text }
    }

    /// The id of a message of ours.
    pub(super) fn new_id(&self) -> String {
        format!("{:016x}", self.shared.next_session())
    }

    fn help(&self, asker: &Asker) -> String {
        let (lang, itself) = (asker.lang, asker.at.kind == Kind::Gateway);
        let name = match itself {
            true => self.name(),
            false => asker.jid.clone(),
        };
        let mut help = lang.tell(Text::HelpIntro, &[&name]);
        let prompt = &self.gateway.manifest().prompt;
        if itself && !prompt.is_empty() {
            help.push_str(&format!(
                " {}",
                lang.tell(Text::HelpAddresses, &[lang.pick(prompt)])
            ));
        }
        let mut lines = vec![lang.say(Text::HelpHelp).to_owned()];
        for command in table(&*self.gateway, asker.at.kind, asker.admin, lang) {
            if command.node == settings::NODE {
                let texts = [Text::HelpSet, Text::HelpGet, Text::HelpUnset];
                lines.extend(texts.map(|text| lang.say(text).to_owned()));
                continue;
            }
            let Command { words, more, .. } = &command;
            lines.push(format!("{words}{more}: {}", command.name));
        }
        if asker.at.kind == Kind::Network && self.courier.is_none() {
            lines.push(lang.say(Text::HelpStroke).to_owned());
        }
        for line in lines {
            help.push('\n');
            help.push_str(&line);
        }
        help
    }

    async fn called(
        self: &Arc<Self>,
        command: &Command,
        asker: &Asker,
        rest: Vec<String>,
    ) -> Result<Told, Fault> {
        let page = command.work.questions(self, asker).await?;
        let answers = in_order(&page.fields, &rest);
        let answers = form::checked(&page.fields, &answers, asker.lang)?;
        command.work.run(self, asker, answers).await
    }
}

/// The dialogs that may go on at an address. A network without one of its own asks at the gateway's.
fn ways<'a>(gateway: &'a dyn Gateway, asker: &'a Asker) -> Vec<Way<'a>> {
    match asker.at.kind {
        Kind::Gateway => vec![Way::Chat, Way::Network(gateway.home().unwrap_or_default())],
        Kind::Network => vec![Way::Network(&asker.at.network)],
        _ => Vec::new(),
    }
}

/// The command that is called, the one of most words, and what follows. Case matters but to the
/// gateway itself.
fn called<'a, 'b, 'c>(
    table: &'c [Command],
    said: &'b [&'a str],
    any_case: bool,
) -> Option<(&'c Command, &'b [&'a str])> {
    let fits = |command: &&Command| {
        let words = command.words.split(' ');
        let count = words.clone().count();
        let same = words.zip(said).all(|(a, &b)| match any_case {
            true => a.eq_ignore_ascii_case(b),
            false => a == b,
        });
        let asks = matches!(command.work, Work::Asking(..) | Work::Offered);
        same && said.len() >= count && (asks || said.len() == count)
    };
    let found = table.iter().filter(fits);
    let found = found.max_by_key(|command| command.words.len())?;
    Some((found, &said[found.words.split(' ').count()..]))
}

/// What was said behind a command as answers to its questions: a word for each, in order. Lines of
/// text take all the rest; JIDs as many words as there are JIDs, and all the rest if nothing else is
/// asked.
fn in_order(fields: &[Field], said: &[String]) -> Answers {
    let mut answers = Answers::new();
    let mut said = said;
    for (at, field) in fields.iter().enumerate() {
        let lines = field.kind.has_lines();
        let last = at + 1 == fields.len();
        let taken = match (lines, field.name.ends_with("jids") && !last) {
            _ if said.is_empty() => break,
            (false, _) => 1,
            (true, false) => said.len(),
            (true, true) => said.iter().take_while(|it| it.contains('@')).count(),
        };
        // A text at the end is a sentence.
        let sentence = last && field.kind == FieldKind::Text && field.options.is_empty();
        let (own, rest) = said.split_at(if sentence { said.len() } else { taken });
        if !own.is_empty() {
            answers.insert(field.name.clone(), own.join(" "));
        }
        said = rest;
    }
    answers
}

/// What a command told, without a form.
fn plain(told: &Told) -> String {
    let mut text = told.text.clone();
    let listed = |(name, _): &&(&str, Vec<String>)| told.listed == Some(*name);
    for value in told.values.iter().filter(listed).flat_map(|it| &it.1) {
        text.push('\n');
        text.push_str(value);
    }
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
    use isthmus_gateway::{Field, FieldKind};

    use super::{called, in_order};
    use crate::host::command::queue::commands;
    use crate::host::words::Lang;

    fn node(body: &str) -> Option<(String, usize)> {
        let said: Vec<&str> = body.split_whitespace().collect();
        called(&commands(Lang::En), &said, true)
            .map(|(command, rest)| (command.node.clone(), rest.len()))
    }

    #[test]
    fn the_command_of_most_words_is_called() {
        assert_eq!(node("queue"), Some(("queue".to_owned(), 0)));
        assert_eq!(
            node("Queue  Cancel 7"),
            Some(("queue-cancel".to_owned(), 1))
        );
        assert_eq!(node("queue cancel"), Some(("queue-cancel".to_owned(), 0)));
    }

    #[test]
    fn what_is_said_behind_a_command_answers_its_questions_in_order() {
        let answers = |fields: &[Field], said: &str| {
            let said: Vec<String> = said.split(' ').map(str::to_owned).collect();
            let answers = in_order(fields, &said).into_iter();
            answers
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        let field = |name, kind| Field::new(name, "", kind);
        let words = [
            field("announcement", FieldKind::Lines),
            field("subject", FieldKind::Text),
        ];
        assert_eq!(
            answers(&words, "we sleep now"),
            ["announcement=we sleep now"]
        );
        let delay = [
            field("delay", FieldKind::Choice),
            field("why", FieldKind::Lines),
        ];
        assert_eq!(answers(&delay, "60 good bye"), ["delay=60", "why=good bye"]);
        let users = [
            field("jids", FieldKind::Lines),
            field("words", FieldKind::Text),
        ];
        let told = answers(&users, "a@x b@x bye all");
        assert_eq!(told, ["jids=a@x b@x", "words=bye all"]);
        let list = [field("blacklistjids", FieldKind::Lines)];
        assert_eq!(
            answers(&list, "x.example a@x"),
            ["blacklistjids=x.example a@x"]
        );
    }

    #[test]
    fn talk_that_only_begins_like_a_command_calls_none() {
        assert_eq!(node("queue up please"), None);
        assert_eq!(node("hello"), None);
        assert_eq!(node(""), None);
    }
}
