//! The state machine of one incoming connection: SMTP (RFC 5321) or LMTP (RFC 2033).
//!
//! Bytes in, replies and questions out; whoever drives it answers the questions and moves the
//! bytes. With PIPELINING (RFC 2920), 8BITMIME, SMTPUTF8, SIZE, ENHANCEDSTATUSCODES and STARTTLS.
//! It takes mail for one domain and is never a relay. Not here: BDAT, DSN, AUTH.

mod reply;

use memchr::memmem;
use smtp_proto::{Error, MAIL_BODY_BINARYMIME, MAIL_REQUIRETLS, MailFrom, Request};

pub use self::reply::Reply;
use super::wire::{Content, Framed, Unfit, frame};

/// Commands that make no sense, before the connection is ended.
const MOST_ERRORS: u32 = 10;
/// Commands without a mail between them, before the connection is ended; recipients apart.
const MOST_COMMANDS: u32 = 100;

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One answer for all recipients.
    Smtp,
    /// One answer a recipient.
    Lmtp,
}

/// How a connection is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one domain that mail is taken for, as A-labels in lower case.
    pub domain: String,
    /// Which protocol.
    pub protocol: Protocol,
    /// STARTTLS can be had.
    pub tls: bool,
    /// Largest mail, in bytes.
    pub max_size: usize,
    /// Recipients of one mail, at most.
    pub max_recipients: usize,
}

/// What has to be done outside. Nothing more is read from the peer before it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask<T> {
    /// Is there such a recipient? Answer with [`Server::recipient`].
    Recipient {
        /// The envelope sender; empty for a bounce.
        from: String,
        /// The local part at our domain.
        local: String,
    },
    /// A whole mail. Answer with [`Server::message`].
    Message {
        /// The envelope sender; empty for a bounce.
        from: String,
        /// Whom it is for.
        to: Vec<T>,
        /// The mail.
        content: Vec<u8>,
    },
    /// Send what there is to send, shake hands, then call [`Server::encrypted`].
    StartTls,
    /// Send what there is to send and close.
    Close,
}

/// One connection. `T` is what a recipient stands for.
#[derive(Debug)]
pub struct Server<T> {
    settings: Settings,
    input: Vec<u8>,
    output: Vec<u8>,
    phase: Phase,
    greeted: bool,
    encrypted: bool,
    from: Option<String>,
    to: Vec<T>,
    errors: u32,
    commands: u32,
}

#[derive(Debug)]
enum Phase {
    /// Reading commands.
    Command,
    /// Reading a mail.
    Content(Content),
    /// Something was asked.
    Asked,
    /// The connection is over.
    Closed,
}

impl<T: Clone> Server<T> {
    /// A connection that has just been made: the greeting waits to be sent.
    pub fn new(settings: Settings) -> Self {
        let word = match settings.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        let greeting = format!("220 {} {word} isthmus\r\n", settings.domain);
        Self {
            settings,
            input: Vec::new(),
            output: greeting.into_bytes(),
            phase: Phase::Command,
            greeted: false,
            encrypted: false,
            from: None,
            to: Vec::new(),
            errors: 0,
            commands: 0,
        }
    }

    /// Which protocol is spoken.
    pub fn protocol(&self) -> Protocol {
        self.settings.protocol
    }

    /// Takes bytes from the peer. To be called only when [`Server::advance`] has nothing to ask.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Goes on as far as possible; something to ask, or nothing when more has to be read.
    pub fn advance(&mut self) -> Option<Ask<T>> {
        loop {
            match &mut self.phase {
                Phase::Asked | Phase::Closed => return None,
                Phase::Content(content) => {
                    let (taken, end) = content.take(&self.input);
                    self.input.drain(..taken);
                    if !end {
                        return None;
                    }
                    if let Some(ask) = self.end_of_content() {
                        return Some(ask);
                    }
                }
                Phase::Command => match frame(&self.input) {
                    Framed::Partial => return None,
                    Framed::TooLong => {
                        self.reply(Reply::new(500, "5.5.6", "line too long"));
                        return Some(self.close());
                    }
                    Framed::Bare(length) => {
                        self.input.drain(..length);
                        self.wrong(Reply::new(500, "5.5.2", "a line ends with CR and LF"));
                    }
                    Framed::Line(length) => {
                        let line: Vec<u8> = self.input.drain(..length).collect();
                        if let Some(ask) = self.line(&line) {
                            return Some(ask);
                        }
                    }
                },
            }
            if self.errors > MOST_ERRORS || self.commands > MOST_COMMANDS {
                self.reply(Reply::new(421, "4.7.0", "too many commands, goodbye"));
                return Some(self.close());
            }
        }
    }

