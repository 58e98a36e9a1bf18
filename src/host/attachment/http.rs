//! One HTTP/1.1 request on a connection of its own, to a place that may be reached.
//!
//! The host is resolved once, by who connects: the address that was judged is the one that is
//! connected to, so a name that changes its address in between gains nothing. Names, numbers of
//! any notation (`127.1`, `0x7f000001`, `2130706433`) and IPv6 all end in an address that is
//! judged.

use std::io;

use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use isthmus_kit::{BoxedStream, Dial, Reach, Tls, Trust};
use tokio::task::JoinHandle;

/// Longest URL that is followed, in bytes.
const LONGEST: usize = 2048;
/// Header fields of an answer.
const HEADERS: usize = 64;
/// Memory for the head of an answer, in bytes.
const HEAD: usize = 65_536;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// It is `https`.
    pub(super) tls: bool,
    /// Name or address, without brackets, in lower case.
    pub(super) host: String,
    pub(super) port: u16,
    /// As it is written in the `Host` field.
    authority: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    /// Reads a URL; `None` unless it is `http` or `https` with a host and without a user.
    pub(super) fn parse(url: &str) -> Option<Self> {
        if url.len() > LONGEST {
            return None;
        }
        // What follows `#` is the reader's own.
        let uri: Uri = url.split('#').next()?.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_start_matches('[');
        let host = host.trim_end_matches([']', '.']).to_ascii_lowercase();
        let usual = if tls { 443 } else { 80 };
        // A port that is none must not become the usual one.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" => usual,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        (!host.is_empty() && port != 0).then(|| Self {
            tls,
            host,
            port,
            authority: authority.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// Where a `Location` leads from here (RFC 9110 §10.2.2).
    pub(super) fn redirected(&self, location: &str) -> Option<Self> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let scheme = if self.tls { "https" } else { "http" };
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let here = format!("{scheme}://{}", self.authority);
        if location.starts_with('/') {
            return Self::parse(&format!("{here}{location}"));
        }
        let path = self.path.split('?').next().unwrap_or("/");
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        Self::parse(&format!("{here}{folder}{location}"))
    }

    /// The name at the end of the path, decoded; empty where there is none.
    pub(super) fn file_name(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        decode(path.rsplit('/').next().unwrap_or_default())
    }
}

/// Undoes percent-encoding; what is no UTF-8 is replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer whose body is read from a connection that ends with it.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    connection: JoinHandle<()>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Sends `request`, whose URI is the path, to `target`.
///
/// # Errors
///
/// `PermissionDenied`: no address of the host may be reached. Else what the network or the peer
/// does wrong. The caller owns the time limit.
pub(super) async fn send<B>(
    (dial, trust): (&dyn Dial, Trust),
    target: &Target,
    reach: Reach,
    mut request: Request<B>,
) -> io::Result<Answer>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    *request.uri_mut() = target.path.parse().map_err(io::Error::other)?;
    let host = HeaderValue::from_str(&target.authority).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, host);
    let mut stream: BoxedStream = dial.dial(&target.host, target.port, reach).await?;
    if target.tls {
        stream = Tls::shared(trust)?.connect(&target.host, stream).await?;
    }
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS)
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(async move {
        // Its failure is the request's as well.
        let _ = connection.await;
    });
    let guard = Guard(Some(connection));
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let connection = guard
        .take()
        .ok_or_else(|| io::Error::other("no connection"))?;
    Ok(Answer {
        response,
        connection,
    })
}

/// Ends a connection whose answer nobody waits for any more.
struct Guard(Option<JoinHandle<()>>);

impl Guard {
    fn take(mut self) -> Option<JoinHandle<()>> {
        self.0.take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_without_a_user_are_followed() {
        for bad in [
            "ftp://files.example/a",
            "file:///etc/passwd",
            "https://user@files.example/",
            "https://files.example:0/",
            "https://files.example:99999/",
            "aesgcm://files.example/a#00",
            "/a",
            "https:///a",
            "gopher://files.example:25/x",
        ] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
        let good = Target::parse("https://Files.Example./a/b%20c.png?q=1#x").expect("good");
        assert_eq!(
            (good.host.as_str(), good.port, good.file_name().as_str()),
            ("files.example", 443, "b c.png")
        );
        assert_eq!(
            Target::parse("http://[::1]:8080/").expect("good").host,
            "::1"
        );
    }

    #[test]
    fn a_redirection_leads_where_a_browser_would_go() {
        let from = Target::parse("https://a.example/x/y?z").expect("good");
        let to = |location| {
            let it = from.redirected(location).expect("good");
            format!("{}{}{}", it.host, it.port, it.path)
        };
        assert_eq!(to("w"), "a.example443/x/w");
        assert_eq!(to("/w"), "a.example443/w");
        assert_eq!(to("//b.example/w"), "b.example443/w");
        assert_eq!(to("http://b.example/w"), "b.example80/w");
    }
}
