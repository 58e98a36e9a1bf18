//! Dialogs of several steps: what is asked after what, and what came of it.
//!
//! The gateway says what comes next (`Gateway::dialog`); between steps everything is kept here,
//! sealed, for answers hold secrets: a restart of the program ends no dialog. A user has one dialog
//! in each way of asking; another begins in its place.
//!
//! Not here: how a question looks (`command::steps` for XEP-0050, `command::talk` for a chat).

use isthmus_gateway::{Dialog, Fault, FaultKind, Step, Words};
use serde::{Deserialize, Serialize};

use crate::host::command::Asker;
use crate::host::desk::{Desk, asked, store_fault};
use crate::host::fault;
use crate::host::form::{self, Answers};
use crate::host::shared::now_ms;
use crate::host::words::Denial;
use crate::secret::Secret;
use crate::xmpp::jid::BareJid;

/// The command that registers.
pub(super) const REGISTER: &str = "register";
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
    /// Where: a bare JID.
    #[serde(default)]
    jid: String,
    /// The command it is.
    #[serde(default)]
    pub(crate) node: String,
    /// What was asked, in order; the last is open.
    pub(crate) asked: Vec<Dialog>,
    /// What was answered of the open one already.
    #[serde(default)]
    pub(crate) given: Answers,
    until: i64,
}

impl Steps {
    /// A dialog that begins with that question.
    pub(crate) fn new(session: String, asker: &Asker, node: &str, first: Dialog) -> Self {
        Self {
            session,
            peer: asker.peer.clone(),
            jid: asker.jid.clone(),
            node: node.to_owned(),
            asked: vec![first],
            given: Answers::new(),
            until: 0,
        }
    }

    /// Whether it was begun by this resource, there.
    pub(crate) fn belongs_to(&self, asker: &Asker) -> bool {
        self.peer == asker.peer && self.jid == asker.jid
    }

    /// Whether the open question is the first of a registration.
    pub(crate) fn registers(&self) -> bool {
        self.node == REGISTER && self.asked.len() == 1
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
            let text = Denial::DialogEndless;
            return Err(fault::of(FaultKind::Internal, text));
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
        text: Words,
        /// There was no account.
        fresh: bool,
    },
}

impl Desk {
    /// The first question of a command with steps; one that asks nothing is over with it.
    pub(crate) async fn first_step(&self, asker: &Asker, node: &str) -> Result<Outcome, Fault> {
        if node == REGISTER {
            return Ok(Outcome::Next(self.registration(&asker.user).await?));
        }
        let begin = Dialog {
            name: node.to_owned(),
            at: Some(asker.at.clone()),
            ..Dialog::default()
        };
        self.stepped_on(asker, begin).await
    }

    /// The question of a registration.
    pub(super) async fn registration(&self, user: &BareJid) -> Result<Dialog, Fault> {
        let account = self.account(user).await?;
        Ok(Dialog {
            name: REGISTER.to_owned(),
            title: self.name().into(),
            fields: self.fields(account.as_ref()),
            ..Dialog::default()
        })
    }

    /// Hands the gateway the answers to a question.
    pub(crate) async fn step(
        &self,
        asker: &Asker,
        steps: &Steps,
        given: &Answers,
    ) -> Result<Outcome, Fault> {
        let before = match steps.registers() {
            true => self.account(&asker.user).await?,
            false => None,
        };
        let stored = before.as_ref().map(|account| &account.fields);
        let open = steps.open();
        let fields = form::check(&open.fields, given, stored, asker.lang)?;
        self.stepped_on(asker, Dialog { fields, ..open }).await
    }

    /// Hands the gateway a step. What it says of an account holds.
    async fn stepped_on(&self, asker: &Asker, step: Dialog) -> Result<Outcome, Fault> {
        let mut known = self.shared.user(&asker.user);
        asker.lang.tag().clone_into(&mut known.lang);
        let (at, offered) = (step.at.clone(), self.offers(&step.name));
        match asked(self.gateway.dialog(&known, step)).await? {
            Step::Next(next) => Ok(Outcome::Next(Dialog {
                at: next.at.or(at),
                ..next
            })),
            Step::Done {
                account: None,
                text,
            } if offered => Ok(Outcome::Over { text, fresh: false }),
            Step::Done { account, text } => {
                let fresh = self.keep(&asker.user, account).await?;
                Ok(Outcome::Over { text, fresh })
            }
        }
    }

    /// Whether a dialog is a command of the gateway's own, not a registration.
    fn offers(&self, name: &str) -> bool {
        let commands = &self.gateway.manifest().commands;
        commands.iter().any(|command| command.node == name)
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
                serde_json::to_string(&steps).map_err(|error| fault::ours(&error))?
            }
        };
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let sealed = Secret::new(sealed);
        let kept = store.seal(user.as_str(), domain, way.name(), &sealed).await;
        kept.map_err(|fault| store_fault(&fault))
    }
}
