//! finch, which is Pidgin in a terminal: windows, menus and dialogs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::{DEADLINE, Terminal, XmppServer, paths};
use tempfile::TempDir;

use super::{Client, USER, use_it};
use crate::world::{LOOP, PASSWORD};

/// What speaks XMPP, of the plugins of its library.
const PLUGINS: [&str; 3] = ["libxmpp.so", "ssl.so", "ssl-nss.so"];
/// How long a menu takes that opens.
const A_MOMENT: Duration = Duration::from_secs(3);

struct Finch {
    terminal: Terminal,
    _dir: TempDir,
}

fn account(xmpp: &dyn XmppServer) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8' ?>
<account version='1.0'><account>
<protocol>prpl-jabber</protocol>
<name>{USER}@{}/finch</name>
<password>{PASSWORD}</password>
<settings>
<setting name='connection_security' type='string'>opportunistic_tls</setting>
<setting name='connect_server' type='string'>127.0.0.1</setting>
<setting name='port' type='int'>{}</setting>
</settings>
<settings ui='gnt-purple'><setting name='auto-login' type='bool'>1</setting></settings>
</account></account>
",
        xmpp.domain(),
        xmpp.c2s_port()
    )
}

impl Finch {
    /// An entry of the first menu of the buddy list, and the text for its dialog.
    async fn menu(&self, entry: &str, hotkey: &str, dialog: &str, text: &str) {
        let terminal = &self.terminal;
        terminal.presses("M-1");
        terminal.sees("Available").await;
        let end = Instant::now() + DEADLINE;
        while !self.chosen(entry, hotkey, dialog).await {
            assert!(
                Instant::now() < end,
                "{entry} does not open:\n{}",
                terminal.screen()
            );
        }
        terminal.types(text);
        terminal.presses("Tab");
        terminal.presses("Enter");
    }

    /// Whether the entry opened its dialog. A menu is closed by whatever changes in the list
    /// behind it; then it has to be opened again.
    async fn chosen(&self, entry: &str, hotkey: &str, dialog: &str) -> bool {
        let terminal = &self.terminal;
        terminal.presses("F10");
        if !terminal.shows(entry, A_MOMENT).await {
            return false;
        }
        terminal.presses(hotkey);
        terminal.shows(dialog, A_MOMENT).await
    }
}

impl Client for Finch {
    async fn start(xmpp: &dyn XmppServer) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("accounts.xml"), account(xmpp)).expect("written");
        // It looks for them where they would be installed, and here.
        let multiarch = paths::multiarch();
        let library = format!("usr/lib/{multiarch}/purple-2");
        let plugins = dir.path().join("plugins");
        fs::create_dir(&plugins).expect("a fresh directory");
        for plugin in PLUGINS {
            let file = paths::need(&format!("{library}/{plugin}"));
            symlink(file, plugins.join(plugin)).expect("a fresh directory");
        }
        let libraries: OsString = paths::library_path(&[&library]);
        let env = [("LD_LIBRARY_PATH", libraries)];
        let args = ["-c".into(), dir.path().as_os_str().to_owned()];
        let terminal = Terminal::start(dir.path(), "finch", &args, &env);
        // A contact who is there: it is logged in.
        terminal.sees(" romeo@").await;
        Self {
            terminal,
            _dir: dir,
        }
    }

    fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    async fn chats(&self, address: &str, text: &str) {
        self.menu("Send IM...", "s", "New Instant Message", address)
            .await;
        self.terminal.sees(&format!("{address} (")).await;
        self.terminal.enters(text);
        self.terminal.sees(&format!("finch: {text}")).await;
    }

    async fn befriends(&self) {
        let terminal = &self.terminal;
        // Each is the third window, behind the list and the chat, and does not take the keys.
        terminal.sees("Authorize buddy?").await;
        terminal.presses("M-3");
        terminal.presses("Enter");
        terminal.sees("Please enter buddy information.").await;
        terminal.presses("M-3");
        // Past alias, invitation, group, which is completed, and account.
        for _ in 0..6 {
            terminal.presses("Tab");
        }
        terminal.presses("Enter");
        terminal.presses("M-1");
        terminal.sees(&format!("◯ {LOOP}")).await;
    }

    async fn joins(&self, room: &str, nick: &str) {
        let whole = format!("{room}/{nick}");
        self.menu("Join Chat...", "j", "Join a Chat", &whole).await;
        self.terminal.sees(&format!("[ {nick} ]")).await;
    }

    async fn is_refused(&self, room: &str, nick: &str) {
        let whole = format!("{room}/{nick}");
        self.menu("Join Chat...", "j", "Join a Chat", &whole).await;
        // Words of its own for the condition, in the last window, which does not take the keys.
        self.terminal.sees("Error jo").await;
        self.terminal.presses("M-n");
        self.terminal.sees("Registration Required").await;
    }

    async fn sees_subject(&self, text: &str) {
        let words = format!("has set the topic to: {text}");
        self.terminal.sees(&words).await;
    }

    async fn sees_refusal(&self, words: &str) {
        // A window of its own, too narrow for all of it, which does not take the keys; its library
        // opens none for an error that does not repeat the text.
        let last = words.rsplit(' ').next().unwrap_or(words);
        self.terminal
            .sees(&format!("{last} !fault-forbidden"))
            .await;
    }

    fn sets_subject(&self, text: &str) {
        self.terminal.enters(&format!("/topic {text}"));
    }

    fn acts(&self, what: &str) {
        self.terminal.enters(&format!("/me {what}"));
    }

    async fn commands(&self) {
        self.chats(LOOP, "queue").await;
        self.terminal.sees("no message waits").await;
    }
}

#[tokio::test]
async fn finch_registers_commands_and_talks_on_loopback_and_irc() {
    use_it::<Finch>(Irc::Ngircd).await;
}
