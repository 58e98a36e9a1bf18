//! The servers of one test and the program between them.

use std::time::Duration;

use isthmus_test_support::node::escape;
use isthmus_test_support::{IrcServer, Isthmus, Stanza, XmppClient, XmppServer, xmpp_server};
use tokio::time::Instant;

/// The domain of the loopback gateway.
pub(crate) const LOOP: &str = "loop.localhost";
/// The domain of the IRC gateway.
pub(crate) const IRC: &str = "irc.localhost";
/// Password of every account.
pub(crate) const PASSWORD: &str = "pass-w0rd-of-accounts";
/// How long things may take that wait for a server to start and for our back-off.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A gateway table for the loopback gateway.
pub(crate) const LOOP_GATEWAY: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
"#;

/// A gateway table for the IRC gateway: the network `local` in plain text.
pub(crate) fn irc_gateway(irc: &dyn IrcServer) -> String {
    let address = format!("127.0.0.1:{}", irc.port());
    irc_gateway_at(&address, "tls = \"off\"")
}

/// The same with an address and keys of the network's own.
pub(crate) fn irc_gateway_at(address: &str, keys: &str) -> String {
    format!(
        r#"
[gateway.irc]
domain = "{IRC}"
hosts = "named"
allow = ["localhost"]
throttle_burst = 1000
throttle_rate = 1000.0
queue = 10000

[gateway.irc.networks.local]
hosts = ["{address}"]
{keys}
"#
    )
}

/// The configuration of the program for this server and these gateways.
pub(crate) fn config(xmpp: &dyn XmppServer, gateways: &str) -> String {
    config_at(xmpp.component_port(), xmpp.secret(), "info", gateways)
}

/// The same, all told.
pub(crate) fn config_at(port: u16, secret: &str, level: &str, gateways: &str) -> String {
    format!(
        r#"
[component]
server = "127.0.0.1:{port}"
secret = "{secret}"

[store]
path = "{{dir}}/isthmus.db"

[log]
level = "{level}"
{gateways}"#
    )
}

/// Starts the program.
pub(crate) fn isthmus(config: &str) -> Isthmus {
    Isthmus::start(env!("CARGO_BIN_EXE_isthmus"), config)
}

/// An XMPP server and the program attached to it.
pub(crate) struct World {
    pub(crate) isthmus: Isthmus,
    pub(crate) xmpp: Box<dyn XmppServer>,
}

impl World {
    /// Starts both, with these gateways.
    pub(crate) fn start(kind: xmpp_server::Kind, gateways: &str) -> Self {
        let xmpp = kind.start();
        let isthmus = isthmus(&config(&*xmpp, gateways));
        Self { isthmus, xmpp }
    }

    /// The same with other domains than the two above.
    pub(crate) fn serving(kind: xmpp_server::Kind, domains: &[&str], gateways: &str) -> Self {
        let xmpp = kind.start_with(domains);
        let isthmus = isthmus(&config(&*xmpp, gateways));
        Self { isthmus, xmpp }
    }

    /// Around a server that runs.
    pub(crate) fn around(xmpp: Box<dyn XmppServer>, gateways: &str) -> Self {
        let isthmus = isthmus(&config(&*xmpp, gateways));
        Self { isthmus, xmpp }
    }

    /// As [`Self::start`]; these accounts survive it when the server is killed.
    pub(crate) fn keeping(kind: xmpp_server::Kind, users: &[&str], gateways: &str) -> Self {
        let mut xmpp = kind.start();
        for user in users {
            xmpp.add_user(user, PASSWORD);
        }
        xmpp.keep_accounts();
        let isthmus = isthmus(&config(&*xmpp, gateways));
        Self { isthmus, xmpp }
    }

    /// A user with an account of his own, logged in and available.
    pub(crate) async fn user(&self, name: &str) -> XmppClient {
        self.xmpp.add_user(name, PASSWORD);
        self.resource(name, "one").await
    }

