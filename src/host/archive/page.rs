//! The rows that answer a query: found stretch by stretch, so that nobody waits long for the store.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::REMEMBERED;
use super::query::{Query, Start};
use crate::host::desk::store_fault;
use crate::host::errand::Answer;
use crate::host::words::Denial;
use crate::store::archives::{COUNTED, Kept, Stretch};
use crate::store::{ConversationId, Row, Store};
use crate::xmpp::element::Element;
use crate::xmpp::jid::{BareJid, Jid, resource_from_nick};
use crate::xmpp::stanza::Condition;

/// Rows among which an id is looked for at a time.
const LOOK: usize = 4096;
/// Rows that are read at a time where not all of them fit the query.
const READ: usize = 1000;
/// Bytes of a page, about: what comes behind is for the next page.
const BYTES: usize = 1 << 20;

/// A page of an archive.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// In the order in which they were said.
    pub(super) rows: Vec<Row>,
    /// Nothing fits the query beyond this page, in the direction of the paging.
    pub(super) complete: bool,
    /// The place of the first row among all that fit, from 0.
    pub(super) index: Option<usize>,
    /// How many fit.
    pub(super) count: Option<usize>,
}

/// Where pages ended that were told: an id that is asked for next is mostly one of these.
#[derive(Default)]
pub(super) struct Ends(VecDeque<(ConversationId, String, i64)>);

/// Which messages fit by who said them or to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// All.
    All,
    /// None.
    Nobody,
    /// What that occupant said.
    Nick(String),
    /// What is from or to that full JID.
    Full(String),
}

impl With {
    /// Reads the field `with` of a query to the archive `peer` (XEP-0313 §4.1.1).
    pub(super) fn of(with: Option<&Jid>, peer: &str, user: &BareJid, room: bool) -> Self {
        let Some(with) = with else { return Self::All };
        let bare = with.bare();
        match (with.resource(), room) {
            (None, _) if bare.as_str() == peer => Self::All,
            (Some(nick), true) if bare.as_str() == peer => Self::Nick(nick.to_owned()),
            (None, false) if bare == *user => Self::All,
            (Some(_), false) if bare == *user || bare.as_str() == peer => {
                Self::Full(with.to_string())
            }
            _ => Self::Nobody,
        }
    }

    fn fits(&self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Nobody => false,
            Self::Nick(nick) => resource_from_nick(&row.nick) == nick.as_str(),
            Self::Full(jid) => Element::parse(&row.stanza).is_ok_and(|stanza| {
                ["from", "to"]
                    .iter()
                    .any(|&end| stanza.attr(end) == Some(jid))
            }),
        }
    }
}

/// Reads the page a query asks for.
///
/// # Errors
/// `item-not-found` for an id that the archive does not have; what the store refuses.
pub(super) async fn read(
    store: &dyn Store,
    kept: Option<Kept>,
    query: &Query,
    with: &With,
    ends: &Mutex<Ends>,
) -> Result<Page, Answer> {
    let marks = [&query.after_id, &query.before_id];
    let named = marks.into_iter().flatten().chain(&query.ids);
    let mut wanted: Vec<String> = named.cloned().collect();
    if let Start::After(id) | Start::Before(id) = &query.start {
        wanted.push(id.clone());
    }
    let Some(Kept { id, .. }) = kept else {
        return match wanted.is_empty() {
            true => Ok(none()),
            false => Err(unknown()),
        };
    };
    let found = look(store, id, &wanted, ends).await?;
    let number = |id: &String| found.iter().find(|(_, it)| it == id).map(|it| it.0);
    let mut stretch = Stretch {
        since: query.since,
        until: query.until,
        ..Stretch::ALL
    };
    stretch.after = query.after_id.as_ref().and_then(number).unwrap_or(0);
    stretch.before = query
        .before_id
        .as_ref()
        .and_then(number)
        .unwrap_or(i64::MAX);
    // The stretch of the query, and that of the page within it.
    let mut rest = stretch;
    match &query.start {
        Start::After(id) => rest.after = rest.after.max(number(id).unwrap_or(0)),
        Start::Before(id) => rest.before = rest.before.min(number(id).unwrap_or(i64::MAX)),
        Start::First | Start::Last => {}
    }
    if *with == With::Nobody {
        return Ok(none());
    }
    let reader = Reader { store, id, with };
    let mut page = if query.ids.is_empty() {
        reader.page(query, stretch, rest).await?
    } else {
        let numbers: Vec<i64> = query.ids.iter().filter_map(number).collect();
        reader.pick(query, numbers, stretch, rest).await?
    };
    fit(&mut page, backwards(query));
    remember(ends, id, &page);
    Ok(page)
}

