//! The nickname the user asks for, whatever the network makes of it: what is asked for again.
//!
//! He asks with the first room he enters, and later by a nickname of his own. Where he has set one
//! for the network the gateway knows better.

/// What a user wants to be called on one network.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// The nickname; empty: he has asked for none yet.
    nick: String,
    /// The gateway was told, or need not be.
    told: bool,
    /// Another one he asked for, which the network has not given yet.
    asked: Option<String>,
}

impl Wish {
    /// What he wants to be called, if he has said.
    pub(crate) fn nick(&self) -> Option<&str> {
        (!self.nick.is_empty()).then_some(&*self.nick)
    }

    /// He comes with that nickname. The first one counts.
    pub(crate) fn comes_as(&mut self, nick: &str) {
        if self.nick.is_empty() {
            nick.clone_into(&mut self.nick);
        }
    }

    /// He asks for another nickname.
    pub(crate) fn asks_for(&mut self, nick: &str) {
        self.asked = Some(nick.to_owned());
    }

    /// The same, by a line of his own: of networks where such lines begin with `NICK`.
    pub(crate) fn asks_by(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        if words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("nick"))
            && let Some(nick) = words.next()
        {
            self.asks_for(nick.trim_start_matches(':'));
        }
    }

    /// He is called so now: by his own will, or not. Networks shorten what is long.
    pub(crate) fn is_called(&mut self, nick: &str) {
        let asked = self.asked.take_if(|asked| asked.starts_with(nick));
        if asked.is_some() {
            nick.clone_into(&mut self.nick);
        }
    }

    /// What the gateway is to be told before it reaches the network, once.
    pub(crate) fn untold(&mut self) -> Option<&str> {
        if self.nick.is_empty() || std::mem::replace(&mut self.told, true) {
            return None;
        }
        Some(&self.nick)
    }
}
