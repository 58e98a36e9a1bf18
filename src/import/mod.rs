//! Taking over what another gateway kept (`isthmus import`).
//!
//! The source is read and never written. The database of this program is held alone meanwhile, so
//! that a daemon that runs is noticed and none can start. Each user is taken over in one
//! transaction, and what is here already wins: an import that was cut short is simply run again.

mod biboumi;
mod report;

use std::path::PathBuf;

pub use self::biboumi::{Biboumi, biboumi};
pub use self::report::Report;
use crate::store::StoreFault;

/// Why nothing, or nothing more, was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// The configuration names no gateway that could take it over, or several.
    #[error("{0}")]
    Gateway(String),
    /// The source cannot be read, or is not what it should be.
    #[error("{path}: {problem}")]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// What is kept here cannot be read or written.
    #[error("store: {0}")]
    Store(#[from] StoreFault),
}
