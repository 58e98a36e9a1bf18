//! The example in shell.

use isthmus_exec::Config;
use isthmus_gateway::Outcome;

use crate::support::{Driver, Nest, example};

#[tokio::test]
async fn the_example_in_shell_says_back_what_it_is_told() {
    let nest = Nest::new();
    let exec = nest.start(Config::new(vec![example("echo.sh")])).await;
    let mut juliet = Driver::online(&exec).await;
    for body in [
        "hello",
        "a \"quoted\" word \\",
        "two\nlines \u{1f980} %s $(ls)",
    ] {
        let tag = juliet.say("romeo", body);
        assert_eq!(juliet.heard().await, body);
        assert_eq!(juliet.ended(tag).await, Ok(Outcome::Accepted));
    }
}
