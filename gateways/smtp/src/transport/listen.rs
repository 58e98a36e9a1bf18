//! The listeners: each connection drives one [`Server`] and asks the host.
//!
//! A mail is acknowledged only after the host has it on disk. A connection whose answer is
//! outstanding reads nothing more, so a peer waits and nothing piles up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isthmus_gateway::{Address, Handle, Key, Kind, Refusal, Report, State, Time, Uplink, UserId};
use isthmus_kit::BoxedStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::keep::keep;
use crate::address;
use crate::config::{Certificate, Config};
use crate::translate::bounce::{self, Action};
use crate::translate::inward;
use crate::translate::mime::{self, File, Mail};
use crate::translate::server::{Ask, Protocol, Reply, Server, Settings};
use crate::translate::token::{Sealer, Token};

/// Bytes read at once.
const READ: usize = 16 * 1024;
/// For the handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Mails larger than this are read beside the other tasks, in bytes.
const LARGE: usize = 128 * 1024;
/// Such mails that are read at a time: each needs several times its size until it is taken.
pub(crate) const READING: usize = 2;

/// What an accepted recipient stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Recipient {
    /// These users.
    Users(Vec<UserId>),
    /// The sender of a job: what comes is about that.
    Sender(Token),
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) domain: String,
    pub(crate) config: Config,
    pub(crate) sealer: Sealer,
    pub(crate) up: Arc<dyn Uplink>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Reports about nothing that is known.
    pub(crate) dropped: AtomicU64,
    /// Room for [`READING`] large mails.
    pub(crate) reading: Semaphore,
}

/// The acceptor for a certificate and its key.
pub(crate) fn acceptor(certificate: &Certificate) -> io::Result<TlsAcceptor> {
    let named = |path: &std::path::Path, fault: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {fault}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&certificate.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|fault| named(&certificate.chain, &fault))?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key)
        .map_err(|fault| named(&certificate.key, &fault))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|fault| named(&certificate.chain, &fault))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Opens the listeners of a configuration.
pub(crate) async fn open(config: &Config) -> io::Result<Vec<(TcpListener, Protocol)>> {
    let smtp = config.listen.iter().map(|at| (*at, Protocol::Smtp));
    let lmtp = config.lmtp.iter().map(|at| (*at, Protocol::Lmtp));
    let mut open = Vec::new();
    for (at, protocol) in smtp.chain(lmtp) {
        let listener = TcpListener::bind(at).await;
        let listener = listener.map_err(|fault| io::Error::other(format!("{at}: {fault}")))?;
        open.push((listener, protocol));
    }
    Ok(open)
}

/// Serves until dropped.
pub(crate) async fn serve(listeners: Vec<(TcpListener, Protocol)>, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(shared.config.max_connections));
    let mut all = JoinSet::new();
    for (listener, protocol) in listeners {
        all.spawn(accept(
            listener,
            protocol,
            Arc::clone(&shared),
            Arc::clone(&room),
        ));
    }
    while all.join_next().await.is_some() {}
}

async fn accept(
    listener: TcpListener,
    protocol: Protocol,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (mut socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(fault) => {
                // Such as too many open files: without a pause this would spin.
                tracing::warn!(%fault, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            // Not worth waiting for.
            let _ = socket.try_write(b"421 4.7.0 too many connections\r\n");
            let _ = socket.shutdown().await;
            continue;
        };
        // Without it a reply waits for more to be said.
        let _ = socket.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let result = Connection::new(Box::new(socket), protocol, shared)
                .run()
                .await;
            if let Err(fault) = result {
                tracing::debug!(%peer, %fault, "connection broke");
            }
            drop(place);
        });
    }
}

struct Connection {
    /// Only absent within a handshake.
    stream: Option<BoxedStream>,
    server: Server<Recipient>,
    shared: Arc<Shared>,
}

impl Connection {
    fn new(stream: BoxedStream, protocol: Protocol, shared: Arc<Shared>) -> Self {
        let server = Server::new(Settings {
            domain: shared.domain.clone(),
            protocol,
            tls: shared.tls.is_some(),
            max_size: shared.config.max_size,
            max_recipients: shared.config.max_recipients,
        });
        Self {
            stream: Some(stream),
            server,
            shared,
        }
    }

    async fn run(mut self) -> io::Result<()> {
        let silence = self.shared.config.timeout;
        let mut buffer = vec![0; READ];
        loop {
            while let Some(ask) = self.server.advance() {
                match ask {
                    Ask::Recipient { from, local } => {
                        let answer = self.shared.recipient(&from, &local).await;
                        self.server.recipient(answer);
                    }
                    Ask::Message { from, to, content } => {
                        let replies = self
                            .shared
                            .message(from, to, content, self.server.protocol())
                            .await;
                        self.server.message(replies);
                    }
                    Ask::StartTls => self.handshake().await?,
                    Ask::Close => {
                        self.flush().await?;
                        return self.stream()?.shutdown().await;
                    }
                }
            }
            self.flush().await?;
            match timeout(silence, self.stream()?.read(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(n)) => self.server.receive(&buffer[..n]),
                Ok(Err(fault)) => return Err(fault),
                Err(_) => {
                    self.server.hang_up("silent for too long");
                    self.flush().await?;
                    return self.stream()?.shutdown().await;
                }
            }
        }
    }

