//! Our own file server: what is kept, for users whose server takes no uploads.
//!
//! `GET` and `HEAD` of `/ID/NAME`, behind whatever path `attachments.public_url` has; plain HTTP,
//! for a reverse proxy that adds TLS. The id is a keyed hash and cannot be guessed. What a browser
//! could run is never shown in the page's origin: types that are no picture, sound, film or plain
//! text are for saving, and nothing may be loaded from them.

use std::io;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::body::FileBody;
use crate::host::courier::{Attachments, Kept};
use crate::http;

/// Serves kept attachments until told to stop.
pub async fn serve(listener: TcpListener, kept: Arc<Attachments>, stop: watch::Receiver<bool>) {
    let answer = move |request: Request<Incoming>| {
        let kept = Arc::clone(&kept);
        async move { answer(&request, kept).await }
    };
    http::serve(listener, stop, answer).await;
}

async fn answer(request: &Request<Incoming>, kept: Arc<Attachments>) -> Response<FileBody> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    let Some(id) = id_in(request.uri().path()) else {
        return plain(StatusCode::NOT_FOUND, "no such file\n");
    };
    let read = tokio::task::spawn_blocking(move || kept.read(&id)).await;
    match read {
        Ok(Ok((about, file))) => {
            let size = about.size;
            let mut answer = Response::new(FileBody::of_file(file, size));
            describe(&mut answer, &about);
            answer
        }
        Ok(Err(fault)) if fault.kind() == io::ErrorKind::NotFound => {
            plain(StatusCode::NOT_FOUND, "no such file\n")
        }
        _ => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the file cannot be read\n",
        ),
    }
}

/// The id in a path that ends in `/ID/NAME`.
fn id_in(path: &str) -> Option<String> {
    let (before, _) = path.rsplit_once('/')?;
    Some(before.rsplit('/').next()?.to_owned())
}

fn plain(status: StatusCode, text: &'static str) -> Response<FileBody> {
    let mut answer = Response::new(FileBody::of_text(text));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn describe(answer: &mut Response<FileBody>, about: &Kept) {
    let headers = answer.headers_mut();
    let mime = match about.mime.as_str() {
        // Pastes are; another's text that is not shows wrong and is saved right.
        "text/plain" => Ok(HeaderValue::from_static("text/plain; charset=utf-8")),
        mime => HeaderValue::from_str(mime),
    };
    let any = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, mime.unwrap_or(any));
    if let Ok(value) = HeaderValue::from_str(&disposition(about)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "private, max-age=86400, immutable"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// RFC 6266, with the name as RFC 8187 has it.
fn disposition(about: &Kept) -> String {
    let (kind, sub) = about.mime.split_once('/').unwrap_or_default();
    // An SVG is a document that runs scripts.
    let looks = matches!(kind, "image" | "audio" | "video") && !sub.contains("svg");
    let looks = looks || about.mime == "text/plain";
    let mut value = match looks {
        true => "inline; filename*=UTF-8''".to_owned(),
        false => "attachment; filename*=UTF-8''".to_owned(),
    };
    for byte in about.name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                value.push(char::from(byte));
            }
            _ => value += &format!("%{byte:02X}"),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_in_a_browser_is_for_saving() {
        let of = |mime: &str| {
            disposition(&Kept {
                name: "a \"b\r\n.html".into(),
                mime: mime.into(),
                size: 1,
            })
        };
        assert_eq!(
            of("text/html"),
            "attachment; filename*=UTF-8''a%20%22b%0D%0A.html"
        );
        assert!(of("image/svg+xml").starts_with("attachment"));
        assert!(of("image/png").starts_with("inline"));
        assert!(of("text/plain").starts_with("inline"));
    }

    #[test]
    fn the_id_is_found_behind_any_path() {
        assert_eq!(id_in("/files/abc/x.png").as_deref(), Some("abc"));
        assert_eq!(id_in("/abc/").as_deref(), Some("abc"));
        assert_eq!(id_in("/"), Some(String::new()));
        assert_eq!(id_in("*"), None);
    }
}
