//! Strict transport security (IRCv3 sts): a server met in plain text says where it speaks TLS, and
//! one met over TLS for how long it will.
//!
//! Where plain text was chosen by the operator it stays: the word of a server that anybody on the
//! way could have written overrules nobody. Keeping the policy is the transport's matter.

use isthmus_gateway::{Fault, FaultKind};

use super::{Conversation, End, Safety};

/// What a server has said of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sts {
    /// Go away and come back to this port, with TLS.
    Upgrade(u16),
    /// For so many seconds from now TLS will be had here; 0: no longer.
    Keep(u64),
}

impl Conversation {
    /// What the server has said of TLS since the last call.
    pub fn take_sts(&mut self) -> Option<Sts> {
        self.sts.take()
    }

    /// The list of capabilities is there. True: this connection ends for a better one.
    pub(super) fn on_sts(&mut self) -> bool {
        let Some(value) = self.caps.sts.take() else {
            return false;
        };
        let number = |key: &str| {
            let found = value.split(',').find_map(|word| word.strip_prefix(key));
            found.and_then(|digits| digits.parse::<u64>().ok())
        };
        match self.safety {
            Safety::Tls => {
                self.sts = number("duration=").map(Sts::Keep);
                false
            }
            Safety::Plain => false,
            Safety::Fallback => {
                let port = number("port=").and_then(|port| u16::try_from(port).ok());
                let Some(port) = port.filter(|&port| port > 0) else {
                    return false;
                };
                self.sts = Some(Sts::Upgrade(port));
                self.end = Some(End {
                    fault: Fault::new(
                        FaultKind::NetworkDown,
                        ("the server asks for TLS", "服务器要求 TLS"),
                    ),
                    retry: true,
                });
                true
            }
        }
    }
}
