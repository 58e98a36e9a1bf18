//! What a network says of itself in 005 (<https://modern.ircdocs.horse/#rplisupport-parameters>).

use std::borrow::Cow;

use isthmus_gateway::{Fold, Rank};

use super::register::standing;

/// A network's rules. The default is what RFC 2812 says.
#[derive(Clone, Debug)]
pub(super) struct Isupport {
    pub(super) fold: Fold,
    /// Highest first.
    pub(super) ranks: Vec<Rank>,
    /// Signs a channel's name begins with.
    pub(super) channel_signs: String,
    /// Signs before a channel's name in a message to its ranked occupants only.
    pub(super) status_signs: String,
    /// Letters of modes that keep a list, always take a parameter, take one when set.
    pub(super) lists: String,
    pub(super) always: String,
    pub(super) when_set: String,
    /// Bytes of a line at most, CR and LF among them, tags not.
    pub(super) line_len: usize,
    pub(super) network: Option<String>,
    /// MONITOR and WATCH are there.
    pub(super) monitor: bool,
    pub(super) watch: bool,
    /// WHO answers with chosen fields.
    pub(super) whox: bool,
    /// Modes that one line may change, at most.
    pub(super) modes: usize,
    /// Targets of one line at most, by command.
    targets: Vec<(Box<str>, usize)>,
    /// The mode of bots (IRCv3 bot-mode).
    pub(super) bot: Option<char>,
    /// Messages of the past at most (CHATHISTORY); 0: any number.
    pub(super) chat_history: Option<u32>,
    /// Client tags that are not passed on; `*`: all but those behind a `-`.
    deny: Vec<Box<str>>,
}

/// RFC 2812 §3.2.3: what holds where a network does not say.
const MODES: usize = 3;
/// More than these are not put into one line, whatever a network says.
const MOST_MODES: usize = 20;
const MOST_TARGETS: usize = 20;

impl Default for Isupport {
    fn default() -> Self {
        Self {
            fold: Fold::Bytes((&RFC1459).into()),
            ranks: vec![rank('@', 'o'), rank('+', 'v')],
            channel_signs: "#&+!".to_owned(),
            status_signs: String::new(),
            lists: "beI".to_owned(),
            always: "k".to_owned(),
            when_set: "l".to_owned(),
            line_len: 512,
            network: None,
            monitor: false,
            watch: false,
            whox: false,
            modes: MODES,
            targets: Vec::new(),
            bot: None,
            chat_history: None,
            deny: Vec::new(),
        }
    }
}

impl Isupport {
    /// Takes one word of a 005.
    pub(super) fn take(&mut self, word: &str) {
        if let Some(name) = word.strip_prefix('-') {
            return self.take_back(name);
        }
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let value = &*unescaped(value);
        match name {
            "CASEMAPPING" => {
                self.fold = match value {
                    "ascii" => Fold::ascii(),
                    "rfc1459-strict" | "strict-rfc1459" => Fold::Bytes((&RFC1459_STRICT).into()),
                    // PRECIS (RFC 7613, 8265), and what else says that names are Unicode.
                    _ if is_unicode(value) => Fold::Unicode,
                    _ => Fold::Bytes((&RFC1459).into()),
                }
            }
            "CHANTYPES" => self.channel_signs = value.to_owned(),
            "STATUSMSG" => self.status_signs = value.to_owned(),
            "PREFIX" => self.take_prefix(value),
            "CHANMODES" => {
                let mut kinds = value.split(',').map(str::to_owned);
                self.lists = kinds.next().unwrap_or_default();
                self.always = kinds.next().unwrap_or_default();
                self.when_set = kinds.next().unwrap_or_default();
            }
            // Lists of a letter the network may not have named among the others.
            "EXCEPTS" => self.take_list(value, 'e'),
            "INVEX" => self.take_list(value, 'I'),
            "LINELEN" => {
                if let Ok(len) = value.parse::<usize>() {
                    self.line_len = len.clamp(512, 8191);
                }
            }
            "MONITOR" => self.monitor = true,
            "WATCH" => self.watch = true,
            "WHOX" => self.whox = true,
            // Without a value there is no limit; a line has room for so many.
            "MODES" => self.modes = value.parse().unwrap_or(MOST_MODES).clamp(1, MOST_MODES),
            "TARGMAX" => {
                let words = value.split(',').filter_map(|word| word.split_once(':'));
                let most = |most: &str| most.parse().unwrap_or(MOST_TARGETS).clamp(1, MOST_TARGETS);
                self.targets = words.map(|(name, it)| (name.into(), most(it))).collect();
            }
            "BOT" => self.bot = value.chars().next().filter(char::is_ascii_alphabetic),
            "CHATHISTORY" => self.chat_history = value.parse().ok(),
            "CLIENTTAGDENY" => {
                let words = value.split(',').filter(|word| !word.is_empty());
                self.deny = words.map(Into::into).collect();
            }
            "NETWORK" if !value.is_empty() => self.network = Some(value.to_owned()),
            _ => {}
        }
    }

