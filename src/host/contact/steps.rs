//! Dialogs of several steps: what is asked after what, and what came of it.
//!
//! The gateway says what comes next (`Gateway::dialog`); between steps everything is kept here,
//! sealed, for answers hold secrets: a restart of the program ends no dialog. A user has one dialog
//! in each way of asking, and one that each network began; another begins in its place.
//!
//! Not here: how a question looks (`command::steps` for XEP-0050, `command::talk` for a chat).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use isthmus_gateway::{Dialog, Fault, FaultKind, Step, Words};
use serde::{Deserialize, Serialize};

use crate::host::command::Asker;
use crate::host::desk::{Desk, asked, registers, store_fault};
use crate::host::fault;
use crate::host::form::{self, Answers};
use crate::host::shared::now_ms;
use crate::host::words::Denial;
use crate::secret::Secret;
use crate::store::{Later, StoreFault};
use crate::xmpp::jid::BareJid;

/// The command that registers.
pub(super) const REGISTER: &str = "register";
/// How long a dialog waits for an answer, in milliseconds.
const LIFE: i64 = 30 * 60_000;
/// The same of one that a network began: its user may be away.
const LIFE_ASKED: i64 = 24 * 60 * 60_000;
/// Questions that may follow each other.
const MOST: usize = 32;
/// The bytes of a dialog.
const MOST_BYTES: usize = 262_144;

/// How a dialog is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way<'a> {
    /// By ad-hoc command.
    Command,
    /// By chat.
    Chat,
    /// By chat, begun by this network.
    Network(&'a str),
}

impl Way<'_> {
    /// The name under which the dialog is sealed.
    fn name(self) -> String {
        match self {
            Self::Command => "dialog command".to_owned(),
            Self::Chat => "dialog chat".to_owned(),
            Self::Network(network) => format!("dialog network {network}"),
        }
    }

    /// How long such a dialog waits for an answer, in milliseconds.
    fn life(self) -> i64 {
        match self {
            Self::Command | Self::Chat => LIFE,
            Self::Network(_) => LIFE_ASKED,
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

    /// A dialog that a network began with that question.
    pub(crate) fn of_network(first: Dialog) -> Self {
        Self {
            asked: vec![first],
            ..Self::default()
        }
    }

    /// Whether a network began it.
    fn is_of_network(&self) -> bool {
        self.node.is_empty()
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
        self.stepped_on(asker, begin, false).await
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
        let step = Dialog { fields, ..open };
        self.stepped_on(asker, step, steps.is_of_network()).await
    }

    /// Hands the gateway a step. What it says of an account holds.
    async fn stepped_on(
        &self,
        asker: &Asker,
        step: Dialog,
        of_network: bool,
    ) -> Result<Outcome, Fault> {
        let mut known = self.shared.user(&asker.user);
        asker.lang.tag().clone_into(&mut known.lang);
        let at = step.at.clone();
        let no_account = of_network || self.offers(&step.name);
        match asked(self.gateway.dialog(&known, step)).await? {
            Step::Next(next) => Ok(Outcome::Next(Dialog {
                at: next.at.or(at),
                ..next
            })),
            Step::Done {
                account: None,
                text,
            } if no_account => Ok(Outcome::Over { text, fresh: false }),
            Step::Done { text, .. } if of_network && !registers(&*self.gateway) => {
                Ok(Outcome::Over { text, fresh: false })
            }
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
    pub(crate) async fn steps(&self, user: &BareJid, way: Way<'_>) -> Result<Option<Steps>, Fault> {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let kept = store.unseal(user.as_str(), domain, &way.name()).await;
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
        way: Way<'_>,
        steps: Option<&Steps>,
    ) -> Result<(), Fault> {
        let kept = self.put_steps(user, way, steps)?.await;
        kept.map_err(|fault| store_fault(&fault))
    }

    /// The same where the store is not waited for.
    pub(crate) fn put_steps(
        &self,
        user: &BareJid,
        way: Way<'_>,
        steps: Option<&Steps>,
    ) -> Result<Later<Result<(), StoreFault>>, Fault> {
        let until = now_ms() + way.life();
        let sealed = match steps {
            None => String::new(),
            Some(steps) => {
                let steps = Steps {
                    until,
                    ..steps.clone()
                };
                serde_json::to_string(&steps).map_err(|error| fault::ours(&error))?
            }
        };
        if sealed.len() > MOST_BYTES {
            return Err(fault::of(FaultKind::Internal, Denial::DialogEndless));
        }
        if let Way::Network(network) = way {
            self.questions.note(user, network, steps.map(|_| until));
        }
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        Ok(store.seal(user.as_str(), domain, &way.name(), &Secret::new(sealed)))
    }

    /// Learns whether a network's question was open when the program ended.
    pub(crate) async fn recall(&self, user: &BareJid, network: &str) {
        match self.steps(user, Way::Network(network)).await {
            Ok(steps) => {
                let until = steps.map(|steps| steps.until);
                self.questions.note(user, network, until);
            }
            Err(fault) => tracing::error!(%fault, "what a network asks cannot be read"),
        }
    }
}

/// Who is asked something by a network at the moment: what he says to it is no line for it.
#[derive(Default)]
pub(crate) struct Questions(Mutex<HashMap<(BareJid, Box<str>), i64>>);

impl Questions {
    /// Whether an answer is waited for.
    pub(crate) fn has(&self, user: &BareJid, network: &str) -> bool {
        let until = self.open().get(&(user.clone(), network.into())).copied();
        until.is_some_and(|until| until > now_ms())
    }

    /// Notes until when an answer is waited for; `None`: it is not.
    fn note(&self, user: &BareJid, network: &str, until: Option<i64>) {
        let (mut open, now) = (self.open(), now_ms());
        open.retain(|_, until| *until > now);
        let key = (user.clone(), network.into());
        match until {
            Some(until) => open.insert(key, until),
            None => open.remove(&key),
        };
    }

    /// Nobody asks the user anything any more.
    pub(crate) fn forget(&self, user: &BareJid) {
        self.open().retain(|(whose, _), _| whose != user);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(BareJid, Box<str>), i64>> {
        // One entry is changed at a time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
