//! Logging in to a network's services while connecting: IRCv3 sasl-3.2, RFC 4422.
//!
//! ```text
//!   Idle --CAP ACK--> Named --AUTHENTICATE +--> Answered --903, 907--> Done
//!                       |                          |
//!                       +---- 902 904 905 906 908 -+--> next mechanism, or the connection ends
//! ```
//!
//! EXTERNAL (a client certificate), SCRAM-SHA-256 and PLAIN, in this order, as far as the server
//! names them in `sasl=` and the user has what they take. A password that the server refused is
//! not tried with a weaker mechanism, and PLAIN not over a connection that has only fallen back to
//! plain text. A login that was asked for and cannot be had ends the connection with the network's
//! words.

mod scram;

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::{Event, Fault, FaultKind, Sink, Words};

use super::{Conversation, End, Phase, Safety};
use crate::config::Secret;
use crate::line::Line;

/// Why a login fails: in English and Chinese.
type Why = (&'static str, &'static str);

/// What a user logs in with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The name of the account; empty: the nickname the user comes with, and once that was right,
    /// that one, whatever he is called then.
    pub user: String,
    /// The password of the account; `None`: a client certificate has to do.
    pub password: Option<Secret>,
}

/// A way to log in, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    External,
    ScramSha256,
    Plain,
}

impl Mechanism {
    const ALL: [Self; 3] = [Self::External, Self::ScramSha256, Self::Plain];

    fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

/// See the drawing above.
#[derive(Default)]
enum State {
    #[default]
    Idle,
    Named(Mechanism),
    Answered(Mechanism),
    Scram(Box<scram::Client>),
    Done,
}

/// How far the login is.
#[derive(Default)]
pub(super) struct Sasl {
    state: State,
    /// What can be tried yet.
    left: Vec<Mechanism>,
    /// Pieces of what the server says.
    heard: String,
    /// The account that was named.
    named: String,
}

impl Sasl {
    /// The server's word is awaited.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Idle | State::Done)
    }

    /// Logged in.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

/// Bytes of one AUTHENTICATE; a full one is continued.
const CHUNK: usize = 400;
/// Bytes of what a server says at most.
const MOST_HEARD: usize = 8 * CHUNK;

const LOGGED_IN: u16 = 900;
const LOGGED_OUT: u16 = 901;
const LOCKED: u16 = 902;
const SUCCESS: u16 = 903;
const FAILED: u16 = 904;
const TOO_LONG: u16 = 905;
const ABORTED: u16 = 906;
const ALREADY: u16 = 907;
const MECHANISMS: u16 = 908;

impl Conversation {
    /// `sasl` was granted: the login begins.
    pub(super) fn sasl_begin(&mut self, sink: &mut dyn Sink) {
        if self.sasl.is_open() || self.sasl.is_done() {
            return;
        }
        let offered = self.caps.sasl().unwrap_or("").to_ascii_uppercase();
        let named = |mechanism: &Mechanism| {
            offered.is_empty() || offered.split(',').any(|name| name == mechanism.name())
        };
        let mut left: Vec<_> = Mechanism::ALL.into_iter().filter(named).collect();
        left.retain(|mechanism| self.has_what_it_takes(*mechanism));
        left.reverse();
        self.sasl.left = left;
        self.sasl_next(
            (
                "the network offers no way to log in that can be used here",
                "该网络不提供此处可用的登录方式",
            ),
            sink,
        );
    }

    fn has_what_it_takes(&self, mechanism: Mechanism) -> bool {
        let login = self.settings.login.as_ref();
        let password = login.is_some_and(|it| it.password.is_some());
        match mechanism {
            Mechanism::External => self.certificate && self.safety == Safety::Tls,
            Mechanism::ScramSha256 => password,
            Mechanism::Plain => password && self.safety != Safety::Fallback,
        }
    }

    /// Tries the next mechanism; without one the login has failed with these words.
    fn sasl_next(&mut self, words: impl Into<Words>, sink: &mut dyn Sink) {
        self.sasl.heard.clear();
        match self.sasl.left.pop() {
            Some(mechanism) => {
                self.sasl.state = State::Named(mechanism);
                self.queue.wire.line(&["AUTHENTICATE ", mechanism.name()]);
            }
            None => self.sasl_failed(words, false, sink),
        }
    }

