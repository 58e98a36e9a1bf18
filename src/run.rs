//! The program's life: open the store, serve every gateway, reload, drain.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::component::{ComponentConfig, Tls};
use crate::config::{self, Allowed, Config, GatewayConfig, ServerTls};
use crate::host::{
    Access, Archiving, Attachments, Corrections, FileSettings, Files, Lang, Limits, Public, Shared,
    Transmission, serve_files,
};
use crate::ops::{self, Monitor, Notifier};
use crate::registry;
use crate::reload::Reloads;
use crate::serve::{Served, Service};
use crate::store::{SqliteStore, Store, StoreFault};
use crate::xmpp::jid::BareJid;

/// Why the program ends other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The store cannot be opened.
    #[error("store: {0}")]
    Store(#[from] StoreFault),
    /// The folder of the attachments cannot be used.
    #[error("attachments: {0}")]
    Attachments(io::Error),
    /// Our own file server cannot listen.
    #[error("attachments.listen: {address}: {fault}")]
    Files {
        /// Where.
        address: SocketAddr,
        /// Why not.
        fault: io::Error,
    },
    /// Figures cannot be served.
    #[error("metrics.listen: {address}: {fault}")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why not.
        fault: io::Error,
    },
    /// A gateway cannot be set up.
    #[error("gateway.{name}: {text}")]
    Gateway {
        /// The gateway's name in the configuration.
        name: String,
        /// What is wrong.
        text: String,
    },
}

/// Serves until `shutdown` becomes true (or its sender goes away), or until those who run the last
/// gateway have shut it down. `reloads` reads the configuration again when it is asked for;
/// `notifier` tells the service manager.
///
/// # Errors
///
/// What keeps it from serving at all; a lost connection is not an error but is made again.
pub async fn run(
    mut config: Config,
    mut shutdown: watch::Receiver<bool>,
    mut reloads: Reloads,
    notifier: Notifier,
) -> Result<(), RunFault> {
    let (store, shared) = open(&config, &reloads).await?;
    serve_own_files(&config, &shared, shutdown.clone()).await?;
    let mut services = Vec::with_capacity(config.gateways.len());
    for gateway in &config.gateways {
        let service = service(&config, gateway, store.as_ref()).await?;
        shared.learn_languages(&gateway.domain).await;
        services.push((gateway.name.clone(), service));
    }
    let mut all: Vec<(String, Served)> = services
        .into_iter()
        .map(|(name, service)| (name, Served::start(service, &shared)))
        .collect();
    serve_figures(&config, &all, &shared, shutdown.clone()).await?;
    notifier.ready();
    loop {
        tokio::select! {
            // A sender that went away means shutdown as well.
            _ = shutdown.wait_for(|down| *down) => break,
            at = ended(&all) => {
                let (name, one) = all.swap_remove(at);
                one.drain().await;
                tracing::warn!(gateway = name, "shut down by those who run it");
                if all.is_empty() {
                    break;
                }
            }
            () = watched(&notifier) => notifier.alive(),
            () = reloads.next(&mut config, |config| apply(config, &shared, &all)) => {}
        }
    }
    notifier.stopping();
    let draining: Vec<_> = all
        .into_iter()
        .map(|(_, served)| tokio::spawn(served.drain()))
        .collect();
    for drained in draining {
        // One domain's failure to end in order is logged there and keeps no other from it.
        let _ = drained.await;
    }
    drop(shared);
    // Dropping the store blocks until what is queued is written.
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    Ok(())
}

/// Opens the store and what all gateways share.
async fn open(
    config: &Config,
    reloads: &Reloads,
) -> Result<(Arc<dyn Store>, Arc<Shared>), RunFault> {
    let path = config.store.path.clone();
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path))
        .await
        .unwrap_or(Err(StoreFault::Closed))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let (beside, beside_store) = (folder(config).to_owned(), Arc::clone(&store));
    let attachments =
        tokio::task::spawn_blocking(move || Attachments::open(&beside, beside_store.as_ref()))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("cannot be counted")))
            .map_err(RunFault::Attachments)?;
    let shared = Shared::new(Arc::clone(&store), limits(config))
        .with_attachments(attachments)
        .with_corrections(corrections(config))
        .with_language(language(config))
        .with_public(public(config))
        .with_files(Files::new(files(config)))
        .with_reload(Arc::new(reloads.reloader()));
    let shared = Arc::new(shared);
    shared.set_archiving(archiving(config));
    shared.set_staying(staying(config));
    shared.set_showing(showing(config));
    Ok((store, shared))
}

