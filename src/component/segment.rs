//! A run of finished stanzas, about 64 KiB: the unit that is written, kept until confirmed, put to
//! disk and read back. Pure.
//!
//! In memory the stanzas lie back to back, ready for the socket, with an index beside them. On disk
//! a segment is one blob: for each stanza `[class u8][mark u64][len u32][bytes]`, little-endian.

use bytes::{Buf, Bytes};

use super::outbox::{Class, Mark};

/// One stanza inside a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mark: Mark,
    pub(super) len: u32,
    pub(super) class: Class,
}

/// The segment stanzas are being added to.
#[derive(Debug, Default)]
pub(super) struct Open {
    bytes: Vec<u8>,
    index: Vec<Entry>,
    /// Bytes that belong to indexed stanzas.
    whole: usize,
    /// Length of the segment before: a guess at this one's.
    last: usize,
}

impl Open {
    /// Adds the stanza that `write` appends.
    pub(super) fn add(&mut self, mark: Mark, class: Class, write: impl FnOnce(&mut Vec<u8>)) {
        // A `write` that panicked may have left half a stanza behind.
        self.bytes.truncate(self.whole);
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(self.last + self.last / 16);
        }
        write(&mut self.bytes);
        // A segment closes at 64 KiB and a stanza is capped far below 4 GiB. The length may be
        // zero (the stanza writer refused it): its mark has to be confirmed all the same.
        let len = (self.bytes.len() - self.whole) as u32;
        self.whole = self.bytes.len();
        self.index.push(Entry { mark, len, class });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes of stanzas.
    pub(super) fn len(&self) -> usize {
        self.whole
    }

    /// What the segment holds in memory.
    pub(super) fn weight(&self) -> usize {
        self.whole + self.index.len() * size_of::<Entry>()
    }

    /// Closes the segment under its place in the stream's order and leaves an empty one behind.
    pub(super) fn seal(&mut self, number: u64) -> Segment {
        self.bytes.truncate(self.whole);
        self.last = std::mem::take(&mut self.whole);
        Segment {
            number,
            bytes: std::mem::take(&mut self.bytes).into(),
            index: std::mem::take(&mut self.index),
        }
    }

    /// Drops all but messages: what is left when the stream is gone.
    pub(super) fn keep_messages(&mut self) {
        if self.index.iter().all(|entry| entry.class == Class::Message) {
            return;
        }
        let kept = self.seal(0).messages();
        self.bytes = kept.bytes.into();
        self.whole = self.bytes.len();
        self.index = kept.index;
    }
}

/// A closed segment. Cloning the bytes is a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Place in the order of all segments of the component, on disk or not; ascending.
    pub(super) number: u64,
    pub(super) bytes: Bytes,
    pub(super) index: Vec<Entry>,
}

impl Segment {
    /// The mark of the last stanza, or the zero mark for none.
    pub(super) fn last_mark(&self) -> Mark {
        self.index.last().map_or(Mark(0), |entry| entry.mark)
    }

    /// What the segment holds in memory.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + self.index.len() * size_of::<Entry>()
    }

    /// The same segment with its messages only, byte for byte.
    pub(super) fn messages(self) -> Self {
        if self.index.iter().all(|entry| entry.class == Class::Message) {
            return self;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut index = Vec::new();
        let mut at = 0;
        for entry in &self.index {
            let end = at + entry.len as usize;
            if entry.class == Class::Message {
                bytes.extend_from_slice(&self.bytes[at..end]);
                index.push(*entry);
            }
            at = end;
        }
        Self {
            number: self.number,
            bytes: bytes.into(),
            index,
        }
    }

    /// The blob for the disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(self.bytes.len() + self.index.len() * HEADER);
        let mut at = 0;
        for entry in &self.index {
            let end = at + entry.len as usize;
            blob.push(entry.class.to_byte());
            blob.extend_from_slice(&entry.mark.0.to_le_bytes());
            blob.extend_from_slice(&entry.len.to_le_bytes());
            blob.extend_from_slice(&self.bytes[at..end]);
            at = end;
        }
        blob
    }

    /// Reads a blob back; `None` when it is not one of ours, whole.
    pub(super) fn decode(number: u64, mut blob: &[u8]) -> Option<Self> {
        let mut bytes = Vec::with_capacity(blob.len());
        let mut index = Vec::new();
        while blob.has_remaining() {
            if blob.len() < HEADER {
                return None;
            }
            let class = Class::from_byte(blob.get_u8())?;
            let mark = Mark(blob.get_u64_le());
            let len = blob.get_u32_le();
            bytes.extend_from_slice(blob.get(..len as usize)?);
            blob.advance(len as usize);
            index.push(Entry { mark, len, class });
        }
        Some(Self {
            number,
            bytes: bytes.into(),
            index,
        })
    }
}

const HEADER: usize = 1 + 8 + 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(stanzas: &[(Class, &str)]) -> Segment {
        let mut open = Open::default();
        for (mark, (class, text)) in (1..).zip(stanzas) {
            open.add(Mark(mark), *class, |bytes| {
                bytes.extend_from_slice(text.as_bytes())
            });
        }
        open.seal(7)
    }

    #[test]
    fn a_blob_reads_back_as_the_segment_it_was() {
        let whole = segment(&[
            (Class::Message, "<message/>"),
            (Class::Presence, "<presence/>"),
        ]);
        assert_eq!(Segment::decode(7, &whole.encode()), Some(whole));
    }

    #[test]
    fn a_cut_or_foreign_blob_is_refused_and_does_not_panic() {
        let blob = segment(&[(Class::Message, "<message/>")]).encode();
        for end in 1..blob.len() {
            assert_eq!(Segment::decode(7, &blob[..end]), None, "cut at {end}");
        }
        assert_eq!(Segment::decode(7, &[9; 40]), None);
    }

    #[test]
    fn only_messages_outlive_the_stream() {
        let mixed = [
            (Class::Presence, "<p/>"),
            (Class::Message, "<m/>"),
            (Class::IqRequest, "<i/>"),
        ];
        let kept = segment(&mixed).messages();
        assert_eq!(&kept.bytes[..], b"<m/>");
        assert_eq!(kept.last_mark(), Mark(2));
    }
}
