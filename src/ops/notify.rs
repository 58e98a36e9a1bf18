//! News for the service manager, as `sd_notify(3)` has them: datagrams to the socket that
//! `NOTIFY_SOCKET` names. Without one nothing is said.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Says how the program does.
#[derive(Debug, Default)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it has to say that it is alive.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// With what the environment says. A socket that cannot be had is logged, and then nothing is
    /// said: the service manager will notice.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let pid = variable("WATCHDOG_PID");
        let ours = pid.is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| ours);
        Self::new(variable("NOTIFY_SOCKET").as_deref(), watchdog.as_deref())
    }

    fn new(socket: Option<&str>, watchdog: Option<&str>) -> Self {
        let to = socket.and_then(|socket| {
            open(socket)
                .inspect_err(|fault| tracing::warn!(%fault, socket, "NOTIFY_SOCKET is no use"))
                .ok()
        });
        let watchdog = watchdog.filter(|_| to.is_some());
        let watchdog = watchdog.and_then(|it| it.parse().ok()).filter(|&it| it > 0);
        Self {
            to,
            // Twice as often as is asked for.
            watchdog: watchdog.map(|period| Duration::from_micros(period) / 2),
        }
    }

    /// How often to say [`alive`](Self::alive); `None`: nobody asks.
    pub(crate) fn period(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The gateways are being served.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// The program goes round.
    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, news: &str) {
        if let Some((socket, to)) = &self.to
            && let Err(fault) = socket.send_to_addr(news.as_bytes(), to)
        {
            tracing::debug!(%fault, news, "the service manager is not told");
        }
    }
}

fn open(socket: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match socket.strip_prefix('@') {
        Some(name) => abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let from = UnixDatagram::unbound()?;
    // A full socket is no reason to stand still.
    from.set_nonblocking(true)?;
    Ok((from, to))
}

/// Only Linux has names that are in no folder.
#[cfg(target_os = "linux")]
fn abstract_name(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut space = [0; 64];
        let size = socket.recv(&mut space).expect("a datagram");
        String::from_utf8_lossy(&space[..size]).into_owned()
    }

    #[test]
    fn news_arrive_at_a_path_and_at_an_abstract_name_and_go_nowhere_without() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).expect("bound");
        let name = format!("isthmus-test-{}", std::process::id());
        let address = abstract_name(&name).expect("a name");
        let by_name = UnixDatagram::bind_addr(&address).expect("bound");
        for (socket, end) in [
            (path.to_string_lossy().into_owned(), by_path),
            (format!("@{name}"), by_name),
        ] {
            let notifier = Notifier::new(Some(&socket), Some("3000000"));
            assert_eq!(notifier.period(), Some(Duration::from_millis(1500)));
            notifier.ready();
            notifier.alive();
            notifier.stopping();
            for news in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
                assert_eq!(heard(&end), news);
            }
        }
        let silent = Notifier::new(None, Some("3000000"));
        assert_eq!(silent.period(), None);
        silent.ready();
        // Nobody is there: no fault for the program.
        Notifier::new(Some("/nonexistent/notify"), None).ready();
    }
}
