//! The files of a mail: every part that is not its text, decoded (RFC 2045 §6).
//!
//! Bytes are as the sender's: of a text that is a file only the transfer encoding is undone. A mail
//! with more files than are looked at is refused as a whole, since none may be lost.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};

use super::{MOST_PARTS, Reply, short};

/// One file of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What the sender calls it; empty where he does not.
    pub name: String,
    /// Its media type, as the sender says.
    pub mime: String,
    /// The file.
    pub bytes: Vec<u8>,
}

impl File {
    /// The name it is kept under.
    pub fn file_name(&self) -> &str {
        match self.name.as_str() {
            "" if self.is_mail() => "forwarded.eml",
            "" => "attachment",
            name => name,
        }
    }

    fn is_mail(&self) -> bool {
        self.mime.eq_ignore_ascii_case("message/rfc822")
    }
}

/// Takes the files out of a mail, which was read from `content`. A refusal is permanent.
pub(super) fn take(content: &[u8], message: &mut Message<'_>) -> Result<Vec<File>, Reply> {
    let bodies = message.text_body.iter().chain(&message.html_body);
    let mut ids: Vec<u32> = bodies
        .copied()
        .filter(|id| part(message, *id).is_some_and(|part| !part.is_text()))
        .chain(message.attachments.iter().copied())
        .filter(|id| part(message, *id).is_some_and(|part| !part.is_multipart()))
        .collect();
    // An inline picture is part of the text as well as attached.
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_PARTS {
        return Err(Reply::new(552, "5.3.4", "too many attachments"));
    }
    let mut file = |id: &u32| {
        let part = message.parts.get_mut(usize::try_from(*id).ok()?)?;
        Some(File {
            name: part.attachment_name().map(short).unwrap_or_default(),
            mime: mime(part),
            bytes: bytes(content, part),
        })
    };
    Ok(ids.iter().filter_map(&mut file).collect())
}

fn part<'m, 'x>(message: &'m Message<'x>, id: u32) -> Option<&'m MessagePart<'x>> {
    message.parts.get(usize::try_from(id).ok()?)
}

fn mime(part: &MessagePart<'_>) -> String {
    match part.content_type() {
        Some(kind) => match kind.subtype() {
            Some(sub) => short(&format!("{}/{sub}", kind.ctype())),
            None => short(kind.ctype()),
        },
        None => "application/octet-stream".to_owned(),
    }
}

fn bytes(content: &[u8], part: &mut MessagePart<'_>) -> Vec<u8> {
    let from = usize::try_from(part.offset_body).unwrap_or(usize::MAX);
    let to = usize::try_from(part.offset_end).unwrap_or(usize::MAX);
    let raw = content.get(from..to);
    match (&mut part.body, part.encoding) {
        // Moved, not copied: it may be large.
        (PartType::Binary(bytes) | PartType::InlineBinary(bytes), _) => {
            std::mem::take(bytes).into_owned()
        }
        // The parser has turned it into UTF-8.
        (PartType::Text(text) | PartType::Html(text), encoding) => {
            let decoded = match encoding {
                Encoding::None => raw.map(<[u8]>::to_vec),
                Encoding::Base64 => raw.and_then(base64_decode),
                Encoding::QuotedPrintable => raw.and_then(quoted_printable_decode),
            };
            decoded.unwrap_or_else(|| text.as_bytes().to_vec())
        }
        // Within another mail the parser keeps the whole of that one.
        (PartType::Message(inner), Encoding::None) => {
            raw.map_or_else(|| inner.raw_message().to_vec(), <[u8]>::to_vec)
        }
        (PartType::Message(inner), _) => inner.raw_message.to_vec(),
        (PartType::Multipart(_), _) => Vec::new(),
    }
}
