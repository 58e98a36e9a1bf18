//! Uploads to the file service of a user's own server (XEP-0363 1.2).
//!
//! The service is looked for among the items of the server (§3, XEP-0030) and remembered for a
//! while, also where there is none. The slot is asked for by the gateway's domain, and where the
//! service refuses that, by the address of whoever the file is from: one of them the server has to
//! admit. Of the headers a slot names only the three of §4 are sent.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use isthmus_kit::Reach;
use tokio::task::JoinSet;

use super::Files;
use super::body::FileBody;
use super::http::{self, Target};
use crate::host::asker::Asker;
use crate::host::courier::Kept;
use crate::host::words::{Notice, Phrase, Said};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// How long a service is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How long it is remembered that there is none, or that it did not work.
const MISSED: Duration = Duration::from_secs(120);
/// Items of a server that are looked at.
const MOST_ITEMS: usize = 24;
/// Of a service's own words, in characters.
const LONGEST_WORDS: usize = 200;
/// Servers that are remembered.
const MOST_SERVERS: usize = 1024;

/// The file service of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    jid: String,
    /// Largest file it takes, in bytes.
    most: Option<u64>,
    /// It refuses the gateway's domain, and takes files of the addresses behind it.
    by_address: bool,
}

/// Why a file is not uploaded.
pub(super) struct Refused {
    /// For the operator.
    text: String,
    /// For the user.
    pub(super) why: Said,
    /// Nothing is wrong: there is no service.
    pub(super) none: bool,
    /// It may take others.
    others: bool,
}

impl Refused {
    fn new(text: impl Into<String>, why: impl Into<Said>) -> Self {
        Self {
            text: text.into(),
            why: why.into(),
            none: false,
            others: false,
        }
    }

    /// It is about this file.
    fn others(self) -> Self {
        Self {
            others: true,
            ..self
        }
    }
}

/// What came of asking for a place for a file.
enum Place {
    /// The slot.
    Given(Element),
    /// Who asked is refused, in the service's own words.
    Denied(String),
}

/// What is known of a server, and until when.
pub(super) type Remembered = (Instant, Option<Service>);

impl Files {
    /// Uploads a file to the service of `server`; where it can be fetched then. `of`: the localpart
    /// of who it is from.
    ///
    /// # Errors
    ///
    /// There is no service, or it does not take the file.
    pub(super) async fn upload(
        &self,
        asker: &Arc<Asker>,
        server: &str,
        of: &str,
        kept: &Kept,
        file: File,
    ) -> Result<String, Refused> {
        let Some(mut service) = self.service(asker, server).await else {
            let refused = Refused::new("there is no service", Notice::UploadNone);
            return Err(Refused {
                none: true,
                ..refused
            });
        };
        let by_domain = !service.by_address;
        if let Some(most) = service.most.filter(|&most| kept.size > most) {
            let why = Notice::FileLarge.with(&[&most.to_string()]);
            return Err(Refused::new("the file is larger than it takes", why));
        }
        if kept.size == 0 {
            return Err(Refused::new("the file is empty", Notice::UploadEmpty));
        }
        match self.put(asker, &mut service, of, kept, file).await {
            Ok(url) => {
                if by_domain && service.by_address {
                    self.remember(server, REMEMBERED, Some(service));
                }
                Ok(url)
            }
            Err(refused) => {
                let text = &refused.text;
                tracing::warn!(
                    server,
                    service = service.jid,
                    "a file cannot be uploaded: {text}; does the service admit this component?"
                );
                if !refused.others {
                    self.remember(server, MISSED, None);
                }
                Err(refused)
            }
        }
    }

    async fn service(&self, asker: &Arc<Asker>, server: &str) -> Option<Service> {
        let known = self.services().get(server).cloned();
        if let Some((until, service)) = known
            && Instant::now() < until
        {
            return service;
        }
        let service = discover(asker, server).await;
        let age = if service.is_some() {
            REMEMBERED
        } else {
            MISSED
        };
        self.remember(server, age, service.clone());
        service
    }

    fn remember(&self, server: &str, age: Duration, service: Option<Service>) {
        let mut services = self.services();
        if services.len() >= MOST_SERVERS {
            services.clear();
        }
        services.insert(server.to_owned(), (Instant::now() + age, service));
    }

