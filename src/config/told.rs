//! What users are told of the operator and his gateways: `[contact]`, and a gateway's `title`,
//! `avatar` and `transmission`; and how they are told: `[messages]`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use figment::value::Dict;
use isthmus_gateway::Picture;

use super::reader::{Notes, Reader, quoted};
use super::{ContactConfig, Corrections, Language, Told, Transmission, address, keys};

/// `[messages]`.
pub(super) fn messages(notes: &Notes, dict: &Dict) -> Option<(Corrections, Language)> {
    let mut reader = Reader::new(notes, dict, "messages");
    let expected = "\"short\", \"text\" or \"refuse\"";
    let corrections = reader.parsed("corrections", expected, |text| match text {
        "short" => Some(Corrections::Short),
        "text" => Some(Corrections::Text),
        "refuse" => Some(Corrections::Refuse),
        _ => None,
    });
    let language = reader.parsed("language", "\"en\" or \"zh\"", |text| match text {
        "en" => Some(Language::English),
        "zh" => Some(Language::Chinese),
        _ => None,
    });
    reader.finish();
    Some((corrections?, language?))
}

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

/// What a gateway's table says of it.
pub(super) fn gateway(reader: &mut Reader<'_>, folder: &Path) -> Told {
    let expected = "a name of at most 100 characters";
    let title = reader.parsed("title", expected, |text| {
        let text = text.trim();
        let good = !text.is_empty() && text.chars().count() <= 100;
        (good && !text.contains(char::is_control)).then(|| text.to_owned())
    });
    Told {
        transmission: transmission(reader),
        title,
        avatar: avatar(reader, folder),
    }
}

/// `avatar` of a gateway.
fn avatar(reader: &mut Reader<'_>, folder: &Path) -> Option<Picture<'static>> {
    let most = Picture::MOST;
    let expected =
        format!("a readable file with a picture (PNG, JPEG, GIF or WebP) of at most {most} bytes");
    let path = folder.join(reader.text("avatar", &expected)?);
    let mut data = Vec::new();
    let read = File::open(&path).and_then(|file| {
        // One byte more than is shown, and never all of something that does not end.
        file.take(most as u64 + 1).read_to_end(&mut data)
    });
    let picture = Picture(data.into());
    let fault = match read {
        Err(error) => error.to_string(),
        Ok(len) if len > most => format!("more than {most} bytes"),
        Ok(_) if picture.media_type().is_none() => "no such picture".to_owned(),
        Ok(_) => return Some(picture),
    };
    let shown = quoted(&path.display().to_string());
    reader.note(
        "avatar",
        format!("found {shown}: {fault}; expected {expected}"),
    );
    None
}

/// `transmission` of a gateway.
fn transmission(reader: &mut Reader<'_>) -> Option<Transmission> {
    let expected = "\"plain\", \"encrypted\" or \"e2e\"";
    reader.parsed("transmission", expected, |text| match text {
        "plain" => Some(Transmission::Plain),
        "encrypted" => Some(Transmission::Encrypted),
        "e2e" => Some(Transmission::EndToEnd),
        _ => None,
    })
}
