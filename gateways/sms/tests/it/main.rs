//! The gateway against SMSCs that are no work of ours, with a host that is played.

mod host;
mod inward;
mod outward;
mod second;
mod session;
