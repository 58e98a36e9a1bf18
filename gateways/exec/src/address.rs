//! Localparts by templates: what the plugin says its names look like.
//!
//! Pure. A template is literal text around one `{id}`, such as `{id}` or `#{id}`, and may end in
//! `%{network}` where the plugin serves several networks. The literal text is not part of the id:
//! with `#{id}` the localpart `#garden` is the room `garden`. The empty localpart is the gateway,
//! `%network` a network. Escaping (XEP-0106) is the host's business.

use isthmus_gateway::{Address, AddressFault, Kind, Parsed, words};
use serde::Deserialize;

/// Longest localpart in bytes (RFC 7622 §3.3 allows 1023; the host escapes what it must).
const LONGEST: usize = 512;
const ID: &str = "{id}";
const NETWORK: &str = "%{network}";

/// The templates of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Templates {
    contact: Option<Template>,
    room: Option<Template>,
    networks: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    before: String,
    after: String,
}

/// The templates as they are written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spelled {
    contact: Option<String>,
    room: Option<String>,
}

impl Templates {
    /// Reads the templates; what is wrong with them, in words.
    pub(crate) fn read(spelled: &Spelled) -> Result<Self, String> {
        let mut with_network = Vec::new();
        let mut read = |text: &Option<String>| -> Result<Option<Template>, String> {
            let Some(text) = text else { return Ok(None) };
            let (template, networks) = Template::read(text)?;
            with_network.push(networks);
            Ok(Some(template))
        };
        let (contact, room) = (read(&spelled.contact)?, read(&spelled.room)?);
        if contact.is_none() && room.is_none() {
            return Err("an address needs a template for contacts or for rooms".into());
        }
        if contact == room {
            return Err("contacts and rooms have the same template".into());
        }
        let networks = with_network.contains(&true);
        if networks && with_network.contains(&false) {
            return Err("either every template ends in %{network} or none does".into());
        }
        Ok(Self {
            contact,
            room,
            networks,
        })
    }

    /// The network a localpart names; empty where there is only one or it names none.
    pub(crate) fn network<'a>(&self, localpart: &'a str) -> &'a str {
        self.divide(localpart).1
    }

    fn divide<'a>(&self, localpart: &'a str) -> (&'a str, &'a str) {
        match localpart.rsplit_once('%') {
            Some(divided) if self.networks => divided,
            _ => (localpart, ""),
        }
    }

    /// Reads an unescaped localpart.
    pub(crate) fn parse(&self, localpart: &str) -> Result<Parsed, AddressFault> {
        check(localpart)?;
        let (name, network) = self.divide(localpart);
        if self.networks && network.is_empty() && !localpart.is_empty() {
            return Err(AddressFault::new((
                "write the network behind a %",
                "请在 % 之后写明网络",
            )));
        }
        let address = match (name, network) {
            ("", "") => Some(Address::new(Kind::Gateway, "", "")),
            ("", _) => Some(Address::new(Kind::Network, "", network)),
            _ => self
                .inside(name)
                .map(|(kind, id)| Address::new(kind, id, network)),
        };
        address.map(Parsed::Canonical).ok_or_else(|| self.fault())
    }

    /// What a name without its network is: the template with more literal text counts.
    fn inside<'a>(&self, name: &'a str) -> Option<(Kind, &'a str)> {
        let read = |kind: Kind, template: &Option<Template>| {
            let template = template.as_ref()?;
            let id = template.inside(name)?;
            Some((template.literal(), kind, id))
        };
        let room = read(Kind::Room, &self.room);
        let contact = read(Kind::Contact, &self.contact);
        let more = match (room, contact) {
            (Some(room), Some(contact)) if contact.0 > room.0 => Some(contact),
            (Some(room), _) => Some(room),
            (None, contact) => contact,
        };
        more.map(|(_, kind, id)| (kind, id))
    }

    /// Writes the unescaped localpart of an address, if it would be read back as the same.
    pub(crate) fn format(&self, address: &Address) -> Result<String, AddressFault> {
        let template = match address.kind {
            Kind::Contact => self.contact.as_ref(),
            Kind::Room => self.room.as_ref(),
            _ => None,
        };
        let mut text = match (address.kind, template) {
            (Kind::Gateway | Kind::Network, _) => String::new(),
            (_, Some(template)) => template.around(&address.id),
            (_, None) => return Err(self.fault()),
        };
        if !address.network.is_empty() {
            text.push('%');
            text.push_str(&address.network);
        }
        match self.parse(&text) {
            Ok(Parsed::Canonical(read)) if read == *address => Ok(text),
            Ok(_) => Err(self.fault()),
            Err(fault) => Err(fault),
        }
    }

    fn fault(&self) -> AddressFault {
        let end = if self.networks { "%network" } else { "" };
        let show = |template: &Option<Template>, what: &str| {
            let template = template.as_ref()?;
            Some(format!("{}{end}", template.around(what)))
        };
        let forms = [show(&self.contact, "name"), show(&self.room, "room")];
        let forms: Vec<String> = forms.into_iter().flatten().collect();
        let (en, zh) = (forms.join(" or "), forms.join(" 或 "));
        AddressFault::new(words!(
            "addresses here look like {en}",
            "此处的地址形如 {zh}"
        ))
    }
}

