//! Reads a mail: who, about what, in which thread, and its text (RFC 5322, RFC 2045).
//!
//! The parser decodes; what is taken from it is bounded here. Attachments are handed out as files
//! and named in the text. Quotes and signatures stay.

mod files;

use mail_parser::{HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

pub use self::files::File;

use super::bounce::{self, Report};
use super::server::Reply;
use super::{clip, html, kept, one_line};
use crate::address;

/// Parts of one mail that make its text, and files of one mail; a mail with more is refused.
const MOST_PARTS: usize = 100;
/// Stations a mail may have passed; more are a loop (RFC 5321 §6.3).
const MOST_STATIONS: usize = 50;
/// Boundaries a mail may speak of; a mail with more is refused.
const MOST_BOUNDARIES: usize = 200;
/// Multiparts of one mail that are looked at for their end.
const MOST_MENDED: usize = 20;
/// Text of one part that is looked at, in bytes.
const LONGEST_PART: usize = 1_048_576;
/// Longest name of a sender or file, in characters.
const LONGEST_NAME: usize = 100;

/// What matters of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender's address in his own spelling.
    pub from: String,
    /// His name for people.
    pub name: Option<String>,
    /// Its id without brackets; empty where it has none.
    pub message_id: String,
    /// The id of the mail it answers; empty where it answers none.
    pub in_reply_to: String,
    /// Its thread, oldest first.
    pub references: Vec<String>,
    /// Its subject; empty where it has none.
    pub subject: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub date: Option<i64>,
    /// The text, attachments named.
    pub text: String,
    /// What else it holds, named in the text; nothing of a report.
    pub files: Vec<File>,
    /// It was not typed by a person.
    pub auto: bool,
    /// What it reports, if it is a report.
    pub report: Report,
}

fn parse(content: &[u8]) -> Option<Parsed<'_>> {
    MessageParser::default().parse(content).map(Parsed)
}

/// Reads a mail with the envelope sender `envelope`. A refusal is permanent.
pub fn read(content: &[u8], envelope: &str, max_text: usize) -> Result<Mail, Reply> {
    let unreadable = || Reply::new(550, "5.6.0", "the mail cannot be read");
    if boundaries(content) > MOST_BOUNDARIES {
        return Err(Reply::new(552, "5.3.4", "too many parts"));
    }
    let first = parse(content).ok_or_else(unreadable)?;
    let closed = mend(content, &first.0);
    let mut parsed = match &closed {
        Some(closed) => parse(closed).ok_or_else(unreadable)?,
        None => first,
    };
    let content = closed.as_deref().unwrap_or(content);
    let message = &parsed.0;
    bounds(message)?;
    let sender = message.from().and_then(|from| from.first());
    let address = sender
        .and_then(|sender| sender.address())
        .unwrap_or_default();
    let report = bounce::read(message);
    if address::canonical(address).is_err() && report == Report::None {
        return Err(Reply::new(550, "5.1.7", "From is not a mail address"));
    }
    let name = sender.and_then(|sender| sender.name()).map(short);
    let references = ids(message.references());
    let in_reply_to = ids(message.in_reply_to()).into_iter().next();
    let mut mail = Mail {
        from: address.to_owned(),
        name: name.filter(|name| !name.is_empty()),
        message_id: message.message_id().map(kept::tidy_id).unwrap_or_default(),
        in_reply_to: in_reply_to
            .or_else(|| references.last().cloned())
            .unwrap_or_default(),
        references,
        subject: message.subject().map(one_line).unwrap_or_default(),
        date: message
            .date()
            .filter(|date| date.is_valid())
            .map(|date| date.to_timestamp()),
        text: text(message, max_text),
        files: Vec::new(),
        auto: envelope.is_empty() || is_auto(message, address),
        report,
    };
    if mail.report == Report::None {
        mail.files = files::take(content, &mut parsed.0)?;
    }
    let nothing = mail.files.is_empty().then(|| "[no text]".to_owned());
    mail.text = some(mail.text).or(nothing).unwrap_or_default();
    Ok(mail)
}

/// What no mail may be like, whoever sent it.
fn bounds(message: &Message<'_>) -> Result<(), Reply> {
    let count = |name: &str| {
        let same = |it: &&mail_parser::Header<'_>| it.name().eq_ignore_ascii_case(name);
        message.headers().iter().filter(same).count()
    };
    if count("Received") > MOST_STATIONS {
        return Err(Reply::new(554, "5.4.6", "the mail goes in circles"));
    }
    // Two senders: one for the checks, another for the eyes.
    if count("From") != 1 {
        return Err(Reply::new(550, "5.6.0", "a mail has one From"));
    }
    if message.text_body.len().max(message.html_body.len()) > MOST_PARTS {
        return Err(Reply::new(552, "5.3.4", "too many parts"));
    }
    Ok(())
}

/// How often a mail speaks of a boundary, as every multipart does: the parser looks through the rest
/// of the mail for each.
fn boundaries(content: &[u8]) -> usize {
    const REST: &[u8] = b"oundary";
    let named = |at: &usize| {
        let rest = content.get(at + 1..at + 1 + REST.len());
        rest.is_some_and(|it| it.eq_ignore_ascii_case(REST))
    };
    memchr::memchr2_iter(b'b', b'B', content)
        .filter(named)
        .count()
}

