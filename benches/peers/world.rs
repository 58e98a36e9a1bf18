//! What both ends of the generator share: the ways out, and the tally of what came.
//!
//! The generator runs on one thread, so nothing here is locked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use crate::scan::number;

/// The domain of the gateway under test.
pub(crate) const DOMAIN: &str = "irc.bench";
/// The domain of the users.
pub(crate) const USERS: &str = "bench";
/// What the component connection is authenticated with.
pub(crate) const SECRET: &str = "bench";
/// How long nothing at all may come before the rest counts as lost.
const STALLED: Duration = Duration::from_secs(10);

/// Bytes on their way out of one connection.
#[derive(Default)]
pub(crate) struct Pipe {
    bytes: RefCell<Vec<u8>>,
    more: Notify,
    closed: Cell<bool>,
}

impl Pipe {
    /// Adds bytes; they are written when the generator next waits.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        self.more.notify_one();
    }

    /// Ends the connection once all is written.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.more.notify_one();
    }

    /// Writes what is added, for as long as the connection lives.
    pub(crate) async fn run(&self, mut socket: impl AsyncWrite + Unpin) {
        let mut batch = Vec::new();
        loop {
            std::mem::swap(&mut batch, &mut self.bytes.borrow_mut());
            if batch.is_empty() {
                if self.closed.get() {
                    return;
                }
                self.more.notified().await;
            } else if socket.write_all(&batch).await.is_err() {
                return;
            }
            batch.clear();
            // A connection that said much once and is idle now holds nothing.
            if batch.capacity() > 1 << 16 {
                batch = Vec::new();
            }
        }
    }
}

/// What came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes from the component.
    pub(crate) bytes: u64,
    /// Presence stanzas.
    pub(crate) presences: usize,
    /// Presence with status 110: a room is entered.
    pub(crate) entered: usize,
    /// Numbered messages that reached an XMPP user.
    pub(crate) to_xmpp: usize,
    /// Numbered messages that reached the IRC server.
    pub(crate) to_irc: usize,
    /// Numbered messages that came after a later one, or twice.
    pub(crate) misordered: usize,
    /// Receipts (XEP-0184).
    pub(crate) receipts: usize,
    /// Stanzas of type error.
    pub(crate) errors: usize,
}

/// Which way a numbered message went.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Xmpp,
    Irc,
}

/// What both ends share.
pub(crate) struct World {
    /// To the component.
    pub(crate) component: RefCell<Rc<Pipe>>,
    /// How many components have connected so far.
    pub(crate) components: Cell<usize>,
    /// To each user's connection at the IRC server.
    pub(crate) users: RefCell<Vec<Option<Rc<Pipe>>>>,
    /// What came since it was last looked at.
    pub(crate) tally: Cell<Tally>,
    /// Members of every channel besides the user himself.
    pub(crate) members: Cell<usize>,
    /// Whether the IRC server has echo-message.
    pub(crate) echo: Cell<bool>,
    /// For each side, user and channel the number that is due.
    due: RefCell<[Vec<usize>; 2]>,
    /// Whenever something came.
    pub(crate) progress: Notify,
    /// The first error stanza, for the report.
    pub(crate) complaint: RefCell<Option<String>>,
}

/// Channels that a user may be in.
const CHANNELS: usize = 64;

impl World {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            component: RefCell::default(),
            components: Cell::new(0),
            users: RefCell::default(),
            tally: Cell::default(),
            members: Cell::new(0),
            echo: Cell::new(true),
            due: RefCell::default(),
            progress: Notify::new(),
            complaint: RefCell::default(),
        })
    }

    /// Forgets everything, for another gateway.
    pub(crate) fn reset(&self) {
        self.users.borrow_mut().clear();
        self.component.replace(Rc::default());
        self.complaint.replace(None);
        self.restart();
    }

    /// Begins to count anew.
    pub(crate) fn restart(&self) {
        self.tally.set(Tally::default());
        self.due.replace(Default::default());
    }

    /// Changes the tally.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        change(&mut tally);
        self.tally.set(tally);
    }

    /// Counts a message that says `c<channel> s<number> ...`; others are none of ours.
    pub(crate) fn message(&self, side: Side, user: usize, body: &[u8]) {
        let Some((channel, rest)) = number(body, b'c') else {
            return;
        };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let Some((sequence, _)) = number(rest, b's') else {
            return;
        };
        let mut due = self.due.borrow_mut();
        let due = &mut due[side as usize];
        let place = user * CHANNELS + channel;
        if due.len() <= place {
            due.resize(place + 1, 0);
        }
        let is_late = sequence < due[place];
        if !is_late {
            due[place] = sequence + 1;
        }
        self.count(|tally| {
            tally.misordered += usize::from(is_late);
            match side {
                Side::Xmpp => tally.to_xmpp += 1,
                Side::Irc => tally.to_irc += 1,
            }
        });
    }

    /// Waits until `done`; false when nothing came for long.
    pub(crate) async fn wait(&self, done: impl Fn(&Tally) -> bool) -> bool {
        while !done(&self.tally.get()) {
            let progress = self.progress.notified();
            if tokio::time::timeout(STALLED, progress).await.is_err() {
                return done(&self.tally.get());
            }
        }
        true
    }

    /// The connection of a user at the IRC server.
    pub(crate) fn user(&self, user: usize) -> Option<Rc<Pipe>> {
        self.users.borrow().get(user).cloned().flatten()
    }
}
