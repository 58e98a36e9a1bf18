//! The gateway itself: what the host is given.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use isthmus_gateway::{
    Account, Address, AddressFault, Courier, Dialog, Fault, FaultKind, Gateway, Later, Manifest,
    Parsed, Session, Settings, Step, Uplink, User,
};
use isthmus_kit::Bucket;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::session::{Connection, Hub};
use crate::supervise::{Launch, Restart, Supervisor};
use crate::translate::{Hello, Machine, fault};

/// Where a plugin is served, and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of its table, for logs.
    pub name: String,
    /// The domain it is served under.
    pub domain: String,
    /// Its working directory, where the configuration names none. Made if it is not there.
    pub dir: PathBuf,
}

/// A gateway that is a program of its own.
pub struct Exec {
    pub(crate) hub: Arc<Hub>,
    pub(crate) hello: Hello,
    drain: watch::Sender<Option<Instant>>,
    /// Closed when the process has ended for good.
    ended: watch::Receiver<()>,
}

impl Exec {
    /// Starts the program and hears what it is, within ten seconds; what went wrong, in words.
    ///
    /// The process runs from then on, is started again when it ends, and dies with the `Exec`.
    /// Nothing it asks is answered before [`Gateway::start`]. Needs a tokio runtime, also later:
    /// the task that owns the process is spawned here.
    pub fn start_plugin(place: Place, config: Config) -> Later<Result<Self, String>> {
        Box::pin(async move {
            let dir = config.dir.clone().unwrap_or(place.dir);
            // The plugin is elsewhere: what it is told must not depend on where we are.
            let dir = std::path::absolute(&dir).unwrap_or(dir);
            let spool = config.spool.clone().unwrap_or_else(|| dir.join("spool"));
            make_dir(&dir)?;
            make_dir(&spool)?;
            let seed = RandomState::new().hash_one(&place.name);
            let restart = Restart::new(seed, config.restart_limit, config.restart_pause);
            let launch = Launch {
                name: place.name,
                domain: place.domain,
                dir,
                spool,
                config,
            };
            let (process, hello) = launch.start().await?;
            let config = &launch.config;
            let idempotent = hello.manifest.idempotent;
            let mut machine = Machine::new(config.credit, config.timeout, idempotent);
            machine.up(Instant::now());
            let hub = Arc::new(Hub::new(machine));
            let (drain, drained) = watch::channel(None);
            let (ends, ended) = watch::channel(());
            let supervisor = Supervisor {
                launch,
                hub: Arc::clone(&hub),
                hello: hello.clone(),
                restart,
                drain: drained,
                asked: JoinSet::new(),
                complaints: Bucket::new(20, 1.0),
            };
            tokio::spawn(async move {
                supervisor.run(process).await;
                drop(ends);
            });
            Ok(Self {
                hub,
                hello,
                drain,
                ended,
            })
        })
    }

    /// The id of the process, while one runs.
    pub fn process_id(&self) -> Option<u32> {
        let id = self.hub.process.load(Ordering::Relaxed);
        (id != 0).then_some(id)
    }

    fn call<T: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Later<Result<T, Fault>> {
        let now = Instant::now();
        let asked = self.hub.with(|machine| machine.call(method, params, now));
        Box::pin(async move {
            let gone = || {
                Fault::new(
                    FaultKind::NetworkDown,
                    ("the gateway's program has ended", "网关程序已结束"),
                )
            };
            let answer = asked?.await.map_err(|_| gone())?;
            let answer = answer.map_err(|error| fault(&error))?;
            serde_json::from_str(&answer).map_err(|_| {
                let text = (
                    "the gateway's program answered nonsense",
                    "无法理解网关程序的答复",
                );
                Fault::new(FaultKind::Internal, text)
            })
        })
    }
}

/// Makes a directory that others cannot read, and those above it.
fn make_dir(dir: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| format!("{}: {error}", dir.display()))
}

impl Gateway for Exec {
    fn manifest(&self) -> &Manifest {
        &self.hello.manifest
    }

    fn network<'a>(&self, localpart: &'a str) -> &'a str {
        self.hello.templates.network(localpart)
    }

    fn parse(&self, localpart: &str, _region: &str) -> Result<Parsed, AddressFault> {
        self.hello.templates.parse(localpart)
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        self.hello.templates.format(address)
    }

    /// Lets the plugin ask the host. Ends when the process has ended for good.
    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        Box::pin(async move {
            self.hub.connect(up);
            let mut ended = self.ended.clone();
            // An error says that the other end is gone, which is what is waited for.
            let _ = ended.changed().await;
            Ok(())
        })
    }

    fn open(
        &self,
        user: &User,
        account: Option<&Account>,
        network: &str,
        settings: &Settings,
        kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        let now = Instant::now();
        let opening = (network, settings, kept);
        let id = self
            .hub
            .with(|machine| machine.open(user, account, opening, now));
        Box::new(Connection {
            hub: Arc::clone(&self.hub),
            id,
            closing: false,
        })
    }

    fn courier(&self) -> Option<&dyn Courier> {
        match self.hello.courier {
            true => Some(self),
            false => None,
        }
    }

    fn dialog(&self, user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        self.call("dialog", &serde_json::json!({ "user": user, "step": step }))
    }

    /// A plugin that keeps nothing need not know the method.
    fn forget(&self, user: &User) -> Later<Result<(), Fault>> {
        let params = serde_json::json!({ "user": user });
        let forgotten = self.call::<serde_json::Value>("forget", &params);
        Box::pin(async move {
            match forgotten.await {
                Err(fault) if fault.kind != FaultKind::Unsupported => Err(fault),
                _ => Ok(()),
            }
        })
    }

    fn drain(&self, until: Instant) {
        self.drain.send_replace(Some(until));
    }
}
