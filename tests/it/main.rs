//! Tests of the whole program, one binary.

mod config;
mod scenario;
mod scenarios;
