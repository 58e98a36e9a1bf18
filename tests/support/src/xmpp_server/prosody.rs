//! Prosody.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{DOMAIN, Kind, XmppServer, usual};
use crate::port::Port;
use crate::process::{Process, Spec};
use crate::{DEADLINE, paths};

const MODULES: [&str; 17] = [
    "roster",
    "saslauth",
    "disco",
    "ping",
    "vcard_legacy",
    "pep",
    "carbons",
    "mam",
    "blocklist",
    "private",
    "time",
    "version",
    "uptime",
    "register",
    "offline",
    "bookmarks",
    "admin_shell",
];

/// The domain of Prosody's own rooms: what an established room service does.
pub const ROOMS: &str = "rooms.localhost";

/// A running Prosody.
#[derive(Debug)]
pub struct Prosody {
    process: Process,
    c2s: Port,
    component: Port,
    /// Where files are uploaded.
    upload: Option<Port>,
    dir: TempDir,
}

impl Prosody {
    /// Starts one with these component domains.
    pub fn start_with(components: &[&str]) -> Self {
        Self::start_over(components, None)
    }

    /// The same with a file service for users and `access`.
    pub fn start_with_upload(components: &[&str], access: &[&str]) -> Self {
        Self::start_over(components, Some((Port::reserve(), access)))
    }

    /// As [`Self::start_with`]; the first of them is privileged (XEP-0356): rosters,
    /// messages and PubSub.
    pub fn start_privileged(components: &[&str]) -> Self {
        let mut this = Self::start_with(components);
        let path = this.dir.path().join("prosody.cfg.lua");
        let config = fs::read_to_string(&path).expect("written");
        let domain = components.first().copied().unwrap_or_default();
        fs::write(&path, with_privileges(&config, domain)).expect("written");
        this.restart();
        this
    }

    fn start_over(components: &[&str], upload: Option<(Port, &[&str])>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (c2s, component) = (Port::reserve(), Port::reserve());
        let mut config = config(
            dir.path(),
            c2s.number(),
            component.number(),
            &usual(components),
        );
        if let Some((port, access)) = &upload {
            config = with_upload(&config, port.number(), access);
        }
        fs::write(dir.path().join("prosody.cfg.lua"), config).expect("written");
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            c2s,
            component,
            upload: upload.map(|(port, _)| port),
            dir,
        };
        this.wait();
        this
    }

    fn wait(&mut self) {
        self.process.wait_for_port(self.c2s.address(), DEADLINE);
        self.process
            .wait_for_port(self.component.address(), DEADLINE);
        if let Some(port) = &self.upload {
            self.process.wait_for_port(port.address(), DEADLINE);
        }
    }
}

impl XmppServer for Prosody {
    fn kind(&self) -> Kind {
        Kind::Prosody
    }

    fn c2s_port(&self) -> u16 {
        self.c2s.number()
    }

    fn component_port(&self) -> u16 {
        self.component.number()
    }

    fn kill_hard(&mut self) {
        self.process.kill_hard();
    }

    fn restart(&mut self) {
        self.process.restart();
        self.wait();
    }

    fn configure(&mut self, components: &[(&str, &str)]) {
        let (c2s, component) = (self.c2s.number(), self.component.number());
        let config = config(self.dir.path(), c2s, component, components);
        fs::write(self.dir.path().join("prosody.cfg.lua"), config).expect("written");
    }

    fn log(&self) -> String {
        self.process.log()
    }
}

fn with_upload(config: &str, port: u16, access: &[&str]) -> String {
    let access: String = access.iter().map(|it| format!("\"{it}\"; ")).collect();
    let ports = format!("http_ports = {{ {port} }}\nhttp_interfaces = {{ \"127.0.0.1\" }}");
    let service = format!(
        r#"
Component "upload.localhost" "http_file_share"
    http_host = "127.0.0.1"
    http_external_url = "http://127.0.0.1:{port}/"
    http_file_share_access = {{ "{DOMAIN}"; {access}}}
"#
    );
    config.replace("http_ports = { }", &ports) + &service
}

fn spec(dir: &Path) -> Spec {
    // The program has its library's path written into it.
    let program = paths::need("usr/bin/prosody");
    let library = paths::need("usr/lib/prosody");
    let text = fs::read_to_string(program).expect("prosody is a Lua script");
    let text = text.replace("/usr/lib/prosody", &library.to_string_lossy());
    let script = dir.join("prosody.lua");
    fs::write(&script, text).expect("written");
    let root = paths::servers_root().display().to_string();
    let lua = format!("{root}/usr/share/lua/5.4");
    let native = format!("{root}/usr/lib/{}/lua/5.4", paths::multiarch());
    Spec::new("prosody", paths::need("usr/bin/lua5.4"), dir)
        .arg(script)
        .args(["--config", "prosody.cfg.lua", "-F"])
        .env("LUA_PATH", format!("{lua}/?.lua;{lua}/?/init.lua;;"))
        .env("LUA_CPATH", format!("{native}/?.so;;"))
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn config(dir: &Path, c2s: u16, component: u16, components: &[(&str, &str)]) -> String {
    let modules: String = MODULES.iter().map(|name| format!("\"{name}\"; ")).collect();
    let dir = dir.display();
    let mut text = format!(
        r#"run_as_root = true
data_path = "{dir}/data"
pidfile = "{dir}/prosody.pid"
admin_socket = "{dir}/prosody.sock"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
component_interfaces = {{ "127.0.0.1" }}
certificates = "."
s2s_ports = {{ }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "s2s"; "tls" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
authentication = "internal_plain"
storage = "internal"
log = {{ {{ levels = {{ min = "info" }}; to = "console" }} }}
VirtualHost "{DOMAIN}"
Component "{ROOMS}" "muc"
    restrict_room_creation = false
    muc_room_locking = false
"#
    );
    for (domain, secret) in components {
        text.push_str(&format!(
            "Component \"{domain}\"\n    component_secret = \"{secret}\"\n"
        ));
    }
    text
}

/// The same configuration with the community module that grants privileges to a component.
fn with_privileges(config: &str, domain: &str) -> String {
    let module = paths::need("usr/lib/prosody/modules/mod_privilege");
    let modules = module.parent().unwrap_or(&module).display().to_string();
    let host = format!("VirtualHost \"{DOMAIN}\"\n");
    let granted = format!(
        r#"{host}    privileged_entities = {{
        ["{domain}"] = {{
            roster = "both";
            message = "outgoing";
            iq = {{
                ["http://jabber.org/protocol/pubsub"] = "both";
                ["http://jabber.org/protocol/pubsub#owner"] = "set";
            }};
        }};
    }}
"#
    );
    let component = format!("Component \"{domain}\"\n");
    let enabled = format!("{component}    modules_enabled = {{ \"privilege\" }}\n");
    let all = config
        .replace(
            "modules_enabled = { ",
            "modules_enabled = { \"privilege\"; ",
        )
        .replace(&host, &granted)
        .replace(&component, &enabled);
    format!("plugin_paths = {{ \"{modules}\" }}\n{all}")
}
