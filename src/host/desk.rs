//! What is asked of the gateway itself: registration, addresses, commands, and of its networks and
//! rooms, as far as it is the host that answers. One for each domain.
//!
//! It only matches and hands over: the meaning of each request stands in its own file.

use std::sync::{Arc, Weak};

use isthmus_gateway::{Address, Fault, FaultKind, Gateway, Kind, Later};

use super::archive::Readers;
use super::card::{self, Card};
use super::command::{self, Asker, Sessions};
use super::contact::{Hub, Questions};
use super::courier::CourierHost;
use super::domain::Domain;
use super::errand::{Done, Errands, PATIENCE};
use super::reply::Origin;
use super::shared::Shared;
use super::words::{Denial, Lang};
use super::{about, picture};
use crate::component::Outbox;
use crate::host::fault;
use crate::store::StoreFault;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Where requests to the gateway itself are answered.
pub(crate) struct Desk {
    pub(super) gateway: Arc<dyn Gateway>,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Outbox,
    pub(super) hub: Arc<Hub>,
    pub(super) courier: Option<Arc<CourierHost>>,
    pub(super) errands: Errands,
    /// Held while an account is changed: lines belong to several users.
    pub(super) changes: tokio::sync::Mutex<()>,
    pub(super) sessions: Sessions,
    /// What networks ask.
    pub(super) questions: Questions,
    /// Who reads archives.
    pub(super) readers: Readers,
    /// Whose desk it is.
    pub(super) domain: Weak<Domain>,
}

impl Desk {
    /// The desk of one domain.
    pub(crate) fn new(
        gateway: Arc<dyn Gateway>,
        shared: Arc<Shared>,
        outbox: Outbox,
        hub: Arc<Hub>,
        courier: Option<Arc<CourierHost>>,
        domain: Weak<Domain>,
    ) -> Self {
        let errands = Errands::new(outbox.clone());
        Self {
            gateway,
            shared,
            outbox,
            hub,
            courier,
            errands,
            changes: tokio::sync::Mutex::default(),
            sessions: Sessions::default(),
            questions: Questions::default(),
            readers: Readers::default(),
            domain,
        }
    }

    /// Who asks, and of whom. `lang`: the `xml:lang` of his request.
    pub(crate) fn asker(
        &self,
        origin: &Origin,
        user: &BareJid,
        at: &Address,
        lang: Option<&str>,
    ) -> Asker {
        let domain = self.outbox.domain();
        let host = self.domain.upgrade();
        Asker {
            user: user.clone(),
            peer: origin.peer.clone(),
            at: at.clone(),
            jid: match &origin.local {
                Some(local) => format!("{local}@{domain}"),
                None => domain.to_owned(),
            },
            admin: host.is_some_and(|host| host.is_run_by(user)),
            asked_lang: lang.and_then(Lang::of),
            lang: origin.lang,
        }
    }

    /// Takes an iq request to an address that has no resource; false: it is for somebody else.
    pub(crate) fn iq(
        self: &Arc<Self>,
        origin: &Origin,
        asker: Asker,
        get: bool,
        payload: &Element,
    ) -> bool {
        let gateway = &*self.gateway;
        let (kind, itself) = (asker.at.kind, asker.at.kind == Kind::Gateway);
        let is_person = itself || kind == Kind::Contact;
        let local = origin.local.as_deref().unwrap_or_default();
        match (payload.name(), payload.ns()) {
            ("query", ns::REGISTER) if itself && registers(gateway) => {
                let query = (!get).then(|| payload.clone());
                self.register(origin.clone(), asker, query);
            }
            ("query", ns::GATEWAY) if itself && prompts(gateway) => {
                let (desk, query) = (Arc::clone(self), payload.clone());
                self.errands.run(origin.clone(), async move {
                    let lang = desk.in_language(asker).lang;
                    Done::with(desk.prompt(get, &query, lang)).in_lang(lang)
                });
            }
            ("query", ns::DISCO_INFO | ns::DISCO_ITEMS) if get => {
                return self.commands(origin, &asker, payload);
            }
            ("pubsub", ns::PUBSUB) if get && picture::asks(payload) && is_person => {
                let portrait = self.hub.portrait(&asker.user, local);
                picture::answer(&self.outbox, origin, payload, &portrait);
            }
            ("vCard" | "vcard", ns::VCARD | ns::VCARD4) if get && is_person => {
                let portrait = self.hub.portrait(&asker.user, local);
                let name = self.name();
                let card = match itself {
                    true => Card {
                        name: &name,
                        ..Card::default()
                    },
                    false => Card::of_address(&asker.at.id),
                };
                card::answer(&self.outbox, origin, payload, card, &portrait);
            }
            ("command", ns::COMMANDS)
                if command::any(gateway, kind) && !self.has_jobs(&asker.at) =>
            {
                self.execute(origin.clone(), asker, get, payload.clone());
            }
            _ => return false,
        }
        true
    }

    /// Whether somebody gets jobs, so that there is nobody to be asked.
    pub(super) fn has_jobs(&self, at: &Address) -> bool {
        let courier = self.gateway.courier();
        at.kind == Kind::Contact && courier.is_some_and(|it| it.serves(at))
    }

    /// What the gateway is called.
    pub(super) fn name(&self) -> String {
        about::name(&*self.gateway, &self.shared, self.outbox.domain())
    }
}

/// Whether there is anything to register with the gateway.
pub(crate) fn registers(gateway: &dyn Gateway) -> bool {
    !gateway.manifest().register.is_empty()
}

/// Whether the gateway tells how its addresses are typed.
pub(crate) fn prompts(gateway: &dyn Gateway) -> bool {
    !gateway.manifest().prompt.is_empty()
}

/// What a gateway answers, as long as anybody waits for it.
pub(super) async fn asked<T>(question: Later<Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer,
        Err(_) => Err(fault::bare(FaultKind::TimedOut)),
    }
}

/// What the asker hears when the store refuses.
pub(super) fn store_fault(fault: &StoreFault) -> Fault {
    tracing::error!(%fault, "a request cannot be answered");
    let text = Denial::StoreDown;
    fault::of(FaultKind::Full, text)
}
