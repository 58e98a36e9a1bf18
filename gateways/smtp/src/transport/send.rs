//! Connections to the smarthost, and one mail to one recipient over one of them.
//!
//! One transaction a recipient: each gets an answer of his own, and the point of no return lies
//! between his RCPT and DATA. Over a plain socket with Nagle's algorithm off: lettre's own leaves
//! it on and then waits 40 ms for every mail. With implicit TLS lettre makes the socket itself.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use isthmus_gateway::{Words, words};
use isthmus_kit::reason::reason;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::config::{Smarthost, TlsMode};
use crate::translate::status::Stage;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(5);
/// Unused connections that are kept: as many as mails of one lane are sent at a time, or each wave
/// of them would connect anew.
const MOST_IDLE: usize = 32;
/// Mails over one connection.
const MOST_MAILS: u32 = 100;
/// For connecting, each address and the greeting.
const CONNECT: Duration = Duration::from_secs(30);
/// For the answer to the content (RFC 5321 §4.5.3.2.6 asks for ten minutes).
const CONTENT: Duration = Duration::from_secs(600);

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The smarthost took it.
    Accepted,
    /// It was taken back in time.
    Recalled,
    /// The smarthost said no.
    Refused {
        /// Its reply code.
        code: u16,
        /// Its words.
        text: String,
        /// To what.
        stage: Stage,
    },
    /// The connection could not be made or broke.
    Broken(Words),
    /// The smarthost lacks what the mail needs.
    Lacks(Words),
}

/// Hands mail to one smarthost.
pub(crate) struct Sender {
    smarthost: Smarthost,
    hello: ClientId,
    silence: Duration,
    idle: Mutex<Vec<Link>>,
}

struct Link {
    connection: AsyncSmtpConnection,
    mails: u32,
    since: Instant,
}

/// RFC 5321 §4.1.1.4: the one answer to DATA that asks for the mail.
const START_MAIL: u16 = 354;

impl Sender {
    /// Hands mail to `smarthost`, calling itself `domain`; no answer in `silence` is a fault.
    pub(crate) fn new(smarthost: Smarthost, domain: &str, silence: Duration) -> Self {
        Self {
            smarthost,
            hello: ClientId::Domain(domain.to_owned()),
            silence,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// One transaction; `from` nobody: a report (RFC 5321 §4.5.5). `begin` is asked right before the point of no return.
    pub(crate) async fn send<B: Future<Output = bool>>(
        &self,
        from: Option<&Address>,
        to: &Address,
        content: &[u8],
        begin: impl FnOnce() -> B,
    ) -> Sent {
        let mut link = match self.ready(from, to).await {
            Ok(link) => link,
            Err(sent) => return sent,
        };
        match self.transact(&mut link, to, content, begin).await {
            Ok(sent) => {
                self.put_back(link).await;
                sent
            }
            Err(Trouble::Said { code, text, stage }) => {
                // A server that says 421 closes.
                if code != 421 && self.command(&mut link, Rset, Stage::Sender).await.is_ok() {
                    self.put_back(link).await;
                }
                Sent::Refused { code, text, stage }
            }
            Err(Trouble::Broken(text)) => Sent::Broken(text),
        }
    }

    /// A connection on which the sender has been accepted. A kept one may have died meanwhile:
    /// then a new one is made.
    async fn ready(&self, from: Option<&Address>, to: &Address) -> Result<Link, Sent> {
        let plain = <Address as AsRef<str>>::as_ref(to).is_ascii();
        loop {
            let kept = self.take_idle();
            let fresh = kept.is_none();
            let mut link = match kept {
                Some(link) => link,
                None => self.connect().await.map_err(Trouble::into_sent)?,
            };
            let mut parameters = Vec::new();
            if !plain {
                if !link
                    .connection
                    .server_info()
                    .supports_feature(Extension::SmtpUtfEight)
                {
                    self.put_back(link).await;
                    let words = (
                        "the mail server cannot take such an address",
                        "邮件服务器不支持这样的地址",
                    );
                    return Err(Sent::Lacks(words.into()));
                }
                parameters.push(MailParameter::SmtpUtfEight);
            }
            let mail = Mail::new(from.cloned(), parameters);
            match self.command(&mut link, mail, Stage::Sender).await {
                Ok(_) => return Ok(link),
                Err(Trouble::Said { code: 421, .. } | Trouble::Broken(_)) if !fresh => {}
                Err(trouble) => return Err(trouble.into_sent()),
            }
        }
    }

    async fn transact<B: Future<Output = bool>>(
        &self,
        link: &mut Link,
        to: &Address,
        content: &[u8],
        begin: impl FnOnce() -> B,
    ) -> Result<Sent, Trouble> {
        self.command(link, Rcpt::new(to.clone(), Vec::new()), Stage::Recipient)
            .await?;
        if !begin().await {
            self.command(link, Rset, Stage::Sender).await?;
            return Ok(Sent::Recalled);
        }
        let go = self.command(link, Data, Stage::Content).await?;
        if !go.has_code(START_MAIL) {
            // The server is out of step: what it says next answers something else.
            let code = go.code();
            return Err(Trouble::Broken(words!(
                "the mail server answered {code} where it should take the mail",
                "邮件服务器本应接收邮件，却答复了 {code}"
            )));
        }
        link.mails += 1;
        // The end that is sent behind it begins with a line end of its own.
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        let answer = within(CONTENT, link.connection.message(content)).await;
        trouble(answer, Stage::Content)?;
        Ok(Sent::Accepted)
    }

    async fn command(
        &self,
        link: &mut Link,
        command: impl std::fmt::Display,
        stage: Stage,
    ) -> Result<Response, Trouble> {
        trouble(
            within(self.silence, link.connection.command(command)).await,
            stage,
        )
    }

    async fn connect(&self) -> Result<Link, Trouble> {
        let host = &self.smarthost;
        let mut connection = if host.tls == TlsMode::Implicit {
            let tls = self.tls().await?;
            let place = (host.host.as_str(), host.port);
            let made = AsyncSmtpConnection::connect_tokio1(
                place,
                Some(CONNECT),
                &self.hello,
                Some(tls),
                None,
            );
            trouble(within(CONNECT, made).await, Stage::Connect)?
        } else {
            let socket =
                timeout(CONNECT, TcpStream::connect((host.host.as_str(), host.port))).await;
            let socket = socket
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                .map_err(|fault| unreached(&fault))?;
            let prompt = socket.set_nodelay(true);
            prompt.map_err(|fault| unreached(&fault))?;
            let made = AsyncSmtpConnection::connect_with_transport(Box::new(socket), &self.hello);
            trouble(within(CONNECT, made).await, Stage::Connect)?
        };
        let can = connection.can_starttls();
        if host.tls == TlsMode::Required || host.tls == TlsMode::Preferred && can {
            if !can {
                let words = (
                    "the mail server offers no encryption",
                    "邮件服务器不提供加密",
                );
                return Err(Trouble::Broken(words.into()));
            }
            let tls = self.tls().await?;
            trouble(
                within(CONNECT, connection.starttls(tls, &self.hello)).await,
                Stage::Connect,
            )?;
        }
        if let Some((user, password)) = &host.login {
            if !connection.is_encrypted() {
                let words = (
                    "the mail server offers no encryption and would get a password",
                    "邮件服务器不提供加密，而密码会发送给它",
                );
                return Err(Trouble::Broken(words.into()));
            }
            let login = Credentials::new(user.clone(), password.0.clone());
            let ways = [Mechanism::Plain, Mechanism::Login];
            trouble(
                within(CONNECT, connection.auth(&ways, &login)).await,
                Stage::Login,
            )?;
        }
        Ok(Link {
            connection,
            mails: 0,
            since: Instant::now(),
        })
    }

    async fn tls(&self) -> Result<TlsParameters, Trouble> {
        let host = &self.smarthost;
        let broken = |words: String| Trouble::Broken(words.into());
        let mut tls =
            TlsParameters::builder(host.host.clone()).dangerous_accept_invalid_certs(!host.verify);
        if let Some(path) = &host.authority {
            let file = path.clone();
            let pem = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
            let pem = pem.unwrap_or_else(|fault| Err(std::io::Error::other(fault)));
            let pem = pem.map_err(|fault| broken(format!("{}: {fault}", path.display())))?;
            let certificate = Certificate::from_pem(&pem);
            let certificate =
                certificate.map_err(|fault| broken(format!("{}: {fault}", path.display())))?;
            tls = tls.add_root_certificate(certificate);
        }
        tls.build_rustls()
            .map_err(|fault| broken(fault.to_string()))
    }

    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|link| link.since.elapsed() < IDLE);
        idle.pop()
    }

