//! The IRC gateway.
