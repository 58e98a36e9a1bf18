//! What the gateway keeps of a session, sealed, until it is opened anew, and what it asks the user
//! meanwhile: a dialog in words, from the network's address, or from the gateway's where the
//! network has none.
//!
//! Not here: how such a dialog goes on (`command::talk`).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::{Dialog, Kind};

use super::lasting::{self, Wanted};
use super::{Base, Session};
use crate::component::Class;
use crate::host::post::head;
use crate::secret::Secret;
use crate::store::Later;
use crate::xmpp::write::{Sender, StanzaName};

/// What a gateway may keep of one session, in bytes.
const MOST_KEPT: usize = 65_536;

/// What is on disk of a session before it begins.
pub(super) struct Before {
    /// What lasts.
    pub(super) wanted: Wanted,
    /// What the gateway kept.
    pub(super) kept: Option<Vec<u8>>,
}

/// The name under which it is sealed what the gateway keeps of its sessions on a network.
fn name(network: &str) -> String {
    format!("session {network}")
}

/// Reads it all. What cannot be read is as if there were none.
pub(super) fn before(base: &Base) -> Later<Before> {
    let (store, user, domain) = (&base.shared.store, &base.user, base.outbox.domain());
    let wanted = lasting::wanted(base);
    let kept = store.unseal(user.as_str(), domain, &name(&base.network));
    let desk = base.desk.clone();
    let (user, network) = (user.clone(), base.network.clone());
    let recall = async move {
        if let Some(desk) = desk {
            desk.recall(&user, &network).await;
        }
    };
    Box::pin(async move {
        let (wanted, kept, ()) = tokio::join!(wanted, kept, recall);
        let kept = kept.unwrap_or_else(|fault| {
            tracing::error!(%fault, "what a gateway kept of a session cannot be read");
            None
        });
        let kept = kept.and_then(|kept| STANDARD.decode(kept.expose()).ok());
        Before { wanted, kept }
    })
}

impl Session {
    /// The gateway wants to find that again. Of what it says in one turn the last counts.
    pub(super) fn keep(&mut self, state: Vec<u8>) {
        if state.len() > MOST_KEPT {
            let network = &self.base.network;
            return tracing::warn!(%network, bytes = state.len(), "too much to keep of a session");
        }
        self.keeping = Some(state);
    }

    /// Seals what is to be kept; nothing is waited for.
    pub(super) fn seal_kept(&mut self) {
        let Some(state) = self.keeping.take() else {
            return;
        };
        let base = &self.base;
        let sealed = Secret::new(STANDARD.encode(state));
        let (user, domain) = (base.user.as_str(), base.outbox.domain());
        let store = &base.shared.store;
        let sealing = store.seal(user, domain, &name(&base.network), &sealed);
        tokio::spawn(async move {
            if let Err(fault) = sealing.await {
                tracing::error!(%fault, "what a gateway keeps of a session is lost");
            }
        });
    }

    /// The network asks the user something.
    pub(super) fn asked(&mut self, mut dialog: Dialog) {
        let base = &self.base;
        let Some(desk) = base.desk.as_ref().map(Arc::clone) else {
            return;
        };
        let here = || isthmus_gateway::Address::new(Kind::Network, "", &*base.network);
        dialog.at.get_or_insert_with(here);
        let local = base.own_local();
        let question = desk.ask(&base.user, &base.network, dialog, base.lang(None));
        let text = match question {
            Ok(text) => text,
            Err(fault) => {
                let network = &base.network;
                return tracing::error!(%network, %fault, "a network's question is not asked");
            }
        };
        let from = Sender {
            local: local.as_deref(),
            resource: None,
        };
        let id = format!("{:016x}", base.shared.next_session());
        let (class, name, to) = (Class::Message, StanzaName::Message, base.user.to_string());
        base.outbox.push(|batch| {
            let head = head(name, from, &to, Some("chat"), Some(&id));
            batch.stanza(class, head, |xml| {
                xml.text_element("body", &text);
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::host::scene::Scene;
    use crate::xmpp::ns;

    const DOMAIN: &str = "loop.example.org";
    const JULIET: &str = "juliet@example.org";

    impl Scene {
        fn line(&self, to: &str, text: &str) {
            self.send(to, "line", &format!("<body>{text}</body>"));
        }

        /// Waits for words that end so, from an address of the network.
        async fn hear(&mut self, from: &str, text: &str) {
            let from = format!("{from}@{DOMAIN}");
            self.expect(text, |it| {
                let body = it.child("body", ns::COMPONENT);
                it.attr("from") == Some(&from) && body.is_some_and(|it| it.text().ends_with(text))
            })
            .await;
        }

        async fn kept_of(&self, network: &str) -> bool {
            let name = super::name(network);
            let kept = self.store.unseal(JULIET, DOMAIN, &name).await;
            kept.expect("a store that answers").is_some()
        }
    }

    #[tokio::test]
    async fn what_a_network_asks_is_answered_after_a_restart() {
        let mut scene = Scene::patient();
        scene.line("%net", "ask");
        scene.hear("%net", "A word?").await;
        scene.store.synced().await.expect("on disk");

        let mut scene = scene.restart();
        scene.line("%other", "swan");
        scene.hear("%other", "swan").await;
        scene.line("%net", "swan");
        scene.hear("%net", "you said swan").await;
        scene.line("%net", "goose");
        scene.hear("%net", "goose").await;

        let mut scene = scene.restart();
        scene.line("%net", "duck");
        scene.hear("%net", "duck").await;
        let said = scene
            .seen
            .iter()
            .any(|it| format!("{it:?}").contains("you said"));
        assert!(!said, "{:?}", scene.seen);
    }

    #[tokio::test]
    async fn what_is_kept_of_a_session_is_sealed_and_comes_back_after_a_restart() {
        let mut scene = Scene::patient();
        scene.line("%net", "me");
        scene.hear("%net", "juliet").await;
        scene.line("%net", "keep jules");
        while !scene.kept_of("net").await {
            tokio::task::yield_now().await;
        }
        let open = scene.store.kept(JULIET, DOMAIN, &super::name("net")).await;
        assert_eq!(open, Ok(None));
        assert_eq!(scene.store.users(DOMAIN).await, Ok(Vec::new()));

        let mut scene = scene.restart();
        scene.line("%net", "me");
        scene.hear("%net", "jules").await;
        scene.line("%other", "me");
        scene.hear("%other", "juliet").await;
        assert!(!scene.kept_of("other").await);
    }
}
