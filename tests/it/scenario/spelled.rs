//! How lines of a foreign network are spelled in scenarios: what is no text as `\x01` or `\xe9`.

/// A line as it is written in a scenario.
pub(super) fn shown(line: &str) -> String {
    if line.starts_with("PING :proof-") {
        "(proof)".to_owned()
    } else {
        visible(line)
    }
}

/// With control characters as `\x01`.
pub(super) fn visible(line: &str) -> String {
    line.chars().fold(String::new(), |mut out, c| {
        match c {
            '\0'..' ' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ => out.push(c),
        }
        out
    })
}

/// A line off the wire, with each byte that is not UTF-8 as `\xe9`.
pub(super) fn text(line: &[u8]) -> String {
    line.utf8_chunks().fold(String::new(), |mut out, chunk| {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
        out
    })
}

/// A line for the wire: `\x01` and `\xe9` are the bytes that they stand for, which are never those
/// of plain ASCII.
pub(super) fn bytes(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("\\x") {
        let digits = rest.get(at + 2..at + 4);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.filter(|byte| *byte < b' ' || !byte.is_ascii());
        let end = at + if byte.is_some() { 4 } else { 2 };
        bytes.extend_from_slice(match byte {
            Some(_) => &rest.as_bytes()[..at],
            None => &rest.as_bytes()[..end],
        });
        bytes.extend(byte);
        rest = &rest[end..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[test]
fn bytes_are_spelled_as_they_are_read() {
    let line = b"\x01caf\xe9 \xd0\xb0\xff \\x \\x41 \\xzz\x02";
    let spelled = visible(&text(line));
    assert_eq!(spelled, "\\x01caf\\xe9 \u{430}\\xff \\x \\x41 \\xzz\\x02");
    assert_eq!(bytes(&spelled), line);
}
