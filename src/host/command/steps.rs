//! A dialog of several steps as an ad-hoc command (XEP-0050 1.3 §3.4): `next`, `prev`, `complete`,
//! `cancel`. Which step is the last is known when it is answered, so `next` is what is offered and
//! `complete` means the same.
//!
//! What the gateway does not accept is asked again, with its words as a note.

use std::sync::Arc;

use isthmus_gateway::Fault;

use super::adhoc::{Action, answer, bad};
use super::{Asker, Command};
use crate::host::contact::{Outcome, Steps, Way};
use crate::host::desk::Desk;
use crate::host::errand::{Answer, Done};
use crate::host::fault::words;
use crate::host::form;
use crate::host::words::{Lang, Phrase, Text};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

impl Desk {
    /// Answers what is asked of a dialog.
    pub(super) async fn stepped(
        self: &Arc<Self>,
        command: &Command,
        asker: &Asker,
        action: Action,
    ) -> Result<Done, Answer> {
        match action {
            Action::Begin => self.open_steps(command, asker).await,
            Action::Finish { session, form, .. } => {
                self.next_step(command, asker, &session, form).await
            }
            Action::Prev { session } => self.previous_step(command, asker, &session).await,
            Action::Cancel { session } => self.cancel_steps(command, asker, &session).await,
        }
    }

    async fn open_steps(&self, command: &Command, asker: &Asker) -> Result<Done, Answer> {
        let session = format!("{:016x}", self.shared.next_session());
        match self.first_step(asker, &command.node).await? {
            Outcome::Over { text, .. } => Ok(over(command, &session, asker.lang.pick(&text))),
            Outcome::Next(first) => {
                let steps = Steps::new(session, asker, &command.node, first);
                self.keep_steps(&asker.user, Way::Command, Some(&steps))
                    .await?;
                Ok(asks(command, &steps, None, asker.lang))
            }
        }
    }

    /// The dialog of that session, which belongs to who began it, and where.
    async fn session(
        &self,
        command: &Command,
        asker: &Asker,
        session: &str,
    ) -> Result<Steps, Answer> {
        let steps = self.steps(&asker.user, Way::Command).await?;
        let steps = steps.filter(|steps| {
            steps.session == session && steps.belongs_to(asker) && steps.node == command.node
        });
        steps.ok_or_else(|| bad("bad-sessionid", Text::DialogOver))
    }

    async fn next_step(
        &self,
        command: &Command,
        asker: &Asker,
        session: &str,
        filled: Option<Element>,
    ) -> Result<Done, Answer> {
        let mut steps = self.session(command, asker, session).await?;
        let Some(filled) = filled else {
            return Err(bad("bad-payload", Text::FormMissing));
        };
        if !form::is_of(&filled, None) {
            return Err(bad("bad-payload", Text::BadForm));
        }
        let given = form::answers(&filled);
        // What is left out is asked again; what answers none of the questions is no answer.
        if let Some(name) = form::not_asked(&steps.open().fields, &given) {
            return Err(bad("bad-payload", Text::NotAsked.with(&[name])));
        }
        let user = &asker.user;
        match self.step(asker, &steps, &given).await {
            Ok(Outcome::Next(next)) => {
                steps.ask(next)?;
                self.keep_steps(user, Way::Command, Some(&steps)).await?;
                Ok(asks(command, &steps, None, asker.lang))
            }
            Ok(Outcome::Over { text, fresh }) => {
                self.keep_steps(user, Way::Command, None).await?;
                let done = over(command, session, asker.lang.pick(&text));
                if !fresh {
                    return Ok(done);
                }
                // XEP-0100 §4.1.1
                let (hub, user) = (Arc::clone(&self.hub), user.clone());
                Ok(done.then(move |_| hub.welcome(&user)))
            }
            Err(fault) => Ok(asks(command, &steps, Some(&fault), asker.lang)),
        }
    }

    async fn previous_step(
        &self,
        command: &Command,
        asker: &Asker,
        session: &str,
    ) -> Result<Done, Answer> {
        let mut steps = self.session(command, asker, session).await?;
        if steps.asked.len() < 2 {
            return Err(bad("bad-action", Text::FirstPage));
        }
        steps.asked.pop();
        self.keep_steps(&asker.user, Way::Command, Some(&steps))
            .await?;
        Ok(asks(command, &steps, None, asker.lang))
    }

    async fn cancel_steps(
        &self,
        command: &Command,
        asker: &Asker,
        session: &str,
    ) -> Result<Done, Answer> {
        self.session(command, asker, session).await?;
        self.keep_steps(&asker.user, Way::Command, None).await?;
        let stage = answer(command, session, "canceled");
        Ok(Done::with(Answer::Result(Some(stage))))
    }
}

/// A dialog that has ended well.
fn over(command: &Command, session: &str, text: &str) -> Done {
    let stage = answer(command, session, "completed").with_child(note("info", text));
    Done::with(Answer::Result(Some(stage)))
}

/// The open question, with why the last answer was not accepted.
fn asks(command: &Command, steps: &Steps, fault: Option<&Fault>, lang: Lang) -> Done {
    let open = steps.open();
    let mut actions = Element::new("actions", ns::COMMANDS).with_attr("execute", "next");
    if steps.asked.len() > 1 {
        actions = actions.with_child(Element::new("prev", ns::COMMANDS));
    }
    actions = actions.with_child(Element::new("next", ns::COMMANDS));
    let mut stage = answer(command, &steps.session, "executing").with_child(actions);
    if let Some(fault) = fault {
        stage = stage.with_child(note("error", words(fault, lang)));
    }
    let form = form::ask(lang.pick(&open.title), "", None, &open.fields, lang);
    Done::with(Answer::Result(Some(stage.with_child(form))))
}

fn note(kind: &str, text: &str) -> Element {
    let note = Element::new("note", ns::COMMANDS).with_attr("type", kind);
    note.with_text(text)
}
