//! Where every stanza towards the server is: the pure bookkeeping under the outbox.
//!
//! ```text
//!   sent  ----------->  queue  ----------->  disk  ----------->  open
//!   written, not        closed, in           closed, in the      being
//!   confirmed           memory               spool               filled
//!   oldest                                                       newest
//! ```
//!
//! That is one order, and each segment's number says its place in it. `open` closes into `queue`
//! while memory suffices, into `disk` once `queue` is full or the stream is down, and back into
//! memory only when the disk has been read to its end: nothing overtakes. At a cut `sent` goes back
//! in front of `queue` and everything but messages is dropped.
//!
//! No I/O, no clock, no lock.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    outbox::{Class, Limits, Mark},
    segment::{Open, Segment},
};

/// The state behind an outbox.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    up: bool,
    /// False until the spool has told what an earlier process left there. Nothing is closed before.
    surveyed: bool,
    next_mark: u64,
    next_number: u64,
    confirmed: Mark,
    sent: VecDeque<Segment>,
    sent_weight: usize,
    queue: VecDeque<Segment>,
    queue_weight: usize,
    /// Number and blob length of what the spool holds, read or not.
    disk: VecDeque<(u64, usize)>,
    disk_bytes: usize,
    /// Disk segments up to this number have been read.
    cursor: u64,
    /// Closed segments go to disk: the stream is down, or the disk has not been read to its end.
    spooling: bool,
    /// Segments up to this number were made by an earlier process: their marks mean nothing.
    foreign_until: u64,
    /// Segments up to this number were made before the last cut: only their messages count.
    stale_until: u64,
    open: Open,
}

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Write this segment.
    Write(Chunk),
    /// Read the spool's next segment after `after`; `upto` is the last known to be there.
    Load { after: u64, upto: u64 },
    /// Too much is unconfirmed: wait for an answer.
    Full,
    /// Nothing to write.
    Idle,
}

/// A segment for the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) number: u64,
    pub(super) bytes: Bytes,
    pub(super) stanzas: usize,
}

