//! What stanzas and streams say besides their payloads: error conditions.

mod condition;
mod stream_condition;

pub use condition::{Condition, ErrorType};
pub use stream_condition::StreamCondition;
