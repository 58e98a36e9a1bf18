//! Proof of delivery: pings (XEP-0199) behind what was written. Pure; `now` is an argument.
//!
//! XEP-0114 has no acknowledgement, but a server works through one stream in order: once anything
//! comes back for a ping, it has read all that was written before. The component pings itself
//! through the server (`from` = `to` = its own domain). The ping coming home is the proof, and so
//! is any answer or error with its id. It is not answered: it would only come home once more.
//!
//! ```text
//!   write, then ping ourselves --comes home within 10 s--> confirmed
//!            | nothing
//!            v
//!   ping ourselves and the server's domain, again every 30 s
//!            |                 |
//!            | nothing, 90 s   | only the server answers: from now on, on this stream, ask the
//!            v                 v server only, and say so once
//!        cut the stream     confirmed
//! ```
//!
//! A quiet stream is pinged each minute, which is also what keeps it open (Openfire closes one on
//! which nothing comes for six minutes).
//!
//! What else the pings tell. **Another process under the same name**: ids carry a random word of
//! the process, so a ping with another word that comes home is somebody else's. ejabberd, which
//! deals stanzas out at random, shows that way; it also shows as own pings that used to come home
//! and now and then do not. jabberd2 feeds the first connection only: the second gets nothing back
//! at all, and the stream is cut with a message that names this reason.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The pings of one component, over all its streams.
#[derive(Debug)]
pub(super) struct Barrier {
    /// Tells our pings from those of another process.
    word: String,
    domain: String,
    server: String,
    next: u64,
    stream: Stream,
}

/// What is known of the present stream.
#[derive(Debug)]
struct Stream {
    since: Instant,
    /// The last segment handed to the socket, and the last one proven.
    written: u64,
    proven: u64,
    /// Stanzas written since the last ping.
    stanzas: usize,
    asked: VecDeque<Asked>,
    last_asked: Option<Instant>,
    last_answer: Option<Instant>,
    /// Own pings that came home on this stream.
    homes: u64,
    /// Whom to ask first.
    route: Whom,
    told_stranger: bool,
}

#[derive(Debug)]
struct Asked {
    seq: u64,
    upto: u64,
    at: Instant,
    whom: Whom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Ourselves,
    Server,
}

/// What an incoming iq meant to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Not one of our pings: a stanza like any other.
    Unrelated,
    /// One of ours, with nothing new in it; or a stranger's. It goes no further.
    Spent,
    /// The server has read everything up to this segment.
    Proof(u64),
}

/// What is worth telling the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The ping of another process came home to us.
    Stranger,
    /// Own pings came home before, and now do not, while the server answers.
    Losing,
    /// Own pings never came home on this stream, while the server answers.
    NoLoop,
}

impl Barrier {
    pub(super) fn new(word: String, domain: &str, server: &str, now: Instant) -> Self {
        Self {
            word,
            domain: domain.to_owned(),
            server: server.to_owned(),
            next: 1,
            stream: Stream::new(now),
        }
    }

    /// A new stream is up.
    pub(super) fn begin(&mut self, now: Instant) {
        self.stream = Stream::new(now);
    }

    /// True once any ping of this stream was answered: the stream is good.
    pub(super) fn is_proven(&self) -> bool {
        self.stream.last_answer.is_some()
    }

    /// A segment is about to be written.
    pub(super) fn writing(&mut self, number: u64, stanzas: usize) {
        self.stream.written = number;
        self.stream.stanzas += stanzas;
    }

