//! biboumi 9: its SQLite database and its configuration file.
//!
//! `source` reads the database, `target` knows what stands for it here, `old` reads the
//! configuration file. Here they are put together, one user after the other.

mod old;
mod source;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use self::old::Old;
use self::source::{Server, Source};
use self::target::{Place, Settings};
use super::{ImportFault, Report};
use crate::config::{Config, GatewayConfig};
use crate::host::user_number;
use crate::run::access;
use crate::store::{SqliteStore, Store, StoreFault, TakeOver, TakeRow};
use crate::xmpp::jid::BareJid;

/// What to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Biboumi {
    /// biboumi's database.
    pub database: PathBuf,
    /// biboumi's configuration file.
    pub config: Option<PathBuf>,
    /// Which gateway takes it over; `None`: the one that speaks IRC.
    pub gateway: Option<String>,
}

/// Takes over what biboumi kept.
///
/// # Errors
///
/// The source cannot be read or is no database of biboumi 9, no gateway could take it over, or the
/// database of this program is in use or refuses. Users that were done before stay done.
pub async fn biboumi(config: &Config, from: &Biboumi) -> Result<Report, ImportFault> {
    let gateway = chosen(config, from.gateway.as_deref())?;
    let source = Source::open(&from.database)?;
    let old = match &from.config {
        Some(path) => Old::read(path)?,
        None => Old::default(),
    };
    let store = Arc::new(SqliteStore::open_alone(&config.store.path)?);
    let mut report = Report::default();
    let place = Place::of(gateway);
    let access = access(gateway);
    let owners = source.owners()?;
    let source = Arc::new(Mutex::new(source));
    let mut seen = Seen::default();
    let mut done = BTreeSet::new();
    for owner in owners {
        let Ok(user) = BareJid::parse(&owner) else {
            report.leave("user without a valid address", 1);
            continue;
        };
        let one = One {
            store: &store,
            source: &source,
            place: &place,
            owner: &owner,
            number: user_number(&*store, &user),
            user: &user,
            persistent: old.persistent,
        };
        one.take(&mut report, &mut seen).await?;
        if !access.admits(&user) {
            seen.strangers.insert(user.domain().to_owned());
        }
        done.insert(user);
    }
    report.count("users", done.len() as u64, 0);
    store.synced().await?;
    suggest(&mut report, gateway, &old, &seen);
    bounds(&mut report, config);
    Ok(report)
}

/// What was met on the way and concerns the configuration.
#[derive(Default)]
struct Seen {
    /// Domains of users whom the configuration does not admit.
    strangers: BTreeSet<String>,
    /// Servers that users gave an address, ports or trust of their own.
    servers: BTreeMap<String, Server>,
}

/// One user.
struct One<'a> {
    store: &'a SqliteStore,
    source: &'a Arc<Mutex<Source>>,
    place: &'a Place,
    owner: &'a str,
    user: &'a BareJid,
    number: i64,
    persistent: bool,
}

impl One<'_> {
    async fn take(&self, report: &mut Report, seen: &mut Seen) -> Result<(), ImportFault> {
        let mut settings = Settings::default();
        let (mut logs, mut contacts) = (Vec::new(), Vec::new());
        {
            let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            let global = source.global(self.owner)?.unwrap_or_default();
            settings.global(&global, self.persistent);
            for server in source.servers(self.owner)? {
                settings.server(self.place, &server, report);
                if target::is_special(&server) {
                    seen.servers.entry(server.name.clone()).or_insert(server);
                }
            }
            for channel in source.channels(self.owner)? {
                settings.channel(self.place, &channel, report);
            }
            for jid in source.roster(self.owner)? {
                match self.place.contact(&jid) {
                    Some(local) => contacts.push(local),
                    None => report.leave("subscription to an address of another domain", 1),
                }
            }
            for log in source.logs(self.owner)? {
                match self.place.peer(&log.0, &log.1) {
                    Some(peer) => logs.push((log, peer)),
                    None => report.leave(target::no_address(&log.0, &log.1), 1),
                }
            }
        }
        let sealed = settings
            .merge(self.store, self.user, self.place, report)
            .await?;
        let (source, owner) = (Arc::clone(self.source), self.owner.to_owned());
        let user = self.user.to_string();
        let domain = self.place.domain.clone();
        let rows = move |take: &mut TakeRow<'_>| tell(&source, &owner, &user, &logs, take);
        let subscriptions = contacts.len() as u64;
        let taken = self.store.take_over(TakeOver {
            user: self.user.to_string(),
            number: self.number,
            gateway: domain,
            sealed,
            contacts,
            rows: Box::new(rows),
        });
        let taken = taken.await?;
        report.count(
            "subscriptions",
            taken.contacts,
            subscriptions - taken.contacts,
        );
        report.count("lines of history", taken.rows, taken.known);
        Ok(())
    }
}

/// A channel and its server there, and the room's address here.
type Log = ((String, String), String);

/// Tells the lines of one user, channel by channel.
fn tell(
    source: &Mutex<Source>,
    owner: &str,
    user: &str,
    logs: &[Log],
    take: &mut TakeRow<'_>,
) -> Result<(), StoreFault> {
    let source = source.lock().unwrap_or_else(PoisonError::into_inner);
    for (log, peer) in logs {
        source
            .lines(owner, log, |line| match target::row(&line, peer, user) {
                Some(row) => take(peer, row).map_err(ImportFault::Store),
                None => Ok(()),
            })
            .map_err(|fault| match fault {
                ImportFault::Store(fault) => fault,
                other => StoreFault::Database {
                    what: other.to_string(),
                    advice: "biboumi's database could not be read to its end; nothing of this user \
                         was taken over",
                },
            })?;
    }
    Ok(())
}

/// The gateway that takes it over.
fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a GatewayConfig, ImportFault> {
    let irc: Vec<&GatewayConfig> = config
        .gateways
        .iter()
        .filter(|gateway| gateway.kind == "irc" && name.is_none_or(|name| gateway.name == name))
        .collect();
    match (irc.as_slice(), name) {
        ([one], _) => Ok(one),
        ([], Some(name)) => Err(ImportFault::Gateway(format!(
            "the configuration has no gateway {name} that speaks IRC"
        ))),
        ([], None) => Err(ImportFault::Gateway(
            "the configuration has no gateway that speaks IRC: add [gateway.irc]".to_owned(),
        )),
        _ => Err(ImportFault::Gateway(
            "several gateways speak IRC: say which one with --gateway NAME".to_owned(),
        )),
    }
}

/// What is taken over is kept as long as everything else.
fn bounds(report: &mut Report, config: &Config) {
    let days = config.archive.age.as_secs() / 86_400;
    if days > 0 {
        report.notes.push(format!(
            "archive.days = {days}: older lines of history are removed while the gateway runs"
        ));
    }
}

/// What the operator should set for things to be as they were.
fn suggest(report: &mut Report, gateway: &GatewayConfig, old: &Old, seen: &Seen) {
    if let Some(domain) = old.get("hostname")
        && domain != gateway.domain
    {
        report.notes.push(format!(
            "biboumi served {domain}, gateway.{name} serves {here}: bookmarks keep working only \
             if it serves the same",
            name = gateway.name,
            here = gateway.domain
        ));
    }
    report.keys = old.keys(&gateway.name, &seen.strangers);
    for server in seen.servers.values() {
        report
            .keys
            .extend(target::network_keys(&gateway.name, server));
    }
    report.notes.extend(old.notes());
}