impl Ledger {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            up: false,
            surveyed: false,
            next_mark: 1,
            next_number: 1,
            confirmed: Mark(0),
            sent: VecDeque::new(),
            sent_weight: 0,
            queue: VecDeque::new(),
            queue_weight: 0,
            disk: VecDeque::new(),
            disk_bytes: 0,
            cursor: 0,
            spooling: true,
            foreign_until: 0,
            stale_until: 0,
            open: Open::default(),
        }
    }

    /// Takes note of what an earlier process left in the spool, in ascending order.
    pub(super) fn survey(&mut self, found: impl IntoIterator<Item = (u64, usize)>) {
        self.disk.extend(found);
        self.disk_bytes = self.disk.iter().map(|(_, len)| len).sum();
        let last = self.disk.back().map_or(0, |(number, _)| *number);
        self.next_number = last + 1;
        self.foreign_until = last;
        self.stale_until = last;
        self.surveyed = true;
    }

    pub(super) fn is_surveyed(&self) -> bool {
        self.surveyed
    }

    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    pub(super) fn confirmed(&self) -> Mark {
        self.confirmed
    }

    pub(super) fn disk_bytes(&self) -> usize {
        self.disk_bytes
    }

    /// Bytes held in memory, the index included.
    pub(super) fn weight(&self) -> usize {
        self.sent_weight + self.queue_weight + self.open.weight()
    }

    /// True when the open segment is empty: the next stanza has to wake the writer.
    pub(super) fn is_open_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// True when everything has been written and confirmed.
    pub(super) fn is_settled(&self) -> bool {
        let unread = self
            .disk
            .back()
            .is_some_and(|(number, _)| *number > self.cursor);
        self.sent.is_empty() && self.queue.is_empty() && !unread && self.is_open_empty()
    }

    /// The mark of the last stanza added.
    pub(super) fn last_mark(&self) -> Mark {
        Mark(self.next_mark - 1)
    }

    /// Adds one stanza, which `write` appends to the buffer. While the stream is down only messages
    /// are kept; the rest gets a mark and nothing else, and `write` is not called.
    pub(super) fn add(&mut self, class: Class, write: impl FnOnce(&mut Vec<u8>)) -> Mark {
        let mark = Mark(self.next_mark);
        self.next_mark += 1;
        if self.up || class == Class::Message {
            self.open.add(mark, class, write);
        }
        mark
    }

    /// Closes the open segment if it is full. Returns what has to be put to the spool.
    pub(super) fn overflow(&mut self) -> Option<Segment> {
        if !self.surveyed || self.open.len() < self.limits.segment_bytes {
            return None;
        }
        let segment = self.close();
        if self.spooling {
            return Some(segment);
        }
        self.queue_weight += segment.weight();
        self.queue.push_back(segment);
        self.spooling = self.queue_weight >= self.limits.unsent_bytes;
        None
    }

    /// Notes that a segment went to the spool as a blob of `len` bytes.
    pub(super) fn spooled(&mut self, number: u64, len: usize) {
        self.disk.push_back((number, len));
        self.disk_bytes += len;
    }

    /// A stream is up: messages left over go first, whatever is added from now on goes behind.
    pub(super) fn up(&mut self) {
        self.up = true;
    }

    /// The stream broke: what was not confirmed is to be sent again, messages only.
    pub(super) fn cut(&mut self) {
        self.up = false;
        self.spooling = true;
        self.stale_until = self.next_number - 1;
        let sent = std::mem::take(&mut self.sent);
        let queue = std::mem::take(&mut self.queue);
        for segment in sent.into_iter().chain(queue).map(Segment::messages) {
            // An emptied segment still has to be confirmed if it lies on the disk as well.
            if !segment.index.is_empty() || self.is_on_disk(segment.number) {
                self.queue.push_back(segment);
            }
        }
        self.sent_weight = 0;
        self.queue_weight = self.queue.iter().map(Segment::weight).sum();
        self.open.keep_messages();
    }

    /// The next thing to write; it counts as sent from here on.
    pub(super) fn take(&mut self) -> Next {
        if !self.up {
            return Next::Idle;
        }
        if self.sent_weight >= self.limits.unconfirmed_bytes {
            return Next::Full;
        }
        if let Some(segment) = self.queue.pop_front() {
            self.queue_weight -= segment.weight();
            return Next::Write(self.send(segment));
        }
        if self.spooling {
            match self.disk.back() {
                Some((last, _)) if *last > self.cursor => {
                    return Next::Load {
                        after: self.cursor,
                        upto: *last,
                    };
                }
                _ => self.spooling = false,
            }
        }
        if self.is_open_empty() {
            return Next::Idle;
        }
        let segment = self.close();
        Next::Write(self.send(segment))
    }

    /// What the spool answered to [`Next::Load`]. Returns the segment to write; `None` when there
    /// was none, or none that could be read (told by the flag).
    pub(super) fn loaded(
        &mut self,
        (after, upto): (u64, u64),
        found: Option<(u64, &[u8])>,
    ) -> Result<Option<Chunk>, Unreadable> {
        let Some((number, blob)) = found else {
            self.forget_disk(|number| number > after && number <= upto);
            self.cursor = self.cursor.max(upto);
            return Ok(None);
        };
        self.forget_disk(|other| other > after && other < number);
        self.cursor = number;
        let Some(mut segment) = Segment::decode(number, blob) else {
            // Empty, but sent: it leaves the disk with the next confirmation.
            let segment = Segment {
                number,
                bytes: Bytes::new(),
                index: Vec::new(),
            };
            self.send(segment);
            return Err(Unreadable(number));
        };
        if number <= self.stale_until {
            segment = segment.messages();
        }
        if number <= self.foreign_until {
            segment
                .index
                .iter_mut()
                .for_each(|entry| entry.mark = Mark(0));
        }
        Ok(Some(self.send(segment)))
    }

    /// Everything up to segment `number` has been read by the server. Returns up to where the spool
    /// can forget.
    pub(super) fn confirm(&mut self, number: u64) -> Option<u64> {
        while self
            .sent
            .front()
            .is_some_and(|segment| segment.number <= number)
        {
            if let Some(segment) = self.sent.pop_front() {
                self.sent_weight -= segment.weight();
                self.confirmed = self.confirmed.max(segment.last_mark());
            }
        }
        let upto = number.min(self.cursor);
        let mut last = None;
        while let Some((on_disk, len)) = self.disk.front().copied() {
            if on_disk > upto {
                break;
            }
            self.disk.pop_front();
            self.disk_bytes -= len;
            last = Some(on_disk);
        }
        last
    }

    /// Ends the ledger's life: what memory alone holds, in order, for the spool.
    pub(super) fn spill(&mut self) -> Vec<Segment> {
        self.cut();
        if !self.surveyed {
            return Vec::new();
        }
        if !self.is_open_empty() {
            let segment = self.close();
            self.queue.push_back(segment);
        }
        let queue = std::mem::take(&mut self.queue);
        self.queue_weight = 0;
        queue
            .into_iter()
            .filter(|segment| !self.is_on_disk(segment.number))
            .collect()
    }

    fn close(&mut self) -> Segment {
        let number = self.next_number;
        self.next_number += 1;
        self.open.seal(number)
    }

    fn send(&mut self, segment: Segment) -> Chunk {
        let bytes = segment.bytes.clone();
        let chunk = Chunk {
            number: segment.number,
            bytes,
            stanzas: segment.index.len(),
        };
        self.sent_weight += segment.weight();
        self.sent.push_back(segment);
        chunk
    }

    fn is_on_disk(&self, number: u64) -> bool {
        self.disk
            .binary_search_by_key(&number, |(on_disk, _)| *on_disk)
            .is_ok()
    }

    fn forget_disk(&mut self, gone: impl Fn(u64) -> bool) {
        self.disk.retain(|(number, _)| !gone(*number));
        self.disk_bytes = self.disk.iter().map(|(_, len)| len).sum();
    }
}