fn none() -> Page {
    Page {
        complete: true,
        count: Some(0),
        ..Page::default()
    }
}

fn unknown() -> Answer {
    Answer::Error(Condition::ItemNotFound, Denial::ArchiveNoMessage.into())
}

fn backwards(query: &Query) -> bool {
    matches!(query.start, Start::Last | Start::Before(_))
}

/// Numbers of the rows with these ids: all of them, or the query fails.
async fn look(
    store: &dyn Store,
    id: ConversationId,
    ids: &[String],
    ends: &Mutex<Ends>,
) -> Result<Vec<(i64, String)>, Answer> {
    let mut missing: Vec<String> = ids.to_vec();
    missing.sort_unstable();
    missing.dedup();
    let mut found: Vec<(i64, String)> = Vec::new();
    let mut take = |some: Vec<(i64, String)>, missing: &mut Vec<String>| {
        for (number, id) in some {
            if let Some(at) = missing.iter().position(|it| *it == id) {
                missing.swap_remove(at);
                found.push((number, id));
            }
        }
    };
    for known in remembered(ends, id, &missing) {
        // It may be gone since.
        let looked = store.look(id, missing.clone(), known + 1, 1).await;
        take(
            looked.map_err(|fault| store_fault(&fault))?.found,
            &mut missing,
        );
    }
    let mut below = Some(i64::MAX);
    while let (Some(from), false) = (below, missing.is_empty()) {
        let looked = store.look(id, missing.clone(), from, LOOK).await;
        let looked = looked.map_err(|fault| store_fault(&fault))?;
        take(looked.found, &mut missing);
        below = looked.below;
    }
    match missing.is_empty() {
        true => Ok(found),
        false => Err(unknown()),
    }
}

fn remembered(ends: &Mutex<Ends>, of: ConversationId, ids: &[String]) -> Vec<i64> {
    let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
    let known = ends
        .0
        .iter()
        .filter(|(it, id, _)| *it == of && ids.contains(id));
    known.map(|&(_, _, number)| number).collect()
}

fn remember(ends: &Mutex<Ends>, of: ConversationId, page: &Page) {
    let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
    for row in page.rows.first().into_iter().chain(page.rows.last()) {
        if ends.0.len() >= REMEMBERED {
            ends.0.pop_front();
        }
        ends.0.push_back((of, row.id.clone(), row.number));
    }
}

/// Cuts a page to its bytes, at the far end of the paging; one row is always told.
fn fit(page: &mut Page, backwards: bool) {
    let whole = page.rows.len();
    let mut bytes = 0;
    let mut fits = |row: &Row| {
        let first = bytes == 0;
        bytes += row.stanza.len();
        first || bytes <= BYTES
    };
    if backwards {
        let kept = page.rows.iter().rev().take_while(|row| fits(row)).count();
        page.rows.drain(..whole - kept);
        page.index = page.index.map(|index| index + whole - kept);
    } else {
        let kept = page.rows.iter().take_while(|row| fits(row)).count();
        page.rows.truncate(kept);
    }
    page.complete &= page.rows.len() == whole;
}

struct Reader<'a> {
    store: &'a dyn Store,
    id: ConversationId,
    with: &'a With,
}

