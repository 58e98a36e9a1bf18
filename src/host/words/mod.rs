//! What the host says to people, in their language: one table of texts for each language.
//!
//! The language of an answer is that of the request (`xml:lang`), else what the user has set, else
//! English. Words of networks and gateways pass as they are.

mod en;
mod zh;

use isthmus_gateway::Words;

/// A language the host speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
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

    /// What somebody else said, in this language if he said it in it.
    pub(crate) fn pick(self, words: &Words) -> &str {
        words.told_in(self.tag()).1
    }

    /// A text.
    pub(crate) fn say(self, text: Text) -> &'static str {
        match self {
            Self::En => en::say(text),
            Self::Zh => zh::say(text),
        }
    }

    /// A text with something in the place of each `{}`, in order.
    pub(crate) fn tell(self, text: Text, with: &[&str]) -> String {
        let mut told = String::new();
        let mut with = with.iter();
        for (at, part) in self.say(text).split("{}").enumerate() {
            if at > 0 {
                told.push_str(with.next().unwrap_or(&""));
            }
            told.push_str(part);
        }
        told
    }
}

macro_rules! texts {
    ($($name:ident),* $(,)?) => {
        /// What there is to say. Each language has a word for each: its table does not compile
        /// without.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Text { $($name),* }

        #[cfg(test)]
        const ALL: &[Text] = &[$(Text::$name),*];
    };
}

texts![
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
    ArchiveOf,
    ArchiveShow,
    ArchiveSure,
    ArchiveWith,
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
    ColumnContacts,
    ColumnDisabled,
    ColumnNetworks,
    ColumnRegistered,
    ColumnResources,
    ColumnSessions,
    Commands,
    Configure,
    ConfigureNode,
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
    NeverSeen,
    NoJid,
    NoMorePages,
    NoSuchAction,
    NoSuchCommand,
    NoSuchSetting,
    NoUser,
    NotAdmin,
    NotBegun,
    NotBlocked,
    NotReloaded,
    Nothing,
    OnlineList,
    OnlineNum,
    OnlySet,
    Persistent,
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

    #[test]
    fn every_text_has_the_same_gaps_in_every_language_and_is_said_in_it() {
        for &text in ALL {
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
