//! The live face, driven as the host drives it.

mod ends;
mod support;
mod talk;
