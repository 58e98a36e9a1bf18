//! How lines of a foreign network are spelled in scenarios.

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

/// With `\x01` as the control character it stands for.
pub(super) fn invisible(line: &str) -> String {
    let controls = (0..32u8).map(char::from);
    controls.fold(line.to_owned(), |line, c| {
        line.replace(&format!("\\x{:02x}", u32::from(c)), &c.to_string())
    })
}
