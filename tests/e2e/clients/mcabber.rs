//! mcabber: a roster beside the chat that is chosen in it; what is typed goes there.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::{Terminal, XmppServer, paths};
use tempfile::TempDir;

use super::{Client, NETWORK, USER, use_it};
use crate::world::{LOOP, PASSWORD};

struct Mcabber {
    terminal: Terminal,
    _dir: TempDir,
}

impl Mcabber {
    /// Chooses it in the roster, and shows what is said there.
    fn opens(&self, address: &str) {
        if address == NETWORK {
            // A search takes the first address with this in it, such as a room's: go by place.
            for step in ["bottom", "up", "up"] {
                self.terminal.enters(&format!("/roster {step}"));
            }
        } else {
            self.terminal.enters(&format!("/roster search {address}"));
        }
        self.terminal.presses("Enter");
    }
}

impl Client for Mcabber {
    async fn start(xmpp: &dyn XmppServer) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("mcabberrc");
        let settings = format!(
            "set jid = {USER}@{}\nset password = {PASSWORD}\nset server = 127.0.0.1\n\
             set port = {}\nset tls = 0\nset ssl_ignore_checks = 1\nset log_win_height = 8\n\
             set roster_width = 40\n",
            xmpp.domain(),
            xmpp.c2s_port()
        );
        fs::write(&file, settings).expect("written");
        // It warns of a password that others may read.
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("ours");
        let library: OsString = paths::library_path(&[]);
        let env = [("LD_LIBRARY_PATH", library)];
        let args = ["-f".into(), file.into_os_string()];
        let terminal = Terminal::start(dir.path(), "mcabber", &args, &env);
        terminal.sees("Your status has been set").await;
        Self {
            terminal,
            _dir: dir,
        }
    }

    fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    fn said(who: &str, text: &str) -> String {
        format!("<{who}> {text}")
    }

    async fn chats(&self, address: &str, text: &str) {
        self.terminal.enters(&format!("/say_to {address} {text}"));
        self.opens(address);
        self.terminal.sees(&format!("--> {text}")).await;
    }

    async fn befriends(&self) {
        let terminal = &self.terminal;
        terminal.sees("Please use /event 1 accept|reject").await;
        terminal.enters("/event 1 accept");
        terminal
            .sees("is allowed to receive your presence updates")
            .await;
        terminal.enters(&format!("/authorization request {LOOP}"));
        terminal
            .sees("has allowed you to receive their presence updates")
            .await;
        terminal.sees(&format!("[o] {LOOP}")).await;
    }

    async fn joins(&self, room: &str, nick: &str) {
        let terminal = &self.terminal;
        terminal.enters(&format!("/room join {room} {nick}"));
        terminal.sees(&format!("You have joined {room}")).await;
        self.opens(room);
        terminal.sees(&format!("Room: {room}")).await;
    }

    async fn is_refused(&self, room: &str, nick: &str) {
        self.terminal.enters(&format!("/room join {room} {nick}"));
        self.terminal.sees("Cannot join channel").await;
    }

    async fn sees_subject(&self, text: &str) {
        self.terminal
            .sees(&format!("has set the topic to: {text}"))
            .await;
    }

    fn sets_subject(&self, text: &str) {
        self.terminal.enters(&format!("/room topic {text}"));
    }

    fn acts(&self, what: &str) {
        self.terminal.enters(&format!("/say /me {what}"));
    }

    /// By words: it has no commands (XEP-0050) of others.
    async fn commands(&self) {
        self.chats(LOOP, "queue").await;
        self.terminal.sees("<== no message waits").await;
    }
}

#[tokio::test]
async fn mcabber_registers_commands_and_talks_on_loopback_and_irc() {
    use_it::<Mcabber>(Irc::Inspircd).await;
}
