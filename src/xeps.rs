//! What of the XMPP extensions is implemented, in one place. `docs/isthmus.doap` is made from it.

use std::fmt::Write as _;

/// One extension.
#[derive(Clone, Copy, Debug)]
pub struct Xep {
    /// Its number.
    pub number: u16,
    /// The version that was read.
    pub version: &'static str,
    /// All of what the specification asks of an entity like this one.
    pub complete: bool,
    /// What of it.
    pub note: &'static str,
    /// The file that does it, below `src`.
    pub file: &'static str,
}

/// What is implemented, by number.
pub const XEPS: &[Xep] = &[
    xep(
        4,
        "2.13.1",
        false,
        "forms to fill in, submitted forms, results and tables",
        "host/form.rs",
    ),
    xep(
        12,
        "2.0",
        true,
        "for how long it runs; for how long contacts have done nothing, where the network tells",
        "host/time.rs",
    ),
    xep(
        30,
        "2.5.0",
        false,
        "information; rooms, occupants and commands are listed",
        "host/disco.rs",
    ),
    xep(
        33,
        "1.2.1",
        false,
        "messages to several recipients of a store-and-forward network, without blind copies",
        "host/courier/several.rs",
    ),
    xep(
        45,
        "1.35.5",
        true,
        "as a service; rooms are the network's: neither made nor destroyed; who registers asks to be \
         let in",
        "host/room/mod.rs",
    ),
    xep(
        50,
        "1.3.0",
        false,
        "commands of the gateway, of networks and rooms: settings, registration in steps, a \
         gateway's own; the same by chat",
        "host/command/adhoc.rs",
    ),
    xep(
        54,
        "1.3.0",
        true,
        "of contacts and occupants: what the network knows of them, and pictures; of rooms and the \
         gateway",
        "host/card.rs",
    ),
    xep(
        59,
        "1.0.1",
        true,
        "of rooms and occupants; of archives, by id",
        "host/rsm.rs",
    ),
    xep(
        66,
        "1.5",
        false,
        "links of files both ways",
        "host/attachment/link.rs",
    ),
    xep(
        77,
        "2.4",
        false,
        "accounts with a gateway by form or legacy fields, changed and removed",
        "host/contact/registration.rs",
    ),
    xep(82, "1.1.1", true, "", "host/delay.rs"),
    xep(
        84,
        "1.1.4",
        false,
        "PNG pictures of contacts and the gateway: asked for, and told to who wants to hear",
        "host/picture/pep.rs",
    ),
    xep(
        85,
        "2.1",
        true,
        "typing, where the network has it",
        "host/chat/act.rs",
    ),
    xep(
        92,
        "1.1",
        true,
        "without the operating system",
        "host/version.rs",
    ),
    xep(
        100,
        "1.0",
        false,
        "registration, log-in by presence, contacts both ways, typed addresses",
        "host/contact/hub.rs",
    ),
    xep(106, "1.1.1", true, "", "xmpp/escape.rs"),
    xep(114, "1.6", true, "", "component/mod.rs"),
    xep(
        115,
        "1.6.0",
        false,
        "of the gateway, networks and contacts; of users' clients, where it matters",
        "host/caps.rs",
    ),
    xep(
        122,
        "1.0.2",
        false,
        "whole numbers, ranges and patterns, told and checked",
        "host/form.rs",
    ),
    xep(
        133,
        "1.3.0",
        false,
        "users counted, listed, disabled, deleted, their sessions ended; lists of access; shutdown",
        "host/command/admin/mod.rs",
    ),
    xep(
        144,
        "1.1.1",
        false,
        "additions and removals are suggested to a client where the server lets nobody change rosters",
        "host/contact/suggest.rs",
    ),
    xep(
        153,
        "1.1.1",
        true,
        "of contacts, occupants and the gateway",
        "host/picture/mod.rs",
    ),
    xep(
        157,
        "1.1.1",
        true,
        "`[contact]` of the configuration, at the gateway's domain",
        "host/about.rs",
    ),
    xep(
        184,
        "1.4.0",
        true,
        "receipts for what another network has delivered, or taken where it does not tell more; \
         the client's own are told to a live network that asks",
        "host/chat/act.rs",
    ),
    xep(199, "2.0.1", true, "", "host/ping.rs"),
    xep(
        202,
        "2.0",
        true,
        "ours; that of contacts and occupants where their programs answer for machines",
        "host/time.rs",
    ),
    xep(203, "2.0", true, "", "host/delay.rs"),
    xep(245, "1.0", true, "", "host/chat/text.rs"),
    xep(249, "1.2", true, "", "host/session/invites.rs"),
    xep(
        292,
        "0.10",
        false,
        "of contacts and occupants, by iq",
        "host/card.rs",
    ),
    xep(
        297,
        "1.0",
        false,
        "around what archives tell",
        "host/archive/answer.rs",
    ),
    xep(
        300,
        "1.0.0",
        false,
        "SHA-256 of files",
        "host/attachment/show.rs",
    ),
    xep(
        308,
        "1.2.1",
        true,
        "changes the message where the network can, tells of the change elsewhere",
        "host/chat/correction.rs",
    ),
    xep(
        313,
        "1.1.3",
        true,
        "with `#extended`; of rooms and contacts, each user his own",
        "host/archive/mod.rs",
    ),
    xep(
        317,
        "0.2.0",
        false,
        "services account, bot, network operator; hats are not managed",
        "host/room/presence.rs",
    ),
    xep(
        319,
        "1.0.2",
        true,
        "of contacts, where the network tells",
        "host/contact/hub.rs",
    ),
    xep(
        333,
        "1.0.0",
        false,
        "`displayed`, where the network has it",
        "host/chat/act.rs",
    ),
    xep(
        334,
        "0.3.1",
        false,
        "`no-store` on words of the moment; `store`, `no-store` and `no-permanent-store` of \
         messages to a room decide about its archive",
        "host/chat/act.rs",
    ),
    xep(
        356,
        "0.4.1",
        false,
        "roster; PubSub, and what the user says from another connection, in his name",
        "host/contact/privilege.rs",
    ),
    xep(
        359,
        "0.7.0",
        false,
        "stanza ids of rooms and contacts",
        "host/chat/write.rs",
    ),
    xep(
        363,
        "1.2.0",
        false,
        "uploads to the file service of a user's own server",
        "host/attachment/upload.rs",
    ),
    xep(
        372,
        "0.5.0",
        false,
        "mentions of the user in a room",
        "host/chat/write.rs",
    ),
    xep(
        380,
        "0.4.0",
        true,
        "encrypted messages are refused in plain words",
        "host/chat/encrypted.rs",
    ),
    xep(382, "0.2.0", false, "said in words", "host/chat/text.rs"),
    xep(
        385,
        "0.3.2",
        false,
        "files and links that users share",
        "host/attachment/link.rs",
    ),
    xep(
        393,
        "1.1.1",
        true,
        "spans and blocks both ways",
        "host/chat/write.rs",
    ),
    xep(
        394,
        "0.3.0",
        false,
        "spans both ways; not lists and quotes",
        "host/chat/write.rs",
    ),
    xep(
        402,
        "1.2.0",
        false,
        "rooms the user was put into, and those he stays in, are bookmarked in his name",
        "host/contact/bookmark.rs",
    ),
    xep(410, "1.1.0", true, "", "host/ping.rs"),
    xep(421, "0.1.0", true, "", "host/room/identity.rs"),
    xep(
        424,
        "0.4.2",
        false,
        "both ways, with tombstones; of what waits on any network",
        "host/chat/act.rs",
    ),
    xep(
        425,
        "0.3.0",
        true,
        "where the network has it",
        "host/room/acts.rs",
    ),
    xep(428, "0.2.1", true, "", "host/chat/text.rs"),
    xep(433, "0.1.0", true, "rooms of one network", "host/search.rs"),
    xep(
        444,
        "0.2.0",
        true,
        "with restrictions; refused where the network has none",
        "host/chat/act.rs",
    ),
    xep(
        446,
        "0.2.0",
        false,
        "of files, both ways",
        "host/attachment/show.rs",
    ),
    xep(
        447,
        "0.3.0",
        false,
        "files both ways, one a message",
        "host/attachment/show.rs",
    ),
    xep(
        461,
        "0.2.0",
        false,
        "both ways where the network knows what is answered; elsewhere by name or quote",
        "host/chat/text.rs",
    ),
    xep(
        486,
        "0.1.0",
        false,
        "of rooms, as the network has them; nobody sets them here",
        "host/picture/mod.rs",
    ),
    xep(
        490,
        "1.0.1",
        false,
        "of rooms, where the network keeps read marks and the server grants XEP-0356; private \
         marks bear ids of the user's server",
        "host/contact/displayed.rs",
    ),
    xep(
        504,
        "0.1.0",
        false,
        "of the gateway itself, and that its network tells none; without backups, terms and places",
        "host/about.rs",
    ),
    xep(
        506,
        "0.1.0",
        true,
        "of senders of texts that are only names, and of mail addresses that say so",
        "host/disco.rs",
    ),
];

