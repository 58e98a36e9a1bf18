//! What users can set here, and the commands of this network: one of each kind there is.

use isthmus_gateway::{
    Dialog, Fault, Field, FieldKind, Kind, Offered, SettingTables, Settings, Step, Values, words,
};

/// What can be set.
pub(crate) fn tables() -> SettingTables {
    let colours = [("red", ("Red", "红")), ("green", ("Green", "绿"))];
    SettingTables {
        gateway: vec![
            Field::new("greeting", ("Greeting", "问候语"), FieldKind::Text).pattern("[A-Z][a-z ]*"),
            Field::new("lag", ("Lag in seconds", "延迟（秒）"), FieldKind::Number)
                .range(0, 60)
                .value("5"),
        ],
        network: vec![
            Field::new("nick", ("Nickname", "昵称"), FieldKind::Text).pattern("[^ ]+"),
            Field::new("pass", ("Password", "密码"), FieldKind::Secret),
            Field::new(
                "after_connect_commands",
                ("After connecting", "连接之后"),
                FieldKind::Lines,
            ),
        ],
        room: vec![
            Field::new("colour", ("Colour", "颜色"), FieldKind::Choice)
                .options(&colours)
                .value("red"),
            Field::new("loud", ("Loud", "大声"), FieldKind::Bool).value("false"),
        ],
    }
}

/// Its commands: one for everybody that asks and answers, one for those who run it.
pub(crate) fn commands() -> Vec<Offered> {
    let offered = |node: &str, en, zh, on, admin| Offered {
        node: node.into(),
        name: (en, zh).into(),
        words: String::new(),
        on,
        admin,
    };
    vec![
        offered(
            "word-of-day",
            "Word of the day",
            "今日词语",
            Kind::Gateway,
            false,
        ),
        offered("look-around", "Look around", "看看四周", Kind::Room, false),
        offered("turn-off", "Turn it off", "关闭", Kind::Network, true),
    ]
}

/// A step of one of its commands.
pub(crate) fn command(step: &Dialog) -> Option<Result<Step, Fault>> {
    let at = step.at.as_ref().map(|at| at.id.as_str());
    let text = match (step.name.as_str(), step.fields.first()) {
        ("word-of-day", None) => {
            let field =
                Field::new("day", ("Which day?", "哪一天？"), FieldKind::Number).range(1, 7);
            return Some(Ok(Step::Next(Dialog {
                name: step.name.clone(),
                title: ("Word of the day", "今日词语").into(),
                fields: vec![field.required()],
                ..Dialog::default()
            })));
        }
        ("word-of-day", Some(day)) => {
            let day = day.value.as_deref().unwrap_or_default();
            words!(
                "the word of day {day} is isthmus",
                "第 {day} 天的词语是 isthmus"
            )
        }
        ("look-around", _) => {
            let at = at.unwrap_or_default();
            words!("{at} looks fine", "{at} 一切正常")
        }
        ("turn-off", _) => ("it is off", "已关闭").into(),
        _ => return None,
    };
    Some(Ok(Step::Done {
        account: None,
        text,
    }))
}

/// What is set, on one line; of a secret only that it is.
pub(crate) fn shown(settings: &Settings) -> String {
    let values = |level: &str, values: &Values| {
        let one = |(key, value): (&String, &String)| match key.as_str() {
            "pass" => format!("{level} {key}"),
            _ => format!("{level} {key}={value}"),
        };
        values.iter().map(one).collect::<Vec<_>>()
    };
    let mut all = values("gateway", &settings.gateway);
    all.extend(values("network", &settings.network));
    for (room, own) in &settings.rooms {
        all.extend(values(room, own));
    }
    match all.is_empty() {
        true => "nothing is set".to_owned(),
        false => all.join(", "),
    }
}
