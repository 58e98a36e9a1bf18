//! Postfix: the smarthost of a gateway, and the server of the people it writes to.
//!
//! It starts as root only: its master refuses anything else, and its parts drop to users of their
//! own, for which users are taken that every Debian has.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::clients::swaks;
use super::inject::inject;
use super::login::Login;
use crate::port::Port;
use crate::process::{Process, Spec, read_lossy};
use crate::tls::Certificate;
use crate::{DEADLINE, paths};

/// The domain whose mailboxes it holds. There is one: `alice`.
pub const PEER: &str = "peer.example";
/// A domain that it takes mail for and then finds unreachable: all of it bounces, at once.
pub const LOST: &str = "lost.example";

/// Who owns the queue; must be neither root nor the owner of mailboxes.
const OWNER: &str = "news";
/// The group of programs that submit mail; of nobody else.
const GROUP: &str = "games";
/// Who owns mailboxes.
const READER: &str = "nobody";

/// How mail for the gateway's domain goes back to it.
#[derive(Debug, Clone, Copy)]
pub enum Back {
    /// By SMTP to this port.
    Smtp(u16),
    /// By LMTP to this port.
    Lmtp(u16),
}

/// What it is like.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Usual,
    Strict,
    Patient,
}

/// A running Postfix; dropped, it is gone.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    port: Port,
    certificate: Certificate,
    _login: Option<Login>,
    dir: TempDir,
}

impl Postfix {
    /// Starts one that relays mail for `gateway` back to it.
    ///
    /// # Panics
    ///
    /// When it is not there or does not start, such as without being root.
    pub fn start(gateway: &str, back: Back) -> Self {
        Self::start_with(gateway, back, Manner::Usual)
    }

    /// As [`Self::start`]; but strict: it asks [`super::USER`] to log in before it takes mail for
    /// anybody but `gateway`, and speaks to `gateway` under encryption only.
    pub fn strict(gateway: &str, back: Back) -> Self {
        Self::start_with(gateway, back, Manner::Strict)
    }

    /// As [`Self::start`]; but patient: what the gateway does not take now is tried again every
    /// second, and what is for [`LOST`] comes back because nobody there is known.
    pub fn patient(gateway: &str, back: Back) -> Self {
        Self::start_with(gateway, back, Manner::Patient)
    }

