//! Who is logged in as whom, and who is a bot or an operator: asked for by WHO with chosen fields
//! (WHOX) where nothing else tells. Names tell no accounts, and without extended-join those who
//! come later tell none either.
//!
//! One question for each channel entered, none for a crowded one; what others ask by `WHO` in IRC's
//! own words is answered to them as it is.

use isthmus_gateway::{Event, Sink, Who};

use super::Conversation;
use super::caps::Cap;
use super::queue::Owner;
use crate::line::Line;

/// Tells our questions from others.
const TOKEN: &str = "497";
/// What is asked for; answers are in this order: token, user, host, nick, flags, account, name.
const FIELDS: &str = "%tuhnfar,497";
/// People in a channel who are asked about.
const MOST_PEOPLE: usize = 200;
/// Questions that are open at a time.
const MOST_OPEN: usize = 32;
/// Lines that may wait already when somebody comes.
const FEW_WAIT: usize = 4;

impl Conversation {
    /// The names of a channel are complete.
    pub(super) fn ask_who_is_in(&mut self, name: &str) {
        let Some(room) = self.room(name) else { return };
        let first = !std::mem::replace(&mut room.asked_who, true);
        if first && room.people <= MOST_PEOPLE {
            self.ask_who(name);
        }
    }

    /// Somebody came, and nothing said who he is logged in as.
    pub(super) fn ask_who_came(&mut self, nick: &str) {
        if !self.can(Cap::ExtendedJoin) && self.queue.waiting.len() < FEW_WAIT {
            self.ask_who(nick);
        }
    }

    fn ask_who(&mut self, whom: &str) {
        if !self.isupport.whox || self.who_open.len() >= MOST_OPEN || !self.queue.fits(1) {
            return;
        }
        let key = self.folded(whom);
        self.who_open.push(key);
        self.queue.push(format!("WHO {whom} {FIELDS}"), Owner::None);
    }

    /// `354 me token user host nick flags account :name`. False: it answers somebody else.
    pub(super) fn on_whox(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        if line.param(1) != Some(TOKEN) {
            return false;
        }
        let word = |at: usize| line.param(at).unwrap_or("");
        let (user, host, nick, flags, account) = (word(2), word(3), word(4), word(5), word(6));
        let logged_in = !matches!(account, "" | "0" | "*");
        let bot = self
            .isupport
            .bot
            .is_some_and(|letter| flags.contains(letter));
        let operator = flags.contains('*');
        if nick.is_empty() || self.is_me(nick) || !(logged_in || bot || operator) {
            return true;
        }
        let who = Who {
            account: logged_in.then(|| account.into()),
            handle: Some(format!("{user}@{host}").into()),
            name: line.param(7).filter(|it| !it.is_empty()).map(Into::into),
            bot: bot.then_some(true),
            operator: operator.then_some(true),
            ..Who::nick(nick)
        };
        sink.event(Event::Known { who });
        true
    }

    /// `315 me mask :End of /WHO list.` False: it ends somebody else's question.
    pub(super) fn on_who_end(&mut self, line: &Line<'_>) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        let open = self.who_open.iter().position(|it| *it == key);
        open.map(|at| self.who_open.remove(at)).is_some()
    }
}
