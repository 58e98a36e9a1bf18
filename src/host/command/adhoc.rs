//! XEP-0050 1.3 ad-hoc commands.
//!
//! A command that asks nothing is over with its first answer. One that asks has a session of two
//! stages: the form, and what came of it. Dialogs of more steps are in `steps`. Sessions belong to the full JID that began them, and are
//! forgotten after ten minutes or when there are too many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isthmus_gateway::{Fault, FaultKind, Gateway};
use tokio::time::Instant;

use super::{Command, Told, Work, any, named, table};
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault::words;
use crate::host::form;
use crate::host::reply::Origin;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// How long a form may lie about.
const LIFE: Duration = Duration::from_secs(600);
/// Forms that may lie about, per gateway.
const MOST: usize = 1000;

/// Commands that wait for their form, oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Session>>);

struct Session {
    id: String,
    peer: String,
    node: &'static str,
    until: Instant,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Session>> {
        // Nothing leaves the list half-changed.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions.retain(|session| session.until > now);
        sessions
    }

    fn open(&self, id: String, peer: &str, node: &'static str) {
        let mut sessions = self.lock();
        if sessions.len() >= MOST {
            sessions.pop_front();
        }
        sessions.push_back(Session {
            id,
            peer: peer.to_owned(),
            node,
            until: Instant::now() + LIFE,
        });
    }

    /// Ends a session; false: this asker has none of that id.
    fn close(&self, id: &str, peer: &str, node: &str) -> bool {
        let mut sessions = self.lock();
        let is_it = |it: &Session| it.id == id && it.peer == peer && it.node == node;
        let at = sessions.iter().position(is_it);
        at.and_then(|at| sessions.remove(at)).is_some()
    }
}

/// What service discovery says of commands (§2.1 to 2.3); `None`: it is not asked about them.
pub(crate) fn disco(gateway: &dyn Gateway, domain: &str, query: &Element) -> Option<Answer> {
    let node = query.attr("node")?;
    let listed = node == ns::COMMANDS;
    let command = named(gateway, node);
    if !any(gateway) || (!listed && command.is_none()) {
        return None;
    }
    let ns = if query.ns() == ns::DISCO_INFO {
        ns::DISCO_INFO
    } else {
        ns::DISCO_ITEMS
    };
    let mut answer = Element::new("query", ns).with_attr("node", node);
    if ns == ns::DISCO_INFO {
        let (kind, name) = match command {
            Some(command) => ("command-node", command.name),
            None => ("command-list", "Commands"),
        };
        let identity = Element::new("identity", ns)
            .with_attr("category", "automation")
            .with_attr("type", kind)
            .with_attr("name", name);
        answer = answer.with_child(identity);
        for feature in [ns::DISCO_INFO, ns::COMMANDS, ns::DATA_FORMS] {
            answer = answer.with_child(Element::new("feature", ns).with_attr("var", feature));
        }
    } else if listed {
        for command in table(gateway) {
            let item = Element::new("item", ns)
                .with_attr("jid", domain)
                .with_attr("node", command.node)
                .with_attr("name", command.name);
            answer = answer.with_child(item);
        }
    }
    Some(Answer::Result(Some(answer)))
}

/// What is asked of a command.
pub(super) enum Action {
    Begin,
    Finish {
        session: String,
        form: Option<Element>,
        /// There is to be another page.
        next: bool,
    },
    Prev {
        session: String,
    },
    Cancel {
        session: String,
    },
}

/// An error of this protocol's own (§4.4).
pub(super) fn bad(specific: &'static str, text: &'static str) -> Answer {
    Answer::Specific(Condition::BadRequest, (specific, ns::COMMANDS), text)
}

fn action(request: &Element) -> Result<Action, Answer> {
    let session = request.attr("sessionid").map(str::to_owned);
    let form = request.child("x", ns::DATA_FORMS).cloned();
    let cancelled = form
        .as_ref()
        .is_some_and(|form| form.attr("type") == Some("cancel"));
    match (request.attr("action").unwrap_or("execute"), session) {
        ("cancel", Some(session)) => Ok(Action::Cancel { session }),
        (_, Some(session)) if cancelled => Ok(Action::Cancel { session }),
        // §3.4: where `complete` is offered, `execute` means it.
        (action @ ("execute" | "complete" | "next"), Some(session)) => Ok(Action::Finish {
            session,
            form,
            next: action == "next",
        }),
        ("prev", Some(session)) => Ok(Action::Prev { session }),
        ("execute", None) => Ok(Action::Begin),
        ("cancel" | "complete" | "next" | "prev", None) => {
            Err(bad("bad-sessionid", "no command was begun"))
        }
        _ => Err(bad("malformed-action", "there is no such action")),
    }
}

