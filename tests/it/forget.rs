//! What has a time to be forgotten at is forgotten, whatever the gateway.

use std::sync::Arc;
use std::time::Duration;

use isthmus::component::ComponentConfig;
use isthmus::host::{Access, Shared};
use isthmus::store::{NewReference, SqliteStore, Store};
use isthmus::xmpp::BareJid;
use isthmus::{Served, Service};
use isthmus_irc::{Config, Irc};
use tokio::time::timeout;

use crate::limits::limits;
use crate::scenario::wire;

const DOMAIN: &str = "irc.example.org";
const WAIT: Duration = Duration::from_secs(20);

/// What a message of that id is, forgotten at that time.
fn reference(key: &str, until: i64) -> NewReference {
    NewReference {
        user: "juliet@example.org".to_owned(),
        gateway: DOMAIN.to_owned(),
        peer: "#garden%net@irc.example.org".to_owned(),
        key: key.to_owned(),
        stanza: format!("stanza {key}"),
        mine: false,
        until,
    }
}

#[tokio::test]
async fn what_foreign_ids_refer_to_is_forgotten_behind_a_gateway_without_a_queue() {
    let folder = tempfile::tempdir().expect("a scratch directory");
    let store = SqliteStore::open(&folder.path().join("isthmus.db")).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    store.refer(reference("old", 1));
    store.refer(reference("new", i64::MAX));
    let known = async |key| {
        let user = "juliet@example.org";
        let keys = store.keys_of(user, DOMAIN, &format!("stanza {key}")).await;
        !keys.expect("an answer").is_empty()
    };
    assert!(known("old").await && known("new").await);

    let shared = Arc::new(Shared::new(Arc::clone(&store), limits()));
    let settings = serde_json::json!({
        "networks": { "net": { "hosts": ["irc.net.example"], "tls": "off" } }
    });
    let config = Config::from_value(&settings).expect("good settings");
    let (ask, _attempts) = tokio::sync::mpsc::unbounded_channel();
    let (dial, _ends) = wire::Component::new();
    let everybody = BareJid::parse("example.org").expect("a JID");
    let service = Service {
        gateway: Arc::new(Irc::new(config, Arc::new(wire::Irc(ask)))),
        component: ComponentConfig::new(DOMAIN, "unused", 0, "secret"),
        access: Access::new(&[everybody], &[]),
        dial: Some(dial),
    };
    let _served = Served::start(service, &shared);
    let forgotten = async { while known("old").await {} };
    timeout(WAIT, forgotten).await.expect("forgotten in time");
    assert!(known("new").await, "not past its time");
}
