//! XEP-0203 delayed delivery, with XEP-0082 times.

use jiff::Timestamp;

use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// Writes `<delay/>`: `from` was the place that held it, `ms` is the time in milliseconds since
/// 1970.
pub(crate) fn write_delay(xml: &mut Xml<'_>, from: &str, ms: i64) {
    xml.start_ns("delay", ns::DELAY)
        .attr("from", from)
        .attr("stamp", &stamp(ms))
        .end();
}

/// A time in the form of XEP-0082 §3.2: `2026-11-21T13:55:34.123Z`.
pub(crate) fn stamp(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Reads a time in the form of XEP-0082 §3.2, UTC or with an offset, as milliseconds since 1970.
/// `None` if it is not one.
pub(crate) fn from_stamp(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_269_334_123, "2026-11-21T13:55:34.123Z"),
        ] {
            assert_eq!(stamp(ms), text);
            assert_eq!(from_stamp(text), Some(ms));
        }
        assert_eq!(
            from_stamp("2026-11-21T14:55:34+01:00"),
            Some(1_795_269_334_000)
        );
        assert_eq!(from_stamp("yesterday"), None);
    }
}
