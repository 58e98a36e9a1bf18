//! The gateway itself: what the host is given.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use isthmus_gateway::{
    Account, Address, AddressFault, Courier, Dialog, Fault, FaultKind, Gateway, Identity, Kind,
    Later, Manifest, Parsed, Session, SettingTables, Settings, Step, Time, Uplink, User, words,
};

use crate::courier::Jobs;
use crate::translate::{World, question};
use crate::transport::Wire;
use crate::{Config, Control, address, register, setting};

/// One loopback network kind; clones of nothing, shared by `Arc`.
pub struct Loopback {
    manifest: Manifest,
    wire: Wire,
    pub(crate) jobs: Jobs,
}

impl Loopback {
    /// An empty world with these settings. Reads both clocks once.
    pub fn new(config: Config) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        let time = Time(i64::try_from(millis).unwrap_or(i64::MAX));
        let manifest = Manifest {
            name: "loopback".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            identities: vec![
                identity("gateway", "loopback"),
                identity("conference", "text"),
            ],
            caps: config.caps.clone(),
            register: match config.register {
                true => register::fields(),
                false => Vec::new(),
            },
            prompt: (
                "A room (#garden) or a name (echo), with %network behind it if need be.",
                "房间（#garden）或名称（echo），必要时在其后加 %network。",
            )
                .into(),
            idempotent: true,
            settings: match config.settings {
                true => setting::tables(),
                false => SettingTables::default(),
            },
            commands: match config.settings {
                true => setting::commands(),
                false => Vec::new(),
            },
        };
        Self {
            manifest,
            jobs: Jobs::new(&config),
            wire: Wire::new(World::new(config, Instant::now(), time)),
        }
    }

    /// The foreign side, for tests.
    pub fn control(&self) -> Control {
        Control {
            wire: self.wire.clone(),
            ledger: self.jobs.ledger.clone(),
        }
    }
}

fn identity(category: &str, kind: &str) -> Identity {
    Identity {
        category: category.into(),
        kind: kind.into(),
        name: "Loopback".into(),
    }
}

impl Gateway for Loopback {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn network<'a>(&self, localpart: &'a str) -> &'a str {
        address::network(localpart)
    }

    /// The nameless network.
    fn home(&self) -> Option<&str> {
        Some("")
    }

    fn parse(&self, localpart: &str, _region: &str) -> Result<Parsed, AddressFault> {
        address::parse(localpart)
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        address::format(address)
    }

    fn is_deaf(&self, to: &Address) -> bool {
        to.kind == Kind::Contact && to.id == "deaf"
    }

    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        Box::pin(async move {
            self.jobs.run(up).await;
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
        let kept = kept.and_then(|state| std::str::from_utf8(state).ok());
        let set = settings.get("nick");
        let wished = account.and_then(|account| account.fields.get("nick"));
        let wished = set.or(wished.map(String::as_str));
        let nick = kept.or(wished).unwrap_or(&user.local);
        Box::new(self.wire.open(network, nick, settings))
    }

    fn courier(&self) -> Option<&dyn Courier> {
        Some(self)
    }

    /// Registers, or asks for a word and repeats it.
    fn dialog(&self, _user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        if step.name == "register" && !self.manifest.register.is_empty() {
            return register::answer(&step);
        }
        if step.name == register::CONFIRM {
            return Box::pin(std::future::ready(register::confirm(&step)));
        }
        if let Some(answer) = setting::command(&step) {
            return Box::pin(std::future::ready(answer));
        }
        let word = step.fields.iter().find(|field| field.name == "word");
        let result = match (step.name.as_str(), word.and_then(|it| it.value.as_ref())) {
            ("word", Some(word)) => Ok(Step::Done {
                account: None,
                text: words!("you said {word}", "您说了 {word}"),
            }),
            ("word", None) => Ok(Step::Next(question())),
            _ => Err(Fault::new(
                FaultKind::Unsupported,
                ("no such dialog", "没有这个对话"),
            )),
        };
        Box::pin(std::future::ready(result))
    }

    /// Nothing of a user outlives his sessions.
    fn forget(&self, _user: &User) -> Later<Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn drain(&self, _until: Instant) {
        self.jobs.drain();
    }
}