    /// A word is taken back: what it said does not hold any more.
    fn take_back(&mut self, name: &str) {
        let usual = Self::default();
        match name {
            "CASEMAPPING" => self.fold = usual.fold,
            "CHANTYPES" => self.channel_signs = usual.channel_signs,
            "STATUSMSG" => self.status_signs = usual.status_signs,
            "PREFIX" => self.ranks = usual.ranks,
            "CHANMODES" => {
                self.lists = usual.lists;
                self.always = usual.always;
                self.when_set = usual.when_set;
            }
            "LINELEN" => self.line_len = usual.line_len,
            "MONITOR" => self.monitor = usual.monitor,
            "WATCH" => self.watch = usual.watch,
            "WHOX" => self.whox = usual.whox,
            "BOT" => self.bot = usual.bot,
            "CHATHISTORY" => self.chat_history = usual.chat_history,
            "CLIENTTAGDENY" => self.deny = usual.deny,
            "NETWORK" => self.network = usual.network,
            _ => {}
        }
    }

    fn take_list(&mut self, value: &str, usual: char) {
        let letter = value.chars().next().unwrap_or(usual);
        let known = [&self.lists, &self.always, &self.when_set];
        if !known.iter().any(|letters| letters.contains(letter)) {
            self.lists.push(letter);
        }
    }

    /// Whether names may hold what ASCII has not.
    pub(super) fn has_unicode_names(&self) -> bool {
        self.fold == Fold::Unicode
    }

    /// `(letters)signs`; empty: the network has no ranks.
    fn take_prefix(&mut self, value: &str) {
        self.ranks.clear();
        let Some((letters, signs)) = value
            .strip_prefix('(')
            .and_then(|value| value.split_once(')'))
        else {
            return;
        };
        let pairs = letters.chars().zip(signs.chars());
        self.ranks
            .extend(pairs.take(8).map(|(letter, sign)| rank(sign, letter)));
    }

    /// Targets of one line of that command, at most.
    pub(super) fn most_targets(&self, command: &str) -> usize {
        let known = self.targets.iter().find(|(name, _)| &**name == command);
        known.map_or(1, |(_, most)| *most)
    }

    /// Whether a client tag of this name (without its `+`) is not passed on.
    pub(super) fn denies_tag(&self, name: &str) -> bool {
        let allowed = |word: &str| word.strip_prefix('-') == Some(name);
        let all = self.deny.iter().any(|word| **word == *"*");
        match all {
            true => !self.deny.iter().any(|word| allowed(word)),
            false => self.deny.iter().any(|word| **word == *name),
        }
    }

    /// Whether `target` is a channel.
    pub(super) fn is_channel(&self, target: &str) -> bool {
        target.starts_with(|c| self.channel_signs.contains(c))
    }

