//! What is asked of an archive (XEP-0313 §4.1, §4.3; XEP-0059 1.0.1).

use crate::host::delay::from_stamp;
use crate::host::words::Denial;
use crate::xmpp::element::Element;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Messages of a page for who sets no size.
const PAGE: usize = 100;
/// Messages of a page at most.
const PAGE_MAX: usize = 250;
/// Ids that may be asked for at a time.
const IDS: usize = PAGE_MAX;

/// Why a query is refused, with words for its sender.
pub(super) type Refusal = (Condition, Denial);

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    First,
    After(String),
    Before(String),
    Last,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) queryid: Option<String>,
    pub(super) with: Option<Jid>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) after_id: Option<String>,
    pub(super) before_id: Option<String>,
    pub(super) ids: Vec<String>,
    pub(super) max: usize,
    pub(super) start: Start,
    /// The newest of the page comes first.
    pub(super) flip: bool,
}

impl Query {
    /// Reads `<query/>`.
    pub(super) fn of(query: &Element) -> Result<Self, Refusal> {
        let mut read = Self {
            queryid: query.attr("queryid").map(str::to_owned),
            with: None,
            since: None,
            until: None,
            after_id: None,
            before_id: None,
            ids: Vec::new(),
            max: PAGE,
            start: Start::First,
            flip: query.child("flip-page", ns::MAM).is_some(),
        };
        if let Some(form) = query.child("x", ns::DATA_FORMS) {
            read.fields(form)?;
        }
        if let Some(set) = query.child("set", ns::RSM) {
            read.paging(set)?;
        }
        Ok(read)
    }

    fn fields(&mut self, form: &Element) -> Result<(), Refusal> {
        let bad = |text| Err((Condition::BadRequest, text));
        if form.attr("type") != Some("submit") {
            return bad(Denial::ArchiveForm);
        }
        let mut about = false;
        for field in form.children().filter(|it| it.is("field", ns::DATA_FORMS)) {
            let values = field.children().filter(|it| it.is("value", ns::DATA_FORMS));
            let mut values = values.map(|value| value.text().into_owned());
            let name = field.attr("var").unwrap_or_default();
            if name == "ids" {
                self.ids = values.filter(|id| !id.is_empty()).collect();
                self.ids.dedup();
                if self.ids.len() > IDS {
                    return bad(Denial::ArchiveIds);
                }
                continue;
            }
            let value = values.next().filter(|value| !value.is_empty());
            match (name, value) {
                ("FORM_TYPE", value) => about = value.as_deref() == Some(ns::MAM),
                ("with", Some(jid)) => match Jid::parse(&jid) {
                    Ok(jid) => self.with = Some(jid),
                    Err(_) => return bad(Denial::ArchiveWith),
                },
                ("start", Some(time)) => self.since = Some(date(&time)?),
                ("end", Some(time)) => self.until = Some(date(&time)?),
                ("after-id", id) => self.after_id = id,
                ("before-id", id) => self.before_id = id,
                ("with" | "start" | "end", None) => {}
                // §4.1.6
                _ => {
                    let text = Denial::ArchiveUnsearched;
                    return Err((Condition::FeatureNotImplemented, text));
                }
            }
        }
        match about {
            true => Ok(()),
            false => bad(Denial::ArchiveFormOther),
        }
    }

    fn paging(&mut self, set: &Element) -> Result<(), Refusal> {
        let text = |name| set.child(name, ns::RSM).map(|it| it.text().into_owned());
        if let Some(max) = text("max") {
            let Ok(max) = max.trim().parse::<usize>() else {
                return Err((Condition::BadRequest, Denial::ArchiveMax));
            };
            self.max = max.min(PAGE_MAX);
        }
        if set.child("index", ns::RSM).is_some() {
            let text = Denial::ArchiveIndex;
            return Err((Condition::FeatureNotImplemented, text));
        }
        self.start = match (text("after"), text("before")) {
            (Some(_), Some(_)) => {
                let text = Denial::ArchiveSides;
                return Err((Condition::BadRequest, text));
            }
            (Some(after), None) if !after.is_empty() => Start::After(after),
            (None, Some(before)) if !before.is_empty() => Start::Before(before),
            (None, Some(_)) => Start::Last,
            _ => Start::First,
        };
        Ok(())
    }
}

