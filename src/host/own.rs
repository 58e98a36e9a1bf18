//! What a live gateway asks of the host beside its sessions: values of its own, and keys.
//!
//! Not here: jobs and deliveries, which a gateway without a store-and-forward face has none of.

use std::io;
use std::sync::Arc;

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Handle, JobId, Key, Later, Ref, Refusal, Report, Stored, Uplink,
    UserId,
};

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
        let store = &self.shared.store;
        store.keep("", &self.domain, &own_name(name), value);
        let synced = store.synced();
        Box::pin(async move {
            synced
                .await
                .map_err(|fault| Refusal::Later(fault.to_string()))
        })
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        let kept = self.shared.store.kept("", &self.domain, &own_name(name));
        Box::pin(async move {
            kept.await
                .map_err(|fault| Refusal::Later(fault.to_string()))
        })
    }

    fn store_blob(&self, _: &str, _: &str) -> Box<dyn BlobWriter> {
        Box::new(NoBlob)
    }

    fn secret(&self, label: &str) -> [u8; 32] {
        let label = format!("{}:{label}", self.domain);
        self.shared.store.instance_key(&label)
    }
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

/// Where what a gateway keeps of its own stands among what the host keeps for it.
pub(super) fn own_name(name: &str) -> String {
    format!("own {name}")
}

/// Takes nothing.
struct NoBlob;

impl BlobWriter for NoBlob {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn finish(self: Box<Self>) -> Later<io::Result<String>> {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
