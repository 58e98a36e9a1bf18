//! The smallest gateway: reference and fixture.
