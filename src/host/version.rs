//! XEP-0092 software version. The operating system is nobody's business and stays unsaid.

use crate::component::Outbox;
use crate::host::reply::Origin;
use crate::xmpp::ns;

/// Says what this is.
pub(crate) fn answer(outbox: &Outbox, origin: &Origin) {
    origin.result(outbox, |xml| {
        xml.start_ns("query", ns::VERSION);
        xml.text_element("name", "Isthmus");
        xml.text_element("version", env!("CARGO_PKG_VERSION"));
        xml.end();
    });
}
