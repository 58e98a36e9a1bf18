//! Lines of JSON-RPC 2.0 (the specification of 2013-01-04), without batches.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Longest line in either direction, in bytes, without its end.
pub(crate) const LONGEST: usize = 1 << 20;

/// JSON-RPC §5.1.
pub(crate) const NO_SUCH_METHOD: i64 = -32601;
/// JSON-RPC §5.1.
pub(crate) const BAD_PARAMS: i64 = -32602;
/// Ours: the host says no; `data` is its refusal.
pub(crate) const REFUSED: i64 = -32000;

/// What a line from the plugin is.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// It asks and waits for an answer with this id.
    Request {
        id: &'a str,
        method: String,
        params: &'a str,
    },
    /// It tells.
    Notice { method: String, params: &'a str },
    /// It answers.
    Answer {
        id: u64,
        result: Result<&'a str, WireError>,
    },
}

/// The error of an answer (JSON-RPC §5.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WireError {
    #[serde(default)]
    pub(crate) code: i64,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl WireError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<WireError>,
}

/// Reads one line; what is wrong with it, in words.
pub(crate) fn read(line: &[u8]) -> Result<Incoming<'_>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    if !line.trim_start().starts_with('{') {
        return Err("not a JSON object".into());
    }
    let envelope: Envelope<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let params = envelope.params.map_or("null", RawValue::get);
    match (envelope.method, envelope.id) {
        (Some(method), None) => Ok(Incoming::Notice { method, params }),
        (Some(method), Some(id)) => {
            let id = id.get();
            let good = id.starts_with(['"', '-']) || id.starts_with(|c: char| c.is_ascii_digit());
            match good && id.len() <= 256 {
                true => Ok(Incoming::Request { id, method, params }),
                false => Err("an id is a short text or a number".into()),
            }
        }
        (None, Some(id)) => {
            let id = id.get().parse().map_err(|_| "an id that is not ours")?;
            let result = match envelope.error {
                Some(error) => Err(error),
                None => Ok(envelope.result.map_or("null", RawValue::get)),
            };
            Ok(Incoming::Answer { id, result })
        }
        (None, None) => Err("neither a method nor an id".into()),
    }
}

/// The value as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // The contract's types have no map whose keys are not text: there is nothing to fail at.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A request with this id.
pub(crate) fn request<T: Serialize + ?Sized>(id: u64, method: &str, params: &T) -> String {
    let params = json(params);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// A notification.
pub(crate) fn notice<T: Serialize + ?Sized>(method: &str, params: &T) -> String {
    let params = json(params);
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// An answer; `id` and `result` are JSON already.
pub(crate) fn answer(id: &str, result: Result<&str, &WireError>) -> String {
    match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(error) => {
            let error = json(error);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_a_request_a_notice_or_an_answer() {
        let request = request(7, "command", &json!({ "a": "line\nbreak" }));
        assert!(!request.contains('\n'));
        assert!(matches!(
            read(request.as_bytes()),
            Ok(Incoming::Request { id: "7", method, params })
                if method == "command" && params == r#"{"a":"line\nbreak"}"#
        ));
        assert!(matches!(
            read(br#"{"method":"event"}"#),
            Ok(Incoming::Notice { params: "null", .. })
        ));
        let error = WireError::new(NO_SUCH_METHOD, "no such method");
        assert!(matches!(
            read(answer("3", Err(&error)).as_bytes()),
            Ok(Incoming::Answer { id: 3, result: Err(read) }) if read == error
        ));
        assert!(matches!(
            read(br#"{"id":3,"result":null}"#),
            Ok(Incoming::Answer {
                id: 3,
                result: Ok("null")
            })
        ));
    }

    #[test]
    fn nonsense_is_told_apart() {
        for line in [
            &b""[..],
            b"hello",
            b"[]",
            b"[1]",
            b"{}",
            b"{\"id\":true,\"method\":\"x\"}",
            b"{\"id\":\"x\",\"result\":1}",
            b"{\"id\":-1,\"result\":1}",
            b"{\"method\":\"x\"",
            b"\xff\xfe",
        ] {
            assert!(read(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&line);
        }
    }
}
