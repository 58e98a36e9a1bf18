//! Words for people, in one language or in several.
//!
//! Whoever says something gives it in the languages he can; the host tells each user the one of
//! his. One plain string is enough, and is taken for English.

use std::fmt;
use std::ops::Deref;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Text;

/// The language of words that do not tell theirs (BCP 47).
const ENGLISH: &str = "en";

/// Words for people. As a `str` they are those of the first language.
///
/// In JSON they are a string, or an object of strings by their language (BCP 47) whose first is the
/// one for everybody else: `"Nickname"`, `{"en":"Nickname","zh":"昵称"}`.
///
/// ```
/// use isthmus_gateway::Words;
///
/// let words = Words::from("Nickname").and("zh", "昵称");
/// assert_eq!(words.said_in("zh-Hans-CN"), Some("昵称"));
/// assert_eq!(words.said_in("fr"), None);
/// assert_eq!(&*words, "Nickname");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    text: Text<'static>,
    /// `None`: English only, as most are. Faults carry words, and are to stay small.
    more: Option<Box<More>>,
}

/// What there is beyond one text in English.
#[derive(Clone, Debug, PartialEq, Eq)]
struct More {
    /// Of the first text.
    language: Text<'static>,
    others: Vec<(Text<'static>, Text<'static>)>,
}

impl Default for More {
    fn default() -> Self {
        Self {
            language: ENGLISH.into(),
            others: Vec::new(),
        }
    }
}

impl Words {
    /// Words in this language (BCP 47).
    pub fn new(language: impl Into<Text<'static>>, text: impl Into<Text<'static>>) -> Self {
        let language = language.into();
        let more = || {
            Box::new(More {
                language: language.clone(),
                ..More::default()
            })
        };
        Self {
            text: text.into(),
            more: (language != ENGLISH).then(more),
        }
    }

    /// With the same in another language; in one that is there already, instead.
    #[must_use]
    pub fn and(
        mut self,
        language: impl Into<Text<'static>>,
        text: impl Into<Text<'static>>,
    ) -> Self {
        let (language, text) = (language.into(), text.into());
        if same(self.language(), &language) {
            self.text = text;
            return self;
        }
        let others = &mut self.more.get_or_insert_default().others;
        match others.iter_mut().find(|it| same(&it.0, &language)) {
            Some(known) => known.1 = text,
            None => others.push((language, text)),
        }
        self
    }

    /// The words in a language (BCP 47), or in the one of which it is a variety; `None`: not said
    /// in it.
    pub fn said_in(&self, language: &str) -> Option<&str> {
        let exact = self.all().find(|(known, _)| same(known, language));
        let found = exact.or_else(|| {
            let wanted = primary(language);
            self.all().find(|(known, _)| same(primary(known), wanted))
        });
        found.map(|(_, text)| text)
    }

    /// The words in a language if they are said in it, else those for everybody; and their
    /// language.
    pub fn told_in<'a>(&'a self, language: &'a str) -> (&'a str, &'a str) {
        match self.said_in(language) {
            Some(text) => (language, text),
            None => (self.language(), &self.text),
        }
    }

    /// What is said in the first language.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Every language and what is said in it, the one for everybody first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let first = std::iter::once((self.language(), &*self.text));
        let others = self.more.iter().flat_map(|more| &more.others);
        first.chain(others.map(|(language, text)| (&**language, &**text)))
    }

    /// Of the first text.
    fn language(&self) -> &str {
        self.more.as_ref().map_or(ENGLISH, |more| &more.language)
    }

    /// The same words with something done to each text.
    #[must_use]
    pub fn map(mut self, change: impl Fn(&str) -> String) -> Self {
        self.text = change(&self.text).into();
        for (_, text) in self.more.iter_mut().flat_map(|more| &mut more.others) {
            *text = change(text).into();
        }
        self
    }
}

/// Words in English and Chinese, each written as for `format!`.
///
/// ```
/// let nick = "ferris";
/// let words = isthmus_gateway::words!("{nick} is not there", "{nick} 不在");
/// assert_eq!(words.said_in("zh"), Some("ferris 不在"));
/// ```
#[macro_export]
macro_rules! words {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::Words::new("en", ::std::format!($en)).and("zh", ::std::format!($zh))
    };
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The first part of a language tag: the language without region and script (RFC 5646 §2.2.1).
fn primary(language: &str) -> &str {
    language.split(['-', '_']).next().unwrap_or_default()
}

impl Default for Words {
    fn default() -> Self {
        Self::from("")
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::new(ENGLISH, text.to_owned())
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::new(ENGLISH, text)
    }
}

impl From<Text<'_>> for Words {
    fn from(text: Text<'_>) -> Self {
        Self::new(ENGLISH, text.into_owned())
    }
}

/// Those of the first language.
impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.text.into_owned()
    }
}

/// English and Chinese.
impl From<(&'static str, &'static str)> for Words {
    fn from((en, zh): (&'static str, &'static str)) -> Self {
        Self::new(ENGLISH, en).and("zh", zh)
    }
}

impl PartialEq<str> for Words {
    fn eq(&self, text: &str) -> bool {
        self.text == text
    }
}

impl PartialEq<&str> for Words {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

impl PartialEq<String> for Words {
    fn eq(&self, text: &String) -> bool {
        self.text == *text
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some(more) = &self.more else {
            return to.serialize_str(&self.text);
        };
        let mut map = to.serialize_map(Some(1 + more.others.len()))?;
        for (language, text) in self.all() {
            map.serialize_entry(language, text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or strings by their language")
            }

            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words::from(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut words: Option<Words> = None;
                while let Some((language, text)) = map.next_entry::<String, String>()? {
                    words = Some(match words {
                        Some(words) => words.and(language, text),
                        None => Words::new(language, text),
                    });
                }
                Ok(words.unwrap_or_default())
            }
        }

        from.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_string_is_english_and_stays_a_string() {
        let words: Words = serde_json::from_str("\"Nickname\"").expect("a string");
        assert_eq!(words, Words::from("Nickname"));
        assert_eq!(words.told_in("zh"), ("en", "Nickname"));
        let line = serde_json::to_string(&words).expect("serialisable");
        assert_eq!(line, "\"Nickname\"");
    }

    #[test]
    fn an_object_says_the_same_in_several_languages_and_its_first_is_for_everybody_else() {
        let line = r#"{"de":"Spitzname","zh":"昵称"}"#;
        let words: Words = serde_json::from_str(line).expect("an object");
        assert_eq!(words.told_in("fr"), ("de", "Spitzname"));
        assert_eq!(words.told_in("ZH-tw"), ("ZH-tw", "昵称"));
        assert_eq!(serde_json::to_string(&words).expect("serialisable"), line);
    }

    #[test]
    fn a_variety_is_preferred_to_its_language() {
        let words = Words::from("colour")
            .and("en-US", "color")
            .and("en", "colour!");
        assert_eq!(words.said_in("en-us"), Some("color"));
        assert_eq!(words.said_in("en-GB"), Some("colour!"));
    }
}