/// The Message-IDs of a header (RFC 5322 §3.6.4).
fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    let ids: Vec<&str> = match value {
        HeaderValue::Text(id) => vec![id],
        HeaderValue::TextList(ids) => ids.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    };
    let tidy = ids.into_iter().map(kept::tidy_id);
    tidy.filter(|id| !id.is_empty()).collect()
}

/// The mail with its multiparts closed, where one is not (a mail that was cut off, RFC 2046
/// §5.1.2): the parser takes the last part of an open one as it stands, encoding and all.
fn mend(content: &[u8], message: &Message<'_>) -> Option<Vec<u8>> {
    let multiparts = message.parts.iter().filter(|part| {
        let kind = part.content_type();
        kind.is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("multipart"))
    });
    let mut open: Vec<String> = multiparts
        .take(MOST_MENDED)
        .filter_map(|part| {
            let boundary = part.content_type()?.attribute("boundary")?;
            let body = content.get(usize::try_from(part.raw_body_offset()).ok()?..)?;
            let end = format!("--{boundary}--");
            let lines = body.split(|&byte| byte == b'\n');
            let closes = |line: &[u8]| line.starts_with(end.as_bytes());
            (!boundary.is_empty() && !lines.into_iter().any(closes)).then_some(end)
        })
        .collect();
    if open.is_empty() {
        return None;
    }
    let mut mended = content.to_vec();
    // The innermost first.
    while let Some(end) = open.pop() {
        mended.extend_from_slice(b"\r\n");
        mended.extend_from_slice(end.as_bytes());
    }
    mended.extend_from_slice(b"\r\n");
    Some(mended)
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A mail as the parser leaves it. Forwarded mails lie within each other there, and dropping them
/// the usual way takes a stack frame for each: a mail of a few hundred kilobytes that forwards
/// itself thousands of times would end the process. So it is taken apart one by one.
struct Parsed<'a>(Message<'a>);

impl Drop for Parsed<'_> {
    fn drop(&mut self) {
        let mut open = vec![std::mem::take(&mut self.0)];
        while let Some(message) = open.pop() {
            for part in message.parts {
                if let PartType::Message(inner) = part.body {
                    open.push(inner);
                }
            }
        }
    }
}

fn short(text: &str) -> String {
    one_line(text).chars().take(LONGEST_NAME).collect()
}

/// Whether a machine wrote it (RFC 3834 §2, and what is done in the field).
fn is_auto(message: &Message<'_>, from: &str) -> bool {
    let local = from.rsplit_once('@').map_or(from, |(local, _)| local);
    if address::is_deaf(from) || local.eq_ignore_ascii_case("postmaster") {
        return true;
    }
    message.headers_raw().take(500).any(|(name, value)| {
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "auto-submitted" => !value.starts_with("no"),
            "precedence" => matches!(value.as_str(), "bulk" | "list" | "junk" | "auto_reply"),
            "x-auto-response-suppress" => true,
            name => name.starts_with("list-"),
        }
    })
}

/// The text of a mail, its files apart; empty where it has none.
fn text(message: &Message<'_>, most: usize) -> String {
    let parts = |ids: &[u32]| -> Vec<&MessagePart<'_>> {
        let ids = ids.iter().take(MOST_PARTS);
        ids.filter_map(|id| message.parts.get(usize::try_from(*id).ok()?))
            .collect()
    };
    let mut text = join(&parts(&message.text_body));
    if text.trim().is_empty() {
        text = join(&parts(&message.html_body));
    }
    let mut text = tidy(&text);
    if text.len() > most {
        let kept = clip(&text, most).trim_end().len();
        let rest = text.len() - kept;
        text.truncate(kept);
        text.push_str(&format!("\n[cut: {rest} more bytes]"));
    }
    text
}

fn join(parts: &[&MessagePart<'_>]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.body {
        PartType::Text(text) => Some(plain(part, clip(text, LONGEST_PART))),
        PartType::Html(html) => Some(html::to_text(clip(html, LONGEST_PART))),
        _ => None,
    });
    let texts: Vec<String> = texts.filter(|text| !text.trim().is_empty()).collect();
    texts.join("\n\n")
}

/// Undoes format=flowed (RFC 3676 §4): a line that ends with a space goes on in the next, the
/// signature's `-- ` apart.
fn plain(part: &MessagePart<'_>, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let kind = part.content_type();
    let is = |name: &str, value: &str| {
        let found = kind.and_then(|kind| kind.attribute(name));
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    if !is("format", "flowed") {
        return text;
    }
    let delete_space = is("delsp", "yes");
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split('\n') {
        let depth = line.bytes().take_while(|&byte| byte == b'>').count();
        let (quote, rest) = line.split_at(depth);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if open != Some(depth) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(quote);
            if depth > 0 {
                out.push(' ');
            }
        }
        let flows = rest.ends_with(' ') && rest != "-- ";
        open = flows.then_some(depth);
        let rest = if flows && delete_space {
            &rest[..rest.len() - 1]
        } else {
            rest
        };
        out.push_str(rest);
        if !flows && line.is_empty() && out.is_empty() {
            out.push('\n');
        }
    }
    out
}

/// Without control characters and without more than two empty lines in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line: String = line
            .chars()
            .filter(|c| !c.is_control() || *c == '\t')
            .collect();
        let line = line.trim_end_matches(['\t', '\u{a0}', '\u{feff}']);
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty <= 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim_matches('\n').trim_end().to_owned()
}

#[cfg(test)]
mod tests;