    fn start_with(gateway: &str, back: Back, manner: Manner) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let port = Port::reserve();
        let certificate = Certificate::create(dir.path());
        lay_out(dir.path());
        let mut main = main_cf(dir.path(), gateway, back, &certificate);
        match manner {
            Manner::Usual => {}
            Manner::Strict => main += &strict_cf(gateway),
            Manner::Patient => main += PATIENT,
        }
        fs::write(dir.path().join("etc/main.cf"), main).expect("written");
        let master = MASTER.replace("PORT", &port.number().to_string());
        fs::write(dir.path().join("etc/master.cf"), master).expect("written");
        // Its parts run under another user than we do.
        let strict = matches!(manner, Manner::Strict);
        let login = strict.then(|| Login::listen(&dir.path().join("spool/login")));
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            port,
            certificate,
            _login: login,
            dir,
        };
        this.process.wait_for_port(this.port.address(), DEADLINE);
        this
    }

    /// The process of its master, which has started all others.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The port for both submitting and receiving mail, on 127.0.0.1, with STARTTLS. Whoever
    /// connects from loopback may send anywhere.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The certificate for `localhost`, for others on this machine.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority (PEM) that signed the certificate for `localhost`.
    pub fn authority(&self) -> PathBuf {
        self.certificate.authority()
    }

    /// The mails in alice's mailbox, in no order.
    pub fn mails(&self) -> Vec<String> {
        let new = self.dir.path().join("mail/alice/new");
        let entries = fs::read_dir(new).into_iter().flatten().flatten();
        entries.map(|entry| read_lossy(&entry.path())).collect()
    }

    /// Waits for a mail in alice's mailbox that fits.
    ///
    /// # Panics
    ///
    /// When none comes within the deadline, with the log.
    pub fn wait_for_mail(&self, fits: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(mail) = self.mails().into_iter().find(|mail| fits(mail)) {
                return mail;
            }
            assert!(
                Instant::now() < end,
                "no such mail: {:?}\n{}",
                self.mails(),
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Hands over a mail with swaks, an independent client.
    ///
    /// # Errors
    ///
    /// What swaks says when it is refused.
    pub fn submit(&self, from: &str, to: &str, mail: &str) -> Result<(), String> {
        let server = format!("127.0.0.1:{}", self.port());
        swaks(&["--server", &server, "--from", from, "--to", to], mail)
    }

    /// Hands over mails one after the other, by one connection. Lines may end with LF alone.
    ///
    /// # Errors
    ///
    /// When it does not take one.
    pub fn inject(&self, from: &str, to: &str, mails: &[String]) -> io::Result<()> {
        inject(self.port.address(), from, to, mails)
    }

    /// How many mails wait in its queue.
    pub fn queued(&self) -> usize {
        let queues = ["maildrop", "incoming", "active", "deferred"];
        let spool = self.dir.path().join("spool");
        queues.iter().map(|queue| files(&spool.join(queue))).sum()
    }

    /// What it has returned to alice because it could not be delivered.
    pub fn returned(&self) -> Vec<String> {
        let mut mails = self.mails();
        mails.retain(|mail| mail.contains("\nFrom: MAILER-DAEMON"));
        mails
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// How many files there are, in whatever depth.
fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let count = |path: PathBuf| if path.is_dir() { files(&path) } else { 1 };
    entries.map(|entry| count(entry.path())).sum()
}

fn spec(dir: &Path) -> Spec {
    // In the foreground, and in the session and process group that it is started in.
    Spec::new("postfix", paths::need("usr/lib/postfix/sbin/master"), dir)
        .args(["-d", "-s", "-c"])
        .arg(dir.join("etc"))
        .env("LD_LIBRARY_PATH", paths::library_path(&["usr/lib/postfix"]))
        .env("MAIL_CONFIG", dir.join("etc"))
}

/// What its installation does.
fn lay_out(dir: &Path) {
    let (owner, group) = (id("/etc/passwd", OWNER), id("/etc/group", GROUP));
    let (reader, readers) = (id("/etc/passwd", READER), id("/etc/passwd", READER));
    let make = |name: &str, mode: u32, user: Option<u32>, group: Option<u32>| {
        let path = dir.join(name);
        fs::create_dir_all(&path).expect("created");
        chown(&path, user, group).expect("root may give files away");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    make("etc", 0o755, None, None);
    make("spool", 0o755, None, None);
    make("spool/pid", 0o755, None, None);
    for name in [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
        "saved", "trace",
    ] {
        make(&format!("spool/{name}"), 0o700, Some(owner), None);
    }
    make("spool/maildrop", 0o730, Some(owner), Some(group));
    make("spool/public", 0o710, Some(owner), Some(group));
    make("data", 0o700, Some(owner), None);
    make("mail", 0o755, Some(reader), Some(readers));
}

/// The number of a user or group.
fn id(file: &str, name: &str) -> u32 {
    let text = fs::read_to_string(file).expect("a Unix system");
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(name));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    number.unwrap_or_else(|| panic!("{file} has no {name}"))
}

fn main_cf(dir: &Path, gateway: &str, back: Back, certificate: &Certificate) -> String {
    let back = match back {
        Back::Smtp(port) => format!("smtp:[127.0.0.1]:{port}"),
        Back::Lmtp(port) => format!("lmtp:inet:127.0.0.1:{port}"),
    };
    let reader = id("/etc/passwd", READER);
    let libraries = paths::need("usr/lib/postfix");
    let commands = paths::need("usr/sbin/postdrop");
    let commands = commands.parent().expect("a file lies in a directory");
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
daemon_directory = {libraries}/sbin
shlib_directory = {libraries}
meta_directory = {dir}/etc
command_directory = {commands}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH LANG=C
mail_owner = {OWNER}
setgid_group = {GROUP}
default_privs = {READER}
maillog_file = /dev/stdout
myhostname = mx.{PEER}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {PEER}
virtual_mailbox_maps = inline:{{ {{alice@{PEER} = alice/}} }}
virtual_mailbox_base = {dir}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:{reader}
virtual_gid_maps = static:{reader}
relay_domains = {gateway}
transport_maps = inline:{{ {{{gateway} = {back}}}, {{{LOST} = $lost}} }}
default_transport = error:5.4.4 no way out of the test
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
maximal_queue_lifetime = 0
lost = smtp:[127.0.0.1]:1
in_flow_delay = 0
",
        dir = dir.display(),
        libraries = libraries.display(),
        commands = commands.display(),
        cert = certificate.certificate().display(),
        key = certificate.key().display(),
    )
}

/// What is added, and counts in the place of what stands before it.
fn strict_cf(gateway: &str) -> String {
    format!(
        "smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = login
smtpd_recipient_restrictions = permit_sasl_authenticated,
 check_recipient_access inline:{{ {{{gateway} = OK}} }}, reject
smtp_tls_security_level = encrypt
lmtp_tls_security_level = encrypt
"
    )
}

/// As [`strict_cf`].
const PATIENT: &str = "\
maximal_queue_lifetime = 1d
enable_long_queue_ids = yes
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
lost = virtual:
";

const MASTER: &str = "\
127.0.0.1:PORT inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
