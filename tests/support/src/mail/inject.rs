//! Hands over many mails by one connection: the bare SMTP that Postfix takes from loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::DEADLINE;

/// Hands over mails, whose lines may end with LF alone.
///
/// # Errors
///
/// When the connection breaks, or an answer is no success.
pub(super) fn inject(at: SocketAddr, from: &str, to: &str, mails: &[String]) -> io::Result<()> {
    let mut socket = TcpStream::connect(at)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_nodelay(true)?;
    let mut answers = BufReader::new(socket.try_clone()?);
    answer(&mut answers)?;
    let mut say = |text: &str| {
        socket.write_all(text.as_bytes())?;
        answer(&mut answers)
    };
    say("EHLO client.example\r\n")?;
    for mail in mails {
        say(&format!("MAIL FROM:<{from}>\r\n"))?;
        say(&format!("RCPT TO:<{to}>\r\n"))?;
        say("DATA\r\n")?;
        let lines = mail.lines().map(|line| match line.starts_with('.') {
            // RFC 5321 §4.5.2
            true => format!(".{line}\r\n"),
            false => format!("{line}\r\n"),
        });
        say(&(lines.collect::<String>() + ".\r\n"))?;
    }
    say("QUIT\r\n")
}

/// Reads an answer, which may have several lines.
fn answer(answers: &mut impl BufRead) -> io::Result<()> {
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        if !line.starts_with(['2', '3']) {
            return Err(io::Error::other(line));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