/// A blob of the spool that is not a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn up(found: &[(u64, usize)]) -> Ledger {
        let limits = Limits {
            segment_bytes: 1,
            ..Limits::default()
        };
        let mut ledger = Ledger::new(limits);
        ledger.survey(found.iter().copied());
        ledger.up();
        ledger
    }

    fn blob(class: Class, text: &str) -> Vec<u8> {
        let mut open = Open::default();
        open.add(Mark(99), class, |bytes| {
            bytes.extend_from_slice(text.as_bytes())
        });
        open.seal(0).encode()
    }

    fn message(ledger: &mut Ledger, text: &str) -> Option<Segment> {
        ledger.add(Class::Message, |bytes| {
            bytes.extend_from_slice(text.as_bytes())
        });
        ledger.overflow()
    }

    #[test]
    fn what_an_earlier_process_left_goes_first_and_confirms_no_mark_of_ours() {
        let mut ledger = up(&[(3, 30), (8, 30)]);
        let put = message(&mut ledger, "new").expect("goes behind what is on disk");
        assert_eq!(put.number, 9);
        ledger.spooled(9, 30);
        assert_eq!(ledger.take(), Next::Load { after: 0, upto: 9 });
        let old = blob(Class::Message, "old");
        let chunk = ledger.loaded((0, 9), Some((3, &old))).unwrap().unwrap();
        assert_eq!(&chunk.bytes[..], b"old");
        assert_eq!(ledger.confirm(3), Some(3));
        assert_eq!(ledger.confirmed(), Mark(0));
        assert_eq!(ledger.take(), Next::Load { after: 3, upto: 9 });
    }

    #[test]
    fn presence_of_an_earlier_process_is_not_sent_and_leaves_the_disk() {
        let mut ledger = up(&[(3, 30)]);
        let old = blob(Class::Presence, "old");
        assert!(matches!(ledger.take(), Next::Load { .. }));
        let chunk = ledger.loaded((0, 3), Some((3, &old))).unwrap().unwrap();
        assert!(chunk.bytes.is_empty());
        assert_eq!(ledger.confirm(3), Some(3));
        assert!(ledger.is_settled());
    }

    #[test]
    fn a_blob_that_is_damaged_or_gone_stops_nothing() {
        let mut ledger = up(&[(3, 30), (4, 30), (5, 30)]);
        assert_eq!(
            ledger.loaded((0, 5), Some((3, b"damaged"))),
            Err(Unreadable(3))
        );
        let good = blob(Class::Message, "good");
        assert!(ledger.loaded((3, 5), Some((5, &good))).unwrap().is_some());
        assert_eq!(ledger.take(), Next::Idle);
        assert_eq!(ledger.confirm(5), Some(5));
        assert_eq!(ledger.disk_bytes(), 0);

        let mut ledger = up(&[(3, 30)]);
        assert_eq!(ledger.loaded((0, 3), None), Ok(None));
        assert_eq!(ledger.take(), Next::Idle);
        assert!(ledger.is_settled());
    }

    #[test]
    fn a_stanza_that_came_out_empty_is_confirmed_with_the_rest() {
        let mut ledger = up(&[]);
        let mark = ledger.add(Class::Message, |_| {});
        assert!(matches!(ledger.take(), Next::Write(chunk) if chunk.bytes.is_empty()));
        ledger.confirm(1);
        assert_eq!(ledger.confirmed(), mark);
    }
}
