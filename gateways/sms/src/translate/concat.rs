//! Messages in several parts from a carrier, put together (3GPP TS 23.040 §9.2.3.24, SMPP 3.4
//! §5.3.2.22).
//!
//! Parts come in any order, more than once, over any bind of an account, and sometimes not at
//! all. What is not complete in time is given up with a mark where parts are missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::smpp::{Sm, tag};
use super::text::{self, Alphabet};

/// Where a part belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The same in all parts of one message.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// Which one, from 1.
    pub number: u8,
}

/// The text of one short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its place, where it is not alone.
    pub part: Option<Part>,
    /// The text without its header.
    pub bytes: Vec<u8>,
    /// How it is encoded.
    pub data_coding: u8,
}

/// Takes a short message apart. A header that makes no sense is text.
pub fn piece(sm: &Sm) -> Piece {
    let payload = sm.payload();
    let mut part = sar(sm);
    let mut bytes = payload;
    // §5.2.12: the user data header indicator.
    if sm.esm_class & 0x40 != 0
        && let Some((&length, rest)) = payload.split_first()
        && let Some((header, text)) = rest.split_at_checked(usize::from(length))
    {
        part = elements(header).or(part);
        bytes = text;
    }
    let makes_sense = |part: &Part| part.total > 1 && (1..=part.total).contains(&part.number);
    Piece {
        part: part.filter(makes_sense),
        bytes: bytes.to_vec(),
        data_coding: sm.data_coding,
    }
}

/// The concatenation element among those of a header.
fn elements(mut header: &[u8]) -> Option<Part> {
    while let [id, length, rest @ ..] = header {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        match (*id, value) {
            (0x00, &[reference, total, number]) => {
                return Some(Part {
                    reference: reference.into(),
                    total,
                    number,
                });
            }
            (0x08, &[high, low, total, number]) => {
                return Some(Part {
                    reference: u16::from_be_bytes([high, low]),
                    total,
                    number,
                });
            }
            _ => header = next,
        }
    }
    None
}

fn sar(sm: &Sm) -> Option<Part> {
    let last = |tag: u16| sm.tlv(tag).and_then(|value| value.last().copied());
    let reference = match sm.tlv(tag::SAR_MSG_REF_NUM)? {
        &[high, low, ..] => u16::from_be_bytes([high, low]),
        &[low] => low.into(),
        [] => return None,
    };
    Some(Part {
        reference,
        total: last(tag::SAR_TOTAL_SEGMENTS)?,
        number: last(tag::SAR_SEGMENT_SEQNUM)?,
    })
}

/// Parts by their numbers: octets and data coding.
pub type Parts = BTreeMap<u8, (Vec<u8>, u8)>;

/// What the parts of one message have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The type of number of who sent it.
    pub ton: u8,
    /// Who sent it.
    pub source: String,
    /// To whom.
    pub destination: String,
    /// Its reference.
    pub reference: u16,
    /// How many parts there are; 0: it is no message in parts.
    pub total: u8,
}

/// A message of which something is missing.
#[derive(Debug)]
struct Partial<T> {
    parts: Parts,
    due: Instant,
    /// What waits for its outcome.
    tokens: Vec<T>,
}

/// A message with all its parts, or with those that came in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole<T> {
    /// Which.
    pub key: Key,
    /// The parts it is made of; none if it is no message in parts.
    pub parts: Parts,
    /// The text, with marks for what is missing.
    pub text: String,
    /// What waits for its outcome.
    pub tokens: Vec<T>,
}

/// Collects parts; `T` comes with each and is given back with the whole.
#[derive(Debug)]
pub struct Joiner<T> {
    alphabet: Alphabet,
    timeout: Duration,
    partial: BTreeMap<Key, Partial<T>>,
}

/// Incomplete messages of one carrier that are kept, at most.
pub const MOST: usize = 1000;

