//! profanity: everything is a line that begins with `/`.

use std::ffi::OsString;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::{Terminal, XmppServer, paths};
use tempfile::TempDir;

use super::{Client, USER, use_it};
use crate::world::{LOOP, PASSWORD};

struct Profanity {
    terminal: Terminal,
    _dir: TempDir,
}

impl Client for Profanity {
    async fn start(xmpp: &dyn XmppServer) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let library: OsString = paths::library_path(&[]);
        let env = [("LD_LIBRARY_PATH", library)];
        let terminal = Terminal::start(dir.path(), "profanity", &[], &env);
        terminal.sees("Type '/help' to show complete help").await;
        terminal.enters(&format!(
            "/connect {USER}@{} server 127.0.0.1 port {} tls disable",
            xmpp.domain(),
            xmpp.c2s_port()
        ));
        terminal.sees("Enter password:").await;
        terminal.enters(PASSWORD);
        terminal.sees("logged in successfully").await;
        Self {
            terminal,
            _dir: dir,
        }
    }

    fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    async fn chats(&self, address: &str, text: &str) {
        // In a room's window it would look for an occupant of that name.
        self.terminal.enters("/win 1");
        self.terminal.enters(&format!("/msg {address} {text}"));
        self.terminal.sees(&format!("me: {text}")).await;
    }

    async fn befriends(&self) {
        self.terminal.sees("Authorization request").await;
        self.terminal.enters("/sub allow");
        self.terminal.enters("/sub request");
        self.terminal.sees(&format!("{LOOP} [online]")).await;
    }

    async fn joins(&self, room: &str, nick: &str) {
        self.terminal.enters(&format!("/join {room} nick {nick}"));
        self.terminal.sees("You have joined the room").await;
    }

    async fn is_refused(&self, room: &str, nick: &str) {
        self.terminal.enters("/win 1");
        self.terminal.enters(&format!("/join {room} nick {nick}"));
        // It shows the condition, not the words.
        self.terminal.sees("registration-required").await;
    }

    async fn sees_subject(&self, text: &str) {
        self.terminal.enters("/subject");
        self.terminal.sees(&format!("ubject: {text}")).await;
    }

    fn sets_subject(&self, text: &str) {
        self.terminal.enters(&format!("/subject set \"{text}\""));
    }

    fn acts(&self, what: &str) {
        self.terminal.enters(&format!("/me {what}"));
    }

    /// Ad hoc, with a form. What comes of them is shown in the chat with the gateway.
    async fn commands(&self) {
        let terminal = &self.terminal;
        terminal.enters(&format!("/cmd list {LOOP}"));
        terminal.sees("queue-cancel").await;
        terminal.enters(&format!("/cmd exec queue {LOOP}"));
        terminal.sees("no message waits").await;
        terminal.enters(&format!("/cmd exec register {LOOP}"));
        terminal.sees("[field1] Nickname (required): jule").await;
        terminal.enters("/field1 giulietta");
        terminal.sees("giulietta").await;
        terminal.enters("/form submit");
        terminal.enters(&format!("/win {LOOP}"));
        terminal.sees("you are giulietta").await;
    }
}

#[tokio::test]
async fn profanity_registers_commands_and_talks_on_loopback_and_irc() {
    use_it::<Profanity>(Irc::Ngircd).await;
}
