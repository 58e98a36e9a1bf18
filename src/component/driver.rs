//! The life of one component: connect, run the stream, wait, connect again, until told to stop.
//!
//! Nothing ends it but the order to stop: a wrong secret may be put right on the server at any
//! time, so it is tried again, slowly. What is wrong is said once, and again when it changes.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, error, info, warn};

use super::{
    Component, ComponentConfig, Inbound,
    backoff::Backoff,
    barrier::Barrier,
    diagnosis::{self, Cut, Diagnosis, Stage},
    dial::{Dial, Tcp},
    outbox::Outbox,
    spool::Spool,
    stream::{Established, Streams},
};

impl Component {
    /// Starts the component: one task that ends some time after `shutdown` becomes true. Stanzas
    /// pushed before the first stream is up wait like those pushed between two streams.
    ///
    /// Must be called within a tokio runtime.
    pub fn spawn(
        config: ComponentConfig,
        inbound: Arc<dyn Inbound>,
        spool: Arc<dyn Spool>,
        shutdown: watch::Receiver<bool>,
    ) -> (Outbox, JoinHandle<()>) {
        let ComponentConfig {
            host, port, tls, ..
        } = &config;
        let dial = Tcp {
            host: host.clone(),
            port: *port,
            tls: tls.clone(),
        };
        Self::spawn_over(Arc::new(dial), config, inbound, spool, shutdown)
    }

    /// The same over connections of another make; `host`, `port` and `tls` are not looked at.
    pub fn spawn_over(
        dial: Arc<dyn Dial>,
        config: ComponentConfig,
        inbound: Arc<dyn Inbound>,
        spool: Arc<dyn Spool>,
        shutdown: watch::Receiver<bool>,
    ) -> (Outbox, JoinHandle<()>) {
        let outbox = Outbox::new(&config.domain, config.outbound.clone(), spool);
        let server = config.server_domain();
        let barrier = Barrier::new(word(), &config.domain, &server, Instant::now());
        let streams = Streams {
            outbox: outbox.clone(),
            inbound,
            barrier: Mutex::new(barrier),
            limits: config.inbound,
            grace: config.grace,
            shutdown,
            told_misdirected: AtomicBool::new(false),
        };
        let driver = Driver {
            dial,
            secret: config.secret,
            streams,
            backoff: Backoff::default(),
            told: None,
        };
        (outbox, tokio::spawn(driver.run()))
    }
}

struct Driver {
    dial: Arc<dyn Dial>,
    secret: String,
    streams: Streams,
    backoff: Backoff,
    /// What was last said about a stream's end.
    told: Option<Diagnosis>,
}

impl Driver {
    async fn run(mut self) {
        let outbox = self.streams.outbox.clone();
        tokio::select! {
            () = self.live() => {}
            () = outbox.ebb() => {}
        }
        let spilled = outbox.spill();
        info!(domain = outbox.domain(), spilled, "component stopped");
    }

    async fn live(&mut self) {
        if !self.survey().await {
            return;
        }
        while !self.is_told_to_stop() {
            let (stage, cut) = self.attempt().await;
            if self.is_told_to_stop() {
                debug!(domain = self.domain(), ?stage, ?cut, "last stream ended");
                return;
            }
            let wait = self.explain(stage, &cut);
            tokio::select! {
                () = sleep(wait) => {}
                () = self.streams.told_to_stop() => {}
            }
        }
    }

    /// Looks what the spool holds. False when told to stop first.
    async fn survey(&self) -> bool {
        while let Err(error) = self.streams.outbox.survey().await {
            error!(domain = self.domain(), %error, "the spool cannot be read; trying again");
            tokio::select! {
                () = sleep(SURVEY_RETRY) => {}
                () = self.streams.told_to_stop() => return false,
            }
        }
        true
    }

    /// One connection, from dialling to its end.
    async fn attempt(&self) -> (Stage, Cut) {
        let mut stage = Stage::Connecting;
        self.streams.barrier().begin(Instant::now());
        let opened = tokio::select! {
            opened = timeout(HANDSHAKE, self.connect(&mut stage)) => opened,
            () = self.streams.told_to_stop() => return (Stage::Connecting, Cut::Drained),
        };
        let stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(cut)) => return (stage, cut),
            Err(_) => return (stage, Cut::Late),
        };
        info!(
            domain = self.domain(),
            server = stream.header.from.as_deref(),
            "component connected"
        );
        let Streams {
            outbox, inbound, ..
        } = &self.streams;
        self.streams.barrier().begin(Instant::now());
        // First the outbox: what the host derives anew in `up` has to go out, not be dropped.
        outbox.up();
        inbound.up(outbox.confirmed());
        let cut = self.streams.run(stream).await;
        outbox.cut();
        inbound.down();
        (Stage::Live, cut)
    }

    async fn connect(&self, stage: &mut Stage) -> Result<Established, Cut> {
        let transport = self.dial.dial().await.map_err(Cut::Io)?;
        self.streams.open(transport, &self.secret, stage).await
    }

    /// Tells the operator, if there is news. Returns the time to wait.
    fn explain(&mut self, stage: Stage, cut: &Cut) -> Duration {
        if self.streams.barrier().is_proven() {
            self.backoff.reset();
            self.told = None;
        }
        let diagnosis = diagnosis::explain(stage, cut, self.domain());
        let wait = self.backoff.next(diagnosis.pace, chance());
        let (domain, seconds) = (self.domain(), wait.as_secs());
        let Diagnosis { what, hint, .. } = &diagnosis;
        if self.told.as_ref() == Some(&diagnosis) {
            debug!(domain, what, seconds, "still no stream");
        } else {
            warn!(
                domain,
                what, hint, seconds, "no stream to the server; trying again"
            );
            self.told = Some(diagnosis);
        }
        wait
    }

    fn is_told_to_stop(&self) -> bool {
        *self.streams.shutdown.borrow()
    }

    fn domain(&self) -> &str {
        self.streams.outbox.domain()
    }
}

/// A random word, from the keys the standard library gets from the system for its hash maps.
fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// Evenly spread over `0.0..1.0`.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// From dialling to the answer to the handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
const SURVEY_RETRY: Duration = Duration::from_secs(1);
