//! Reads the configuration again while the program serves: at a SIGHUP, and when those who run a
//! gateway ask for it. One at a time, by [`run`](crate::run), so that who asks is told what holds.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::config::{self, Config, Problems};
use crate::host::{Reload, Reloaded, Reloading};

/// Requests that may wait; more are refused.
const WAITING: usize = 16;

type Answer = Result<Reloaded, Problems>;

/// Asks the running program to read its configuration again.
#[derive(Clone)]
pub struct Reloader(mpsc::Sender<oneshot::Sender<Answer>>);

/// The program's end of it, and how the configuration is read.
pub struct Reloads {
    asked: mpsc::Receiver<oneshot::Sender<Answer>>,
    reloader: Reloader,
    load: Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>,
    applied: Box<dyn Fn(&Config) + Send + Sync>,
}

impl Reloads {
    /// `load` reads the configuration; `applied` takes what does not concern the library, such as
    /// the level of the log, from one that holds now.
    pub fn new(
        load: impl Fn() -> Result<Config, Problems> + Send + Sync + 'static,
        applied: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        let (ask, asked) = mpsc::channel(WAITING);
        Self {
            asked,
            reloader: Reloader(ask),
            load: Arc::new(load),
            applied: Box::new(applied),
        }
    }

    /// What asks for it.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Waits until somebody asks, and reads. `config` is what holds; where something has changed,
    /// `apply` is called with what holds from then on.
    pub(crate) async fn next(&mut self, config: &mut Config, apply: impl FnOnce(&Config)) {
        // There is always one who could ask: this end holds one itself.
        let Some(answer) = self.asked.recv().await else {
            return std::future::pending().await;
        };
        let load = Arc::clone(&self.load);
        let Ok(new) = tokio::task::spawn_blocking(move || load()).await else {
            // It has panicked, which is logged; who asked sees that nobody answers.
            return;
        };
        let told = match new {
            Ok(new) => {
                let told = sorted(&config::changes(config, &new));
                *config = config::applied(config, &new);
                (self.applied)(config);
                apply(config);
                tracing::info!("configuration read again");
                Ok(told)
            }
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!(%problem, "configuration not reloaded");
                }
                Err(problems)
            }
        };
        // Who asked may have gone.
        let _ = answer.send(told);
    }
}

/// What has changed, as it is told; it is logged on the way.
fn sorted(changes: &[config::Change]) -> Reloaded {
    let mut told = Reloaded::default();
    for config::Change { key, live } in changes {
        match live {
            true => tracing::info!(key, "reloaded"),
            false => tracing::warn!(key, "changed, takes effect after a restart"),
        }
        let list = match live {
            true => &mut told.applied,
            false => &mut told.waiting,
        };
        list.push(key.clone());
    }
    told
}

impl Reloader {
    /// Asks. `None`: the program ends, or too many have asked.
    pub async fn ask(&self) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(answer).ok()?;
        answered.await.ok()
    }
}

impl Reload for Reloader {
    fn reload(&self) -> Reloading {
        let reloader = self.clone();
        Box::pin(async move {
            match reloader.ask().await {
                Some(Ok(reloaded)) => Ok(reloaded),
                Some(Err(Problems(problems))) => {
                    Err(problems.iter().map(ToString::to_string).collect())
                }
                None => Err(vec!["the program cannot read it now".to_owned()]),
            }
        })
    }
}
