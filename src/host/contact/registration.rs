//! XEP-0077 in-band registration: a user's account on the foreign network (XEP-0100 §4.1 to 4.3).
//!
//! What is asked is the gateway's (`Manifest::register`), and so is the word on what was answered
//! (`Gateway::dialog`). Here stand the two shapes of the question, legacy fields and a form, and
//! what is kept: the account, sealed, and for an account with a `line` who is reached through it.
//!
//! A form has no steps: where the network asks something more, the user is pointed to the command
//! that has (`command::steps`).

use std::sync::Arc;

use isthmus_gateway::{Account, Fault, FaultKind, Field, FieldKind};

use super::steps::{Outcome, REGISTER, Steps, Way};

use crate::host::archive;
use crate::host::command::Asker;
use crate::host::courier::line_name;
use crate::host::desk::{Desk, asked, store_fault};
use crate::host::errand::{Answer, Done};
use crate::host::fault;
use crate::host::form::{self, Answers};
use crate::host::reply::Origin;
use crate::host::words::{Denial, Label, Lang, Phrase};
use crate::secret::Secret;
use crate::store::{Store, StoreFault};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// The name under which accounts are sealed.
const ACCOUNT: &str = "account";

/// The field by whose value a foreign sender finds the users of a line.
const LINE: &str = "line";

/// Fields that `jabber:iq:register` has without a form (XEP-0077 §14.1).
const LEGACY: [&str; 15] = [
    "username", "nick", "password", "name", "first", "last", "email", "address", "city", "state",
    "zip", "phone", "url", "date", "misc",
];

/// The account of a user, if he has registered.
pub(crate) async fn account_of(
    store: Arc<dyn Store>,
    user: BareJid,
    domain: String,
) -> Result<Option<Account>, StoreFault> {
    let sealed = store.unseal(user.as_str(), &domain, ACCOUNT).await?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let account = serde_json::from_str(sealed.expose());
    // The words of the error would quote what was sealed.
    Ok(account
        .inspect_err(|_| tracing::error!(%user, "a sealed account cannot be read"))
        .ok())
}

impl Desk {
    /// Answers a get or set of `jabber:iq:register`.
    pub(crate) fn register(self: &Arc<Self>, origin: Origin, asker: Asker, query: Option<Element>) {
        let desk = Arc::clone(self);
        self.errands.run(origin, async move {
            let asker = desk.in_language(asker);
            let user = asker.user.clone();
            let done = match query {
                None => desk.shown(&user, asker.lang).await.map(Done::with),
                Some(query) if query.child("remove", ns::REGISTER).is_some() => {
                    desk.removed(&user, &query).await
                }
                Some(query) => desk.registered(&asker, &query).await,
            };
            done.unwrap_or_else(Done::with).in_lang(asker.lang)
        });
    }

    /// What there is to answer, and what was (§3.1).
    async fn shown(&self, user: &BareJid, lang: Lang) -> Result<Answer, Fault> {
        let account = self.account(user).await?;
        let fields = self.fields(account.as_ref());
        let mut query = Element::new("query", ns::REGISTER);
        if account.is_some() {
            query = query.with_child(Element::new("registered", ns::REGISTER));
        }
        let name = self.name();
        let words = lang.tell(Label::Registration, &[&name]);
        let instructions = Element::new("instructions", ns::REGISTER).with_text(&words);
        query = query.with_child(instructions);
        for field in &fields {
            if let Some(legacy) = LEGACY.iter().find(|&&legacy| legacy == field.name) {
                let shown = field.value.as_deref().unwrap_or_default();
                query = query.with_child(Element::new(legacy, ns::REGISTER).with_text(shown));
            }
        }
        let form = form::ask(&name, &words, Some(ns::REGISTER), &fields, lang);
        Ok(Answer::Result(Some(query.with_child(form))))
    }

