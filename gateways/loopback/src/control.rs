//! The foreign side in the hands of a test. Everything happens before a call returns: sessions are
//! woken and find the events at their next `poll`.

use isthmus_gateway::{Event, Fault, JobId, Picture, Ranks, RoomFlags, Why};

use crate::courier::Ledger;
use crate::translate::Look as Portrait;
use crate::transport::Wire;

/// Plays the people and servers of the foreign side. Networks are named as in localparts (empty:
/// the nameless one), rooms with their `#`. Rooms named here come to be and stay.
#[derive(Clone)]
pub struct Control {
    pub(crate) wire: Wire,
    pub(crate) ledger: Ledger,
}

impl Control {
    /// Breaks every connection to the network and refuses new ones.
    pub fn go_offline(&self, network: &str) {
        self.wire.with(|world| world.foreign_offline(network));
    }

    /// Lets the network answer again; sessions that wait for it are online at once.
    pub fn go_online(&self, network: &str) {
        self.wire.with(|world| world.foreign_online(network));
    }

    /// Says something in a room, whoever is there.
    pub fn say(&self, network: &str, room: &str, nick: &str, text: &str) {
        self.wire
            .with(|world| world.foreign_say(network, room, nick, text));
    }

    /// Says something privately to the session with the nickname `to`.
    pub fn whisper(&self, network: &str, to: &str, nick: &str, text: &str) {
        self.wire
            .with(|world| world.foreign_whisper(network, to, nick, text));
    }

    /// Enters a room with these ranks.
    pub fn come(&self, network: &str, room: &str, nick: &str, ranks: Ranks) {
        self.wire
            .with(|world| world.foreign_come(network, room, nick, ranks));
    }

    /// Gives and takes ranks, as the network's own services may.
    pub fn rank(&self, network: &str, room: &str, nick: &str, set: Ranks, cleared: Ranks) {
        self.wire
            .with(|world| world.foreign_rank(network, room, nick, set, cleared));
    }

    /// Changes the flags of a room.
    pub fn flags(&self, network: &str, room: &str, flags: RoomFlags) {
        self.wire
            .with(|world| world.foreign_flags(network, room, flags));
    }

    /// Sets the subject of a room.
    pub fn subject(&self, network: &str, room: &str, by: &str, text: &str) {
        self.wire
            .with(|world| world.foreign_subject(network, room, by, text));
    }

    /// Gives a nickname or a room (with its `#`) a picture, or takes it away.
    pub fn picture(&self, network: &str, name: &str, picture: Option<Picture<'static>>) {
        self.wire
            .with(|world| world.foreign_picture(network, name, picture.map(Portrait::Is)));
    }

    /// The same, with a link to it.
    pub fn picture_link(&self, network: &str, name: &str, url: &str) {
        let look = Some(Portrait::At(url.to_owned()));
        self.wire
            .with(|world| world.foreign_picture(network, name, look));
    }

    /// Leaves a room.
    pub fn leave(&self, network: &str, room: &str, nick: &str) {
        self.wire
            .with(|world| world.foreign_leave(network, room, nick, None));
    }

    /// Has `by` remove an occupant, who may be a user.
    pub fn kick(&self, network: &str, room: &str, nick: &str, by: &str) {
        self.wire
            .with(|world| world.foreign_leave(network, room, nick, Some(by)));
    }

    /// Tells the session with the nickname `to` any event at all. The network itself does not
    /// change by it.
    pub fn tell(&self, network: &str, to: &str, event: &Event<'static>) {
        self.wire
            .with(|world| world.foreign_tell(network, to, event));
    }

    /// Leaves every room, having left the network.
    pub fn quit(&self, network: &str, nick: &str) {
        self.wire
            .with(|world| world.foreign_split(network, &[nick], Why::Quit));
    }

    /// Takes another nickname in every room, or makes a user take it.
    pub fn rename(&self, network: &str, from: &str, to: &str) {
        self.wire
            .with(|world| world.foreign_rename(network, from, to));
    }

    /// Loses these people to a split of the network, in one event.
    pub fn split(&self, network: &str, nicks: &[&str]) {
        self.wire
            .with(|world| world.foreign_split(network, nicks, Why::Split));
    }

    /// Says `line 1` to `line N` in a room as `flood`.
    pub fn flood(&self, network: &str, room: &str, lines: usize) {
        self.wire
            .with(|world| world.foreign_flood(network, room, lines));
    }

    /// Copies that were sent, by job and recipient, in order.
    pub fn sent(&self) -> Vec<(JobId, u16)> {
        self.ledger.sent()
    }

    /// Jobs at hand that the host has taken back.
    pub fn recalled(&self) -> Vec<JobId> {
        self.ledger.recalled()
    }

    /// Messages that users' servers have returned, in order: whom they named, key and why.
    pub fn returned(&self) -> Vec<(String, String, Fault)> {
        self.ledger.returned()
    }

    /// Messages that users have read, in order: whom they are from, and their keys.
    pub fn read(&self) -> Vec<(String, String)> {
        self.ledger.read()
    }

    /// What a room is at this moment; `None`: there is no such room.
    pub fn look(&self, network: &str, room: &str) -> Option<Look> {
        self.wire.with(|world| world.look(network, room))
    }
}

/// A room as the network has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Nicknames and their ranks.
    pub occupants: Vec<(String, Ranks)>,
    /// The subject, if one was set.
    pub subject: Option<String>,
    /// Its flags.
    pub flags: RoomFlags,
    /// Who said what, oldest first: the last hundred messages.
    pub said: Vec<(String, String)>,
}
