//! One gateway between one XMPP server and the scripted IRC server, and what probes need.

use std::process::ExitStatus;
use std::time::Duration;

use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{Biboumi, Isthmus, Stanza, XmppClient, XmppServer};
use tokio::time::Instant;

use super::ircd::Ircd;
use crate::world::{IRC, PASSWORD, PATIENCE, answers, config, irc_gateway_at, isthmus};

/// How the IRC server is called in addresses.
pub(crate) const NETWORK: &str = "127.0.0.1";
/// The channel that nothing happens in but marks.
const MARKS: &str = "#marks";
/// What the user has set as a password of the server.
pub(crate) const SERVER_PASSWORD: &str = "pass-of-the-server";

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Biboumi,
    Isthmus,
}

pub(crate) enum Gate {
    Biboumi(Biboumi),
    Isthmus(Isthmus),
}

impl Gate {
    /// How it ended, if it has, in words.
    pub(crate) fn ended(&self) -> Option<String> {
        match self {
            Self::Biboumi(it) => it.exit_status().map(|status| status.to_string()),
            Self::Isthmus(it) => (!it.is_running()).then(|| "ended".to_owned()),
        }
    }

    pub(crate) fn restart(&self) {
        match self {
            Self::Biboumi(it) => it.restart(),
            Self::Isthmus(it) => it.restart(),
        }
    }

    /// Sends SIGTERM; how it ended, if it did in time.
    pub(crate) fn terminate(&self, deadline: Duration) -> Option<ExitStatus> {
        match self {
            Self::Biboumi(it) => it.terminate(deadline),
            Self::Isthmus(it) => it.try_terminate(deadline),
        }
    }

    fn log(&self) -> String {
        match self {
            Self::Biboumi(it) => it.log(),
            Self::Isthmus(it) => it.log(),
        }
    }
}

/// Everything one gateway is probed with.
pub(crate) struct Bench {
    pub(crate) which: Which,
    pub(crate) gate: Gate,
    pub(crate) ircd: Ircd,
    pub(crate) juliet: XmppClient,
    pub(crate) xmpp: Box<dyn XmppServer>,
    marks: std::sync::atomic::AtomicU32,
}

impl Bench {
    /// Juliet is in the channel of marks.
    pub(crate) async fn start(which: Which) -> Self {
        let this = Self::outside(which).await;
        this.enter(MARKS).await;
        this
    }

    /// Juliet has not been on IRC yet.
    pub(crate) async fn outside(which: Which) -> Self {
        let ircd = Ircd::start().await;
        let xmpp = Xmpp::Prosody.start();
        let gate = match which {
            Which::Biboumi => Gate::Biboumi(Biboumi::start(&*xmpp, IRC)),
            Which::Isthmus => Gate::Isthmus(served(&*xmpp, ircd.port())),
        };
        xmpp.add_user("juliet", PASSWORD);
        let juliet = XmppClient::login(&*xmpp, "juliet", PASSWORD, "one").await;
        juliet.available();
        let this = Self {
            which,
            gate,
            ircd,
            juliet,
            xmpp,
            marks: Default::default(),
        };
        this.attached().await;
        this.set_up(&this.juliet, &[("pass", SERVER_PASSWORD)])
            .await;
        this
    }

