//! Connecting through a SOCKS5 proxy (RFC 1928), with a name and password where it wants one
//! (RFC 1929).
//!
//! Names are resolved by the proxy, so that `.onion` works. Only CONNECT; no GSSAPI, no UDP.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::reason::failed;
use crate::settings::{HostPort, Secret, host_port};

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is.
    pub at: HostPort,
    /// Name and password.
    pub login: Option<(String, Secret)>,
}

impl Proxy {
    /// The usual port (RFC 1928 §3).
    pub const PORT: u16 = 1080;

    /// Reads `[socks5://][name:password@]host[:port]`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("socks5://").unwrap_or(text);
        let (login, at) = match text.rsplit_once('@') {
            Some((login, at)) => (Some(login.split_once(':')?), at),
            None => (None, text),
        };
        let fits = |text: &str| (1..=255).contains(&text.len());
        if login.is_some_and(|(name, password)| !fits(name) || !fits(password)) {
            return None;
        }
        let login = login.map(|(name, password)| (name.to_owned(), Secret(password.to_owned())));
        let at = host_port(at)?;
        Some(Self { at, login })
    }
}

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;

/// Asks the proxy at the other end of `stream` for a connection to `port` of `host`. The caller
/// owns the time limit.
pub async fn connect<S>(stream: &mut S, proxy: &Proxy, host: &str, port: u16) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods: &[u8] = match proxy.login {
        Some(_) => &[VERSION, 2, NO_LOGIN, PASSWORD],
        None => &[VERSION, 1, NO_LOGIN],
    };
    stream.write_all(methods).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    match (chosen, &proxy.login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, PASSWORD], Some((name, password))) => {
            let mut login = vec![1];
            for text in [name, &password.0] {
                login.push(length(text)?);
                login.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&login).await?;
            let mut taken = [0; 2];
            stream.read_exact(&mut taken).await?;
            if taken[1] != 0 {
                return Err(refused(("the proxy refuses the login", "代理拒绝登录")));
            }
        }
        _ => {
            return Err(refused((
                "the proxy wants a login of another kind",
                "代理要求另一种登录方式",
            )));
        }
    }
    let mut request = vec![VERSION, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend(ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend(ip.octets());
        }
        Err(_) => {
            request.extend([3, length(host)?]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    answer(stream).await
}

/// Reads the answer to the request, and the address in it, which nobody needs.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let words = match head[1] {
        0 => None,
        2 => return Err(refused(("the proxy does not allow it", "代理不允许"))),
        3 | 4 => Some(("the proxy cannot reach the host", "代理无法连接该主机")),
        5 => return Err(io::ErrorKind::ConnectionRefused.into()),
        6 => return Err(io::ErrorKind::TimedOut.into()),
        _ => Some(("the proxy could not connect", "代理未能建立连接")),
    };
    if let Some(words) = words {
        return Err(failed(io::ErrorKind::Other, words));
    }
    if head[0] != VERSION {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let rest = match head[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let mut address = [0; 257];
    stream.read_exact(&mut address[..rest + 2]).await?;
    Ok(())
}

fn length(text: &str) -> io::Result<u8> {
    u8::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn refused(words: (&'static str, &'static str)) -> io::Error {
    failed(io::ErrorKind::ConnectionRefused, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the proxy hears when it says this, and what comes of it.
    async fn played(proxy: &str, host: &str, says: &[u8]) -> (Vec<u8>, io::Result<()>) {
        let proxy = Proxy::parse(proxy).expect("a proxy");
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(says).await.expect("room for it");
        theirs.shutdown().await.expect("open so far");
        let result = connect(&mut ours, &proxy, host, 6697).await;
        drop(ours);
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.expect("all of it");
        (heard, result)
    }

    #[tokio::test]
    async fn a_name_is_resolved_by_the_proxy() {
        let says = [5, 0, 5, 0, 0, 1, 9, 9, 9, 9, 1, 1];
        let (heard, result) = played("127.0.0.1:9050", "a.onion", &says).await;
        result.expect("connected");
        assert_eq!(heard, b"\x05\x01\x00\x05\x01\x00\x03\x07a.onion\x1a\x29");
    }

    #[tokio::test]
    async fn a_name_and_a_password_are_said_where_they_are_wanted() {
        let says = [5, 2, 1, 0, 5, 0, 0, 3, 1, b'x', 0, 0];
        let (heard, result) = played("socks5://me:pw@[::1]:1", "192.0.2.1", &says).await;
        result.expect("connected");
        assert_eq!(
            heard,
            b"\x05\x02\x00\x02\x01\x02me\x02pw\x05\x01\x00\x01\xc0\x00\x02\x01\x1a\x29"
        );
    }

    #[tokio::test]
    async fn refusals_of_the_proxy_are_errors() {
        for says in [
            &[5, 0xff][..],
            &[5, 2],
            &[5, 0, 5, 5, 0, 1],
            &[5, 0, 5, 1, 0, 1],
            &[5, 0, 5, 0, 0, 9],
            &[4, 0],
            &[],
        ] {
            let (_, result) = played("proxy", "host.example", says).await;
            assert!(result.is_err(), "{says:?}");
        }
    }

    #[test]
    fn the_forms_of_a_proxy_are_read() {
        let proxy = Proxy::parse("socks5://user:pa:ss@proxy.example:9050").expect("a proxy");
        assert_eq!(proxy.at.port, Some(9050));
        assert_eq!(
            proxy.login,
            Some(("user".to_owned(), Secret("pa:ss".to_owned())))
        );
        for bad in ["", "user@host", ":x@host", "http://host/"] {
            assert_eq!(Proxy::parse(bad), None, "{bad}");
        }
    }
}