    /// The channel a message goes to, without the signs that address a part of it; `None` for a
    /// nickname.
    pub(super) fn channel<'a>(&self, target: &'a str) -> Option<&'a str> {
        if self.is_channel(target) {
            return Some(target);
        }
        let bare = target.trim_start_matches(|c| self.status_signs.contains(c));
        self.is_channel(bare).then_some(bare)
    }
}

/// A value in which `\x20` stands for the byte of that number.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains("\\x") {
        return Cow::Borrowed(value);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value);
    while let Some(at) = rest.find("\\x") {
        let digits = rest.get(at + 2..at + 4);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let end = if byte.is_some() { at + 4 } else { at + 2 };
        bytes.extend_from_slice(&rest.as_bytes()[..if byte.is_some() { at } else { end }]);
        bytes.extend(byte);
        rest = &rest[end..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_unicode(mapping: &str) -> bool {
    let mapping = mapping.to_ascii_lowercase();
    let known = [
        "rfc7613", "rfc8265", "rfc7700", "rfc8266", "precis", "utf8", "utf-8", "unicode",
    ];
    known.iter().any(|name| mapping.starts_with(name))
}

fn rank(sign: char, letter: char) -> Rank {
    let (affiliation, role) = standing(letter);
    Rank {
        sign,
        letter,
        affiliation,
        role,
    }
}

/// RFC 2812 §2.2, with `~` as the lower case of `^`.
static RFC1459: [u8; 256] = rfc1459(b'^');
/// The same without that.
static RFC1459_STRICT: [u8; 256] = rfc1459(b']');

/// `A` to `Z` and the signs behind them up to `last` are upper case.
const fn rfc1459(last: u8) -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at as u8;
        let is_upper = byte >= b'A' && byte <= last;
        table[at] = if is_upper { byte + 32 } else { byte };
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_as_the_network_says() {
        let mut isupport = Isupport::default();
        assert!(isupport.fold.same("N[k^\\", "n{K~|"));
        isupport.take("CASEMAPPING=rfc1459-strict");
        assert!(isupport.fold.same("[]\\", "{}|") && !isupport.fold.same("^", "~"));
        isupport.take("CASEMAPPING=ascii");
        assert!(isupport.fold.same("Nick", "nICK") && !isupport.fold.same("[", "{"));
        for mapping in ["rfc8265", "rfc7613", "precis"] {
            isupport.take(&format!("CASEMAPPING={mapping}"));
            assert!(isupport.fold.same("JÖRG", "jörg") && !isupport.fold.same("[", "{"));
        }
    }

    #[test]
    fn a_word_can_be_taken_back_and_hold_any_character() {
        let mut isupport = Isupport::default();
        isupport.take(r"NETWORK=Example\x20Net\x2");
        assert_eq!(isupport.network.as_deref(), Some(r"Example Net\x2"));
        isupport.take("-NETWORK");
        assert_eq!(isupport.network, None);
        isupport.take("CHANTYPES=!");
        isupport.take("-CHANTYPES");
        assert!(isupport.is_channel("#rust"));
        isupport.take("CHANMODES=b,k,l,imnst");
        isupport.take("EXCEPTS");
        isupport.take("INVEX=I");
        assert_eq!(isupport.lists, "beI");
    }

    #[test]
    fn broken_words_leave_sound_rules() {
        let mut isupport = Isupport::default();
        for word in [
            "PREFIX=(ov",
            "CHANMODES=",
            "LINELEN=x",
            "PREFIX",
            "=",
            "NETWORK=",
        ] {
            isupport.take(word);
        }
        assert!(isupport.ranks.is_empty());
        assert_eq!(isupport.line_len, 512);
    }

    #[test]
    fn a_message_to_the_ranked_stands_in_the_channel() {
        let mut isupport = Isupport::default();
        isupport.take("CHANTYPES=#");
        isupport.take("STATUSMSG=@+");
        assert_eq!(isupport.channel("@#rust"), Some("#rust"));
        assert_eq!(isupport.channel("#rust"), Some("#rust"));
        assert_eq!(isupport.channel("alice"), None);
    }
}
