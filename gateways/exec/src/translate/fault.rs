//! Faults as errors of an answer, and back.

use isthmus_gateway::{Address, Fault, FaultKind, Refusal, Words};
use serde::Deserialize;

use super::rpc::{self, BAD_PARAMS, NO_SUCH_METHOD, REFUSED, WireError};

#[derive(Deserialize)]
struct Data {
    kind: FaultKind,
    #[serde(default)]
    text: Option<Words>,
    #[serde(default)]
    moved: Option<Address>,
    #[serde(default)]
    parts_sent: u16,
}

#[derive(Deserialize)]
struct After {
    after: u64,
}

/// The fault a plugin's error stands for: `data` where that is one, else by its code.
pub(crate) fn fault(error: &WireError) -> Fault {
    let data = error.data.as_ref();
    if let Some(data) = data.and_then(|data| Data::deserialize(data).ok()) {
        return Fault {
            kind: data.kind,
            text: data.text.unwrap_or_else(|| error.message.clone().into()),
            moved: data.moved,
            parts_sent: data.parts_sent,
        };
    }
    let kind = match error.code {
        NO_SUCH_METHOD => FaultKind::Unsupported,
        BAD_PARAMS => FaultKind::BadRequest,
        _ => FaultKind::Other,
    };
    Fault::new(kind, error.message.clone())
}

/// After how many milliseconds the plugin says it may be asked again.
pub(crate) fn after(error: &WireError) -> Option<u64> {
    let data = error.data.as_ref()?;
    After::deserialize(data).ok().map(|it| it.after)
}

/// The host's refusal as an error.
pub(crate) fn refusal(refusal: &Refusal) -> WireError {
    let message = match refusal {
        Refusal::Unknown => "unknown",
        Refusal::Unwanted(text) | Refusal::Later(text) => text,
    };
    WireError {
        data: serde_json::from_str(&rpc::json(refusal)).ok(),
        ..WireError::new(REFUSED, message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_fault_crosses_the_wire() {
        for kind in FaultKind::ALL {
            let mut sent = Fault::new(kind, "why");
            sent.parts_sent = 2;
            let error = WireError {
                data: serde_json::from_str(&rpc::json(&sent)).ok(),
                ..WireError::new(REFUSED, "other words")
            };
            assert_eq!(fault(&error), sent);
        }
    }

    #[test]
    fn an_error_without_a_kind_is_read_by_its_code() {
        let kind = |code| fault(&WireError::new(code, "x")).kind;
        assert_eq!(kind(NO_SUCH_METHOD), FaultKind::Unsupported);
        assert_eq!(kind(BAD_PARAMS), FaultKind::BadRequest);
        assert_eq!(kind(1), FaultKind::Other);
        let odd = WireError {
            data: Some(json!({ "kind": "no_such_kind", "after": 5 })),
            ..WireError::new(1, "x")
        };
        assert_eq!(fault(&odd), Fault::new(FaultKind::Other, "x"));
        assert_eq!(after(&odd), Some(5));
    }

    #[test]
    fn a_refusal_keeps_its_kind() {
        let error = refusal(&Refusal::Later("full".into()));
        assert_eq!(error.data, Some(json!({ "later": "full" })));
        assert_eq!(refusal(&Refusal::Unknown).data, Some(json!("unknown")));
    }
}
