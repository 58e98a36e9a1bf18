//! Registration: a nickname, which some names refuse, and what else an account can hold.

use isthmus_gateway::{Account, Dialog, Fault, FaultKind, Field, FieldKind, Later, Step, words};

use crate::translate::named;

/// What is asked.
pub(crate) fn fields() -> Vec<Field> {
    let field = |name: &str, en, zh, kind, required| Field {
        name: name.into(),
        label: (en, zh).into(),
        kind,
        required,
        ..Field::default()
    };
    vec![
        field("nick", "Nickname", "昵称", FieldKind::Text, true),
        field("line", "Line", "线路", FieldKind::Text, false),
        field("password", "Password", "密码", FieldKind::Secret, false),
    ]
}

/// The code that `twice` is asked for.
const CODE: &str = "4711";

/// The second step of `twice`: the code. What was answered before is in the state.
fn question(account: &Account) -> Result<Step, Fault> {
    let state = serde_json::to_vec(account)
        .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?;
    Ok(Step::Next(Dialog {
        name: CONFIRM.into(),
        state,
        title: ("Confirmation", "确认").into(),
        fields: vec![
            Field {
                name: "about".into(),
                label: words!(
                    "A code was sent to you. It is {CODE}.",
                    "验证码已发送给您：{CODE}。"
                ),
                kind: FieldKind::Note,
                ..Field::default()
            },
            Field {
                name: "code".into(),
                label: ("Code", "验证码").into(),
                kind: FieldKind::Secret,
                required: true,
                ..Field::default()
            },
        ],
        ..Dialog::default()
    }))
}

/// The name of the second step.
pub(crate) const CONFIRM: &str = "confirm";

/// Takes the code.
pub(crate) fn confirm(step: &Dialog) -> Result<Step, Fault> {
    let code = step.fields.iter().find(|field| field.name == "code");
    if code.and_then(|code| code.value.as_deref()) != Some(CODE) {
        return Err(Fault::new(
            FaultKind::NotExpressible,
            ("that is not the code", "验证码不正确"),
        ));
    }
    let account: Account = serde_json::from_slice(&step.state)
        .map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?;
    Ok(Step::Done {
        text: ("you are confirmed", "您已通过确认").into(),
        account: Some(account),
    })
}

/// The account of the answers. `mute` is never answered, `twice` is asked for a code.
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
            ("a nickname is needed", "需要昵称"),
        )),
        "mute" => return Box::pin(std::future::pending()),
        "twice" => question(&account),
        nick => match named(nick) {
            Some(fault) => Err(fault),
            None => Ok(Step::Done {
                text: words!("you are {nick}", "您是 {nick}"),
                account: Some(account),
            }),
        },
    };
    Box::pin(std::future::ready(result))
}