    fn stream(&mut self) -> io::Result<&mut BoxedStream> {
        let gone = || io::Error::other("the handshake failed");
        self.stream.as_mut().ok_or_else(gone)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let output = self.server.take_output();
        let silence = self.shared.config.timeout;
        let stream = self.stream()?;
        let write = async {
            stream.write_all(&output).await?;
            stream.flush().await
        };
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        timeout(silence, write).await.map_err(late)?
    }

    async fn handshake(&mut self) -> io::Result<()> {
        self.flush().await?;
        let (Some(stream), Some(tls)) = (self.stream.take(), self.shared.tls.clone()) else {
            return Err(io::Error::other("no certificate"));
        };
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(HANDSHAKE, tls.accept(stream))
            .await
            .map_err(late)??;
        self.stream = Some(Box::new(stream));
        self.server.encrypted();
        Ok(())
    }
}

impl Shared {
    /// Whether there is such a recipient.
    async fn recipient(&self, from: &str, local: &str) -> Result<Recipient, Reply> {
        let unknown = || inward::refusal(&Refusal::Unknown);
        if let Some(token) = self.sealer.from_envelope(local) {
            // Somebody else's bounce, or made up.
            return token.map(Recipient::Sender).ok_or_else(unknown);
        }
        let operators = ["postmaster", "abuse"]
            .iter()
            .any(|it| local.eq_ignore_ascii_case(it));
        let handle = if operators {
            let (local, domain) = self.config.postmaster.clone().ok_or_else(unknown)?;
            Handle::Jid { local, domain }
        } else {
            address::handle(local).ok_or_else(unknown)?
        };
        let from = match address::canonical(from) {
            Ok(from) => Address::new(Kind::Contact, from, ""),
            Err(_) => Address::new(Kind::Gateway, "", ""),
        };
        match self.up.find(handle, &from).await {
            Ok(users) if users.is_empty() => Err(unknown()),
            Ok(users) => Ok(Recipient::Users(users)),
            Err(refusal) => Err(inward::refusal(&refusal)),
        }
    }

