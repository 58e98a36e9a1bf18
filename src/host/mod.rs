//! XMPP semantics, once for all gateways: what a stanza means, who answers it, and how what
//! happens on a foreign network is told in XMPP.
//!
//! * [`domain`](self) routes what a component delivers, by the pure table of `router`.
//! * `session` is one task per user, gateway and network, with `room` and `chat` for what happens
//!   there; it owns all of that user's state, so nothing in it needs a lock.
//! * `desk` takes what is asked of the gateway itself: `contact` (registration, addresses,
//!   subscriptions) and `command`; `errand` answers it, once, when the answer is there.
//! * `attachment` carries files both ways; `asker` asks other servers.
//! * `setting` keeps what users set; `words` is what the host says, in their language (`language`).
//! * `operate` is what a gateway can ask of the program; `activity` who did something lately.
//! * `picture` shows people, rooms and the gateway.
//! * `about` tells who runs the gateway and what becomes of data.
//! * One XEP, one file: `disco`, `caps`, `ping`, `version`, `delay`, `form`.
//!
//! Not here: bytes and streams (`component`), what a foreign network says (`gateways/`).

mod about;
mod access;
mod activity;
mod archive;
mod asker;
mod attachment;
mod caps;
mod card;
mod chat;
mod command;
mod contact;
mod courier;
mod delay;
mod desk;
mod disco;
mod domain;
mod errand;
mod fault;
mod form;
mod ids;
mod inbox;
mod language;
mod names;
mod operate;
mod own;
mod picture;
mod ping;
mod post;
mod reply;
mod room;
mod router;
mod rsm;
#[cfg(all(test, feature = "loopback"))]
mod scene;
mod search;
mod service;
mod session;
mod setting;
mod shared;
mod table;
mod time;
mod version;
mod words;

pub use self::about::{Public, Transmission};
pub use self::access::Access;
pub use self::attachment::{FileSettings, Files, serve as serve_files};
pub use self::chat::Corrections;
pub use self::courier::Attachments;
pub(crate) use self::domain::figures::Figures;
pub use self::domain::{Domain, Reader};
pub(crate) use self::fault::faults_told;
pub use self::operate::{Reload, Reloaded, Reloading};
pub(crate) use self::shared::user_number;
pub use self::shared::{Archiving, Limits, Shared};
pub use self::words::Lang;
