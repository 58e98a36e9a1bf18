//! A channel and private words on ngIRCd; alice is an IRC client.

use std::time::Duration;

use isthmus_test_support::irc_client::Line;
use isthmus_test_support::{IrcClient, IrcServer, Ngircd};

use super::{Juliet, PATIENCE};

pub(super) const DOMAIN: &str = "irc.localhost";
const CHANNEL: &str = "#garden";
const ROOM: &str = "#garden%local@irc.localhost";
const ALICE: &str = "alice%local@irc.localhost";

/// The server, and alice in the channel.
pub(super) struct Irc {
    alice: IrcClient,
    server: Ngircd,
}

impl Irc {
    pub(super) async fn start() -> Self {
        let server = Ngircd::start();
        let alice = IrcClient::connect(server.port(), "alice").await;
        alice.join(CHANNEL).await;
        Self { alice, server }
    }

    pub(super) fn config(&self) -> String {
        format!(
            r#"
[gateway.irc]
domain = "{DOMAIN}"
hosts = "named"
allow = ["localhost"]

[gateway.irc.networks.local]
hosts = ["127.0.0.1:{port}"]
tls = "off"
"#,
            port = self.server.port(),
        )
    }

    pub(super) fn invitation(&self) -> String {
        format!(
            "    {ROOM:<44} a channel: join it as a room\n    {ALICE:<44} alice, on IRC\n    \
             (with an IRC client: 127.0.0.1, port {port}, without TLS, channel {CHANNEL})\n",
            port = self.server.port(),
        )
    }

    pub(super) async fn converse(&self, juliet: &Juliet) -> Result<(), String> {
        println!("juliet (XMPP) enters {ROOM}");
        juliet.0.send_join(ROOM, "juliet", "");
        juliet.0.try_entered(ROOM, PATIENCE).await?;
        self.hears(|line| line.is("JOIN", &[CHANNEL]) && line.nick() == "juliet")
            .await?;

        println!("juliet (XMPP) says in the room: Who is there?");
        juliet.0.groupchat(ROOM, "Who is there?");
        self.hears(|line| line.is("PRIVMSG", &[CHANNEL, "Who is there?"]))
            .await?;

        println!("alice (IRC) says in the channel: Only the roses.");
        self.alice.privmsg(CHANNEL, "Only the roses.");
        juliet
            .hears(|stanza| stanza.is_message("groupchat", "Only the roses."))
            .await?;

        println!("alice (IRC) sets the topic: A rose by any other name");
        self.alice
            .send(&format!("TOPIC {CHANNEL} :A rose by any other name"));
        juliet
            .hears(|stanza| stanza.subject() == Some("A rose by any other name"))
            .await?;

        println!("juliet (XMPP) says to {ALICE}: Between us?");
        juliet.0.chat(ALICE, "Between us?");
        self.hears(|line| line.is("PRIVMSG", &["alice", "Between us?"]))
            .await?;

        println!("alice (IRC) says to juliet: Nobody else hears it.");
        self.alice.privmsg("juliet", "Nobody else hears it.");
        juliet
            .hears(|stanza| stanza.is_message("chat", "Nobody else hears it."))
            .await
    }

    /// Answers whoever speaks, until the server is gone.
    pub(super) async fn answer(&self) -> Result<(), String> {
        let year = Duration::from_secs(365 * 24 * 3600);
        loop {
            let line = self
                .alice
                .try_expect(year, |line| line.command == "PRIVMSG");
            let line = line
                .await
                .map_err(|_| "the IRC server is gone".to_owned())?;
            println!("    alice (IRC) receives  {}", line.raw);
            let own = line.params.first().is_some_and(|target| target == "alice");
            let target = if own { line.nick() } else { CHANNEL };
            self.alice
                .privmsg(target, &format!("I hear you, {}.", line.nick()));
        }
    }

    async fn hears(&self, fits: impl FnMut(&Line) -> bool) -> Result<(), String> {
        let line = self.alice.try_expect(PATIENCE, fits).await;
        let line = line.map_err(|error| format!("alice (IRC) did not receive it: {error}"))?;
        println!("    alice (IRC) receives  {}", line.raw);
        Ok(())
    }
}
