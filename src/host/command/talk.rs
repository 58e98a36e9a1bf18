//! A dialog in a chat with the gateway: one field after the other. `cancel` ends it, `-` leaves
//! what is proposed, or nothing. What is answered is never repeated.

use std::sync::Arc;

use isthmus_gateway::{Dialog, Fault, Field, FieldKind};

use crate::host::contact::{Outcome, Steps, Way};
use crate::host::desk::Desk;
use crate::host::errand::Done;
use crate::host::fault::words;
use crate::host::form::{self, Answers};
use crate::xmpp::jid::BareJid;

impl Desk {
    /// Begins to ask.
    pub(super) async fn talk(self: &Arc<Self>, user: &BareJid) -> Result<Done, Fault> {
        let steps = Steps::new(String::new(), String::new(), self.first_step(user).await?);
        self.keep_steps(user, Way::Chat, Some(&steps)).await?;
        let hint = "I ask one thing after the other; \u{201c}cancel\u{201d} ends it.";
        Ok(Done::with(
            self.words(format!("{hint}\n{}", question(&steps))),
        ))
    }

    /// Takes an answer; `None`: nothing was asked.
    pub(super) async fn answered(
        self: &Arc<Self>,
        user: &BareJid,
        body: &str,
    ) -> Result<Option<Done>, Fault> {
        let Some(mut steps) = self.steps(user, Way::Chat).await? else {
            return Ok(None);
        };
        let body = body.trim();
        if body.eq_ignore_ascii_case("cancel") {
            self.keep_steps(user, Way::Chat, None).await?;
            let text = "cancelled; nothing was changed".to_owned();
            return Ok(Some(Done::with(self.words(text))));
        }
        let first = steps.asked.len() == 1;
        let open = steps.open();
        if let Some(field) = next(&open, &steps.given) {
            if let Err(fault) = self.taken(user, field, body, first, &mut steps.given).await {
                return Ok(Some(self.again(&steps, &fault)));
            }
            if next(&open, &steps.given).is_some() {
                self.keep_steps(user, Way::Chat, Some(&steps)).await?;
                return Ok(Some(Done::with(self.words(question(&steps)))));
            }
        }
        match self.step(user, &open, &steps.given, first).await {
            Ok(Outcome::Next(more)) => {
                steps.ask(more)?;
                self.keep_steps(user, Way::Chat, Some(&steps)).await?;
                Ok(Some(Done::with(self.words(question(&steps)))))
            }
            Ok(Outcome::Over { text, fresh }) => {
                self.keep_steps(user, Way::Chat, None).await?;
                let done = Done::with(self.words(text));
                let (hub, user) = (Arc::clone(&self.hub), user.clone());
                Ok(Some(match fresh {
                    // XEP-0100 §4.1.1
                    true => done.then(move |_| hub.welcome(&user)),
                    false => done,
                }))
            }
            Err(fault) => {
                // All of this step is asked again: which answer was wrong only the network knows.
                steps.given.clear();
                self.keep_steps(user, Way::Chat, Some(&steps)).await?;
                Ok(Some(self.again(&steps, &fault)))
            }
        }
    }

    /// Takes the answer to one field.
    async fn taken(
        &self,
        user: &BareJid,
        field: &Field,
        body: &str,
        first: bool,
        given: &mut Answers,
    ) -> Result<(), Fault> {
        let value = match (body, field.kind) {
            ("-", _) => field.value.clone().unwrap_or_default(),
            (yes, FieldKind::Bool) if yes.eq_ignore_ascii_case("yes") => "true".to_owned(),
            (no, FieldKind::Bool) if no.eq_ignore_ascii_case("no") => "false".to_owned(),
            _ => body.to_owned(),
        };
        let account = match first {
            true => self.account(user).await?,
            false => None,
        };
        let answer = Answers::from([(field.name.clone(), value.clone())]);
        let stored = account.as_ref().map(|account| &account.fields);
        form::check(std::slice::from_ref(field), &answer, stored)?;
        given.insert(field.name.clone(), value);
        Ok(())
    }

    fn again(&self, steps: &Steps, fault: &Fault) -> Done {
        Done::with(self.words(format!("{}\n{}", words(fault), question(steps))))
    }
}

/// The field that is to be answered next.
fn next<'a>(open: &'a Dialog, given: &Answers) -> Option<&'a Field> {
    let asks = |field: &&Field| field.kind != FieldKind::Note && !given.contains_key(&field.name);
    open.fields.iter().find(asks)
}

/// What is asked next, with what is to be read before it.
fn question(steps: &Steps) -> String {
    let open = steps.open();
    let mut lines = Vec::new();
    if steps.given.is_empty() {
        lines.extend(Some(open.title.clone()).filter(|title| !title.is_empty()));
        let notes = open.fields.iter().filter(|it| it.kind == FieldKind::Note);
        lines.extend(notes.map(|it| it.value.clone().unwrap_or_else(|| it.label.clone())));
    }
    lines.push(match next(&open, &steps.given) {
        Some(field) => line(field),
        None => "Write anything to go on.".to_owned(),
    });
    lines.join("\n")
}

fn line(field: &Field) -> String {
    let mut line = field.label.clone();
    if field.kind == FieldKind::Bool {
        line.push_str(" (yes or no)");
    }
    if !field.options.is_empty() {
        let options = field.options.iter();
        let options = options.map(|(value, label)| format!("{value}: {label}"));
        line.push_str(&format!(" ({})", options.collect::<Vec<_>>().join(", ")));
    }
    match &field.value {
        Some(value) if field.kind != FieldKind::Secret => {
            line.push_str(&format!(" [- for \u{201c}{value}\u{201d}]"));
        }
        _ if !field.required => line.push_str(" [- for none]"),
        _ => {}
    }
    line + "?"
}