    /// Another resource of a user that has an account.
    pub(crate) async fn resource(&self, name: &str, resource: &str) -> XmppClient {
        let client = XmppClient::login(&*self.xmpp, name, PASSWORD, resource).await;
        client.available();
        client
    }

    /// Waits until the gateway answers this client, which it does only when attached.
    pub(crate) async fn attached(&self, client: &XmppClient, domain: &str) {
        let end = Instant::now() + PATIENCE;
        while !answers(client, domain).await {
            assert!(
                self.isthmus.is_running(),
                "isthmus has ended:\n{}",
                self.isthmus.log()
            );
            assert!(
                Instant::now() < end,
                "{domain} does not attach:\n{}",
                self.isthmus.log()
            );
            // The server answers in the gateway's place until then: ask again.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether a ping to the domain is answered with a result. One that the server hands to a process
/// that was killed a moment before is answered by nobody.
pub(crate) async fn answers(client: &XmppClient, domain: &str) -> bool {
    let id = client.fresh_id();
    client.send(&format!(
        "<iq type='get' id='{id}' to='{domain}'>{PING}</iq>"
    ));
    let patience = Duration::from_secs(3);
    let answer = client
        .try_expect(patience, |s| s.kind() == "iq" && s.id() == id)
        .await;
    answer.is_ok_and(|answer| answer.type_() == "result")
}

/// The payload of a ping (XEP-0199).
pub(crate) const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

/// A disco#info request.
pub(crate) const DISCO_INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

/// A `muc#admin` request for one occupant.
pub(crate) fn admin(nick: &str, attributes: &str, reason: &str) -> String {
    format!(
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='{nick}' {attributes}>\
         <reason>{reason}</reason></item></query>"
    )
}

/// Affiliation and role in an occupant's presence (XEP-0045 §7.2.2).
pub(crate) fn standing(presence: &Stanza) -> (String, String) {
    let item = presence.find("item", "http://jabber.org/protocol/muc#user");
    let of = |name| item.map_or("", |item| item.attr(name)).to_owned();
    (of("affiliation"), of("role"))
}

/// The features an address names.
pub(crate) async fn features(client: &XmppClient, address: &str) -> Vec<String> {
    let info = client.iq("get", address, DISCO_INFO).await;
    assert_eq!(info.type_(), "result", "{info:?}");
    let query = info.child("query").expect("a result has its query");
    query
        .children_named("feature")
        .map(|feature| feature.attr("var").to_owned())
        .collect()
}

/// A presence of `from` (a full JID of a room).
pub(crate) fn presence_of<'a>(from: &'a str, kind: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |stanza| stanza.kind() == "presence" && stanza.from() == from && stanza.type_() == kind
}

/// How many messages of that id and body have come.
pub(crate) fn times(client: &XmppClient, id: &str, body: &str) -> usize {
    let log = client.log();
    log.iter()
        .filter(|s| s.kind() == "message" && s.id() == id && s.body() == body)
        .count()
}

/// Whether a stanza is the receipt (XEP-0184) of this message.
pub(crate) fn is_receipt(stanza: &Stanza, id: &str) -> bool {
    let received = stanza.find("received", "urn:xmpp:receipts");
    received.is_some_and(|received| received.attr("id") == id)
}

/// What a message has to ask for its receipt.
pub(crate) const RECEIPT: &str = "<request xmlns='urn:xmpp:receipts'/>";

/// The text of a stanza error.
pub(crate) fn error_text(stanza: &Stanza) -> String {
    let error = stanza
        .child("error")
        .map(|error| error.text_of("text").to_owned());
    error.unwrap_or_default()
}

/// The form of a registration (XEP-0077 §3.1), filled in.
pub(crate) fn register_form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!(
            "<field var='{name}'><value>{}</value></field>",
            escape(value)
        )
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>jabber:iq:register</value></field>{fields}</x></query>"
    )
}
