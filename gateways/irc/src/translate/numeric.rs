//! Numeric replies: which of them mean something here, and what a refusal means to the user.
//!
//! Names come from `irc::proto`; numbers it does not know are named below with their source.

use std::time::Instant;

use irc::proto::Response as R;
use isthmus_gateway::{FaultKind, Sink, words};

use super::asked::Want;
use super::register::refused;
use super::{Conversation, Phase, format};
use crate::line::Line;

/// solanum, InspIRCd, UnrealIRCd: `470 me #old #new :Forwarding to another channel`.
pub(super) const FORWARD: u16 = 470;
/// solanum, InspIRCd: secure channel (TLS) only.
const SECURE_ONLY: u16 = 489;
/// InspIRCd, ergo: operators only.
const OPERATORS_ONLY: u16 = 520;
/// UnrealIRCd: cannot send to this user or channel.
const CANNOT_SEND: u16 = 531;
/// hybrid, solanum, InspIRCd: nickname changes too fast.
const NICK_TOO_FAST: u16 = 438;
/// InspIRCd, UnrealIRCd: no nickname changes in this channel.
const NICK_LOCKED: u16 = 447;
/// hybrid, solanum: caller id, ergo: registered users only (`+R`, `+g`).
const NEED_REGISTERED: [u16; 3] = [486, 494, 716];
const WHOIS_END: u16 = R::RPL_ENDOFWHOIS as u16;
/// ircu, solanum, InspIRCd, ergo: a line of WHO with chosen fields.
const WHOX: u16 = 354;
const WHO_END: u16 = R::RPL_ENDOFWHO as u16;
const LIST_START: u16 = R::RPL_LISTSTART as u16;
const LIST: u16 = R::RPL_LIST as u16;
const LIST_END: u16 = R::RPL_LISTEND as u16;
const BAN: u16 = R::RPL_BANLIST as u16;
const BAN_END: u16 = R::RPL_ENDOFBANLIST as u16;
/// hybrid, solanum, InspIRCd, ergo.
const KNOCK: u16 = 710;
const KNOCKED: u16 = 711;
const KNOCK_TOO_OFTEN: u16 = 712;
/// RFC 2812 has no such number: "cannot knock".
const KNOCK_CLOSED: u16 = 480;
const BAN_LIST_FULL: u16 = R::ERR_BANLISTFULL as u16;
/// IRCv3 monitor.
const MON_ONLINE: u16 = 730;
const MON_OFFLINE: u16 = 731;
const MON_END: u16 = 733;
const MON_FULL: u16 = 734;
/// bahamut, UnrealIRCd, InspIRCd 2.
const WATCH_ON: u16 = 600;
const WATCH_OFF: u16 = 601;
const WATCH_REMOVED: u16 = 602;
const WATCH_IS_ON: u16 = 604;
const WATCH_IS_OFF: u16 = 605;
const WATCH_END: u16 = 607;
const WATCH_FULL: u16 = 512;
/// When a channel was made: of no use to anybody.
const CREATION_TIME: u16 = 329;
/// Bytes of a MOTD that are told.
const MOST_MOTD: usize = 8 * 1024;