    /// There is no login. While connecting that ends the connection.
    pub(super) fn sasl_failed(
        &mut self,
        words: impl Into<Words>,
        retry: bool,
        sink: &mut dyn Sink,
    ) {
        self.sasl = Sasl::default();
        if self.end.is_some() {
            return;
        }
        if self.settings.login.is_none() || !matches!(self.phase, Phase::Registering(_)) {
            // A certificate alone is a try: the network may not know it yet.
            self.remark(None, words.into(), sink);
            return self.cap_end();
        }
        self.queue.wire.line(&["QUIT"]);
        self.end = Some(End {
            fault: Fault::new(FaultKind::NotAuthorized, words),
            retry,
        });
    }

    /// The server has welcomed us, or has listed what it can do, without a login that was asked
    /// for.
    pub(super) fn sasl_missed(&mut self, sink: &mut dyn Sink) {
        if self.settings.login.is_some() && !self.sasl.is_done() {
            let words = (
                "the network offers no login (SASL) now",
                "该网络目前不提供登录（SASL）",
            );
            self.sasl_failed(words, true, sink);
        }
    }

    /// `AUTHENTICATE words`.
    pub(super) fn on_authenticate(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let words = line.param(0).unwrap_or("+");
        if words != "+" {
            if self.sasl.heard.len() + words.len() > MOST_HEARD {
                let words = ("the server says too much", "服务器发送的内容过多");
                return self.sasl_abort(words, sink);
            }
            self.sasl.heard.push_str(words);
            if words.len() == CHUNK {
                return;
            }
        }
        let heard = STANDARD.decode(std::mem::take(&mut self.sasl.heard));
        let Some(heard) = heard.ok().and_then(|heard| String::from_utf8(heard).ok()) else {
            let words = (
                "what the server says cannot be read",
                "无法读取服务器发送的内容",
            );
            return self.sasl_abort(words, sink);
        };
        match self.sasl_answer(&heard) {
            Ok(Some(answer)) => self.authenticate(&answer),
            Ok(None) => {}
            Err(words) => self.sasl_abort(words, sink),
        }
    }

    /// What to say to this challenge; `None`: nothing was asked.
    fn sasl_answer(&mut self, heard: &str) -> Result<Option<String>, Why> {
        let login = self.settings.login.as_ref();
        let user = login.map_or("", |login| &login.user);
        let user = match (user, &self.proven) {
            ("", Some(proven)) => proven.to_string(),
            ("", None) if self.settings.nick.is_ascii() => {
                super::register::tidy(&self.settings.nick)
            }
            ("", None) => self.settings.nick.clone(),
            (user, _) => user.to_owned(),
        };
        // A certificate names the account itself.
        let certified = matches!(self.sasl.state, State::Named(Mechanism::External));
        self.sasl.named.clear();
        if !certified {
            self.sasl.named.push_str(&user);
        }
        let password = login.and_then(|login| login.password.as_ref());
        let password = password.map_or("", |password| &password.0);
        match &mut self.sasl.state {
            State::Named(Mechanism::ScramSha256) => {
                let client = scram::Client::new(&user, password, nonce()?);
                let first = client.first();
                self.sasl.state = State::Scram(Box::new(client));
                Ok(Some(first))
            }
            State::Named(mechanism) => {
                let answer = match mechanism {
                    Mechanism::Plain => plain(&user, password),
                    // RFC 4422, appendix A.1: whom the certificate names. COMPAT(Atheme 7.2): an
                    // account that is named is read with what lies behind it in memory.
                    _ => String::new(),
                };
                self.sasl.state = State::Answered(*mechanism);
                Ok(Some(answer))
            }
            State::Scram(client) => client.answer(heard).map(Some),
            State::Idle | State::Answered(_) | State::Done => Ok(None),
        }
    }

    fn sasl_abort(&mut self, words: Why, sink: &mut dyn Sink) {
        if self.sasl.is_open() {
            self.queue.wire.line(&["AUTHENTICATE *"]);
            self.sasl_failed(words, false, sink);
        }
        self.sasl.heard.clear();
    }

