//! What a gateway can ask of the program that serves it: to read its configuration again.

use std::future::Future;
use std::pin::Pin;

/// What became of reading the configuration again: keys by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// What has changed and holds now.
    pub applied: Vec<String>,
    /// What has changed and takes effect after a restart.
    pub waiting: Vec<String>,
}

/// The answer: what was done, or everything that is wrong with the configuration, which then has
/// changed nothing.
pub type Reloading = Pin<Box<dyn Future<Output = Result<Reloaded, Vec<String>>> + Send>>;

/// Reads the configuration again.
pub trait Reload: Send + Sync {
    /// Does what a SIGHUP does, and tells what came of it when it holds.
    fn reload(&self) -> Reloading;
}
