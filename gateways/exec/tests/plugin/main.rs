//! The gateway with real processes behind it: scripted plugins that misbehave, and the examples.

mod dict;
mod echo;
mod job;
mod support;
mod unruly;
