//! Cards of people: vcard-temp (XEP-0054 1.3) and vCard4 (RFC 6351), by iq (XEP-0292 0.10
//! §4.1.1).
//!
//! Of whom no session can ask, the address alone tells: the name, and where it is a telephone
//! number or a mail address, that.

use crate::component::Outbox;
use crate::host::picture::{Image, Portrait};
use crate::host::reply::Origin;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// What is known of somebody; what is empty is not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Card<'a> {
    /// What he is called.
    pub(crate) name: &'a str,
    /// His nickname.
    pub(crate) nick: &'a str,
    /// The rest, in words.
    pub(crate) about: &'a str,
    /// His telephone number.
    pub(crate) tel: &'a str,
    /// His mail address.
    pub(crate) mail: &'a str,
    /// How he looks.
    pub(crate) photo: Option<&'a Image>,
}

/// Which card a request asks for: `Some(true)` is vCard4; `None`: none.
pub(crate) fn asked(payload: &Element) -> Option<bool> {
    match (payload.name(), payload.ns()) {
        ("vCard", ns::VCARD) => Some(false),
        ("vcard", ns::VCARD4) => Some(true),
        _ => None,
    }
}

/// Answers with a card and looks, in the form that is asked for.
pub(crate) fn answer(
    outbox: &Outbox,
    origin: &Origin,
    payload: &Element,
    card: Card<'_>,
    portrait: &Portrait,
) {
    let photo = portrait.image().map(|image| &**image);
    let card = Card { photo, ..card };
    let four = asked(payload) == Some(true);
    origin.result(outbox, |xml| card.write(xml, four));
}

impl<'a> Card<'a> {
    /// What the address of a person tells.
    pub(crate) fn of_address(id: &'a str) -> Self {
        let number = id.strip_prefix('+').unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        match (is_number, id.contains('@')) {
            (true, _) => Card {
                name: id,
                tel: id,
                ..Card::default()
            },
            (false, true) => Card {
                name: id,
                mail: id,
                ..Card::default()
            },
            (false, false) => Card {
                name: id,
                nick: id,
                ..Card::default()
            },
        }
    }

    /// Writes it, as vCard4 or else as vcard-temp.
    pub(crate) fn write(&self, xml: &mut Xml<'_>, four: bool) {
        match four {
            true => self.write_four(xml),
            false => self.write_temp(xml),
        }
    }

    /// XEP-0054 §3.
    fn write_temp(&self, xml: &mut Xml<'_>) {
        xml.start_ns("vCard", ns::VCARD);
        xml.text_element("FN", self.name);
        if !self.nick.is_empty() {
            xml.text_element("NICKNAME", self.nick);
        }
        if !self.tel.is_empty() {
            xml.start("TEL").text_element("NUMBER", self.tel).end();
        }
        if !self.mail.is_empty() {
            xml.start("EMAIL").text_element("USERID", self.mail).end();
        }
        if !self.about.is_empty() {
            xml.text_element("DESC", self.about);
        }
        if let Some(image) = self.photo {
            // XEP-0153 §3.1
            xml.start("PHOTO").text_element("TYPE", image.mime);
            xml.text_element("BINVAL", &image.base64()).end();
        }
        xml.end();
    }

    /// RFC 6351 §3.
    fn write_four(&self, xml: &mut Xml<'_>) {
        xml.start_ns("vcard", ns::VCARD4);
        let texts = [
            ("fn", self.name),
            ("nickname", self.nick),
            ("email", self.mail),
            ("note", self.about),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                xml.start(name).text_element("text", text).end();
            }
        }
        if !self.tel.is_empty() {
            let uri = format!("tel:{}", self.tel);
            xml.start("tel").text_element("uri", &uri).end();
        }
        if let Some(image) = self.photo {
            // RFC 6350 §6.2.4, RFC 2397
            let uri = format!("data:{};base64,{}", image.mime, image.base64());
            xml.start("photo").text_element("uri", &uri).end();
        }
        xml.end();
    }
}
