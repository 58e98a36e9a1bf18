//! One line from an IRC server, borrowed and in parts.
//!
//! Follows <https://modern.ircdocs.horse/#message-format> and the IRCv3 message-tags
//! specification, leniently: any text gives a [`Line`] or `None`, nothing panics, surplus spaces
//! are skipped. It does not judge whether a command has the parameters it should have.

use std::borrow::Cow;

use isthmus_gateway::Time;

/// Parameters a line has at most (RFC 2812 §2.3); the last takes the rest of the line.
const MOST_PARAMS: usize = 15;

/// A line in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The tags without their `@`, still escaped; empty without tags.
    pub tags: &'a str,
    /// Who sent it: a server's name or `nick!user@host`.
    pub prefix: Option<&'a str>,
    /// The command or three digits.
    pub command: &'a str,
    params: [&'a str; MOST_PARAMS],
    count: usize,
}

impl<'a> Line<'a> {
    /// Cuts up a line without its end; `None` where it holds no command.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim_start_matches(' ');
        let mut tags = "";
        if let Some(after) = rest.strip_prefix('@') {
            (tags, rest) = word(after);
        }
        let mut prefix = None;
        if let Some(after) = rest.strip_prefix(':') {
            let (found, after) = word(after);
            prefix = Some(found);
            rest = after;
        }
        let (command, mut rest) = word(rest);
        if command.is_empty() {
            return None;
        }
        let mut params = [""; MOST_PARAMS];
        let mut count = 0;
        while !rest.is_empty() && count < MOST_PARAMS {
            if let Some(last) = rest.strip_prefix(':') {
                params[count] = last;
                count += 1;
                break;
            }
            if count == MOST_PARAMS - 1 {
                params[count] = rest;
                count += 1;
                break;
            }
            (params[count], rest) = word(rest);
            count += 1;
        }
        Some(Self {
            tags,
            prefix,
            command,
            params,
            count,
        })
    }

    /// All parameters.
    pub fn params(&self) -> &[&'a str] {
        &self.params[..self.count]
    }

    /// The parameter at `index`, counted from 0.
    pub fn param(&self, index: usize) -> Option<&'a str> {
        self.params().get(index).copied()
    }

    /// The last parameter: in most lines the words for people. Empty where there is none.
    pub fn last(&self) -> &'a str {
        self.params().last().copied().unwrap_or("")
    }

    /// The number of a numeric reply.
    pub fn numeric(&self) -> Option<u16> {
        let digits = self.command.len() == 3 && self.command.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| self.command.parse().ok()).flatten()
    }

    /// The sender's nickname (or server name); empty where the line has no sender.
    pub fn nick(&self) -> &'a str {
        let prefix = self.prefix.unwrap_or("");
        let end = memchr::memchr2(b'!', b'@', prefix.as_bytes()).unwrap_or(prefix.len());
        &prefix[..end]
    }

    /// The sender's `user@host`, where the line tells it.
    pub fn handle(&self) -> Option<&'a str> {
        self.prefix?.split_once('!').map(|(_, handle)| handle)
    }

    /// The value of a tag, unescaped; an absent and an empty value are the same (IRCv3).
    pub fn tag(&self, name: &str) -> Option<Cow<'a, str>> {
        if self.tags.is_empty() {
            return None;
        }
        // The last of several wins.
        let raw = self.tags.rsplit(';').find_map(|tag| {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            (key == name).then_some(value)
        })?;
        (!raw.is_empty()).then(|| unescape(raw))
    }

    /// Whether there is such a tag, with a value or without.
    pub fn has_tag(&self, name: &str) -> bool {
        if self.tags.is_empty() {
            return false;
        }
        let mut tags = self.tags.split(';');
        tags.any(|tag| tag.split('=').next() == Some(name))
    }

    /// The server's time of the line (IRCv3 server-time).
    pub fn time(&self) -> Option<Time> {
        server_time(&self.tag("time")?)
    }
}

/// Whether the line is a PING.
pub fn is_ping(text: &str) -> bool {
    Line::parse(text).is_some_and(|line| line.command == "PING")
}

/// The first word and what follows the spaces behind it.
fn word(text: &str) -> (&str, &str) {
    match memchr::memchr(b' ', text.as_bytes()) {
        Some(end) => (&text[..end], text[end..].trim_start_matches(' ')),
        None => (text, ""),
    }
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(':') => plain.push(';'),
                Some('s') => plain.push(' '),
                Some('r') => plain.push('\r'),
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            c => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// The value of a tag, escaped (IRCv3 message-tags).
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ';' => escaped.push_str("\\:"),
            ' ' => escaped.push_str("\\s"),
            '\\' => escaped.push_str("\\\\"),
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            '\0' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Reads `YYYY-MM-DDThh:mm:ss.sssZ`.
pub(crate) fn server_time(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0i64, |sum, b| {
            b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis = if bytes.get(19) == Some(&b'.') {
        number(20, 23).unwrap_or(0)
    } else {
        0
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Time(seconds * 1000 + millis))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, chrono-compatible
/// low-level date algorithms).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A time for servers: `YYYY-MM-DDThh:mm:ss.sssZ`.
pub(crate) fn to_iso_millis(time: Time) -> String {
    let seconds = to_iso(time);
    let seconds = seconds.trim_end_matches('Z');
    format!("{seconds}.{:03}Z", time.0.rem_euclid(1000))
}

/// A time for people and machines: `YYYY-MM-DDThh:mm:ssZ`.
pub fn to_iso(time: Time) -> String {
    let seconds = time.0.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_cut_into_its_parts() {
        let text = "@msgid=a\\sb;time=2026-11-21T13:50:15.250Z :bob!b@h PRIVMSG  #c :hi  there ";
        let line = Line::parse(text).expect("a line");
        assert_eq!((line.nick(), line.handle()), ("bob", Some("b@h")));
        assert_eq!(line.command, "PRIVMSG");
        assert_eq!(line.params(), ["#c", "hi  there "]);
        assert_eq!(line.tag("msgid").as_deref(), Some("a b"));
        assert_eq!(line.time(), Some(Time(1_795_269_015_250)));
        assert_eq!(to_iso(Time(1_795_269_015_250)), "2026-11-21T13:50:15Z");
    }

    #[test]
    fn odd_lines_are_read_leniently() {
        assert_eq!(Line::parse(""), None);
        assert_eq!(Line::parse(":only.prefix"), None);
        assert_eq!(Line::parse("@a=b"), None);
        let line = Line::parse("  MODE #c +o alice  ").expect("a line");
        assert_eq!(line.params(), ["#c", "+o", "alice"]);
        let line = Line::parse("PING").expect("a line");
        assert_eq!((line.last(), line.param(0)), ("", None));
        let line = Line::parse("X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").expect("a line");
        assert_eq!(line.last(), "15 16");
        assert_eq!(
            Line::parse(":s 001 me").and_then(|line| line.numeric()),
            Some(1)
        );
        assert_eq!(
            Line::parse(":s +01 me").and_then(|line| line.numeric()),
            None
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|[@:;=\\\\ !a-z0-9-]{0,60}") {
            if let Some(line) = Line::parse(&text) {
                let _ = (line.nick(), line.handle(), line.numeric(), line.last(), line.time());
            }
        }

        #[test]
        fn a_time_survives_writing_and_reading(seconds in -60_000_000_000i64..200_000_000_000) {
            let time = Time(seconds * 1000);
            prop_assert_eq!(server_time(&to_iso(time)), Some(time));
        }
    }
}
