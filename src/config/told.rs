//! What users are told of the operator and his gateways: `[contact]`, and a gateway's
//! `transmission`.

use figment::value::Dict;

use super::reader::{Notes, Reader};
use super::{ContactConfig, Transmission, address, keys};

/// `[contact]`.
pub(super) fn contact(notes: &Notes, dict: &Dict) -> ContactConfig {
    let mut reader = Reader::new(notes, dict, "contact");
    let expected = "a URI such as \"mailto:admin@example.org\"";
    let mut addresses = std::collections::BTreeMap::new();
    for doc in keys::CONTACT {
        let some = reader.list(doc.key, expected, address::uri);
        addresses.insert(doc.key, some.unwrap_or_default());
    }
    reader.finish();
    ContactConfig(addresses)
}

/// `transmission` of a gateway.
pub(super) fn transmission(reader: &mut Reader<'_>) -> Option<Transmission> {
    let expected = "\"plain\", \"encrypted\" or \"e2e\"";
    reader.parsed("transmission", expected, |text| match text {
        "plain" => Some(Transmission::Plain),
        "encrypted" => Some(Transmission::Encrypted),
        "e2e" => Some(Transmission::EndToEnd),
        _ => None,
    })
}