    /// The questions, with what was answered before; secrets are left out.
    pub(super) fn fields(&self, account: Option<&Account>) -> Vec<Field> {
        let mut fields = self.gateway.manifest().register.clone();
        for field in &mut fields {
            if field.kind.is_secret() {
                field.value = None;
            } else if let Some(account) = account.filter(|_| field.kind != FieldKind::Note) {
                field.value = account.fields.get(&field.name).cloned();
            }
        }
        fields
    }

    /// Registers, or changes what was registered (§3.1.1).
    async fn registered(&self, asker: &Asker, query: &Element) -> Result<Done, Fault> {
        let user = &asker.user;
        let given = match query.child("x", ns::DATA_FORMS) {
            Some(form) if form.attr("type") == Some("cancel") => {
                return Ok(Done::with(Answer::Result(None)));
            }
            // §6: who fills in the form has his other fields ignored.
            Some(form) => form::answers(form),
            None => legacy_answers(query),
        };
        let first = self.registration(user).await?;
        let steps = Steps::new(String::new(), asker, REGISTER, first);
        match self.step(asker, &steps, &given).await? {
            Outcome::Next(_) => {
                let text = Denial::DialogMore.with(&[self.outbox.domain()]);
                Err(fault::of(FaultKind::Unsupported, text))
            }
            Outcome::Over { fresh, .. } => {
                let done = Done::with(Answer::Result(None));
                if !fresh {
                    return Ok(done);
                }
                // XEP-0100 §4.1.1
                let (hub, user) = (Arc::clone(&self.hub), user.clone());
                Ok(done.then(move |_| hub.welcome(&user)))
            }
        }
    }

    /// Keeps an account (`None`: the one that holds, or an empty one); whether there was none.
    pub(super) async fn keep(
        &self,
        user: &BareJid,
        account: Option<Account>,
    ) -> Result<bool, Fault> {
        let _alone = self.changes.lock().await;
        let before = self.account(user).await?;
        let fresh = before.is_none();
        let account = account.or_else(|| before.clone()).unwrap_or_default();
        let sealed = serde_json::to_string(&account).map_err(|error| fault::ours(&error))?;
        let user_number = self.shared.user_number(user);
        let added = self.shared.store.user_add(user.as_str(), user_number);
        added.await.map_err(|fault| store_fault(&fault))?;
        self.replace(user, before.as_ref(), Some(&account), &Secret::new(sealed))
            .await?;
        Ok(fresh)
    }

    /// Removes the registration of a bare JID (§3.2).
    async fn removed(&self, user: &BareJid, query: &Element) -> Result<Done, Fault> {
        if query.children().count() != 1 {
            let text = Denial::RemovalAlone;
            return Err(fault::of(FaultKind::BadRequest, text));
        }
        if self.account(user).await?.is_none() {
            let text = Denial::NotRegistered;
            return Err(fault::of(FaultKind::NotRegistered, text));
        }
        self.erase(user).await?;
        // XEP-0100 §4.3.1
        let (hub, user) = (Arc::clone(&self.hub), user.clone());
        Ok(Done::with(Answer::Result(None)).then(move |_| hub.farewell_to(&user)))
    }

    /// Forgets all that a user has here: account, settings, archives, messages that wait, sessions.
    pub(crate) async fn erase(&self, user: &BareJid) -> Result<(), Fault> {
        let known = self.shared.user(user);
        asked(self.gateway.forget(&known)).await?;
        let _alone = self.changes.lock().await;
        let before = self.account(user).await?;
        self.replace(user, before.as_ref(), None, &Secret::new(""))
            .await?;
        self.forget_settings(user).await?;
        for way in [Way::Command, Way::Chat] {
            self.keep_steps(user, way, None).await?;
        }
        self.questions.forget(user);
        if let Some(domain) = self.domain.upgrade() {
            domain.unregistered(user);
        }
        if let Some(courier) = &self.courier {
            courier.empty(user).await;
        }
        if let Some(domain) = self.domain.upgrade() {
            // What they still archive would come behind the removal.
            domain.gone(user).await;
        }
        self.forget_archives(user).await;
        self.forget_attachments(user).await;
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let forgotten = store.forget(user.as_str(), domain).await;
        forgotten.map_err(|fault| store_fault(&fault))
    }