/// Waits until the service manager is to hear that the program goes round; for ever, if it does
/// not ask. What goes round is the loop that waits here.
async fn watched(notifier: &Notifier) {
    match notifier.period() {
        Some(period) => tokio::time::sleep(period).await,
        None => std::future::pending().await,
    }
}

/// Waits until those who run one of the gateways want it to end; which one.
async fn ended(served: &[(String, Served)]) -> usize {
    let mut waits: Vec<_> = served
        .iter()
        .map(|(_, served)| {
            let mut ending = served.domain().ending();
            // The sender lives as long as the domain that is served.
            Box::pin(async move { ending.wait_for(|ending| *ending).await.is_ok() })
        })
        .collect();
    poll_fn(|cx| {
        let ended = waits
            .iter_mut()
            .position(|wait| wait.as_mut().poll(cx).is_ready());
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Applies what can change while serving.
fn apply(config: &Config, shared: &Shared, served: &[(String, Served)]) {
    shared.set_limits(limits(config));
    shared.set_archiving(archiving(config));
    shared.set_staying(staying(config));
    shared.set_showing(showing(config));
    for gateway in &config.gateways {
        if let Some((_, served)) = served.iter().find(|(name, _)| *name == gateway.name) {
            served.domain().set_access(access(gateway));
        }
    }
}

/// Starts our own file server, where there is one.
async fn serve_own_files(
    config: &Config,
    shared: &Shared,
    shutdown: watch::Receiver<bool>,
) -> Result<(), RunFault> {
    let (Some((address, _)), Some(kept)) = (&config.attachments.server, shared.attachments())
    else {
        return Ok(());
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|fault| RunFault::Files {
            address: *address,
            fault,
        })?;
    tokio::spawn(serve_files(listener, kept, shutdown));
    Ok(())
}

/// Starts to tell figures, where the operator wants it.
async fn serve_figures(
    config: &Config,
    all: &[(String, Served)],
    shared: &Arc<Shared>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), RunFault> {
    let Some(address) = config.metrics else {
        return Ok(());
    };
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|fault| RunFault::Metrics { address, fault })?;
    let domains = all.iter().map(|(_, served)| served.domain());
    let monitor = Monitor::new(domains, shared);
    tokio::spawn(ops::serve(listener, monitor, shutdown));
    Ok(())
}

fn files(config: &Config) -> FileSettings {
    let files = &config.attachments;
    FileSettings {
        public_url: files.server.as_ref().map(|(_, url)| url.clone()),
        types: files.types.clone(),
        fetch: files.fetch,
        pictures: files.fetch_pictures,
        trusted: files.trusted.clone(),
        server_domain: config.server_domain.clone(),
        paste_lines: files.paste_lines,
    }
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        history: limits.history,
        rooms_per_user: limits.rooms_per_user,
        networks_per_user: limits.networks_per_user,
        sessions: limits.sessions,
        inbox: limits.inbox,
        stanzas_per_second: limits.stanzas_per_second,
        stanzas_burst: limits.stanzas_burst,
        attachment: limits.attachment,
        attachments_total: limits.attachments_total,
        attachments_per_user: limits.attachments_per_user,
        attachment_age: limits.attachment_age,
        receipt_timeout: limits.receipt_timeout,
    }
}

fn corrections(config: &Config) -> Corrections {
    match config.corrections {
        config::Corrections::Short => Corrections::Short,
        config::Corrections::Text => Corrections::Text,
        config::Corrections::Refuse => Corrections::Refuse,
    }
}

fn language(config: &Config) -> Lang {
    match config.language {
        config::Language::English => Lang::En,
        config::Language::Chinese => Lang::Zh,
    }
}

fn public(config: &Config) -> Public {
    let told = config.gateways.iter().filter_map(|gateway| {
        let transmission = match gateway.told.transmission? {
            config::Transmission::Plain => Transmission::Plain,
            config::Transmission::Encrypted => Transmission::Encrypted,
            config::Transmission::EndToEnd => Transmission::EndToEnd,
        };
        Some((gateway.domain.clone(), transmission))
    });
    let of_all = config.gateways.iter();
    let titles = of_all.clone().filter_map(|gateway| {
        let title = gateway.told.title.clone()?;
        Some((gateway.domain.clone(), title))
    });
    let avatars = of_all.filter_map(|gateway| {
        let avatar = gateway.told.avatar.clone()?;
        Some((gateway.domain.clone(), avatar))
    });
    Public {
        contacts: config.contact.0.clone(),
        transmission: told.collect(),
        titles: titles.collect(),
        avatars: avatars.collect(),
    }
}

fn archiving(config: &Config) -> Archiving {
    let off = config.gateways.iter().filter(|gateway| !gateway.archive);
    Archiving {
        age: config.archive.age,
        rows: config.archive.rows,
        off: off.map(|gateway| gateway.domain.clone()).collect(),
    }
}

/// Domains of gateways whose users stay in rooms unless they say otherwise.
fn staying(config: &Config) -> Vec<String> {
    let on = config.gateways.iter().filter(|gateway| gateway.persistent);
    on.map(|gateway| gateway.domain.clone()).collect()
}

/// Domains of gateways whose users' pictures are shown unless they say otherwise.
fn showing(config: &Config) -> Vec<String> {
    let on = config.gateways.iter().filter(|gateway| gateway.show_avatar);
    on.map(|gateway| gateway.domain.clone()).collect()
}

/// The folder of the database.
fn folder(config: &Config) -> &Path {
    config.store.path.parent().unwrap_or(Path::new("."))
}

/// Who may use a gateway by its configuration, and who runs it.
pub(crate) fn access(gateway: &GatewayConfig) -> Access {
    let allow: Vec<BareJid> = gateway
        .allow
        .iter()
        .filter_map(|allowed| BareJid::parse(Allowed::as_str(allowed)).ok())
        .collect();
    Access::new(&allow, &gateway.admins)
}

async fn service(
    config: &Config,
    gateway: &GatewayConfig,
    store: &dyn Store,
) -> Result<Service, RunFault> {
    let fault = |text: String| RunFault::Gateway {
        name: gateway.name.clone(),
        text,
    };
    let server = &gateway.component;
    let mut component = ComponentConfig::new(
        &gateway.domain,
        &server.host,
        server.port,
        server.secret.expose(),
    );
    component.server_domain = Some(config.server_domain.clone());
    component.inbound.stanza = config.limits.received_stanza;
    component.outbound.stanza_bytes = server.stanza_limit;
    if let Some(tls) = &server.tls {
        component.tls = Some(client_tls(tls).map_err(|error| fault(error.to_string()))?);
    }
    let access = access(gateway).ruled(store, &gateway.domain).await;
    Ok(Service {
        gateway: registry::build(gateway, folder(config))
            .await
            .map_err(fault)?,
        component,
        access: access.map_err(fault)?,
        dial: None,
    })
}

/// TLS to the XMPP server: the system's authorities, and one more where the operator names it.
fn client_tls(tls: &ServerTls) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One unusable authority of the system's is no reason not to start.
        let _ = roots.add(certificate);
    }
    if let Some(file) = &tls.ca_file {
        let read = CertificateDer::pem_file_iter(file).map_err(io::Error::other)?;
        for certificate in read {
            roots
                .add(certificate.map_err(io::Error::other)?)
                .map_err(io::Error::other)?;
        }
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(tls.name.clone()).map_err(io::Error::other)?;
    Ok(Tls {
        config: Arc::new(config),
        name,
    })
}
