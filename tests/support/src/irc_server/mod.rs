//! Real IRC servers on loopback, without look-ups, throttles or penalties.

mod atheme;
mod daemon;
mod hybrid;
mod inspircd;
mod ngircd;

use std::path::PathBuf;

pub use self::atheme::Atheme;
pub use self::daemon::Daemon;
pub use self::hybrid::Hybrid;
pub use self::inspircd::Inspircd;
pub use self::ngircd::Ngircd;

/// Name of the operator account, for `OPER`.
pub const OPER_NAME: &str = "oper";
/// Password of the operator account.
pub const OPER_PASSWORD: &str = "operpass";
/// Name of the server, as in its messages.
pub const SERVER_NAME: &str = "irc.test.invalid";

/// The servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ngIRCd.
    Ngircd,
    /// InspIRCd 3.
    Inspircd,
    /// InspIRCd 3 with Atheme services.
    Atheme,
    /// ircd-hybrid.
    Hybrid,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ngircd, Self::Inspircd, Self::Atheme, Self::Hybrid];

    /// Starts one.
    pub fn start(self) -> Box<dyn IrcServer> {
        match self {
            Self::Ngircd => Box::new(Ngircd::start()),
            Self::Inspircd => Box::new(Inspircd::start()),
            Self::Atheme => Box::new(Atheme::start()),
            Self::Hybrid => Box::new(Hybrid::start()),
        }
    }
}

/// A running IRC server; dropped, it is gone.
pub trait IrcServer: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> Kind;

    /// What runs.
    fn daemon(&self) -> &Daemon;

    /// The same, to be stopped.
    fn daemon_mut(&mut self) -> &mut Daemon;

    /// The plain-text port, on 127.0.0.1.
    fn port(&self) -> u16 {
        self.daemon().port()
    }

    /// The TLS port, on 127.0.0.1; the certificate is for `localhost` and 127.0.0.1.
    fn tls_port(&self) -> u16 {
        self.daemon().tls_port()
    }

    /// The authority (PEM) that signed the certificate.
    fn authority(&self) -> PathBuf {
        self.daemon().authority()
    }

    /// Kills it with SIGKILL, without any warning.
    fn kill_hard(&mut self) {
        self.daemon_mut().kill_hard();
    }

    /// Starts it again (killing it if it runs) on the same ports.
    fn restart(&mut self) {
        self.daemon_mut().restart();
    }

    /// What it has logged so far.
    fn log(&self) -> String {
        self.daemon().log()
    }
}
