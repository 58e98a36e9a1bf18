//! A second SMSC, whose authors have read SMPP on their own: that of the `smpp34` package, in the
//! process of the test.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use smpp34::server::ESME;
use smpp34::{
    SmppConnectionInformation, SmppError, SmppServer, SmppServerListener, TlvTag, bind_transceiver,
    bind_transceiver_resp, submit_sm, submit_sm_resp,
};

use crate::DEADLINE;
use crate::inbox::Inbox;
use crate::port::Port;
use crate::smsc::PASSWORD;

pub use smpp34::submit_sm as Submission;

/// A running SMSC.
pub struct SecondSmsc {
    seen: Arc<Seen>,
    server: SmppServer,
    port: Port,
}

/// What the SMSC sees.
#[derive(Default)]
struct Seen {
    binds: Inbox<()>,
    submits: Inbox<submit_sm>,
    count: AtomicU32,
    /// Whose bind stands.
    bound: Mutex<Option<Arc<ESME>>>,
}

struct Listener(Arc<Seen>);

#[async_trait]
impl SmppServerListener for Listener {
    async fn on_bind_transceiver(
        &self,
        request: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        if request.system_id == "isthmus" && request.password == PASSWORD {
            request.accept("second".to_owned(), Some(0x34))
        } else {
            request.reject(SmppError::ESME_RINVPASWD)
        }
    }

    async fn on_esme_bound(&self, esme: ESME, _: &String) {
        *self.0.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(esme));
        self.0.binds.push(());
    }

    async fn on_submit_sm(
        &self,
        request: submit_sm,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> submit_sm_resp {
        // First counted: who takes it knows its id.
        let count = self.0.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.submits.push(request.clone());
        request.accept(format!("m{count}"))
    }
}

impl SecondSmsc {
    /// Starts one. It answers submissions with the ids `m1`, `m2` and so on.
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let port = Port::reserve();
        let listener = Arc::new(Listener(Arc::clone(&seen)));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut server = SmppServer::new(address, port.number(), listener);
        server.start().await;
        Self { seen, server, port }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Waits for the next bind.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn bound(&self) {
        let bind = self.seen.binds.take(DEADLINE, |()| true).await;
        bind.unwrap_or_else(|error| panic!("no bind: {error}"));
    }

    /// Takes the next submission.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn submit(&self) -> Submission {
        let submit = self.seen.submits.take(DEADLINE, |_| true).await;
        submit.unwrap_or_else(|error| panic!("no submission: {error}"))
    }

    /// Delivers a message between numbers without plus signs; whether it was taken.
    ///
    /// # Panics
    ///
    /// When nobody is bound.
    pub async fn deliver(
        &self,
        (source, destination): (&str, &str),
        (esm_class, data_coding): (u8, u8),
        octets: Vec<u8>,
    ) -> bool {
        let esme = self.esme();
        let message = esme.deliver_sm().esm_class(esm_class);
        let message = message.source_addr(source).source_addr_ton(1);
        let message = message.destination_addr(destination).dest_addr_ton(1);
        let message = message.data_coding(data_coding).short_message(octets);
        message.send().await.is_ok_and(|answer| answer.is_success())
    }

    /// Delivers the receipt of a submission, such as `(2, "DELIVRD")`; whether it was taken.
    ///
    /// # Panics
    ///
    /// When nobody is bound.
    pub async fn receipt(
        &self,
        id: &str,
        (number, word): (u8, &str),
        (source, destination): (&str, &str),
    ) -> bool {
        let esme = self.esme();
        let message = esme.deliver_sm().esm_class(4);
        let message = message.source_addr(source).source_addr_ton(1);
        let message = message.destination_addr(destination).dest_addr_ton(1);
        let answer = message
            .short_message(format!("id:{id} stat:{word} err:000").into_bytes())
            .tlv(TlvTag::ReceiptedMessageId, format!("{id}\0").into_bytes())
            .tlv(TlvTag::MessageStateTlv, [number])
            .send()
            .await;
        answer.is_ok_and(|answer| answer.is_success())
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.server.stop().await;
    }

    fn esme(&self) -> Arc<ESME> {
        let bound = self.seen.bound.lock();
        let bound = bound.unwrap_or_else(PoisonError::into_inner).clone();
        bound.expect("somebody is bound")
    }
}
