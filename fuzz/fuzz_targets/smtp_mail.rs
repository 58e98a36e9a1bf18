//! No mail breaks the reader, and none makes more text than is allowed.

#![no_main]

use isthmus_smtp::translate::{html, mime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mail) = mime::read(bytes, "alice@peer.example", 1000) {
        // Attachments are named below the text, at most 200 of them in at most 400 bytes each.
        assert!(mail.text.len() < 100_000);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        html::to_text(text);
    }
});
