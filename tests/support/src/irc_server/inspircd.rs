//! InspIRCd 3, with the modules that large networks run.

use std::path::Path;

use super::atheme::{LINK_PASSWORD, SERVICES_NAME};
use super::daemon::{Daemon, Ends};
use super::{IrcServer, Kind, OPER_NAME, OPER_PASSWORD, SERVER_NAME};
use crate::paths;
use crate::port::Port;
use crate::process::Spec;

const MODULES: [&str; 36] = [
    "alltime",
    "banexception",
    "botmode",
    "cap",
    "chghost",
    "customprefix",
    "deaf",
    "hidechans",
    "inviteexception",
    "ircv3",
    "ircv3_accounttag",
    "ircv3_batch",
    "ircv3_capnotify",
    "ircv3_chghost",
    "ircv3_ctctags",
    "ircv3_echomessage",
    "ircv3_invitenotify",
    "ircv3_labeledresponse",
    "ircv3_msgid",
    "ircv3_servertime",
    "knock",
    "monitor",
    "muteban",
    "namesx",
    "noctcp",
    "sajoin",
    "sakick",
    "samode",
    "sanick",
    "sapart",
    "services_account",
    "sethost",
    "setname",
    "ssl_gnutls",
    "sslinfo",
    "uhnames",
];

/// A running InspIRCd.
#[derive(Debug)]
pub struct Inspircd {
    daemon: Daemon,
    link: Option<Port>,
}

impl Inspircd {
    /// Starts one.
    pub fn start() -> Self {
        Self::listening(None)
    }

    /// Starts one that services may be linked to, with the login by SASL.
    pub(super) fn with_services() -> Self {
        Self::listening(Some(Port::reserve()))
    }

    /// Where services are linked, if they may be.
    pub(super) fn link_port(&self) -> Option<u16> {
        self.link.as_ref().map(Port::number)
    }

    fn listening(link: Option<Port>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = |ends: &Ends<'_>| {
            let mut config = config(ends);
            config.extend(link.as_ref().map(|port| services(port.number())));
            config
        };
        let files = ("inspircd.conf", Some("inspircd.log"));
        let daemon = Daemon::start(dir, files, config, spec);
        Self { daemon, link }
    }
}

impl IrcServer for Inspircd {
    fn kind(&self) -> Kind {
        Kind::Inspircd
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

fn spec(dir: &Path) -> Spec {
    Spec::new("inspircd-console", paths::need("usr/sbin/inspircd"), dir)
        .arg("--config")
        .arg(dir.join("inspircd.conf"))
        .args(["--nofork", "--nopid", "--runasroot"])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

/// The link to services.
fn services(port: u16) -> String {
    format!(
        r#"<module name="spanningtree">
<module name="sasl">
<module name="servprotect">
<bind address="127.0.0.1" port="{port}" type="servers">
<link name="{SERVICES_NAME}" ipaddr="127.0.0.1" port="{port}" allowmask="127.0.0.1"
 sendpass="{LINK_PASSWORD}" recvpass="{LINK_PASSWORD}">
<uline server="{SERVICES_NAME}" silent="yes">
<sasl target="{SERVICES_NAME}" requiressl="no">
"#
    )
}

fn config(ends: &Ends<'_>) -> String {
    let &Ends {
        dir,
        plain,
        tls,
        certificate,
    } = ends;
    let library = paths::need("usr/lib/inspircd/modules");
    let modules: String = MODULES
        .iter()
        .map(|name| format!("<module name=\"{name}\">\n"))
        .collect();
    format!(
        r##"<config format="xml">
<path configdir="{dir}" datadir="{dir}" logdir="{dir}" moduledir="{library}" runtimedir="{dir}">
<server name="{SERVER_NAME}" description="a server for tests" network="TestNet" id="00T">
<admin name="nobody" nick="nobody" email="nobody@test.invalid">
{modules}
<sslprofile name="tls" provider="gnutls" cafile="" certfile="{cert}" keyfile="{key}" hash="sha256">
<bind address="127.0.0.1" port="{plain}" type="clients">
<bind address="127.0.0.1" port="{tls}" type="clients" sslprofile="tls">
<connect allow="*" timeout="60" pingfreq="120" hardsendq="16M" softsendq="1M" recvq="1M"
 threshold="100000" commandrate="100000000" fakelag="no" localmax="10000" globalmax="10000"
 maxchans="10000" resolvehostnames="no" useident="no" maxconnwarn="no">
<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
<type name="all" classes="all" host="oper.test.invalid">
<oper name="{OPER_NAME}" password="{OPER_PASSWORD}" host="*@*" type="all" maxchans="10000">
<options prefixquit="" suffixquit="" prefixpart="" suffixpart="" syntaxhints="no" cyclehostsfromuser="no"
 announcets="no" allowmismatch="no" defaultbind="ipv4" hostintopic="no" pingwarning="15"
 nosnoticestack="yes" welcomenotice="no" defaultmodes="not">
<performance netbuffersize="65536" somaxconn="1024" softlimit="12800" quietbursts="yes">
<security allowcoreunload="no" announceinvites="dynamic" hideulines="no" flatlinks="no" maxtargets="20"
 restrictbannedusers="yes" genericoper="no" userstats="Pu">
<limits maxnick="30" maxchan="64" maxmodes="20" maxident="12" maxhost="64" maxquit="255"
 maxtopic="307" maxkick="255" maxreal="128" maxaway="200" maxline="512">
<customprefix name="founder" letter="q" prefix="~" rank="50000" ranktoset="50000">
<customprefix name="admin" letter="a" prefix="&amp;" rank="40000" ranktoset="50000">
<customprefix name="halfop" letter="h" prefix="%" rank="20000" ranktoset="30000">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="inspircd.log" flush="1">
"##,
        dir = dir.display(),
        library = library.display(),
        cert = certificate.certificate().display(),
        key = certificate.key().display(),
    )
}