impl<T> Joiner<T> {
    /// Gives up what is not complete after `timeout`.
    pub fn new(alphabet: Alphabet, timeout: Duration) -> Self {
        Self {
            alphabet,
            timeout,
            partial: BTreeMap::new(),
        }
    }

    /// Adds a part. Returns the message it completes; or, where there are too many incomplete
    /// ones, the one that has waited longest.
    pub fn add(
        &mut self,
        (ton, source): (u8, &str),
        destination: &str,
        piece: Piece,
        part: Part,
        token: T,
        now: Instant,
    ) -> Option<Whole<T>> {
        let key = Key {
            ton,
            source: source.to_owned(),
            destination: destination.to_owned(),
            reference: part.reference,
            total: part.total,
        };
        let due = now + self.timeout;
        let partial = self.partial.entry(key.clone()).or_insert_with(|| Partial {
            parts: BTreeMap::new(),
            due,
            tokens: Vec::new(),
        });
        partial
            .parts
            .entry(part.number)
            .or_insert((piece.bytes, piece.data_coding));
        partial.tokens.push(token);
        if partial.parts.len() == usize::from(part.total) {
            return self.take(&key);
        }
        if self.partial.len() > MOST {
            let oldest = self.partial.iter().min_by_key(|(_, partial)| partial.due);
            let oldest = oldest.map(|(key, _)| key.clone());
            return oldest.and_then(|key| self.take(&key));
        }
        None
    }

    /// Gives up the next message whose time is over.
    pub fn expired(&mut self, now: Instant) -> Option<Whole<T>> {
        let due = self.partial.iter().find(|(_, partial)| partial.due <= now);
        let key = due.map(|(key, _)| key.clone())?;
        self.take(&key)
    }

    /// Puts parts back that were there before; they are given up when `due`.
    pub fn restore(&mut self, key: Key, parts: Parts, due: Instant) {
        let partial = self.partial.entry(key).or_insert_with(|| Partial {
            parts: BTreeMap::new(),
            due,
            tokens: Vec::new(),
        });
        for (number, part) in parts {
            partial.parts.entry(number).or_insert(part);
        }
    }

    /// The incomplete messages, and what waits with each.
    pub fn waiting(&mut self) -> impl Iterator<Item = (&Key, &Parts, &mut Vec<T>)> {
        let partial = self.partial.iter_mut();
        partial.map(|(key, partial)| (key, &partial.parts, &mut partial.tokens))
    }

    /// Leaves of a message only these parts, and of what waits nothing.
    pub fn reduce(&mut self, key: &Key, parts: Parts) {
        if parts.is_empty() {
            self.partial.remove(key);
        } else if let Some(partial) = self.partial.get_mut(key) {
            partial.parts = parts;
            partial.tokens.clear();
        }
    }

    /// When the next message is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.partial.values().map(|partial| partial.due).min()
    }

    fn take(&mut self, key: &Key) -> Option<Whole<T>> {
        let partial = self.partial.remove(key)?;
        Some(Whole {
            text: self.join(&partial.parts, key.total),
            key: key.clone(),
            parts: partial.parts,
            tokens: partial.tokens,
        })
    }

    /// Neighbours of one encoding are joined before they are read: others cut characters in two.
    fn join(&self, parts: &Parts, total: u8) -> String {
        let mut text = String::new();
        let mut run: Vec<u8> = Vec::new();
        let mut coding = None;
        for number in 1..=total {
            let part = parts.get(&number);
            let next = part.map(|(_, coding)| *coding);
            if next != coding {
                if let Some(coding) = coding {
                    text += &text::decode(&run, coding, self.alphabet);
                    run.clear();
                }
                coding = next;
            }
            match part {
                Some((bytes, _)) => run.extend(bytes),
                None => text += &format!("[{number}/{total} missing]"),
            }
        }
        if let Some(coding) = coding {
            text += &text::decode(&run, coding, self.alphabet);
        }
        text
    }
}

#[cfg(test)]
mod tests;
