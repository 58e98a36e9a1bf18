//! Result set management (XEP-0059 1.0.1): one page of a long list.
//!
//! The list is whoever's asks; here it is only known by the ids of its items, in order.

use std::ops::Range;

use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// Items of a page nobody has set a size for, and the most there are in one.
const PAGE: usize = 100;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    First,
    After(String),
    Before(String),
    Last,
    Index(usize),
}

/// What page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// It was asked for in so many words.
    asked: bool,
    max: usize,
    start: Start,
}

impl Paging {
    /// Reads `<set/>` in a query; `None`: it makes no sense.
    pub(crate) fn of(query: &Element) -> Option<Self> {
        let Some(set) = query.child("set", ns::RSM) else {
            return Some(Self {
                asked: false,
                max: PAGE,
                start: Start::First,
            });
        };
        let text = |name| set.child(name, ns::RSM).map(|it| it.text().into_owned());
        let number = |text: String| text.trim().parse::<usize>().ok();
        let max = match text("max") {
            Some(max) => number(max)?.min(PAGE),
            None => PAGE,
        };
        let start = match (text("after"), text("before"), text("index")) {
            (Some(after), None, None) if after.is_empty() => Start::First,
            (Some(after), None, None) => Start::After(after),
            (None, Some(before), None) if before.is_empty() => Start::Last,
            (None, Some(before), None) => Start::Before(before),
            (None, None, Some(index)) => Start::Index(number(index)?),
            (None, None, None) => Start::First,
            _ => return None,
        };
        Some(Self {
            asked: true,
            max,
            start,
        })
    }

    /// Whether the page goes on from an earlier one.
    pub(crate) fn goes_on(&self) -> bool {
        !matches!(self.start, Start::First | Start::Last)
    }

    /// The page of a list; `None`: it has no item of that id (XEP-0059 §2.4, item-not-found).
    pub(crate) fn range<T>(&self, list: &[T], id: impl Fn(&T) -> &str) -> Option<Range<usize>> {
        let place = |wanted: &str| list.iter().position(|item| id(item) == wanted);
        let up_to = |end: usize| end.saturating_sub(self.max)..end;
        let from = |start: usize| start..list.len().min(start.saturating_add(self.max));
        Some(match &self.start {
            Start::First => from(0),
            Start::After(after) => from(place(after)? + 1),
            Start::Before(before) => up_to(place(before)?),
            Start::Last => up_to(list.len()),
            Start::Index(index) if *index < list.len() => from(*index),
            Start::Index(_) => return None,
        })
    }

    /// Writes `<set/>` behind a page, if it was asked for or there is more than the page.
    pub(crate) fn write<T>(
        &self,
        xml: &mut Xml<'_>,
        list: &[T],
        page: &Range<usize>,
        id: impl Fn(&T) -> &str,
    ) {
        if !self.asked && page.len() == list.len() {
            return;
        }
        xml.start_ns("set", ns::RSM);
        let shown = list.get(page.clone()).unwrap_or_default();
        if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
            xml.start("first").attr("index", &page.start.to_string());
            xml.text(id(first)).end();
            xml.text_element("last", id(last));
        }
        xml.text_element("count", &list.len().to_string());
        xml.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn range(set: &str) -> Option<Range<usize>> {
        let query = format!("<query><set xmlns='{}'>{set}</set></query>", ns::RSM);
        let query = Element::parse(query.as_bytes()).expect("XML");
        Paging::of(&query)?.range(&LIST, |item| item)
    }

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        assert_eq!(range("<max>2</max>"), Some(0..2));
        assert_eq!(range("<max>2</max><after>b</after>"), Some(2..4));
        assert_eq!(range("<max>2</max><after>d</after>"), Some(4..5));
        assert_eq!(range("<max>2</max><after>e</after>"), Some(5..5));
        assert_eq!(range("<max>2</max><before/>"), Some(3..5));
        assert_eq!(range("<max>2</max><before>b</before>"), Some(0..1));
        assert_eq!(range("<max>2</max><index>3</index>"), Some(3..5));
        assert_eq!(range("<max>0</max>"), Some(0..0));
    }

    #[test]
    fn an_unknown_place_and_nonsense_have_no_page() {
        assert_eq!(range("<after>z</after>"), None);
        assert_eq!(range("<before>z</before>"), None);
        assert_eq!(range("<index>5</index>"), None);
        assert_eq!(range("<max>many</max>"), None);
        assert_eq!(range("<after>a</after><before>b</before>"), None);
    }
}
