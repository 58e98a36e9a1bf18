//! Services of a network (Atheme, linked to InspIRCd): an account registered there, the login by SASL
//! and by NickServ, what others see of it, and what a refusal looks like.

use isthmus_test_support::irc_client::Line;
use isthmus_test_support::irc_server::{Atheme, Kind as Irc};
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{DEADLINE, IrcClient, IrcServer, XmppClient};

use crate::conversation::trusting;
use crate::world::{IRC, World, error_text, irc_gateway, presence_of};

const CHANNEL: &str = "#garden";
const ROOM: &str = "#garden%local@irc.localhost";
const NETWORK: &str = "local@irc.localhost";
const NICKSERV: &str = "nickserv%local@irc.localhost";
/// The account. So long because services take no passwords of more than 255 bytes.
const ACCOUNT: &str = "capulet_of_the_house_in_verona";
/// With name, name and two separators PLAIN says 300 bytes: in base64 one full piece, and then an
/// empty one.
const FULL: usize = 300 - 2 * ACCOUNT.len() - 2;

/// Everybody there is.
struct Scene<'a> {
    world: World,
    irc: &'a dyn IrcServer,
    juliet: XmppClient,
    romeo: XmppClient,
    alice: IrcClient,
}

impl<'a> Scene<'a> {
    /// Alice and romeo are in the channel, juliet is at the door.
    async fn set(world: World, irc: &'a dyn IrcServer) -> Self {
        let (juliet, romeo) = (world.user("juliet").await, world.user("romeo").await);
        let alice = IrcClient::connect(irc.port(), "alice").await;
        alice.join(CHANNEL).await;
        world.attached(&juliet, IRC).await;
        romeo.join(ROOM, "romeo").await;
        Self {
            world,
            irc,
            juliet,
            romeo,
            alice,
        }
    }

    /// Somebody with the account's name registers it.
    async fn register(&self, password: &str) {
        let owner = IrcClient::connect(self.irc.port(), ACCOUNT).await;
        owner.privmsg(
            "NickServ",
            &format!("REGISTER {password} {ACCOUNT}@test.invalid"),
        );
        owner
            .expect(|line| line.nick() == "NickServ" && line.last().contains("now registered"))
            .await;
        owner.send("QUIT");
        owner.expect(|line| line.command == "ERROR").await;
    }

    /// What the network's address answers to juliet: the first words with these in them.
    async fn tells(&self, text: &str, words: &str) -> String {
        self.juliet.chat(NETWORK, text);
        self.hears(NETWORK, words).await
    }

    /// The next message from this address with these words.
    async fn hears(&self, from: &str, words: &str) -> String {
        let heard = self.juliet.expect(|s| {
            s.kind() == "message"
                && s.from() == from
                && !s.body().is_empty()
                && s.body().contains(words)
        });
        heard.await.body().to_owned()
    }

    async fn sets(&self, setting: &str, value: &str) {
        let told = format!("{setting} = ");
        self.tells(&format!("set {setting} {value}"), &told).await;
    }

    async fn unsets(&self, setting: &str) {
        let told = format!("{setting} is back");
        self.tells(&format!("unset {setting}"), &told).await;
    }

    /// Juliet enters and is told the network's words for the login; what romeo sees of her.
    async fn enters_logged_in(&self, nick: &str, account: &str) -> String {
        self.juliet.send_join(ROOM, nick, "");
        self.hears(NETWORK, &format!("logged in as {account}"))
            .await;
        self.juliet
            .try_entered(ROOM, DEADLINE)
            .await
            .expect("entered");
        self.alice.send(&format!("WHOIS {nick}"));
        self.alice
            .expect(|line| line.is("330", &["alice", nick, account]))
            .await;
        self.id_of(nick).await
    }

    /// The occupant id (XEP-0421) that romeo sees.
    async fn id_of(&self, nick: &str) -> String {
        let seen = self
            .romeo
            .expect(presence_of(&format!("{ROOM}/{nick}"), ""))
            .await;
        let id = seen.find("occupant-id", "urn:xmpp:occupant-id:0");
        id.expect("an occupant id").attr("id").to_owned()
    }

    /// Juliet, who is in the channel, ends her connection.
    async fn disconnects(&self) {
        self.hangs_up().await;
        let left = |line: &Line| line.command == "QUIT" && line.nick().starts_with("jul");
        self.alice.expect(left).await;
    }

