//! What a user sets: for the gateway as a whole, for a network, for a room.
//!
//! One table for each address: the gateway's fields (`Gateway::settings`) and the host's own. Who
//! shows it and takes it is elsewhere (`command::settings` by ad-hoc command and by chat, `room` in
//! `muc#owner`); here it is read, checked and kept. What a user has set behind one gateway is one
//! sealed document; a value that equals its default is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use isthmus_gateway::{
    Address, Fault, FaultKind, Field, FieldKind, Gateway, Kind, Settings, Values,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::desk::{Desk, store_fault};
use super::errand::{Answer, Done};
use super::form::{self, Answers};
use super::reply::Origin;
use super::words::{Lang, Text};
use crate::host::fault;
use crate::secret::Secret;
use crate::store::{Store, StoreFault};
use crate::xmpp::jid::BareJid;

/// The name under which the document is sealed.
const SETTINGS: &str = "settings";
/// The most one user may have set behind one gateway, in bytes.
const MOST: usize = 256 * 1024;
/// Addresses one user may block behind one gateway.
const MOST_BLOCKED: usize = 1000;
/// The most messages that can be asked for.
const MOST_HISTORY: i64 = 1000;

/// The language the user wants to be spoken to in.
const LANGUAGE: &str = "language";
/// Whether what is said in rooms is kept.
pub(crate) const RECORD_HISTORY: &str = "record_history";
/// Messages shown on entering a room.
pub(crate) const MAX_HISTORY: &str = "max_history_length";
/// Whether the user stays in a room when his last device has left.
pub(crate) const PERSISTENT: &str = "persistent";

/// Whether the user's picture is shown to others.
pub(crate) const SHOW_AVATAR: &str = "show_avatar";

/// All that a user has set behind one gateway.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    gateway: Values,
    networks: BTreeMap<String, Network>,
    /// Whom he has blocked: localparts.
    blocked: BTreeSet<String>,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Network {
    own: Values,
    rooms: BTreeMap<String, Values>,
}

impl Kept {
    /// What is set of one address.
    fn at(&self, at: &Place) -> Option<&Values> {
        match at {
            Place::Gateway => Some(&self.gateway),
            Place::Network(network) => Some(&self.networks.get(network)?.own),
            Place::Room(network, room) => self.networks.get(network)?.rooms.get(room),
        }
    }

    /// What the levels above an address say.
    fn above(&self, at: &Place, name: &str) -> Option<&str> {
        let network = match at {
            Place::Gateway => return None,
            Place::Network(_) => None,
            Place::Room(network, _) => self.networks.get(network).and_then(|it| it.own.get(name)),
        };
        network
            .or_else(|| self.gateway.get(name))
            .map(String::as_str)
    }

    fn put(&mut self, at: &Place, values: Values) {
        match at {
            Place::Gateway => self.gateway = values,
            Place::Network(network) => {
                self.networks.entry(network.clone()).or_default().own = values;
            }
            Place::Room(network, room) => {
                let network = self.networks.entry(network.clone()).or_default();
                network.rooms.insert(room.clone(), values);
            }
        }
        for network in self.networks.values_mut() {
            network.rooms.retain(|_, values| !values.is_empty());
        }
        self.networks
            .retain(|_, it| !it.own.is_empty() || !it.rooms.is_empty());
    }

    /// Localparts of those he has blocked.
    pub(crate) fn blocked(&self) -> &BTreeSet<String> {
        &self.blocked
    }

    /// What is set for the gateway as a whole.
    pub(crate) fn gateway(&self) -> &Values {
        &self.gateway
    }

    /// What is set for each network: its name, its own values, and those of its rooms.
    pub(crate) fn networks(
        &self,
    ) -> impl Iterator<Item = (&str, &Values, &BTreeMap<String, Values>)> {
        let networks = self.networks.iter();
        networks.map(|(name, network)| (name.as_str(), &network.own, &network.rooms))
    }

    /// What of it concerns one network.
    pub(crate) fn of(&self, network: &str) -> Settings {
        let own = self.networks.get(network).cloned().unwrap_or_default();
        Settings {
            gateway: self.gateway.clone(),
            network: own.own,
            rooms: own.rooms,
        }
    }

