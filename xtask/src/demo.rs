//! `cargo demo`: Prosody, ngIRCd and isthmus between them, all on loopback, and a conversation
//! through them: juliet is an XMPP client (slixmpp), alice is an IRC client.

use std::time::Duration;

use isthmus_test_support::irc_client::Line;
use isthmus_test_support::{
    IrcClient, IrcServer, Isthmus, Ngircd, Prosody, Stanza, XmppClient, XmppServer, paths,
};

use crate::install;
use crate::run::{cargo, run};

const CHANNEL: &str = "#garden";
const ROOM: &str = "#garden%local@irc.localhost";
const ALICE: &str = "alice%local@irc.localhost";
const GATEWAY: &str = "irc.localhost";
const PASSWORD: &str = "garden";

/// How long each line may take to come through.
const PATIENCE: Duration = Duration::from_secs(15);

/// Builds isthmus, runs the conversation, and stays until Ctrl-C unless `once`.
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
    println!("==> starting Prosody, ngIRCd and isthmus on loopback");
    let prosody = Prosody::start();
    let ngircd = Ngircd::start();
    for user in ["juliet", "you"] {
        prosody.add_user(user, PASSWORD);
    }
    let binary = paths::target_dir().join("debug/isthmus");
    let isthmus = Isthmus::start(binary, &config(&prosody, &ngircd));
    let scene = Scene::open(&prosody, &ngircd).await?;
    let result = scene.run(&isthmus).await;
    if let Err(error) = result {
        return Err(format!(
            "{error}\n--- log of isthmus ---\n{}",
            isthmus.log()
        ));
    }
    println!("==> everything arrived, in both directions");
    if !once {
        invite(&prosody, &ngircd);
        scene.stay().await?;
    }
    Ok(())
}

fn config(prosody: &Prosody, ngircd: &Ngircd) -> String {
    format!(
        r#"[component]
server = "127.0.0.1:{component}"
secret = "{secret}"

[store]
path = "{{dir}}/isthmus.db"

[gateway.irc]
domain = "{GATEWAY}"
hosts = "named"
allow = ["localhost"]

[gateway.irc.networks.local]
hosts = ["127.0.0.1:{irc}"]
tls = "off"
"#,
        component = prosody.component_port(),
        secret = prosody.secret(),
        irc = ngircd.port(),
    )
}

/// The two who talk.
struct Scene {
    juliet: XmppClient,
    alice: IrcClient,
}

impl Scene {
    async fn open(prosody: &Prosody, ngircd: &Ngircd) -> Result<Self, String> {
        let jid = "juliet@localhost/demo";
        let juliet = XmppClient::try_login(prosody.c2s_port(), jid, PASSWORD).await?;
        juliet.available();
        let alice = IrcClient::connect(ngircd.port(), "alice").await;
        alice.join(CHANNEL).await;
        Ok(Self { juliet, alice })
    }

    /// The conversation. Each line says who did what and what the other side got.
    async fn run(&self, isthmus: &Isthmus) -> Result<(), String> {
        self.gateway_answers(isthmus).await?;

        println!("juliet (XMPP) enters {ROOM}");
        self.juliet.send_join(ROOM, "juliet", "");
        self.juliet.try_entered(ROOM, PATIENCE).await?;
        self.irc(|line| line.is("JOIN", &[CHANNEL]) && line.nick() == "juliet")
            .await?;

        println!("juliet (XMPP) says in the room: Who is there?");
        self.juliet.groupchat(ROOM, "Who is there?");
        self.irc(|line| line.is("PRIVMSG", &[CHANNEL, "Who is there?"]))
            .await?;

        println!("alice (IRC) says in the channel: Only the roses.");
        self.alice.privmsg(CHANNEL, "Only the roses.");
        self.xmpp(|stanza| stanza.is_message("groupchat", "Only the roses."))
            .await?;

        println!("alice (IRC) sets the topic: A rose by any other name");
        self.alice
            .send(&format!("TOPIC {CHANNEL} :A rose by any other name"));
        self.xmpp(|stanza| stanza.subject() == Some("A rose by any other name"))
            .await?;

        println!("juliet (XMPP) says to {ALICE}: Between us?");
        self.juliet.chat(ALICE, "Between us?");
        self.irc(|line| line.is("PRIVMSG", &["alice", "Between us?"]))
            .await?;

        println!("alice (IRC) says to juliet: Nobody else hears it.");
        self.alice.privmsg("juliet", "Nobody else hears it.");
        self.xmpp(|stanza| stanza.is_message("chat", "Nobody else hears it."))
            .await
    }

    /// Until the gateway has attached itself, the server answers pings with an error.
    async fn gateway_answers(&self, isthmus: &Isthmus) -> Result<(), String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let pong = self
                .juliet
                .iq("get", GATEWAY, "<ping xmlns='urn:xmpp:ping'/>")
                .await;
            if pong.type_() == "result" {
                return Ok(());
            }
            if !isthmus.is_running() {
                return Err("isthmus has ended".to_owned());
            }
            if tokio::time::Instant::now() > end {
                return Err(format!("{GATEWAY} does not attach: {pong:?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn irc(&self, fits: impl FnMut(&Line) -> bool) -> Result<(), String> {
        let line = self.alice.try_expect(PATIENCE, fits).await;
        let line = line.map_err(|error| format!("alice (IRC) did not receive it: {error}"))?;
        println!("    alice (IRC) receives  {}", line.raw);
        Ok(())
    }

    async fn xmpp(&self, fits: impl FnMut(&Stanza) -> bool) -> Result<(), String> {
        let stanza = self.juliet.try_expect(PATIENCE, fits).await;
        let stanza =
            stanza.map_err(|error| format!("juliet (XMPP) did not receive it: {error}"))?;
        println!("    juliet (XMPP) receives  {}", stanza.xml);
        Ok(())
    }

    /// Until Ctrl-C: alice answers whoever speaks, so that nobody is alone.
    async fn stay(&self) -> Result<(), String> {
        let stop = tokio::signal::ctrl_c();
        tokio::pin!(stop);
        loop {
            let year = Duration::from_secs(365 * 24 * 3600);
            tokio::select! {
                result = &mut stop => return result.map_err(|error| error.to_string()),
                line = self.alice.try_expect(year, |line| line.command == "PRIVMSG") => {
                    let line = line.map_err(|_| "the IRC server is gone".to_owned())?;
                    println!("    alice (IRC) receives  {}", line.raw);
                    let own = line.params.first().is_some_and(|target| target == "alice");
                    let target = if own { line.nick() } else { CHANNEL };
                    self.alice.privmsg(target, &format!("I hear you, {}.", line.nick()));
                }
            }
        }
    }
}

fn invite(prosody: &Prosody, ngircd: &Ngircd) {
    println!(
        "
Now you. With an XMPP client of your own:
    account    you@localhost
    password   {PASSWORD}
    server     127.0.0.1, port {c2s}, without TLS (allow an unencrypted connection)
    room       {ROOM}
    private    {ALICE}
With an IRC client: 127.0.0.1, port {irc}, without TLS, channel {CHANNEL}.
Ctrl-C ends it all.",
        c2s = prosody.c2s_port(),
        irc = ngircd.port(),
    );
}