fn date(text: &str) -> Result<i64, Refusal> {
    let text = from_stamp(text.trim());
    text.ok_or((Condition::BadRequest, Denial::ArchiveTime))
}

/// The fields there are (§4.1.6); none is required.
pub(super) fn form() -> Element {
    let field = |kind, name| {
        let field = Element::new("field", ns::DATA_FORMS).with_attr("type", kind);
        field.with_attr("var", name)
    };
    let about = Element::new("value", ns::DATA_FORMS).with_text(ns::MAM);
    let open = Element::new("validate", ns::VALIDATE)
        .with_attr("datatype", "xs:string")
        .with_child(Element::new("open", ns::VALIDATE));
    let form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "form")
        .with_child(field("hidden", "FORM_TYPE").with_child(about))
        .with_child(field("jid-single", "with"))
        .with_child(field("text-single", "start"))
        .with_child(field("text-single", "end"))
        .with_child(field("text-single", "before-id"))
        .with_child(field("text-single", "after-id"))
        .with_child(field("list-multi", "ids").with_child(open));
    Element::new("query", ns::MAM).with_child(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(inner: &str) -> Result<Query, Refusal> {
        let text = format!("<query xmlns='urn:xmpp:mam:2' queryid='q'>{inner}</query>");
        Query::of(&Element::parse(text.as_bytes()).expect("well-formed"))
    }

    fn filled(fields: &[(&str, &str)]) -> String {
        let field = |(name, value): &(&str, &str)| {
            format!("<field var='{name}'><value>{value}</value></field>")
        };
        let fields: String = fields.iter().map(field).collect();
        format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
    }

    fn condition(inner: &str) -> Option<Condition> {
        query(inner).err().map(|(condition, _)| condition)
    }

    #[test]
    fn all_fields_are_read_and_the_page_is_capped() {
        let form = filled(&[
            ("FORM_TYPE", "urn:xmpp:mam:2"),
            ("with", "alice@net.example"),
            ("start", "1970-01-01T00:00:01Z"),
            ("end", "1970-01-01T01:00:02+01:00"),
            ("after-id", "a"),
            ("before-id", "b"),
            ("ids", "c"),
        ]);
        let set = "<set xmlns='http://jabber.org/protocol/rsm'><max>9999</max><before/></set>";
        let read = query(&format!("{form}{set}<flip-page/>")).expect("a query");
        assert_eq!((read.since, read.until), (Some(1000), Some(2000)));
        assert_eq!(
            read.with.map(|it| it.to_string()).as_deref(),
            Some("alice@net.example")
        );
        assert_eq!(read.after_id.as_deref(), Some("a"));
        assert_eq!(read.before_id.as_deref(), Some("b"));
        assert_eq!(read.ids, ["c"]);
        assert_eq!(
            (read.max, read.start, read.flip),
            (PAGE_MAX, Start::Last, true)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_condition() {
        let about = ("FORM_TYPE", "urn:xmpp:mam:2");
        let bad = Some(Condition::BadRequest);
        assert_eq!(condition(&filled(&[about, ("start", "yesterday")])), bad);
        assert_eq!(condition(&filled(&[about, ("with", "@")])), bad);
        assert_eq!(condition(&filled(&[("FORM_TYPE", "urn:other")])), bad);
        assert_eq!(
            condition(&filled(&[("start", "2010-06-07T00:00:00Z")])),
            bad
        );
        let unknown = condition(&filled(&[about, ("include-groupchat", "1")]));
        assert_eq!(unknown, Some(Condition::FeatureNotImplemented));
        let rsm = |inner: &str| {
            let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>");
            condition(&set)
        };
        assert_eq!(rsm("<max>many</max>"), bad);
        assert_eq!(rsm("<before>a</before><after>b</after>"), bad);
        assert_eq!(
            rsm("<index>3</index>"),
            Some(Condition::FeatureNotImplemented)
        );
        assert_eq!(rsm("<max>3</max><after/>"), None);
    }
}
