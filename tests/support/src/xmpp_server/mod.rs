//! Real XMPP servers on loopback.
//!
//! All serve the domain `localhost`, let anybody register in-band (XEP-0077), accept PLAIN
//! without TLS, and have the component domains `irc.localhost` and `loop.localhost` unless told
//! otherwise. Server-to-server is off.

mod ejabberd;
mod jabberd2;
mod prosody;
mod register;

pub use self::ejabberd::Ejabberd;
pub use self::jabberd2::Jabberd2;
pub use self::prosody::{Prosody, ROOMS};

/// The component domains that a server has unless told otherwise.
pub const COMPONENTS: [&str; 2] = ["irc.localhost", "loop.localhost"];

/// These domains with the usual secret.
fn usual<'a>(components: &[&'a str]) -> Vec<(&'a str, &'static str)> {
    components.iter().map(|domain| (*domain, SECRET)).collect()
}

const DOMAIN: &str = "localhost";
const SECRET: &str = "component s3cret";

/// The servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Prosody.
    Prosody,
    /// ejabberd.
    Ejabberd,
    /// jabberd2.
    Jabberd2,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Prosody, Self::Ejabberd, Self::Jabberd2];

    /// Starts one with the usual component domains.
    pub fn start(self) -> Box<dyn XmppServer> {
        self.start_with(&COMPONENTS)
    }

    /// Starts one with these component domains.
    pub fn start_with(self, components: &[&str]) -> Box<dyn XmppServer> {
        match self {
            Self::Prosody => Box::new(Prosody::start_with(components)),
            Self::Ejabberd => Box::new(Ejabberd::start_with(components)),
            Self::Jabberd2 => Box::new(Jabberd2::start_with(components)),
        }
    }

    /// Starts one with these component domains that may upload files to `upload.localhost`
    /// (XEP-0363), over plain HTTP at 127.0.0.1.
    ///
    /// # Panics
    ///
    /// jabberd2 has no such service.
    pub fn start_with_upload(self, components: &[&str]) -> Box<dyn XmppServer> {
        match self {
            Self::Prosody => Box::new(Prosody::start_with_upload(components, components)),
            Self::Ejabberd => Box::new(Ejabberd::start_with_upload(components, components)),
            Self::Jabberd2 => panic!("jabberd2 takes no files"),
        }
    }

    /// The same where these may upload files: domains, or single addresses.
    ///
    /// # Panics
    ///
    /// jabberd2 has no such service.
    pub fn start_with_upload_of(self, components: &[&str], access: &[&str]) -> Box<dyn XmppServer> {
        match self {
            Self::Prosody => Box::new(Prosody::start_with_upload(components, access)),
            Self::Ejabberd => Box::new(Ejabberd::start_with_upload(components, access)),
            Self::Jabberd2 => panic!("jabberd2 takes no files"),
        }
    }
}

/// A running XMPP server; dropped, it is gone.
pub trait XmppServer: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> Kind;

    /// The port for clients, on 127.0.0.1.
    fn c2s_port(&self) -> u16;

    /// The port for components (XEP-0114), on 127.0.0.1. It serves every component domain.
    fn component_port(&self) -> u16;

    /// The domain it serves.
    fn domain(&self) -> &str {
        DOMAIN
    }

    /// The secret of every component domain.
    fn secret(&self) -> &str {
        SECRET
    }

    /// Kills it with SIGKILL, without any warning.
    fn kill_hard(&mut self);

    /// Starts it again (killing it if it runs) with the same ports and the same data.
    fn restart(&mut self);

    /// Writes its configuration anew with these component domains and their secrets. It holds
    /// from the next [`Self::restart`] on.
    fn configure(&mut self, components: &[(&str, &str)]);

    /// Sees to it that the accounts made so far survive [`Self::kill_hard`].
    fn keep_accounts(&mut self) {}

    /// What it has logged so far.
    fn log(&self) -> String;

    /// Registers an account; does nothing if it is there.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    fn add_user(&self, name: &str, password: &str) {
        register::register(self.c2s_port(), self.domain(), name, password);
    }
}
