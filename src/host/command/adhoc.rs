//! XEP-0050 1.3 ad-hoc commands.
//!
//! A command that asks nothing is over with its first answer. One that asks has a session of two
//! stages: the form, and what came of it. Dialogs of more steps are in `steps`. Sessions belong to
//! the full JID that began them and the address it began them with, and are forgotten after ten
//! minutes or when there are too many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isthmus_gateway::{Fault, FaultKind};
use tokio::time::Instant;

use super::{Asker, Command, Page, Told, Work, listed, named, table};
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault::{self, words};
use crate::host::form;
use crate::host::reply::Origin;
use crate::host::setting;
use crate::host::words::{Said, Text};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// How long a form may lie about.
const LIFE: Duration = Duration::from_secs(600);
/// How long it is then remembered that it did.
const MEMORY: Duration = Duration::from_secs(3600);
/// Forms that may lie about, per gateway.
const MOST: usize = 1000;

/// Commands that wait for their form, oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Session>>);

struct Session {
    id: String,
    peer: String,
    jid: String,
    node: String,
    until: Instant,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Session>> {
        // Nothing leaves the list half-changed.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions.retain(|session| session.until + MEMORY > now);
        sessions
    }

    fn open(&self, id: String, asker: &Asker, node: &str) {
        let mut sessions = self.lock();
        if sessions.len() >= MOST {
            sessions.pop_front();
        }
        sessions.push_back(Session {
            id,
            peer: asker.peer.clone(),
            jid: asker.jid.clone(),
            node: node.to_owned(),
            until: Instant::now() + LIFE,
        });
    }

    /// Ends a session. The error: this asker has none of that id, or no longer.
    fn close(&self, id: &str, asker: &Asker, node: &str) -> Result<(), Answer> {
        let mut sessions = self.lock();
        let is_it = |it: &Session| {
            it.id == id && it.node == node && it.peer == asker.peer && it.jid == asker.jid
        };
        let at = sessions.iter().position(is_it);
        let session = at.and_then(|at| sessions.remove(at));
        let over = Text::DialogOver;
        match session {
            Some(session) if session.until > Instant::now() => Ok(()),
            Some(_) => Err(Answer::Specific(
                Condition::NotAllowed,
                ("session-expired", ns::COMMANDS),
                over.into(),
            )),
            None => Err(bad("bad-sessionid", over)),
        }
    }
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
pub(super) fn bad(specific: &'static str, text: impl Into<Said>) -> Answer {
    Answer::Specific(Condition::BadRequest, (specific, ns::COMMANDS), text.into())
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
            Err(bad("bad-sessionid", Text::NotBegun))
        }
        _ => Err(bad("malformed-action", Text::NoSuchAction)),
    }
}

impl Desk {
    /// What service discovery says of commands (§2.1 to 2.3); false: it is not asked about them.
    pub(crate) fn commands(
        self: &Arc<Self>,
        origin: &Origin,
        asker: &Asker,
        query: &Element,
    ) -> bool {
        let Some(node) = query.attr("node").map(str::to_owned) else {
            return false;
        };
        if self.has_jobs(&asker.at) {
            return false;
        }
        let all = node == ns::COMMANDS;
        if !all && named(&*self.gateway, asker, &node).is_none() {
            return false;
        }
        if all && table(&*self.gateway, asker.at.kind, asker.admin, asker.lang).is_empty() {
            return false;
        }
        let info = query.ns() == ns::DISCO_INFO;
        let (desk, asker) = (Arc::clone(self), asker.clone());
        self.errands.run(origin.clone(), async move {
            let asker = desk.in_language(asker);
            let answer = match info {
                true => desk.command_info(&asker, &node),
                false => desk.command_items(&asker, &node),
            };
            Done::with(Answer::Result(Some(answer)))
        });
        true
    }

    fn command_info(&self, asker: &Asker, node: &str) -> Element {
        let ns = ns::DISCO_INFO;
        let (kind, name) = match named(&*self.gateway, asker, node) {
            Some(command) => ("command-node", command.name),
            None => ("command-list", asker.lang.say(Text::Commands).to_owned()),
        };
        let identity = Element::new("identity", ns)
            .with_attr("category", "automation")
            .with_attr("type", kind)
            .with_attr("name", &name);
        let answer = Element::new("query", ns).with_attr("node", node);
        [ns::DISCO_INFO, ns::COMMANDS, ns::DATA_FORMS].iter().fold(
            answer.with_child(identity),
            |answer, feature| {
                answer.with_child(Element::new("feature", ns).with_attr("var", feature))
            },
        )
    }

    fn command_items(&self, asker: &Asker, node: &str) -> Element {
        let ns = ns::DISCO_ITEMS;
        let answer = Element::new("query", ns).with_attr("node", node);
        if node != ns::COMMANDS {
            return answer;
        }
        let table = listed(&*self.gateway, asker);
        table.iter().fold(answer, |answer, command| {
            let item = Element::new("item", ns)
                .with_attr("jid", &asker.jid)
                .with_attr("node", &command.node)
                .with_attr("name", &command.name);
            answer.with_child(item)
        })
    }

    /// The asker, answered in the language he has set, unless his request names one we speak.
    pub(crate) fn in_language(&self, mut asker: Asker) -> Asker {
        let set = || self.shared.language_of(self.outbox.domain(), &asker.user);
        asker.lang = asker.asked_lang.unwrap_or_else(set);
        asker
    }