    /// Says something in pieces of 400 bytes; a last one that is full is followed by an empty one.
    fn authenticate(&mut self, text: &str) {
        let encoded = STANDARD.encode(text);
        let mut rest = encoded.as_str();
        while rest.len() >= CHUNK {
            let (chunk, after) = rest.split_at(CHUNK);
            self.queue.wire.line(&["AUTHENTICATE ", chunk]);
            rest = after;
        }
        let last = if rest.is_empty() { "+" } else { rest };
        self.queue.wire.line(&["AUTHENTICATE ", last]);
    }

    /// 900 to 908. False: it is none of these, or answers nothing.
    pub(super) fn on_sasl(
        &mut self,
        number: u16,
        line: &Line<'_>,
        now: Instant,
        sink: &mut dyn Sink,
    ) -> bool {
        match number {
            // As which account one is known is worth being told, whenever that changes.
            LOGGED_IN | LOGGED_OUT => {
                // `900 me mask account :words`
                self.account = match number {
                    LOGGED_IN => line.param(2).map(Into::into),
                    _ => None,
                };
                if number == LOGGED_OUT {
                    self.sasl = Sasl::default();
                }
                self.notice(None, line.last(), sink);
                if number == LOGGED_IN {
                    self.services_know(sink, now);
                }
                return true;
            }
            LOCKED..=MECHANISMS if !self.sasl.is_open() => return false,
            SUCCESS | ALREADY => {
                let unproven = match &self.sasl.state {
                    State::Scram(client) => !client.is_proven(),
                    _ => false,
                };
                if unproven && number == SUCCESS {
                    let words = (
                        "the server did not show that it knows the password",
                        "服务器未能证明它知道该密码",
                    );
                    self.sasl_failed(words, false, sink);
                    return true;
                }
                self.sasl.state = State::Done;
                self.sasl.heard = String::new();
                if number == SUCCESS {
                    self.account_is_proven(sink);
                }
            }
            MECHANISMS => {
                let names = line.param(1).unwrap_or("").to_ascii_uppercase();
                let named = |m: &Mechanism| names.split(',').any(|name| name == m.name());
                self.sasl.left.retain(named);
                return true;
            }
            LOCKED | FAILED | TOO_LONG | ABORTED => self.on_sasl_refused(number, line, sink),
            _ => return false,
        }
        self.cap_end();
        true
    }

    /// The nickname was the name of the account: it stays that, over restarts too.
    fn account_is_proven(&mut self, sink: &mut dyn Sink) {
        let named = std::mem::take(&mut self.sasl.named);
        let assumed = self.settings.login.as_ref();
        let assumed = assumed.is_some_and(|login| login.user.is_empty());
        if assumed && !named.is_empty() && self.proven.as_deref() != Some(&named) {
            self.proven = Some(named.as_str().into());
            let state = named.into_bytes();
            sink.event(Event::Keep { state });
        }
    }

    fn on_sasl_refused(&mut self, number: u16, line: &Line<'_>, sink: &mut dyn Sink) {
        // Before anything was shown the mechanism was refused, not the password.
        let shown = match &self.sasl.state {
            State::Answered(mechanism) => *mechanism != Mechanism::External,
            State::Scram(_) => true,
            _ => false,
        };
        if shown || number == LOCKED {
            self.sasl.left.clear();
        }
        if shown && number == FAILED && self.proven.take().is_some() {
            // It is no account any more: the next login is under the nickname again.
            let state = Vec::new();
            sink.event(Event::Keep { state });
        }
        let words = line.last();
        match words.is_empty() {
            true => self.sasl_next(("the login was refused", "登录被拒绝"), sink),
            false => self.sasl_next(words, sink),
        }
    }
}

/// RFC 4616 §2. COMPAT(Atheme 7.2): an answer of whole pieces is refused there, the right password
/// or not; then the name to act as, which is the other one where it is empty, is left out.
fn plain(user: &str, password: &str) -> String {
    let whole = |answer: &str| answer.len().is_multiple_of(CHUNK / 4 * 3);
    let answer = format!("{user}\0{user}\0{password}");
    match whole(&answer) {
        true => format!("\0{user}\0{password}"),
        false => answer,
    }
}

/// 24 characters that nobody can guess.
fn nonce() -> Result<String, Why> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 18];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| ("the system has no randomness", "系统没有可用的随机数"))?;
    Ok(STANDARD.encode(bytes))
}
