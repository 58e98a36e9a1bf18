//! What the host says to people, in their language. Words of networks and gateways pass as they are.
//!
//! The language of an answer is that of the request (`xml:lang`), else the one the user has set, else
//! the one the operator has configured.
//!
//! # Where to add a text
//!
//! In the table of its area: [`Denial`] (why something is not done), [`Label`] (forms), [`Notice`]
//! (told without being asked), [`Usage`] (typed commands), [`fact()`] (what networks tell of people),
//! [`Text`] (commands; `en.rs` and `zh.rs`). Each entry has its words in
//! every language beside each other and does not compile without; `{}` is a gap to be filled, in the
//! same order everywhere. What errors and answers take is [`Said`], which is made of entries only,
//! so that nothing is said in one language alone.

mod denial;
mod en;
mod fact;
mod fault;
#[cfg(test)]
mod guard;
mod label;
mod notice;
mod usage;
mod zh;

use isthmus_gateway::Words;
use serde::{Deserialize, Serialize};

pub(crate) use self::denial::Denial;
pub(crate) use self::fact::{fact, fact_line};
pub(crate) use self::label::Label;
pub(crate) use self::notice::Notice;
pub(crate) use self::usage::Usage;

/// A language the host speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese (simplified).
    Zh,
}

impl Lang {
    /// The languages and their own names.
    pub(crate) const ALL: [(&'static str, &'static str); 2] = [("en", "English"), ("zh", "中文")];

    /// The language of a tag (BCP 47), by its first part; `None`: not spoken here.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        match first.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// Its tag.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Whether it is the one that what was kept before there were several is in.
    pub(crate) fn is_first(&self) -> bool {
        *self == Self::default()
    }

    /// What is said in this language, of what is said in each.
    fn one_of<T>(self, en: T, zh: T) -> T {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }

    /// What somebody else said, in this language if he said it in it.
    pub(crate) fn pick(self, words: &Words) -> &str {
        words.told_in(self.tag()).1
    }

    /// A text.
    pub(crate) fn say(self, text: impl Phrase) -> &'static str {
        text.say(self)
    }

    /// A text with something in the place of each `{}`, in order.
    pub(crate) fn tell(self, text: impl Phrase, with: &[&str]) -> String {
        filled(text.say(self), with)
    }
}

fn filled(text: &str, with: &[&str]) -> String {
    let mut told = String::new();
    let mut with = with.iter();
    for (at, part) in text.split("{}").enumerate() {
        if at > 0 {
            told.push_str(with.next().unwrap_or(&""));
        }
        told.push_str(part);
    }
    told
}

/// A text of a table.
pub(crate) trait Phrase: Copy {
    /// Its words in a language.
    fn say(self, lang: Lang) -> &'static str;

    /// With something in the place of each `{}`, in order.
    fn with(self, with: &[&str]) -> Said {
        self.told(|_| with.to_vec())
    }

    /// The same, where what stands there is said in the language, too.
    fn told<'a>(self, with: impl Fn(Lang) -> Vec<&'a str>) -> Said {
        let said = |lang: Lang| filled(self.say(lang), &with(lang));
        let words = Words::new(Lang::En.tag(), said(Lang::En));
        Said(words.and(Lang::Zh.tag(), said(Lang::Zh)))
    }
}

/// What is said to somebody, in every language: an entry of a table with its gaps filled, or the
/// words of a gateway. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said(Words);

impl Said {
    /// What a gateway or its network says.
    pub(crate) fn theirs(words: Words) -> Self {
        Self(words)
    }

    /// The words in a language, or those for everybody; and their language.
    pub(crate) fn told_in(&self, lang: Lang) -> (&str, &str) {
        self.0.told_in(lang.tag())
    }

    /// The words in a language.
    pub(crate) fn within(&self, lang: Lang) -> &str {
        lang.pick(&self.0)
    }
}

impl<T: Phrase> From<T> for Said {
    fn from(text: T) -> Self {
        text.with(&[])
    }
}

impl From<Said> for Words {
    fn from(said: Said) -> Self {
        said.0
    }
}

/// Declares the texts of one area: a name, and the words in each language.
macro_rules! texts {
    ($(#[$doc:meta])* $area:ident { $($name:ident: $en:literal / $zh:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $area { $(#[doc = $en] $name,)* }

        impl $crate::host::words::Phrase for $area {
            fn say(self, lang: $crate::host::words::Lang) -> &'static str {
                match self { $(Self::$name => lang.one_of($en, $zh),)* }
            }
        }

        impl $area {
            /// Every text of the area.
            #[allow(dead_code, reason = "most areas are walked through by tests only")]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

use texts;

impl Phrase for Text {
    fn say(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => en::say(self),
            Lang::Zh => zh::say(self),
        }
    }
}

macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        /// What commands say. Each language has a word for each: its table does not compile
        /// without.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Text { $($name),* }

        #[cfg(test)]
        const ALL: &[Text] = &[$(Text::$name),*];
    };
}

