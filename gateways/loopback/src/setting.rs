//! What users can set here, and the commands of this network: one of each kind there is.

use isthmus_gateway::{
    Dialog, Fault, Field, FieldKind, Kind, Offered, SettingTables, Settings, Step, Values,
};

/// What can be set.
pub(crate) fn tables() -> SettingTables {
    let colours = [("red", "Red"), ("green", "Green")];
    SettingTables {
        gateway: vec![
            Field::new("greeting", "Greeting", FieldKind::Text).pattern("[A-Z][a-z ]*"),
            Field::new("lag", "Lag in seconds", FieldKind::Number)
                .range(0, 60)
                .value("5"),
        ],
        network: vec![
            Field::new("nick", "Nickname", FieldKind::Text).pattern("[^ ]+"),
            Field::new("pass", "Password", FieldKind::Secret),
            Field::new(
                "after_connect_commands",
                "After connecting",
                FieldKind::Lines,
            ),
        ],
        room: vec![
            Field::new("colour", "Colour", FieldKind::Choice)
                .options(&colours)
                .value("red"),
            Field::new("loud", "Loud", FieldKind::Bool).value("false"),
        ],
    }
}

/// Its commands: one for everybody that asks and answers, one for those who run it.
pub(crate) fn commands() -> Vec<Offered> {
    let offered = |node: &str, name: &str, on, admin| Offered {
        node: node.into(),
        name: name.into(),
        words: String::new(),
        on,
        admin,
    };
    vec![
        offered("word-of-day", "Word of the day", Kind::Gateway, false),
        offered("look-around", "Look around", Kind::Room, false),
        offered("turn-off", "Turn it off", Kind::Network, true),
    ]
}

/// A step of one of its commands.
pub(crate) fn command(step: &Dialog) -> Option<Result<Step, Fault>> {
    let at = step.at.as_ref().map(|at| at.id.as_str());
    let text = match (step.name.as_str(), step.fields.first()) {
        ("word-of-day", None) => {
            let field = Field::new("day", "Which day?", FieldKind::Number).range(1, 7);
            return Some(Ok(Step::Next(Dialog {
                name: step.name.clone(),
                title: "Word of the day".into(),
                fields: vec![field.required()],
                ..Dialog::default()
            })));
        }
        ("word-of-day", Some(day)) => {
            format!(
                "the word of day {} is isthmus",
                day.value.as_deref().unwrap_or_default()
            )
        }
        ("look-around", _) => format!("{} looks fine", at.unwrap_or_default()),
        ("turn-off", _) => "it is off".to_owned(),
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
