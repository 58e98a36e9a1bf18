//! In-band registration (XEP-0077) over a raw socket: the same way into all servers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::DEADLINE;

/// Registers `name` at `domain`; an account that is there already is left as it is.
///
/// # Panics
///
/// When the server refuses for another reason or does not answer.
pub(super) fn register(port: u16, domain: &str, name: &str, password: &str) {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
    let open = format!(
        "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    socket.write_all(open.as_bytes()).expect("the server reads");
    read_until(&mut socket, &["</stream:features>"]);
    let request = format!(
        "<iq type='set' id='register' to='{domain}'><query xmlns='jabber:iq:register'>\
         <username>{name}</username><password>{password}</password></query></iq>"
    );
    socket
        .write_all(request.as_bytes())
        .expect("the server reads");
    let answer = read_until(&mut socket, &["</iq>", "/>"]);
    let done = answer.contains("result") || answer.contains("conflict");
    assert!(done, "registration of {name} refused: {answer}");
    // It is over whether or not the server hears it.
    let _ = socket.write_all(b"</stream:stream>");
}

fn read_until(socket: &mut TcpStream, ends: &[&str]) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !ends.iter().any(|end| text.ends_with(end)) {
        let count = match socket.read(&mut buffer) {
            // A child of another test has ended.
            Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
            count => count.expect("the server answers in time"),
        };
        assert!(count > 0, "the server closed the stream: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}
