//! What has been told of occupants since the last confirmed mark.
//!
//! The component sends no presence a second time: after a broken stream the host derives anew,
//! from the state of the room, what may not have arrived. For that it keeps whom it told about and
//! behind which mark.

use std::sync::Arc;

use isthmus_kit::lean;

use crate::component::Mark;

/// Of more nicknames than this the whole room is shown again instead.
const MOST: usize = 10_000;

/// Nicknames and the last mark behind which something was told of them.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// A nickname may come more than once.
    names: Vec<(Arc<str>, Mark)>,
    newest: Option<Mark>,
    overflowed: bool,
}

/// What must be told anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Anew {
    /// Of these occupants, whether they are still here or not.
    Names(Vec<Arc<str>>),
    /// Of all.
    All,
}

impl Told {
    /// Something was told of `nick` and stands behind `mark`; `confirmed` is what has arrived.
    pub(crate) fn note(&mut self, nick: &Arc<str>, mark: Mark, confirmed: Mark) {
        if self.newest.is_some_and(|newest| newest <= confirmed) {
            // Everything noted has arrived: the usual case, and the table stays small.
            self.names = Vec::new();
            self.overflowed = false;
        }
        self.newest = Some(mark);
        if self.names.len() >= 2 * MOST {
            self.tidy(confirmed);
        }
        if !self.overflowed {
            lean::push(&mut self.names, (Arc::clone(nick), mark));
        }
    }

    /// Keeps one entry of each nickname: those who come, go and change all through a long outage
    /// are no more than there are. What has arrived is forgotten though there was never a lull.
    fn tidy(&mut self, confirmed: Mark) {
        self.names.retain(|&(_, mark)| mark > confirmed);
        self.names.sort_unstable();
        self.names.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 = later.1;
            }
            same
        });
        if self.names.len() > MOST {
            self.names = Vec::new();
            self.overflowed = true;
        }
    }

    /// What may not have arrived, given what has.
    pub(crate) fn after(&mut self, confirmed: Mark) -> Anew {
        let names = std::mem::take(&mut self.names);
        self.newest = None;
        if std::mem::take(&mut self.overflowed) {
            return Anew::All;
        }
        let mut lost: Vec<_> = names
            .into_iter()
            .filter(|&(_, mark)| mark > confirmed)
            .map(|(name, _)| name)
            .collect();
        lost.sort_unstable();
        lost.dedup();
        Anew::Names(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_confirmed_is_told_anew() {
        let mut told = Told::default();
        let (a, b): (Arc<str>, Arc<str>) = (Arc::from("a"), Arc::from("b"));
        told.note(&a, Mark(1), Mark(0));
        told.note(&b, Mark(2), Mark(0));
        assert_eq!(told.after(Mark(1)), Anew::Names(vec![b]));
        assert_eq!(told.after(Mark(0)), Anew::Names(vec![]), "asked once");
    }

    #[test]
    fn confirmed_names_are_forgotten_and_too_many_mean_all() {
        let mut told = Told::default();
        for n in 1..=5u64 {
            told.note(&Arc::from(format!("n{n}")), Mark(n), Mark(n - 1));
        }
        assert_eq!(told.names.len(), 1);
        for n in 10..=(2 * MOST as u64 + 20) {
            told.note(&Arc::from(format!("n{n}")), Mark(n), Mark(0));
        }
        assert!(told.names.len() <= 2 * MOST);
        assert_eq!(told.after(Mark(0)), Anew::All);
    }

    #[test]
    fn what_has_arrived_is_forgotten_though_something_is_always_under_way() {
        let mut told = Told::default();
        let changes = 5 * MOST as u64;
        for n in 1..=changes {
            told.note(
                &Arc::from(format!("n{n}")),
                Mark(n),
                Mark(n.saturating_sub(2)),
            );
        }
        let Anew::Names(lost) = told.after(Mark(changes - 1)) else {
            panic!("all would be shown again for one change");
        };
        assert_eq!(lost.len(), 1);
    }

    #[test]
    fn a_few_who_change_all_day_are_told_by_name() {
        let mut told = Told::default();
        let few: Vec<Arc<str>> = (0..9).map(|n| Arc::from(format!("n{n}"))).collect();
        let changes = 5 * MOST;
        for (n, nick) in few.iter().cycle().take(changes).enumerate() {
            told.note(nick, Mark(n as u64 + 1), Mark(0));
        }
        assert!(told.names.len() <= 2 * MOST);
        // All but the last change have arrived.
        let last = Arc::clone(&few[(changes - 1) % few.len()]);
        assert_eq!(
            told.after(Mark(changes as u64 - 1)),
            Anew::Names(vec![last])
        );
    }
}