    /// Answers a request about a command.
    pub(crate) fn execute(
        self: &Arc<Self>,
        origin: Origin,
        asker: Asker,
        get: bool,
        request: Element,
    ) {
        let desk = Arc::clone(self);
        self.errands.run(origin, async move {
            let asker = desk.in_language(asker);
            let done = desk.executed(&asker, get, &request).await;
            done.unwrap_or_else(Done::with).in_lang(asker.lang)
        });
    }

    async fn executed(
        self: &Arc<Self>,
        asker: &Asker,
        get: bool,
        request: &Element,
    ) -> Result<Done, Answer> {
        let lang = asker.lang;
        if get {
            return Err(fault::of(FaultKind::BadRequest, Text::OnlySet).into());
        }
        let node = request.attr("node").unwrap_or_default();
        let Some(command) = named(&*self.gateway, asker, node) else {
            // XEP-0133 §4: what is kept from others is forbidden to them.
            let hidden = table(&*self.gateway, asker.at.kind, true, lang);
            let (kind, text) = match hidden.iter().any(|it| it.node == node) {
                true => (FaultKind::Forbidden, Text::NotAdmin),
                false => (FaultKind::NoSuchTarget, Text::NoSuchCommand),
            };
            return Err(fault::of(kind, text).into());
        };
        let action = action(request)?;
        if command.work.has_steps() {
            return self.stepped(&command, asker, action).await;
        }
        let close = |session: &str| self.sessions.close(session, asker, node);
        match action {
            Action::Begin => self.begin(&command, asker).await,
            Action::Cancel { session } => {
                close(&session)?;
                let over = answer(&command, &session, "canceled");
                Ok(Done::with(Answer::Result(Some(over))))
            }
            Action::Prev { .. } | Action::Finish { next: true, .. } => {
                Err(bad("bad-action", Text::NoMorePages))
            }
            Action::Finish { session, form, .. } => {
                close(&session)?;
                match form {
                    Some(form) => self.finish(&command, asker, session, &form).await,
                    None => Err(bad("bad-payload", Text::FormMissing)),
                }
            }
        }
    }

    async fn begin(self: &Arc<Self>, command: &Command, asker: &Asker) -> Result<Done, Answer> {
        let session = format!("{:016x}", self.shared.next_session());
        if matches!(command.work, Work::Plain(_)) {
            let nothing = Element::new("x", ns::DATA_FORMS);
            return self.finish(command, asker, session, &nothing).await;
        }
        let page = command.work.questions(self, asker).await?;
        self.sessions.open(session.clone(), asker, &command.node);
        let actions = Element::new("actions", ns::COMMANDS)
            .with_attr("execute", "complete")
            .with_child(Element::new("complete", ns::COMMANDS));
        let title = match page.title.is_empty() {
            true => &command.name,
            false => &page.title,
        };
        let stage = answer(command, &session, "executing")
            .with_child(actions)
            .with_child(form::ask(
                title,
                &page.words,
                page.about,
                &page.fields,
                asker.lang,
            ));
        Ok(Done::with(Answer::Result(Some(stage))))
    }

    async fn finish(
        self: &Arc<Self>,
        command: &Command,
        asker: &Asker,
        session: String,
        filled: &Element,
    ) -> Result<Done, Answer> {
        let page = command.work.questions(self, asker).await;
        if let Ok(page) = &page {
            if !form::is_of(filled, page.about) {
                return Err(bad("bad-payload", Text::BadForm));
            }
            let lacking = form::lacking(&page.fields, &form::answers(filled), asker.lang);
            if let Some(text) = lacking {
                // §4.4; it may be filled in again.
                self.sessions.open(session, asker, &command.node);
                return Err(bad("bad-payload", Said::theirs(text.into())));
            }
        }
        let told = match page {
            Ok(page) => self.run(command, asker, &page, filled).await,
            Err(fault) => Err(fault),
        };
        let mut stage = answer(command, &session, "completed");
        let (kind, text) = match &told {
            Ok(told) => ("info", told.text.as_str()),
            Err(fault) => ("error", words(fault, asker.lang)),
        };
        if !text.is_empty() {
            let note = Element::new("note", ns::COMMANDS).with_attr("type", kind);
            stage = stage.with_child(note.with_text(text));
        }
        if let Ok(Told { columns, rows, .. }) = &told
            && !rows.is_empty()
        {
            stage = stage.with_child(form::table(&command.name, columns, rows));
        }
        if let Ok(Told { values, about, .. }) = &told
            && !values.is_empty()
        {
            stage = stage.with_child(form::values(
                &command.name,
                about.unwrap_or(ns::ADMIN),
                values,
            ));
        }
        Ok(Done::with(Answer::Result(Some(stage))))
    }

    async fn run(
        self: &Arc<Self>,
        command: &Command,
        asker: &Asker,
        page: &Page,
        filled: &Element,
    ) -> Result<Told, Fault> {
        let answers = setting::spelled(&*self.gateway, form::answers(filled));
        let answers = form::checked(&page.fields, &answers, asker.lang)?;
        command.work.run(self, asker, answers).await
    }
}

pub(super) fn answer(command: &Command, session: &str, status: &str) -> Element {
    Element::new("command", ns::COMMANDS)
        .with_attr("node", &command.node)
        .with_attr("sessionid", session)
        .with_attr("status", status)
}
