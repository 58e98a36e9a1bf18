//! The rules of the contract (`gateways/api`), each written once and run on every gateway.
//!
//! A rule is generic over a bench: the gateway with the smallest peer that it needs (`peer`).
//! The name of a test begins with the gateway's. `driver` and `host` judge all that is told them,
//! whatever a test is about. What a gateway makes of its own network is not looked at here.

mod addresses;
mod bench;
mod closing;
mod commands;
mod driver;
mod host;
mod jobs;
mod late;
mod manifest;
mod peer;
mod polling;

/// One test per row: `name: Bench, rule;`.
macro_rules! rules {
    ($($name:ident: $bench:ident, $rule:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            $rule::<crate::conform::peer::$bench>().await;
        }
    )*};
}

use rules;