impl Reader<'_> {
    /// A page of `rest`, which is what is left of `all` behind the start of the page.
    async fn page(&self, query: &Query, all: Stretch, rest: Stretch) -> Result<Page, Answer> {
        let backwards = backwards(query);
        let most = query.max + 1;
        let mut rows: Vec<Row> = Vec::new();
        let mut rest = rest;
        while rest.after < rest.before {
            let step = if *self.with == With::All { most } else { READ };
            let read = self.store.stretch(self.id, rest, backwards, step).await;
            let mut read = read.map_err(|fault| store_fault(&fault))?;
            let last = read.len() < step;
            let (low, high) = (read.first(), read.last());
            let (Some(low), Some(high)) = (low.map(|it| it.number), high.map(|it| it.number))
            else {
                break;
            };
            match backwards {
                true => rest.before = low,
                false => rest.after = high,
            }
            read.retain(|row| self.with.fits(row));
            match backwards {
                true => drop(rows.splice(0..0, read)),
                false => rows.extend(read),
            }
            if last || rows.len() >= most {
                break;
            }
        }
        let complete = rows.len() <= query.max;
        match backwards {
            true => drop(rows.drain(..rows.len().saturating_sub(query.max))),
            false => rows.truncate(query.max),
        }
        let (count, index) = self.place(&rows, all).await?;
        Ok(Page {
            rows,
            complete,
            index,
            count,
        })
    }

    /// How many rows fit, and how many of them are before the page; only where an index tells.
    async fn place(
        &self,
        rows: &[Row],
        all: Stretch,
    ) -> Result<(Option<usize>, Option<usize>), Answer> {
        if *self.with != With::All {
            return Ok((None, None));
        }
        let known = |count: usize| (count <= COUNTED).then_some(count);
        let count = self.store.count(self.id, all).await;
        let count = known(count.map_err(|fault| store_fault(&fault))?);
        let Some(first) = rows.first() else {
            return Ok((count, None));
        };
        let before = Stretch {
            before: first.number,
            ..all
        };
        let index = self.store.count(self.id, before).await;
        Ok((count, known(index.map_err(|fault| store_fault(&fault))?)))
    }

    /// A page of the rows with these numbers.
    async fn pick(
        &self,
        query: &Query,
        mut numbers: Vec<i64>,
        all: Stretch,
        rest: Stretch,
    ) -> Result<Page, Answer> {
        numbers.sort_unstable();
        numbers.dedup();
        let mut fitting = Vec::with_capacity(numbers.len());
        for number in numbers
            .into_iter()
            .filter(|&n| n > all.after && n < all.before)
        {
            let one = Stretch {
                after: number - 1,
                before: number + 1,
                ..all
            };
            let row = self.store.stretch(self.id, one, false, 1).await;
            let row = row.map_err(|fault| store_fault(&fault))?;
            fitting.extend(row.into_iter().filter(|row| self.with.fits(row)));
        }
        let count = fitting.len();
        let mut start = fitting
            .iter()
            .filter(|row| row.number <= rest.after)
            .count();
        let end = fitting
            .iter()
            .filter(|row| row.number < rest.before)
            .count();
        let more = end.saturating_sub(start) > query.max;
        let end = match (backwards(query), more) {
            (true, true) => {
                start = end - query.max;
                end
            }
            (false, true) => start + query.max,
            (_, false) => end.max(start),
        };
        let rows: Vec<Row> = fitting.drain(start..end).collect();
        Ok(Page {
            index: (!rows.is_empty()).then_some(start),
            rows,
            complete: !more,
            count: Some(count),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;
    use crate::store::archives::{Archives, Filed};
    use crate::xmpp::ns;

    const JULIET: &str = "juliet@example.org";
    const GATEWAY: &str = "irc.example.org";
    const ROOM: &str = "#garden%net@irc.example.org";

    /// An archive of so many rows of that size, every thousandth of them bob's.
    struct Garden {
        store: SqliteStore,
        kept: Kept,
        ends: Mutex<Ends>,
        _dir: tempfile::TempDir,
    }

    impl Garden {
        async fn of(rows: i64, size: usize) -> Self {
            let dir = tempfile::tempdir().expect("a scratch directory");
            let store = SqliteStore::open(&dir.path().join("isthmus.db")).expect("a store");
            for number in 1..=rows {
                let nick = if number % 1000 == 0 { "bob" } else { "alice" };
                store.file(Filed {
                    user: JULIET.to_owned(),
                    gateway: GATEWAY.to_owned(),
                    peer: ROOM.to_owned(),
                    row: Row {
                        number,
                        id: format!("id-{number}"),
                        at: number * 1000,
                        nick: nick.to_owned(),
                        stanza: vec![b' '; size],
                        key: None,
                    },
                });
            }
            let kept = store.archives(JULIET, GATEWAY, Some(ROOM)).await;
            Self {
                kept: kept.expect("an answer").remove(0),
                store,
                ends: Mutex::default(),
                _dir: dir,
            }
        }

        async fn read(&self, with: &With, set: &str) -> Result<Page, Answer> {
            let (mam, rsm) = (ns::MAM, ns::RSM);
            let text = format!("<query xmlns='{mam}'><set xmlns='{rsm}'>{set}</set></query>");
            let query = Element::parse(text.as_bytes()).expect("well-formed");
            let query = Query::of(&query).expect("a query");
            let kept = Some(self.kept.clone());
            read(&self.store, kept, &query, with, &self.ends).await
        }
    }

    fn numbers(page: Result<Page, Answer>) -> (Vec<i64>, bool) {
        let page = page.expect("a page");
        let numbers = page.rows.iter().map(|row| row.number).collect();
        (numbers, page.complete)
    }

    #[tokio::test]
    async fn old_ids_are_found_however_much_was_said_since() {
        let garden = Garden::of(9000, 10).await;
        let all = With::All;
        let old = garden.read(&all, "<max>2</max><after>id-3</after>").await;
        assert_eq!(numbers(old), (vec![4, 5], false));
        // From where that page ended; and from an end whose row is gone since.
        let next = garden.read(&all, "<max>1</max><after>id-5</after>").await;
        assert_eq!(numbers(next), (vec![6], false));
        assert_eq!(garden.store.erase(garden.kept.id, 6).await, Ok(6));
        let gone = garden.read(&all, "<max>1</max><after>id-6</after>").await;
        assert!(matches!(
            gone,
            Err(Answer::Error(Condition::ItemNotFound, _))
        ));
    }

    #[tokio::test]
    async fn who_seldom_speaks_is_found_from_both_ends() {
        let garden = Garden::of(4500, 10).await;
        let bob = With::Nick("bob".to_owned());
        let first = garden.read(&bob, "<max>3</max>").await;
        assert_eq!(numbers(first), (vec![1000, 2000, 3000], false));
        let rest = garden
            .read(&bob, "<max>3</max><after>id-3000</after>")
            .await;
        assert_eq!(numbers(rest), (vec![4000], true));
        let last = garden.read(&bob, "<max>3</max><before/>").await;
        assert_eq!(numbers(last), (vec![2000, 3000, 4000], false));
    }

    #[tokio::test]
    async fn a_page_has_no_more_bytes_than_a_page_may_and_at_least_one_message() {
        let garden = Garden::of(40, 60_000).await;
        let first = garden.read(&With::All, "").await.expect("a page");
        let some = first.rows.len();
        assert!((10..20).contains(&some) && !first.complete, "{some} rows");
        assert_eq!(first.index, Some(0));
        let last = garden.read(&With::All, "<before/>").await.expect("a page");
        assert_eq!(last.rows.len(), some);
        assert_eq!(last.index, Some(40 - some));
        assert_eq!(last.rows.last().map(|row| row.number), Some(40));
    }

    #[test]
    fn with_is_an_occupant_of_a_room_and_either_side_of_a_contact() {
        let juliet = BareJid::parse(JULIET).expect("a JID");
        let with = |jid: &str, room| {
            let jid = Jid::parse(jid).expect("a JID");
            With::of(Some(&jid), ROOM, &juliet, room)
        };
        assert_eq!(with(ROOM, true), With::All);
        assert_eq!(with(&format!("{ROOM}/Bob"), true), With::Nick("Bob".into()));
        assert_eq!(with(JULIET, true), With::Nobody);
        assert_eq!(with(JULIET, false), With::All);
        let phone = "juliet@example.org/phone";
        assert_eq!(with(phone, false), With::Full(phone.into()));
        assert_eq!(with("romeo@example.org", false), With::Nobody);
    }
}
