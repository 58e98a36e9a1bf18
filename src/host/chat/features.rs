//! What of messages a place advertises (XEP-0030), from its capabilities.
//!
//! Only what a client decides by is here: each feature has a scenario that uses it
//! (`tests/it/features.rs`).

use isthmus_gateway::Caps;

use super::Corrections;
use crate::host::about::Form;
use crate::xmpp::ns;

/// What any place takes: replies become text where the network has none.
const ALWAYS: [&str; 5] = [ns::REPLY, ns::FALLBACK, ns::OOB, ns::STYLING, ns::HINTS];

/// Features of a person. `live`: he is spoken to on a live network. `form`: how corrections are
/// told where a network has none.
pub(crate) fn of_contact(caps: &Caps, live: bool, form: Corrections) -> Vec<&'static str> {
    // A message that waits can be changed and taken back whatever the network can do.
    let mut features = always(!live || corrects(caps, form));
    features.push(ns::RECEIPTS);
    if !live {
        features.extend(caps.read.then_some(ns::CHAT_MARKERS));
        features.push(ns::RETRACT);
        return features;
    }
    features.extend(of_caps(caps));
    features
}

/// Features of a room.
pub(crate) fn of_room(caps: &Caps, form: Corrections) -> Vec<&'static str> {
    let mut features = always(corrects(caps, form));
    features.extend(of_caps(caps));
    if caps.moderate {
        features.push(ns::MODERATE);
    }
    features
}

fn always(corrects: bool) -> Vec<&'static str> {
    let correction = corrects.then_some(ns::CORRECT);
    correction.into_iter().chain(ALWAYS).collect()
}

/// Corrections become text where the network has none, unless the operator wants none of that.
fn corrects(caps: &Caps, form: Corrections) -> bool {
    caps.edit || form != Corrections::Refuse
}

fn of_caps(caps: &Caps) -> impl Iterator<Item = &'static str> {
    [
        (caps.typing, ns::CHAT_STATES),
        (caps.read, ns::CHAT_MARKERS),
        (caps.retract, ns::RETRACT),
        (caps.react, ns::REACTIONS),
    ]
    .into_iter()
    .filter(|&(can, _)| can)
    .map(|(_, feature)| feature)
}

/// Which reactions are allowed (XEP-0444 §2.2): where the network has none, not even one.
pub(crate) fn restrictions(caps: &Caps) -> Option<Form> {
    if caps.react && caps.react_max == 0 && caps.react_with.is_empty() {
        return None;
    }
    let mut form = Form::new(ns::REACTIONS_RESTRICTIONS);
    if !caps.react || caps.react_max > 0 {
        let most = if caps.react { caps.react_max } else { 0 };
        form.put("max_reactions_per_user", "", &[most]);
    }
    if caps.react && !caps.react_with.is_empty() {
        form.put("allowlist", "", &caps.react_with);
    }
    Some(form)
}
