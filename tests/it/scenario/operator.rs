//! What the program around a gateway does for those who run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use isthmus::host::{Domain, Reload, Reloaded, Reloading};

/// A configuration that is well the first time it is read again, and not later.
#[derive(Default)]
pub(super) struct Rereads(AtomicBool);

impl Reload for Rereads {
    fn reload(&self) -> Reloading {
        let told = match self.0.swap(true, Ordering::Relaxed) {
            false => Ok(Reloaded {
                applied: vec!["log.level".to_owned(), "limits".to_owned()],
                waiting: vec!["store.path".to_owned()],
            }),
            true => Err(vec![
                "isthmus.toml: limits.history: a number is needed".to_owned(),
            ]),
        };
        Box::pin(std::future::ready(told))
    }
}

/// What the program does when a gateway is shut down by those who run it.
pub(super) async fn ends_when_asked(domain: Arc<Domain>) {
    let ending = domain.ending().wait_for(|ending| *ending).await.is_ok();
    if ending {
        domain.drain().await;
    }
}
