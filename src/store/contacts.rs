//! Subscriptions of users to addresses of a gateway, and everything of one user at once: to show
//! it to him, and to remove it.

use super::{Later, StoreFault};

/// How a user and one address of a gateway stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The user has the presence of the address.
    pub to: bool,
    /// The address has the presence of the user.
    pub from: bool,
    /// The network named the contact and the user was asked.
    pub offered: bool,
    /// The user wants no subscription: he is not asked again.
    pub declined: bool,
}

impl Standing {
    /// As it stands in the table.
    pub fn to_number(self) -> u8 {
        u8::from(self.to)
            | u8::from(self.from) << 1
            | u8::from(self.offered) << 2
            | u8::from(self.declined) << 3
    }

    /// Reads what [`Standing::to_number`] gave; bits it does not know are nothing.
    pub fn from_number(number: u8) -> Self {
        let bit = |at: u8| number >> at & 1 == 1;
        Self {
            to: bit(0),
            from: bit(1),
            offered: bit(2),
            declined: bit(3),
        }
    }

    /// There is nothing to remember.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// A user and one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose: a bare JID.
    pub user: String,
    /// The gateway's domain.
    pub gateway: String,
    /// The escaped localpart; empty: the gateway itself.
    pub local: String,
    /// How they stand to each other.
    pub standing: Standing,
}

/// One thing that is kept of a user: which kind of thing, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The kind: `contact`, `setting`, `message`, `reference`, `job`.
    pub kind: &'static str,
    /// Its columns, by name.
    pub columns: Vec<(&'static str, String)>,
}

/// The part of the store that is about whole users.
pub trait Contacts {
    /// Queues how a user and an address stand to each other; nothing removes the row.
    fn stand(&self, contact: Contact);

    /// All contacts of all users of a gateway.
    fn contacts(&self, gateway: &str) -> Later<Result<Vec<Contact>, StoreFault>>;

    /// What is kept of a user behind one gateway, without his secrets: contacts, settings and
    /// messages that wait first, then his archive, the newest first, `most` things of each kind.
    fn all_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<Item>, StoreFault>>;

    /// Removes everything of a user behind one gateway but messages that still wait.
    fn forget(&self, user: &str, gateway: &str) -> Later<Result<(), StoreFault>>;
}