    /// Hands a mail on; the replies to it.
    async fn message(
        &self,
        from: String,
        to: Vec<Recipient>,
        content: Vec<u8>,
        protocol: Protocol,
    ) -> Vec<Reply> {
        let times = match protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => to.len(),
        };
        let _room = match content.len() > LARGE {
            true => self.reading.acquire().await.ok(),
            false => None,
        };
        let content = Arc::new(content);
        let mut mail = match self.read(Arc::clone(&content), from.clone()).await {
            Ok(mail) => mail,
            Err(reply) => return vec![reply; times],
        };
        let mut replies = vec![Reply::taken(); to.len()];
        let mut wanted: Vec<(usize, UserId)> = Vec::new();
        for (at, recipient) in to.iter().enumerate() {
            match self.concerns(&mail, &from, recipient) {
                Concern::Users(whom) => wanted.extend(whom.into_iter().map(|user| (at, user))),
                Concern::Report(token, state) => replies[at] = self.report(token, state).await,
                Concern::Nobody => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    tracing::info!("dropped a report about nothing that is known");
                }
            }
        }
        let users = once_each(wanted.iter().map(|(_, user)| *user));
        let files = std::mem::take(&mut mail.files);
        let results = self
            .deliver((&mail, &from), files, &content, &users, protocol)
            .await;
        for (at, user) in wanted {
            let result = users
                .iter()
                .position(|it| *it == user)
                .and_then(|it| results.get(it));
            if let Some(reply) = result {
                replies[at] = inward::joint(&[replies[at].clone(), reply.clone()]);
            }
        }
        match protocol {
            Protocol::Smtp => vec![inward::joint(&replies)],
            Protocol::Lmtp => replies,
        }
    }

    async fn read(&self, content: Arc<Vec<u8>>, from: String) -> Result<Mail, Reply> {
        let most = self.config.max_text;
        if content.len() <= LARGE {
            return mime::read(&content, &from, most);
        }
        let reading = tokio::task::spawn_blocking(move || mime::read(&content, &from, most));
        // It panicked: a defect that the next try may not meet.
        reading
            .await
            .unwrap_or_else(|_| Err(Reply::new(451, "4.3.0", "cannot read the mail now")))
    }

    /// Whom a mail to this recipient concerns.
    fn concerns(&self, mail: &Mail, from: &str, recipient: &Recipient) -> Concern {
        let told = match &mail.report {
            bounce::Report::Delivery(bounce) => match &bounce.action {
                Action::Failed(fault) => Some(State::Failed(fault.clone())),
                Action::Delivered => Some(State::Delivered),
                Action::Other => None,
            },
            bounce::Report::Other => None,
            bounce::Report::None => {
                return match recipient {
                    Recipient::Users(users) => Concern::Users(users.clone()),
                    // Answers of machines go to the envelope's sender (RFC 3834 §4).
                    Recipient::Sender(token) => Concern::Users(vec![token.user]),
                };
            }
        };
        let id = match &mail.report {
            bounce::Report::Delivery(bounce) => bounce.message_id.as_str(),
            _ => "",
        };
        let token = match recipient {
            Recipient::Sender(token) => Some(*token),
            // A report comes from nobody; else anybody could fail anybody's mail who has seen it.
            Recipient::Users(users) if from.is_empty() => self
                .sealer
                .from_message_id(id, &self.domain)
                .filter(|token| users.contains(&token.user)),
            Recipient::Users(_) => None,
        };
        match (token, told) {
            (Some(token), Some(state)) => Concern::Report(token, state),
            _ => Concern::Nobody,
        }
    }

    async fn report(&self, token: Token, state: State) -> Reply {
        let report = Report {
            keys: vec![self.sealer.message_id(&token, &self.domain)],
            ..Report::new(token.job, token.to, state)
        };
        match self.up.report(report).await {
            Err(later @ Refusal::Later(_)) => inward::refusal(&later),
            Err(Refusal::Unknown | Refusal::Unwanted(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Reply::taken()
            }
            Ok(()) => Reply::taken(),
        }
    }

    /// The thread that the user gave the mail of his that is answered, or else the one that began it.
    async fn thread(&self, mail: &Mail, user: UserId) -> Option<String> {
        let root = mail.references.first().unwrap_or(&mail.in_reply_to);
        for id in [&mail.in_reply_to, root] {
            if self.sealer.from_message_id(id, &self.domain).is_none() {
                continue;
            }
            let found = self.up.resolve(Some(user), Key(id.as_str().into())).await;
            if let Some(kept) = found.and_then(|found| found.kept) {
                return String::from_utf8(kept).ok();
            }
        }
        None
    }

    /// The reply for each user. What cannot be delivered goes back to the envelope's sender.
    async fn deliver(
        &self,
        (mail, from): (&Mail, &str),
        files: Vec<File>,
        content: &[u8],
        users: &[UserId],
        protocol: Protocol,
    ) -> Vec<Reply> {
        if users.is_empty() {
            return Vec::new();
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |it| it.as_millis());
        let now = Time(i64::try_from(now).unwrap_or(i64::MAX));
        let make = |user: &UserId| {
            let ours = |id: &str| {
                let token = self.sealer.from_message_id(id, &self.domain);
                token.is_some_and(|token| token.user == *user)
            };
            inward::delivery(mail, content, *user, now, ours)
        };
        let Some(mut batch) = users.iter().map(make).collect::<Option<Vec<_>>>() else {
            return vec![Reply::new(550, "5.1.7", "From is not a mail address"); users.len()];
        };
        for delivery in &mut batch {
            delivery.returns = Some(Address::new(Kind::Contact, from, ""));
            if let Some(thread) = self.thread(mail, delivery.user).await {
                delivery.message.thread = Some(thread.into());
            }
        }
        match keep(self.up.as_ref(), files).await {
            Ok(blobs) => batch
                .iter_mut()
                .for_each(|delivery| delivery.message.blobs.clone_from(&blobs)),
            Err(reply) => return vec![reply; users.len()],
        }
        let results = self.up.deliver(batch, protocol == Protocol::Smtp).await;
        let mut replies: Vec<Reply> = results
            .iter()
            .map(|result| match result {
                Ok(_) => Reply::taken(),
                Err(refusal) => inward::refusal(refusal),
            })
            .collect();
        // An answer that is missing is no acknowledgement.
        replies.resize(
            users.len(),
            Reply::new(451, "4.3.0", "not now, try again later"),
        );
        replies
    }
}

/// What has to be done with a mail for one recipient.
enum Concern {
    Users(Vec<UserId>),
    Report(Token, State),
    Nobody,
}

/// Where a listener listens, for the log.
pub(crate) fn places(listeners: &[(TcpListener, Protocol)]) -> Vec<SocketAddr> {
    let places = listeners
        .iter()
        .filter_map(|(listener, _)| listener.local_addr().ok());
    places.collect()
}

/// Whoever is named, in order, once.
fn once_each(named: impl Iterator<Item = UserId>) -> Vec<UserId> {
    let mut users = Vec::new();
    for user in named {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    users
}