    async fn put(
        &self,
        asker: &Asker,
        service: &mut Service,
        of: &str,
        kept: &Kept,
        file: File,
    ) -> Result<String, Refused> {
        let mut place = match service.by_address {
            true => slot(asker, &service.jid, Some(of), kept).await?,
            false => slot(asker, &service.jid, None, kept).await?,
        };
        if matches!(place, Place::Denied(_)) && !service.by_address && !of.is_empty() {
            place = slot(asker, &service.jid, Some(of), kept).await?;
            service.by_address = matches!(place, Place::Given(_));
        }
        let slot = match place {
            Place::Given(slot) => slot,
            Place::Denied(words) => {
                let text = format!("it gives no place for the file ({words})");
                return Err(Refused::new(text, Notice::UploadRefused.with(&[&words])));
            }
        };
        let url = |name| {
            let child = slot.child(name, ns::HTTP_UPLOAD)?;
            child.attr("url").map(str::to_owned)
        };
        let nowhere = |text: String| Refused::new(text, Notice::UploadNowhere);
        let (put, get) = (url("put"), url("get"));
        let (put, get) = put
            .zip(get)
            .ok_or_else(|| nowhere("its answer has no URLs".into()))?;
        let target =
            Target::parse(&put).ok_or_else(|| nowhere("its URL cannot be followed".into()))?;
        // Ours is where the operator has put it; any other must be on the internet.
        let trusted = self.settings().trusts(&target);
        if !target.tls && !trusted {
            let host = &target.host;
            return Err(nowhere(format!(
                "its URL is not https, and {host} is not trusted"
            )));
        }
        let reach = match trusted || self.settings().is_ours(&service.jid) {
            true => Reach::Any,
            false => Reach::Public,
        };
        let request = request(&slot, kept, file).map_err(nowhere)?;
        let answer = http::send(self.way(), &target, reach, request).await;
        let answer = answer.map_err(|fault| {
            Refused::new(format!("{}: {fault}", target.host), Notice::UploadUnreached)
        })?;
        let status = answer.response.status();
        if !status.is_success() {
            let code = status.as_u16().to_string();
            let why = Notice::UploadAnswers.with(&[&code]);
            return Err(Refused::new(format!("{} answers {code}", target.host), why));
        }
        self.note_host(&get);
        Ok(get)
    }
}

/// Asks for a place for a file, in the name of the domain or of an address.
async fn slot(
    asker: &Asker,
    service: &str,
    of: Option<&str>,
    kept: &Kept,
) -> Result<Place, Refused> {
    let answer = asker.ask_as(of, service, "get", |xml| {
        xml.start_ns("request", ns::HTTP_UPLOAD)
            .attr("filename", &kept.name)
            .attr("size", &kept.size.to_string())
            .attr("content-type", &kept.mime)
            .end();
    });
    let silent = || Refused::new("it does not answer", Notice::UploadSilent);
    let answer = answer.await.ok_or_else(silent)?;
    if answer.attr("type") == Some("result") {
        let slot = answer.child("slot", ns::HTTP_UPLOAD).cloned();
        let none = || Refused::new("its answer has no place", Notice::UploadNowhere);
        return slot.map(Place::Given).ok_or_else(none);
    }
    // §4: these are about the file, or pass.
    let error = answer.child("error", ns::COMPONENT);
    let says = |name, ns| error.is_some_and(|error| error.child(name, ns).is_some());
    let too_large = says("file-too-large", ns::HTTP_UPLOAD);
    let (own, condition) = error.map(told).unwrap_or_default();
    if too_large || says("retry", ns::HTTP_UPLOAD) {
        let (text, why) = match too_large {
            true => ("it is too large for it", Notice::UploadLarge),
            false => ("it takes no more for now", Notice::UploadLater),
        };
        let why = match own.is_empty() {
            true => why.into(),
            false => Notice::UploadRefused.with(&[&own]),
        };
        return Err(Refused::new(text, why).others());
    }
    Ok(Place::Denied(if own.is_empty() { condition } else { own }))
}

/// What a service says of its refusal: its own words, in one line, and the condition.
fn told(error: &Element) -> (String, String) {
    let words = error.child("text", ns::STANZA_ERRORS);
    let words = words.map(|it| it.text().into_owned()).unwrap_or_default();
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ").chars().take(LONGEST_WORDS).collect();
    let mut conditions = error.children().filter(|it| it.ns() == ns::STANZA_ERRORS);
    let condition = conditions.find(|it| it.name() != "text");
    let condition = condition.map_or("undefined-condition", Element::name);
    (words, condition.to_owned())
}