commands![
    AboutSettings,
    ActiveList,
    ActiveNum,
    AdminStays,
    Admins,
    AllOfThem,
    Announce,
    Announced,
    Announcement,
    ArchiveAfter,
    ArchiveDelete,
    ArchiveEnd,
    ArchiveGoesOn,
    ArchiveGone,
    ArchiveKept,
    ArchiveMoreThan,
    ArchiveNone,
    ArchiveOf,
    ArchiveShow,
    ArchiveSure,
    ArchiveWith,
    Archives,
    ArchivesFirst,
    AsksMore,
    BadField,
    BadForm,
    Blacklist,
    Block,
    BlockCount,
    BlockDone,
    BlockWhom,
    Blocked,
    BlockedAlready,
    Cancelled,
    Changed,
    ChangedNothing,
    ColumnAttempts,
    ColumnContacts,
    ColumnDisabled,
    ColumnFrom,
    ColumnMessages,
    ColumnNetworks,
    ColumnNext,
    ColumnNumber,
    ColumnRegistered,
    ColumnResources,
    ColumnSessions,
    ColumnState,
    ColumnWords,
    ColumnTo,
    ColumnWhen,
    ColumnWhy,
    ColumnWith,
    Commands,
    Configure,
    ConfigureGlobal,
    ConfigureNode,
    ConfigureServer,
    DashKeeps,
    DashNone,
    DeleteUser,
    DialogHint,
    DialogOver,
    DisableUser,
    DisabledList,
    DisabledNum,
    Disconnect,
    Disconnected,
    Done,
    EditAdmin,
    EditBlacklist,
    EditWhitelist,
    EndSession,
    Export,
    ExportAbout,
    ExportAt,
    ExportFile,
    ExportNoFile,
    ExportNoPage,
    ExportPage,
    ExportPages,
    FirstPage,
    FormMissing,
    HelpAddresses,
    HelpGet,
    HelpHelp,
    HelpStroke,
    HelpIntro,
    HelpSet,
    HelpUnset,
    HowMany,
    IdleList,
    IdleNum,
    IsControl,
    IsLong,
    IsMissing,
    IsNeitherYesNor,
    IsNoChoice,
    IsNoNumber,
    IsNotOfForm,
    IsOutOfRange,
    Language,
    LanguageFirst,
    LastLogin,
    MaxHistory,
    Minutes,
    MoreAddress,
    MoreNumber,
    MoreYesAddress,
    NeverSeen,
    NoJid,
    NoMorePages,
    NoSuchAction,
    NoSuchCommand,
    NoSuchSetting,
    NoUser,
    NotAdmin,
    NotAsked,
    NotBegun,
    NotBlocked,
    NotReloaded,
    Nothing,
    OnlineList,
    OnlineNum,
    OnlySet,
    Persistent,
    ShowAvatar,
    Queue,
    QueueBegun,
    QueueCancel,
    QueueEmpty,
    QueueFew,
    QueueFirst,
    QueueNoSuch,
    QueueNumbers,
    QueueOne,
    QueueTaken,
    QueueTooLate,
    QueueUnknown,
    QueueUnknownState,
    QueueWaits,
    QueueWhich,
    QuitBy,
    QuitMessage,
    RecordHistory,
    ReenableUser,
    Register,
    RegisteredList,
    RegisteredNum,
    Reload,
    Reloaded,
    Seconds,
    SecretKept,
    SecretSet,
    SetTo,
    SettingsFull,
    Shutdown,
    ShutdownDelay,
    ShutdownIn,
    Subject,
    TimeHours,
    TimeMinutes,
    TimeNow,
    TimeSeconds,
    ToDefault,
    Unblock,
    UnblockDone,
    UserStats,
    UsersCounted,
    ValueDefault,
    ValueNone,
    WhichSetting,
    WhichUser,
    WhichUsers,
    Whois,
    Whitelist,
    WriteAnything,
    YesOrNo,
    YoursHere,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn walk<T: Phrase + std::fmt::Debug>(texts: &[T]) {
        for &text in texts {
            let (en, zh) = (Lang::En.say(text), Lang::Zh.say(text));
            let gaps = |said: &str| said.matches("{}").count();
            assert_eq!(gaps(en), gaps(zh), "{text:?}");
            assert!(!en.is_empty(), "{text:?}");
            let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
            let says = en.chars().any(char::is_alphabetic);
            let said = !says || zh.chars().any(chinese);
            assert!(said, "{text:?} is not said in Chinese");
        }
    }

    #[test]
    fn every_text_has_the_same_gaps_in_every_language_and_is_said_in_it() {
        walk(ALL);
        walk(Denial::ALL);
        walk(Label::ALL);
        walk(Notice::ALL);
        walk(Usage::ALL);
        walk(fact::Fact::ALL);
        walk(&isthmus_gateway::FaultKind::ALL);
    }

    #[test]
    fn a_tag_is_understood_by_its_first_part() {
        assert_eq!(Lang::of("zh-Hans-CN"), Some(Lang::Zh));
        assert_eq!(Lang::of("EN"), Some(Lang::En));
        assert_eq!(Lang::of("de"), None);
        assert_eq!(Lang::of(""), None);
    }

    #[test]
    fn gaps_are_filled_in_order() {
        let told = Lang::En.tell(Text::SetTo, &["nick", "a {} b"]);
        assert_eq!(told, "nick = a {} b");
    }
}
