//! Names that stand for something going wrong. `docs/loopback.md` lists them for people.

use isthmus_gateway::{Address, Fault, FaultKind, Kind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

/// The resident that answers.
pub(crate) const ECHO: &str = "echo";

/// Contacts that are no person: nobody may take these nicknames.
pub(crate) const RESERVED: [&str; 6] = [ECHO, "nobody", "late", "slow", "mute", "twice"];

/// Most residents that `#big-N` brings.
const BIGGEST: usize = 20_000;

/// Rooms that refuse whoever enters, by the start of their name.
const REFUSING: [(&str, FaultKind, &str); 4] = [
    ("#full", FaultKind::RoomFull, "the room is full"),
    ("#banned", FaultKind::Forbidden, "you are banned"),
    ("#key", FaultKind::WrongPassword, "the password is: key"),
    (
        "#invite",
        FaultKind::MembersOnly,
        "only the invited may enter",
    ),
];

/// The fault kind with this name in the contract's JSON form (`no_such_target`).
pub(crate) fn kind(name: &str) -> Option<FaultKind> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    FaultKind::deserialize(name).ok()
}

/// The fault that a name such as `fault-room_full` or `#fault-room_full` asks for.
pub(crate) fn named(name: &str) -> Option<Fault> {
    let word = name.strip_prefix('#').unwrap_or(name);
    kind(word.strip_prefix("fault-")?).map(fault)
}

/// A fault of this kind as a network would tell it.
pub(crate) fn fault(kind: FaultKind) -> Fault {
    let mut fault = Fault::new(kind, format!("loopback refuses with {kind:?}"));
    if kind == FaultKind::Moved {
        fault.moved = Some(Address::new(Kind::Room, "#here", ""));
    }
    fault
}

/// Why a room with this name refuses to be entered.
pub(crate) fn refuses(room: &str, password: Option<&str>, invited: bool) -> Option<Fault> {
    if let Some(fault) = named(room) {
        return Some(fault);
    }
    let (_, kind, text) = REFUSING.iter().find(|row| room.starts_with(row.0))?;
    let passes = match kind {
        FaultKind::WrongPassword => password == Some("key"),
        FaultKind::MembersOnly => invited,
        _ => false,
    };
    (!passes).then(|| Fault::new(*kind, *text))
}

/// How many residents a room with this name has from the start.
pub(crate) fn residents(room: &str) -> usize {
    room.strip_prefix("#big-")
        .and_then(|count| count.parse().ok())
        .map_or(0, |count: usize| count.min(BIGGEST))
}

/// Why a network with this name cannot be reached at the given attempt, and whether trying again
/// may help.
pub(crate) fn unreachable(network: &str, attempt: u32) -> Option<(Fault, bool)> {
    if let Some(fault) = named(network) {
        return Some((fault, false));
    }
    match network {
        "down" => {}
        "flaky" if attempt == 1 => {}
        _ => return None,
    }
    let fault = Fault::new(FaultKind::NetworkDown, "the network does not answer");
    Some((fault, true))
}
