//! What an import did, for the operator's eyes.

use std::collections::BTreeMap;
use std::fmt;

/// What was taken over, what was not and why, and what to set in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many of each kind were taken over, were here already, in the order of first mention.
    pub counts: Vec<(&'static str, Counts)>,
    /// What was not taken over, and how often.
    pub left: BTreeMap<String, u64>,
    /// Keys to set in the configuration, in its own notation.
    pub keys: Vec<String>,
    /// What else the operator should know.
    pub notes: Vec<String>,
}

/// Of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken over now.
    pub taken: u64,
    /// Here already, or set otherwise here: left as it is.
    pub here: u64,
}

impl Report {
    /// Counts something.
    pub fn count(&mut self, kind: &'static str, taken: u64, here: u64) {
        let at = self.counts.iter().position(|(known, _)| *known == kind);
        let at = at.unwrap_or_else(|| {
            self.counts.push((kind, Counts::default()));
            self.counts.len() - 1
        });
        let counts = &mut self.counts[at].1;
        counts.taken += taken;
        counts.here += here;
    }

    /// Of one kind, so far.
    pub fn counted(&self, kind: &str) -> Counts {
        let found = self.counts.iter().find(|(known, _)| *known == kind);
        found.map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// Something is not taken over.
    pub fn leave(&mut self, why: impl Into<String>, times: u64) {
        if times > 0 {
            *self.left.entry(why.into()).or_default() += times;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "taken over:")?;
        for (kind, counts) in &self.counts {
            write!(f, "  {kind}: {}", counts.taken)?;
            match counts.here {
                0 => writeln!(f)?,
                here => writeln!(f, " ({here} left as they are here)")?,
            }
        }
        if !self.left.is_empty() {
            writeln!(f, "not taken over:")?;
        }
        for (why, times) in &self.left {
            writeln!(f, "  {times} x {why}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if !self.keys.is_empty() {
            writeln!(f, "to set in the configuration:\n")?;
        }
        for key in &self.keys {
            writeln!(f, "{key}")?;
        }
        Ok(())
    }
}