    /// The language the user has chosen.
    pub(crate) fn language(&self) -> Option<Lang> {
        self.gateway.get(LANGUAGE).and_then(|tag| Lang::of(tag))
    }
}

/// What has settings.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Gateway,
    Network(String),
    Room(String, String),
}

impl Place {
    /// The place of an address; `None`: it has no settings.
    fn of(gateway: &dyn Gateway, at: &Address) -> Option<Self> {
        // The network is called what sessions call it.
        let local = gateway.format(at).unwrap_or_default();
        let network = || gateway.network(&local).to_owned();
        match at.kind {
            Kind::Gateway => Some(Self::Gateway),
            Kind::Network => Some(Self::Network(network())),
            Kind::Room | Kind::Group => Some(Self::Room(network(), at.id.to_lowercase())),
            Kind::Contact | Kind::Pattern => None,
        }
    }
}

/// Reads what a user has set behind one gateway.
pub(crate) async fn kept(
    store: Arc<dyn Store>,
    user: BareJid,
    domain: String,
) -> Result<Kept, StoreFault> {
    let sealed = store.unseal(user.as_str(), &domain, SETTINGS).await?;
    let Some(sealed) = sealed else {
        return Ok(Kept::default());
    };
    // The words of the error would quote what was sealed.
    Ok(serde_json::from_str(sealed.expose())
        .inspect_err(|_| tracing::error!(%user, "settings cannot be read"))
        .unwrap_or_default())
}

/// What can be set of an address, with the defaults as values.
pub(crate) fn fields(gateway: &dyn Gateway, at: &Address, lang: Lang) -> Vec<Field> {
    let mut fields = gateway.settings(at);
    let own = host_fields(gateway, at.kind, lang);
    let own = own.into_iter();
    let own: Vec<Field> = own
        .filter(|own| !fields.iter().any(|field| field.name == own.name))
        .collect();
    fields.extend(own);
    fields.retain(|field| field.kind != FieldKind::Note);
    for field in &mut fields {
        // Nothing need be set.
        field.required = false;
    }
    fields
}

/// Gives the host's fields the defaults that hold at an address: what the levels above it say, else
/// what the operator does (`stays`: in rooms, when all devices have left).
pub(crate) fn inherit<'a>(
    fields: &mut [Field],
    stays: bool,
    above: impl Fn(&str) -> Option<&'a str>,
) {
    for field in fields {
        let own =
            [RECORD_HISTORY, MAX_HISTORY, PERSISTENT, SHOW_AVATAR].contains(&field.name.as_str());
        if let Some(value) = above(&field.name).filter(|_| own) {
            field.value = Some(value.to_owned());
        } else if field.name == PERSISTENT {
            field.value = Some(stays.to_string());
        }
    }
}

/// Answers as the gateway spells them.
pub(crate) fn spelled(gateway: &dyn Gateway, mut answers: Answers) -> Answers {
    for (name, value) in &mut answers {
        if let Some(own) = gateway.spell(name, value.trim()) {
            *value = own;
        }
    }
    answers
}

/// Makes fields ready to be shown: of a secret that holds only that it does.
pub(crate) fn veil(fields: &mut [Field], lang: Lang) {
    for field in fields {
        let holds = field.value.as_deref().is_some_and(|it| !it.is_empty());
        if field.kind.is_secret() && holds {
            field.value = None;
            let label = std::mem::take(&mut field.label);
            field.label = label.map(|label| lang.tell(Text::SecretKept, &[label]));
        }
    }
}

/// The host's own settings.
fn host_fields(gateway: &dyn Gateway, kind: Kind, lang: Lang) -> Vec<Field> {
    let field = |name, text, kind| Field::new(name, lang.say(text), kind);
    let rooms = gateway.manifest().caps.rooms;
    let mut fields = Vec::new();
    if kind == Kind::Gateway {
        let first = ("", lang.say(Text::LanguageFirst));
        let all: Vec<_> = [first].into_iter().chain(Lang::ALL).collect();
        fields.push(field(LANGUAGE, Text::Language, FieldKind::Choice).options(&all));
    }
    if rooms && kind != Kind::Contact && kind != Kind::Pattern {
        fields.push(field(RECORD_HISTORY, Text::RecordHistory, FieldKind::Bool).value("true"));
        let most = field(MAX_HISTORY, Text::MaxHistory, FieldKind::Number);
        fields.push(most.range(0, MOST_HISTORY));
        fields.push(field(PERSISTENT, Text::Persistent, FieldKind::Bool).value("false"));
    }
    fields
}

