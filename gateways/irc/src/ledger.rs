//! Which connections there are: what a user is told when he asks for his own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use isthmus_gateway::UserId;

type Key = (UserId, String);

/// The connections of all users, each in words.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<HashMap<Key, (u64, String)>>>);

/// A connection that is listed until this is dropped.
pub(crate) struct Listed {
    ledger: Ledger,
    key: Key,
    number: u64,
}

impl Ledger {
    fn key(user: UserId, network: &str) -> Key {
        (user, network.to_ascii_lowercase())
    }

    /// Lists a connection, in place of an earlier one.
    pub(crate) fn enter(&self, user: UserId, network: &str, words: String) -> Listed {
        let key = Self::key(user, network);
        // Nothing leaves the table half-changed.
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = table.get(&key).map_or(0, |(number, _)| number + 1);
        table.insert(key.clone(), (number, words));
        Listed {
            ledger: self.clone(),
            key,
            number,
        }
    }

    /// What is known of a user's connection.
    pub(crate) fn find(&self, user: UserId, network: &str) -> Option<String> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .get(&Self::key(user, network))
            .map(|(_, words)| words.clone())
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table
            .get(&self.key)
            .is_some_and(|(number, _)| *number == self.number)
        {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_as_long_as_it_stands_and_to_its_user_only() {
        let ledger = Ledger::default();
        let first = ledger.enter(UserId(1), "Net", "the first".to_owned());
        let second = ledger.enter(UserId(1), "net", "the second".to_owned());
        drop(first);
        assert_eq!(ledger.find(UserId(1), "NET").as_deref(), Some("the second"));
        assert_eq!(ledger.find(UserId(2), "net"), None);
        drop(second);
        assert_eq!(ledger.find(UserId(1), "net"), None);
    }
}
