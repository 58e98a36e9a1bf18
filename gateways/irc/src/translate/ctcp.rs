//! Questions between clients (<https://modern.ircdocs.horse/ctcp>): answered at a slow rate, so
//! that nobody can make us flood. DCC, which would open connections, is refused.

use std::time::Instant;

use isthmus_gateway::Sink;

use super::queue::Owner;
use super::{Conversation, send};
use crate::line::to_iso;

/// Where this program is told about.
const SOURCE: &str = "https://isthmus.im";
/// Longest PING parameter that is returned, in bytes.
const LONGEST_PING: usize = 128;

impl Conversation {
    pub(super) fn on_ctcp(&mut self, nick: &str, ctcp: &str, now: Instant, sink: &mut dyn Sink) {
        let (query, argument) = ctcp.split_once(' ').unwrap_or((ctcp, ""));
        let answer = match query.to_ascii_uppercase().as_str() {
            "VERSION" => format!("VERSION Isthmus {}", env!("CARGO_PKG_VERSION")),
            "PING" if argument.len() <= LONGEST_PING => format!("PING {argument}"),
            "TIME" => format!("TIME {}", to_iso(self.wall(now))),
            "CLIENTINFO" => "CLIENTINFO ACTION CLIENTINFO PING SOURCE TIME VERSION".to_owned(),
            "SOURCE" => format!("SOURCE {SOURCE}"),
            "DCC" => {
                let text = format!("{nick} offered a direct connection (DCC), which is refused");
                self.notice(None, &text, sink);
                "ERRMSG DCC :not supported".to_owned()
            }
            _ => return,
        };
        let can_answer = send::is_target(nick) && self.queue.fits(1);
        if can_answer && self.ctcp_bucket.take(now) {
            let line = format!("NOTICE {nick} :\u{1}{answer}\u{1}");
            self.queue.push(line, Owner::None);
        }
    }
}