    async fn hangs_up(&self) {
        let command = |rest: &str| {
            format!(
                "<command xmlns='http://jabber.org/protocol/commands' \
                 node='disconnect-from-irc-server' {rest}</command>"
            )
        };
        let asked = self.juliet.iq("set", IRC, &command(">")).await;
        let session = asked.child("command").expect("a form").attr("sessionid");
        let form = "<x xmlns='jabber:x:data' type='submit'><field var='irc-servers'>\
                    <value>local</value></field></x>";
        let submit = command(&format!("sessionid='{session}'>{form}"));
        let done = self.juliet.iq("set", IRC, &submit).await;
        assert_eq!(done.type_(), "result", "{done:?}");
    }

    /// The entry is refused, with words.
    async fn is_refused(&self, words: &str) {
        self.juliet.send_join(ROOM, "juliet", "");
        let error = self
            .juliet
            .expect(presence_of(&format!("{ROOM}/juliet"), "error"))
            .await;
        assert_eq!(error.error_condition(), "not-authorized", "{error:?}");
        assert!(error_text(&error).contains(words), "{error:?}");
    }
}

#[tokio::test]
async fn services_log_in_by_plain_and_the_account_is_what_others_know_one_by() {
    let irc = Irc::Atheme.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let scene = Scene::set(world, &*irc).await;
    let password = "p".repeat(FULL);
    scene.register(&password).await;
    scene.sets("sasl_user", ACCOUNT).await;
    scene.sets("sasl_password", &password).await;
    let as_juliet = scene.enters_logged_in("juliet", ACCOUNT).await;
    scene.disconnects().await;

    scene.sets("username", "other").await;
    let as_jules = scene.enters_logged_in("jules", ACCOUNT).await;
    assert_eq!(as_juliet, as_jules, "one account is one occupant");
    scene.disconnects().await;

    scene.unsets("sasl_password").await;
    scene.juliet.join(ROOM, "jules").await;
    let nobody = scene.id_of("jules").await;
    assert_ne!(as_jules, nobody, "without the account she is somebody else");
}

#[tokio::test]
async fn services_that_refuse_a_login_are_heard_and_the_right_password_helps_at_once() {
    let irc = Irc::Atheme.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let scene = Scene::set(world, &*irc).await;
    // One byte more than a full piece.
    let password = "p".repeat(FULL + 1);
    scene.register(&password).await;
    scene.sets("sasl_user", ACCOUNT).await;
    scene.sets("sasl_password", "wrong").await;
    scene.is_refused("SASL authentication failed").await;
    scene.sets("sasl_password", &password).await;
    scene.enters_logged_in("juliet", ACCOUNT).await;
    scene.disconnects().await;

    scene.unsets("sasl_password").await;
    let identify = format!("PRIVMSG NickServ :IDENTIFY {ACCOUNT} {password}");
    scene.sets("after_connect_commands", &identify).await;
    scene.enters_logged_in("juliet", ACCOUNT).await;
}

#[tokio::test]
async fn services_that_are_away_are_told_of_and_not_waited_for() {
    let mut irc = Atheme::start();
    irc.kill_services();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&irc));
    let scene = Scene::set(world, &irc).await;
    scene.sets("sasl_user", ACCOUNT).await;
    scene.sets("sasl_password", "any").await;
    scene.is_refused("offers no login").await;
}

#[tokio::test]
async fn services_log_in_by_a_certificate_made_here_before_any_password() {
    let irc = Irc::Atheme.start();
    let scene = Scene::set(trusting(Xmpp::Prosody, &*irc), &*irc).await;
    scene.register("swan").await;
    let told = scene.tells("certfp new", "fingerprint").await;
    let digits = told.rsplit(' ').next().expect("a fingerprint");
    scene
        .sets(
            "after_connect_commands",
            &format!("PRIVMSG NickServ :IDENTIFY {ACCOUNT} swan"),
        )
        .await;
    scene.enters_logged_in("juliet", ACCOUNT).await;
    scene.juliet.chat(NICKSERV, &format!("CERT ADD {digits}"));
    scene.hears(NICKSERV, "Added fingerprint").await;
    scene.disconnects().await;

    // Nothing but the certificate is true now.
    scene.sets("after_connect_commands", "MODE juliet +x").await;
    scene.sets("sasl_user", ACCOUNT).await;
    scene.sets("sasl_password", "wrong").await;
    scene.enters_logged_in("juliet", ACCOUNT).await;
    scene.alice.send("WHOIS juliet");
    scene
        .alice
        .expect(|line| line.command == "276" && line.last().contains(digits))
        .await;

    // One that is not known is followed by the password.
    scene.tells("certfp new", "Your new certificate").await;
    scene.disconnects().await;
    scene.is_refused("SASL authentication failed").await;
    scene.sets("sasl_password", "swan").await;
    scene.enters_logged_in("juliet", ACCOUNT).await;
    assert!(scene.world.isthmus.is_running());
}
