//! What differs between two configurations, and what of it takes effect without a restart.

use super::{Config, GatewayConfig};

/// One key (or group of keys) that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's path.
    pub key: String,
    /// True when it takes effect at once; otherwise it waits for a restart.
    pub live: bool,
}

/// Everything that differs, by key. Log level, limits, archives, `allow`, `admins`,
/// `persistent` and `show_avatar` are live.
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let mut found = Vec::new();
    let mut note = |key: &str, same: bool, live: bool| {
        if !same {
            found.push(Change {
                key: key.to_owned(),
                live,
            });
        }
    };
    note(
        "component.server_domain",
        old.server_domain == new.server_domain,
        false,
    );
    note("store.path", old.store == new.store, false);
    note("log.format", old.log.format == new.log.format, false);
    note("log.level", old.log.level == new.log.level, true);
    let same = old.corrections == new.corrections;
    note("messages.corrections", same, false);
    note("contact", old.contact == new.contact, false);
    note("attachments", old.attachments == new.attachments, false);
    note("metrics", old.metrics == new.metrics, false);
    note("limits", old.limits == new.limits, true);
    note("archive", old.archive == new.archive, true);
    for was in &old.gateways {
        let path = format!("gateway.{}", was.name);
        match new.gateways.iter().find(|is| is.name == was.name) {
            Some(is) => gateway(&path, was, is, &mut note),
            None => note(&path, false, false),
        }
    }
    for is in &new.gateways {
        let is_new = old.gateways.iter().all(|was| was.name != is.name);
        note(&format!("gateway.{}", is.name), !is_new, false);
    }
    found
}

/// The old configuration with the live parts of the new one: what a running program has after
/// a reload.
pub fn applied(old: &Config, new: &Config) -> Config {
    let mut config = old.clone();
    config.log.level = new.log.level.clone();
    config.limits = new.limits.clone();
    config.archive = new.archive;
    for gateway in &mut config.gateways {
        if let Some(new) = new.gateways.iter().find(|new| new.name == gateway.name) {
            gateway.allow = new.allow.clone();
            gateway.admins = new.admins.clone();
            gateway.archive = new.archive;
            gateway.persistent = new.persistent;
            gateway.show_avatar = new.show_avatar;
        }
    }
    config
}

fn gateway(
    path: &str,
    was: &GatewayConfig,
    is: &GatewayConfig,
    note: &mut impl FnMut(&str, bool, bool),
) {
    note(&format!("{path}.allow"), was.allow == is.allow, true);
    note(&format!("{path}.admins"), was.admins == is.admins, true);
    note(&format!("{path}.archive"), was.archive == is.archive, true);
    let same = was.persistent == is.persistent;
    note(&format!("{path}.persistent"), same, true);
    let same = was.show_avatar == is.show_avatar;
    note(&format!("{path}.show_avatar"), same, true);
    let (before, now) = (&was.told, &is.told);
    let same = before.transmission == now.transmission;
    note(&format!("{path}.transmission"), same, false);
    note(&format!("{path}.title"), before.title == now.title, false);
    let same = before.avatar == now.avatar;
    note(&format!("{path}.avatar"), same, false);
    note(&format!("{path}.domain"), was.domain == is.domain, false);
    note(&format!("{path}.kind"), was.kind == is.kind, false);
    let (a, b) = (&was.component, &is.component);
    note(
        &format!("{path}.server"),
        (&a.host, a.port) == (&b.host, b.port),
        false,
    );
    note(&format!("{path}.secret"), a.secret == b.secret, false);
    note("component.tls", a.tls == b.tls, false);
    note(
        "component.stanza_limit",
        a.stanza_limit == b.stanza_limit,
        false,
    );
    note(
        &format!("{path} (keys of the kind)"),
        was.settings == is.settings,
        false,
    );
}
