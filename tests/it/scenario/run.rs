//! Runs one scenario on the product: real host, real component, real store; the ends and the clock
//! are the scenario's.
//!
//! The clock stands still but for `time`. That nothing more comes is proven by questions that pass
//! through everything (XEP-0199, IRC PING), never by waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use isthmus::component::ComponentConfig;
use isthmus::host::{
    Access, Archiving, Attachments, Corrections, FileSettings, Files, Lang, Limits, Public, Shared,
};
use isthmus::store::{SqliteStore, Store};
use isthmus::xmpp::{BareJid, Element, Stanza};
use isthmus::{Served, Service};
use isthmus_gateway::{Gateway, Picture};
use isthmus_loopback::{Control, Loopback};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::foreign;
use super::operator;
use super::parse::{Act, Step};
use super::spelled::{shown, visible};
use super::wire::{self, Attempt, Line};
use super::xml::{self, Given, Names};

mod start;

/// How long something may take to come before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a step came to that did not hold.
pub(crate) struct Fault {
    pub(crate) text: String,
    /// What stands there instead, for the bless mode: whole lines.
    pub(crate) instead: Option<Vec<String>>,
}

pub(super) fn fault(text: impl Into<String>) -> Fault {
    Fault {
        text: text.into(),
        instead: None,
    }
}

