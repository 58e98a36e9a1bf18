//! The file that a user's message shares by a link.
//!
//! XEP-0447 0.3 with XEP-0446 0.2, XEP-0385 0.3, XEP-0066 1.5 §3, or a body that is nothing but one
//! URL. An encrypted file (XEP-0448, XEP-0454) cannot be read here and is said to be one.

use isthmus_gateway::Blob;

use crate::host::chat::body_of;
use crate::host::words::{Lang, Notice, Said};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Longest link, in bytes.
const LONGEST: usize = 2048;

/// Whether a message shares an encrypted file.
pub(crate) fn is_encrypted(stanza: &Element) -> bool {
    let body = body_of(stanza);
    let link = |url: &str| url.trim_start().starts_with("aesgcm://");
    let oob = stanza.child("x", ns::OOB);
    let oob = oob.and_then(|x| x.child("url", ns::OOB));
    let sources = stanza
        .child("file-sharing", ns::FILE_SHARING)
        .and_then(|it| it.child("sources", ns::FILE_SHARING));
    body.is_some_and(|body| link(&body.text()))
        || oob.is_some_and(|url| link(&url.text()))
        || sources.is_some_and(|it| it.child("encrypted", ns::ENCRYPTED_FILE).is_some())
}

/// The file that a message shares. `is_upload` judges a URL that stands alone.
pub(crate) fn file_of(stanza: &Element, is_upload: impl Fn(&str) -> bool) -> Option<Blob<'static>> {
    let said = stateless(stanza)
        .or_else(|| media(stanza))
        .or_else(|| oob(stanza));
    let blob = said.or_else(|| {
        let body = body_of(stanza)?.text();
        let url = body.trim();
        let alone = !url.contains(char::is_whitespace) && is_upload(url);
        alone.then(|| blob(url, None))
    })?;
    let web = ["https://", "http://"];
    let is_link = web.iter().any(|scheme| blob.url.starts_with(scheme));
    (is_link && blob.url.len() <= LONGEST && !blob.url.contains(char::is_whitespace))
        .then_some(blob)
}

/// The text without the link of a file, where that ends it on a line of its own.
pub(crate) fn without_link<'t>(text: &'t str, url: &str) -> &'t str {
    let before = text.strip_suffix(url);
    let before = before.filter(|text| text.is_empty() || text.ends_with('\n'));
    before.map_or(text, |text| text.trim_end_matches('\n'))
}

/// What a user is told of a file that goes out as a link.
pub(crate) fn unfetched(url: &str, why: &Said, lang: Lang) -> String {
    lang.tell(Notice::FileNotSent, &[why.within(lang), url])
}

fn blob(url: &str, about: Option<(&Element, &'static str)>) -> Blob<'static> {
    let text = |name| {
        let (about, ns) = about?;
        let child = about.child(name, ns)?;
        Some(child.text().trim().to_owned())
    };
    Blob {
        name: text("name").unwrap_or_default().into(),
        mime: text("media-type").unwrap_or_default().into(),
        url: url.trim().to_owned().into(),
        size: text("size").and_then(|size| size.parse().ok()),
    }
}

fn stateless(stanza: &Element) -> Option<Blob<'static>> {
    let shared = stanza.child("file-sharing", ns::FILE_SHARING)?;
    let sources = shared.child("sources", ns::FILE_SHARING)?;
    let url = sources.child("url-data", ns::URL_DATA)?.attr("target")?;
    let about = shared.child("file", ns::FILE_METADATA);
    Some(blob(url, about.map(|it| (it, ns::FILE_METADATA))))
}

fn media(stanza: &Element) -> Option<Blob<'static>> {
    let references = stanza
        .children()
        .filter(|it| it.is("reference", ns::REFERENCE));
    let mut shared = references.filter_map(|it| it.child("media-sharing", ns::MEDIA_SHARING));
    let shared = shared.next()?;
    let sources = shared.child("sources", ns::MEDIA_SHARING)?;
    let url = sources.child("reference", ns::REFERENCE)?.attr("uri")?;
    let about = shared.child("file", ns::JINGLE_FILE);
    Some(blob(url, about.map(|it| (it, ns::JINGLE_FILE))))
}

fn oob(stanza: &Element) -> Option<Blob<'static>> {
    let url = stanza.child("x", ns::OOB)?.child("url", ns::OOB)?;
    Some(blob(&url.text(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(payload: &str) -> Element {
        let text = format!("<message xmlns='jabber:component:accept'>{payload}</message>");
        Element::parse(text.as_bytes()).expect("well-formed")
    }

    fn url(payload: &str) -> Option<String> {
        let upload = |url: &str| url.starts_with("https://up.example/");
        file_of(&stanza(payload), upload).map(|blob| blob.url.into_owned())
    }

    #[test]
    fn each_way_to_share_a_file_is_understood() {
        let oob = "<x xmlns='jabber:x:oob'><url>https://f.example/a</url></x>";
        assert_eq!(url(oob).as_deref(), Some("https://f.example/a"));
        let sims = "<reference xmlns='urn:xmpp:reference:0' type='data'>\
                    <media-sharing xmlns='urn:xmpp:sims:1'><sources>\
                    <reference xmlns='urn:xmpp:reference:0' type='data' uri='https://f.example/c'/>\
                    </sources></media-sharing></reference>";
        assert_eq!(url(sims).as_deref(), Some("https://f.example/c"));
        let alone = "<body>https://up.example/x.png</body>";
        assert_eq!(url(alone).as_deref(), Some("https://up.example/x.png"));
        assert_eq!(url("<body>https://news.example/</body>"), None);
        assert_eq!(url("<body>see https://up.example/x.png</body>"), None);
        let scheme = "<x xmlns='jabber:x:oob'><url>file:///etc/passwd</url></x>";
        assert_eq!(url(scheme), None);
    }

    #[test]
    fn only_a_link_on_a_line_of_its_own_is_taken_out_of_a_text() {
        let url = "https://f.example/a";
        for (text, rest) in [
            ("https://f.example/a", ""),
            ("look\nhttps://f.example/a", "look"),
            ("look: https://f.example/a", "look: https://f.example/a"),
            ("https://f.example/a\nlook", "https://f.example/a\nlook"),
        ] {
            assert_eq!(without_link(text, url), rest);
        }
    }

    #[test]
    fn what_is_said_of_a_file_is_kept() {
        let sfs = "<file-sharing xmlns='urn:xmpp:sfs:0'>\
                   <file xmlns='urn:xmpp:file:metadata:0'><name>cat.png</name>\
                   <media-type>image/png</media-type><size>12</size></file><sources>\
                   <url-data xmlns='http://jabber.org/protocol/url-data' \
                   target='https://f.example/b'/></sources></file-sharing>";
        let blob = file_of(&stanza(sfs), |_| false).expect("a file");
        assert_eq!(
            (blob.name.as_ref(), blob.mime.as_ref(), blob.size),
            ("cat.png", "image/png", Some(12))
        );
    }

    #[test]
    fn an_encrypted_file_is_said_to_be_one() {
        assert!(is_encrypted(&stanza(
            "<body>aesgcm://f.example/a#00</body>"
        )));
        let esfs = "<file-sharing xmlns='urn:xmpp:sfs:0'><sources>\
                    <encrypted xmlns='urn:xmpp:esfs:0'/></sources></file-sharing>";
        assert!(is_encrypted(&stanza(esfs)));
        assert!(!is_encrypted(&stanza(
            "<body>look: aesgcm is a cipher</body>"
        )));
    }
}
