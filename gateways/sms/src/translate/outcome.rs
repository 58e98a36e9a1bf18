//! One outcome out of those of all parts.
//!
//! ```text
//! sending --all parts taken--> accepted --all delivered--> delivered
//!    |                            |
//!    +---- a part refused --------+---- a part failed ----> failed
//! ```
//!
//! Receipts may come in any order, twice, and before the carrier's answer to the part itself.

use isthmus_gateway::{Fault, State};
use serde::{Deserialize, Serialize};

use super::receipt::{Fate, Receipt};

/// What is known of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Not with the carrier.
    #[default]
    Waiting,
    /// With the carrier, under this id.
    Accepted(String),
    /// On the handset.
    Delivered(String),
    /// The carrier does not know any more.
    Unknown(String),
    /// Lost for good.
    Failed(String),
}

impl Part {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Waiting => None,
            Self::Accepted(id) | Self::Delivered(id) | Self::Unknown(id) | Self::Failed(id) => {
                Some(id)
            }
        }
    }
}

/// One recipient's copy. What is serialised of it survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    parts: Vec<Part>,
    /// All parts are with the carrier.
    sent: bool,
    /// Its outcome is known and will not change.
    done: bool,
    /// What a receipt said while parts were still being sent.
    #[serde(skip)]
    failed: Option<Fault>,
}

impl Copy {
    /// A copy of so many parts, at least one.
    pub fn new(parts: usize) -> Self {
        Self {
            parts: vec![Part::Waiting; parts.max(1)],
            sent: false,
            done: false,
            failed: None,
        }
    }

