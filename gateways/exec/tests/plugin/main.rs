//! The gateway with real processes behind it: scripted plugins that misbehave, and the examples.

mod echo;
mod support;
mod unruly;
