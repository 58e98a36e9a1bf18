//! Log lines on stderr, for people or as JSON, with a level that can be changed while running.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use isthmus::config::{LogConfig, LogFormat};

/// The handle by which the level changes.
pub(crate) struct Logging(Handle<EnvFilter, Registry>);

impl Logging {
    /// Begins to log; only once in a process.
    pub(crate) fn start(config: &LogConfig) -> Result<Self, TryInitError> {
        // The level was checked with the configuration.
        let (filter, handle) = reload::Layer::new(EnvFilter::new(&config.level));
        // Colours are for eyes: in a file or a journal they hide the words between them.
        let colours = io::stderr().is_terminal();
        let lines = fmt::layer().with_writer(io::stderr).with_ansi(colours);
        let registry = tracing_subscriber::registry().with(filter);
        match config.format {
            LogFormat::Human => registry.with(lines).try_init()?,
            LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
        }
        Ok(Self(handle))
    }

    /// Changes the level.
    pub(crate) fn set_level(&self, config: &LogConfig) {
        if let Err(error) = self.0.reload(EnvFilter::new(&config.level)) {
            tracing::error!(%error, "the log level could not be changed");
        }
    }
}