/// Settings on their way to the disk: `None` until they are there, or are refused.
#[derive(Clone, Debug)]
pub(crate) struct Keeping(Arc<watch::Sender<Option<Result<(), Fault>>>>);

impl Default for Keeping {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Desk {
    /// All that a user has set.
    pub(crate) async fn kept_settings(&self, user: &BareJid) -> Result<Kept, Fault> {
        let (store, domain) = (self.shared.store(), self.outbox.domain().to_owned());
        let kept = kept(store, user.clone(), domain).await;
        kept.map_err(|fault| store_fault(&fault))
    }

    /// What can be set of an address, each field with what holds; with secrets, the caller is not
    /// to show them. Beside each whether the user has set it.
    pub(crate) async fn settings_at(
        &self,
        user: &BareJid,
        at: &Address,
        lang: Lang,
    ) -> Result<Vec<(Field, bool)>, Fault> {
        // A change that is under way was asked for before.
        let alone = self.changes.lock().await;
        let kept = self.kept_settings(user).await?;
        drop(alone);
        let place = Place::of(&*self.gateway, at);
        let set = place.and_then(|place| kept.at(&place).cloned());
        let set = set.unwrap_or_default();
        let fields = self.fields_at(at, &kept, lang).into_iter();
        Ok(fields
            .map(|mut field| match set.get(&field.name) {
                Some(value) => {
                    field.value = Some(value.clone());
                    (field, true)
                }
                None => (field, false),
            })
            .collect())
    }

    /// What can be set of an address by one who has set this, with the defaults as values.
    fn fields_at(&self, at: &Address, kept: &Kept, lang: Lang) -> Vec<Field> {
        let mut fields = fields(&*self.gateway, at, lang);
        let shown = self.gateway.manifest().caps.avatar && self.shared.offers_files();
        if shown && matches!(at.kind, Kind::Gateway | Kind::Network) {
            let domain = self.outbox.domain();
            let default = self.shared.shows_avatars(domain).to_string();
            let label = lang.say(Text::ShowAvatar);
            fields.push(Field::new(SHOW_AVATAR, label, FieldKind::Bool).value(&default));
        }
        let stays = self.shared.stays(self.outbox.domain());
        let place = Place::of(&*self.gateway, at);
        inherit(&mut fields, stays, |name| kept.above(place.as_ref()?, name));
        fields
    }

    /// Takes what a user sets of an address: what is absent stays, what is empty goes back to its
    /// default, but for a secret, which stays. Returns the names of what changed.
    ///
    /// # Errors
    /// A value is not of its kind (the words name the field), or the store refuses.
    pub(crate) async fn change_settings(
        &self,
        user: &BareJid,
        at: &Address,
        answers: &Answers,
        lang: Lang,
    ) -> Result<Vec<String>, Fault> {
        let kept = self.kept_settings(user).await?;
        let fields = self.fields_at(at, &kept, lang);
        let answers = &spelled(&*self.gateway, answers.clone());
        let checked = form::check(&fields, answers, None, lang)?;
        let change = |values: &mut Values| {
            for (field, default) in checked.iter().zip(&fields) {
                let name = &field.name;
                match &field.value {
                    _ if !answers.contains_key(name) => {}
                    None if field.kind.is_secret() => {}
                    Some(value) if Some(value) != default.value.as_ref() => {
                        values.insert(name.clone(), value.clone());
                    }
                    _ => {
                        values.remove(name);
                    }
                }
            }
        };
        self.change(user, at, change).await
    }

    /// Takes settings that stood in a form about a room, and were checked; answers `origin`.
    pub(crate) fn set_by_form(
        self: &Arc<Self>,
        user: BareJid,
        at: Address,
        answers: Answers,
        lang: Lang,
        origin: Origin,
    ) {
        let kept = self.keep_by_form(user, at, answers, lang);
        self.answer_kept(origin, kept);
    }