    /// What waits to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Answers [`Ask::Recipient`].
    pub fn recipient(&mut self, answer: Result<T, Reply>) {
        self.phase = Phase::Command;
        match answer {
            Ok(recipient) => {
                self.to.push(recipient);
                self.commands = self.commands.saturating_sub(1);
                self.reply(Reply::new(250, "2.1.5", "recipient ok"));
            }
            Err(reply) if reply.code < 500 => self.reply(reply),
            Err(reply) => self.wrong(reply),
        }
    }

    /// Answers [`Ask::Message`]: one reply for SMTP, one a recipient in their order for LMTP.
    pub fn message(&mut self, replies: Vec<Reply>) {
        self.phase = Phase::Command;
        self.commands = 0;
        for reply in replies {
            self.reply(reply);
        }
    }

    /// The connection is encrypted from here on: everything said before is forgotten (RFC 3207
    /// §4.2).
    pub fn encrypted(&mut self) {
        self.phase = Phase::Command;
        self.encrypted = true;
        self.greeted = false;
        self.reset();
    }

    /// Ends the connection from our side, such as after a silence.
    pub fn hang_up(&mut self, text: &'static str) {
        if !matches!(self.phase, Phase::Closed) {
            self.reply(Reply::new(421, "4.4.2", text));
            self.phase = Phase::Closed;
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Ask<T>> {
        self.commands += 1;
        let text = &line[..line.len() - 2];
        if text
            .iter()
            .any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
        {
            self.wrong(Reply::new(500, "5.5.2", "control characters in a command"));
            return None;
        }
        match Request::parse(&mut line.iter()) {
            Ok(Request::Rcpt { to }) if to.address.is_empty() => {
                // The parser tells `<Postmaster>` and `<>` not apart.
                let postmaster = text.to_ascii_lowercase();
                let postmaster = memmem::find(&postmaster, b"<postmaster>").is_some();
                self.rcpt(if postmaster { "postmaster" } else { "" })
            }
            Ok(request) => self.request(request.into_owned()),
            Err(error) => {
                self.wrong(misread(&error));
                None
            }
        }
    }

    fn request(&mut self, request: Request<String>) -> Option<Ask<T>> {
        match request {
            Request::Ehlo { .. } => self.hello(Protocol::Smtp, true),
            Request::Helo { .. } => self.hello(Protocol::Smtp, false),
            Request::Lhlo { .. } => self.hello(Protocol::Lmtp, true),
            Request::Mail { from } => self.mail(from),
            Request::Rcpt { to } => return self.rcpt(&to.address),
            Request::Data => return self.data(),
            Request::StartTls => return self.start_tls(),
            Request::Rset => {
                self.reset();
                self.reply(Reply::new(250, "2.0.0", "forgotten"));
            }
            Request::Noop { .. } => self.reply(Reply::new(250, "2.0.0", "ok")),
            Request::Help { .. } => self.reply(Reply::new(214, "2.0.0", "RFC 5321")),
            Request::Vrfy { .. } => self.reply(Reply::new(252, "2.0.0", "send mail and see")),
            Request::Quit => {
                self.reply(Reply::new(221, "2.0.0", "goodbye"));
                return Some(self.close());
            }
            Request::Bdat { .. } | Request::Burl { .. } => {
                // What follows is content and must not be read as commands.
                self.reply(Reply::new(503, "5.5.1", "not offered here"));
                return Some(self.close());
            }
            _ => self.wrong(Reply::new(502, "5.5.1", "there is no such command here")),
        }
        None
    }

    fn hello(&mut self, protocol: Protocol, extended: bool) {
        if protocol != self.settings.protocol {
            let word = match self.settings.protocol {
                Protocol::Smtp => "this is SMTP: say EHLO",
                Protocol::Lmtp => "this is LMTP: say LHLO",
            };
            return self.wrong(Reply::new(500, "5.5.1", word));
        }
        self.reset();
        self.greeted = true;
        let domain = &self.settings.domain;
        if !extended {
            self.output
                .extend_from_slice(format!("250 {domain}\r\n").as_bytes());
            return;
        }
        let mut lines = vec![
            domain.clone(),
            "PIPELINING".to_owned(),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            format!("SIZE {}", self.settings.max_size),
        ];
        if self.settings.tls && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        for line in lines {
            self.output
                .extend_from_slice(format!("250-{line}\r\n").as_bytes());
        }
        self.output
            .extend_from_slice(b"250 ENHANCEDSTATUSCODES\r\n");
    }

    fn mail(&mut self, from: MailFrom<String>) {
        if !self.greeted {
            return self.wrong(Reply::new(503, "5.5.1", "say hello first"));
        }
        if self.from.is_some() {
            return self.wrong(Reply::new(503, "5.5.1", "one mail at a time"));
        }
        if from.flags & (MAIL_BODY_BINARYMIME | MAIL_REQUIRETLS) != 0 {
            return self.wrong(Reply::new(555, "5.5.4", "parameter not offered here"));
        }
        // RFC 1870 §6.1: a size that is announced can be refused at once.
        if from.size > self.settings.max_size {
            return self.reply(Reply::new(552, "5.3.4", "mail too large"));
        }
        self.from = Some(from.address);
        self.reply(Reply::new(250, "2.1.0", "sender ok"));
    }

    fn rcpt(&mut self, to: &str) -> Option<Ask<T>> {
        let Some(from) = &self.from else {
            self.wrong(Reply::new(503, "5.5.1", "who is the sender?"));
            return None;
        };
        if self.to.len() >= self.settings.max_recipients {
            // RFC 5321 §4.5.3.1.10: the rest goes in another mail.
            self.reply(Reply::new(452, "4.5.3", "too many recipients"));
            return None;
        }
        let local = match to.rsplit_once('@') {
            Some((local, domain)) => {
                let ours = idna::domain_to_ascii(domain).is_ok_and(|it| it == self.settings.domain);
                ours.then_some(local)
            }
            // RFC 5321 §4.1.1.3: this one needs no domain.
            None => to.eq_ignore_ascii_case("postmaster").then_some(to),
        };
        let Some(local) = local else {
            self.wrong(Reply::new(550, "5.7.1", "no relaying"));
            return None;
        };
        let ask = Ask::Recipient {
            from: from.clone(),
            local: local.to_owned(),
        };
        self.phase = Phase::Asked;
        Some(ask)
    }

    fn data(&mut self) -> Option<Ask<T>> {
        if !self.input.is_empty() {
            // RFC 2920 §3.1: DATA is the last of its group. Content that comes before it was asked
            // for must not be read as commands either.
            self.reply(Reply::new(503, "5.5.0", "content before it was asked for"));
            return Some(self.close());
        }
        if self.from.is_none() || self.to.is_empty() {
            self.wrong(Reply::new(503, "5.5.1", "there are no recipients"));
            return None;
        }
        self.output
            .extend_from_slice(b"354 go on, end with a dot\r\n");
        self.phase = Phase::Content(Content::new(self.settings.max_size));
        None
    }

    fn end_of_content(&mut self) -> Option<Ask<T>> {
        let Phase::Content(content) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return None;
        };
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to);
        let refusal = match content.finish() {
            Ok(content) => {
                self.phase = Phase::Asked;
                return Some(Ask::Message { from, to, content });
            }
            Err(Unfit::Bare) => Reply::new(550, "5.6.0", "a line ends with CR and LF"),
            Err(Unfit::TooLarge) => Reply::new(552, "5.3.4", "mail too large"),
        };
        let times = match self.settings.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => to.len(),
        };
        self.message(vec![refusal; times]);
        None
    }

    fn start_tls(&mut self) -> Option<Ask<T>> {
        if !self.settings.tls || self.encrypted {
            self.wrong(Reply::new(502, "5.5.1", "not offered here"));
            return None;
        }
        if !self.input.is_empty() {
            // What came in plain text must not count as said under encryption.
            self.reply(Reply::new(503, "5.5.0", "commands before the handshake"));
            return Some(self.close());
        }
        self.reply(Reply::new(220, "2.0.0", "shake hands"));
        self.phase = Phase::Asked;
        Some(Ask::StartTls)
    }

    fn close(&mut self) -> Ask<T> {
        self.phase = Phase::Closed;
        self.input = Vec::new();
        Ask::Close
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn wrong(&mut self, reply: Reply) {
        self.errors += 1;
        self.reply(reply);
    }

    fn reply(&mut self, reply: Reply) {
        reply.write(&mut self.output);
    }
}

fn misread(error: &Error) -> Reply {
    match error {
        Error::InvalidSenderAddress => Reply::new(501, "5.1.7", "that is no sender's address"),
        Error::InvalidRecipientAddress => Reply::new(501, "5.1.3", "that is no mail address"),
        Error::UnsupportedParameter { .. } => Reply::new(555, "5.5.4", "unknown parameter"),
        Error::InvalidParameter { .. } => Reply::new(501, "5.5.4", "bad parameter"),
        Error::SyntaxError { syntax } => Reply::new(501, "5.5.2", *syntax),
        _ => Reply::new(500, "5.5.1", "there is no such command here"),
    }
}

#[cfg(test)]
mod tests;