/// What is to be done.
enum Stage {
    Begin(&'static Command),
    /// With its session and its form.
    Finish(&'static Command, String, Element),
    Steps(&'static Command, Action),
}

impl Desk {
    /// Answers a request about a command.
    pub(crate) fn execute(
        self: &Arc<Self>,
        origin: Origin,
        user: &BareJid,
        get: bool,
        request: &Element,
    ) {
        match self.stage(&origin, get, request) {
            Err(answer) => self.errands.answer(origin, answer),
            Ok(stage) => {
                let (desk, user, peer) = (Arc::clone(self), user.clone(), origin.peer.clone());
                self.errands.run(origin, async move {
                    match stage {
                        Stage::Finish(command, session, form) => {
                            desk.finish(command, &user, session, &form).await
                        }
                        Stage::Begin(command) => desk.begin(command, &user, &peer).await,
                        Stage::Steps(command, action) => {
                            desk.stepped(command, &user, &peer, action).await
                        }
                    }
                });
            }
        }
    }

    /// The command, and its form where it is filled in; or the answer that can be given at once.
    fn stage(&self, origin: &Origin, get: bool, request: &Element) -> Result<Stage, Answer> {
        if get {
            let text = "commands are executed by a set";
            return Err(Fault::new(FaultKind::BadRequest, text).into());
        }
        let node = request.attr("node").unwrap_or_default();
        let Some(command) = named(&*self.gateway, node) else {
            return Err(Fault::new(FaultKind::NoSuchTarget, "there is no such command").into());
        };
        let close = |session: &str| match self.sessions.close(session, &origin.peer, node) {
            true => Ok(()),
            false => Err(bad(
                "bad-sessionid",
                "this command is over; please begin anew",
            )),
        };
        let action = action(request)?;
        if matches!(command.work, Work::Steps) {
            return Ok(Stage::Steps(command, action));
        }
        match action {
            Action::Begin => Ok(Stage::Begin(command)),
            Action::Cancel { session } => {
                close(&session)?;
                Err(Answer::Result(Some(answer(command, &session, "canceled"))))
            }
            Action::Prev { .. } | Action::Finish { next: true, .. } => {
                Err(bad("bad-action", "this command has no further pages"))
            }
            Action::Finish { session, form, .. } => {
                close(&session)?;
                match form {
                    Some(form) => Ok(Stage::Finish(command, session, form)),
                    None => Err(bad("bad-payload", "the form is missing")),
                }
            }
        }
    }

    async fn begin(
        self: &Arc<Self>,
        command: &'static Command,
        user: &BareJid,
        peer: &str,
    ) -> Done {
        let session = format!("{:016x}", self.shared.next_session());
        if matches!(command.work, Work::Plain(_)) {
            let nothing = Element::new("x", ns::DATA_FORMS);
            return self.finish(command, user, session, &nothing).await;
        }
        let fields = match command.work.questions(self, user).await {
            Ok(fields) => fields,
            Err(fault) => return Done::with(fault),
        };
        self.sessions.open(session.clone(), peer, command.node);
        let actions = Element::new("actions", ns::COMMANDS)
            .with_attr("execute", "complete")
            .with_child(Element::new("complete", ns::COMMANDS));
        let stage = answer(command, &session, "executing")
            .with_child(actions)
            .with_child(form::ask(command.name, "", None, &fields));
        Done::with(Answer::Result(Some(stage)))
    }

    async fn finish(
        self: &Arc<Self>,
        command: &'static Command,
        user: &BareJid,
        session: String,
        filled: &Element,
    ) -> Done {
        let told = self.run(command, user, filled).await;
        let mut stage = answer(command, &session, "completed");
        let (kind, text) = match &told {
            Ok(told) => ("info", told.text.as_str()),
            Err(fault) => ("error", words(fault)),
        };
        let note = Element::new("note", ns::COMMANDS).with_attr("type", kind);
        stage = stage.with_child(note.with_text(text));
        if let Ok(Told { columns, rows, .. }) = &told
            && !rows.is_empty()
        {
            stage = stage.with_child(form::table(command.name, columns, rows));
        }
        Done::with(Answer::Result(Some(stage)))
    }

    async fn run(
        self: &Arc<Self>,
        command: &'static Command,
        user: &BareJid,
        filled: &Element,
    ) -> Result<Told, Fault> {
        let answers = form::answers(filled);
        let asked = command.work.questions(self, user).await?;
        form::check(&asked, &answers, None)?;
        command.work.run(self, user, answers).await
    }
}

pub(super) fn answer(command: &Command, session: &str, status: &str) -> Element {
    Element::new("command", ns::COMMANDS)
        .with_attr("node", command.node)
        .with_attr("sessionid", session)
        .with_attr("status", status)
}
