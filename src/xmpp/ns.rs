//! Namespace names, each with its specification. The only place where one is spelled out.

macro_rules! namespaces {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $value;)*
        #[cfg(test)]
        const ALL: &[&str] = &[$($value),*];
    };
}

namespaces! {
    /// Content namespace of a component stream (XEP-0114); [`Element`](super::Element) reports
    /// `jabber:client` as this one, too.
    COMPONENT = "jabber:component:accept";
    /// Content namespace of client streams (RFC 6120 §4.8.2), used by some servers towards us.
    CLIENT = "jabber:client";
    /// The stream element and stream errors (RFC 6120 §4.8.1).
    STREAMS = "http://etherx.jabber.org/streams";
    /// Stream error conditions (RFC 6120 §4.9.2).
    STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";
    /// Stanza error conditions (RFC 6120 §8.3.2).
    STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas";
    /// The `xml:` prefix (XML Namespaces 1.0 §3).
    XML = "http://www.w3.org/XML/1998/namespace";
    /// The roster (RFC 6121 §2).
    ROSTER = "jabber:iq:roster";
    /// Data forms (XEP-0004).
    DATA_FORMS = "jabber:x:data";
    /// Service discovery, information (XEP-0030).
    DISCO_INFO = "http://jabber.org/protocol/disco#info";
    /// Service discovery, items (XEP-0030).
    DISCO_ITEMS = "http://jabber.org/protocol/disco#items";
    /// Multi-user chat (XEP-0045).
    MUC = "http://jabber.org/protocol/muc";
    /// Multi-user chat, occupants (XEP-0045).
    MUC_USER = "http://jabber.org/protocol/muc#user";
    /// Multi-user chat, administration (XEP-0045).
    MUC_ADMIN = "http://jabber.org/protocol/muc#admin";
    /// Multi-user chat, ownership (XEP-0045).
    MUC_OWNER = "http://jabber.org/protocol/muc#owner";
    /// Multi-user chat, room configuration form (XEP-0045).
    MUC_ROOMCONFIG = "http://jabber.org/protocol/muc#roomconfig";
    /// Multi-user chat, room information form (XEP-0045).
    MUC_ROOMINFO = "http://jabber.org/protocol/muc#roominfo";
    /// Direct invitations to rooms (XEP-0249).
    MUC_DIRECT_INVITE = "jabber:x:conference";
    /// Service administration (XEP-0133).
    ADMIN = "http://jabber.org/protocol/admin";
    /// Addresses of those who run a service (XEP-0157).
    SERVERINFO = "http://jabber.org/network/serverinfo";
    /// Data policy (XEP-0504).
    DATA_POLICY = "urn:xmpp:data-policy:0";
    /// Data policy: what policies of foreign services begin with (XEP-0504).
    DATA_POLICY_SCOPE = "urn:xmpp:data-policy";
    /// Ad-hoc commands (XEP-0050).
    COMMANDS = "http://jabber.org/protocol/commands";
    /// vCards (XEP-0054).
    VCARD = "vcard-temp";
    /// Avatar hash in presence (XEP-0153).
    VCARD_UPDATE = "vcard-temp:x:update";
    /// vCard4 over PubSub (XEP-0292).
    VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0";
    /// Result set management (XEP-0059).
    RSM = "http://jabber.org/protocol/rsm";
    /// Publish-subscribe (XEP-0060).
    PUBSUB = "http://jabber.org/protocol/pubsub";
    /// Publish-subscribe, what the owner of a node does (XEP-0060).
    PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner";
    /// Publish-subscribe, the configuration of a node (XEP-0060).
    PUBSUB_NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config";
    /// Displayed synchronisation (XEP-0490).
    DISPLAYED = "urn:xmpp:mds:displayed:0";
    /// Publish-subscribe, options of a request to publish (XEP-0060).
    PUBSUB_PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options";
    /// Publish-subscribe, events (XEP-0060).
    PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event";
    /// Out-of-band data in messages (XEP-0066).
    OOB = "jabber:x:oob";
    /// In-band registration (XEP-0077).
    REGISTER = "jabber:iq:register";
    /// Gateway address prompts (XEP-0100 §6.3, historical).
    GATEWAY = "jabber:iq:gateway";
    /// Avatar data (XEP-0084).
    AVATAR_DATA = "urn:xmpp:avatar:data";
    /// When somebody last did something (XEP-0319).
    IDLE = "urn:xmpp:idle:1";
    /// Avatar metadata (XEP-0084).
    AVATAR_METADATA = "urn:xmpp:avatar:metadata";
    /// Chat states (XEP-0085).
    CHAT_STATES = "http://jabber.org/protocol/chatstates";
    /// Software version (XEP-0092).
    VERSION = "jabber:iq:version";
    /// Last activity (XEP-0012).
    LAST = "jabber:iq:last";
    /// Entity capabilities (XEP-0115).
    CAPS = "http://jabber.org/protocol/caps";
    /// Roster item exchange (XEP-0144).
    ROSTERX = "http://jabber.org/protocol/rosterx";
    /// User nicknames (XEP-0172).
    NICK = "http://jabber.org/protocol/nick";
    /// Delivery receipts (XEP-0184).
    RECEIPTS = "urn:xmpp:receipts";
    /// Blocking (XEP-0191).
    BLOCKING = "urn:xmpp:blocking";
    /// Pings (XEP-0199).
    PING = "urn:xmpp:ping";
    /// Escaped characters of localparts, as a feature (XEP-0106).
    ESCAPING = r"jid\20escaping";
    /// Entity time (XEP-0202).
    TIME = "urn:xmpp:time";
    /// Delayed delivery (XEP-0203).
    DELAY = "urn:xmpp:delay";
    /// Attention requests (XEP-0224).
    ATTENTION = "urn:xmpp:attention:0";
    /// Message carbons (XEP-0280).
    CARBONS = "urn:xmpp:carbons:2";
    /// Stanza forwarding (XEP-0297).
    FORWARD = "urn:xmpp:forward:0";
    /// Cryptographic hashes (XEP-0300).
    HASHES = "urn:xmpp:hashes:2";
    /// Message correction (XEP-0308).
    CORRECT = "urn:xmpp:message-correct:0";
    /// Message archive (XEP-0313).
    MAM = "urn:xmpp:mam:2";
    /// Message archive, extended (XEP-0313).
    MAM_EXTENDED = "urn:xmpp:mam:2#extended";
    /// Chat markers (XEP-0333).
    CHAT_MARKERS = "urn:xmpp:chat-markers:0";
    /// Message processing hints (XEP-0334).
    HINTS = "urn:xmpp:hints";
    /// Namespace delegation (XEP-0355).
    DELEGATION = "urn:xmpp:delegation:2";
    /// Privileged entity (XEP-0356).
    PRIVILEGE = "urn:xmpp:privilege:2";
    /// Privileged entity, older version (XEP-0356 0.3; ejabberd 23.01).
    PRIVILEGE_1 = "urn:xmpp:privilege:1";
    /// Unique and stable stanza ids (XEP-0359).
    STANZA_ID = "urn:xmpp:sid:0";
    /// File upload over HTTP (XEP-0363).
    HTTP_UPLOAD = "urn:xmpp:http:upload:0";
    /// References and mentions (XEP-0372).
    REFERENCE = "urn:xmpp:reference:0";
    /// Explicit message encryption (XEP-0380).
    EME = "urn:xmpp:eme:0";
    /// Message styling (XEP-0393).
    STYLING = "urn:xmpp:styling:0";
    /// Bookmarks in PubSub (XEP-0402).
    BOOKMARKS = "urn:xmpp:bookmarks:1";
    /// MUC self-ping optimisation (XEP-0410).
    MUC_SELF_PING_OPTIMIZATION =
        "http://jabber.org/protocol/muc#self-ping-optimization";
    /// Stable message ids in rooms (XEP-0045 §7.4).
    MUC_STABLE_ID = "http://jabber.org/protocol/muc#stable_id";
    /// OMEMO as most clients speak it (XEP-0384 0.3).
    OMEMO_LEGACY = "eu.siacs.conversations.axolotl";
    /// OMEMO (XEP-0384 0.7).
    OMEMO_1 = "urn:xmpp:omemo:1";
    /// OMEMO (XEP-0384 0.8).
    OMEMO = "urn:xmpp:omemo:2";
    /// OpenPGP for XMPP (XEP-0373).
    OPENPGP = "urn:xmpp:openpgp:0";
    /// OpenPGP as it was (XEP-0027).
    OPENPGP_LEGACY = "jabber:x:encrypted";
    /// Hats: what an occupant is beyond role and affiliation (XEP-0317).
    HATS = "urn:xmpp:hats:0";
    /// Multi-user chat, rooms an entity is in (XEP-0045 §6.7).
    MUC_ROOMS = "http://jabber.org/protocol/muc#rooms";
    /// Multi-user chat, what may pass through a room (XEP-0045 §17.1.1).
    MUC_TRAFFIC = "http://jabber.org/protocol/muc#traffic";
    /// Multi-user chat, requests for a voice (XEP-0045 §7.13).
    MUC_REQUEST = "http://jabber.org/protocol/muc#request";
    /// Multi-user chat, requests to become a member (XEP-0045 §9.9).
    MUC_REGISTER = "http://jabber.org/protocol/muc#register";
    /// Validation of form fields (XEP-0122).
    VALIDATE = "http://jabber.org/protocol/xdata-validate";
    /// Anonymous unique occupant identifiers (XEP-0421).
    OCCUPANT_ID = "urn:xmpp:occupant-id:0";
    /// Message retraction (XEP-0424).
    RETRACT = "urn:xmpp:message-retract:1";
    /// Tombstones of what was retracted (XEP-0424 §5).
    RETRACT_TOMBSTONE = "urn:xmpp:message-retract:1#tombstone";
    /// Moderated retraction (XEP-0425).
    MODERATE = "urn:xmpp:message-moderate:1";
    /// Fallback indication (XEP-0428).
    FALLBACK = "urn:xmpp:fallback:0";
    /// Reactions (XEP-0444).
    REACTIONS = "urn:xmpp:reactions:0";
    /// File metadata (XEP-0446).
    FILE_METADATA = "urn:xmpp:file:metadata:0";
    /// Stateless file sharing (XEP-0447).
    FILE_SHARING = "urn:xmpp:sfs:0";
    /// Encrypted files (XEP-0448).
    ENCRYPTED_FILE = "urn:xmpp:esfs:0";
    /// Files of Jingle, which XEP-0385 describes files by (XEP-0234).
    JINGLE_FILE = "urn:xmpp:jingle:apps:file-transfer:5";
    /// What reactions are allowed (XEP-0444 §2.2); a form type.
    REACTIONS_RESTRICTIONS = "urn:xmpp:reactions:0:restrictions";
    /// Message markup (XEP-0394).
    MARKUP = "urn:xmpp:markup:0";
    /// Spoilers (XEP-0382).
    SPOILER = "urn:xmpp:spoiler:0";
    /// Stateless media sharing (XEP-0385).
    MEDIA_SHARING = "urn:xmpp:sims:1";
    /// A link as a file's source (XEP-0103, as XEP-0447 uses it).
    URL_DATA = "http://jabber.org/protocol/url-data";
    /// Replies (XEP-0461).
    REPLY = "urn:xmpp:reply:0";
    /// Nobody reads what is written there (XEP-0506).
    NO_REPLY = "urn:xmpp:noreply:0";
    /// Extended stanza addressing (XEP-0033).
    ADDRESS = "http://jabber.org/protocol/address";
    /// Channel search (XEP-0433).
    CHANNEL_SEARCH = "urn:xmpp:channel-search:0:search";
    /// Channel search, its form (XEP-0433).
    CHANNEL_SEARCH_PARAMS = "urn:xmpp:channel-search:0:search-params";
    /// Channel search, conditions of errors (XEP-0433).
    CHANNEL_SEARCH_ERROR = "urn:xmpp:channel-search:0:error";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_namespace_is_named_once() {
        let mut sorted = ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ALL.len());
    }
}
