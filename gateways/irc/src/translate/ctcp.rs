//! Questions between clients (<https://modern.ircdocs.horse/ctcp>): asked for the host; answered at
//! a slow rate, so that nobody can make us flood. DCC, which would open connections, is refused.

use std::time::Instant;

use isthmus_gateway::{Event, Fault, FaultKind, Outcome, Sink, Tag, words};

use super::asked::Want;
use super::queue::Owner;
use super::{Conversation, done, format, send};
use crate::line::to_iso;

/// Where this program is told about.
const SOURCE: &str = "https://isthmus.im";
/// Longest PING parameter that is returned, in bytes.
const LONGEST_PING: usize = 128;

impl Conversation {
    /// Asks somebody's client. The word is what its answer begins with.
    pub(super) fn query(&mut self, tag: Tag, nick: &str, what: &str, sink: &mut dyn Sink) {
        let mut words = what.splitn(2, ' ');
        let word = words.next().unwrap_or("").to_ascii_uppercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let rest = words.next().unwrap_or("");
        let told = !word.is_empty() && word.chars().all(plain) && word != "ACTION" && word != "DCC";
        if !told || rest.contains(['\r', '\n', '\0', '\u{1}']) {
            let fault = Fault::new(
                FaultKind::BadRequest,
                ("not a question that IRC can carry", "不是 IRC 可发送的询问"),
            );
            return done(tag, Err(fault), sink);
        }
        if !send::is_target(nick) || self.isupport.is_channel(nick) {
            let fault = Fault::new(
                FaultKind::BadAddress,
                ("not the name of a person", "不是人的名称"),
            );
            return done(tag, Err(fault), sink);
        }
        // What comes back behind PING is what was sent: so is its time known.
        let rest = match (&*word, rest) {
            ("PING", "") => format!(" {}", tag.0),
            (_, "") => String::new(),
            (_, rest) => format!(" {rest}"),
        };
        let line = format!("PRIVMSG {nick} :\u{1}{word}{rest}\u{1}");
        self.ask(tag, Want::Query, (nick, &word), line, sink);
        if let Some(asked) = self.asked.last_mut().filter(|asked| asked.tag == tag) {
            asked.nick = match &*word {
                "PING" => format!("{word}{rest}").to_ascii_uppercase().into_bytes(),
                _ => word.into_bytes(),
            };
        }
    }

    /// Somebody's client answers. False: nobody has asked it.
    pub(super) fn on_reply(&mut self, nick: &str, ctcp: &str, sink: &mut dyn Sink) -> bool {
        let (word, answer) = ctcp.split_once(' ').unwrap_or((ctcp, ""));
        let key = self.folded(nick);
        let (all, word) = (ctcp.to_ascii_uppercase(), word.to_ascii_uppercase());
        let fits = |it: &super::Asked| {
            let asked = it.nick.split(|byte| *byte == b' ').next();
            let open = it.want == Want::Query && it.gone.is_some();
            open && it.key == key && asked == Some(word.as_bytes())
        };
        // Only what stands behind PING tells which question is answered. Of others the last one is:
        // those before it may long have been given up.
        let exact = |it: &super::Asked| fits(it) && it.nick == all.as_bytes();
        let asked = &self.asked;
        let Some(at) = asked
            .iter()
            .rposition(exact)
            .or(asked.iter().rposition(fits))
        else {
            return false;
        };
        let tag = self.asked.remove(at).tag;
        let answer = format::plain(answer).body;
        let fields = vec![("answer".into(), answer)];
        sink.event(Event::Found { tag, fields });
        done(tag, Ok(Outcome::Finished), sink);
        true
    }

    pub(super) fn on_ctcp(&mut self, nick: &str, ctcp: &str, now: Instant, sink: &mut dyn Sink) {
        let (query, argument) = ctcp.split_once(' ').unwrap_or((ctcp, ""));
        let answer = match query.to_ascii_uppercase().as_str() {
            "VERSION" => format!("VERSION Isthmus {}", env!("CARGO_PKG_VERSION")),
            "PING" if argument.len() <= LONGEST_PING => format!("PING {argument}"),
            "TIME" => format!("TIME {}", to_iso(self.wall(now))),
            "CLIENTINFO" => "CLIENTINFO ACTION CLIENTINFO PING SOURCE TIME VERSION".to_owned(),
            "SOURCE" => format!("SOURCE {SOURCE}"),
            "DCC" => {
                let text = words!(
                    "{nick} offered a direct connection (DCC), which is refused",
                    "{nick} 请求建立直接连接（DCC），已拒绝"
                );
                self.remark(None, text, sink);
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
