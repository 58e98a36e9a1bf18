//! The languages users have set, known without reading their settings.
//!
//! Sessions ask here which language their user has set, and so does what is answered outside of one
//! (a stanza nobody may send, an iq nobody takes, a message for the queue); the language of the
//! stanza itself goes before it (`Origin::of`). Who has set none is not kept, so that nothing grows
//! by strangers, and nothing is read for a stanza.
//!
//! What a user sets is sealed with his other settings. Beside it stands a mark that he has set a
//! language, by which it is found at the start.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::setting;
use super::shared::Shared;
use super::words::Lang;
use crate::store::StoreFault;
use crate::xmpp::jid::BareJid;

/// The name of the mark.
const MARK: &str = "language";

/// Languages by domain and user.
#[derive(Default)]
pub(crate) struct Languages(RwLock<HashMap<String, HashMap<BareJid, Lang>>>);

impl Languages {
    fn get(&self, domain: &str, user: &BareJid) -> Option<Lang> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.get(domain)?.get(user).copied()
    }

    /// Takes what a user has set; true: it was another.
    fn put(&self, domain: &str, user: &BareJid, lang: Option<Lang>) -> bool {
        if self.get(domain, user) == lang {
            return false;
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match (lang, table.get_mut(domain)) {
            (Some(lang), Some(users)) => {
                users.insert(user.clone(), lang);
            }
            (Some(lang), None) => {
                let users = HashMap::from([(user.clone(), lang)]);
                table.insert(domain.to_owned(), users);
            }
            (None, Some(users)) => {
                users.remove(user);
            }
            (None, None) => {}
        }
        true
    }
}

impl Shared {
    /// The language in which a user is answered whose stanza names none that is spoken here: what
    /// he has set behind this gateway, else the operator's.
    pub(crate) fn language_of(&self, domain: &str, user: &BareJid) -> Lang {
        let set = self.languages().get(domain, user);
        set.unwrap_or_else(|| self.language())
    }

    /// A user has set a language behind a gateway, or has none any more.
    pub(crate) fn language_set(&self, domain: &str, user: &BareJid, lang: Option<Lang>) {
        if self.languages().put(domain, user, lang) {
            let mark = lang.map(|_| Vec::new());
            self.store.keep(user.as_str(), domain, MARK, mark);
        }
    }

    /// Reads which languages have been set behind a gateway. To be called before it serves.
    pub async fn learn_languages(&self, domain: &str) {
        if let Err(fault) = self.read_languages(domain).await {
            tracing::error!(%fault, domain, "the languages of users cannot be read");
        }
    }

    async fn read_languages(&self, domain: &str) -> Result<(), StoreFault> {
        for (user, ..) in self.store.kept_under(domain, MARK).await? {
            let Ok(user) = BareJid::parse(&user) else {
                continue;
            };
            let kept = setting::kept(self.store(), user.clone(), domain.to_owned()).await?;
            self.languages().put(domain, &user, kept.language());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_that_of_a_user_behind_one_gateway_and_nobody_else_is_kept() {
        let user = |jid| BareJid::parse(jid).expect("a JID");
        let (juliet, romeo) = (user("juliet@example.org"), user("romeo@example.org"));
        let known = Languages::default();
        assert!(!known.put("irc.example.org", &romeo, None));
        assert!(known.put("irc.example.org", &juliet, Some(Lang::Zh)));
        assert!(!known.put("irc.example.org", &juliet, Some(Lang::Zh)));
        assert_eq!(known.get("irc.example.org", &juliet), Some(Lang::Zh));
        assert_eq!(known.get("sms.example.org", &juliet), None);
        assert_eq!(known.get("irc.example.org", &romeo), None);
        assert!(known.put("irc.example.org", &juliet, None));
        let table = known.0.read().expect("not poisoned");
        assert!(table.values().all(HashMap::is_empty));
    }
}
