//! The live face: sessions and their commands. Their events are in `event.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Account, Close, Command, Event, Fault, FaultKind, Key, Outcome, Settings, Tag, Time, User,
};
use serde::{Deserialize, Serialize};

use super::event::Told;
use super::rpc::WireError;
use super::{Machine, Phase, What, fault, millis};

/// Names one session for the life of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The process is not there.
    Waiting,
    /// Asked for under this number.
    Opening(u64),
    /// Open under this number.
    Open(u64),
    /// Not open; tried again then, or never.
    Closed(Option<Instant>),
}

/// One session.
pub(super) struct Live {
    user: User,
    account: Option<Account>,
    network: String,
    settings: Settings,
    pub(super) kept: Option<Vec<u8>>,
    pub(super) stage: Stage,
    /// Commands the plugin has not answered, and their requests.
    pub(super) open: BTreeMap<Tag, u64>,
    pub(super) queue: VecDeque<Told>,
    pub(super) bytes: usize,
    /// Events taken since credit was last granted.
    pub(super) taken: u32,
    pub(super) waker: Option<Waker>,
}

#[derive(Serialize)]
struct Opening<'a> {
    session: u64,
    user: &'a User,
    account: Option<&'a Account>,
    network: &'a str,
    /// What the user has set; left out where that is nothing.
    #[serde(skip_serializing_if = "is_default")]
    settings: &'a Settings,
    kept: Option<&'a [u8]>,
    credit: u32,
}

#[derive(Serialize)]
struct Commanding<'a> {
    session: u64,
    tag: Tag,
    cmd: &'a Command<'a>,
}

/// The answer to a command; nothing in it need be given.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ended {
    outcome: Option<Outcome>,
    keys: Vec<String>,
    time: Option<Time>,
    altered: Option<String>,
}

impl Machine {
    /// A new session of this user, with its network, his settings and what was kept of it.
    pub(crate) fn open(
        &mut self,
        user: &User,
        account: Option<&Account>,
        (network, settings, kept): (&str, &Settings, Option<&[u8]>),
        now: Instant,
    ) -> SessionId {
        let id = SessionId(self.number());
        let live = Live {
            user: user.clone(),
            account: account.cloned(),
            network: network.to_owned(),
            settings: settings.clone(),
            kept: kept.map(<[u8]>::to_vec),
            stage: Stage::Waiting,
            open: BTreeMap::new(),
            queue: VecDeque::new(),
            bytes: 0,
            taken: 0,
            waker: None,
        };
        self.live.insert(id, live);
        match &self.phase {
            Phase::Up => self.reopen(id, now),
            Phase::Down { fault, until } => {
                let left = until.map(|until| until.saturating_duration_since(now));
                let (fault, retry) = (fault.clone(), left.map(millis));
                self.push_own(id, Event::Offline { fault, retry });
            }
        }
        id
    }

    /// Asks the plugin for a session, unless it was refused for good.
    pub(super) fn reopen(&mut self, id: SessionId, now: Instant) {
        let wire = self.number();
        let credit = self.credit;
        let Some(live) = self.live.get(&id) else {
            return;
        };
        if live.stage == Stage::Closed(None) {
            return;
        }
        let (user, account) = (live.user.clone(), live.account.clone());
        let (network, kept) = (live.network.clone(), live.kept.clone());
        let settings = live.settings.clone();
        let params = Opening {
            session: wire,
            user: &user,
            account: account.as_ref(),
            network: &network,
            settings: &settings,
            kept: kept.as_deref(),
            credit,
        };
        match self.request(
            "session.open",
            &params,
            What::Open { session: id, wire },
            now,
        ) {
            Ok(_) => {
                self.wires.insert(wire, id);
                if let Some(live) = self.live.get_mut(&id) {
                    live.stage = Stage::Opening(wire);
                    live.taken = 0;
                }
            }
            Err(fault) => self.shut(id, &fault, None, now),
        }
    }

    /// The user has changed his settings; a plugin that cannot take them while a session is open
    /// gets them with the next.
    pub(crate) fn set(&mut self, id: SessionId, settings: &Settings, now: Instant) {
        let Some(live) = self.live.get_mut(&id) else {
            return;
        };
        live.settings = settings.clone();
        if let Stage::Opening(wire) | Stage::Open(wire) = live.stage {
            let params = serde_json::json!({ "session": wire, "settings": settings });
            // What does not reach it now does with the next session.
            let _ = self.request("session.settings", &params, What::Close, now);
        }
    }

