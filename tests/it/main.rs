//! Tests of the whole program, one binary.

mod attachments;
mod config;
mod conform;
mod converge;
mod dice;
mod docs;
mod features;
mod flood;
mod forget;
mod limits;
mod memory;
mod model;
mod outcomes;
mod pump;
mod refusals;
mod scenario;
mod scenarios;
mod server;
mod turns;
