//! The contract between the host and a gateway.
