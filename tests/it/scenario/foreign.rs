//! `foreign>`: what the people and servers of a loopback network do.
//!
//! `VERB PLACE ...`, where a place is a room, a name or nothing with `%network` behind it.

use isthmus_gateway::{Event, Picture, Ranks};
use isthmus_loopback::Control;

/// Does it.
///
/// # Errors
///
/// What cannot be understood.
pub(crate) fn act(control: &Control, text: &str) -> Result<(), String> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (place, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (id, network) = place.rsplit_once('%').unwrap_or((place, ""));
    let (first, words) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "go_offline" => control.go_offline(network),
        "go_online" => control.go_online(network),
        "say" => control.say(network, id, first, words),
        "whisper" => control.whisper(network, id, first, words),
        "come" => {
            let ranks = if words.is_empty() {
                Ok(0)
            } else {
                words.parse()
            };
            let ranks = ranks.map_err(|_| "ranks are a number")?;
            control.come(network, id, first, Ranks(ranks));
        }
        "picture" if first.is_empty() => control.picture(network, id, None),
        "picture" if first.contains("://") => control.picture_link(network, id, first),
        "picture" => {
            let json = serde_json::Value::from(first).to_string();
            let picture: Picture<'_> = serde_json::from_str(&json).map_err(|it| it.to_string())?;
            control.picture(network, id, Some(picture.into_owned()));
        }
        "leave" => control.leave(network, id, first),
        "kick" => control.kick(network, id, first, words),
        "quit" => control.quit(network, id),
        "rename" => control.rename(network, id, first),
        "split" => control.split(network, &rest.split(' ').collect::<Vec<_>>()),
        "flood" => {
            let lines = first.parse().map_err(|_| "how many lines?")?;
            control.flood(network, id, lines);
        }
        "tell" => {
            let event: Event<'_> = serde_json::from_str(rest).map_err(|fault| fault.to_string())?;
            let json = serde_json::to_string(&event).map_err(|fault| fault.to_string())?;
            let leaked: Event<'static> = owned(&json)?;
            control.tell(network, id, &leaked);
        }
        _ => return Err(format!("{verb}: nobody can do that")),
    }
    Ok(())
}

/// An event that borrows from nothing that ends. A scenario's few events are kept to its end.
fn owned(json: &str) -> Result<Event<'static>, String> {
    let json: &'static str = Box::leak(json.to_owned().into_boxed_str());
    serde_json::from_str(json).map_err(|fault| fault.to_string())
}
