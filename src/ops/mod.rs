//! What operators see of the running program: figures for Prometheus and whether it is well, by
//! HTTP (`monitor`), and news for the service manager (`notify`).
//!
//! Not here: what those who run a gateway do by command (`host::command::admin`), the log.

mod monitor;
mod notify;

pub(crate) use self::monitor::{Monitor, serve};
pub use self::notify::Notifier;
