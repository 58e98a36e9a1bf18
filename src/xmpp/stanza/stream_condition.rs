//! Stream error conditions (RFC 6120 §4.9.3).

use std::fmt;

macro_rules! conditions {
    ($($variant:ident $name:literal $section:literal;)*) => {
        /// A stream error condition (RFC 6120 §4.9.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum StreamCondition {
            $(#[doc = concat!("`<", $name, "/>` (RFC 6120 §", $section, ")")] $variant,)*
        }

        impl StreamCondition {
            /// Every condition, in the order of the RFC.
            pub const ALL: &[StreamCondition] = &[$(StreamCondition::$variant),*];

            /// The element name.
            pub fn name(self) -> &'static str {
                match self { $(StreamCondition::$variant => $name,)* }
            }

            /// The condition with this element name; understands `xml-not-well-formed` of
            /// RFC 3920, which servers still send.
            pub fn parse(name: &str) -> Option<StreamCondition> {
                Some(match name {
                    $($name => StreamCondition::$variant,)*
                    "xml-not-well-formed" => StreamCondition::NotWellFormed,
                    _ => return None,
                })
            }
        }
    };
}

conditions! {
    BadFormat "bad-format" "4.9.3.1";
    BadNamespacePrefix "bad-namespace-prefix" "4.9.3.2";
    Conflict "conflict" "4.9.3.3";
    ConnectionTimeout "connection-timeout" "4.9.3.4";
    HostGone "host-gone" "4.9.3.5";
    HostUnknown "host-unknown" "4.9.3.6";
    ImproperAddressing "improper-addressing" "4.9.3.7";
    InternalServerError "internal-server-error" "4.9.3.8";
    InvalidFrom "invalid-from" "4.9.3.9";
    InvalidNamespace "invalid-namespace" "4.9.3.10";
    InvalidXml "invalid-xml" "4.9.3.11";
    NotAuthorized "not-authorized" "4.9.3.12";
    NotWellFormed "not-well-formed" "4.9.3.13";
    PolicyViolation "policy-violation" "4.9.3.14";
    RemoteConnectionFailed "remote-connection-failed" "4.9.3.15";
    Reset "reset" "4.9.3.16";
    ResourceConstraint "resource-constraint" "4.9.3.17";
    RestrictedXml "restricted-xml" "4.9.3.18";
    SeeOtherHost "see-other-host" "4.9.3.19";
    SystemShutdown "system-shutdown" "4.9.3.20";
    UndefinedCondition "undefined-condition" "4.9.3.21";
    UnsupportedEncoding "unsupported-encoding" "4.9.3.22";
    UnsupportedFeature "unsupported-feature" "4.9.3.23";
    UnsupportedStanzaType "unsupported-stanza-type" "4.9.3.24";
    UnsupportedVersion "unsupported-version" "4.9.3.25";
}

impl fmt::Display for StreamCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_found_by_its_name() {
        assert_eq!(StreamCondition::ALL.len(), 25);
        for &condition in StreamCondition::ALL {
            assert_eq!(StreamCondition::parse(condition.name()), Some(condition));
        }
        assert_eq!(StreamCondition::parse("text"), None);
    }

    #[test]
    fn name_of_the_older_rfc_is_understood() {
        let condition = StreamCondition::parse("xml-not-well-formed");
        assert_eq!(condition, Some(StreamCondition::NotWellFormed));
    }
}
