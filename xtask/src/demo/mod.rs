//! `cargo demo`: Prosody, servers of four other networks and isthmus between them, all on
//! loopback, and a conversation through each gateway. Juliet is an XMPP client (slixmpp).

mod dict;
mod email;
mod irc;
mod sms;

use std::time::Duration;

use isthmus_test_support::{Isthmus, Prosody, Stanza, XmppClient, XmppServer, paths};

use self::dict::Dict;
use self::email::Email;
use self::irc::Irc;
use self::sms::Sms;
use crate::install;
use crate::run::{cargo, run};

const PASSWORD: &str = "garden";

/// How long each line may take to come through.
const PATIENCE: Duration = Duration::from_secs(15);

/// Builds isthmus, runs the conversations, and stays until Ctrl-C unless `once`.
pub(crate) fn demo(once: bool) -> Result<(), String> {
    install::servers()?;
    run(&mut cargo(&["build", "--quiet", "--package", "isthmus"]))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(play(once))
}

async fn play(once: bool) -> Result<(), String> {
    println!("==> starting Prosody, ngIRCd, Postfix, an SMSC, dictd and isthmus on loopback");
    let prosody = Prosody::start_with(&[irc::DOMAIN, email::DOMAIN, sms::DOMAIN, dict::DOMAIN]);
    for user in ["juliet", "you"] {
        prosody.add_user(user, PASSWORD);
    }
    let networks = Networks::start().await;
    let binary = paths::target_dir().join("debug/isthmus");
    let isthmus = Isthmus::start(binary, &config(&prosody, &networks));
    let login = XmppClient::try_login(prosody.c2s_port(), "juliet@localhost/demo", PASSWORD);
    let juliet = Juliet(login.await?);
    juliet.0.available();
    if let Err(error) = networks.converse(&juliet, &isthmus).await {
        return Err(format!(
            "{error}\n--- log of isthmus ---\n{}",
            isthmus.log()
        ));
    }
    println!("\n==> everything arrived, in both directions");
    if !once {
        networks.invite(&prosody);
        networks.stay().await?;
    }
    Ok(())
}

fn config(prosody: &Prosody, networks: &Networks) -> String {
    format!(
        r#"[component]
server = "127.0.0.1:{component}"
secret = "{secret}"

[store]
path = "{{dir}}/isthmus.db"
{gateways}"#,
        component = prosody.component_port(),
        secret = prosody.secret(),
        gateways = networks.config(),
    )
}

/// What is on the other side.
struct Networks {
    irc: Irc,
    /// Not where Postfix cannot start.
    email: Option<Email>,
    sms: Sms,
    dict: Dict,
}

impl Networks {
    async fn start() -> Self {
        Self {
            irc: Irc::start().await,
            email: Email::start(),
            sms: Sms::start().await,
            dict: Dict::start(),
        }
    }

    /// The gateways' tables.
    fn config(&self) -> String {
        let email = self.email.as_ref().map(Email::config);
        [
            self.irc.config(),
            email.unwrap_or_default(),
            self.sms.config(),
            self.dict.config(),
        ]
        .concat()
    }

    /// The conversations. Each line says who did what and what the other side got.
    async fn converse(&self, juliet: &Juliet, isthmus: &Isthmus) -> Result<(), String> {
        println!("\n==> a channel on IRC");
        juliet.reaches(irc::DOMAIN, isthmus).await?;
        self.irc.converse(juliet).await?;
        println!("\n==> email");
        match &self.email {
            Some(email) => {
                juliet.reaches(email::DOMAIN, isthmus).await?;
                email.converse(juliet).await?;
            }
            None => println!("left out: Postfix starts as root only"),
        }
        println!("\n==> SMS");
        juliet.reaches(sms::DOMAIN, isthmus).await?;
        self.sms.converse(juliet).await?;
        println!("\n==> a plugin that looks up words");
        juliet.reaches(dict::DOMAIN, isthmus).await?;
        self.dict.converse(juliet).await
    }

    fn invite(&self, prosody: &Prosody) {
        let email = self.email.as_ref().map(Email::invitation);
        println!(
            "
Now you. With an XMPP client of your own:
    account    you@localhost
    password   {PASSWORD}
    server     127.0.0.1, port {c2s}, without TLS (allow an unencrypted connection)
Then write to:
{irc}{email}{sms}{dict}Somebody answers everywhere. Ctrl-C ends it all.",
            c2s = prosody.c2s_port(),
            irc = self.irc.invitation(),
            email = email.unwrap_or_default(),
            sms = self.sms.invitation(),
            dict = self.dict.invitation(),
        );
    }

    /// Until Ctrl-C: whoever speaks is answered, so that nobody is alone.
    async fn stay(&self) -> Result<(), String> {
        let email = async {
            match &self.email {
                Some(email) => email.answer().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            stop = tokio::signal::ctrl_c() => stop.map_err(|error| error.to_string()),
            end = self.irc.answer() => end,
            end = email => end,
            end = self.sms.answer() => end,
        }
    }
}

/// The one on this side.
struct Juliet(XmppClient);

impl Juliet {
    /// Until the gateway has attached itself, the server answers pings with an error.
    async fn reaches(&self, gateway: &str, isthmus: &Isthmus) -> Result<(), String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let ping = "<ping xmlns='urn:xmpp:ping'/>";
            let pong = self.0.iq("get", gateway, ping).await;
            if pong.type_() == "result" {
                return Ok(());
            }
            if !isthmus.is_running() {
                return Err("isthmus has ended".to_owned());
            }
            if tokio::time::Instant::now() > end {
                return Err(format!("{gateway} does not attach: {pong:?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes to somebody and asks for a receipt (XEP-0184); returns the id.
    fn writes(&self, to: &str, body: &str) -> String {
        println!("juliet (XMPP) writes to {to}: {body}");
        let request = "<request xmlns='urn:xmpp:receipts'/>";
        self.0.message_with("chat", to, body, request)
    }

    /// Waits for a stanza and shows it.
    async fn hears(&self, fits: impl FnMut(&Stanza) -> bool) -> Result<(), String> {
        let stanza = self.0.try_expect(PATIENCE, fits).await;
        let stanza =
            stanza.map_err(|error| format!("juliet (XMPP) did not receive it: {error}"))?;
        println!("    juliet (XMPP) receives  {}", stanza.xml);
        Ok(())
    }

    /// Waits for the receipt of the message of that id.
    async fn confirmed(&self, id: &str) -> Result<(), String> {
        let receipt = |stanza: &Stanza| {
            let received = stanza.find("received", "urn:xmpp:receipts");
            received.is_some_and(|received| received.attr("id") == id)
        };
        self.hears(receipt).await
    }
}
