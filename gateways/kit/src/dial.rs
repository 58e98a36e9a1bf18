//! Opening TCP connections, from an address of one's choice and through a proxy where that is
//! wanted; and what stands in for all of it in tests.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::Later;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use crate::reason::failed;
use crate::socks::{self, Proxy};

/// Both directions of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of any kind.
pub type BoxedStream = Box<dyn Stream>;

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any: the operator named the host.
    Any,
    /// Only addresses of the public internet: a user named the host. Judged after resolution, so
    /// that a public name for a private address does not help.
    Public,
}

/// Is told both ends of a connection: our own, then the other.
pub type Opened = Arc<dyn Fn(SocketAddr, SocketAddr) + Send + Sync>;

/// How a connection is opened.
#[derive(Clone, Default)]
pub struct Path {
    /// Our own address; the other family is then not used.
    pub bind: Option<IpAddr>,
    /// Through this proxy. It resolves names itself: what is out of reach for users is then the
    /// proxy's to know, only addresses they write down are judged here.
    pub proxy: Option<Proxy>,
    /// Told as soon as it is open.
    pub opened: Option<Opened>,
}

/// Opens connections. A host that cannot be found is `NotFound`, one that is out of reach
/// `PermissionDenied`.
pub trait Dial: Send + Sync {
    /// Connects to `port` of `host`, a name or an address.
    fn dial(&self, host: &str, port: u16, reach: Reach) -> Later<io::Result<BoxedStream>>;

    /// The same, by this path. Who knows no paths goes straight.
    fn dial_by(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        path: &Path,
    ) -> Later<io::Result<BoxedStream>> {
        let _ = path;
        self.dial(host, port, reach)
    }
}

/// Opens TCP connections: every resolved address in turn, with Nagle's algorithm off.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// For resolving the name.
    pub resolve_timeout: Duration,
    /// For connecting to one address.
    pub connect_timeout: Duration,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            resolve_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// Addresses of one host that are tried at most.
const MOST_ADDRESSES: usize = 8;

impl Dial for Tcp {
    fn dial(&self, host: &str, port: u16, reach: Reach) -> Later<io::Result<BoxedStream>> {
        self.dial_by(host, port, reach, &Path::default())
    }

