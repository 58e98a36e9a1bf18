//! XEP-0356 privileged entity: what users' servers let the gateway do in their users' names, each
//! for its own users. Servers tell it when the component connects, in the namespaces `:1` and `:2`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// How deep an advertisement is looked into: Prosody's module nests namespaces.
const DEPTH: usize = 8;

/// What a server allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Rosters may be changed.
    pub(crate) roster: bool,
    /// PubSub requests may be made in the user's name, to read and to write.
    pub(crate) pubsub: bool,
    /// The user's nodes may be governed: who else may listen.
    pub(crate) nodes: bool,
    /// Messages may be sent in the user's name: how that is written, by namespace.
    pub(crate) message: Option<&'static str>,
}

/// What servers allow, by domain.
#[derive(Debug, Default)]
pub(crate) struct Privileges(Mutex<HashMap<String, Rights>>);

impl Privileges {
    /// A server tells what it allows; whether that is an advertisement at all.
    pub(crate) fn advert(&self, server: &str, message: &Element) -> bool {
        let told = [ns::PRIVILEGE, ns::PRIVILEGE_1].into_iter();
        let mut told = told.filter_map(|ns| Some((ns, message.child("privilege", ns)?)));
        let Some((ns, told)) = told.next() else {
            return false;
        };
        let rights = read(told, ns);
        tracing::info!(server, ?rights, "the server grants privileges");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(server.to_owned(), rights);
        true
    }

    /// What the users of a server let us do.
    pub(crate) fn of(&self, server: &str) -> Rights {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(server).copied().unwrap_or_default()
    }

    /// A server does not do what it said: it is not asked again until it says so anew.
    pub(crate) fn revoke(&self, server: &str, what: impl FnOnce(&mut Rights)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rights) = all.get_mut(server) {
            what(rights);
            tracing::warn!(server, ?rights, "the server does not do what it granted");
        }
    }
}

fn read(told: &Element, ns: &'static str) -> Rights {
    let mut rights = Rights::default();
    let sets = |element: &Element| matches!(element.attr("type"), Some("both" | "set"));
    for perm in told.children().filter(|it| it.name() == "perm") {
        match perm.attr("access") {
            Some("roster") => rights.roster = sets(perm),
            Some("message") => {
                rights.message = (perm.attr("type") == Some("outgoing")).then_some(ns);
            }
            Some("iq") => {
                let spaces = spaces(perm, 0);
                let of = |ns| spaces.iter().find(|it| it.attr("ns") == Some(ns));
                rights.pubsub = of(ns::PUBSUB).is_some_and(|it| it.attr("type") == Some("both"));
                rights.nodes = of(ns::PUBSUB_OWNER).is_some_and(|it| sets(it));
            }
            _ => {}
        }
    }
    rights
}

/// Every `<namespace/>`, however deep.
fn spaces(element: &Element, depth: usize) -> Vec<&Element> {
    let mut found = Vec::new();
    if depth < DEPTH {
        for child in element.children() {
            if child.name() == "namespace" {
                found.push(child);
            }
            found.extend(spaces(child, depth + 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(privilege: &str) -> (Privileges, bool) {
        let message = format!("<message xmlns='jabber:component:accept'>{privilege}</message>");
        let message = Element::parse(message.as_bytes()).expect("well-formed");
        let privileges = Privileges::default();
        let taken = privileges.advert("example.org", &message);
        (privileges, taken)
    }

    #[test]
    fn namespaces_are_found_at_any_depth_and_hold_for_their_server_only() {
        let (privileges, taken) = told(
            "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/>\
             <perm access='iq'><namespace ns='jabber:iq:private' type='get'>\
             <namespace ns='http://jabber.org/protocol/pubsub' type='both'/></namespace></perm>\
             <perm access='message' type='outgoing'/></privilege>",
        );
        let all = Rights {
            roster: true,
            pubsub: true,
            nodes: false,
            message: Some(ns::PRIVILEGE),
        };
        assert!(taken);
        assert_eq!(privileges.of("example.org"), all);
        assert_eq!(privileges.of("elsewhere.org"), Rights::default());
    }

    #[test]
    fn the_older_namespace_counts_and_reading_alone_is_no_right_to_write() {
        let perms = "<perm access='roster' type='both'/><perm access='message' type='outgoing'/>";
        let old = format!("<privilege xmlns='urn:xmpp:privilege:1'>{perms}</privilege>");
        let rights = told(&old).0.of("example.org");
        assert_eq!(
            (rights.roster, rights.message),
            (true, Some(ns::PRIVILEGE_1))
        );
        let read = old.replace("both", "get").replace("outgoing", "none");
        assert_eq!(told(&read).0.of("example.org"), Rights::default());
        assert!(!told("<body>hello</body>").1);
    }

    #[test]
    fn what_a_server_does_not_do_is_not_asked_again() {
        let (privileges, _) = told(
            "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='set'/></privilege>",
        );
        privileges.revoke("example.org", |rights| rights.roster = false);
        assert!(!privileges.of("example.org").roster);
    }
}
