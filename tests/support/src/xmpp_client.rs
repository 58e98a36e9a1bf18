//! An independent XMPP client: slixmpp in a process of its own (`python/client.py`).

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::panic::Location;
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inbox::Inbox;
use crate::node::{Stanza, escape};
use crate::process::{Process, Spec};
use crate::xmpp_server::XmppServer;
use crate::{DEADLINE, paths};

/// What the client does, so that the test crate needs no file at run time.
const SCRIPT: &str = include_str!("../python/client.py");

/// A client, logged in.
#[derive(Debug)]
pub struct XmppClient {
    process: Mutex<Process>,
    stdin: Mutex<ChildStdin>,
    stanzas: Inbox<Stanza>,
    events: Inbox<Event>,
    jid: String,
    next_id: AtomicU32,
    _dir: TempDir,
}

/// A message of an archive, as slixmpp understood it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Archived {
    /// Who said it.
    pub from: String,
    /// What.
    pub body: String,
}

/// What the process tells besides stanzas.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Session { jid: String },
    Failed { reason: String },
    Disconnected,
    StreamError { xml: String },
    Archive { messages: Vec<Archived> },
    Stanza(Stanza),
}

impl XmppClient {
    /// Logs in to an account that is there. Sends no presence.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn login(
        server: &dyn XmppServer,
        user: &str,
        password: &str,
        resource: &str,
    ) -> Self {
        let jid = format!("{user}@{}/{resource}", server.domain());
        let login = Self::try_login(server.c2s_port(), &jid, password).await;
        login.unwrap_or_else(|error| panic!("{jid} cannot log in: {error}\n{}", server.log()))
    }

    /// Logs in as the full JID `jid` on a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the server refuses, or does not answer in time.
    pub async fn try_login(port: u16, jid: &str, password: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let python = paths::need("usr/bin/python3");
        let spec = Spec::new("slixmpp", python, dir.path())
            .args(["-u", "-c", SCRIPT])
            .env(
                "PYTHONPATH",
                paths::servers_root().join("usr/lib/python3/dist-packages"),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .piped();
        let mut process = Process::start(spec);
        let (stdin, stdout) = process.take_pipes().expect("the child is piped");
        let (stanzas, events) = (Inbox::default(), Inbox::default());
        let reader = (stanzas.clone(), events.clone());
        thread::spawn(move || read(stdout, &reader.0, &reader.1));
        let mut this = Self {
            process: Mutex::new(process),
            stdin: Mutex::new(stdin),
            stanzas,
            events,
            jid: jid.to_owned(),
            next_id: AtomicU32::new(0),
            _dir: dir,
        };
        let host = Ipv4Addr::LOCALHOST.to_string();
        this.command(&json!({
            "cmd": "login", "jid": jid, "password": password, "host": host, "port": port,
        }));
        this.jid = this.session().await?;
        Ok(this)
    }

    /// The full JID that the server bound.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// The bare JID.
    pub fn bare_jid(&self) -> &str {
        self.jid.split('/').next().unwrap_or_default()
    }

    /// An id that this client has not used.
    pub fn fresh_id(&self) -> String {
        format!("t{}", self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a stanza as it is written.
    pub fn send(&self, xml: &str) {
        self.command(&json!({ "cmd": "raw", "xml": xml }));
    }

    /// Sends available presence with a hash of what the client can do (XEP-0115): its own features
    /// and these. With that of XEP-0144 it takes what is suggested for its roster.
    pub fn present(&self, features: &[&str]) {
        self.command(&json!({ "cmd": "present", "features": features }));
    }

    /// Sends available presence to everybody.
    pub fn available(&self) {
        self.send("<presence/>");
    }

    /// Sends a message with a body; returns its id.
    pub fn message(&self, type_: &str, to: &str, body: &str) -> String {
        self.message_with(type_, to, body, "")
    }

    /// As [`Self::message`], with further children as XML.
    pub fn message_with(&self, type_: &str, to: &str, body: &str, extra: &str) -> String {
        let (id, to, body) = (self.fresh_id(), escape(to), escape(body));
        self.send(&format!(
            "<message type='{type_}' id='{id}' to='{to}'><body>{body}</body>{extra}</message>"
        ));
        id
    }

    /// Sends a message to a room; returns its id.
    pub fn groupchat(&self, room: &str, body: &str) -> String {
        self.message("groupchat", room, body)
    }

    /// Sends a private message; returns its id.
    pub fn chat(&self, to: &str, body: &str) -> String {
        self.message("chat", to, body)
    }

    /// Asks to enter a room (XEP-0045 §7.2) and waits for nothing. `extra` goes into the `<x/>`,
    /// such as `<history maxstanzas='0'/>`.
    pub fn send_join(&self, room: &str, nickname: &str, extra: &str) {
        let to = escape(&format!("{room}/{nickname}"));
        self.send(&format!(
            "<presence to='{to}'><x xmlns='http://jabber.org/protocol/muc'>{extra}</x></presence>"
        ));
    }

    /// Enters a room, and waits for our own presence (status 110) and the subject after it,
    /// which end the entry. Returns our presence.
    ///
    /// # Panics
    ///
    /// When the room refuses or does not answer in time.
    #[track_caller]
    pub fn join<'a>(
        &'a self,
        room: &'a str,
        nickname: &str,
    ) -> impl Future<Output = Stanza> + use<'a> {
        let caller = Location::caller();
        self.send_join(room, nickname, "");
        async move {
            let ours = self.try_entered(room, DEADLINE).await;
            ours.unwrap_or_else(|error| panic!("{} at {caller}: {error}", self.jid))
        }
    }

    /// Waits for the end of an entry that [`Self::send_join`] began: our presence.
    ///
    /// # Errors
    ///
    /// When the room refuses or does not answer in time.
    pub async fn try_entered(&self, room: &str, deadline: Duration) -> Result<Stanza, String> {
        let of_room = |s: &Stanza| s.from().split('/').next() == Some(room);
        let presence = self.try_expect(deadline, |s| {
            s.kind() == "presence"
                && of_room(s)
                && (s.type_() == "error" || s.status_codes().contains(&110))
        });
        let presence = presence.await?;
        if presence.type_() == "error" {
            return Err(format!("the room refuses: {presence:?}"));
        }
        let subject = self.try_expect(deadline, |s| {
            s.kind() == "message" && of_room(s) && s.subject().is_some() && s.body().is_empty()
        });
        subject.await?;
        Ok(presence)
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str, nickname: &str) {
        let to = escape(&format!("{room}/{nickname}"));
        self.send(&format!("<presence to='{to}' type='unavailable'/>"));
    }

    /// Sends an iq (`type` `get` or `set`) with this payload; returns the result or the error.
    ///
    /// # Panics
    ///
    /// When no answer comes in time.
    #[track_caller]
    pub fn iq(&self, type_: &str, to: &str, payload: &str) -> impl Future<Output = Stanza> {
        let caller = Location::caller();
        let (id, to) = (self.fresh_id(), escape(to));
        self.send(&format!(
            "<iq type='{type_}' id='{id}' to='{to}'>{payload}</iq>"
        ));
        async move {
            let answer = self.try_expect(DEADLINE, |s| {
                s.kind() == "iq" && s.id() == id && matches!(s.type_(), "result" | "error")
            });
            let answer = answer.await;
            answer.unwrap_or_else(|error| panic!("{} at {caller}: iq {id}: {error}", self.jid))
        }
    }

    /// Takes the first unclaimed stanza that fits.
    ///
    /// # Panics
    ///
    /// When none comes within [`DEADLINE`], with what came instead.
    #[track_caller]
    pub fn expect<'a>(
        &'a self,
        fits: impl FnMut(&Stanza) -> bool + 'a,
    ) -> impl Future<Output = Stanza> + 'a {
        let caller = Location::caller();
        async move {
            let stanza = self.try_expect(DEADLINE, fits).await;
            stanza.unwrap_or_else(|error| panic!("{} at {caller}: {error}", self.jid))
        }
    }

    /// As [`Self::expect`], with a deadline of one's own.
    ///
    /// # Errors
    ///
    /// When none comes: what came instead.
    pub async fn try_expect(
        &self,
        deadline: Duration,
        fits: impl FnMut(&Stanza) -> bool,
    ) -> Result<Stanza, String> {
        self.stanzas.take(deadline, fits).await
    }

    /// Everything unclaimed up to now. The barrier is a ping (XEP-0199) to `via`: whatever came
    /// by the same way before its answer is here. An error answers as well as a result.
    pub async fn collect(&self, via: &str) -> Vec<Stanza> {
        self.iq("get", via, "<ping xmlns='urn:xmpp:ping'/>").await;
        self.stanzas.drain()
    }

    /// Every stanza that ever came.
    pub fn log(&self) -> Vec<Stanza> {
        self.stanzas.log()
    }

    /// Reads an archive to its end, in pages of that size, by the client library's own XEP-0313.
    ///
    /// # Panics
    ///
    /// When the library does not find it in order, or no answer comes in time.
    pub async fn archive(&self, jid: &str, page: usize) -> Vec<Archived> {
        self.command(&json!({ "cmd": "archive", "jid": jid, "page": page }));
        let done = |event: &Event| matches!(event, Event::Archive { .. } | Event::Failed { .. });
        match self.events.take(DEADLINE, done).await {
            Ok(Event::Archive { messages }) => messages,
            other => panic!("{}: no archive of {jid}: {other:?}", self.jid),
        }
    }

    /// Drops the connection without a word and waits until it is gone.
    pub async fn abort(&self) {
        self.command(&json!({ "cmd": "abort" }));
        self.disconnected().await;
    }

    /// Closes the stream in order and waits until it is gone.
    pub async fn disconnect(&self) {
        self.command(&json!({ "cmd": "disconnect" }));
        self.disconnected().await;
    }

    /// Waits until the connection is gone, by whoever's doing.
    pub async fn disconnected(&self) {
        let gone = self
            .events
            .take(DEADLINE, |event| matches!(event, Event::Disconnected))
            .await;
        gone.unwrap_or_else(|error| panic!("{} is still connected: {error}", self.jid));
    }

    /// Logs in again after the connection was lost. The resource may differ: see [`Self::jid`].
    pub async fn reconnect(&mut self) {
        self.events.drain();
        self.command(&json!({ "cmd": "reconnect" }));
        let session = self.session().await;
        self.jid = session.unwrap_or_else(|error| panic!("{} cannot return: {error}", self.jid));
    }

    /// What the process complained about.
    pub fn diagnostics(&self) -> String {
        self.process().log()
    }

    async fn session(&self) -> Result<String, String> {
        let done = |event: &Event| matches!(event, Event::Session { .. } | Event::Failed { .. });
        match self.events.take(DEADLINE, done).await {
            Ok(Event::Session { jid }) => Ok(jid),
            Ok(Event::Failed { reason }) => Err(reason),
            Ok(_) => Err("no session".to_owned()),
            Err(error) => Err(format!("{error}\n{}", self.diagnostics())),
        }
    }

    fn command(&self, command: &Value) {
        let mut stdin = self.stdin.lock().expect("no holder of the lock panics");
        // A client that has ended shows itself by what the test then misses.
        let _ = writeln!(stdin, "{command}");
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no holder of the lock panics")
    }
}

fn read(stdout: ChildStdout, stanzas: &Inbox<Stanza>, events: &Inbox<Event>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Event::Stanza(stanza)) => stanzas.push(stanza),
            Ok(Event::StreamError { xml }) => eprintln!("stream error: {xml}"),
            Ok(event) => {
                if matches!(event, Event::Session { .. }) {
                    // What came so far was the login's own.
                    stanzas.drain();
                }
                events.push(event);
            }
            Err(error) => events.push(Event::Failed {
                reason: format!("{error}: {line}"),
            }),
        }
    }
    stanzas.close();
    events.close();
}
