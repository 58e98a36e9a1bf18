//! Plugins: one written for these rules, and the two examples that ship.

use std::path::PathBuf;
use std::sync::Arc;

use isthmus_exec::{Config, Place as Home};
use isthmus_gateway::{Address, Command, Gateway, Kind, Outgoing, Place};
use isthmus_test_support::paths;
use tempfile::TempDir;

use crate::conform::bench::{Bench, Live, Post};
use crate::conform::driver::Driver;

/// A running plugin in a directory of its own.
struct Plugin {
    exec: Arc<isthmus_exec::Exec>,
    dir: TempDir,
}

impl Plugin {
    async fn start(program: &str, file: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
        let program = paths::need(program).to_string_lossy().into_owned();
        let config = Config::new(vec![program, file.to_string_lossy().into_owned()]);
        let home = Home {
            name: "conform".into(),
            domain: "conform.example".into(),
            dir: dir.path().to_owned(),
        };
        let exec = isthmus_exec::Exec::start_plugin(home, config).await;
        Self {
            exec: Arc::new(exec.expect("the plugin starts")),
            dir,
        }
    }
}

/// The plugin beside this folder.
pub(in crate::conform) struct Exec(Plugin);

/// The dictionary.
pub(in crate::conform) struct Dict(Plugin);

/// The echo in shell.
pub(in crate::conform) struct Echo(Plugin);

impl Bench for Exec {
    const NAME: &'static str = "conform";
    const NETWORK: &'static str = "net";

    async fn start() -> Self {
        Self(Plugin::start("usr/bin/python3", "tests/it/conform/plugin.py").await)
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.exec.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Network, "", "net"),
            Address::new(Kind::Room, "garden", "net"),
            Address::new(Kind::Contact, "alice", "net"),
        ]
    }
}

impl Bench for Dict {
    const NAME: &'static str = "dict";

    async fn start() -> Self {
        Self(Plugin::start("usr/bin/python3", "examples/plugins/dict.py").await)
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.exec.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![Address::new(Kind::Contact, "alice", "")]
    }
}

impl Bench for Echo {
    const NAME: &'static str = "echo";

    async fn start() -> Self {
        Self(Plugin::start("bin/sh", "examples/plugins/echo.sh").await)
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.exec.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![Address::new(Kind::Contact, "alice", "")]
    }
}

impl Live for Exec {
    const DOWN: &'static str = "down";
    const MUTE: Option<&'static str> = Some("mute");
    const ROOMS: Option<[&'static str; 2]> = Some(["garden", "full"]);
    const CONTACT: &'static str = "bob";

    fn flood(&self, driver: &mut Driver, lines: usize, hang_up: bool) {
        let then = if hang_up { "go" } else { "stay" };
        let text = format!("flood {lines} {then}");
        let to = Place::Contact(Self::CONTACT.into());
        driver.command(Command::Send(Outgoing::text(to, text)));
    }
}

fn contact(name: &str) -> Address {
    Address::new(Kind::Contact, name, "net")
}

impl Post for Exec {
    fn good() -> Address {
        contact("ok")
    }

    fn refused() -> Address {
        contact("refused")
    }

    fn bad() -> Address {
        contact("bad")
    }

    fn doubled() -> Address {
        contact("doubled")
    }

    fn stall(&self) -> Address {
        std::fs::write(self.0.dir.path().join("stalled"), "").expect("written");
        contact("hold")
    }

    async fn release(&self) {
        std::fs::remove_file(self.0.dir.path().join("stalled")).expect("it was there");
    }

    fn arrived(&self) -> Option<Vec<String>> {
        let file = std::fs::read_to_string(self.0.dir.path().join("arrived"));
        let lines = file.unwrap_or_default();
        let read = |line: &str| serde_json::from_str(line).expect("own output");
        Some(lines.lines().map(read).collect())
    }
}
