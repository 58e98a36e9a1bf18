//! What a user has set and can set of an address: the command `configure`, and in a chat `set`,
//! `set KEY VALUE`, `get KEY`, `unset KEY`; typed in a room the same behind a stroke
//! (`session::typed`). Secrets are never shown.

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Field, Gateway, Kind};

use super::{Answers, Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::setting::{fields, veil};
use crate::host::words::{Lang, Phrase, Text};

/// The node of the command.
pub(super) const NODE: &str = "configure";
/// What scripts call it where one address has the settings of the gateway and of its one network.
pub(super) const ALSO: &[(&str, Text)] = &[
    ("server-configure", Text::ConfigureServer),
    ("global-configure", Text::ConfigureGlobal),
];

/// Whether an address of this kind has settings.
pub(crate) fn has(gateway: &dyn Gateway, kind: Kind) -> bool {
    !fields(gateway, &Address::new(kind, "", ""), Lang::En).is_empty()
}

/// The command.
pub(super) fn command(lang: Lang) -> Command {
    let name = lang.say(Text::Configure);
    Command::new(NODE, name, NODE, Work::Asking(questions, change))
}

fn questions(desk: &Arc<Desk>, asker: &Asker) -> Asked {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let fields = desk.settings_at(&asker.user, &asker.at, asker.lang).await?;
        let mut fields: Vec<Field> = fields.into_iter().map(|(field, _)| field).collect();
        veil(&mut fields, asker.lang);
        Ok(Page {
            title: asker.lang.tell(Text::ConfigureNode, &[&asker.jid]),
            words: asker.lang.say(Text::AboutSettings).to_owned(),
            about: None,
            fields,
        })
    })
}

fn change(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let Asker { user, at, lang, .. } = &asker;
        let changed = desk.change_settings(user, at, &answers, *lang).await?;
        Ok(Told::words(match changed.is_empty() {
            true => lang.say(Text::ChangedNothing).to_owned(),
            false => lang.tell(Text::Changed, &[&changed.join(", ")]),
        }))
    })
}

/// What is said of settings in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Show all.
    All,
    /// Show one.
    Get(String),
    /// Change one.
    Set(String, String),
    /// One goes back to its default.
    Unset(String),
    /// It makes no sense.
    What,
}

impl Word {
    /// What a message says of settings; `None`: nothing.
    pub(super) fn of(body: &str) -> Option<Self> {
        let body = body.trim();
        let split = |text: &str| {
            let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            (first.to_owned(), rest.trim().to_owned())
        };
        let (verb, rest) = split(body);
        let (key, value) = split(&rest);
        match (verb.as_str(), key.is_empty(), value.is_empty()) {
            ("set", true, _) => Some(Self::All),
            ("set", _, false) => Some(Self::Set(key, value)),
            ("set" | "get", false, true) => Some(Self::Get(key)),
            ("unset", false, true) => Some(Self::Unset(key)),
            ("get" | "unset", true, _) => Some(Self::What),
            _ => None,
        }
    }
}

impl Desk {
    /// Takes what was typed of settings among other talk, without its stroke; `inside`: in a room,
    /// where the answer stands, too. What is refused is an error, as of all typed commands. False:
    /// it says nothing of settings.
    pub(crate) fn typed(
        self: &Arc<Self>,
        origin: &Origin,
        asker: Asker,
        said: &str,
        inside: bool,
    ) -> bool {
        let Some(word) = Word::of(said) else {
            return false;
        };
        let desk = Arc::clone(self);
        self.errands.run(origin.clone(), async move {
            let asker = desk.in_language(asker);
            let done = match desk.settle(&asker, word).await {
                Ok(text) if inside => Done::with(Answer::Whisper(desk.new_id(), text)),
                Ok(text) => Done::with(desk.words(text)),
                Err(fault) => Done::with(fault),
            };
            done.in_lang(asker.lang)
        });
        true
    }

    /// Does what was said of settings; the answer in words.
    pub(super) async fn settle(&self, asker: &Asker, word: Word) -> Result<String, Fault> {
        let Asker { user, at, lang, .. } = asker;
        let all = self.settings_at(user, at, *lang).await?;
        let known = |key: &str| {
            let found = all.iter().find(|(field, _)| field.name == key);
            found.ok_or_else(|| {
                let text = Text::NoSuchSetting.with(&[key]);
                fault::of(FaultKind::NoSuchTarget, text)
            })
        };
        match word {
            Word::What => Ok(lang.say(Text::WhichSetting).to_owned()),
            Word::All => {
                let lines = all.iter().map(|(field, set)| {
                    format!("{}: {}", line(field, *set, *lang), lang.pick(&field.label))
                });
                Ok(lines.collect::<Vec<_>>().join("\n"))
            }
            Word::Get(key) => known(&key).map(|(field, set)| line(field, *set, *lang)),
            Word::Unset(key) => {
                known(&key)?;
                self.unset(user, at, &key).await?;
                Ok(lang.tell(Text::ToDefault, &[&key]))
            }
            Word::Set(key, value) => {
                let (field, _) = known(&key)?;
                let shown = match field.kind {
                    kind if kind.is_secret() => lang.say(Text::SecretSet),
                    _ => &value,
                };
                let told = lang.tell(Text::SetTo, &[&key, shown]);
                let answers = Answers::from([(key, value)]);
                self.change_settings(user, at, &answers, *lang).await?;
                Ok(told)
            }
        }
    }
}

/// A setting and what holds.
fn line(field: &Field, set: bool, lang: Lang) -> String {
    let value = field.value.as_deref().filter(|value| !value.is_empty());
    let value = match (value, field.kind) {
        (None, _) => lang.say(Text::ValueNone).to_owned(),
        (Some(_), kind) if kind.is_secret() => lang.say(Text::SecretSet).to_owned(),
        (Some(value), _) if set => value.to_owned(),
        (Some(value), _) => lang.tell(Text::ValueDefault, &[value]),
    };
    lang.tell(Text::SetTo, &[&field.name, &value])
}

#[cfg(test)]
mod tests {
    use super::Word;

    #[test]
    fn a_value_is_all_that_stands_behind_the_key() {
        let set = |key: &str, value: &str| Some(Word::Set(key.into(), value.into()));
        assert_eq!(Word::of("set nick ferris"), set("nick", "ferris"));
        let value = "mode +x\njoin #a";
        assert_eq!(Word::of(&format!("set after {value}")), set("after", value));
        assert_eq!(Word::of(" set "), Some(Word::All));
        assert_eq!(Word::of("get nick"), Some(Word::Get("nick".into())));
        assert_eq!(Word::of("set nick"), Some(Word::Get("nick".into())));
        assert_eq!(Word::of("unset nick"), Some(Word::Unset("nick".into())));
    }

    #[test]
    fn talk_and_raw_lines_are_not_taken_for_settings() {
        for body in [
            "SET nick x",
            "settle down",
            "get well soon",
            "unset the table",
            "",
        ] {
            assert_eq!(Word::of(body), None, "{body}");
        }
    }
}