/// The request that brings a file to its slot.
fn request(slot: &Element, kept: &Kept, file: File) -> Result<Request<FileBody>, String> {
    let mut request = Request::builder().method(Method::PUT).uri("/");
    if let Ok(mime) = HeaderValue::from_str(&kept.mime) {
        request = request.header(CONTENT_TYPE, mime);
    }
    let put = slot.child("put", ns::HTTP_UPLOAD);
    let headers = put.into_iter().flat_map(Element::children);
    for header in headers.filter(|it| it.is("header", ns::HTTP_UPLOAD)) {
        let name = header.attr("name").unwrap_or_default().to_ascii_lowercase();
        // §4: others are ignored, and line breaks are none of a value's.
        if !matches!(name.as_str(), "authorization" | "cookie" | "expires") {
            continue;
        }
        let value = header.text().replace(['\r', '\n'], "");
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            request = request.header(name, value);
        }
    }
    let body = FileBody::of_file(file, kept.size);
    request.body(body).map_err(|fault| fault.to_string())
}

/// Looks for the file service of a server: the server itself, or one of its items.
async fn discover(asker: &Arc<Asker>, server: &str) -> Option<Service> {
    let items = asker
        .get(server, |xml| {
            xml.leaf("query", ns::DISCO_ITEMS);
        })
        .await;
    let jids = items.iter().flat_map(Element::children);
    let jids = jids.filter_map(|item| item.attr("jid")).take(MOST_ITEMS);
    // §3: only the server's own: a user's items are none of them.
    let jids = jids.filter(|jid| !jid.contains('@') && *jid != server);
    let mut asked = JoinSet::new();
    for jid in jids.map(str::to_owned).chain([server.to_owned()]) {
        let asker = Arc::clone(asker);
        asked.spawn(async move {
            let info = asker.get(&jid, |xml| {
                xml.leaf("query", ns::DISCO_INFO);
            });
            service_of(jid.clone(), &info.await?)
        });
    }
    while let Some(found) = asked.join_next().await {
        if let Ok(Some(service)) = found {
            return Some(service);
        }
    }
    None
}

fn service_of(jid: String, info: &Element) -> Option<Service> {
    info.children()
        .find(|it| it.name() == "feature" && it.attr("var") == Some(ns::HTTP_UPLOAD))?;
    let forms = info.children().filter(|it| it.is("x", ns::DATA_FORMS));
    let mut fields = forms.flat_map(Element::children);
    let most = fields
        .find(|field| field.attr("var") == Some("max-file-size"))
        .and_then(|field| field.child("value", ns::DATA_FORMS))
        .and_then(|value| value.text().trim().parse().ok());
    let by_address = false;
    Some(Service {
        jid,
        most,
        by_address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_headers_of_the_specification_are_sent() {
        let slot = "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://f.example/a'>\
                    <header name='Authorization'>Basic\n x</header>\
                    <header name='Host'>evil.example</header>\
                    <header name='content-LENGTH'>5</header>\
                    <header name='Cookie'>a=b</header></put></slot>";
        let slot = Element::parse(slot.as_bytes()).expect("well-formed");
        let file = tempfile::tempfile().expect("a scratch file");
        let kept = Kept {
            name: "a".into(),
            mime: "image/png".into(),
            size: 0,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let request = runtime
            .expect("a runtime")
            .block_on(async { request(&slot, &kept, file) })
            .expect("a request");
        let mut sent: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        sent.sort_unstable();
        assert_eq!(sent, ["authorization", "content-type", "cookie"]);
        assert_eq!(request.headers()["authorization"], "Basic x");
    }

    #[test]
    fn a_service_says_how_large_files_may_be() {
        let info = |form: &str| {
            let text = format!(
                "<query xmlns='http://jabber.org/protocol/disco#info'>\
                 <feature var='urn:xmpp:http:upload:0'/>{form}</query>"
            );
            let info = Element::parse(text.as_bytes()).expect("well-formed");
            service_of("up.example".into(), &info).map(|it| it.most)
        };
        let form = "<x xmlns='jabber:x:data' type='result'><field var='max-file-size'>\
                    <value>1000</value></field></x>";
        assert_eq!(info(form), Some(Some(1000)));
        assert_eq!(info(""), Some(None));
        let other = Element::parse(b"<query><feature var='x'/></query>").expect("well-formed");
        assert_eq!(service_of("up.example".into(), &other), None);
    }
}
