//! What the store says of lanes, of messages in memory.

use std::collections::BTreeSet;

use crate::store::jobs::{LanePage, Lanes, Sweep, Waits};

/// Lane, due time and number of what is still to be sent.
pub(super) type Waiting = BTreeSet<(String, i64, u64)>;

pub(super) fn sweep(waiting: &Waiting, sweep: &Sweep) -> Lanes {
    let (mut lanes, mut read, mut from) = (Lanes::default(), 0, sweep.from.clone());
    for _ in 0..sweep.lanes {
        let first = (from.clone(), i64::MIN, 0);
        let Some((lane, due, _)) = waiting.range(first..).next() else {
            return lanes;
        };
        from = format!("{lane}\0");
        if *due <= sweep.now {
            let page = front(waiting, lane, sweep.page);
            read += page.waits.len();
            lanes.due.push(page);
        } else {
            lanes.later = Some(lanes.later.map_or(*due, |later| later.min(*due)));
        }
        if read >= sweep.most {
            break;
        }
    }
    lanes.next = Some(from);
    lanes
}

pub(super) fn fronts(waiting: &Waiting, lanes: &[(String, usize)]) -> Vec<LanePage> {
    let pages = lanes.iter();
    pages
        .map(|(lane, most)| front(waiting, lane, *most))
        .collect()
}

fn front(waiting: &Waiting, lane: &str, most: usize) -> LanePage {
    let first = (lane.to_owned(), i64::MIN, 0);
    let here = waiting.range(first..).take_while(|(name, ..)| name == lane);
    let waits: Vec<Waits> = here
        .take(most)
        .map(|&(_, due, id)| Waits { id, due })
        .collect();
    LanePage {
        lane: lane.to_owned(),
        more: waits.len() == most,
        waits,
    }
}
