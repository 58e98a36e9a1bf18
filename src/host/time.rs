//! What time it is here (XEP-0202 2.0), and for how long somebody has done nothing, or this has run
//! (XEP-0012 2.0).

use std::sync::LazyLock;
use std::time::Instant;

use crate::component::Outbox;
use crate::host::delay::stamp;
use crate::host::reply::Origin;
use crate::host::shared::now_ms;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// When this process began to serve.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// From now on it is counted how long this runs.
pub(crate) fn begin() {
    LazyLock::force(&BEGAN);
}

/// Says what time it is here. Nobody's time zone is told: the clock's is everybody's.
pub(crate) fn answer(outbox: &Outbox, origin: &Origin) {
    origin.result(outbox, |xml| write(xml, now_ms()));
}

/// A time (XEP-0202 §2), in milliseconds since 1970.
pub(crate) fn write(xml: &mut Xml<'_>, at: i64) {
    xml.start_ns("time", ns::TIME);
    xml.text_element("tzo", "+00:00");
    xml.text_element("utc", &stamp(at));
    xml.end();
}

/// Says for how long this has run (XEP-0012 §5).
pub(crate) fn uptime(outbox: &Outbox, origin: &Origin) {
    last(outbox, origin, BEGAN.elapsed().as_secs());
}

/// Says for how many seconds nothing was done.
pub(crate) fn last(outbox: &Outbox, origin: &Origin, seconds: u64) {
    origin.result(outbox, |xml| {
        let seconds = seconds.to_string();
        xml.start_ns("query", ns::LAST).attr("seconds", &seconds);
        xml.end();
    });
}
