//! The gateway itself: what the host is given.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Account, Address, AddressFault, Caps, Courier, Dialog, Fault, FaultKind, Field, Gateway,
    Identity, Kind, Later, Manifest, Parsed, Session, Step, Uplink, User, words,
};
use isthmus_kit::{Dial, Tcp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::address::{self, Peer};
use crate::config::Config;
use crate::courier::{Jobs, Outlet};
use crate::inward::Inward;
use crate::line;
use crate::track::Table;
use crate::transport::{Bind, Link, Transport};
use isthmus_kit::Unserved;

/// Messages and receipts of one carrier that wait to be taken; beyond that the carrier is asked
/// to send again.
const INBOUND: usize = 1024;

/// The SMS gateway.
pub struct Sms {
    pub(crate) config: Arc<Config>,
    pub(crate) jobs: Jobs,
    /// Messages that users' servers have returned.
    pub(crate) returned: AtomicU64,
    manifest: Manifest,
    dial: Arc<dyn Dial>,
    drained: watch::Sender<Option<Instant>>,
}

impl Sms {
    /// A gateway with these settings, over TCP.
    pub fn new(config: Config) -> Self {
        Self::with_dial(config, Arc::new(Tcp::default()))
    }

    /// A gateway whose connections are opened by `dial`.
    pub fn with_dial(config: Config, dial: Arc<dyn Dial>) -> Self {
        Self {
            manifest: manifest(&config),
            config: Arc::new(config),
            jobs: Jobs::new(),
            returned: AtomicU64::new(0),
            dial,
            drained: watch::Sender::new(None),
        }
    }

    fn region<'a>(&'a self, region: &'a str) -> &'a str {
        if region.is_empty() {
            &self.config.region
        } else {
            region
        }
    }

    /// The tasks of one carrier, and what jobs need of it.
    fn carrier(&self, name: &str, up: &Arc<dyn Uplink>, tasks: &mut JoinSet<()>) -> Option<Outlet> {
        let carrier = self.config.carriers.get(name)?.clone();
        let (commands, to_send) = mpsc::unbounded_channel();
        let (inbound, received) = mpsc::channel(INBOUND);
        let (bind_up, bind) = watch::channel(Bind::Down);
        let table = Arc::new(Table::default());
        let random = RandomState::new().hash_one(name);
        let inward = Inward::new(
            name,
            &carrier,
            Arc::clone(&self.config),
            commands.clone(),
            Arc::clone(&table),
            Arc::clone(up),
            random,
        );
        tasks.spawn(inward.run(received));
        let transport = Transport {
            name: name.to_owned(),
            carrier,
            dial: Arc::clone(&self.dial),
            commands: to_send,
            inbound,
            bind: bind_up,
            drained: self.drained.subscribe(),
            seed: random,
        };
        tasks.spawn(transport.run());
        let link = Link { commands, bind };
        Some(Outlet { link, table })
    }
}

/// Shortly before a drain has to have ended, and after binds have.
async fn late(mut drained: watch::Receiver<Option<Instant>>) {
    let until = drained.wait_for(Option::is_some).await;
    match until.ok().and_then(|until| *until) {
        Some(until) => {
            tokio::time::sleep_until((until + EARLY / 2).into()).await;
        }
        // Nobody can drain any more.
        None => std::future::pending().await,
    }
}

/// So long before a drain has to have ended binds do.
const EARLY: Duration = Duration::from_millis(500);

impl Gateway for Sms {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn network<'a>(&self, _localpart: &'a str) -> &'a str {
        ""
    }

    fn parse(&self, localpart: &str, region: &str) -> Result<Parsed, AddressFault> {
        address::parse(localpart, self.region(region))
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        address::format(address)
    }

    fn is_deaf(&self, to: &Address) -> bool {
        to.kind == Kind::Contact && Peer::of(to).is_deaf()
    }

    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        Box::pin(async move {
            let mut tasks = JoinSet::new();
            let mut outlets = HashMap::new();
            for name in self.config.carriers.keys() {
                if let Some(outlet) = self.carrier(name, &up, &mut tasks) {
                    outlets.insert(name.clone(), outlet);
                }
            }
            let config = Arc::clone(&self.config);
            let drained = self.drained.subscribe();
            let work = async move {
                self.jobs
                    .run(config, outlets, up, self.drained.subscribe())
                    .await;
                while tasks.join_next().await.is_some() {}
            };
            tokio::select! {
                () = work => {}
                // A host that is silent is not waited for: what it was asked it finds open again.
                () = late(drained) => {}
            }
            Ok(())
        })
    }

    fn open(
        &self,
        _user: &User,
        _account: Option<&Account>,
        _network: &str,
        _settings: &isthmus_gateway::Settings,
        _kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        Box::new(Unserved::new(("SMS has no sessions", "短信没有会话")))
    }

    fn courier(&self) -> Option<&dyn Courier> {
        Some(self)
    }

    /// One dialog, `register`: checks the line a user wants to have.
    fn dialog(&self, user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        let mut account = Account::default();
        for field in step.fields {
            if let Some(value) = field.value.filter(|_| field.name == "line") {
                account.fields.insert("line".to_owned(), value);
            }
        }
        let result = if step.name == "register" {
            line::registered(&self.config, user, Some(&account)).map(|line| Step::Done {
                text: match line {
                    Some(line) => words!("you send from {line}", "您将以 {line} 发送"),
                    None => (
                        "you send from the number that was given to you",
                        "您将以分配给您的号码发送",
                    )
                        .into(),
                },
                account: Some(Account {
                    fields: line
                        .map(|line| ("line".to_owned(), line.to_owned()))
                        .into_iter()
                        .collect(),
                }),
            })
        } else {
            Err(Fault::new(
                FaultKind::Unsupported,
                ("there is no such dialog", "没有这个对话"),
            ))
        };
        Box::pin(std::future::ready(result))
    }

    /// Nothing of a user is kept here.
    fn forget(&self, _user: &User) -> Later<Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Binds end a little before `until`, so that what is in flight can still be reported.
    fn drain(&self, until: Instant) {
        let early = until.checked_sub(EARLY);
        self.drained.send_replace(Some(early.unwrap_or(until)));
    }
}

fn manifest(config: &Config) -> Manifest {
    let open: Vec<_> = config.lines.iter().filter(|(_, line)| line.open).collect();
    let choice = |(number, _): &(&String, _)| ((*number).clone(), number.as_str().into());
    let line = Field {
        name: "line".to_owned(),
        label: ("Your number", "您的号码").into(),
        options: open.iter().map(choice).collect(),
        required: true,
        ..Field::default()
    };
    Manifest {
        name: "sms".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        identities: vec![Identity {
            category: "gateway".into(),
            kind: "sms".into(),
            name: "SMS".into(),
        }],
        caps: Caps {
            receipts: true,
            multiline: true,
            ..Caps::default()
        },
        register: if open.is_empty() {
            Vec::new()
        } else {
            vec![line]
        },
        prompt: (
            "A phone number, such as +1 416 993 8000, or a tel: or sms: address.",
            "电话号码，例如 +1 416 993 8000，或 tel:、sms: 地址。",
        )
            .into(),
        idempotent: false,
        ..Manifest::default()
    }
}
