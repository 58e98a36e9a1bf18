//! jabberd2: a router, a session manager and a client front, with their data in SQLite (its Berkeley
//! DB does not survive a kill).
//!
//! Components speak to the router, which has one secret for all and takes any domain.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{DOMAIN, Kind, SECRET, XmppServer};
use crate::port::Port;
use crate::process::{Process, Spec, read_lossy};
use crate::{DEADLINE, paths};

/// A running jabberd2.
#[derive(Debug)]
pub struct Jabberd2 {
    router: Process,
    parts: Vec<Process>,
    starts: usize,
    c2s: Port,
    component: Port,
    dir: TempDir,
}

impl Jabberd2 {
    /// Starts one. The component domains need no configuration: the router takes any.
    pub fn start_with(_components: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        create_database(dir.path());
        let (c2s, component) = (Port::reserve(), Port::reserve());
        let (modules, router) = (modules(), component.number());
        let write = |name: &str, text: String| {
            fs::write(dir.path().join(name), text).expect("written");
        };
        write("router-users.xml", router_users());
        write("router-filter.xml", "<filter></filter>".to_owned());
        write("router.xml", router_config(router, SECRET));
        write("sm.xml", sm_config(router, &modules));
        write("c2s.xml", c2s_config(router, c2s.number(), &modules));
        let mut this = Self {
            router: Process::start(spec("router", dir.path())),
            parts: Vec::new(),
            starts: 0,
            c2s,
            component,
            dir,
        };
        this.wait();
        this
    }

    /// Starts the parts in order. One that finds no router waits for seconds, and the client
    /// front listens without a session manager, and ends when it finds the database locked by
    /// the other's recovery.
    fn wait(&mut self) {
        self.starts += 1;
        self.router
            .wait_for_port(self.component.address(), DEADLINE);
        let (log, starts) = (self.dir.path().join("sm.log"), self.starts);
        let mut sm = Process::start(spec("sm", self.dir.path()));
        sm.wait_until("session manager", DEADLINE, || {
            read_lossy(&log).matches("sm ready for sessions").count() >= starts
        });
        let mut c2s = Process::start(spec("c2s", self.dir.path()));
        c2s.wait_for_port(self.c2s.address(), DEADLINE);
        self.parts = vec![sm, c2s];
    }
}

impl XmppServer for Jabberd2 {
    fn kind(&self) -> Kind {
        Kind::Jabberd2
    }

    fn c2s_port(&self) -> u16 {
        self.c2s.number()
    }

    fn component_port(&self) -> u16 {
        self.component.number()
    }

    fn kill_hard(&mut self) {
        self.parts.clear();
        self.router.kill_hard();
    }

    fn restart(&mut self) {
        self.kill_hard();
        self.router.restart();
        self.wait();
    }

    /// The router has one secret for all: that of the first.
    fn configure(&mut self, components: &[(&str, &str)]) {
        let secret = components.first().map_or(SECRET, |(_, secret)| secret);
        let config = router_config(self.component.number(), secret);
        fs::write(self.dir.path().join("router.xml"), config).expect("written");
    }

    fn log(&self) -> String {
        let parts: String = self.parts.iter().map(Process::log).collect();
        self.router.log() + &parts
    }
}

const DATABASE: &str = "<sqlite><dbname>jabberd2.db</dbname><sql>PRAGMA synchronous = OFF;</sql>\
                        <busy-timeout>20000</busy-timeout></sqlite>";