    /// Waits until the gateway answers.
    pub(crate) async fn attached(&self) {
        let end = Instant::now() + PATIENCE;
        while !answers(&self.juliet, IRC).await {
            assert!(Instant::now() < end, "not attached:\n{}", self.gate.log());
            // The server answers in the gateway's place until then: ask again.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Another user, who has not been on IRC.
    pub(crate) async fn user(&self, name: &str) -> XmppClient {
        self.xmpp.add_user(name, PASSWORD);
        let client = XmppClient::login(&*self.xmpp, name, PASSWORD, "one").await;
        client.available();
        self.set_up(&client, &[]).await;
        client
    }

    /// Sets these; biboumi is also told by each user where the server's port is. Whether there
    /// are such settings.
    pub(crate) async fn set_up(&self, client: &XmppClient, fields: &[(&str, &str)]) -> bool {
        if self.which == Which::Biboumi {
            let port = self.ircd.port().to_string();
            let mut all = vec![
                ("ports", port.as_str()),
                ("tls_ports", ""),
                ("throttle_limit", "-1"),
            ];
            all.extend_from_slice(fields);
            let done = configure(client, &format!("{NETWORK}@{IRC}"), &all).await;
            assert!(done, "biboumi took no settings");
            return true;
        }
        configure(client, &format!("{NETWORK}@{IRC}"), fields).await
    }

    pub(crate) fn room(&self, channel: &str) -> String {
        format!("{channel}%{NETWORK}@{IRC}")
    }

    pub(crate) fn person(&self, nick: &str) -> String {
        self.room(nick)
    }

    pub(crate) async fn enter(&self, channel: &str) {
        self.juliet.join(&self.room(channel), "juliet").await;
    }

    fn mark(&self) -> String {
        let next = &self.marks;
        format!(
            "mark {}",
            next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        )
    }

    /// Every line that the IRC server got up to now.
    pub(crate) async fn sent(&self) -> Vec<Vec<u8>> {
        let mark = self.mark();
        self.juliet.groupchat(&self.room(MARKS), &mark);
        let line = format!("PRIVMSG {MARKS} :{mark}");
        let heard = self.ircd.hears(&line, PATIENCE).await;
        assert!(heard.is_some(), "no mark arrives:\n{}", self.gate.log());
        self.ircd.drain()
    }

    /// Every stanza that Juliet got up to now of what the IRC server said.
    pub(crate) async fn told(&self) -> Vec<Stanza> {
        // There and back: what the server answers to what was sent before is told, too.
        let before = self.sent().await;
        drop(before);
        let mark = self.mark();
        self.ircd
            .say(&format!(":op!o@127.0.0.1 PRIVMSG {MARKS} :{mark}"));
        let heard = |s: &Stanza| s.is_message("groupchat", &mark);
        let heard = self.juliet.try_expect(PATIENCE, heard).await;
        assert!(heard.is_ok(), "no mark comes back:\n{}", self.gate.log());
        self.juliet.collect(IRC).await
    }
}

fn served(xmpp: &dyn XmppServer, port: u16) -> Isthmus {
    isthmus(&config(xmpp, &gateway_at(port)))
}

/// The gateway's table, with the server at this port called as biboumi calls it.
pub(crate) fn gateway_at(port: u16) -> String {
    let gateway = irc_gateway_at(&format!("127.0.0.1:{port}"), "tls = \"off\"");
    gateway.replace(".local]", &format!(".\"{NETWORK}\"]"))
}

const COMMANDS: &str = "http://jabber.org/protocol/commands";

/// The form of an address; nothing where it has none.
pub(crate) async fn form(client: &XmppClient, address: &str) -> Option<Stanza> {
    let ask = format!("<command xmlns='{COMMANDS}' node='configure' action='execute'/>");
    let answer = client.iq("set", address, &ask).await;
    (answer.type_() == "result").then_some(answer)
}

/// Fills in the form of an address; whether it was taken. Values with line ends are several.
pub(crate) async fn configure(client: &XmppClient, address: &str, fields: &[(&str, &str)]) -> bool {
    let Some(form) = form(client, address).await else {
        return false;
    };
    let Some(command) = form.find("command", COMMANDS) else {
        return false;
    };
    let session = command.attr("sessionid");
    let field = |(name, value): &(&str, &str)| {
        let values = value.split('\n').filter(|value| !value.is_empty());
        let values: String = values
            .map(|value| format!("<value>{value}</value>"))
            .collect();
        format!("<field var='{name}'>{values}</field>")
    };
    let fields: String = fields.iter().map(field).collect();
    let submit = format!(
        "<command xmlns='{COMMANDS}' node='configure' sessionid='{session}' action='complete'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></command>"
    );
    client.iq("set", address, &submit).await.type_() == "result"
}
