//! The contract between the XMPP host and a gateway to a foreign network.
//!
//! One data model with two faces. Built-in gateways implement the traits of this crate; an
//! out-of-process gateway exchanges the same values as JSON lines. Nothing here opens a socket,
//! reads a clock or knows XML: the host speaks XMPP, the gateway speaks its network, and these
//! types are all that passes between them.
//!
//! * A **live** network (IRC, chat) is a [`Session`]: one per user, gateway and network. The host
//!   gives it [`Command`]s, the session answers with [`Event`]s.
//! * A **store-and-forward** network (email, SMS) is a [`Courier`]: it is handed durable
//!   [`Job`]s and ends each with a [`Report`].
//! * What a gateway asks of the host goes through [`Uplink`].
//!
//! The rules an implementation may rely on, and must keep:
//!
//! 1. Nothing in a session waits: [`Session::command`] starts a thing and returns,
//!    [`Session::poll`] moves bytes.
//! 2. Every command carries a [`Tag`] and ends in exactly one [`Event::Done`]. The host owns the
//!    deadline and drops what comes later, except [`Event::Failed`] behind a provisional
//!    [`Outcome::Sent`].
//! 3. What a user wants (rooms, nick, away) is kept by the host and issued again after every
//!    [`Event::Online`]; the state of a gateway may be thrown away at any time.
//! 4. The rules of a network cross as data: [`Fold`], [`Rank`], [`Caps`].

mod address;
mod caps;
mod command;
mod courier;
mod dialog;
mod event;
mod fault;
mod gateway;
mod message;
mod picture;
mod session;
mod setting;
mod uplink;
mod user;
mod words;

pub use address::{Address, AddressFault, Kind, Parsed, Place};
pub use caps::{Affiliation, Caps, Facts, Fold, Rank, Ranks, Role, RoomFlags};
pub use command::{Command, Outgoing};
pub use courier::{Courier, Job, JobId, Preview, Report, State};
pub use dialog::{Dialog, Field, FieldKind, Step};
pub use event::{Event, Left, Name, Outcome, RankChange, Why};
pub use fault::{Fault, FaultKind};
pub use gateway::{Gateway, Identity, Manifest};
pub use message::{Blob, Key, Message, Reply, Span, Style, Trust, Who};
pub use picture::Picture;
pub use session::{Close, Credit, Session, Sink};
pub use setting::{Offered, SettingTables, Settings, Values};
pub use uplink::{BlobWriter, Delivery, Handle, Ref, Refusal, Stored, Uplink};
pub use user::{Account, User, UserId};
pub use words::Words;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

/// Text that is borrowed where it can be.
pub type Text<'a> = Cow<'a, str>;

/// A boxed future. Control plane only: never made per message.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Time(pub i64);

/// Names one command of one session; minted by the host, never used twice in a session.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Tag(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traits_can_be_used_as_objects() {
        fn object<T: ?Sized>() {}
        object::<dyn Session>();
        object::<dyn Gateway>();
        object::<dyn Courier>();
        object::<dyn Uplink>();
        object::<dyn Sink>();
        object::<dyn BlobWriter>();
    }

    #[test]
    fn values_survive_a_json_line() {
        let message = Message::text(
            Place::Room("#garden".into()),
            Who::nick("ferris"),
            "a \"line\"\nand another \u{1f980}",
        );
        let event = Event::Message(message);
        let line = serde_json::to_string(&event).expect("an event is serialisable");
        assert!(!line.contains('\n'));
        assert_eq!(
            serde_json::from_str::<Event<'_>>(&line).expect("own output"),
            event
        );

        let command = Command::Send(Outgoing::text(Place::Contact("alice".into()), "hello"));
        let line = serde_json::to_string(&command).expect("a command is serialisable");
        assert_eq!(
            serde_json::from_str::<Command<'_>>(&line).expect("own output"),
            command
        );
    }

    #[test]
    fn folding_by_a_table_leaves_bytes_beyond_the_table_alone() {
        let fold = Fold::Bytes(b"\0".into());
        let mut folded = Vec::new();
        fold.fold_into("Ab", &mut folded);
        assert_eq!(folded, b"Ab");
        assert!(Fold::ascii().same("Ab", "aB"));
        assert!(!Fold::ascii().same("Ab", "Ab "));
    }

    #[test]
    fn an_account_shows_no_values_when_debugged() {
        let mut account = Account::default();
        account.fields.insert("password".into(), "hunter2".into());
        assert!(!format!("{account:?}").contains("hunter2"));
    }
}
