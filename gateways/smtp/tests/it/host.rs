//! A host for one gateway: what it is told is kept for the test to look at.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Gateway, Handle, Job, JobId, Key, Kind, Later, Outgoing, Place,
    Ref, Refusal, Report, Stored, Uplink, User, UserId,
};
use isthmus_smtp::{Config, Smtp};
use isthmus_test_support::DEADLINE;
use isthmus_test_support::inbox::Inbox;
use serde_json::Value;

/// The gateway's domain in every test.
pub(crate) const DOMAIN: &str = "mail.example.org";

/// What a test decides. Users: `juliet` (1) and `romeo` (2) at `capulet.example`.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Answered by `begin`.
    pub(crate) recalled: bool,
    /// Answered to every delivery to this user.
    pub(crate) refuse: Option<(UserId, Refusal)>,
    /// Answered to every attachment, when it is written or when it ends.
    pub(crate) no_files: Option<io::ErrorKind>,
}

/// The host.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) rules: Mutex<Rules>,
    /// Attachments by token: name, type, bytes.
    pub(crate) files: Arc<Mutex<HashMap<String, File>>>,
    pub(crate) begun: Inbox<(JobId, u16, Vec<String>)>,
    pub(crate) reports: Inbox<Report>,
    pub(crate) deliveries: Inbox<Delivery<'static>>,
    known: Mutex<HashSet<(UserId, String)>>,
}

impl Uplink for Host {
    fn find(&self, handle: Handle, _from: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        let found = match handle {
            Handle::Jid { local, domain } if domain == "capulet.example" => match local.as_str() {
                "juliet" => Ok(vec![UserId(1)]),
                "romeo" => Ok(vec![UserId(2)]),
                _ => Err(Refusal::Unknown),
            },
            Handle::Alias(alias) if alias == "lovers" => Ok(vec![UserId(1), UserId(2)]),
            _ => Err(Refusal::Unknown),
        };
        Box::pin(std::future::ready(found))
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        let rules = self.rules.lock().expect("no holder panics");
        let refuse = rules.refuse.clone();
        let of = |user: UserId| {
            refuse
                .clone()
                .filter(|(whom, _)| *whom == user)
                .map(|it| it.1)
        };
        let any = batch.iter().find_map(|delivery| of(delivery.user));
        let results = batch.into_iter().map(|delivery| {
            let refusal = if all_or_none {
                any.clone()
            } else {
                of(delivery.user)
            };
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            let mut known = self.known.lock().expect("no holder panics");
            if !known.insert((delivery.user, delivery.dedup.clone())) {
                return Ok(Stored::Again);
            }
            self.deliveries.push(delivery);
            Ok(Stored::Fresh)
        });
        Box::pin(std::future::ready(results.collect()))
    }

    fn begin(&self, job: JobId, to: u16, keys: Vec<String>) -> Later<bool> {
        self.begun.push((job, to, keys));
        let go = !self.rules.lock().expect("no holder panics").recalled;
        Box::pin(std::future::ready(go))
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        self.reports.push(report);
        Box::pin(std::future::ready(Ok(())))
    }

    fn resolve(&self, _user: Option<UserId>, _key: Key<'_>) -> Later<Option<Ref>> {
        Box::pin(std::future::ready(None))
    }

    fn keep(&self, _: &str, _: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn kept(&self, _: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn store_blob(&self, name: &str, mime: &str) -> Box<dyn BlobWriter> {
        Box::new(Writer {
            file: (name.to_owned(), mime.to_owned(), Vec::new()),
            fault: self.rules.lock().expect("no holder panics").no_files,
            files: Arc::clone(&self.files),
        })
    }

    fn secret(&self, _label: &str) -> [u8; 32] {
        [7; 32]
    }
}

/// Name, type and bytes of an attachment.
pub(crate) type File = (String, String, Vec<u8>);

struct Writer {
    file: File,
    fault: Option<io::ErrorKind>,
    files: Arc<Mutex<HashMap<String, File>>>,
}

impl BlobWriter for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.fault == Some(io::ErrorKind::FileTooLarge) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.2.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Later<io::Result<String>> {
        let token = format!("test:{}", self.file.0);
        let kept = match self.fault {
            Some(fault) => Err(fault.into()),
            None => {
                let mut files = self.files.lock().expect("no holder panics");
                files.insert(token.clone(), self.file);
                Ok(token)
            }
        };
        Box::pin(std::future::ready(kept))
    }
}

/// A running gateway and its host.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Smtp>,
    pub(crate) host: Arc<Host>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts a gateway with these settings.
    pub(crate) fn start(settings: &Value) -> Self {
        let config = Config::from_value(settings).expect("good settings");
        let gateway = Arc::new(Smtp::new(config, DOMAIN));
        let host = Arc::new(Host::default());
        let running = Arc::clone(&gateway).start(host.clone());
        let task = tokio::spawn(async move { running.await.expect("it starts") });
        Self {
            gateway,
            host,
            task,
        }
    }

    /// Hands out a job.
    pub(crate) fn submit(&self, job: Job<'static>) {
        let courier = self.gateway.courier().expect("mail is sent by jobs");
        courier.submit(job, self.host.clone());
    }

    /// Waits for the next report.
    pub(crate) async fn report(&self) -> Report {
        self.host
            .reports
            .take(DEADLINE, |_| true)
            .await
            .expect("a report")
    }

    /// Waits for the next delivery.
    pub(crate) async fn delivery(&self) -> Delivery<'static> {
        self.host
            .deliveries
            .take(DEADLINE, |_| true)
            .await
            .expect("a delivery")
    }

    /// Drains it and waits until it has ended.
    pub(crate) async fn drain(self) {
        self.gateway.drain(Instant::now() + Duration::from_secs(5));
        tokio::time::timeout(DEADLINE, self.task)
            .await
            .expect("in time")
            .expect("it ends well");
    }
}

/// A job of juliet's.
pub(crate) fn job(id: u64, to: &[&str], body: &'static str) -> Job<'static> {
    let address = |to: &&str| Address::new(Kind::Contact, *to, "");
    Job {
        id: JobId(id),
        user: User {
            id: UserId(1),
            local: "juliet".into(),
            domain: "capulet.example".into(),
            lang: String::new(),
            region: String::new(),
        },
        account: None,
        to: to.iter().map(address).collect(),
        message: Outgoing::text(Place::Contact(to[0].to_owned().into()), body),
        attempt: 0,
        kept: None,
        peer_kept: None,
    }
}
