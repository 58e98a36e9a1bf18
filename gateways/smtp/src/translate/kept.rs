//! What is kept for a user and a peer between mails, so that an answer continues the thread.

use serde::{Deserialize, Serialize};

/// References that are kept (RFC 5322 §3.6.4 has no bound): the first and the newest.
const MOST_REFERENCES: usize = 20;
/// Longest Message-ID that is kept, in bytes; others cannot be answered to.
const LONGEST_ID: usize = 512;

/// The state of a conversation by mail. Message-IDs stand without angle brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The last mail of the thread.
    pub last: String,
    /// What that mail referred to, oldest first.
    pub references: Vec<String>,
    /// The thread's subject, without `Re:`.
    pub subject: String,
    /// The peer's address in his own spelling, where he has written.
    pub spelling: String,
}

impl Kept {
    /// Reads what was kept; what cannot be read counts as nothing.
    pub fn read(bytes: Option<&[u8]>) -> Self {
        let read = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());
        read.unwrap_or_default()
    }

    /// The bytes to keep.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// The references of a mail that answers the last one.
    pub fn chain(&self) -> Vec<String> {
        chain(&self.references, &self.last)
    }
}

/// The references of a mail that answers `parent`, which has these `references` itself.
pub fn chain(references: &[String], parent: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(references.len() + 1);
    for id in references.iter().map(String::as_str).chain([parent]) {
        if !id.is_empty() && id.len() <= LONGEST_ID && !all.iter().any(|known| known == id) {
            all.push(id.to_owned());
        }
    }
    if all.len() > MOST_REFERENCES {
        all.drain(1..=all.len() - MOST_REFERENCES);
    }
    all
}

/// A Message-ID from a header or a stanza as it may stand in a header of ours: without brackets,
/// spaces and controls. Empty where nothing is left.
pub fn tidy_id(id: &str) -> String {
    let good = |c: &char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    let tidy: String = id.chars().filter(good).collect();
    if tidy.len() > LONGEST_ID {
        String::new()
    } else {
        tidy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_newest_references_are_kept() {
        let many: Vec<String> = (0..30).map(|n| format!("{n}@a")).collect();
        let chain = chain(&many, "last@a");
        assert_eq!(chain.len(), 20);
        assert_eq!((chain[0].as_str(), chain[1].as_str()), ("0@a", "12@a"));
        assert_eq!(chain[19], "last@a");
    }

    #[test]
    fn what_was_kept_is_read_again_and_rubbish_is_nothing() {
        let kept = Kept {
            last: "b@a".into(),
            references: vec!["a@a".into()],
            subject: "lunch".into(),
            spelling: String::new(),
        };
        assert_eq!(Kept::read(kept.to_bytes().as_deref()), kept);
        assert_eq!(kept.chain(), ["a@a", "b@a"]);
        assert_eq!(Kept::read(Some(b"\xff{")), Kept::default());
        assert!(Kept::default().chain().is_empty());
    }

    #[test]
    fn an_id_can_carry_no_header() {
        assert_eq!(tidy_id("<a@b>\r\nBcc: c@d"), "a@bBcc:c@d");
        assert_eq!(tidy_id(&"x".repeat(600)), "");
    }
}
