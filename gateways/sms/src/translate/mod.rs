//! Between the contract and SMS: pure.
//!
//! [`smpp`] speaks with carriers, [`gsm`] is the alphabet, [`text`] reads texts, [`segments`]
//! cuts and encodes them, [`mod@concat`] puts parts together again, [`receipt`] reads receipts,
//! [`outcome`] makes one outcome of the outcomes of parts, [`repeat`] knows what came before.

pub mod concat;
pub mod gsm;
pub mod outcome;
pub mod receipt;
pub mod repeat;
pub mod segments;
pub mod smpp;
pub mod text;