    /// The pings to write now, or nothing. They count as asked; call [`Barrier::asked`] when they
    /// have gone out.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
        if now < self.deadline() && !self.is_batch_full() {
            return None;
        }
        let again = !self.stream.asked.is_empty();
        let mut text = String::new();
        if again || self.stream.route == Whom::Ourselves {
            self.ask(Whom::Ourselves, now, &mut text);
        }
        if again || self.stream.route == Whom::Server {
            self.ask(Whom::Server, now, &mut text);
        }
        self.stream.last_asked = Some(now);
        self.stream.stanzas = 0;
        Some(text)
    }

    /// The pings last returned have been handed to the socket whole: their time runs from now.
    pub(super) fn asked(&mut self, now: Instant) {
        let last = self.stream.last_asked;
        for asked in self
            .stream
            .asked
            .iter_mut()
            .rev()
            .take_while(|asked| Some(asked.at) == last)
        {
            asked.at = now;
        }
        if last.is_some() {
            self.stream.last_asked = Some(now);
        }
    }

    /// When [`Barrier::due`] has something next.
    pub(super) fn deadline(&self) -> Instant {
        let stream = &self.stream;
        let Some(last) = stream.last_asked else {
            let wait = if stream.written > stream.proven {
                Duration::ZERO
            } else {
                PACE
            };
            return stream.since + wait;
        };
        match stream.asked.len() {
            0 if stream.written > stream.proven => last + PACE,
            0 => last + IDLE,
            1 => last + FIRST_WAIT,
            _ => last + NEXT_WAIT,
        }
    }

    /// When to give the stream up, if nothing is answered until then.
    pub(super) fn give_up(&self) -> Option<Instant> {
        self.stream.asked.front().map(|asked| asked.at + SILENCE)
    }

    /// Whether the stream has to be given up.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.give_up().is_some_and(|limit| now >= limit)
    }

    /// Judges an iq by its id and sender; what came may be a get, a result or an error alike.
    pub(super) fn answer(
        &mut self,
        id: &str,
        from: &str,
        now: Instant,
    ) -> (Answer, Option<Notice>) {
        let Some((word, seq)) = id
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
        else {
            return (Answer::Unrelated, None);
        };
        if from != self.domain && from != self.server {
            return (Answer::Unrelated, None);
        }
        if word != self.word {
            return (Answer::Spent, self.stranger(now));
        }
        let Ok(seq) = u64::from_str_radix(seq, 16) else {
            return (Answer::Spent, None);
        };
        let Some(at) = self.stream.asked.iter().position(|asked| asked.seq == seq) else {
            return (Answer::Spent, None);
        };
        let own_asked = self
            .stream
            .asked
            .iter()
            .take(at)
            .any(|asked| asked.whom == Whom::Ourselves && asked.at + FIRST_WAIT <= now);
        let upto = self.stream.asked[at].upto;
        let whom = self.stream.asked[at].whom;
        self.stream.asked.drain(..=at);
        self.stream.last_answer = Some(now);
        // A proof covers what was written before its ping; a ping asked later is moot if it covers
        // no more than that.
        self.stream.asked.retain(|asked| asked.upto > upto);
        self.stream.proven = self.stream.proven.max(upto);
        let notice = self.route_by(whom, own_asked);
        (Answer::Proof(upto), notice)
    }

    fn route_by(&mut self, whom: Whom, own_overdue: bool) -> Option<Notice> {
        match whom {
            Whom::Ourselves => {
                self.stream.homes += 1;
                self.stream.route = Whom::Ourselves;
                None
            }
            Whom::Server if own_overdue && self.stream.route == Whom::Ourselves => {
                self.stream.route = Whom::Server;
                Some(if self.stream.homes > 0 {
                    Notice::Losing
                } else {
                    Notice::NoLoop
                })
            }
            Whom::Server => None,
        }
    }

    fn stranger(&mut self, now: Instant) -> Option<Notice> {
        // Right after a restart it may be the last ping of the process before us.
        if self.stream.told_stranger || now < self.stream.since + SETTLING {
            return None;
        }
        self.stream.told_stranger = true;
        Some(Notice::Stranger)
    }

    fn is_batch_full(&self) -> bool {
        self.stream.asked.is_empty() && self.stream.stanzas >= BATCH
    }

    fn ask(&mut self, whom: Whom, now: Instant, text: &mut String) {
        let seq = self.next;
        self.next += 1;
        let to = match whom {
            Whom::Ourselves => &self.domain,
            Whom::Server => &self.server,
        };
        // Domain names need no escaping: the configuration has checked them.
        text.push_str(&format!(
            "<iq type='get' from='{}' to='{to}' id='{PREFIX}{}-{seq:x}'>\
             <ping xmlns='urn:xmpp:ping'/></iq>",
            self.domain, self.word,
        ));
        self.stream.asked.push_back(Asked {
            seq,
            upto: self.stream.written,
            at: now,
            whom,
        });
    }
}

impl Stream {
    fn new(since: Instant) -> Self {
        Self {
            since,
            written: 0,
            proven: 0,
            stanzas: 0,
            asked: VecDeque::new(),
            last_asked: None,
            last_answer: None,
            homes: 0,
            route: Whom::Ourselves,
            told_stranger: false,
        }
    }
}

