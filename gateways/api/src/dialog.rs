//! Questions to a user: registration, a second factor, a gateway's own commands. The host keeps
//! the state and renders it as XEP-0050, XEP-0077 or plain chat.

use serde::{Deserialize, Serialize};

/// What a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One line of text.
    #[default]
    Text,
    /// A secret: never shown again.
    Secret,
    /// Yes or no.
    Bool,
    /// A whole number.
    Number,
    /// One of `Field::options`.
    Choice,
    /// Words to read, not to answer.
    Note,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Its name in the answer.
    pub name: String,
    /// Its label for people.
    pub label: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The present or proposed value.
    pub value: Option<String>,
    /// Values and labels to choose from.
    pub options: Vec<(String, String)>,
    /// It must be answered.
    pub required: bool,
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
    pub title: String,
    /// The questions, or the answers.
    pub fields: Vec<Field>,
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
        text: String,
    },
}