    /// Opens again what was closed until now.
    pub(super) fn reopen_due(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Up) {
            return;
        }
        let due = |live: &Live| matches!(live.stage, Stage::Closed(Some(at)) if at <= now);
        let due: Vec<SessionId> = self
            .live
            .iter()
            .filter(|(_, live)| due(live))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.reopen(id, now);
        }
    }

    pub(super) fn opened(
        &mut self,
        id: SessionId,
        wire: u64,
        result: Result<(), WireError>,
        now: Instant,
    ) {
        let live = self.live.get_mut(&id);
        // It may have been closed since, and opened under another number.
        let Some(live) = live.filter(|live| live.stage == Stage::Opening(wire)) else {
            return;
        };
        match result {
            Ok(()) => live.stage = Stage::Open(wire),
            Err(error) => {
                // What was never open needs no closing.
                live.stage = Stage::Closed(None);
                self.wires.remove(&wire);
                let after = super::fault::after(&error).map(Duration::from_millis);
                self.shut(id, &fault(&error), after, now);
            }
        }
    }

    /// Closes a session of which the host still thinks it open.
    pub(super) fn shut(
        &mut self,
        id: SessionId,
        fault: &Fault,
        again: Option<Duration>,
        now: Instant,
    ) {
        self.close_wire(id, "fault", now);
        let retry = again.map(millis);
        self.end_all(id, fault);
        let fault = fault.clone();
        self.push_own(id, Event::Offline { fault, retry });
        if let Some(live) = self.live.get_mut(&id) {
            live.stage = Stage::Closed(again.and_then(|again| now.checked_add(again)));
        }
    }

    fn close_wire(&mut self, id: SessionId, why: &str, now: Instant) {
        let stage = self.live.get(&id).map(|live| live.stage);
        if let Some(Stage::Opening(wire) | Stage::Open(wire)) = stage {
            self.wires.remove(&wire);
            let params = serde_json::json!({ "session": wire, "why": why });
            // A plugin that is not there needs no telling.
            let _ = self.request("session.close", &params, What::Close, now);
        }
    }

    /// The process under a session has ended.
    pub(super) fn break_off(&mut self, id: SessionId, fault: &Fault, retry: Option<Duration>) {
        self.end_all(id, fault);
        let Some(live) = self.live.get_mut(&id) else {
            return;
        };
        if live.stage == Stage::Closed(None) {
            return;
        }
        live.stage = Stage::Waiting;
        let (fault, retry) = (fault.clone(), retry.map(millis));
        self.push_own(id, Event::Offline { fault, retry });
    }

    /// Starts a command. It ends in exactly one `Done`, which the next poll tells.
    pub(crate) fn command(&mut self, id: SessionId, tag: Tag, command: &Command<'_>, now: Instant) {
        let stage = self.live.get(&id).map(|live| live.stage);
        let Some(Stage::Opening(session) | Stage::Open(session)) = stage else {
            let fault = Fault::new(
                FaultKind::NetworkDown,
                ("the gateway's program is not there", "网关程序不在运行"),
            );
            return self.end(id, tag, Err(fault));
        };
        let message = matches!(
            command,
            Command::Send(_)
                | Command::Edit { .. }
                | Command::Retract { .. }
                | Command::React { .. }
        );
        let params = Commanding {
            session,
            tag,
            cmd: command,
        };
        let what = What::Command {
            session: id,
            tag,
            message,
        };
        match self.request("command", &params, what, now) {
            Ok(request) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.open.insert(tag, request);
                }
            }
            Err(fault) => self.end(id, tag, Err(fault)),
        }
    }

    pub(super) fn command_ended(
        &mut self,
        id: SessionId,
        tag: Tag,
        message: bool,
        result: Result<&str, WireError>,
    ) -> Result<(), String> {
        let ended = match result {
            Err(error) => {
                self.end(id, tag, Err(fault(&error)));
                return Ok(());
            }
            Ok(json) => serde_json::from_str::<Option<Ended>>(json),
        };
        let ended = match ended {
            Ok(ended) => ended.unwrap_or_default(),
            Err(error) => {
                let text = (
                    "the gateway's program answered nonsense",
                    "无法理解网关程序的答复",
                );
                self.end(id, tag, Err(Fault::new(FaultKind::Internal, text)));
                return Err(error.to_string());
            }
        };
        if message && (!ended.keys.is_empty() || ended.time.is_some() || ended.altered.is_some()) {
            let keys = ended.keys.into_iter().map(|key| Key(key.into())).collect();
            let echo = Event::Echo {
                tag,
                keys,
                time: ended.time,
                altered: ended.altered.map(Into::into),
            };
            self.push_own(id, echo);
        }
        let usual = match message {
            true => Outcome::Accepted,
            false => Outcome::Finished,
        };
        self.end(id, tag, Ok(ended.outcome.unwrap_or(usual)));
        Ok(())
    }

    /// Ends one command.
    pub(super) fn end(&mut self, id: SessionId, tag: Tag, result: Result<Outcome, Fault>) {
        if let Some(live) = self.live.get_mut(&id) {
            live.open.remove(&tag);
        }
        self.push_own(id, Event::Done { tag, result });
    }

    /// Ends every open command; what the plugin answers them later is late.
    pub(super) fn end_all(&mut self, id: SessionId, fault: &Fault) {
        let Some(live) = self.live.get_mut(&id) else {
            return;
        };
        for (tag, request) in std::mem::take(&mut live.open) {
            self.remove(request);
            self.end(id, tag, Err(fault.clone()));
        }
    }

    /// The host has no more use for a session. Its open commands are ended.
    pub(crate) fn close(&mut self, id: SessionId, why: Close, now: Instant) {
        let why = match why {
            Close::Left => "left",
            Close::Drain => "drain",
            Close::Refused => "refused",
            // Its words are the user's; to a plugin it is the end of a session.
            Close::Ended { .. } => "ended",
        };
        self.close_wire(id, why, now);
        self.end_all(
            id,
            &Fault::new(
                FaultKind::NetworkDown,
                ("the session is over", "会话已结束"),
            ),
        );
        if let Some(live) = self.live.get_mut(&id) {
            live.stage = Stage::Closed(None);
        }
    }

    /// Nobody holds the session any more.
    pub(crate) fn forget(&mut self, id: SessionId, now: Instant) {
        self.close(id, Close::Left, now);
        self.live.remove(&id);
    }
}

fn is_default(settings: &&Settings) -> bool {
    **settings == Settings::default()
}
