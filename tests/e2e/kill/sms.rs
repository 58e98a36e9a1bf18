//! An SMSC (npm's `smpp`) that keeps what was not answered and delivers it over the next bind.

use std::collections::BTreeSet;

use isthmus_test_support::NodeSmsc;
use isthmus_test_support::smsc::Happened;
use isthmus_test_support::xmpp_server::Kind;
use serde_json::json;

use super::disk::{ACCEPTED, BEGUN, DELIVERED, FAILED, INBOUND, QUEUED, RECALLED, UNKNOWN};
use super::{Arrival, Network, kill};
use crate::sms::{OURS, SMS, THEIRS, gateway};
use crate::world::World;

/// The carrier.
struct Carrier {
    smsc: NodeSmsc,
}

impl Network for Carrier {
    const NAME: &'static str = "SMS";
    const DOMAIN: &'static str = SMS;
    /// The last digit says what becomes of a text: see the SMSC's script. Most arrive.
    const RECIPIENTS: &'static [&'static str] = &[
        "+14169938000@sms.localhost",
        "+14169938000@sms.localhost",
        "+14169938010@sms.localhost",
        "+14169938010@sms.localhost",
        "+14169938020@sms.localhost",
        "+14169938001@sms.localhost",
        "+14169938002@sms.localhost",
        "+14169938003@sms.localhost",
    ];
    const STATES: &'static [i64] = &[
        QUEUED, BEGUN, UNKNOWN, ACCEPTED, DELIVERED, FAILED, RECALLED, INBOUND,
    ];

    async fn write(&mut self, texts: &[String]) {
        for text in texts {
            let pdu = json!({
                "source_addr": THEIRS, "source_addr_ton": 1, "destination_addr": OURS,
                "dest_addr_ton": 1, "short_message": text,
            });
            self.smsc.keep(text, &pdu);
        }
    }

    async fn is_quiet(&mut self) -> bool {
        self.smsc.kept().await == 0
    }

    fn arrived(&self) -> Option<Vec<Arrival>> {
        let log = self.smsc.log().into_iter();
        let submits = log.filter_map(|event| match event {
            // SMPP has no id of ours.
            Happened::Submit(submit) => Some(Arrival {
                text: submit.text,
                identity: None,
            }),
            _ => None,
        });
        Some(submits.collect())
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        let log = self.smsc.log().into_iter();
        let keys = log.filter_map(|event| match event {
            Happened::Acknowledged { key } => Some(key),
            _ => None,
        });
        keys.filter(|key| key.starts_with("in ")).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_sms_loses_nothing_and_doubles_only_what_was_begun() {
    let smsc = NodeSmsc::start().await;
    smsc.habits().await;
    let world = World::serving(
        Kind::Prosody,
        &[SMS],
        &gateway(smsc.port(), "response_timeout = 1"),
    );
    kill(world, Carrier { smsc }, 12, 100).await;
}
