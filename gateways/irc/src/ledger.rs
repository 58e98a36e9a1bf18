//! Which connections there are: what a user is told when he asks for his own, and how he ends one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use isthmus_gateway::{Time, UserId, Words, words};
use tokio::sync::oneshot;

use crate::line::to_iso;

type Key = (UserId, String);

/// A connection as it is listed.
struct Entry {
    number: u64,
    words: Words,
    /// How the user stands there, once he is online.
    standing: Option<Standing<'static>>,
    since: SystemTime,
    /// Ends it, with these parting words.
    leave: oneshot::Sender<String>,
}

/// How a user stands on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing<'a> {
    /// His nickname.
    pub(crate) nick: Cow<'a, str>,
    /// In how many channels he is.
    pub(crate) rooms: usize,
    /// How many lines wait for their turn.
    pub(crate) waiting: usize,
}

/// The connections of all users, each in words.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<HashMap<Key, Entry>>>);

/// A connection that is listed until this is dropped.
pub(crate) struct Listed {
    ledger: Ledger,
    key: Key,
    number: u64,
    /// What the table says of the user's standing.
    told: Option<Standing<'static>>,
    /// Comes when the user wants it to end.
    leave: Option<oneshot::Receiver<String>>,
}

impl Ledger {
    fn key(user: UserId, network: &str) -> Key {
        (user, network.to_ascii_lowercase())
    }

    /// Lists a connection, in place of an earlier one.
    pub(crate) fn enter(&self, user: UserId, network: &str, words: impl Into<Words>) -> Listed {
        let key = Self::key(user, network);
        // Nothing leaves the table half-changed.
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = table.get(&key).map_or(0, |entry| entry.number + 1);
        let (sender, leave) = oneshot::channel();
        let entry = Entry {
            number,
            words: words.into(),
            standing: None,
            since: SystemTime::now(),
            leave: sender,
        };
        table.insert(key.clone(), entry);
        Listed {
            ledger: self.clone(),
            key,
            number,
            told: None,
            leave: Some(leave),
        }
    }

    /// The networks a user is connected to.
    pub(crate) fn networks(&self, user: UserId) -> Vec<String> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = table.keys().filter(|(whose, _)| *whose == user);
        let mut networks: Vec<String> = own.map(|(_, network)| network.clone()).collect();
        networks.sort_unstable();
        networks
    }

    /// Ends a connection with these parting words; false: there is none.
    pub(crate) fn leave(&self, user: UserId, network: &str, words: &str) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = table.remove(&Self::key(user, network));
        entry.is_some_and(|entry| entry.leave.send(words.to_owned()).is_ok())
    }

    /// What is known of a user's connection.
    pub(crate) fn find(&self, user: UserId, network: &str) -> Option<Words> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(&Self::key(user, network)).map(Entry::told)
    }
}

impl Entry {
    fn told(&self) -> Words {
        let Some(Standing {
            nick,
            rooms,
            waiting,
        }) = &self.standing
        else {
            return self.words.clone();
        };
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.unwrap_or_default().as_millis();
        let since = to_iso(Time(i64::try_from(millis).unwrap_or_default()));
        let (_, en) = self.words.told_in("en");
        let (_, zh) = self.words.told_in("zh");
        let plural = if *rooms == 1 { "" } else { "s" };
        let (queue, queue_zh) = match waiting {
            0 => Default::default(),
            1 => (
                " 1 line waits to be sent.".into(),
                "有 1 行等待发送。".into(),
            ),
            many => (
                format!(" {many} lines wait to be sent."),
                format!("有 {many} 行等待发送。"),
            ),
        };
        words!(
            "{en} You are {nick} there, since {since}, in {rooms} channel{plural}.{queue}",
            "{zh}您在那里的昵称是 {nick}，自 {since} 起，在 {rooms} 个频道中。{queue_zh}"
        )
    }
}

impl Listed {
    /// How the user stands there now.
    pub(crate) fn tell(&mut self, standing: Standing<'_>) {
        if self.told.as_ref() == Some(&standing) {
            return;
        }
        let standing = Standing {
            nick: Cow::Owned(standing.nick.into_owned()),
            ..standing
        };
        self.told = Some(standing.clone());
        let mut table = self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = table.get_mut(&self.key);
        if let Some(entry) = entry.filter(|entry| entry.number == self.number) {
            entry.standing = Some(standing);
        }
    }

    /// The parting words, once the user wants the connection to end.
    pub(crate) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Option<String> {
        let leave = self.leave.as_mut()?;
        let Poll::Ready(words) = Pin::new(leave).poll(cx) else {
            return None;
        };
        self.leave = None;
        words.ok()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table
            .get(&self.key)
            .is_some_and(|entry| entry.number == self.number)
        {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_connection_is_known_as_long_as_it_stands_and_to_its_user_only() {
        let ledger = Ledger::default();
        let first = ledger.enter(UserId(1), "Net", "the first".to_owned());
        let second = ledger.enter(UserId(1), "net", "the second".to_owned());
        drop(first);
        assert_eq!(ledger.find(UserId(1), "NET").as_deref(), Some("the second"));
        assert_eq!(ledger.find(UserId(2), "net"), None);
        let mut second = second;
        second.tell(Standing {
            nick: "ferris".into(),
            rooms: 2,
            waiting: 1,
        });
        let told = ledger
            .find(UserId(1), "net")
            .unwrap_or_default()
            .to_string();
        assert!(
            told.starts_with("the second You are ferris there, since 20"),
            "{told}"
        );
        assert!(
            told.ends_with("in 2 channels. 1 line waits to be sent."),
            "{told}"
        );
        assert_eq!(ledger.networks(UserId(1)), ["net"]);
        assert!(!ledger.leave(UserId(2), "net", "bye"));
        assert!(ledger.leave(UserId(1), "Net", "bye"));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(second.poll_leave(&mut cx).as_deref(), Some("bye"));
        assert_eq!(second.poll_leave(&mut cx), None);
        drop(second);
        assert_eq!(ledger.find(UserId(1), "net"), None);
    }
}
