//! Why I/O failed, in words for people.
//!
//! An `io::Error` has one text for the log. One of ours bears its words in several languages
//! beside it; the few of the system that everybody meets are said here. What is left (TLS, the
//! system's rarer errors) stays as it is.

use std::error::Error;
use std::fmt;
use std::io;

use isthmus_gateway::Words;

/// Words inside of an `io::Error`.
#[derive(Debug)]
struct Said(Words);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Said {}

/// An error of this kind that [`reason`] tells in these words.
pub fn failed(kind: io::ErrorKind, words: impl Into<Words>) -> io::Error {
    io::Error::new(kind, Said(words.into()))
}

/// What the user is told of an I/O error.
pub fn reason(fault: &io::Error) -> Words {
    let inside = fault.get_ref().and_then(|it| it.downcast_ref::<Said>());
    if let Some(Said(words)) = inside {
        return words.clone();
    }
    match fault.kind() {
        io::ErrorKind::ConnectionRefused => ("connection refused", "连接被拒绝").into(),
        io::ErrorKind::ConnectionReset => {
            ("connection reset by the server", "连接被服务器重置").into()
        }
        io::ErrorKind::UnexpectedEof => {
            ("connection closed by the server", "连接被服务器关闭").into()
        }
        io::ErrorKind::TimedOut => ("no answer in time", "未及时收到应答").into(),
        _ => fault.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_ours_is_said_in_each_language_and_one_of_the_system_where_it_is_known() {
        let kind = io::ErrorKind::NotFound;
        let ours = failed(kind, ("no such host", "没有这个主机"));
        assert_eq!(
            (ours.kind(), ours.to_string().as_str()),
            (kind, "no such host")
        );
        assert_eq!(reason(&ours).said_in("zh"), Some("没有这个主机"));
        let known = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(reason(&known).said_in("zh"), Some("连接被拒绝"));
        let other = io::Error::other("bad record MAC");
        assert_eq!(
            reason(&other).all().collect::<Vec<_>>(),
            [("en", "bad record MAC")]
        );
    }
}