impl Conversation {
    pub(super) fn on_numeric(
        &mut self,
        number: u16,
        line: &Line<'_>,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        const fn n(reply: R) -> u16 {
            reply as u16
        }
        match number {
            _ if number == n(R::RPL_WELCOME) => {
                self.on_welcome(line, now, sink);
                self.chatter(line.last(), false, sink);
            }
            _ if number == n(R::RPL_MOTD) => self.on_motd(line.last()),
            _ if number == n(R::RPL_ISUPPORT) => self.on_isupport(line),
            _ if number == n(R::RPL_ENDOFMOTD) => {
                self.on_motd_end(sink);
                self.online(now, sink);
            }
            _ if number == n(R::ERR_NOMOTD) && !matches!(self.phase, Phase::Online) => {
                self.online(now, sink);
            }
            _ if number == n(R::RPL_NAMREPLY) => self.on_names(line, sink),
            _ if number == n(R::RPL_ENDOFNAMES) => self.on_names_end(line, sink),
            _ if number == n(R::RPL_TOPIC) => self.on_topic_told(line),
            _ if number == n(R::RPL_TOPICWHOTIME) => self.on_topic_author(line, sink),
            _ if number == n(R::RPL_CHANNELMODEIS) => self.on_modes_told(line, sink),
            _ if number == n(R::RPL_INVITING) => self.on_inviting(line, sink),
            _ if number == n(R::RPL_HOSTHIDDEN) => self.on_own_host(line),
            _ if self.on_answer(number, line, sink) => {}
            _ if number == n(R::RPL_AWAY) => {
                let (nick, why) = (line.param(1).unwrap_or(""), line.last());
                let text = words!("{nick} is away: {why}", "{nick} 已离开：{why}");
                self.remark(None, text, sink);
            }
            _ if is_silent(number) => {}
            760..=774 if self.on_metadata_reply(number, line, sink) => {}
            900..=908 if self.on_sasl(number, line, now, sink) => {}
            MON_ONLINE | MON_OFFLINE => self.on_monitor(number == MON_ONLINE, line, sink),
            WATCH_ON | WATCH_IS_ON => self.on_watch(true, line, sink),
            WATCH_OFF | WATCH_IS_OFF => self.on_watch(false, line, sink),
            WATCH_REMOVED | WATCH_END | MON_END => {}
            MON_FULL => self.on_watch_full(line, now),
            WATCH_FULL if self.isupport.watch => self.on_watch_full(line, now),
            _ if number == n(R::RPL_ISON) && self.on_ison(line, sink) => {}
            400..=599 | 700..=799 if self.on_registration_refused(number, line) => {}
            _ if is_about_nick(number) && self.on_wish_refused(may_be_had_later(number), line) => {}
            400..=599 | 700..=799 | 900..=999 if self.on_refusal(number, line, sink) => {}
            _ => self.on_other(number, line, sink),
        }
    }

    fn on_motd(&mut self, line: &str) {
        if self.motd.len() + line.len() > MOST_MOTD {
            return;
        }
        if !self.motd.is_empty() {
            self.motd.push('\n');
        }
        self.motd
            .push_str(&format::plain(line.strip_prefix("- ").unwrap_or(line)).body);
    }

    /// The MOTD is one message, and told once: who comes again has read it, unless he asks for it.
    fn on_motd_end(&mut self, sink: &mut dyn Sink) {
        let text = std::mem::take(&mut self.motd);
        let read = self.greeted && !matches!(self.phase, Phase::Online);
        if !text.trim().is_empty() && !read {
            self.chatter(&text, false, sink);
        }
    }

    /// Answers to what the host has asked for. False: it has not.
    fn on_answer(&mut self, number: u16, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        match number {
            WHOIS_END => self.on_whois_end(line, sink),
            LIST => self.on_list(line, sink),
            LIST_START => true,
            LIST_END => self.on_list_end(sink),
            WHOX => self.on_whox(line, sink),
            WHO_END => self.on_who_end(line),
            BAN => self.on_ban(line, sink),
            BAN_END => self.on_ban_end(line, sink),
            KNOCKED => self.on_knocked(line, sink),
            KNOCK => {
                self.on_knock(line, sink);
                true
            }
            276 | 301..=338 | 378 | 671 => self.on_whois(number, line),
            _ => false,
        }
    }

    fn on_isupport(&mut self, line: &Line<'_>) {
        let words = line.params();
        for word in words.get(1..words.len().saturating_sub(1)).unwrap_or(&[]) {
            self.isupport.take(word);
        }
    }

    /// `396 me host :is now your hidden host`.
    fn on_own_host(&mut self, line: &Line<'_>) {
        if let Some(host) = line.param(1)
            && self.handle_len > 0
        {
            // `user@host` in some networks, `host` in most; the user name has at most 10 bytes.
            let user = if host.contains('@') { 0 } else { 11 };
            self.handle_len = user + host.len();
        }
    }

    /// Refusals of the registration itself. False: it is none.
    fn on_registration_refused(&mut self, number: u16, line: &Line<'_>) -> bool {
        let reply = |reply: R| number == reply as u16;
        if reply(R::ERR_YOUREBANNEDCREEP) {
            self.end = Some(refused(FaultKind::Forbidden, line.last()));
            return true;
        }
        if !matches!(self.phase, Phase::Registering(_)) {
            return false;
        }
        if reply(R::ERR_PASSWDMISMATCH) {
            self.end = Some(refused(FaultKind::NotAuthorized, line.last()));
            return true;
        }
        if is_taken(number) {
            return self.on_nick_refused(true, line);
        }
        if reply(R::ERR_ERRONEOUSNICKNAME) {
            return self.on_nick_refused(false, line);
        }
        // Servers without CAP say "unknown command" or "you have not registered".
        reply(R::ERR_UNKNOWNCOMMAND) || reply(R::ERR_NOTREGISTERED)
    }

    /// A standard reply that ends the registration (IRCv3 sasl, account-required). False: it is
    /// none.
    pub(super) fn on_fatal_fail(&mut self, code: &str, line: &Line<'_>) -> bool {
        let registering = matches!(self.phase, Phase::Registering(_));
        if !registering || code != "ACCOUNT_REQUIRED_TO_CONNECT" {
            return false;
        }
        self.end
            .get_or_insert_with(|| refused(FaultKind::NotAuthorized, line.last()));
        true
    }

    /// Any other reply: words from the network.
    pub(super) fn on_other(&mut self, number: u16, line: &Line<'_>, sink: &mut dyn Sink) {
        let words = line.params().get(1..).unwrap_or(&[]);
        let text = words.join(" ");
        if text.is_empty() {
            return;
        }
        let about = words.first().copied().unwrap_or("");
        let room = self.room(about).map(|room| room.name.clone());
        match room {
            Some(room) => self.notice(Some(&room), words[1..].join(" ").as_str(), sink),
            // How many are there is said to everybody who comes.
            None if number >= 400 && self.raw_room().is_some() => {
                let room = self.raw_room().map(str::to_owned);
                self.notice(room.as_deref(), &text, sink);
            }
            None if self.greeted && is_census(number) && !matches!(self.phase, Phase::Online) => {}
            None => self.chatter(&text, number >= 400, sink),
        }
    }
}