impl Template {
    fn read(text: &str) -> Result<(Self, bool), String> {
        let (text, networks) = match text.strip_suffix(NETWORK) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let wrong = || format!("the address template {text:?} is not literal text around one {ID}");
        let (before, after) = text.split_once(ID).ok_or_else(wrong)?;
        let odd = |part: &str| part.contains(['{', '}']) || check(part).is_err();
        if odd(before) || odd(after) || (networks && after.contains('%')) {
            return Err(wrong());
        }
        let (before, after) = (before.to_owned(), after.to_owned());
        Ok((Self { before, after }, networks))
    }

    fn inside<'a>(&self, name: &'a str) -> Option<&'a str> {
        let id = name
            .strip_prefix(self.before.as_str())?
            .strip_suffix(self.after.as_str())?;
        (!id.is_empty()).then_some(id)
    }

    fn around(&self, id: &str) -> String {
        format!("{}{id}{}", self.before, self.after)
    }

    fn literal(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

fn check(text: &str) -> Result<(), AddressFault> {
    if text.len() > LONGEST {
        return Err(AddressFault::new(("this name is too long", "此名称过长")));
    }
    if text.chars().any(char::is_control) {
        return Err(AddressFault::new((
            "a name cannot hold control characters",
            "名称不得含有控制字符",
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn templates(contact: &str, room: &str) -> Result<Templates, String> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Templates::read(&Spelled {
            contact: given(contact),
            room: given(room),
        })
    }

    fn canonical(kind: Kind, id: &str, network: &str) -> Result<Parsed, AddressFault> {
        Ok(Parsed::Canonical(Address::new(kind, id, network)))
    }

    #[test]
    fn a_room_is_told_from_a_contact_by_its_sign() {
        let plain = templates("{id}", "#{id}").expect("good templates");
        assert_eq!(plain.parse("#garden"), canonical(Kind::Room, "garden", ""));
        assert_eq!(plain.parse("alice"), canonical(Kind::Contact, "alice", ""));
        assert_eq!(plain.parse("a%b"), canonical(Kind::Contact, "a%b", ""));
        assert_eq!(plain.parse(""), canonical(Kind::Gateway, "", ""));
        let fault = plain.format(&Address::new(Kind::Contact, "#alice", ""));
        assert!(fault.is_err(), "it would be read as a room");
    }

    #[test]
    fn the_last_percent_names_the_network_where_there_are_networks() {
        let several = templates("{id}%{network}", "room-{id}%{network}").expect("good templates");
        assert_eq!(several.parse("a%b%n"), canonical(Kind::Contact, "a%b", "n"));
        assert_eq!(several.parse("room-a%n"), canonical(Kind::Room, "a", "n"));
        assert_eq!(several.parse("%n"), canonical(Kind::Network, "", "n"));
        assert_eq!(several.network("a%n"), "n");
        assert!(several.parse("a").is_err());
    }

    #[test]
    fn templates_that_cannot_be_told_apart_are_refused() {
        for (contact, room) in [
            ("", ""),
            ("{id}", "{id}"),
            ("id", ""),
            ("{id}{id}", ""),
            ("{id}%{network}", "#{id}"),
            ("{who}{id}", ""),
        ] {
            assert!(templates(contact, room).is_err(), "{contact} {room}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            room in any::<bool>(),
            id in "[a-z%#é-]{0,12}",
            on in "[a-z.#%]{0,8}",
            networks in any::<bool>(),
        ) {
            let end = if networks { "%{network}" } else { "" };
            let both = templates(&format!("{{id}}{end}"), &format!("#{{id}}{end}"));
            let both = both.expect("good templates");
            let kind = if room { Kind::Room } else { Kind::Contact };
            let address = Address::new(kind, id, on);
            if let Ok(text) = both.format(&address) {
                prop_assert_eq!(both.network(&text), address.network.as_str());
                prop_assert_eq!(both.parse(&text), Ok(Parsed::Canonical(address)));
            }
        }

        #[test]
        fn any_localpart_is_refused_or_written_back(text in "\\PC{0,20}") {
            let both = templates("{id}", "#{id}").expect("good templates");
            if let Ok(Parsed::Canonical(address)) = both.parse(&text) {
                prop_assert_eq!(both.format(&address), Ok(text));
            }
        }
    }
}
