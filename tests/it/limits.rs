//! Limits of the host in tests.

use std::time::Duration;

use isthmus::host::Limits;

/// Such that no test reaches them by accident.
pub(crate) fn limits() -> Limits {
    Limits {
        history: 20,
        rooms_per_user: 10,
        networks_per_user: 10,
        sessions: 100,
        inbox: 64,
        stanzas_per_second: 1000,
        stanzas_burst: 1000,
        attachment: 1024,
        attachments_total: 1_048_576,
        attachments_per_user: 0,
        attachment_age: Duration::ZERO,
        receipt_timeout: Duration::from_secs(3600),
    }
}
