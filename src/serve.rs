//! Puts the parts together: for each domain a gateway, a host and a component.

use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::Gateway;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::component::{Component, ComponentConfig, Dial, Found, Later, Outbox, Spool};
use crate::host::{Access, Domain, Reader, Shared};
use crate::store::Store;

/// How long sessions may take to leave their networks.
const FAREWELL: Duration = Duration::from_secs(5);

/// One domain to serve.
pub struct Service {
    /// What speaks the foreign network.
    pub gateway: Arc<dyn Gateway>,
    /// How the XMPP server is reached, and the domain's name.
    pub component: ComponentConfig,
    /// Who may use it.
    pub access: Access,
    /// Connections of another make than TCP, for tests.
    pub dial: Option<Arc<dyn Dial>>,
}

/// A domain that is being served.
pub struct Served {
    domain: Arc<Domain>,
    outbox: Outbox,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Served {
    /// Starts to serve. Must be called within a tokio runtime.
    pub fn start(service: Service, shared: &Arc<Shared>) -> Self {
        let Service {
            gateway,
            component,
            access,
            dial,
        } = service;
        let domain = Domain::new(gateway, Arc::clone(shared), access);
        let inbound = Arc::new(Reader(Arc::clone(&domain)));
        let spool: Arc<dyn Spool> = Arc::new(StoreSpool(shared.store()));
        let (stop, stopped) = watch::channel(false);
        let (outbox, task) = match dial {
            Some(dial) => Component::spawn_over(dial, component, inbound, spool, stopped),
            None => Component::spawn(component, inbound, spool, stopped),
        };
        domain.attach(outbox.clone());
        Self {
            domain,
            outbox,
            task,
            stop,
        }
    }

    /// The domain.
    pub fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The way out to the XMPP server.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Stops: sessions leave their networks, what they said last is flushed, the stream is closed.
    pub async fn drain(self) {
        if tokio::time::timeout(FAREWELL, self.domain.drain())
            .await
            .is_err()
        {
            let left = self.domain.sessions();
            tracing::warn!(left, "some sessions did not leave their networks in time");
        }
        // Fails only when the component has stopped by itself.
        let _ = self.stop.send(true);
        if let Err(fault) = self.task.await {
            tracing::error!(%fault, "the component did not end in order");
        }
    }
}

/// The store's spool, as the component asks for it.
struct StoreSpool(Arc<dyn Store>);

impl Spool for StoreSpool {
    fn put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.0.spool_put(lane, number, blob);
    }

    fn next(&self, lane: &str, after: u64) -> Later<std::io::Result<Found>> {
        let entry = self.0.spool_next(lane, after);
        Box::pin(async move { entry.await.map_err(std::io::Error::other) })
    }

    fn remove(&self, lane: &str, upto: u64) {
        self.0.spool_remove(lane, upto);
    }

    fn backlog(&self) -> usize {
        self.0.backlog()
    }
}