/// RFC 2812 §5.1: LUSERS, and what servers in use add (250, 265, 266).
fn is_census(number: u16) -> bool {
    matches!(number, 250..=255 | 265 | 266)
}

/// Replies that nobody needs to read.
fn is_silent(number: u16) -> bool {
    let silent = [
        R::RPL_YOURHOST,
        R::RPL_CREATED,
        R::RPL_MYINFO,
        R::RPL_MOTDSTART,
        R::RPL_UNAWAY,
        R::RPL_NOWAWAY,
        R::RPL_NOTOPIC,
    ];
    number == CREATION_TIME || silent.into_iter().any(|reply| reply as u16 == number)
}

/// What a refusal means.
pub(super) fn fault_kind(number: u16) -> FaultKind {
    use FaultKind as F;
    let table = [
        (R::ERR_NOSUCHNICK as u16, F::NoSuchTarget),
        (R::ERR_NOSUCHCHANNEL as u16, F::NoSuchTarget),
        (R::ERR_CANNOTSENDTOCHAN as u16, F::NotPrivileged),
        (R::ERR_TOOMANYCHANNELS as u16, F::RoomFull),
        (R::ERR_TOOMANYTARGETS as u16, F::TooFast),
        (R::ERR_NORECIPIENT as u16, F::BadRequest),
        (R::ERR_NOTEXTTOSEND as u16, F::BadRequest),
        (R::ERR_ERRONEOUSNICKNAME as u16, F::NickRefused),
        (R::ERR_NONICKNAMEGIVEN as u16, F::NickRefused),
        (R::ERR_NICKNAMEINUSE as u16, F::NickTaken),
        (R::ERR_NICKCOLLISION as u16, F::NickTaken),
        (R::ERR_UNAVAILRESOURCE as u16, F::TooFast),
        (R::ERR_USERNOTINCHANNEL as u16, F::NoSuchTarget),
        (R::ERR_NOTONCHANNEL as u16, F::NotJoined),
        (R::ERR_NEEDMOREPARAMS as u16, F::BadRequest),
        (R::ERR_YOUREBANNEDCREEP as u16, F::Forbidden),
        (R::ERR_CHANNELISFULL as u16, F::RoomFull),
        (R::ERR_UNKNOWNMODE as u16, F::Unsupported),
        (R::ERR_UNKNOWNCOMMAND as u16, F::Unsupported),
        (R::ERR_INVITEONLYCHAN as u16, F::MembersOnly),
        (R::ERR_BANNEDFROMCHAN as u16, F::Forbidden),
        (R::ERR_BADCHANNELKEY as u16, F::WrongPassword),
        (R::ERR_BADCHANMASK as u16, F::NoSuchTarget),
        // RFC 2812 says "no channel modes"; every network in use says "you must be registered".
        (R::ERR_NOCHANMODES as u16, F::NotRegistered),
        (R::ERR_NOPRIVILEGES as u16, F::NotPrivileged),
        (R::ERR_CHANOPRIVSNEEDED as u16, F::NotPrivileged),
        (R::ERR_UNIQOPPRIVSNEEDED as u16, F::NotPrivileged),
        (R::ERR_RESTRICTED as u16, F::NotPrivileged),
        (FORWARD, F::Moved),
        (NICK_TOO_FAST, F::TooFast),
        (NICK_LOCKED, F::NickRefused),
        (NEED_REGISTERED[0], F::NotRegistered),
        (NEED_REGISTERED[1], F::Forbidden),
        (NEED_REGISTERED[2], F::Forbidden),
        (CANNOT_SEND, F::Forbidden),
        (KNOCK_CLOSED, F::MembersOnly),
        (KNOCK_TOO_OFTEN, F::TooFast),
        (BAN_LIST_FULL, F::Full),
    ];
    let found = table.into_iter().find(|&(known, _)| known == number);
    found.map_or(F::Other, |(_, kind)| kind)
}