    /// A copy that went out in an earlier run: all parts are with the carrier, and what became of
    /// them is told anew.
    pub fn recalled(parts: usize) -> Self {
        Self {
            parts: vec![Part::Accepted(String::new()); parts.max(1)],
            sent: true,
            done: false,
            failed: None,
        }
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Never: there is at least one part.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All parts are with the carrier.
    pub fn is_sent(&self) -> bool {
        self.sent
    }

    /// Its outcome is known and will not change.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The first part that is not with the carrier.
    pub fn next(&self) -> Option<usize> {
        self.parts.iter().position(|part| *part == Part::Waiting)
    }

    /// How many parts the carrier has taken.
    pub fn taken(&self) -> u16 {
        let taken = self.parts.iter().filter(|part| part.id().is_some());
        u16::try_from(taken.count()).unwrap_or(u16::MAX)
    }

    /// The carrier's ids, of the parts it has taken.
    pub fn ids(&self) -> Vec<String> {
        let ids = self.parts.iter().filter_map(Part::id);
        ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
    }

    /// The part with this id, where `form` makes ids comparable.
    pub fn find(&self, id: &str, form: impl Fn(&str) -> String) -> Option<usize> {
        let ids = self.parts.iter().map(Part::id);
        let fits = |known: Option<&str>| known.is_some_and(|known| form(known) == id);
        ids.into_iter().position(fits)
    }

    /// The carrier took a part.
    pub fn accepted(&mut self, part: usize, id: String) {
        if let Some(part @ Part::Waiting) = self.parts.get_mut(part) {
            *part = Part::Accepted(id);
        }
    }

    /// The carrier refused a part: the copy has failed.
    pub fn refused(&mut self, fault: Fault) -> State {
        self.done = true;
        State::Failed(Fault {
            parts_sent: self.taken(),
            ..fault
        })
    }

    /// Every part was taken. What is to be reported: one thing, also where receipts have come
    /// before. They have been answered, so nothing less than what they said may be on disk.
    pub fn sent(&mut self) -> State {
        self.sent = true;
        self.settle().unwrap_or(State::Accepted)
    }

    /// A receipt of a part; what is to be reported, if that changes anything.
    pub fn receipt(&mut self, part: usize, receipt: &Receipt) -> Option<State> {
        let known = self.parts.get_mut(part)?;
        let id = known.id()?.to_owned();
        let settled = matches!(known, Part::Delivered(_) | Part::Failed(_));
        if settled || self.done {
            return None;
        }
        match receipt.fate {
            Fate::Enroute => return None,
            Fate::Delivered => *known = Part::Delivered(id),
            Fate::Unknown => *known = Part::Unknown(id),
            Fate::Expired
            | Fate::Deleted
            | Fate::Undeliverable
            | Fate::Rejected
            | Fate::Skipped => {
                *known = Part::Failed(id);
                self.failed = receipt.fault();
            }
        }
        if self.sent { self.settle() } else { None }
    }

    fn settle(&mut self) -> Option<State> {
        if self.done {
            return None;
        }
        let count = |fits: fn(&Part) -> bool| self.parts.iter().filter(|p| fits(p)).count();
        let lost = count(|part| matches!(part, Part::Failed(_)));
        let unknown = count(|part| matches!(part, Part::Unknown(_)));
        let open = count(|part| matches!(part, Part::Accepted(_) | Part::Waiting));
        if lost > 0 {
            self.done = true;
            let fault = self.failed.take();
            let mut fault = fault.unwrap_or_else(|| {
                let kind = isthmus_gateway::FaultKind::Other;
                Fault::new(
                    kind,
                    (
                        "a part of the message was not delivered",
                        "消息的一部分未送达",
                    ),
                )
            });
            fault.parts_sent = u16::try_from(self.parts.len() - lost).unwrap_or(u16::MAX);
            Some(State::Failed(fault))
        } else if open > 0 {
            None
        } else if unknown > 0 {
            Some(State::Unknown)
        } else {
            self.done = true;
            Some(State::Delivered)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn receipt(fate: Fate) -> Receipt {
        Receipt {
            ids: Vec::new(),
            fate,
            error: None,
        }
    }

    fn accepted(parts: usize) -> Copy {
        let mut copy = Copy::new(parts);
        for part in 0..parts {
            copy.accepted(part, format!("id{part}"));
        }
        copy
    }

    #[test]
    fn it_is_delivered_once_when_all_parts_are() {
        let mut copy = accepted(3);
        assert_eq!(copy.sent(), State::Accepted);
        assert_eq!(copy.receipt(2, &receipt(Fate::Delivered)), None);
        assert_eq!(copy.receipt(2, &receipt(Fate::Delivered)), None);
        assert_eq!(copy.receipt(0, &receipt(Fate::Enroute)), None);
        assert_eq!(copy.receipt(0, &receipt(Fate::Delivered)), None);
        let last = copy.receipt(1, &receipt(Fate::Delivered));
        assert_eq!(last, Some(State::Delivered));
        assert_eq!(copy.receipt(1, &receipt(Fate::Delivered)), None);
        assert_eq!(copy.receipt(1, &receipt(Fate::Expired)), None);
    }

    #[test]
    fn one_lost_part_fails_it_and_says_how_many_went_out() {
        let mut copy = accepted(3);
        copy.sent();
        let Some(State::Failed(fault)) = copy.receipt(1, &receipt(Fate::Expired)) else {
            panic!("it failed");
        };
        assert_eq!(fault.parts_sent, 2);
        assert_eq!(copy.receipt(0, &receipt(Fate::Delivered)), None);
    }

    #[test]
    fn a_part_that_is_refused_counts_those_before_it() {
        let mut copy = Copy::new(3);
        copy.accepted(0, "a".into());
        assert_eq!(copy.next(), Some(1));
        let kind = isthmus_gateway::FaultKind::NoSuchTarget;
        let State::Failed(fault) = copy.refused(Fault::new(kind, "no")) else {
            panic!("it failed");
        };
        assert_eq!(fault.parts_sent, 1);
    }

    #[test]
    fn receipts_while_parts_are_sent_wait_for_the_last_part() {
        let mut copy = Copy::new(2);
        copy.accepted(0, "a".into());
        assert_eq!(copy.receipt(0, &receipt(Fate::Delivered)), None);
        copy.accepted(1, "b".into());
        assert_eq!(copy.receipt(1, &receipt(Fate::Delivered)), None);
        assert_eq!(copy.sent(), State::Delivered);
    }

    #[test]
    fn an_unknown_outcome_may_still_become_a_known_one() {
        let mut copy = accepted(1);
        copy.sent();
        let unknown = copy.receipt(0, &receipt(Fate::Unknown));
        assert_eq!(unknown, Some(State::Unknown));
        let delivered = copy.receipt(0, &receipt(Fate::Delivered));
        assert_eq!(delivered, Some(State::Delivered));
    }

    proptest! {
        #[test]
        fn there_is_one_last_word_whatever_comes(
            receipts in prop::collection::vec((0usize..4, 0u8..4), 0..40)
        ) {
            let mut copy = accepted(4);
            copy.sent();
            let mut last = 0;
            for (part, fate) in receipts {
                let fate = [Fate::Enroute, Fate::Delivered, Fate::Unknown, Fate::Rejected]
                    [usize::from(fate)];
                match copy.receipt(part, &receipt(fate)) {
                    Some(State::Delivered | State::Failed(_)) => last += 1,
                    Some(_) => prop_assert_eq!(last, 0),
                    None => {}
                }
            }
            prop_assert!(last <= 1);
        }
    }
}
