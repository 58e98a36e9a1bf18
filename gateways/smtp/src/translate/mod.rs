//! Between mail and the contract, without I/O, clock or tasks.
//!
//! Outward: [`compose`] with [`subject`] and [`kept`], [`status`] for answers. Inward: [`server`]
//! is the state machine of a listener's connection, [`mime`] reads a mail ([`html`], [`bounce`]),
//! [`inward`] makes deliveries of it. [`token`] ties what comes back to the job it is about;
//! [`undelivered`] tells a sender that his mail came back from the user's server.

pub mod bounce;
pub mod compose;
pub mod html;
pub mod inward;
pub mod kept;
pub mod mime;
pub mod server;
pub mod status;
pub mod subject;
pub mod token;
pub mod undelivered;
pub mod wire;

/// `text` cut to at most `most` bytes, on a character boundary.
pub(crate) fn clip(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `text` on one line and without control characters, so that it can stand in a header.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
