//! Which of our lines a message goes out from. Pure.

use isthmus_gateway::{Account, Fault, FaultKind, Job, User, words};

use crate::address;
use crate::config::Config;

/// The line of a job: the one the recipient knows the sender by, else the one he registered, else
/// the only one the operator gave him.
pub(crate) fn choose<'a>(config: &'a Config, job: &Job<'_>) -> Result<&'a str, Fault> {
    let local = job.user.local.to_lowercase();
    let registered = registered(config, &job.user, job.account.as_ref())?;
    let own: Vec<&str> = lines(config, &local, &job.user.domain);
    let known = job.peer_kept.as_deref();
    let known = known.and_then(|kept| std::str::from_utf8(kept).ok());
    if let Some(known) = known {
        let mut usable = own.iter().copied().chain(registered);
        if let Some(line) = usable.find(|line| *line == known) {
            return Ok(line);
        }
    }
    match (registered, &own[..]) {
        (Some(line), _) => Ok(line),
        (None, &[line]) => Ok(line),
        (None, []) => Err(Fault::new(
            FaultKind::NotRegistered,
            (
                "you have no number to send from: register one with this gateway",
                "您没有可用于发送的号码：请在此网关注册一个",
            ),
        )),
        (None, [..]) => Err(Fault::new(
            FaultKind::NotRegistered,
            (
                "you have several numbers: register the one to send from with this gateway",
                "您有多个号码：请在此网关注册要用于发送的号码",
            ),
        )),
    }
}

fn lines<'a>(config: &'a Config, local: &str, domain: &str) -> Vec<&'a str> {
    let lines = config.lines.iter().filter(|(_, line)| {
        let mut users = line.users.iter();
        users.any(|user| user.0 == local && user.1.eq_ignore_ascii_case(domain))
    });
    lines.map(|(number, _)| number.as_str()).collect()
}

/// The line of an account, if he may use it.
pub(crate) fn registered<'a>(
    config: &'a Config,
    user: &User,
    account: Option<&Account>,
) -> Result<Option<&'a str>, Fault> {
    let field = account.and_then(|account| account.fields.get("line"));
    let Some(text) = field.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let region = match user.region.as_str() {
        "" => &config.region,
        region => region,
    };
    let number = address::line(text, region).ok_or_else(|| {
        let words = words!("{text} is not a phone number", "{text} 不是电话号码");
        Fault::new(FaultKind::BadAddress, words)
    })?;
    let refused = || {
        let words = words!(
            "this gateway does not let you use the number {number}",
            "此网关不允许您使用号码 {number}"
        );
        Fault::new(FaultKind::NotAllowed, words)
    };
    let (known, line) = config.lines.get_key_value(&number).ok_or_else(refused)?;
    let own = lines(config, &user.local.to_lowercase(), &user.domain);
    if line.open || own.contains(&known.as_str()) {
        Ok(Some(known))
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use isthmus_gateway::{JobId, Outgoing, Place, UserId};
    use serde_json::json;

    use super::*;

    fn config() -> Config {
        let value = json!({
            "carriers": { "one": { "host": "h", "system_id": "i", "password": "p" } },
            "lines": {
                "+15551230001": { "users": ["juliet@example.org"] },
                "+15551230002": { "users": ["romeo@example.org"] },
                "+15551230003": { "users": ["romeo@example.org"], "open": true },
            },
        });
        Config::from_value(&value).expect("a sound configuration")
    }

    fn job(local: &str, line: Option<&str>, kept: Option<&str>) -> Job<'static> {
        let mut account = Account::default();
        if let Some(line) = line {
            account.fields.insert("line".into(), line.into());
        }
        Job {
            id: JobId(1),
            user: User {
                id: UserId(1),
                local: local.into(),
                domain: "example.org".into(),
                lang: String::new(),
                region: "US".into(),
            },
            account: Some(account),
            to: Vec::new(),
            message: Outgoing::text(Place::Network, ""),
            attempt: 0,
            kept: None,
            peer_kept: kept.map(|kept| kept.as_bytes().to_vec()),
        }
    }

    #[test]
    fn a_line_is_the_known_one_the_registered_one_or_the_only_one() {
        let config = config();
        for (local, line, kept, expected) in [
            ("juliet", None, None, Ok("+15551230001")),
            ("Juliet", None, None, Ok("+15551230001")),
            ("juliet", Some("+15551230003"), None, Ok("+15551230003")),
            (
                "juliet",
                Some("555 123 0003"),
                Some("+15551230001"),
                Ok("+15551230001"),
            ),
            ("juliet", None, Some("+15551230002"), Ok("+15551230001")),
            ("romeo", None, None, Err(FaultKind::NotRegistered)),
            ("romeo", None, Some("+15551230002"), Ok("+15551230002")),
            ("romeo", Some("+15551230002"), None, Ok("+15551230002")),
            ("tybalt", None, None, Err(FaultKind::NotRegistered)),
            ("tybalt", Some("+15551230003"), None, Ok("+15551230003")),
            (
                "tybalt",
                Some("+15551230001"),
                None,
                Err(FaultKind::NotAllowed),
            ),
            (
                "tybalt",
                Some("+15559999999"),
                None,
                Err(FaultKind::NotAllowed),
            ),
            ("tybalt", Some("alice"), None, Err(FaultKind::BadAddress)),
        ] {
            let chosen = choose(&config, &job(local, line, kept)).map_err(|fault| fault.kind);
            assert_eq!(chosen, expected, "{local} {line:?} {kept:?}");
        }
    }
}
