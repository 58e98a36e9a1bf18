//! The XMPP end: a server that a component connects to (XEP-0114).
//!
//! It accepts any handshake, loops back what is addressed to the component itself, answers iq
//! requests to anybody else with an empty result, and counts the rest.

use std::rc::Rc;

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::scan::{Found, Splitter, attribute, number, text_of};
use crate::world::{DOMAIN, Pipe, Side, USERS, World};

/// Accepts components, one after the other, for ever.
pub(crate) async fn serve(listener: TcpListener, world: Rc<World>) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            tokio::task::spawn_local(component(socket, Rc::clone(&world)));
        }
    }
}

async fn component(socket: TcpStream, world: Rc<World>) {
    let _ = socket.set_nodelay(true);
    let (mut reader, writer) = socket.into_split();
    let pipe = Rc::new(Pipe::default());
    let out = Rc::clone(&pipe);
    tokio::task::spawn_local(async move { out.run(writer).await });
    let (mut splitter, mut buffer) = (Splitter::default(), Vec::with_capacity(1 << 18));
    let mut is_in = false;
    while let Ok(read) = reader.read_buf(&mut buffer).await {
        if read == 0 {
            break;
        }
        world.count(|tally| tally.bytes += read as u64);
        while let Some(found) = splitter.next(&buffer) {
            match found {
                Found::Open => pipe.push(
                    format!(
                        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                         xmlns:stream='http://etherx.jabber.org/streams' from='{DOMAIN}' id='1'>"
                    )
                    .as_bytes(),
                ),
                Found::Close => pipe.close(),
                Found::Element(_) if !is_in => {
                    is_in = true;
                    pipe.push(b"<handshake/>");
                    world.component.replace(Rc::clone(&pipe));
                    world.components.set(world.components.get() + 1);
                }
                Found::Element(place) => stanza(&world, &pipe, &buffer[place]),
            }
        }
        splitter.compact(&mut buffer);
        buffer.reserve(1 << 16);
        world.progress.notify_one();
    }
    pipe.close();
}

fn stanza(world: &World, pipe: &Pipe, stanza: &[u8]) {
    let to = attribute(stanza, "to").unwrap_or_default();
    if to.ends_with(DOMAIN.as_bytes()) {
        return pipe.push(stanza);
    }
    let kind = attribute(stanza, "type").unwrap_or_default();
    if kind == b"error" {
        world.count(|tally| tally.errors += 1);
        let mut complaint = world.complaint.borrow_mut();
        complaint.get_or_insert_with(|| String::from_utf8_lossy(stanza).into_owned());
    } else if stanza.starts_with(b"<m") {
        if let (Some((user, _)), Some(body)) = (number(to, b'u'), text_of(stanza, "<body")) {
            world.message(Side::Xmpp, user, body);
        } else if memmem::find(stanza, b"<received ").is_some() {
            world.count(|tally| tally.receipts += 1);
        }
    } else if stanza.starts_with(b"<p") {
        let entered = has_status_110(stanza) && kind != b"unavailable";
        world.count(|tally| {
            tally.presences += 1;
            tally.entered += usize::from(entered);
        });
    } else if kind == b"get" || kind == b"set" {
        let text = |name| String::from_utf8_lossy(attribute(stanza, name).unwrap_or_default());
        let (from, to, id) = (text("from"), text("to"), text("id"));
        let answer = format!("<iq type='result' from='{to}' to='{from}' id='{id}'/>");
        pipe.push(answer.as_bytes());
    }
}

/// XEP-0045 §7.2.2: the presence is the user's own.
fn has_status_110(presence: &[u8]) -> bool {
    memmem::find_iter(presence, b"code=")
        .any(|at| matches!(presence.get(at + 6..at + 10), Some(b"110'" | b"110\"")))
}

/// The presence with which a user enters a channel.
pub(crate) fn enter(network: &str, user: usize, channel: usize) -> String {
    format!(
        "<presence from='u{user}@{USERS}/r' to='#c{channel}%{network}@{DOMAIN}/u{user}'>\
         <x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    )
}

/// The message with which a user speaks in a channel.
pub(crate) fn speak(network: &str, user: usize, channel: usize, body: &str) -> String {
    format!(
        "<message from='u{user}@{USERS}/r' to='#c{channel}%{network}@{DOMAIN}' \
         type='groupchat' id='i{user}'><body>{body}</body></message>"
    )
}