/// A red PNG of one pixel: the gateway's, with `limit face 1`.
const FACE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\
    \0\0\0\x0cIDATx\xdac\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03AC\0\0\0\0IEND\xaeB`\x82";

/// A running product and the ends of its connections.
pub(crate) struct Run {
    pub(super) domain: String,
    limits: Limits,
    /// What is said is archived.
    archive: bool,
    /// Users stay in rooms unless they say otherwise.
    persistent: bool,
    /// Users' pictures are shown to others unless they say otherwise.
    show_avatar: bool,
    /// How files are carried.
    files: Option<FileSettings>,
    /// The gateway has a name and a picture of its own.
    face: bool,
    /// The language of who asks for none.
    language: Lang,
    /// How corrections are told where a network has none.
    corrections: Corrections,
    pub(super) names: Names,
    pub(super) given: Given,
    pub(super) control: Option<Control>,
    pub(super) served: Option<Served>,
    pub(super) to_gateway: mpsc::UnboundedSender<String>,
    pub(super) from_gateway: Option<mpsc::UnboundedReceiver<Stanza>>,
    pub(super) stanzas: VecDeque<Element>,
    /// What the gateway and the host want to be connected to, by the word for it.
    pub(super) attempts: Vec<(&'static str, mpsc::UnboundedReceiver<Attempt>)>,
    pub(super) attempt: BTreeMap<String, Attempt>,
    pub(super) lines: BTreeMap<String, Line>,
    pub(super) waiting: BTreeMap<String, VecDeque<String>>,
    /// From and to whom barriers go.
    pub(super) pairs: BTreeSet<(String, String)>,
    pub(super) barriers: u32,
    pub(super) store: Option<Arc<dyn Store>>,
    /// The product that stops.
    stopping: Option<tokio::task::JoinHandle<()>>,
    _dir: Option<TempDir>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self {
            domain: String::new(),
            limits: Limits {
                rooms_per_user: 100,
                inbox: 256,
                stanzas_per_second: 1_000_000,
                stanzas_burst: 1_000_000,
                ..crate::limits::limits()
            },
            archive: true,
            persistent: false,
            show_avatar: false,
            files: None,
            face: false,
            language: Lang::default(),
            corrections: Corrections::default(),
            names: Names::new(),
            given: Given::new(),
            control: None,
            served: None,
            to_gateway: mpsc::unbounded_channel().0,
            from_gateway: None,
            stanzas: VecDeque::new(),
            attempts: Vec::new(),
            attempt: BTreeMap::new(),
            lines: BTreeMap::new(),
            waiting: BTreeMap::new(),
            pairs: BTreeSet::new(),
            barriers: 0,
            store: None,
            stopping: None,
            _dir: None,
        }
    }

    /// Takes one step.
    pub(crate) async fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match &step.act {
            Act::Gateway { kind, settings } => self.start(kind, settings).await,
            Act::Stop => self.stop(),
            Act::Limit { name, value } => self.limit(name, *value),
            Act::Files(settings) => self.carry(settings),
            Act::Stanza(text) => self.send_stanza(text),
            Act::WantStanza(text) => self.want_stanza(text).await,
            Act::Line { label, text } => self.send_line(label, text),
            Act::WantLine { label, text } => self.want_line(label, text).await,
            Act::Foreign(text) => {
                let control = self
                    .control
                    .as_ref()
                    .ok_or_else(|| fault("no loopback here"))?;
                foreign::act(control, &xml::filled(text, &self.names)).map_err(fault)
            }
            Act::Unordered(steps) => self.want_all(steps).await,
            Act::Silence => self.silence().await,
            Act::Time(by) => self.pass(*by).await,
        }
    }

    /// Begins to stop; its end is waited for where the next begins.
    fn stop(&mut self) -> Result<(), Fault> {
        let served = self.served.take();
        let served = served.ok_or_else(|| fault("nothing runs"))?;
        self.stopping = Some(tokio::spawn(served.drain()));
        Ok(())
    }

    fn limit(&mut self, name: &str, value: usize) -> Result<(), Fault> {
        match name {
            "history" => self.limits.history = value,
            "rooms_per_user" => self.limits.rooms_per_user = value,
            "networks_per_user" => self.limits.networks_per_user = value,
            "sessions" => self.limits.sessions = value,
            "inbox" => self.limits.inbox = value,
            "archive" => self.archive = value > 0,
            "persistent" => self.persistent = value > 0,
            "show_avatar" => self.show_avatar = value > 0,
            "face" => self.face = value > 0,
            "language" if value == 1 => self.language = Lang::Zh,
            "corrections" if value == 0 => self.corrections = Corrections::Refuse,
            _ => return Err(fault(format!("{name}: there is no such limit"))),
        }
        match self.served {
            None => Ok(()),
            Some(_) => Err(fault("limits come before the gateway")),
        }
    }

    fn carry(&mut self, settings: &str) -> Result<(), Fault> {
        let settings: serde_json::Value =
            serde_json::from_str(settings).map_err(|it| fault(it.to_string()))?;
        let text = |name: &str| Some(settings.get(name)?.as_str()?.to_owned());
        self.files = Some(FileSettings {
            public_url: text("public_url"),
            fetch: true,
            pictures: settings.get("pictures") != Some(&false.into()),
            trusted: vec!["files.example.org".to_owned()],
            server_domain: "example.org".to_owned(),
            paste_lines: settings["paste_lines"].as_u64().unwrap_or(0) as usize,
            ..FileSettings::default()
        });
        Ok(())
    }

    pub(super) fn send_stanza(&mut self, text: &str) -> Result<(), Fault> {
        let text = xml::filled(text, &self.names);
        if let Ok(stanza) = Element::parse(text.as_bytes())
            && let (Some(from), Some(to)) = (stanza.attr("from"), stanza.attr("to"))
        {
            let bare = |jid: &str| jid.split('/').next().unwrap_or_default().to_owned();
            self.pairs.insert((bare(from), bare(to)));
            self.given.extend(stanza.attr("id").map(str::to_owned));
        }
        self.to_gateway
            .send(text)
            .map_err(|_| fault("the stream is gone"))
    }

    async fn want_stanza(&mut self, text: &str) -> Result<(), Fault> {
        let expected =
            Element::parse(text.as_bytes()).map_err(|it| fault(format!("{text}: {it}")))?;
        let Some(actual) = self.next_stanza().await else {
            let text = format!("expected {text}\n     got nothing");
            return Err(Fault {
                text,
                instead: Some(Vec::new()),
            });
        };
        if xml::matches(&expected, &actual, &mut self.names) {
            return Ok(());
        }
        let got = xml::written(&actual, Some(&expected), &mut self.names, &self.given);
        let text = format!(
            "expected {}\n     got {got}",
            xml::filled(text, &self.names)
        );
        Err(Fault {
            text,
            instead: Some(vec![format!("xmpp< {got}")]),
        })
    }

    fn send_line(&mut self, label: &str, text: &str) -> Result<(), Fault> {
        match text {
            "(accept)" | "(refuse)" => {
                let attempt = self.attempt.remove(label);
                let attempt = attempt.ok_or_else(|| fault("nobody asked to be connected"))?;
                if text == "(accept)" {
                    self.lines.insert(label.to_owned(), Line::accept(attempt));
                    self.waiting.remove(label);
                } else {
                    let refused = std::io::ErrorKind::ConnectionRefused.into();
                    let _ = attempt.answer.send(Err(refused));
                }
                Ok(())
            }
            "(close)" => {
                let line = self.lines.remove(label);
                line.map(drop)
                    .ok_or_else(|| fault("there is no connection"))
            }
            _ => {
                let text = xml::filled(text, &self.names);
                let line = self.lines.get(label);
                line.map(|line| line.send(&text))
                    .ok_or_else(|| fault("there is no connection"))
            }
        }
    }

    async fn want_line(&mut self, label: &str, text: &str) -> Result<(), Fault> {
        let actual = self.next_line(label).await;
        let Some(actual) = actual else {
            let text = format!("expected {text}\n     got nothing");
            return Err(Fault {
                text,
                instead: Some(Vec::new()),
            });
        };
        if self.line_matches(label, text, &actual) {
            return Ok(());
        }
        let shown = shown(&actual);
        let text = format!(
            "expected {}\n     got {shown}",
            xml::filled(text, &self.names)
        );
        let instead = Some(vec![format!("{label}< {shown}")]);
        if shown == "(proof)" {
            self.line_matches(label, "(proof)", &actual);
        }
        Err(Fault { text, instead })
    }

    /// `(proof)` is a PING of the gateway behind what it sent; it gets its PONG.
    pub(super) fn line_matches(&mut self, label: &str, pattern: &str, actual: &str) -> bool {
        if pattern != "(proof)" {
            return xml::text_matches(pattern, &visible(actual), &mut self.names);
        }
        let Some(word) = actual.strip_prefix("PING :") else {
            return false;
        };
        if let Some(line) = self.lines.get(label) {
            line.send(&format!(":irc.net.example PONG irc.net.example :{word}"));
        }
        true
    }

    async fn want_all(&mut self, steps: &[Step]) -> Result<(), Fault> {
        let mut left: Vec<&Step> = steps.iter().collect();
        let (mut wrong, mut instead) = (String::new(), Vec::new());
        let stanzas = left
            .iter()
            .filter(|it| matches!(it.act, Act::WantStanza(_)))
            .count();
        for _ in 0..stanzas {
            let Some(actual) = self.next_stanza().await else {
                break;
            };
            let found = left.iter().position(|step| {
                let Act::WantStanza(text) = &step.act else {
                    return false;
                };
                let expected = Element::parse(text.as_bytes());
                expected.is_ok_and(|it| xml::matches(&it, &actual, &mut self.names))
            });
            let got = format!(
                "xmpp< {}",
                xml::written(&actual, None, &mut self.names, &self.given)
            );
            match found {
                Some(at) => drop(left.remove(at)),
                None => wrong.push_str(&format!("\n     got {got}")),
            }
            instead.push(got);
        }
        let labels = left.clone();
        for step in labels {
            let Act::WantLine { label, .. } = &step.act else {
                continue;
            };
            let Some(actual) = self.next_line(label).await else {
                continue;
            };
            let found = left.iter().position(|step| match &step.act {
                Act::WantLine { label: its, text } => {
                    its == label && self.line_matches(label, text, &actual)
                }
                _ => false,
            });
            let got = format!("{label}< {}", shown(&actual));
            match found {
                Some(at) => drop(left.remove(at)),
                None => wrong.push_str(&format!("\n     got {got}")),
            }
            instead.push(got);
        }
        if left.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let mut text = "in any order".to_owned();
        for step in left {
            if let Act::WantStanza(it) | Act::WantLine { text: it, .. } = &step.act {
                text.push_str(&format!("\nexpected {it}"));
            }
        }
        instead.insert(0, "unordered {".to_owned());
        instead.push("}".to_owned());
        Err(Fault {
            text: text + &wrong,
            instead: Some(instead),
        })
    }

    /// Takes what has come without waiting for more.
    pub(super) fn receive(&mut self) {
        while let Some(Ok(stanza)) = self.from_gateway.as_mut().map(|it| it.try_recv()) {
            keep(&mut self.stanzas, &stanza);
        }
        let mut closed = Vec::new();
        for (label, line) in &mut self.lines {
            let waiting = self.waiting.entry(label.clone()).or_default();
            loop {
                match line.lines.try_recv() {
                    Ok(text) => {
                        line.quit |= text.starts_with("QUIT");
                        waiting.push_back(text);
                    }
                    Err(mpsc::error::TryRecvError::Disconnected) => {
                        waiting.push_back("(close)".to_owned());
                        closed.push(label.clone());
                        break;
                    }
                    Err(mpsc::error::TryRecvError::Empty) => break,
                }
            }
        }
        for label in closed {
            self.lines.remove(&label);
        }
        while let Some((word, attempt)) = self
            .attempts
            .iter_mut()
            .find_map(|(word, it)| Some((*word, it.try_recv().ok()?)))
        {
            // An attempt belongs to the label that asks for it; until then to the first free one.
            let mut label = word.to_owned();
            let mut number = 1;
            while self.attempt.contains_key(&label) || self.lines.contains_key(&label) {
                number += 1;
                label = format!("{word}{number}");
            }
            let waiting = self.waiting.entry(label.clone()).or_default();
            waiting.push_back(format!("(connect {})", attempt.place));
            self.attempt.insert(label, attempt);
        }
    }

    pub(super) async fn next_stanza(&mut self) -> Option<Element> {
        self.until(|run| run.stanzas.pop_front()).await
    }

    pub(super) async fn next_line(&mut self, label: &str) -> Option<String> {
        self.until(|run| run.waiting.get_mut(label)?.pop_front())
            .await
    }

    /// Waits for something to come; gives up when real time has passed.
    pub(super) async fn until<T>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let mut heard = std::time::Instant::now();
        let mut rounds = 0u32;
        loop {
            let before = self.stanzas.len();
            self.receive();
            if self.stanzas.len() > before {
                heard = std::time::Instant::now();
            }
            if let Some(found) = take(self) {
                return Some(found);
            }
            if heard.elapsed() > PATIENCE {
                return None;
            }
            tokio::task::yield_now().await;
            rounds += 1;
            if rounds.is_multiple_of(64) {
                // The store has a thread of its own, whose answers no task here can see coming.
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Lets time pass in small steps, each with all its consequences.
    async fn pass(&mut self, by: Duration) -> Result<(), Fault> {
        let step = Duration::from_secs(1).max(by / 200).min(by);
        // What was sent before is dealt with before, and on disk: its thread knows no paused time.
        self.barrier().await?;
        self.ask_store().await?;
        let mut left = by;
        while !left.is_zero() {
            let now = step.min(left);
            tokio::time::advance(now).await;
            left -= now;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.receive();
        }
        self.barrier().await
    }
}

fn keep(to: &mut VecDeque<Element>, stanza: &Stanza) {
    let element = stanza
        .element()
        .expect("the component writes whole stanzas");
    if let Err(fault) = xml::check_identity(&element) {
        panic!("{fault}: {element:?}");
    }
    to.push_back(element);
}