    /// His files go, but for those that are somebody else's, too.
    async fn forget_attachments(&self, user: &BareJid) {
        let Some(attachments) = self.shared.attachments() else {
            return;
        };
        let (user, domain) = (user.to_string(), self.outbox.domain().to_owned());
        let gone = tokio::task::spawn_blocking(move || attachments.disown(&user, &domain));
        if let Ok(Err(fault)) = gone.await {
            tracing::error!(%fault, "files of a user who is gone stay");
        }
    }

    /// Who goes leaves nothing behind.
    async fn forget_archives(&self, user: &BareJid) {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let erased = match store.archives(user.as_str(), domain, None).await {
            Ok(kept) => archive::erase(&self.shared, &kept).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = erased {
            tracing::error!(%fault, %user, "the archives of a user who has gone are kept");
        }
    }

    pub(crate) async fn account(&self, user: &BareJid) -> Result<Option<Account>, Fault> {
        let (store, domain) = (self.shared.store(), self.outbox.domain().to_owned());
        let account = account_of(store, user.clone(), domain).await;
        account.map_err(|fault| store_fault(&fault))
    }

    /// Puts an account in the place of another, and the user on his line. To be called by one task
    /// at a time.
    async fn replace(
        &self,
        user: &BareJid,
        before: Option<&Account>,
        after: Option<&Account>,
        sealed: &Secret,
    ) -> Result<(), Fault> {
        let line = |account: Option<&Account>| {
            let line = account
                .and_then(|account| account.fields.get(LINE))
                .cloned();
            line.filter(|line| !line.is_empty())
        };
        let (old, new) = (line(before), line(after));
        // The store keeps the order: the lines are on disk when the account is. Cut in between,
        // the same request leads to the same end.
        self.change_lines(user, old.as_deref(), new.as_deref())
            .await?;
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let kept = store.seal(user.as_str(), domain, ACCOUNT, sealed).await;
        if let Err(fault) = &kept {
            tracing::error!(%fault, %user, "an account could not be kept");
            // The old account holds, and so does its line.
            self.change_lines(user, new.as_deref(), old.as_deref())
                .await?;
        }
        if let Some(courier) = &self.courier {
            courier.account_changed(user);
        }
        kept.map_err(|fault| store_fault(&fault))
    }

    async fn change_lines(
        &self,
        user: &BareJid,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<(), Fault> {
        if old != new
            && let Some(old) = old
        {
            let mut users = self.users_of(old).await?;
            users.retain(|it| it != user.as_str());
            self.keep_users(old, &users);
        }
        if let Some(new) = new {
            let mut users = self.users_of(new).await?;
            if !users.iter().any(|it| it == user.as_str()) {
                users.push(user.to_string());
                self.keep_users(new, &users);
            }
        }
        Ok(())
    }

    async fn users_of(&self, line: &str) -> Result<Vec<String>, Fault> {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let kept = store.kept("", domain, &line_name(line)).await;
        let kept = kept.map_err(|fault| store_fault(&fault))?;
        Ok(kept
            .and_then(|kept| serde_json::from_slice(&kept).ok())
            .unwrap_or_default())
    }

    fn keep_users(&self, line: &str, users: &[String]) {
        let value = serde_json::to_vec(users).ok().filter(|_| !users.is_empty());
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        store.keep("", domain, &line_name(line), value);
    }
}

/// The fields of a client that knows no forms.
fn legacy_answers(query: &Element) -> Answers {
    let fields = query.children().filter(|it| it.ns() == ns::REGISTER);
    fields
        .map(|it| (it.name().to_owned(), it.text().into_owned()))
        .collect()
}
