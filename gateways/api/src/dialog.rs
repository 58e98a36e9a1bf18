//! Questions to a user: registration, a second factor, a gateway's own commands. The host keeps
//! the state and renders it as XEP-0050, XEP-0077 or plain chat.

use serde::{Deserialize, Serialize};

use crate::Words;

/// What a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One line of text.
    #[default]
    Text,
    /// A secret: never shown again.
    Secret,
    /// Several lines of text, joined by `\n` in the value; with `Field::options` several of these.
    Lines,
    /// The same where they may hold a secret: never shown again.
    SecretLines,
    /// Yes or no.
    Bool,
    /// A whole number.
    Number,
    /// One of `Field::options`.
    Choice,
    /// Words to read, not to answer.
    Note,
}

impl FieldKind {
    /// Whether its value is never shown, and an empty answer keeps the one that holds.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretLines)
    }

    /// Whether its value may have several lines.
    pub fn has_lines(self) -> bool {
        matches!(self, Self::Lines | Self::SecretLines)
    }
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Its name in the answer.
    pub name: String,
    /// Its label for people.
    pub label: Words,
    /// What it holds.
    pub kind: FieldKind,
    /// The present or proposed value.
    pub value: Option<String>,
    /// Values and labels to choose from.
    pub options: Vec<(String, Words)>,
    /// It must be answered.
    pub required: bool,
    /// The least number.
    pub min: Option<i64>,
    /// The greatest number.
    pub max: Option<i64>,
    /// What each line must match as a whole: a regular expression as XEP-0122 §3.2.4 has them
    /// (POSIX extended); empty: anything goes.
    pub pattern: String,
}

impl Field {
    /// A field without a value that need not be answered.
    pub fn new(name: &str, label: impl Into<Words>, kind: FieldKind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.into(),
            kind,
            ..Self::default()
        }
    }

    /// With a present or proposed value.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }

    /// A number within these bounds, which belong to it.
    #[must_use]
    pub fn range(mut self, min: i64, max: i64) -> Self {
        (self.min, self.max) = (Some(min), Some(max));
        self
    }

    /// Text of which every line matches this as a whole.
    #[must_use]
    pub fn pattern(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.pattern);
        self
    }

    /// One of these, each a value and a label.
    #[must_use]
    pub fn options<W: Into<Words> + Clone>(mut self, options: &[(&str, W)]) -> Self {
        let owned = |(value, label): &(&str, W)| ((*value).to_owned(), label.clone().into());
        self.options = options.iter().map(owned).collect();
        self
    }

    /// It must be answered.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// One step of a dialog: what is asked, or what was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialog {
    /// Which dialog; the gateway's own word.
    pub name: String,
    /// The gateway's state between steps, kept by the host.
    pub state: Vec<u8>,
    /// What it is about, for people.
    pub title: Words,
    /// The questions, or the answers.
    pub fields: Vec<Field>,
    /// The address whose command it is; none where it is about the gateway as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<crate::Address>,
}

/// How a step of a dialog ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// There is another question.
    Next(Dialog),
    /// The dialog is over; this is the account that holds from now on, and words for the user.
    Done {
        /// The account, where the dialog was about one.
        account: Option<crate::Account>,
        /// Words for the user.
        text: Words,
    },
}
