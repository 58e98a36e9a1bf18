//! What a live gateway asks of the host beside its sessions: values of its own, keys, and files.
//!
//! Not here: jobs and deliveries, which a gateway without a store-and-forward face has none of.

use std::io;
use std::sync::Arc;

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Handle, JobId, Key, Later, Ref, Refusal, Report, Stored, Uplink,
    UserId,
};

use super::courier::{Writer, read_blob};
use super::shared::Shared;

/// The uplink of a gateway that has sessions only.
pub(crate) struct OwnUplink {
    shared: Arc<Shared>,
    domain: String,
}

impl OwnUplink {
    /// The uplink of the gateway behind `domain`.
    pub(crate) fn new(shared: Arc<Shared>, domain: &str) -> Self {
        let domain = domain.to_owned();
        Self { shared, domain }
    }
}

impl Uplink for OwnUplink {
    fn find(&self, _: Handle, _: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        ready(Err(Refusal::Unknown))
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        _: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        ready(batch.iter().map(|_| Err(Refusal::Unknown)).collect())
    }

    fn begin(&self, _: JobId, _: u16, _: Vec<String>) -> Later<bool> {
        ready(false)
    }

    fn report(&self, _: Report) -> Later<Result<(), Refusal>> {
        ready(Err(Refusal::Unknown))
    }

    fn resolve(&self, _: Option<UserId>, _: Key<'_>) -> Later<Option<Ref>> {
        ready(None)
    }

    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        keep(&self.shared, &self.domain, name, value)
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        kept(&self.shared, &self.domain, name)
    }

    fn store_blob(&self, name: &str, mime: &str) -> Box<dyn BlobWriter> {
        Box::new(Writer::new(Arc::clone(&self.shared), name, mime))
    }

    fn read_blob(&self, url: &str) -> Later<io::Result<Vec<u8>>> {
        read_blob(&self.shared, url)
    }

    fn secret(&self, label: &str) -> [u8; 32] {
        secret(&self.shared, &self.domain, label)
    }
}

/// [`Uplink::keep`] of the gateway behind `domain`.
pub(super) fn keep(
    shared: &Shared,
    domain: &str,
    name: &str,
    value: Option<Vec<u8>>,
) -> Later<Result<(), Refusal>> {
    // Queued here and not when it is waited for: what is asked for later comes later.
    shared.store.keep("", domain, &own_name(name), value);
    let synced = shared.store.synced();
    Box::pin(async move {
        synced
            .await
            .map_err(|fault| Refusal::Later(fault.to_string()))
    })
}

/// [`Uplink::kept`] of the gateway behind `domain`.
pub(super) fn kept(
    shared: &Shared,
    domain: &str,
    name: &str,
) -> Later<Result<Option<Vec<u8>>, Refusal>> {
    let kept = shared.store.kept("", domain, &own_name(name));
    Box::pin(async move {
        kept.await
            .map_err(|fault| Refusal::Later(fault.to_string()))
    })
}

/// [`Uplink::secret`] of the gateway behind `domain`.
pub(super) fn secret(shared: &Shared, domain: &str, label: &str) -> [u8; 32] {
    shared.store.instance_key(&format!("{domain}:{label}"))
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

/// Where what a gateway keeps of its own stands among what the host keeps for it.
fn own_name(name: &str) -> String {
    format!("own {name}")
}
