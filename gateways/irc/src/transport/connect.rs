//! Reaching a network: which server by which path, with TLS or without, and with which certificate.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use isthmus_gateway::{Fault, FaultKind, UserId, Words, words};
use isthmus_kit::dial::{Path, within};
use isthmus_kit::reason::reason;
use isthmus_kit::{BoxedStream, Dial, Identity, Reach, Tls, Trust};

use crate::identd::{self, Book};
use crate::identity::Vault;
use crate::ledger::{Ledger, Listed};
use crate::policy::Policies;
use crate::translate::Safety;

/// One server to try.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

/// How a network is reached.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Tried in this order.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) reach: Reach,
    pub(crate) trust: Trust,
}

/// What all sessions of the gateway share.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) path: Path,
    pub(crate) vault: Vault,
    pub(crate) policies: Policies,
    pub(crate) ledger: Ledger,
    /// Who is behind which connection, where there is an identd.
    pub(crate) book: Option<Book>,
}

/// Connects one user to one network.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) common: Arc<Common>,
    pub(crate) user: UserId,
    pub(crate) network: String,
    pub(crate) ident: String,
}

/// A connection.
pub(crate) struct Connected {
    pub(crate) stream: BoxedStream,
    pub(crate) about: About,
}

/// What a connection is like.
pub(crate) struct About {
    /// The server.
    pub(crate) at: Candidate,
    pub(crate) safety: Safety,
    /// A client certificate is shown.
    pub(crate) certificate: bool,
    /// The server's certificate was verified.
    verified: bool,
    _ident: Option<identd::Entry>,
    pub(crate) listed: Listed,
}

/// For the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);

impl Connector {
    /// Connects to the first server of the route that answers; with `only`, to that one.
    pub(crate) async fn connect(
        self: Arc<Self>,
        route: Arc<Route>,
        only: Option<Candidate>,
    ) -> Result<Connected, Fault> {
        let vault = &self.common.vault;
        let identity = vault.find(self.user, &self.network).await?;
        // Plain text is a choice where nothing else is to be tried.
        let chosen = only.is_none() && route.candidates.iter().all(|candidate| !candidate.tls);
        let candidates = match &only {
            Some(only) => std::slice::from_ref(only),
            None => &route.candidates,
        };
        let mut told: Vec<(String, String)> = Vec::new();
        let mut kind = FaultKind::NetworkDown;
        for candidate in candidates {
            let mut at = candidate.clone();
            if !at.tls
                && !chosen
                && let Some(port) = self.common.policies.port(&at.host, now())
            {
                (at.tls, at.port) = (true, port);
            }
            match self.reach(&at, &route, identity.as_ref()).await {
                Ok((stream, ident)) => {
                    let safety = match (at.tls, chosen) {
                        (true, _) => Safety::Tls,
                        (false, true) => Safety::Plain,
                        (false, false) => Safety::Fallback,
                    };
                    let verified = at.tls && route.trust != Trust::Insecure;
                    let words = told_of(&at, verified, at.tls && identity.is_some());
                    let ledger = &self.common.ledger;
                    let about = About {
                        listed: ledger.enter(self.user, &self.network, words),
                        certificate: at.tls && identity.is_some(),
                        verified,
                        at,
                        safety,
                        _ident: ident,
                    };
                    return Ok(Connected { stream, about });
                }
                Err(fault) => {
                    kind = match fault.kind() {
                        io::ErrorKind::NotFound => FaultKind::NoSuchNetwork,
                        io::ErrorKind::PermissionDenied => FaultKind::NotAllowed,
                        _ => FaultKind::NetworkDown,
                    };
                    told.push(told_why(&at, &fault));
                }
            }
        }
        let (told, told_zh): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        let words = Words::from(told.join("; ")).and("zh", told_zh.join("；"));
        Err(Fault::new(kind, words))
    }

    async fn reach(
        &self,
        at: &Candidate,
        route: &Route,
        identity: Option<&Identity>,
    ) -> io::Result<(BoxedStream, Option<identd::Entry>)> {
        let entry = Arc::new(Mutex::new(None));
        let mut path = self.common.path.clone();
        if let Some(book) = self.common.book.clone() {
            let (slot, ident) = (Arc::clone(&entry), self.ident.clone());
            path.opened = Some(Arc::new(move |ours, theirs| {
                let entry = book.enter(ours, theirs, &ident);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
            }));
        }
        let dialled = self.dial.dial_by(&at.host, at.port, route.reach, &path);
        let mut stream = dialled.await?;
        if at.tls {
            let tls = match identity {
                Some(identity) => Tls::with_identity(route.trust, identity)?,
                None => Tls::shared(route.trust)?,
            };
            stream = within(HANDSHAKE, tls.connect(&at.host, stream)).await?;
        }
        let entry = entry.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((stream, entry))
    }

    /// The server promises TLS for so many seconds.
    pub(crate) fn keep_policy(&self, about: &About, seconds: u64) {
        if about.verified {
            let policies = &self.common.policies;
            policies.learn(&about.at.host, about.at.port, seconds, now());
        }
    }
}

/// A connection in words.
fn told_of(at: &Candidate, verified: bool, certificate: bool) -> Words {
    let Candidate { host, port, tls } = at;
    let (safety, safety_zh) = match (tls, verified) {
        (false, _) => ("in plain text", "未加密"),
        (true, false) => (
            "encrypted to a server that was not verified",
            "已加密，但服务器未经验证",
        ),
        (true, true) => ("encrypted", "已加密"),
    };
    let (shown, shown_zh) = match certificate {
        true => (", with your certificate", "，使用您的证书"),
        false => ("", ""),
    };
    words!(
        "Your connection goes to {host} port {port}, {safety}{shown}.",
        "您的连接通往 {host} 端口 {port}，{safety_zh}{shown_zh}。",
    )
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Why a server was not reached, in English and in Chinese.
fn told_why(Candidate { host, port, .. }: &Candidate, fault: &io::Error) -> (String, String) {
    let why = reason(fault);
    let ((_, why), (_, why_zh)) = (why.told_in("en"), why.told_in("zh"));
    (
        format!("{host} port {port}: {why}"),
        format!("{host} 端口 {port}：{why_zh}"),
    )
}
