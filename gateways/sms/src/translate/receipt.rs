//! Delivery receipts (SMPP 3.4 §5.2.12, §5.3.2.12, §5.3.2.35, appendix B).
//!
//! Optional parameters first, then the text that most carriers send: fields in any case and
//! order, some of them missing.

use isthmus_gateway::{Fault, FaultKind, words};

use super::smpp::pdu::latin1;
use super::smpp::{Sm, tag};

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Still on its way.
    Enroute,
    /// On the handset.
    Delivered,
    /// It was not delivered in time.
    Expired,
    /// Somebody deleted it.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// The carrier cannot tell.
    Unknown,
    /// The carrier or the recipient's refused it.
    Rejected,
    /// The carrier left it out.
    Skipped,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The ids it names, the most trustworthy first; may be empty.
    pub ids: Vec<String>,
    /// What became of it.
    pub fate: Fate,
    /// The carrier's error, if it tells one.
    pub error: Option<String>,
}

/// Reads a receipt, if this is one.
pub fn receipt(sm: &Sm) -> Option<Receipt> {
    // Receipt, acknowledgement, intermediate notification: all are told as one or the other.
    let marked = sm.esm_class & (0x04 | 0x08 | 0x20) != 0;
    let id = sm.tlv(tag::RECEIPTED_MESSAGE_ID).map(text);
    let state = sm.tlv(tag::MESSAGE_STATE).and_then(|state| state.first());
    if !marked && (id.is_none() || state.is_none()) {
        return None;
    }
    let body = latin1(sm.payload());
    let mut ids: Vec<String> = id.into_iter().collect();
    ids.extend(field(&body, "id").map(str::to_owned));
    ids.retain(|id| !id.is_empty());
    ids.dedup();
    let fate = state.and_then(|&state| by_number(state));
    let fate = fate.or_else(|| field(&body, "stat").and_then(by_word));
    let error = field(&body, "err").filter(|err| err.chars().any(|c| c != '0'));
    let error = error.map(str::to_owned).or_else(|| network_error(sm));
    Some(Receipt {
        ids,
        fate: fate.unwrap_or(Fate::Enroute),
        error,
    })
}

impl Receipt {
    /// Why it will not arrive; `None` where it did or may.
    pub fn fault(&self) -> Option<Fault> {
        let (kind, (en, zh)) = match self.fate {
            Fate::Enroute | Fate::Delivered | Fate::Unknown => return None,
            Fate::Expired => (
                FaultKind::Expired,
                (
                    "the recipient could not be reached in time",
                    "未能及时联系到收件人",
                ),
            ),
            Fate::Undeliverable => (
                FaultKind::Offline,
                (
                    "the message cannot be delivered to this number",
                    "消息无法投递到该号码",
                ),
            ),
            Fate::Rejected => (
                FaultKind::Other,
                ("the carrier rejected the message", "运营商拒收了该消息"),
            ),
            Fate::Deleted => (
                FaultKind::Other,
                ("the carrier deleted the message", "运营商删除了该消息"),
            ),
            Fate::Skipped => (
                FaultKind::Other,
                ("the carrier left the message out", "运营商略过了该消息"),
            ),
        };
        Some(match &self.error {
            Some(error) => Fault::new(
                kind,
                words!(
                    "{en} (the carrier's error {error})",
                    "{zh}（运营商错误 {error}）"
                ),
            ),
            None => Fault::new(kind, (en, zh)),
        })
    }
}

/// Other ways to write an id: carriers answer with hexadecimal digits and send receipts with
/// decimal ones, or the other way round, and drop or add zeros in front.
pub fn other_forms(id: &str) -> Vec<String> {
    let mut forms = Vec::new();
    let lower = id.to_ascii_lowercase();
    let bare = lower.trim_start_matches('0').to_owned();
    if let Ok(number) = bare.parse::<u128>() {
        forms.push(format!("{number:x}"));
    }
    if let Ok(number) = u128::from_str_radix(&bare, 16) {
        forms.push(number.to_string());
    }
    forms.insert(0, bare);
    forms
}

/// The form ids are compared in.
pub fn plain_form(id: &str) -> String {
    let lower = id.trim().to_ascii_lowercase();
    match lower.trim_start_matches('0') {
        "" => lower,
        bare => bare.to_owned(),
    }
}

/// The value of a field such as `stat:DELIVRD`, whatever its case. Its name stands at the start
/// or behind a space. `text:` ends the fields: what follows is the sender's.
fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let lower = body.to_ascii_lowercase();
    let fields = lower.find("text:").unwrap_or(lower.len());
    let mut from = 0;
    loop {
        let at = from + lower.get(from..fields)?.find(name)?;
        let behind = at + name.len();
        let starts = at == 0 || lower.as_bytes()[at - 1].is_ascii_whitespace();
        if starts && lower[behind..fields].starts_with(':') {
            let value = body.get(behind + 1..fields)?.trim_start();
            return value.split_whitespace().next();
        }
        from = behind;
    }
}

