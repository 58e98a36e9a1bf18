//! How archived messages are told: each in a message of its own (XEP-0313 §4.2, XEP-0297 1.0), and
//! behind them the end of the page.

use super::page::Page;
use super::query::Query;
use crate::component::{Class, Outbox};
use crate::host::delay::stamp;
use crate::host::post::head;
use crate::host::reply::Origin;
use crate::store::Row;
use crate::xmpp::element::{Element, Node};
use crate::xmpp::ns;
use crate::xmpp::write::StanzaName;

/// Sends the messages of a page to who asked.
pub(super) fn tell(outbox: &Outbox, origin: &Origin, room: bool, query: &Query, page: &Page) {
    let mut rows: Vec<(&Row, Element)> = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        match Element::parse(&row.stanza) {
            Ok(stanza) => rows.push((row, stanza)),
            Err(_) => tracing::error!(row = row.number, "an archived message cannot be read"),
        }
    }
    if query.flip {
        rows.reverse();
    }
    for (row, stanza) in rows {
        // Whom a copy of a room's message went to says nothing.
        let stanza = if room { without_to(&stanza) } else { stanza };
        outbox.push(|batch| {
            // Without the answer behind them they mean nothing: they are lost together.
            let (class, name) = (Class::IqResult, StanzaName::Message);
            let head = head(name, origin.sender(), &origin.peer, None, None);
            batch.stanza(class, head, |xml| {
                xml.start_ns("result", ns::MAM);
                if let Some(id) = &query.queryid {
                    xml.attr("queryid", id);
                }
                xml.attr("id", &row.id);
                xml.start_ns("forwarded", ns::FORWARD);
                xml.start_ns("delay", ns::DELAY)
                    .attr("stamp", &stamp(row.at))
                    .end();
                xml.element(&stanza);
            });
        });
    }
}

fn without_to(stanza: &Element) -> Element {
    let mut copy = Element::new(stanza.name(), stanza.ns());
    for (name, value) in stanza.attrs().filter(|(name, _)| *name != "to") {
        copy = copy.with_attr(name, value);
    }
    stanza.nodes().iter().fold(copy, |copy, node| match node {
        Node::Element(child) => copy.with_child(child.clone()),
        Node::Text(text) => copy.with_text(text),
    })
}

/// The end of a page (XEP-0313 §4.3).
pub(super) fn fin(page: &Page) -> Element {
    let said = |name, text: &str| Element::new(name, ns::RSM).with_text(text);
    let mut set = Element::new("set", ns::RSM);
    if let (Some(first), Some(last)) = (page.rows.first(), page.rows.last()) {
        let mut begins = said("first", &first.id);
        if let Some(index) = page.index {
            begins = begins.with_attr("index", &index.to_string());
        }
        set = set.with_child(begins).with_child(said("last", &last.id));
    }
    if let Some(count) = page.count {
        set = set.with_child(said("count", &count.to_string()));
    }
    let mut fin = Element::new("fin", ns::MAM);
    if page.complete {
        fin = fin.with_attr("complete", "true");
    }
    fin.with_attr("stable", "true").with_child(set)
}