    fn dial_by(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        path: &Path,
    ) -> Later<io::Result<BoxedStream>> {
        let (tcp, path) = (*self, path.clone());
        let host = host.to_owned();
        Box::pin(async move {
            let stream = match &path.proxy {
                Some(proxy) => tcp.through(proxy, &host, port, reach, &path).await?,
                None => tcp.straight(&host, port, reach, &path).await?,
            };
            stream.set_nodelay(true)?;
            if let Some(opened) = &path.opened {
                opened(stream.local_addr()?, stream.peer_addr()?);
            }
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}

impl Tcp {
    async fn through(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        reach: Reach,
        path: &Path,
    ) -> io::Result<TcpStream> {
        let private = host.parse::<IpAddr>().is_ok_and(|ip| !is_public(ip));
        if reach == Reach::Public && (private || host.eq_ignore_ascii_case("localhost")) {
            return Err(out_of_reach());
        }
        let at = proxy.at.port.unwrap_or(Proxy::PORT);
        let mut stream = self.straight(&proxy.at.host, at, Reach::Any, path).await?;
        let limit = self.resolve_timeout + self.connect_timeout;
        within(limit, socks::connect(&mut stream, proxy, host, port)).await?;
        Ok(stream)
    }

    async fn straight(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        path: &Path,
    ) -> io::Result<TcpStream> {
        let addresses = self.resolve(host, port).await?;
        self.first_of(addresses, reach, path).await
    }

    /// A connection to the first of these addresses that may be connected to and answers.
    async fn first_of(
        &self,
        addresses: Vec<SocketAddr>,
        reach: Reach,
        path: &Path,
    ) -> io::Result<TcpStream> {
        let ours = |address: &SocketAddr| {
            path.bind
                .is_none_or(|bind| bind.is_ipv4() == address.is_ipv4())
        };
        let allowed: Vec<SocketAddr> = addresses
            .into_iter()
            .filter(|address| reach == Reach::Any || is_public(address.ip()))
            .filter(ours)
            .take(MOST_ADDRESSES)
            .collect();
        if allowed.is_empty() {
            return Err(out_of_reach());
        }
        let mut last = None;
        for address in allowed {
            match within(self.connect_timeout, open(address, path.bind)).await {
                Ok(stream) => return Ok(stream),
                Err(fault) => last = Some(fault),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let found = within(self.resolve_timeout, tokio::net::lookup_host((host, port))).await;
        let found: Vec<SocketAddr> = match found {
            Ok(found) => found.collect(),
            Err(fault) if fault.kind() == io::ErrorKind::TimedOut => return Err(fault),
            // The resolver's error has no kind of its own.
            Err(_) => Vec::new(),
        };
        if found.is_empty() {
            return Err(failed(
                io::ErrorKind::NotFound,
                ("no such host", "没有这个主机"),
            ));
        }
        Ok(interleaved(found))
    }
}

async fn open(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(bind) = bind else {
        return TcpStream::connect(address).await;
    };
    let socket = match bind {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(bind, 0))?;
    socket.connect(address).await
}

fn out_of_reach() -> io::Error {
    let words = ("the host has no public address", "该主机没有公网地址");
    failed(io::ErrorKind::PermissionDenied, words)
}

/// Alternates between the address families (RFC 8305 §4), beginning with the resolver's first, so
/// that one broken family costs one timeout and not all of them.
fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six_first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == six_first);
    let mut other = other.into_iter();
    let mut mixed = Vec::with_capacity(one.len() + other.len());
    for address in one {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed
}

/// The result of `what`, or `TimedOut` after `limit`.
pub async fn within<T>(
    limit: Duration,
    what: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match tokio::time::timeout(limit, what).await {
        Ok(result) => result,
        Err(_) => Err(failed(
            io::ErrorKind::TimedOut,
            ("no answer in time", "未及时收到应答"),
        )),
    }
}

/// Whether an address belongs to the public internet (IANA special-purpose registries).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64) // RFC 6598, shared address space
        || (a == 198 && b & 0xfe == 18) // RFC 2544, benchmarking
        || (a == 192 && b == 0 && c == 0)) // RFC 6890, protocol assignments
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    // Addresses that carry an IPv4 address are as public as that is, and no more.
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let last_four = Ipv4Addr::from(((u32::from(segments[6])) << 16) | u32::from(segments[7]));
    match segments {
        // RFC 6052 and RFC 8215 (NAT64).
        [0x64, 0xff9b, ..] => is_public_v4(last_four),
        // RFC 3056 (6to4): the IPv4 address is in the second and third group.
        [0x2002, high, low, ..] => {
            is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        // RFC 2928 protocol assignments (Teredo among them) and RFC 3849, RFC 9637 documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // RFC 4291 §2.4: global unicast as assigned is 2000::/3.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Opens TCP connections to what a function says a host's addresses are, for tests: the same
/// judgement of the same addresses, without a name server.
pub struct Resolved<F>(pub F);

impl<F> Dial for Resolved<F>
where
    F: Fn(&str, u16) -> Vec<SocketAddr> + Send + Sync,
{
    fn dial(&self, host: &str, port: u16, reach: Reach) -> Later<io::Result<BoxedStream>> {
        let found = (self.0)(host, port);
        Box::pin(async move {
            let stream = Tcp::default()
                .first_of(found, reach, &Path::default())
                .await?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}

/// A dialler from a function, for tests: whoever asks gets what it returns.
pub struct DialFn<F>(pub F);

impl<F> Dial for DialFn<F>
where
    F: Fn(&str, u16, Reach) -> io::Result<BoxedStream> + Send + Sync,
{
    fn dial(&self, host: &str, port: u16, reach: Reach) -> Later<io::Result<BoxedStream>> {
        let result = (self.0)(host, port, reach);
        Box::pin(std::future::ready(result)) as Pin<Box<_>>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().expect("an address"))
    }

    #[test]
    fn private_addresses_in_any_dress_are_not_public() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!public(ip), "{ip}");
        }
        for ip in ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(public(ip), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_user_cannot_reach_a_loopback_listener_and_an_operator_can() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let tcp = Tcp::default();
        let refused = tcp.dial("127.0.0.1", port, Reach::Public).await;
        assert_eq!(
            refused.err().map(|fault| fault.kind()),
            Some(io::ErrorKind::PermissionDenied)
        );
        assert!(tcp.dial("127.0.0.1", port, Reach::Any).await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_begins_where_it_is_bound_and_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let told = Arc::new(std::sync::Mutex::new(None));
        let slot = Arc::clone(&told);
        let path = Path {
            bind: Some("127.0.0.2".parse().expect("an address")),
            opened: Some(Arc::new(move |ours, theirs| {
                *slot.lock().expect("no test panics here") = Some((ours, theirs));
            })),
            ..Path::default()
        };
        let stream = Tcp::default().dial_by("127.0.0.1", port, Reach::Any, &path);
        let _stream = stream.await.expect("connected");
        let (_, from) = listener.accept().await.expect("a connection");
        assert_eq!(from.ip().to_string(), "127.0.0.2");
        let told = told.lock().expect("no test panics here").expect("told");
        assert_eq!((told.0, told.1.port()), (from, port));
    }

    #[tokio::test]
    async fn a_proxy_takes_nobody_to_a_private_address() {
        let path = Path {
            proxy: Proxy::parse("127.0.0.1:1"),
            ..Path::default()
        };
        for host in ["127.0.0.1", "localhost"] {
            let refused = Tcp::default().dial_by(host, 1, Reach::Public, &path).await;
            let kind = refused.err().map(|fault| fault.kind());
            assert_eq!(kind, Some(io::ErrorKind::PermissionDenied));
        }
    }

    #[test]
    fn families_alternate() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let mixed = interleaved(vec![
            parse("[2606::1]:1"),
            parse("[2606::2]:1"),
            parse("1.1.1.1:1"),
        ]);
        assert!(mixed[0].is_ipv6() && mixed[1].is_ipv4() && mixed[2].is_ipv6());
    }
}
