//! The state machine of a mail connection says the same however the bytes arrive.

#![no_main]

use isthmus_smtp::translate::server::{Ask, Protocol, Reply, Server, Settings};
use libfuzzer_sys::fuzz_target;

/// Plays one group a line that ends with a NUL, in pieces of `cut` bytes: what may come together
/// depends on what was answered, so the groups stay what they are.
fn play(bytes: &[u8], cut: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut server: Server<()> = Server::new(Settings {
        domain: "mail.example.org".into(),
        protocol: Protocol::Smtp,
        tls: false,
        max_size: 200,
        max_recipients: 3,
    });
    let (mut said, mut mails) = (Vec::new(), Vec::new());
    for group in bytes.split(|byte| *byte == 0) {
        // DATA is the last of its group, or the split decides whether more came too early.
        for line in group.split_inclusive(|byte| *byte == b'\n') {
            for piece in line.chunks(cut) {
                server.receive(piece);
                while let Some(ask) = server.advance() {
                    match ask {
                        Ask::Recipient { .. } => server.recipient(Ok(())),
                        Ask::Message { content, .. } => {
                            mails.push(content);
                            server.message(vec![Reply::taken()]);
                        }
                        Ask::StartTls => server.encrypted(),
                        Ask::Close => {}
                    }
                }
                said.extend(server.take_output());
            }
        }
    }
    (said, mails)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = play(bytes, usize::MAX);
    assert_eq!(play(bytes, 1), whole);
    assert_eq!(play(bytes, 7), whole);
});
