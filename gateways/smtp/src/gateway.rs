//! The gateway as the host sees it: what it is, what its addresses mean, and its listeners.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use isthmus_gateway::{
    Account, Address, AddressFault, Caps, Courier, Dialog, Fault, FaultKind, Field, Gateway,
    Identity, Kind, Later, Manifest, Parsed, Session, Step, Uplink, User, words,
};
use isthmus_kit::Unserved;
use tokio::sync::Semaphore;

use crate::address;
use crate::config::Config;
use crate::courier::{Jobs, Outward};
use crate::translate::one_line;
use crate::translate::token::Sealer;
use crate::transport::listen::{self, Shared};
use crate::transport::send::Sender;

/// What the deployment's key for tokens is called.
const SECRET: &str = "smtp token";
/// Longest name for people, in characters.
const LONGEST_NAME: usize = 100;

/// Email behind one domain.
pub struct Smtp {
    pub(crate) config: Config,
    pub(crate) domain: String,
    pub(crate) jobs: Jobs,
    manifest: Manifest,
}

impl Smtp {
    /// The gateway with these settings. `domain` is both the component's and that of the users'
    /// mail addresses.
    pub fn new(config: Config, domain: &str) -> Self {
        let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_ascii_lowercase());
        Self {
            config,
            domain: ascii,
            jobs: Jobs::new(),
            manifest: manifest(),
        }
    }

    async fn run(&self, up: Arc<dyn Uplink>) -> Result<(), Fault> {
        let fault = |fault: std::io::Error| Fault::new(FaultKind::Internal, fault.to_string());
        let listeners = listen::open(&self.config).await.map_err(fault)?;
        let tls = match &self.config.certificate {
            Some(certificate) => Some(listen::acceptor(certificate).map_err(fault)?),
            None => None,
        };
        tracing::info!(
            at = ?listen::places(&listeners),
            starttls = tls.is_some(),
            sends = self.config.smarthost.is_some(),
            "serving mail"
        );
        let secret = up.secret(SECRET);
        let outward = self.config.smarthost.clone().map(|smarthost| {
            Arc::new(Outward {
                sender: Sender::new(smarthost, &self.domain, self.config.timeout),
                sealer: Sealer::new(&secret),
                domain: self.domain.clone(),
            })
        });
        let shared = Arc::new(Shared {
            domain: self.domain.clone(),
            config: self.config.clone(),
            sealer: Sealer::new(&secret),
            up,
            tls,
            dropped: AtomicU64::new(0),
            reading: Semaphore::new(listen::READING),
        });
        let both = async {
            tokio::join!(self.jobs.run(outward), listen::serve(listeners, shared));
        };
        tokio::select! {
            () = both => {}
            () = self.jobs.drained() => {}
        }
        Ok(())
    }
}

fn manifest() -> Manifest {
    Manifest {
        name: "smtp".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        identities: vec![Identity {
            category: "gateway".to_owned(),
            kind: "smtp".to_owned(),
            name: "Email".to_owned(),
        }],
        caps: Caps {
            subject: true,
            attachments: true,
            multiline: true,
            reply: true,
            ..Caps::default()
        },
        register: vec![name_field(None)],
        prompt: (
            "A mail address, such as alice@example.org.",
            "邮件地址，例如 alice@example.org。",
        )
            .into(),
        // A copy that is sent again bears the same Message-ID.
        idempotent: true,
        ..Manifest::default()
    }
}

fn name_field(value: Option<String>) -> Field {
    Field {
        name: "name".to_owned(),
        label: ("Your name as your mail shows it", "您的邮件中显示的姓名").into(),
        value,
        ..Field::default()
    }
}

/// The account that the answers of the registration make.
fn register(step: &Dialog) -> Result<Step, Fault> {
    let answer = step.fields.iter().find(|field| field.name == "name");
    let name = one_line(
        answer
            .and_then(|it| it.value.as_deref())
            .unwrap_or_default(),
    );
    let fault = |en: &'static str, zh| Err(Fault::new(FaultKind::BadRequest, (en, zh)));
    if name.chars().count() > LONGEST_NAME {
        return fault("the name is too long", "姓名过长");
    }
    if name.contains(['@', '<', '>']) {
        return fault(
            "a name must not look like a mail address",
            "姓名不得像邮件地址",
        );
    }
    let mut account = Account::default();
    let text = if name.is_empty() {
        (
            "Your mail shows your XMPP name.",
            "您的邮件将显示您的 XMPP 名称。",
        )
            .into()
    } else {
        words!(
            "Your mail shows the name {name}.",
            "您的邮件将显示姓名 {name}。"
        )
    };
    if !name.is_empty() {
        account.fields.insert("name".to_owned(), name);
    }
    Ok(Step::Done {
        account: Some(account),
        text,
    })
}

impl Gateway for Smtp {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn network<'a>(&self, _localpart: &'a str) -> &'a str {
        ""
    }

    fn parse(&self, localpart: &str, _region: &str) -> Result<Parsed, AddressFault> {
        address::parse(localpart)
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        address::format(address)
    }

    fn is_deaf(&self, to: &Address) -> bool {
        to.kind == Kind::Contact && address::is_deaf(&to.id)
    }

    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        Box::pin(async move { self.run(up).await })
    }

    fn open(
        &self,
        _user: &User,
        _account: Option<&Account>,
        _network: &str,
        _settings: &isthmus_gateway::Settings,
        _kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        Box::new(Unserved::new((
            "mail has no live connection",
            "邮件没有实时连接",
        )))
    }

    fn courier(&self) -> Option<&dyn Courier> {
        Some(self)
    }

    fn dialog(&self, _user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        let result = match step.name.as_str() {
            "register" => register(&step),
            _ => Err(Fault::new(
                FaultKind::Unsupported,
                ("no such dialog", "没有这个对话"),
            )),
        };
        Box::pin(std::future::ready(result))
    }

    /// Nothing of a user is kept here.
    fn forget(&self, _user: &User) -> Later<Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn drain(&self, _until: Instant) {
        self.jobs.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str) -> Result<Step, Fault> {
        register(&Dialog {
            name: "register".to_owned(),
            fields: vec![name_field(Some(name.to_owned()))],
            ..Dialog::default()
        })
    }

    #[test]
    fn registration_takes_a_name_and_refuses_an_address() {
        match answer(" Juliet\r\n Capulet ") {
            Ok(Step::Done {
                account: Some(account),
                ..
            }) => {
                assert_eq!(account.fields["name"], "Juliet Capulet");
            }
            other => panic!("{other:?}"),
        }
        match answer("") {
            Ok(Step::Done {
                account: Some(account),
                ..
            }) => assert!(account.fields.is_empty()),
            other => panic!("{other:?}"),
        }
        for bad in ["ceo@bank.example", &"x".repeat(101)] {
            assert_eq!(
                answer(bad).map_err(|fault| fault.kind),
                Err(FaultKind::BadRequest)
            );
        }
    }
}
