//! One message as it crosses the contract, in either direction.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Place, Text, Time};

/// A message's id on the foreign network (msgid, Message-ID, a carrier's id of one part).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key<'a>(#[serde(borrow)] pub Text<'a>);

impl Key<'_> {
    /// The same id, owning it.
    pub fn into_owned(self) -> Key<'static> {
        Key(Text::Owned(self.0.into_owned()))
    }
}

/// Who says something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who<'a> {
    /// The nickname or address, in the network's spelling.
    #[serde(borrow)]
    pub nick: Text<'a>,
    /// The services account, where the network vouches for one; empty: logged in to none.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub account: Option<Text<'a>>,
    /// `user@host` or the like, where the network shows it.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Text<'a>>,
    /// The name for people, where the network shows one.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// Why he is away; empty: he is not. `None`: not known.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub away: Option<Text<'a>>,
    /// Whether the network marks him as a machine. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<bool>,
    /// Whether he runs the network. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<bool>,
}

impl<'a> Who<'a> {
    /// Somebody of whom only the nickname is known.
    pub fn nick(nick: impl Into<Text<'a>>) -> Self {
        Self {
            nick: nick.into(),
            ..Self::default()
        }
    }
}

impl Who<'_> {
    /// The same, owning what is known of him.
    pub fn into_owned(self) -> Who<'static> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        Who {
            nick: own(self.nick),
            account: self.account.map(own),
            handle: self.handle.map(own),
            name: self.name.map(own),
            away: self.away.map(own),
            bot: self.bot,
            operator: self.operator,
        }
    }
}

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Strong.
    Bold,
    /// Emphasis.
    Italic,
    /// Underlined.
    Underline,
    /// Struck through.
    Strike,
    /// Preformatted.
    Monospace,
}

/// A styled stretch of the body: bytes `start..end`, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// How it looks.
    pub style: Style,
}

/// What a message answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// The answered message.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// Who wrote it.
    #[serde(borrow)]
    pub who: Text<'a>,
}

/// An attachment: a file of the host's store or a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob<'a> {
    /// File name for people.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Media type.
    pub mime: Text<'a>,
    /// Where it is.
    pub url: Text<'a>,
    /// Size in bytes, where known.
    pub size: Option<u64>,
}

impl Blob<'_> {
    /// The same attachment, owning what is said of it.
    pub fn into_owned(self) -> Blob<'static> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        Blob {
            name: own(self.name),
            mime: own(self.mime),
            url: own(self.url),
            size: self.size,
        }
    }
}

/// How far the sender's name can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// As far as the network itself.
    #[default]
    Network,
    /// Proven (signed, logged in).
    Proven,
    /// Failed a check.
    Doubtful,
}

/// A message from the foreign network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// Where it was said.
    #[serde(borrow)]
    pub at: Place<'a>,
    /// Who said it.
    pub who: Who<'a>,
    /// It is the user's own, said from somewhere else.
    #[serde(default)]
    pub mine: bool,
    /// It tells what the sender does (`/me`).
    #[serde(default)]
    pub action: bool,
    /// It was not typed by a person: never answered by a machine.
    #[serde(default)]
    pub auto: bool,
    /// Its sender wants to know when it arrives (`Command::Delivered`).
    #[serde(default)]
    pub confirm: bool,
    /// Its id on the network.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key<'a>>,
    /// The text.
    pub body: Text<'a>,
    /// How stretches of the text look.
    #[serde(default)]
    pub style: Cow<'a, [Span]>,
    /// When it was said, where that is not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// What it answers.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply<'a>>,
    /// The thread it belongs to.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Text<'a>>,
    /// Its subject.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Text<'a>>,
    /// What is attached.
    #[serde(default)]
    pub blobs: Vec<Blob<'a>>,
    /// Text that was cut from the body (quotes, signatures) and can be asked for.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Text<'a>>,
    /// How far the sender's name can be believed.
    #[serde(default)]
    pub trust: Trust,
}

impl<'a> Message<'a> {
    /// A plain message from `who` at `at`.
    pub fn text(at: Place<'a>, who: Who<'a>, body: impl Into<Text<'a>>) -> Self {
        Self {
            at,
            who,
            mine: false,
            action: false,
            auto: false,
            confirm: false,
            key: None,
            body: body.into(),
            style: Cow::Borrowed(&[]),
            time: None,
            reply: None,
            thread: None,
            subject: None,
            blobs: Vec::new(),
            folded: None,
            trust: Trust::Network,
        }
    }
}

impl Message<'_> {
    /// The same message, owning what it says.
    pub fn into_owned(self) -> Message<'static> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        Message {
            at: self.at.into_owned(),
            who: self.who.into_owned(),
            mine: self.mine,
            action: self.action,
            auto: self.auto,
            confirm: self.confirm,
            key: self.key.map(Key::into_owned),
            body: own(self.body),
            style: Cow::Owned(self.style.into_owned()),
            time: self.time,
            reply: self.reply.map(|reply| Reply {
                key: reply.key.into_owned(),
                who: own(reply.who),
            }),
            thread: self.thread.map(own),
            subject: self.subject.map(own),
            blobs: self.blobs.into_iter().map(Blob::into_owned).collect(),
            folded: self.folded.map(own),
            trust: self.trust,
        }
    }
}
