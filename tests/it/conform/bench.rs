//! What the rules know of a gateway: how to make it, what its names look like, and what its peer
//! can be asked to do. One implementation per gateway, in `peer`.

use std::sync::Arc;

use isthmus_gateway::{
    Account, Address, Gateway, Job, JobId, Outgoing, Place, Settings, User, UserId,
};

use super::driver::Driver;

/// A gateway and the network it speaks with.
pub(super) trait Bench: Sized {
    /// Its kind, as its manifest tells it.
    const NAME: &'static str;
    /// The user's region, for what depends on it.
    const REGION: &'static str = "";

    /// A gateway whose peer is well and answers.
    async fn start() -> Self;

    fn gateway(&self) -> Arc<dyn Gateway>;

    /// Addresses in their canonical spelling, one of each kind there is.
    fn addresses() -> Vec<Address>;

    /// Whether two names can share a spelling, as senders that are names do on SMS.
    const AMBIGUOUS: bool = false;

    /// A network that answers.
    const NETWORK: &'static str = "";

    fn open(&self) -> Driver {
        self.open_on(Self::NETWORK)
    }

    fn open_on(&self, network: &str) -> Driver {
        Driver::new(self.gateway().open(
            &juliet::<Self>(),
            None,
            network,
            &Settings::default(),
            None,
        ))
    }
}

/// A gateway with sessions.
pub(super) trait Live: Bench {
    /// A network that cannot be reached.
    const DOWN: &'static str;
    /// A network that can be reached and then says nothing.
    const MUTE: Option<&'static str>;
    /// A room that can be entered, one that cannot, and a contact.
    const ROOMS: Option<[&'static str; 2]>;
    const CONTACT: &'static str;

    /// Has the peer say `line 1` to `line N` to the user, and hang up behind them.
    fn flood(&self, driver: &mut Driver, lines: usize, hang_up: bool);

    /// A session that is online.
    async fn online(&self) -> Driver {
        let mut driver = self.open();
        driver.until("online").await;
        driver
    }
}

/// A gateway with jobs.
pub(super) trait Post: Bench {
    /// A recipient the network takes a message for and says nothing odd about.
    fn good() -> Address;
    /// One the network refuses.
    fn refused() -> Address;
    /// One the gateway refuses by itself.
    fn bad() -> Address;
    /// One whose answers come twice, and in no good order where the network has several.
    fn doubled() -> Address;

    /// A recipient whose copy waits before its beginning until [`Self::release`]. Whose copy is
    /// submitted after that begins no earlier than those before.
    fn stall(&self) -> Address;
    async fn release(&self);

    /// The texts that have reached the network; `None`: it cannot be looked into.
    fn arrived(&self) -> Option<Vec<String>>;
}

pub(super) fn juliet<B: Bench>() -> User {
    User {
        id: UserId(1),
        local: "juliet".into(),
        domain: "example.org".into(),
        lang: "en".into(),
        region: B::REGION.into(),
    }
}

/// A job of hers.
pub(super) fn job<B: Bench>(id: u64, to: &[Address], body: &str) -> Job<'static> {
    let first = to.first().map(|to| to.id.clone()).unwrap_or_default();
    Job {
        id: JobId(id),
        user: juliet::<B>(),
        account: Some(Account::default()),
        to: to.to_vec(),
        message: Outgoing::text(Place::Contact(first.into()), body.to_owned()),
        attempt: 0,
        kept: None,
        peer_kept: None,
    }
}
