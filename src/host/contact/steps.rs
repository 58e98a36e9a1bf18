//! Dialogs of several steps: what is asked after what, and what came of it.
//!
//! The gateway says what comes next (`Gateway::dialog`); between steps everything is kept here,
//! sealed, for answers hold secrets: a restart of the program ends no dialog. A user has one dialog
//! in each way of asking; another begins in its place.
//!
//! Not here: how a question looks (`command::steps` for XEP-0050, `command::talk` for a chat).

use isthmus_gateway::{Dialog, Fault, FaultKind, Step};
use serde::{Deserialize, Serialize};

use crate::host::desk::{Desk, asked, store_fault};
use crate::host::form::{self, Answers};
use crate::host::shared::now_ms;
use crate::secret::Secret;
use crate::xmpp::jid::BareJid;

/// How long a dialog waits for an answer, in milliseconds.
const LIFE: i64 = 30 * 60_000;
/// Questions that may follow each other.
const MOST: usize = 32;

/// How a dialog is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By ad-hoc command.
    Command,
    /// By chat.
    Chat,
}

impl Way {
    /// The name under which the dialog is sealed.
    fn name(self) -> &'static str {
        match self {
            Self::Command => "dialog command",
            Self::Chat => "dialog chat",
        }
    }
}

/// A dialog that goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Its id, where it has one.
    pub(crate) session: String,
    /// Who began it, where that matters: a full JID.
    pub(crate) peer: String,
    /// What was asked, in order; the last is open.
    pub(crate) asked: Vec<Dialog>,
    /// What was answered of the open one already.
    #[serde(default)]
    pub(crate) given: Answers,
    until: i64,
}

impl Steps {
    /// A dialog that begins with that question.
    pub(crate) fn new(session: String, peer: String, first: Dialog) -> Self {
        Self {
            session,
            peer,
            asked: vec![first],
            given: Answers::new(),
            until: 0,
        }
    }

    /// What is asked.
    pub(crate) fn open(&self) -> Dialog {
        self.asked.last().cloned().unwrap_or_default()
    }

    /// Asks something more.
    ///
    /// # Errors
    /// A network that never stops asking.
    pub(crate) fn ask(&mut self, next: Dialog) -> Result<(), Fault> {
        if self.asked.len() >= MOST {
            let text = "the network asks without end";
            return Err(Fault::new(FaultKind::Internal, text));
        }
        self.asked.push(next);
        self.given.clear();
        Ok(())
    }
}

/// What came of an answer.
pub(crate) enum Outcome {
    /// Something more is asked.
    Next(Dialog),
    /// The user is registered: words for him, and whether he was not before.
    Over {
        /// The gateway's words.
        text: String,
        /// There was no account.
        fresh: bool,
    },
}

impl Desk {
    /// The first question of a registration.
    pub(crate) async fn first_step(&self, user: &BareJid) -> Result<Dialog, Fault> {
        let account = self.account(user).await?;
        Ok(Dialog {
            name: "register".to_owned(),
            title: self.name(),
            fields: self.fields(account.as_ref()),
            ..Dialog::default()
        })
    }

    /// Hands the gateway the answers to a question.
    pub(crate) async fn step(
        &self,
        user: &BareJid,
        open: &Dialog,
        given: &Answers,
        first: bool,
    ) -> Result<Outcome, Fault> {
        let before = match first {
            true => self.account(user).await?,
            false => None,
        };
        let stored = before.as_ref().map(|account| &account.fields);
        let fields = form::check(&open.fields, given, stored)?;
        let step = Dialog {
            fields,
            ..open.clone()
        };
        let known = self.shared.user(user);
        match asked(self.gateway.dialog(&known, step)).await? {
            Step::Next(next) => Ok(Outcome::Next(next)),
            Step::Done { account, text } => {
                let fresh = self.keep(user, account).await?;
                Ok(Outcome::Over { text, fresh })
            }
        }
    }

    /// The dialog that goes on, if one does.
    pub(crate) async fn steps(&self, user: &BareJid, way: Way) -> Result<Option<Steps>, Fault> {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let kept = store.unseal(user.as_str(), domain, way.name()).await;
        let Some(kept) = kept.map_err(|fault| store_fault(&fault))? else {
            return Ok(None);
        };
        // What an older version wrote may not be readable: there is no dialog.
        let steps = serde_json::from_str::<Steps>(kept.expose()).ok();
        Ok(steps.filter(|steps| steps.until > now_ms()))
    }

    /// Keeps a dialog, or ends it.
    pub(crate) async fn keep_steps(
        &self,
        user: &BareJid,
        way: Way,
        steps: Option<&Steps>,
    ) -> Result<(), Fault> {
        let sealed = match steps {
            None => String::new(),
            Some(steps) => {
                let steps = Steps {
                    until: now_ms() + LIFE,
                    ..steps.clone()
                };
                serde_json::to_string(&steps)
                    .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?
            }
        };
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let sealed = Secret::new(sealed);
        let kept = store.seal(user.as_str(), domain, way.name(), &sealed).await;
        kept.map_err(|fault| store_fault(&fault))
    }
}
