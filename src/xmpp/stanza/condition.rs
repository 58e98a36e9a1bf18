//! Stanza error conditions and types (RFC 6120 §8.3.2 and §8.3.3).

use std::fmt;

macro_rules! conditions {
    ($($variant:ident $name:literal $kind:ident $section:literal;)*) => {
        /// A stanza error condition (RFC 6120 §8.3.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Condition {
            $(#[doc = concat!("`<", $name, "/>` (RFC 6120 §", $section, ")")] $variant,)*
        }

        impl Condition {
            /// Every condition, in the order of the RFC.
            pub const ALL: &[Condition] = &[$(Condition::$variant),*];

            /// The element name.
            pub fn name(self) -> &'static str {
                match self { $(Condition::$variant => $name,)* }
            }

            /// The error type the RFC recommends for it (where it leaves a choice: the first).
            pub fn default_type(self) -> ErrorType {
                match self { $(Condition::$variant => ErrorType::$kind,)* }
            }

            /// The condition with this element name.
            pub fn parse(name: &str) -> Option<Condition> {
                Some(match name { $($name => Condition::$variant,)* _ => return None })
            }
        }
    };
}

conditions! {
    BadRequest "bad-request" Modify "8.3.3.1";
    Conflict "conflict" Cancel "8.3.3.2";
    FeatureNotImplemented "feature-not-implemented" Cancel "8.3.3.3";
    Forbidden "forbidden" Auth "8.3.3.4";
    Gone "gone" Cancel "8.3.3.5";
    InternalServerError "internal-server-error" Cancel "8.3.3.6";
    ItemNotFound "item-not-found" Cancel "8.3.3.7";
    JidMalformed "jid-malformed" Modify "8.3.3.8";
    NotAcceptable "not-acceptable" Modify "8.3.3.9";
    NotAllowed "not-allowed" Cancel "8.3.3.10";
    NotAuthorized "not-authorized" Auth "8.3.3.11";
    PolicyViolation "policy-violation" Modify "8.3.3.12";
    RecipientUnavailable "recipient-unavailable" Wait "8.3.3.13";
    Redirect "redirect" Modify "8.3.3.14";
    RegistrationRequired "registration-required" Auth "8.3.3.15";
    RemoteServerNotFound "remote-server-not-found" Cancel "8.3.3.16";
    RemoteServerTimeout "remote-server-timeout" Wait "8.3.3.17";
    ResourceConstraint "resource-constraint" Wait "8.3.3.18";
    ServiceUnavailable "service-unavailable" Cancel "8.3.3.19";
    SubscriptionRequired "subscription-required" Auth "8.3.3.20";
    UndefinedCondition "undefined-condition" Cancel "8.3.3.21";
    UnexpectedRequest "unexpected-request" Wait "8.3.3.22";
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the sender should do about an error (RFC 6120 §8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry.
    Cancel,
    /// Proceed: the condition was only a warning.
    Continue,
    /// Retry after changing the data sent.
    Modify,
    /// Retry after waiting.
    Wait,
}

impl ErrorType {
    /// Every type.
    pub const ALL: &[ErrorType] = &[
        Self::Auth,
        Self::Cancel,
        Self::Continue,
        Self::Modify,
        Self::Wait,
    ];

    /// The value of the `type` attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// The type with this name.
    pub fn parse(name: &str) -> Option<ErrorType> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_and_type_is_found_by_its_name() {
        assert_eq!(Condition::ALL.len(), 22);
        for &condition in Condition::ALL {
            assert_eq!(Condition::parse(condition.name()), Some(condition));
        }
        for &kind in ErrorType::ALL {
            assert_eq!(ErrorType::parse(kind.name()), Some(kind));
        }
        assert_eq!(Condition::parse("text"), None);
        assert_eq!(ErrorType::parse("fatal"), None);
    }
}