    async fn put_back(&self, mut link: Link) {
        if link.mails < MOST_MAILS && !link.connection.has_broken() {
            link.since = Instant::now();
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST_IDLE {
                idle.push(link);
            }
        } else {
            farewell(link).await;
        }
    }

    /// Says goodbye on connections that nobody has used for a while.
    pub(crate) async fn sweep(&self) {
        let old: Vec<Link> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (old, young) = idle
                .drain(..)
                .partition(|link| link.since.elapsed() >= IDLE);
            *idle = young;
            old
        };
        for link in old {
            farewell(link).await;
        }
    }

    /// How often [`Sender::sweep`] is worth its while.
    pub(crate) const SWEEP: Duration = IDLE;
}

/// Nothing depends on the answer, so little is waited for it.
async fn farewell(mut link: Link) {
    let _ = timeout(Duration::from_secs(1), link.connection.command(Quit)).await;
}

enum Trouble {
    Said {
        code: u16,
        text: String,
        stage: Stage,
    },
    Broken(Words),
}

impl Trouble {
    fn into_sent(self) -> Sent {
        match self {
            Self::Said { code, text, stage } => Sent::Refused { code, text, stage },
            Self::Broken(text) => Sent::Broken(text),
        }
    }
}

/// `None`: no answer in time.
async fn within<T>(
    limit: Duration,
    what: impl Future<Output = Result<T, Error>>,
) -> Option<Result<T, Error>> {
    timeout(limit, what).await.ok()
}

fn trouble<T>(answer: Option<Result<T, Error>>, stage: Stage) -> Result<T, Trouble> {
    let error = match answer {
        Some(Ok(value)) => return Ok(value),
        Some(Err(error)) => error,
        None => {
            let words = ("the mail server does not answer", "邮件服务器没有应答");
            return Err(Trouble::Broken(words.into()));
        }
    };
    let text =
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
    Err(match error.status() {
        Some(code) => Trouble::Said {
            code: code.into(),
            text,
            stage,
        },
        None => Trouble::Broken(words!(
            "the connection to the mail server broke: {text}",
            "与邮件服务器的连接中断：{text}"
        )),
    })
}

fn unreached(fault: &io::Error) -> Trouble {
    let why = reason(fault);
    let ((_, en), (_, zh)) = (why.told_in("en"), why.told_in("zh"));
    Trouble::Broken(words!(
        "no connection to the mail server: {en}",
        "无法连接邮件服务器：{zh}"
    ))
}