/// What the ids of our pings begin with; nobody else in the component may use it.
const PREFIX: &str = "barrier-";
/// Not more often than this, unless [`BATCH`] stanzas went out.
const PACE: Duration = Duration::from_millis(250);
const BATCH: usize = 64;
/// A quiet stream is tried this often.
const IDLE: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_secs(10);
const NEXT_WAIT: Duration = Duration::from_secs(30);
/// Longer than a server's pause for a backup, shorter than a user's patience.
const SILENCE: Duration = Duration::from_secs(90);
const SETTLING: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn barrier() -> (Barrier, Instant) {
        let now = Instant::now();
        (
            Barrier::new("ab".to_owned(), "irc.example.org", "example.org", now),
            now,
        )
    }

    fn id(seq: u64) -> String {
        format!("barrier-ab-{seq:x}")
    }

    fn home(barrier: &mut Barrier, seq: u64, now: Instant) -> (Answer, Option<Notice>) {
        barrier.answer(&id(seq), "irc.example.org", now)
    }

    fn from_server(barrier: &mut Barrier, seq: u64, now: Instant) -> (Answer, Option<Notice>) {
        barrier.answer(&id(seq), "example.org", now)
    }

    #[test]
    fn one_ping_is_under_way_at_a_time_and_a_full_batch_does_not_wait_for_the_pace() {
        let (mut barrier, now) = barrier();
        barrier.writing(1, 1);
        assert!(barrier.due(now).is_some());
        barrier.writing(2, 1000);
        assert_eq!(barrier.due(now), None, "the first is not answered");
        assert_eq!(home(&mut barrier, 1, now), (Answer::Proof(1), None));
        assert!(barrier.due(now).is_some(), "a full batch");
        assert_eq!(home(&mut barrier, 2, now), (Answer::Proof(2), None));
        barrier.writing(3, 1);
        assert_eq!(barrier.due(now), None, "not before the pace allows");
        assert!(barrier.due(now + PACE).is_some());
    }

    #[test]
    fn a_later_answer_proves_what_earlier_pings_asked() {
        let (mut barrier, now) = barrier();
        barrier.writing(1, 1);
        barrier.due(now);
        barrier.writing(2, 1);
        let text = barrier.due(now + FIRST_WAIT).expect("asks again");
        assert!(text.contains(&id(2)) && text.contains(&id(3)), "{text}");
        assert_eq!(
            home(&mut barrier, 2, now + 11 * SECOND),
            (Answer::Proof(2), None)
        );
        assert_eq!(
            home(&mut barrier, 1, now + 12 * SECOND),
            (Answer::Spent, None)
        );
        assert_eq!(
            barrier.give_up(),
            None,
            "the ping to the server asks nothing more"
        );
    }

    #[test]
    fn pings_that_never_came_home_and_pings_that_stopped_to_are_told_apart() {
        let (mut never, now) = barrier();
        never.due(now + PACE);
        never.due(now + 11 * SECOND);
        let answer = from_server(&mut never, 3, now + 11 * SECOND);
        assert_eq!(answer, (Answer::Proof(0), Some(Notice::NoLoop)));

        let (mut stopped, now) = barrier();
        stopped.due(now + PACE);
        home(&mut stopped, 1, now + PACE);
        stopped.due(now + 70 * SECOND);
        stopped.due(now + 80 * SECOND);
        let answer = from_server(&mut stopped, 4, now + 81 * SECOND);
        assert_eq!(answer, (Answer::Proof(0), Some(Notice::Losing)));
    }

    #[test]
    fn another_process_is_told_once_and_not_right_after_the_start() {
        let (mut barrier, now) = barrier();
        let mut stranger = |at| barrier.answer("barrier-ff-1", "irc.example.org", at);
        assert_eq!(stranger(now + SECOND), (Answer::Spent, None));
        assert_eq!(
            stranger(now + SETTLING),
            (Answer::Spent, Some(Notice::Stranger))
        );
        assert_eq!(stranger(now + SETTLING), (Answer::Spent, None));
    }

    #[test]
    fn a_stream_is_dead_after_ninety_seconds_of_silence_and_not_before() {
        let (mut barrier, now) = barrier();
        assert!(barrier.due(now + PACE).is_some());
        for at in [11, 41, 71] {
            assert!(barrier.due(now + at * SECOND).is_some(), "at {at}");
        }
        assert!(!barrier.is_dead(now + 90 * SECOND));
        assert!(barrier.is_dead(now + PACE + SILENCE));
        barrier.begin(now + 100 * SECOND);
        assert!(!barrier.is_dead(now + 200 * SECOND));
    }
}
