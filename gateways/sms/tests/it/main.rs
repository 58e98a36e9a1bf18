//! The gateway against an SMSC that is no work of ours, with a host that is played.

mod host;
mod inward;
mod outward;
mod session;