const fn xep(
    number: u16,
    version: &'static str,
    complete: bool,
    note: &'static str,
    file: &'static str,
) -> Xep {
    Xep {
        number,
        version,
        complete,
        note,
        file,
    }
}

/// The project's description (DOAP with the `xmpp` vocabulary of XEP-0453).
pub fn doap() -> String {
    let mut doap = String::from(HEAD);
    for Xep {
        number,
        version,
        complete,
        note,
        ..
    } in XEPS
    {
        let status = if *complete { "complete" } else { "partial" };
        // Writing to a String cannot fail.
        let _ = write!(
            doap,
            "    <implements>\n      <xmpp:SupportedXep>\n        \
             <xmpp:xep rdf:resource=\"https://xmpp.org/extensions/xep-{number:04}.html\"/>\n        \
             <xmpp:version>{version}</xmpp:version>\n        \
             <xmpp:status>{status}</xmpp:status>\n"
        );
        if !note.is_empty() {
            let _ = writeln!(doap, "        <xmpp:note>{note}</xmpp:note>");
        }
        doap.push_str("      </xmpp:SupportedXep>\n    </implements>\n");
    }
    doap.push_str("  </Project>\n</rdf:RDF>\n");
    doap
}

const HEAD: &str = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<rdf:RDF xmlns=\"http://usefulinc.com/ns/doap#\"
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"
         xmlns:xmpp=\"https://linkmauve.fr/ns/xmpp-doap#\">
  <Project>
    <name>Isthmus</name>
    <shortdesc xml:lang=\"en\">XMPP gateway to IRC and other networks</shortdesc>
    <programming-language>Rust</programming-language>
    <os>Linux</os>
    <category rdf:resource=\"https://linkmauve.fr/ns/xmpp-doap#category-component\"/>
    <implements rdf:resource=\"https://www.rfc-editor.org/info/rfc6120\"/>
    <implements rdf:resource=\"https://www.rfc-editor.org/info/rfc6121\"/>
    <implements rdf:resource=\"https://www.rfc-editor.org/info/rfc7622\"/>
";