/// Text that may lack its NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    latin1(&bytes[..end]).trim().to_owned()
}

/// `network_error_code`: a network type and a number, or three digits as Kannel writes them.
fn network_error(sm: &Sm) -> Option<String> {
    let value = sm.tlv(tag::NETWORK_ERROR_CODE)?;
    if value.iter().all(u8::is_ascii_digit) {
        return Some(text(value)).filter(|digits| digits.chars().any(|c| c != '0'));
    }
    let code = value.get(1..3)?;
    let code = u16::from_be_bytes([code[0], code[1]]);
    (code != 0).then(|| code.to_string())
}

/// §5.2.28.
fn by_number(state: u8) -> Option<Fate> {
    Some(match state {
        1 | 6 => Fate::Enroute,
        2 => Fate::Delivered,
        3 => Fate::Expired,
        4 => Fate::Deleted,
        5 => Fate::Undeliverable,
        7 => Fate::Unknown,
        8 => Fate::Rejected,
        9 => Fate::Skipped,
        _ => return None,
    })
}

fn by_word(word: &str) -> Option<Fate> {
    let word = word.to_ascii_uppercase();
    let known = [
        ("DELIV", Fate::Delivered),
        ("EXPIR", Fate::Expired),
        ("DELET", Fate::Deleted),
        ("UNDEL", Fate::Undeliverable),
        ("ACCEP", Fate::Enroute),
        ("ENROU", Fate::Enroute),
        ("UNKNO", Fate::Unknown),
        ("REJEC", Fate::Rejected),
        ("SKIPP", Fate::Skipped),
        ("FAILE", Fate::Undeliverable),
    ];
    let found = known.iter().find(|(start, _)| word.starts_with(start));
    found.map(|(_, fate)| *fate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::smpp::Tlv;

    fn sm(esm_class: u8, text: &str, tlvs: &[(u16, &[u8])]) -> Sm {
        let tlv = |(tag, value): &(u16, &[u8])| Tlv {
            tag: *tag,
            value: value.to_vec(),
        };
        Sm {
            esm_class,
            short_message: text.as_bytes().to_vec(),
            tlvs: tlvs.iter().map(tlv).collect(),
            ..Sm::default()
        }
    }

    fn read(text: &str) -> (Vec<String>, Fate, Option<String>) {
        let receipt = receipt(&sm(4, text, &[])).expect("it is marked");
        (receipt.ids, receipt.fate, receipt.error)
    }

    #[test]
    fn texts_of_carriers_are_read() {
        let ids = |id: &str| vec![id.to_owned()];
        for (text, expected) in [
            (
                "id:42 sub:001 dlvrd:001 submit date:2611211114 done date:2611211114 \
                 stat:DELIVRD err:000 text:stat:UNDELIV",
                (ids("42"), Fate::Delivered, None),
            ),
            (
                "ID:4F Stat:undeliv Err:027",
                (ids("4F"), Fate::Undeliverable, Some("027".to_owned())),
            ),
            ("stat:EXPIRED id: 7", (ids("7"), Fate::Expired, None)),
            ("id:7 stat:ACCEPTD", (ids("7"), Fate::Enroute, None)),
            ("id:7 stat:REJECTD", (ids("7"), Fate::Rejected, None)),
            ("uid:9 stat:DELIVRD", (vec![], Fate::Delivered, None)),
            ("", (vec![], Fate::Enroute, None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn parameters_come_before_text() {
        let tlvs: &[(u16, &[u8])] = &[
            (tag::RECEIPTED_MESSAGE_ID, b"abc"),
            (tag::MESSAGE_STATE, &[5]),
            (tag::NETWORK_ERROR_CODE, &[3, 0, 27]),
        ];
        let found = receipt(&sm(0, "id:17 stat:DELIVRD", tlvs)).expect("a receipt");
        assert_eq!(found.ids, ["abc", "17"]);
        assert_eq!(found.fate, Fate::Undeliverable);
        let fault = found.fault().expect("it failed");
        assert!(fault.text.contains("27"), "{fault}");
    }

    #[test]
    fn a_message_that_speaks_of_receipts_is_none() {
        assert_eq!(receipt(&sm(0, "id:42 stat:DELIVRD", &[])), None);
        assert_eq!(
            receipt(&sm(0x40, "hello", &[(tag::MESSAGE_STATE, &[2])])),
            None
        );
    }

    #[test]
    fn an_id_is_known_in_the_other_base_and_with_zeros() {
        assert!(other_forms("255").contains(&"ff".to_owned()));
        assert!(other_forms("00FF").contains(&"255".to_owned()));
        assert_eq!(plain_form("00FF"), plain_form("ff"));
        assert_eq!(plain_form("000"), "000");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|id:|stat:|err:|text:| ){0,60}", esm in any::<u8>()) {
            if let Some(receipt) = receipt(&sm(esm, &text, &[])) {
                receipt.fault();
            }
            other_forms(&text);
            plain_form(&text);
        }
    }
}
