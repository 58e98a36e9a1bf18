//! Registration: a nickname, which some names refuse, and what else an account can hold.

use isthmus_gateway::{Account, Dialog, Fault, FaultKind, Field, FieldKind, Later, Step};

use crate::translate::named;

/// What is asked.
pub(crate) fn fields() -> Vec<Field> {
    let field = |name: &str, label: &str, kind, required| Field {
        name: name.into(),
        label: label.into(),
        kind,
        required,
        ..Field::default()
    };
    vec![
        field("nick", "Nickname", FieldKind::Text, true),
        field("line", "Line", FieldKind::Text, false),
        field("password", "Password", FieldKind::Secret, false),
    ]
}

/// The account of the answers. `mute` is never answered, `twice` is asked once more.
pub(crate) fn answer(step: &Dialog) -> Later<Result<Step, Fault>> {
    let given = step.fields.iter().filter_map(|field| {
        let value = field.value.clone()?;
        Some((field.name.clone(), value))
    });
    let account = Account {
        fields: given.collect(),
    };
    let nick = account.fields.get("nick").map(String::as_str);
    let result = match nick.unwrap_or_default() {
        "" => Err(Fault::new(
            FaultKind::NotExpressible,
            "a nickname is needed",
        )),
        "mute" => return Box::pin(std::future::pending()),
        "twice" => Ok(Step::Next(crate::translate::question())),
        nick => match named(nick) {
            Some(fault) => Err(fault),
            None => Ok(Step::Done {
                text: format!("you are {nick}"),
                account: Some(account),
            }),
        },
    };
    Box::pin(std::future::ready(result))
}
