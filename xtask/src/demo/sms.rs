//! A text to a phone behind an SMSC (npm's `smpp`), its receipt, and a text back.

use std::time::Duration;

use isthmus_test_support::NodeSmsc;
use isthmus_test_support::smsc::{Happened, PASSWORD, Submit};
use serde_json::json;

use super::{Juliet, PATIENCE};

pub(super) const DOMAIN: &str = "sms.localhost";
const PHONE: &str = "+14169938000@sms.localhost";
/// The numbers of the phone and of juliet, as the SMSC writes them.
const THEIRS: &str = "14169938000";
const OURS: &str = "15551230000";

/// The SMSC.
pub(super) struct Sms {
    smsc: NodeSmsc,
}

impl Sms {
    pub(super) async fn start() -> Self {
        let smsc = NodeSmsc::start().await;
        Self { smsc }
    }

    pub(super) fn config(&self) -> String {
        format!(
            r#"
[gateway.sms]
domain = "{DOMAIN}"
allow = ["localhost"]
region = "US"

[gateway.sms.carriers.demo]
host = "127.0.0.1"
port = {port}
system_id = "isthmus"
password = "{PASSWORD}"

[gateway.sms.lines."+{OURS}"]
users = ["juliet@localhost", "you@localhost"]
"#,
            port = self.smsc.port(),
        )
    }

    pub(super) fn invitation(&self) -> String {
        format!("    {PHONE:<44} a phone\n")
    }

    pub(super) async fn converse(&self, juliet: &Juliet) -> Result<(), String> {
        let id = juliet.writes(PHONE, "Good night, good night! 🌹");
        self.rings(PATIENCE).await?;
        juliet.confirmed(&id).await?;
        println!("the phone writes: Till it be morrow.");
        self.write("Till it be morrow.");
        juliet
            .hears(|stanza| stanza.is_message("chat", "Till it be morrow."))
            .await
    }

    /// Answers every text, until the SMSC is gone.
    pub(super) async fn answer(&self) -> Result<(), String> {
        let year = Duration::from_secs(365 * 24 * 3600);
        loop {
            self.rings(year).await?;
            self.write("I read you.");
        }
    }

    /// The phone gets a text, and the SMSC says so to who sent it.
    async fn rings(&self, patience: Duration) -> Result<Submit, String> {
        let submit = |event: &Happened| matches!(event, Happened::Submit(_));
        match self.smsc.try_expect(patience, submit).await? {
            Happened::Submit(submit) => {
                println!(
                    "    the phone receives  {} (from +{})",
                    submit.text, submit.source
                );
                println!("the SMSC says that it was delivered");
                self.smsc.receipt(&submit.id, (2, "DELIVRD"), THEIRS, OURS);
                Ok(submit)
            }
            other => Err(format!("{other:?} is no text")),
        }
    }

    fn write(&self, text: &str) {
        self.smsc.deliver(&json!({
            "source_addr": THEIRS, "source_addr_ton": 1, "destination_addr": OURS,
            "dest_addr_ton": 1, "short_message": text,
        }));
    }
}