/// Runs the schema, which comes compressed with the package, through Python's SQLite.
fn create_database(dir: &Path) {
    let schema = paths::need("usr/share/doc/jabberd2/db-setup.sqlite.gz");
    let script = "import gzip, sqlite3, sys\n\
                  schema = gzip.open(sys.argv[1], 'rt').read()\n\
                  sqlite3.connect('jabberd2.db').executescript(schema)";
    let output = Command::new(paths::need("usr/bin/python3"))
        .args(["-c", script])
        .arg(schema)
        .current_dir(dir)
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
        .output()
        .expect("python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn modules() -> String {
    paths::need(&format!("usr/lib/{}/jabberd2", paths::multiarch()))
        .display()
        .to_string()
}

fn spec(name: &str, dir: &Path) -> Spec {
    let private = format!("usr/lib/{}/jabberd2", paths::multiarch());
    Spec::new(name, paths::need(&format!("usr/sbin/jabberd2-{name}")), dir)
        .args(["-c", &format!("{name}.xml")])
        .env("LD_LIBRARY_PATH", paths::library_path(&[&private]))
}

fn router_users() -> String {
    format!("<users><user><name>jabberd</name><secret>{SECRET}</secret></user></users>")
}

fn router_config(port: u16, secret: &str) -> String {
    format!(
        "<router><id>router</id><pidfile>router.pid</pidfile><log type='stdout'/>
<local><ip>127.0.0.1</ip><port>{port}</port><users>router-users.xml</users>
<secret>{secret}</secret></local>
<check><interval>60</interval><keepalive>0</keepalive></check>
<io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits>
<access><order>allow,deny</order></access></io>
<aliases/>
<aci><acl type='all'><user>jabberd</user></acl><filter>router-filter.xml</filter></aci></router>"
    )
}

/// How a part of the server finds the router.
fn to_router(port: u16) -> String {
    format!(
        "<router><ip>127.0.0.1</ip><port>{port}</port><user>jabberd</user><pass>{SECRET}</pass>\
         <retry><init>3</init><lost>3</lost><sleep>1</sleep></retry></router>"
    )
}

fn sm_config(router: u16, modules: &str) -> String {
    let chains: String = [
        ("sess-start", "status"),
        ("sess-end", "status iq-last"),
        (
            "in-sess",
            "validate status privacy roster vacation iq-vcard iq-ping iq-private disco amp \
             offline announce presence deliver",
        ),
        ("out-sess", ""),
        ("in-router", "session validate presence privacy"),
        ("out-router", "privacy"),
        (
            "pkt-sm",
            "iq-last iq-ping iq-time iq-version amp disco announce help echo status presence",
        ),
        (
            "pkt-user",
            "roster presence disco iq-vcard amp deliver vacation offline iq-last",
        ),
        ("pkt-router", "session disco"),
        ("user-load", "active roster roster-publish privacy vacation"),
        ("user-create", "active"),
        (
            "user-delete",
            "active announce offline privacy roster vacation status iq-last",
        ),
        ("disco-extend", "iq-version help"),
    ]
    .iter()
    .map(|(chain, names)| {
        let names: String = names
            .split_whitespace()
            .map(|name| format!("<module>{name}</module>"))
            .collect();
        format!("<chain id='{chain}'>{names}</chain>\n")
    })
    .collect();
    format!(
        "<sm><id>sm</id><pidfile>sm.pid</pidfile>{to_router}<log type='stdout'/>
<local><id>{DOMAIN}</id></local>
<storage><path>{modules}</path><driver>sqlite</driver><limits/>{DATABASE}</storage>
<aci/>
<modules><path>{modules}</path>
{chains}</modules>
<discovery><identity><category>server</category><type>im</type><name>jabberd2</name></identity>
<items/></discovery>
<user><template/></user><amp/><offline/><roster/><status/></sm>",
        to_router = to_router(router)
    )
}

fn c2s_config(router: u16, port: u16, modules: &str) -> String {
    let plain = "<traditional><plain/></traditional><sasl><plain/></sasl>";
    format!(
        "<c2s><id>c2s</id><pidfile>c2s.pid</pidfile>{to_router}<log type='stdout'/>
<local><id register-enable='mu'>{DOMAIN}</id><ip>127.0.0.1</ip><port>{port}</port></local>
<io><max_fds>1024</max_fds><limits><bytes>0</bytes><stanzas>0</stanzas><connects>0</connects>
<stanzasize>262144</stanzasize></limits><access><order>allow,deny</order></access>
<check><interval>0</interval><idle>0</idle><keepalive>0</keepalive></check></io>
<stats/><pbx/><stream_redirect/>
<authreg><path>{modules}</path><module>sqlite</module><mechanisms>{plain}</mechanisms>
<ssl-mechanisms>{plain}</ssl-mechanisms>{DATABASE}</authreg></c2s>",
        to_router = to_router(router)
    )
}
