//! The live face, driven as the host drives it.

mod ends;
mod flow;
mod room;
mod support;
mod talk;
