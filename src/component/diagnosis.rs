//! What an operator is told when a stream ends or cannot begin, and how soon to try again. Pure.
//!
//! Servers use the same conditions for different mistakes (seen on Prosody 0.12, ejabberd 23.01 and
//! jabberd2 2.7), so the message names every setting that may be meant.

use std::io;

use crate::xmpp::{
    StreamCondition,
    stream::{StreamError, StreamFault},
};

use super::backoff::Pace;

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No connection yet.
    Connecting,
    /// Connected, the server has not opened its stream.
    Opening,
    /// The handshake is sent.
    Authenticating,
    /// The handshake was accepted.
    Live,
}

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum Cut {
    /// The network said so.
    Io(io::Error),
    /// The connection ended without a word.
    Eof,
    /// The server closed the stream in order.
    Closed,
    /// The server gave an error.
    Error(StreamError),
    /// What the server sent is no XMPP.
    Malformed(StreamFault),
    /// The server's stream header has no id to answer.
    NoId,
    /// No answer within the deadline of the handshake.
    Late,
    /// No ping is answered.
    Silent,
    /// Nothing can be written.
    Stalled,
    /// We drained.
    Drained,
}

/// What to say and when to try again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) what: String,
    pub(super) hint: String,
    pub(super) pace: Pace,
}

/// Explains the end of a stream of component `domain`.
pub(super) fn explain(stage: Stage, cut: &Cut, domain: &str) -> Diagnosis {
    let (what, (hint, pace)) = match cut {
        Cut::Error(error) => (said(error), condition(stage, error.condition, domain)),
        Cut::Io(error) => (error.to_string(), network(stage, error, domain)),
        Cut::Eof => (
            "the server closed the connection".to_owned(),
            ended(stage, domain),
        ),
        Cut::Closed => (
            "the server closed the stream".to_owned(),
            ended(stage, domain),
        ),
        Cut::Malformed(fault) => (format!("the server sent no XMPP: {fault}"), not_xmpp(stage)),
        Cut::NoId => ("the server's stream has no id".to_owned(), not_xmpp(stage)),
        Cut::Late => ("the server does not answer".to_owned(), late(stage, domain)),
        Cut::Silent => ("no ping came back".to_owned(), (silent(domain), Pace::Soon)),
        Cut::Stalled => (
            "the server stopped reading".to_owned(),
            soon("is the server overloaded?"),
        ),
        Cut::Drained => ("drained".to_owned(), soon("")),
    };
    Diagnosis { what, hint, pace }
}

/// What a second connection under the same name does on the servers that do not refuse it.
pub(super) fn second_connection(domain: &str) -> String {
    format!(
        "is there another connection under the same name? stop it: one process per {domain} \
         (ejabberd deals the stanzas out at random between the two, jabberd2 feeds the first only)"
    )
}

type Advice = (String, Pace);

fn said(error: &StreamError) -> String {
    let name = error.condition.name();
    match &error.text {
        Some(text) => format!("the server says {name}: {text}"),
        None => format!("the server says {name}"),
    }
}

fn condition(stage: Stage, condition: StreamCondition, domain: &str) -> Advice {
    let slow = |hint: String| (hint, Pace::Slow);
    match condition {
        StreamCondition::HostUnknown => slow(format!(
            "the server does not know the component; add it. Prosody: Component \"{domain}\" with \
             component_secret, then reload; ejabberd: {domain} under hosts of an ejabberd_service \
             listener; Openfire: allow {domain} in the external component settings"
        )),
        StreamCondition::NotAuthorized => slow(format!(
            "make the secrets equal. Prosody: component_secret under Component \"{domain}\"; \
             ejabberd: password under hosts: {domain} of the ejabberd_service listener, and it \
             says the same where {domain} is missing there; jabberd2: secret under local in \
             router.xml"
        )),
        StreamCondition::Conflict if stage == Stage::Live => slow(format!(
            "a newer connection took {domain} over: stop the other process, or its configuration's \
             claim to {domain}"
        )),
        StreamCondition::Conflict => {
            let hint = format!(
                "another connection holds {domain}: a second process, or our former stream that \
                 the server has not given up yet. Prosody: component_conflict_resolve = \
                 \"kick_old\" lets the newer one win; MongooseIM: conflict_behaviour = \
                 \"kick_old\"; ejabberd says so when {domain} is one of its own hosts"
            );
            (hint, Pace::Later)
        }
        StreamCondition::InvalidNamespace | StreamCondition::UnsupportedVersion => slow(
            "this is not the port for components; Prosody: component_ports (5347), ejabberd: the \
             port of the ejabberd_service listener"
                .to_owned(),
        ),
        StreamCondition::InvalidFrom | StreamCondition::ImproperAddressing => {
            soon("we wrote an address that the server does not take; please report this")
        }
        StreamCondition::NotWellFormed | StreamCondition::PolicyViolation
            if stage == Stage::Live =>
        {
            soon(
                "a stanza of ours may be larger than the server takes. Prosody: \
                 component_stanza_size_limit; ejabberd: max_stanza_size of the listener; or lower \
                 our limit",
            )
        }
        StreamCondition::SystemShutdown | StreamCondition::Reset => soon("waiting for its return"),
        _ => ended(stage, domain),
    }
}

