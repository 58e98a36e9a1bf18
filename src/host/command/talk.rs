//! A dialog in a chat with the gateway, or with a network that asks: one field after the other. `cancel` ends it, `-` leaves
//! what is proposed, or nothing. What is answered is never repeated.

use std::sync::Arc;

use isthmus_gateway::{Dialog, Fault, FaultKind, Field, FieldKind, Kind};

use super::Asker;
use crate::host::contact::{Outcome, Steps, Way};
use crate::host::desk::Desk;
use crate::host::errand::Done;
use crate::host::fault::{self, words};
use crate::host::form::{self, Answers};
use crate::host::words::{Lang, Text};
use crate::xmpp::jid::BareJid;

impl Desk {
    /// Begins to ask.
    pub(super) async fn talk(
        self: &Arc<Self>,
        asker: &Asker,
        node: &str,
        rest: &[String],
    ) -> Result<Done, Fault> {
        let first = match self.first_step(asker, node).await? {
            Outcome::Over { text, .. } => {
                return Ok(Done::with(self.words(asker.lang.pick(&text).to_owned())));
            }
            Outcome::Next(first) => first,
        };
        // Any device goes on with it.
        let mut steps = Steps::new(String::new(), asker, node, first);
        steps.peer.clear();
        if !rest.is_empty() || asker.at.kind != Kind::Gateway {
            return self.answered_at_once(asker, &steps, rest).await;
        }
        self.keep_steps(&asker.user, Way::Chat, Some(&steps))
            .await?;
        let hint = asker.lang.say(Text::DialogHint);
        let question = question(&steps, asker.lang);
        Ok(Done::with(self.words(format!("{hint}\n{question}"))))
    }

    /// What stands behind the words of a command answers its first questions, in order.
    async fn answered_at_once(
        self: &Arc<Self>,
        asker: &Asker,
        steps: &Steps,
        rest: &[String],
    ) -> Result<Done, Fault> {
        let open = steps.open();
        let asks = open.fields.iter();
        let asks = asks.filter(|field| field.kind != FieldKind::Note);
        let names = asks.map(|field| field.name.clone());
        let given: Answers = names.zip(rest.iter().cloned()).collect();
        match self.step(asker, steps, &given).await? {
            Outcome::Over { text, .. } => {
                Ok(Done::with(self.words(asker.lang.pick(&text).to_owned())))
            }
            Outcome::Next(_) => {
                let text = Text::AsksMore;
                Err(fault::of(FaultKind::Unsupported, text))
            }
        }
    }

    /// A network begins to ask: what its user is told. The dialog is on its way to the disk.
    ///
    /// # Errors
    /// It asks too much.
    pub(crate) fn ask(
        &self,
        user: &BareJid,
        network: &str,
        first: Dialog,
        lang: Lang,
    ) -> Result<String, Fault> {
        let steps = Steps::of_network(first);
        let keeping = self.put_steps(user, Way::Network(network), Some(&steps))?;
        tokio::spawn(async move {
            if let Err(fault) = keeping.await {
                tracing::error!(%fault, "what a network asks is not kept");
            }
        });
        let hint = lang.say(Text::DialogHint);
        Ok(format!("{hint}\n{}", question(&steps, lang)))
    }

