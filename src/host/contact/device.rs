//! What a user's clients can do, as far as the host decides by it: take suggestions for the roster
//! (XEP-0144 §4), and hear how somebody looks (XEP-0084 §3.2, by a feature as XEP-0163 §4 has it).
//!
//! A client that tells its capabilities (XEP-0115) is asked once what they are, when that first
//! matters, and an answer whose hash is right holds for all clients of that hash (§5.4). One that
//! tells none is not asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::host::asker::Asker;
use crate::host::caps;
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Hashes that are remembered; then all are forgotten.
const MOST: usize = 4096;
/// The longest node and hash that are looked at, in bytes.
const LONGEST: usize = 512;
/// What interest in pictures is told by.
const AVATAR_NOTIFY: &str = "urn:xmpp:avatar:metadata+notify";

/// What a client can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Able {
    /// It takes suggestions for the roster.
    pub(super) roster: bool,
    /// It wants to hear of pictures.
    pub(super) avatars: bool,
}

impl Able {
    /// By an answer to disco#info.
    fn of(query: &Element) -> Self {
        let has = |var: &str| {
            let mut features = query.children().filter(|it| it.name() == "feature");
            features.any(|it| it.attr("var") == Some(var))
        };
        Self {
            roster: has(ns::ROSTERX),
            avatars: has(AVATAR_NOTIFY),
        }
    }
}

/// A client that is there and tells its capabilities.
#[derive(Debug)]
pub(crate) struct Device {
    /// Its full JID.
    pub(super) jid: String,
    node: String,
    ver: String,
    able: OnceCell<Able>,
}

impl Device {
    /// The client that sent this presence; `None`: it tells no capabilities that can be checked.
    pub(crate) fn of(jid: &str, presence: &Element) -> Option<Self> {
        let caps = presence.child("c", ns::CAPS)?;
        let (node, ver) = (caps.attr("node")?, caps.attr("ver")?);
        if node.len() + ver.len() > LONGEST {
            return None;
        }
        Some(Self {
            jid: jid.to_owned(),
            node: node.to_owned(),
            // §5.4: only SHA-1 is computed here; another hash holds for its client alone.
            ver: match caps.attr("hash") {
                Some("sha-1") => ver.to_owned(),
                hash => format!("{}:{ver}", hash.unwrap_or_default()),
            },
            able: OnceCell::new(),
        })
    }

    /// Whether presence of the same client says the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        (&self.node, &self.ver) == (&other.node, &other.ver)
    }
}

/// What is known of clients by their hashes.
#[derive(Debug, Default)]
pub(super) struct Devices(Mutex<HashMap<String, Able>>);

impl Devices {
    /// What a client can do; it is asked if nobody of its hash has been.
    pub(super) async fn able(&self, asker: &Arc<Asker>, device: &Device) -> Able {
        *device.able.get_or_init(|| self.ask(asker, device)).await
    }

    async fn ask(&self, asker: &Arc<Asker>, device: &Device) -> Able {
        if let Some(able) = self.known().get(&device.ver) {
            return *able;
        }
        let hash = device.ver.split_once(':').map_or(&*device.ver, |it| it.1);
        let node = format!("{}#{hash}", device.node);
        let answer = asker.get(&device.jid, |xml| {
            xml.start_ns("query", ns::DISCO_INFO).attr("node", &node);
            xml.end();
        });
        let Some(query) = answer.await else {
            return Able::default();
        };
        let able = Able::of(&query);
        if caps::hash_of(&query) == device.ver {
            let mut known = self.known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(device.ver.clone(), able);
        }
        able
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Able>> {
        // One look-up or one insertion: never half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