fn network(stage: Stage, error: &io::Error, domain: &str) -> Advice {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => soon(
            "nothing listens there. Prosody: component_ports and component_interfaces; ejabberd: a \
             listener with module ejabberd_service; or the server is not running",
        ),
        io::ErrorKind::InvalidData => soon(
            "is TLS on at one end only, or the certificate not trusted? component.ca_file names \
             the authority that signed it, component.tls_name the name that it must have",
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            if stage == Stage::Connecting =>
        {
            soon(
                "does the listener have TLS and a certificate, as component.tls says? ejabberd: \
                 tls and certfile of the ejabberd_service listener",
            )
        }
        io::ErrorKind::TimedOut => soon("is the address right, and a firewall between?"),
        _ => ended(stage, domain),
    }
}

fn ended(stage: Stage, domain: &str) -> Advice {
    match stage {
        Stage::Connecting => soon("is the address right, and the server running?"),
        Stage::Opening => soon(
            "is this the port for components, and TLS on at both ends or neither? Prosody: \
             component_ports; ejabberd: port of the ejabberd_service listener",
        ),
        Stage::Authenticating => {
            let hint = format!(
                "the server ended the stream instead of answering the handshake: a wrong secret, \
                 or a fault in its configuration of {domain} (ejabberd: domain_balancing needs \
                 component_number)"
            );
            (hint, Pace::Slow)
        }
        Stage::Live => soon("is the server restarting?"),
    }
}

fn not_xmpp(stage: Stage) -> Advice {
    match stage {
        Stage::Live => soon("is the server, or something between, damaging the stream?"),
        _ => (
            "is this the port for components, and TLS on at both ends or neither?".to_owned(),
            Pace::Slow,
        ),
    }
}

fn late(stage: Stage, domain: &str) -> Advice {
    match stage {
        Stage::Connecting => soon("is the address right, and a firewall between?"),
        _ => ended(stage, domain),
    }
}

fn silent(domain: &str) -> String {
    format!(
        "the server hangs, or feeds somebody else: {}",
        second_connection(domain)
    )
}

fn soon(hint: &str) -> Advice {
    (hint.to_owned(), Pace::Soon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stage: Stage, condition: StreamCondition) -> Diagnosis {
        let error = StreamError {
            condition,
            text: None,
        };
        explain(stage, &Cut::Error(error), "irc.example.org")
    }

    #[test]
    fn each_refusal_names_what_to_change_on_which_server() {
        use Stage::{Authenticating, Live, Opening};
        use StreamCondition as C;
        let table: &[(Stage, C, &[&str], Pace)] = &[
            (
                Opening,
                C::HostUnknown,
                &["Component \"irc.example.org\""],
                Pace::Slow,
            ),
            (
                Authenticating,
                C::NotAuthorized,
                &["component_secret", "missing there", "router.xml"],
                Pace::Slow,
            ),
            (
                Authenticating,
                C::Conflict,
                &["component_conflict_resolve = \"kick_old\"", "own hosts"],
                Pace::Later,
            ),
            (
                Opening,
                C::InvalidNamespace,
                &["component_ports"],
                Pace::Slow,
            ),
            (Live, C::Conflict, &["stop the other process"], Pace::Slow),
            (Live, C::InvalidFrom, &["report"], Pace::Soon),
            (
                Live,
                C::NotWellFormed,
                &["component_stanza_size_limit"],
                Pace::Soon,
            ),
            (Live, C::PolicyViolation, &["max_stanza_size"], Pace::Soon),
            (Live, C::SystemShutdown, &["return"], Pace::Soon),
        ];
        for (stage, condition, words, pace) in table {
            let diagnosis = of(*stage, *condition);
            assert_eq!(diagnosis.pace, *pace, "{condition:?}");
            for word in *words {
                assert!(
                    diagnosis.hint.contains(word),
                    "{condition:?}: {}",
                    diagnosis.hint
                );
            }
            assert!(
                diagnosis.what.contains(condition.name()),
                "{}",
                diagnosis.what
            );
        }
    }

    #[test]
    fn the_server_s_own_words_are_passed_on() {
        let text = Some("go away".to_owned());
        let error = StreamError {
            condition: StreamCondition::Conflict,
            text,
        };
        let diagnosis = explain(Stage::Live, &Cut::Error(error), "irc.example.org");
        assert_eq!(diagnosis.what, "the server says conflict: go away");
    }

    #[test]
    fn an_end_without_words_is_explained_by_how_far_we_had_come() {
        let hint = |stage| explain(stage, &Cut::Eof, "irc.example.org").hint;
        assert!(hint(Stage::Opening).contains("port for components"));
        assert!(hint(Stage::Authenticating).contains("domain_balancing"));
        assert!(hint(Stage::Live).contains("restarting"));
        let refused = Cut::Io(io::ErrorKind::ConnectionRefused.into());
        let refused = explain(Stage::Connecting, &refused, "irc.example.org");
        assert!(refused.hint.contains("nothing listens"));
        assert_eq!(refused.pace, Pace::Soon);
        for (kind, word) in [
            (io::ErrorKind::InvalidData, "component.ca_file"),
            (io::ErrorKind::UnexpectedEof, "component.tls"),
        ] {
            let cut = Cut::Io(kind.into());
            let told = explain(Stage::Connecting, &cut, "irc.example.org");
            assert!(told.hint.contains(word), "{}", told.hint);
        }
    }

    #[test]
    fn silence_suggests_a_second_connection() {
        let hint = explain(Stage::Live, &Cut::Silent, "irc.example.org").hint;
        assert!(
            hint.contains("another connection under the same name?"),
            "{hint}"
        );
    }
}
