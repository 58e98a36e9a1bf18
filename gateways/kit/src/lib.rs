//! What several gateways need and the contract must not hold.