    /// The same; for who answers when more has been done.
    pub(crate) fn keep_by_form(
        self: &Arc<Self>,
        user: BareJid,
        at: Address,
        answers: Answers,
        lang: Lang,
    ) -> Keeping {
        let (desk, keeping) = (Arc::clone(self), Keeping::default());
        let kept = Arc::clone(&keeping.0);
        tokio::spawn(async move {
            let result = desk.change_settings(&user, &at, &answers, lang).await;
            if let Err(fault) = &result {
                tracing::error!(%user, fault = fault.text.as_str(), "settings are not kept");
            }
            kept.send_replace(Some(result.map(|_| ())));
        });
        keeping
    }

    /// Answers once settings are kept.
    pub(crate) fn answer_kept(self: &Arc<Self>, origin: Origin, keeping: Keeping) {
        self.errands.run(origin, async move {
            let mut kept = keeping.0.subscribe();
            // The sender lives as long as we do.
            let result = match kept.wait_for(Option::is_some).await {
                Ok(result) => result.clone(),
                Err(_) => None,
            };
            match result {
                Some(Err(fault)) => Done::with(fault),
                _ => Done::with(Answer::Result(None)),
            }
        });
    }

    /// Sets something of an address back to its default, a secret too; false: it was not set.
    pub(crate) async fn unset(
        &self,
        user: &BareJid,
        at: &Address,
        name: &str,
    ) -> Result<bool, Fault> {
        let forget = |values: &mut Values| {
            values.remove(name);
        };
        Ok(!self.change(user, at, forget).await?.is_empty())
    }

    async fn change(
        &self,
        user: &BareJid,
        at: &Address,
        change: impl FnOnce(&mut Values),
    ) -> Result<Vec<String>, Fault> {
        let Some(place) = Place::of(&*self.gateway, at) else {
            return Err(fault::bare(FaultKind::Unsupported));
        };
        let _alone = self.changes.lock().await;
        let mut kept = self.kept_settings(user).await?;
        let before = kept.at(&place).cloned().unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(Vec::new());
        }
        let names = before.keys().chain(after.keys());
        let mut changed: Vec<String> = names
            .filter(|&name| before.get(name) != after.get(name))
            .cloned()
            .collect();
        changed.sort_unstable();
        changed.dedup();
        kept.put(&place, after);
        self.keep_settings(user, &kept).await?;
        if let Some(domain) = self.domain.upgrade() {
            let network = match &place {
                Place::Gateway => None,
                Place::Network(network) | Place::Room(network, _) => Some(network.as_str()),
            };
            domain.settings_changed(user, network);
        }
        Ok(changed)
    }

    /// Blocks somebody or no longer; false: it was so before.
    pub(crate) async fn set_blocked(
        &self,
        user: &BareJid,
        local: &str,
        on: bool,
    ) -> Result<bool, Fault> {
        let _alone = self.changes.lock().await;
        let mut kept = self.kept_settings(user).await?;
        let changed = match on {
            true if kept.blocked.len() >= MOST_BLOCKED => {
                return Err(fault::of(FaultKind::Full, Text::SettingsFull));
            }
            true => kept.blocked.insert(local.to_owned()),
            false => kept.blocked.remove(local),
        };
        if changed {
            self.keep_settings(user, &kept).await?;
            if let Some(domain) = self.domain.upgrade() {
                domain.settings_changed(user, None);
            }
        }
        Ok(changed)
    }

    async fn keep_settings(&self, user: &BareJid, kept: &Kept) -> Result<(), Fault> {
        let sealed = match *kept == Kept::default() {
            true => String::new(),
            false => serde_json::to_string(kept).map_err(|error| fault::ours(&error))?,
        };
        if sealed.len() > MOST {
            return Err(fault::of(FaultKind::Full, Text::SettingsFull));
        }
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let user_number = self.shared.user_number(user);
        let added = store.user_add(user.as_str(), user_number);
        added.await.map_err(|fault| store_fault(&fault))?;
        let sealing = store.seal(user.as_str(), domain, SETTINGS, &Secret::new(sealed));
        sealing.await.map_err(|fault| store_fault(&fault))?;
        self.shared.language_set(domain, user, kept.language());
        if let Some(courier) = &self.courier {
            courier.has_blocked(user, kept.blocked());
        }
        Ok(())
    }

    /// Forgets what a user has set. To be called by one task at a time, with `changes` held.
    pub(crate) async fn forget_settings(&self, user: &BareJid) -> Result<(), Fault> {
        self.keep_settings(user, &Kept::default()).await
    }
}
