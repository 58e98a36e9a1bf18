//! Requests that become several commands and still get one answer.

use isthmus_gateway::Fault;

use super::{Base, Pending};
use crate::host::reply::Origin;

/// One request.
#[derive(Debug)]
pub(crate) struct Batch {
    number: u32,
    origin: Origin,
    left: usize,
    fault: Option<Fault>,
}

impl Base {
    /// Begins a request of so many commands; each is to be issued as a `Pending::Share` of it.
    pub(crate) fn begin_batch(&mut self, origin: Origin, commands: usize) -> u32 {
        self.last_batch = self.last_batch.wrapping_add(1);
        self.batches.push(Batch {
            number: self.last_batch,
            origin,
            left: commands,
            fault: None,
        });
        self.last_batch
    }

    /// One command of a request has ended. The last is answered: with the first fault, if any.
    pub(crate) fn share_ended(&mut self, number: u32, fault: Option<Fault>) {
        let Some(at) = self.batches.iter().position(|it| it.number == number) else {
            return;
        };
        let batch = &mut self.batches[at];
        batch.left = batch.left.saturating_sub(1);
        batch.fault = batch.fault.take().or(fault);
        if batch.left > 0 {
            return;
        }
        let batch = self.batches.swap_remove(at);
        match batch.fault {
            Some(fault) => self.answer_fault(&batch.origin, &fault),
            None => batch.origin.result(&self.outbox, |_| {}),
        }
    }

    /// The network shows what the user did to somebody: whoever asked for it is answered before
    /// the others are told (XEP-0045 §8.2, §9.1).
    pub(crate) fn answer_before(&mut self, room: &[u8], whom: &[u8]) {
        let numbers: Vec<u32> = self
            .open_pending()
            .filter_map(|pending| match pending {
                Pending::Share {
                    batch,
                    room: of,
                    whom: to,
                } if **of == *room && **to == *whom => {
                    let batch = *batch;
                    *pending = Pending::Nothing;
                    Some(batch)
                }
                _ => None,
            })
            .collect();
        for number in numbers {
            self.share_ended(number, None);
        }
    }
}
