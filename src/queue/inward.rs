//! Durable stanzas on their way to the XMPP server: one task a gateway.
//!
//! A row is removed only after the component has proof that the server has the stanza; a process
//! that is killed before sends it again, under the same id.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::component::{Class, Mark, Outbox};
use crate::store::StoreFault;
use crate::store::jobs::Jobs;
use crate::xmpp::element::Element;
use crate::xmpp::jid::Jid;
use crate::xmpp::write::{Head, Sender, StanzaName};

/// Rows read at a time.
const PAGE: usize = 256;
/// Rows that may be on their way without proof.
const UNPROVEN: usize = 4096;

/// The way in of one gateway.
pub struct Inwards {
    gateway: String,
    store: Arc<dyn Jobs>,
    outbox: Outbox,
    stirred: Notify,
}

impl Inwards {
    /// The way in of the gateway with that domain.
    pub fn new(gateway: &str, store: Arc<dyn Jobs>, outbox: Outbox) -> Self {
        Self {
            gateway: gateway.to_owned(),
            store,
            outbox,
            stirred: Notify::new(),
        }
    }

    /// A row was added.
    pub fn added(&self) {
        self.stirred.notify_one();
    }

    /// Moves rows until told to stop.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut pushed: VecDeque<(Mark, Vec<u64>)> = VecDeque::new();
        let mut after = 0;
        loop {
            let on_the_way: usize = pushed.iter().map(|(_, ids)| ids.len()).sum();
            let mut more = false;
            if on_the_way < UNPROVEN {
                match self.push_page(&mut after).await {
                    Ok(Some(page)) => {
                        pushed.push_back(page);
                        more = true;
                    }
                    Ok(None) => {}
                    Err(fault) => self.wait_for_store(&fault).await,
                }
            }
            if more {
                continue;
            }
            let proof = async {
                match pushed.front() {
                    Some(&(mark, _)) => self.outbox.until_confirmed(mark).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = proof => {
                    if let Some((_, ids)) = pushed.pop_front()
                        && let Err(fault) = self.store.inbound_done(ids).await
                    {
                        // They will be sent once more after a restart, under the same ids.
                        self.wait_for_store(&fault).await;
                    }
                }
                () = self.stirred.notified(), if on_the_way < UNPROVEN => {}
                () = told(&mut stop) => return,
            }
        }
    }

    async fn wait_for_store(&self, fault: &StoreFault) {
        tracing::error!(%fault, gateway = self.gateway, "messages for users wait");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }

    async fn push_page(&self, after: &mut u64) -> Result<Option<(Mark, Vec<u64>)>, StoreFault> {
        let page = self.store.inbound(&self.gateway, *after, PAGE).await?;
        let Some(&(last, _)) = page.last() else {
            return Ok(None);
        };
        *after = last;
        let stanzas: Vec<Element> = page
            .iter()
            .filter_map(|(id, stanza)| self.read(*id, stanza))
            .collect();
        let mark = self.outbox.push(|batch| {
            for stanza in &stanzas {
                let to = stanza.attr("to").unwrap_or_default();
                let from = stanza.attr("from").and_then(|from| Jid::parse(from).ok());
                let head = Head {
                    name: StanzaName::Message,
                    domain: "",
                    from: Sender {
                        local: from.as_ref().and_then(Jid::local),
                        resource: from.as_ref().and_then(Jid::resource),
                    },
                    to,
                    kind: stanza.attr("type"),
                    id: stanza.attr("id"),
                };
                batch.stanza(Class::Message, head, |xml| {
                    for child in stanza.children() {
                        xml.element(child);
                    }
                });
            }
        });
        Ok(Some((mark, page.into_iter().map(|(id, _)| id).collect())))
    }

    fn read(&self, id: u64, stanza: &[u8]) -> Option<Element> {
        Element::parse(stanza)
            .inspect_err(|fault| tracing::error!(%fault, id, "a kept stanza cannot be read"))
            .ok()
    }
}

/// Resolves when told to stop, or when nobody is left to tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
