//! What is served and fetched by HTTP: `[attachments]` and `[metrics]`.

use std::net::SocketAddr;

use figment::value::Dict;

use super::AttachmentsConfig;
use super::reader::{Notes, Reader};

const MEDIA_TYPE: &str = "a media type such as \"image/png\" or \"image/*\"";

/// `[metrics]`: where to listen.
pub(super) fn metrics(notes: &Notes, dict: &Dict) -> Option<SocketAddr> {
    let mut reader = Reader::new(notes, dict, "metrics");
    let listen = reader.parsed("listen", "an address such as \"127.0.0.1:5481\"", |text| {
        text.parse::<SocketAddr>().ok()
    });
    reader.finish();
    listen
}

/// `[attachments]`.
pub(super) fn attachments(notes: &Notes, dict: &Dict) -> AttachmentsConfig {
    let mut reader = Reader::new(notes, dict, "attachments");
    let types = reader.list("types", MEDIA_TYPE, |text| {
        let (kind, sub) = text.split_once('/')?;
        let is_name = |part: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.bytes().all(good)
        };
        (is_name(kind) && (sub == "*" || is_name(sub))).then(|| text.to_ascii_lowercase())
    });
    let host = "a host such as \"upload.example.org\" or \"10.0.0.5:5280\"";
    let trusted = reader.list("trusted", host, |text| {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "/@".contains(c);
        let address = text.parse::<std::net::IpAddr>().is_ok();
        let good = address || text.parse::<SocketAddr>().is_ok() || is_host(text);
        (good && !text.contains(bad)).then(|| text.to_ascii_lowercase())
    });
    let fetch = reader.boolean("fetch");
    let fetch_pictures = reader.boolean("fetch_pictures");
    let listen = reader.parsed("listen", "an address such as \"127.0.0.1:5480\"", |text| {
        text.parse::<SocketAddr>().ok()
    });
    let url = "a URL such as \"https://files.example.org\"";
    let public_url = reader.parsed("public_url", url, |text| {
        let rest = text
            .strip_prefix("https://")
            .or(text.strip_prefix("http://"))?;
        let bad = |c: char| !c.is_ascii_graphic() || "?#@\"<>".contains(c);
        let text = text.trim_end_matches('/');
        (!rest.trim_matches('/').is_empty() && !text.contains(bad)).then(|| text.to_owned())
    });
    let server = match (listen, public_url) {
        (Some(listen), Some(url)) => Some((listen, url)),
        (Some(_), None) if !dict.contains_key("public_url") => {
            reader.note(
                "public_url",
                format!("found nothing beside listen, expected {url}"),
            );
            None
        }
        (None, Some(_)) if !dict.contains_key("listen") => {
            let text = "found nothing beside public_url, expected an address to listen at";
            reader.note("listen", text);
            None
        }
        _ => None,
    };
    let paste_lines = reader.number("paste_lines", 0..=1000) as usize;
    reader.finish();
    AttachmentsConfig {
        types: types.unwrap_or_default(),
        fetch,
        fetch_pictures,
        trusted: trusted.unwrap_or_default(),
        server,
        paste_lines,
    }
}

/// Whether a text is a host's name, with or without a port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, port.parse::<u16>().is_ok_and(|port| port != 0)),
        None => (text, true),
    };
    port && !name.is_empty() && !name.contains(['[', ']'])
}