/// What the code of a standard reply means (IRCv3 standard-replies and the specifications that
/// use them).
pub(super) fn fail_kind(code: &str) -> FaultKind {
    use FaultKind as F;
    match code {
        "ACCOUNT_REQUIRED" | "ACCOUNT_REQUIRED_TO_CONNECT" | "NEED_REGISTRATION" => {
            F::NotRegistered
        }
        "INVALID_TARGET" | "UNKNOWN_MSGID" | "REDACT_INVALID_MSGID" | "NO_SUCH_CHANNEL" => {
            F::NoSuchTarget
        }
        "REDACT_FORBIDDEN" | "CANNOT_SEND" | "NOT_PRIVILEGED" | "KEY_NO_PERMISSION" => {
            F::NotPrivileged
        }
        "REDACT_WINDOW_EXPIRED" => F::Expired,
        "MULTILINE_MAX_BYTES" | "MULTILINE_MAX_LINES" => F::TooLarge,
        "LIMIT_REACHED" => F::Full,
        "MULTILINE_INVALID"
        | "MULTILINE_INVALID_TARGET"
        | "INVALID_PARAMS"
        | "NEED_MORE_PARAMS" => F::BadRequest,
        "RATE_LIMITED" | "TRY_LATER" | "TOO_MANY_REQUESTS" => F::TooFast,
        "UNKNOWN_COMMAND" | "DISABLED" => F::Unsupported,
        _ => F::Other,
    }
}

fn is_one_of(number: u16, replies: &[R]) -> bool {
    replies.iter().any(|&reply| reply as u16 == number)
}

/// Refusals of an entry and of nothing else.
fn is_about_entry(number: u16) -> bool {
    const ENTRY: [R; 6] = [
        R::ERR_TOOMANYCHANNELS,
        R::ERR_CHANNELISFULL,
        R::ERR_INVITEONLYCHAN,
        R::ERR_BANNEDFROMCHAN,
        R::ERR_BADCHANNELKEY,
        R::ERR_UNAVAILRESOURCE,
    ];
    matches!(number, FORWARD | SECURE_ONLY | OPERATORS_ONLY) || is_one_of(number, &ENTRY)
}

/// Refusals of text and of nothing else.
pub(super) fn is_about_text(number: u16) -> bool {
    const TEXT: [R; 5] = [
        R::ERR_CANNOTSENDTOCHAN,
        R::ERR_NORECIPIENT,
        R::ERR_NOTEXTTOSEND,
        R::ERR_NOTOPLEVEL,
        R::ERR_WILDTOPLEVEL,
    ];
    number == CANNOT_SEND || is_one_of(number, &TEXT)
}

/// A nickname that somebody else has, or that cannot be had now.
fn is_taken(number: u16) -> bool {
    const TAKEN: [R; 3] = [
        R::ERR_NICKNAMEINUSE,
        R::ERR_NICKCOLLISION,
        R::ERR_UNAVAILRESOURCE,
    ];
    is_one_of(number, &TAKEN)
}

/// The same, and what is refused for the moment only.
fn may_be_had_later(number: u16) -> bool {
    matches!(number, NICK_TOO_FAST | NICK_LOCKED) || is_taken(number)
}

/// Refusals of a nickname.
fn is_about_nick(number: u16) -> bool {
    const NICK: [R; 6] = [
        R::ERR_NONICKNAMEGIVEN,
        R::ERR_ERRONEOUSNICKNAME,
        R::ERR_NICKNAMEINUSE,
        R::ERR_NICKCOLLISION,
        R::ERR_UNAVAILRESOURCE,
        R::ERR_RESTRICTED,
    ];
    matches!(number, NICK_TOO_FAST | NICK_LOCKED) || is_one_of(number, &NICK)
}

/// Whether this refusal can be the answer to a message.
pub(super) fn suits_send(number: u16) -> bool {
    !is_about_entry(number) && !(is_about_nick(number))
}

/// Whether this refusal can be the answer to such a command.
pub(super) fn suits(number: u16, want: Want) -> bool {
    if is_about_text(number) {
        return false;
    }
    match want {
        Want::Join => !is_one_of(number, &[R::ERR_NOTONCHANNEL, R::ERR_CHANOPRIVSNEEDED]),
        Want::Nick => true,
        _ => !is_about_entry(number),
    }
}

/// Whether this refusal needs no name to be the answer to such a command.
pub(super) fn is_only_about(number: u16, want: Want) -> bool {
    match want {
        Want::Nick => is_about_nick(number),
        Want::Rank | Want::Config => number == R::ERR_UNKNOWNMODE as u16,
        _ => false,
    }
}
