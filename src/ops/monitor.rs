//! `/metrics` in the text format of Prometheus (version 0.0.4), and `/health`: 200 while every
//! gateway is attached to its XMPP server, else 503.
//!
//! Figures are counted where things happen, with relaxed atomics, or looked up when they are asked
//! for. Labels are domains of gateways, never users, rooms or networks.

use std::fmt::Write;
use std::sync::{Arc, Weak};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::host::{Domain, Figures, Shared, faults_told};
use crate::http;

/// What Prometheus calls the format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is looked at.
pub(crate) struct Monitor {
    domains: Vec<Weak<Domain>>,
    shared: Weak<Shared>,
}

impl Monitor {
    /// For these gateways. It keeps none of them alive.
    pub(crate) fn new<'a>(
        domains: impl Iterator<Item = &'a Arc<Domain>>,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            domains: domains.map(Arc::downgrade).collect(),
            shared: Arc::downgrade(shared),
        }
    }

    /// The gateways that are served; those that were shut down are not.
    fn served(&self) -> Vec<Arc<Domain>> {
        let domains = self.domains.iter().filter_map(Weak::upgrade);
        domains.filter(|it| !*it.ending().borrow()).collect()
    }

    /// Whether all is well, and a line for each gateway.
    fn health(&self) -> (bool, String) {
        let (mut well, mut text) = (true, String::new());
        for domain in self.served() {
            let up = domain.is_up();
            well &= up;
            let state = if up { "up" } else { "not attached" };
            text.push_str(&format!("{}: {state}\n", domain.name()));
        }
        (well, text)
    }

    async fn metrics(&self) -> String {
        let mut figures = Vec::new();
        for domain in self.served() {
            figures.push(domain.figures().await);
        }
        let mut page = Page::default();
        page.one(
            "isthmus_build_info",
            "gauge",
            "The version that runs.",
            &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
            1,
        );
        for (name, kind, help, value) in OF_DOMAINS {
            page.family(name, kind, help);
            for figures in &figures {
                page.value(name, &label("domain", &figures.domain), value(figures));
            }
        }
        by_state(&mut page, &figures);
        page.family(
            "isthmus_faults_total",
            "counter",
            "Faults that users were told of, by their kind.",
        );
        for (kind, count) in faults_told() {
            page.value("isthmus_faults_total", &label("kind", kind), count);
        }
        if let Some(shared) = self.shared.upgrade() {
            of_all(&mut page, &shared);
        }
        page.0
    }
}

/// A figure of each gateway: name, kind, what it is, and where it stands.
type OfDomain = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Figures) -> u64,
);

const OF_DOMAINS: &[OfDomain] = &[
    (
        "isthmus_component_up",
        "gauge",
        "Whether the gateway is attached to the XMPP server.",
        |it| u64::from(it.up),
    ),
    (
        "isthmus_component_streams_total",
        "counter",
        "Streams to the XMPP server; all but the first are reconnections.",
        |it| it.streams,
    ),
    (
        "isthmus_stanzas_received_total",
        "counter",
        "Stanzas received from the XMPP server.",
        |it| it.received,
    ),
    (
        "isthmus_stanzas_sent_total",
        "counter",
        "Stanzas made for the XMPP server.",
        |it| it.sent,
    ),
    (
        "isthmus_outbox_bytes",
        "gauge",
        "Bytes in memory that are not sent, or not known to have arrived.",
        |it| it.outbox_bytes,
    ),
    (
        "isthmus_sessions",
        "gauge",
        "Sessions: a user on a network.",
        |it| it.sessions,
    ),
    (
        "isthmus_users",
        "gauge",
        "Users who have a session or have told that they are there.",
        |it| it.users,
    ),
    (
        "isthmus_rooms",
        "gauge",
        "Rooms that users are in, each user counted.",
        |it| it.rooms,
    ),
    (
        "isthmus_messages_taken_total",
        "counter",
        "Messages taken for delivery by the queue.",
        |it| it.taken,
    ),
    (
        "isthmus_deliveries_total",
        "counter",
        "Messages taken from a store-and-forward network.",
        |it| it.deliveries,
    ),
];

fn by_state(page: &mut Page, all: &[Figures]) {
    page.family(
        "isthmus_queue_messages",
        "gauge",
        "Messages on disk: queued or begun (each recipient counted) to the network, or inbound.",
    );
    for figures in all {
        let Some(depth) = &figures.queue else {
            continue;
        };
        for (state, count) in [
            ("queued", depth.queued),
            ("begun", depth.begun),
            ("inbound", depth.inbound),
        ] {
            let labels = format!(
                "{},{}",
                label("domain", &figures.domain),
                label("state", state)
            );
            page.value("isthmus_queue_messages", &labels, count);
        }
    }
    page.family(
        "isthmus_outcomes_total",
        "counter",
        "What became of messages that the queue handed out; retried is not the end.",
    );
    for figures in all.iter().filter(|it| it.queue.is_some()) {
        for (outcome, count) in figures.outcomes {
            let labels = format!(
                "{},{}",
                label("domain", &figures.domain),
                label("outcome", outcome)
            );
            page.value("isthmus_outcomes_total", &labels, count);
        }
    }
}

/// What concerns the program as a whole.
fn of_all(page: &mut Page, shared: &Shared) {
    let store = shared.store();
    page.one(
        "isthmus_store_backlog_bytes",
        "gauge",
        "Bytes that wait to be written to the database.",
        "",
        store.backlog() as u64,
    );
    page.one(
        "isthmus_store_lost_total",
        "counter",
        "Writes that could not be kept.",
        "",
        store.lost(),
    );
    if let Some(attachments) = shared.attachments() {
        page.one(
            "isthmus_attachment_bytes",
            "gauge",
            "Disk that kept attachments take.",
            "",
            attachments.used(),
        );
    }
}

/// The text of the format.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn value(&mut self, name: &str, labels: &str, value: u64) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, labels: &str, value: u64) {
        self.family(name, kind, help);
        self.value(name, labels, value);
    }
}

/// A label, escaped as the format has it.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\");
    let value = value.replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// Answers until told to stop.
pub(crate) async fn serve(listener: TcpListener, monitor: Monitor, stop: watch::Receiver<bool>) {
    let monitor = Arc::new(monitor);
    let answer = move |request: Request<Incoming>| {
        let monitor = Arc::clone(&monitor);
        async move { answer(&request, &monitor).await }
    };
    http::serve(listener, stop, answer).await;
}

async fn answer(request: &Request<Incoming>, monitor: &Monitor) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let words = "only GET and HEAD\n".to_owned();
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, words);
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    match request.uri().path() {
        "/metrics" => plain(StatusCode::OK, monitor.metrics().await),
        "/health" => match monitor.health() {
            (true, text) => plain(StatusCode::OK, text),
            (false, text) => plain(StatusCode::SERVICE_UNAVAILABLE, text),
        },
        _ => plain(StatusCode::NOT_FOUND, "/metrics or /health\n".to_owned()),
    }
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static(FORMAT);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_labels_are_escaped() {
        for (name, kind, help, _) in OF_DOMAINS {
            assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
            assert!(
                name.starts_with("isthmus_") && help.ends_with('.'),
                "{name}"
            );
        }
        assert_eq!(label("domain", "a\"b\\\n"), "domain=\"a\\\"b\\\\\\n\"");
        let mut page = Page::default();
        page.one("isthmus_x", "gauge", "X.", &label("a", "b"), 7);
        let expected = "# HELP isthmus_x X.\n# TYPE isthmus_x gauge\nisthmus_x{a=\"b\"} 7\n";
        assert_eq!(page.0, expected);
    }
}
