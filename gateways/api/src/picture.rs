//! Pictures of people and rooms, small enough to go in one stanza. In JSON they are base64 (RFC
//! 4648 §4). Scaling and conversion are the gateway's: what does not fit is not shown.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The bytes of a picture's file.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture<'a>(pub Cow<'a, [u8]>);

impl Picture<'_> {
    /// The most bytes that are shown. As base64 in a stanza they stay below 64 KiB, which every
    /// XMPP server passes on.
    pub const MOST: usize = 45_000;

    /// The media type by the first bytes: PNG, JPEG, GIF or WebP; `None`: none of these.
    pub fn media_type(&self) -> Option<&'static str> {
        let bytes = self.0.as_ref();
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        if begins(b"\x89PNG\r\n\x1a\n") {
            Some("image/png")
        } else if begins(b"\xff\xd8\xff") {
            Some("image/jpeg")
        } else if begins(b"GIF87a") || begins(b"GIF89a") {
            Some("image/gif")
        } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some("image/webp")
        } else {
            None
        }
    }

    /// The same, owning its bytes.
    pub fn into_owned(self) -> Picture<'static> {
        Picture(Cow::Owned(self.0.into_owned()))
    }
}

impl std::fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} bytes)", self.0.len())
    }
}

impl Serialize for Picture<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Picture<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        let bytes = STANDARD.decode(text.as_bytes());
        let bytes = bytes.map_err(|error| de::Error::custom(format!("a picture: {error}")))?;
        Ok(Self(Cow::Owned(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_base64_in_a_json_line() {
        let picture = Picture(Cow::Borrowed(b"GIF89a"));
        let line = serde_json::to_string(&picture).expect("a text");
        assert_eq!(line, "\"R0lGODlh\"");
        let read: Picture<'_> = serde_json::from_str(&line).expect("own output");
        assert_eq!(read, picture);
        assert!(serde_json::from_str::<Picture<'_>>("\"no!\"").is_err());
    }

    #[test]
    fn the_first_bytes_say_what_a_picture_is() {
        let kind = |bytes: &'static [u8]| Picture(Cow::Borrowed(bytes)).media_type();
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(kind(b"RIFF....WAVE"), None);
        assert_eq!(kind(b"<svg/>"), None);
        assert_eq!(kind(b""), None);
    }
}
