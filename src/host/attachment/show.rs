//! A message that bears a file: the URL alone is its body, as clients expect (XEP-0066 §3), and
//! XEP-0447 0.3 with XEP-0446 0.2 says what it is, with its SHA-256 (XEP-0300 1.0). A client that knows XEP-0447 leaves the body out (XEP-0428 0.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::{Blob, Message};

use crate::host::words::Lang;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// Takes a message with files apart: the text, and each link for itself. Words for what has no link
/// stand in the text.
pub(crate) fn split<'m>(message: &Message<'m>, lang: Lang) -> Vec<Message<'m>> {
    let mut said = message.clone();
    let mut files = Vec::new();
    for blob in std::mem::take(&mut said.blobs) {
        let is_link = blob.url.starts_with("https://") || blob.url.starts_with("http://");
        if is_link && blob.url != said.body {
            files.push(of_file(&said, blob));
        } else if is_link {
            said.blobs.push(blob);
        } else {
            let words = super::share::words(&blob, None, lang);
            let body = said.body.to_mut();
            if !body.is_empty() {
                body.push('\n');
            }
            body.push_str(&words);
        }
    }
    if said.body.is_empty() && !files.is_empty() {
        // What else is said of the message stands beside its first file.
        let mut first = files.remove(0);
        first.subject = said.subject;
        first.key = said.key;
        first.reply = said.reply;
        first.confirm = said.confirm;
        files.insert(0, first);
        return files;
    }
    files.insert(0, said);
    files
}

/// A message beside another that bears only this file.
pub(crate) fn of_file<'m>(beside: &Message<'m>, blob: Blob<'m>) -> Message<'m> {
    let mut message = Message::text(beside.at.clone(), beside.who.clone(), blob.url.clone());
    message.time = beside.time;
    message.mine = beside.mine;
    message.auto = beside.auto;
    message.trust = beside.trust;
    message.thread = beside.thread.clone();
    message.blobs = vec![blob];
    message
}

/// Writes what says that the body is the link of a file.
pub(crate) fn write_file(xml: &mut Xml<'_>, file: &Blob<'_>, sha256: Option<&[u8; 32]>) {
    xml.start_ns("x", ns::OOB)
        .text_element("url", &file.url)
        .end();
    xml.start_ns("file-sharing", ns::FILE_SHARING)
        .attr("disposition", disposition(&file.mime));
    xml.start_ns("file", ns::FILE_METADATA);
    if !file.mime.is_empty() {
        xml.text_element("media-type", &file.mime);
    }
    if !file.name.is_empty() {
        xml.text_element("name", &file.name);
    }
    if let Some(size) = file.size {
        xml.text_element("size", &size.to_string());
    }
    if let Some(sum) = sha256 {
        xml.start_ns("hash", ns::HASHES)
            .attr("algo", "sha-256")
            .text(&STANDARD.encode(sum))
            .end();
    }
    xml.end();
    xml.start("sources");
    xml.start_ns("url-data", ns::URL_DATA)
        .attr("target", &file.url)
        .end();
    xml.end();
    xml.end();
    xml.start_ns("fallback", ns::FALLBACK)
        .attr("for", ns::FILE_SHARING);
    xml.start("body").end();
    xml.end();
}

/// XEP-0447 §4: what is looked at is shown in its place.
fn disposition(mime: &str) -> &'static str {
    let shown = ["image/", "video/", "audio/"];
    match shown.iter().any(|kind| mime.starts_with(kind)) {
        true => "inline",
        false => "attachment",
    }
}