    /// Takes an answer; `None`: nothing was asked.
    pub(super) async fn answered(
        self: &Arc<Self>,
        asker: &Asker,
        way: Way<'_>,
        body: &str,
    ) -> Result<Option<Done>, Fault> {
        let (user, lang) = (&asker.user, asker.lang);
        let Some(mut steps) = self.steps(user, way).await? else {
            return Ok(None);
        };
        let body = body.trim();
        if body.eq_ignore_ascii_case("cancel") {
            self.keep_steps(user, way, None).await?;
            let text = lang.say(Text::Cancelled).to_owned();
            return Ok(Some(Done::with(self.words(text))));
        }
        let open = steps.open();
        if let Some(field) = next(&open, &steps.given) {
            if let Err(fault) = self.taken(asker, field, body, &mut steps).await {
                return Ok(Some(self.again(&steps, &fault, lang)));
            }
            if next(&open, &steps.given).is_some() {
                self.keep_steps(user, way, Some(&steps)).await?;
                return Ok(Some(Done::with(self.words(question(&steps, lang)))));
            }
        }
        let given = steps.given.clone();
        match self.step(asker, &steps, &given).await {
            Ok(Outcome::Next(more)) => {
                steps.ask(more)?;
                self.keep_steps(user, way, Some(&steps)).await?;
                Ok(Some(Done::with(self.words(question(&steps, lang)))))
            }
            Ok(Outcome::Over { text, fresh }) => {
                self.keep_steps(user, way, None).await?;
                let done = Done::with(self.words(lang.pick(&text).to_owned()));
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
                self.keep_steps(user, way, Some(&steps)).await?;
                Ok(Some(self.again(&steps, &fault, lang)))
            }
        }
    }

    /// Takes the answer to one field.
    async fn taken(
        &self,
        asker: &Asker,
        field: &Field,
        body: &str,
        steps: &mut Steps,
    ) -> Result<(), Fault> {
        let value = match (body, field.kind) {
            ("-", _) => field.value.clone().unwrap_or_default(),
            (yes, FieldKind::Bool) if yes.eq_ignore_ascii_case("yes") => "true".to_owned(),
            (no, FieldKind::Bool) if no.eq_ignore_ascii_case("no") => "false".to_owned(),
            _ => body.to_owned(),
        };
        let account = match steps.registers() {
            true => self.account(&asker.user).await?,
            false => None,
        };
        let answer = Answers::from([(field.name.clone(), value.clone())]);
        let stored = account.as_ref().map(|account| &account.fields);
        form::check(std::slice::from_ref(field), &answer, stored, asker.lang)?;
        steps.given.insert(field.name.clone(), value);
        Ok(())
    }

    fn again(&self, steps: &Steps, fault: &Fault, lang: Lang) -> Done {
        let question = question(steps, lang);
        Done::with(self.words(format!("{}\n{question}", words(fault, lang))))
    }
}

/// The field that is to be answered next.
fn next<'a>(open: &'a Dialog, given: &Answers) -> Option<&'a Field> {
    let asks = |field: &&Field| field.kind != FieldKind::Note && !given.contains_key(&field.name);
    open.fields.iter().find(asks)
}

/// What is asked next, with what is to be read before it.
fn question(steps: &Steps, lang: Lang) -> String {
    let open = steps.open();
    let mut lines = Vec::new();
    if steps.given.is_empty() {
        lines.extend(Some(lang.pick(&open.title)).filter(|title| !title.is_empty()));
        let notes = open.fields.iter().filter(|it| it.kind == FieldKind::Note);
        lines.extend(notes.map(|it| it.value.as_deref().unwrap_or_else(|| lang.pick(&it.label))));
    }
    let asked = next(&open, &steps.given).map(|field| line(field, lang));
    lines.push(asked.as_deref().unwrap_or(lang.say(Text::WriteAnything)));
    lines.join("\n")
}

fn line(field: &Field, lang: Lang) -> String {
    let mut line = lang.pick(&field.label).to_owned();
    if field.kind == FieldKind::Bool {
        line.push_str(&format!(" ({})", lang.say(Text::YesOrNo)));
    }
    if !field.options.is_empty() {
        let options = field.options.iter();
        let options = options.map(|(value, label)| format!("{value}: {}", lang.pick(label)));
        line.push_str(&format!(" ({})", options.collect::<Vec<_>>().join(", ")));
    }
    match &field.value {
        Some(value) if !field.kind.is_secret() => {
            let dash = lang.tell(Text::DashKeeps, &[value]);
            line.push_str(&format!(" [{dash}]"));
        }
        _ if !field.required => {
            line.push_str(&format!(" [{}]", lang.say(Text::DashNone)));
        }
        _ => {}
    }
    match line.ends_with('？') {
        true => line,
        false => line + "?",
    }
}
