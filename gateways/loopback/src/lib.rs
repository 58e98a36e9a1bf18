//! The smallest gateway: a network that lives in memory.
//!
//! Authors of gateways read it first, and the tests of the host use it as their foreign network.
//! It implements both faces of the contract of `isthmus-gateway`:
//!
//! * **live** ([`Gateway::open`](isthmus_gateway::Gateway::open)): all sessions of one [`Loopback`]
//!   meet in the same rooms; a resident called `echo` answers what is said. Magic names stand for
//!   everything that can go wrong, and [`Control`] plays the people on the foreign side.
//! * **store-and-forward** ([`Gateway::courier`](isthmus_gateway::Gateway::courier)): the
//!   recipient's name says what becomes of a job.
//!
//! `docs/loopback.md` lists the magic names. It opens no socket, keeps nothing on disk and has no
//! place in production.
//!
//! # How to read it
//!
//! | file | what it does | may it do I/O or read a clock |
//! | --- | --- | --- |
//! | `config.rs` | what the operator sets | no |
//! | `address.rs` | foreign address to localpart and back | no |
//! | `translate/` | commands in, events out: the state machine | no, `now` is an argument |
//! | `transport.rs` | the session: bytes and wake-ups | yes |
//! | `courier.rs` | durable jobs and what becomes of them | yes |
//! | `register.rs` | what registration asks, and the word on the answers | no |
//! | `setting.rs` | what can be set, and its own commands | no |
//! | `gateway.rs` | the [`Gateway`](isthmus_gateway::Gateway) itself: opens the others | no |
//!
//! Every gateway has these files. Elsewhere `translate` turns commands into lines of a protocol;
//! this network is made of the contract's own values, so its state machine is the network itself.
//! `control.rs` is the one file that other gateways do not have.
//!
//! # What to copy
//!
//! * A handler returns how its command ended and one place turns that into `Done`, so that every
//!   command ends exactly once (`World::command`).
//! * A command that waits for the network stays in a list of open ones, ended before `Offline`.
//! * Events wait in one bounded queue and leave it in order, by credit; while the host holds, only
//!   what ends a command overtakes. A queue that overflows ends the connection, as IRC servers do.
//! * Timers are points in time compared with `now`; nothing sleeps.

mod address;
mod config;
mod control;
mod courier;
mod gateway;
mod register;
mod setting;
mod translate;
mod transport;

pub use address::{format, network, parse};
pub use config::Config;
pub use control::{Control, Look};
pub use gateway::Loopback;
