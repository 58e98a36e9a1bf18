//! The gateway as a whole (XEP-0133 §4.23, 4.31): words to all, its end; and `reload`, as scripts
//! of other gateways call it.
//!
//! `shutdown` ends the gateway that is asked; others that the program serves go on, and the program
//! ends with the last.

use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use super::{Answers, Asked, Asker, Ended, Row, Told, Work, asks, host, text};
use crate::component::Class;
use crate::host::desk::Desk;
use crate::host::fault;
use crate::host::operate::Reloaded;
use crate::host::post::head;
use crate::host::words::{Lang, Phrase, Text};
use crate::xmpp::write::{Sender, StanzaName};

/// Delays before the end, in seconds, as the specification has them.
const DELAYS: [&str; 7] = ["30", "60", "90", "120", "180", "240", "300"];
/// `FORM_TYPE` of what came of reading the configuration again.
const RELOADED: &str = "https://isthmus.im/reload";

pub(super) const COMMANDS: &[Row] = &[
    Row(
        "#announce",
        Text::Announce,
        "announce",
        Work::Asking(what, announce),
    ),
    Row(
        "#shutdown",
        Text::Shutdown,
        "shutdown",
        Work::Asking(when, shutdown),
    ),
    Row("reload", Text::Reload, "reload", Work::Plain(reload)),
];

fn what(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let say = |text| asker.lang.say(text);
    asks(vec![
        Field::new("announcement", say(Text::Announcement), FieldKind::Lines).required(),
        Field::new("subject", say(Text::Subject), FieldKind::Text),
    ])
}

fn announce(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, lang) = (Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let (words, subject) = (text(&answers, "announcement"), text(&answers, "subject"));
        let number = tell_all(&desk, words, subject)?.to_string();
        Ok(Told::words(lang.tell(Text::Announced, &[&number])))
    })
}

/// Says something to everybody who is there; returns how many.
fn tell_all(desk: &Desk, words: &str, subject: &str) -> Result<usize, Fault> {
    let users = host(desk)?.users();
    for user in &users {
        let id = format!("{:016x}", desk.shared.next_session());
        let (name, from) = (StanzaName::Message, Sender::default());
        let head = head(name, from, user.as_str(), Some("headline"), Some(&id));
        desk.outbox.push(|batch| {
            batch.stanza(Class::Message, head, |xml| {
                if !subject.is_empty() {
                    xml.text_element("subject", subject);
                }
                xml.text_element("body", words);
            });
        });
    }
    Ok(users.len())
}

fn when(_: &Arc<Desk>, asker: &Asker) -> Asked {
    let lang = asker.lang;
    let labels = DELAYS.map(|seconds| {
        let number: u32 = seconds.parse().unwrap_or_default();
        match number {
            120.. => lang.tell(Text::Minutes, &[&(number / 60).to_string()]),
            _ => lang.tell(Text::Seconds, &[seconds]),
        }
    });
    let options: Vec<_> = DELAYS
        .into_iter()
        .zip(labels.iter().map(String::as_str))
        .collect();
    let delay = Field::new("delay", lang.say(Text::ShutdownDelay), FieldKind::Choice);
    let words = Field::new(
        "announcement",
        lang.say(Text::Announcement),
        FieldKind::Lines,
    );
    asks(vec![delay.options(&options).value(DELAYS[0]), words])
}

fn shutdown(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let delay = match text(&answers, "delay") {
            "" => DELAYS[0],
            delay => delay,
        };
        let words = text(&answers, "announcement");
        if !words.is_empty() {
            tell_all(&desk, words, "")?;
        }
        tracing::warn!(user = %asker.user, delay, gateway = desk.outbox.domain(), "shutting down");
        let seconds = delay.parse().unwrap_or_default();
        host(&desk)?.end_after(Duration::from_secs(seconds));
        Ok(Told::words(asker.lang.tell(Text::ShutdownIn, &[delay])))
    })
}

fn reload(desk: &Arc<Desk>, asker: &Asker, _: Answers) -> Ended {
    let (desk, asker) = (Arc::clone(desk), asker.clone());
    Box::pin(async move {
        let Some(program) = desk.shared.reload() else {
            return Err(fault::bare(FaultKind::Unsupported));
        };
        tracing::info!(user = %asker.user, "asked to read the configuration again");
        match program.reload().await {
            Ok(reloaded) => Ok(told(reloaded, asker.lang)),
            Err(problems) => {
                let text = Text::NotReloaded.with(&[&problems.join("; ")]);
                Err(fault::of(FaultKind::NotExpressible, text))
            }
        }
    })
}

fn told(reloaded: Reloaded, lang: Lang) -> Told {
    let Reloaded { applied, waiting } = reloaded;
    let list = |keys: &[String]| match keys {
        [] => lang.say(Text::Nothing).to_owned(),
        keys => keys.join(", "),
    };
    Told {
        text: lang.tell(Text::Reloaded, &[&list(&applied), &list(&waiting)]),
        about: Some(RELOADED),
        values: vec![("applied", applied), ("waiting", waiting)],
        ..Told::default()
    }
}
