//! The gateway's own commands, by the names that people's scripts know.

use isthmus_gateway::{Dialog, Fault, FaultKind, Field, FieldKind, Kind, Offered, Step, UserId};

use crate::ledger::Ledger;

/// What is told of the connection to a network.
const CONNECTION: &str = "get-irc-connection-info";

/// Ends a connection.
const DISCONNECT: &str = "disconnect-from-irc-server";

/// The commands there are; with one network for all, those of networks are the gateway's.
pub(crate) fn offered(fixed: bool) -> Vec<Offered> {
    let one = |node: &str, name: &str, words: &str, on| Offered {
        node: node.to_owned(),
        name: name.to_owned(),
        words: words.to_owned(),
        on,
        admin: false,
    };
    let on = match fixed {
        true => Kind::Gateway,
        false => Kind::Network,
    };
    vec![
        one(
            "ping",
            "Is the gateway there?",
            "ping gateway",
            Kind::Gateway,
        ),
        one("hello", "Say hello", "say hello", Kind::Gateway),
        one(
            DISCONNECT,
            "Disconnect from a network",
            "disconnect",
            Kind::Gateway,
        ),
        one(CONNECTION, "My connection to the network", "connection", on),
    ]
}

/// One step of a command.
pub(crate) fn step(
    user: UserId,
    fixed: Option<&str>,
    ledger: &Ledger,
    step: &Dialog,
) -> Result<Step, Fault> {
    let text = match (step.name.as_str(), step.fields.first()) {
        ("ping", _) => "pong".to_owned(),
        ("hello", None) => {
            let field = Field::new("name", "Your name", FieldKind::Text);
            return Ok(Step::Next(Dialog {
                name: step.name.clone(),
                title: "Hello".to_owned(),
                fields: vec![field.required()],
                ..Dialog::default()
            }));
        }
        ("hello", Some(name)) => {
            format!("Hello, {}!", name.value.as_deref().unwrap_or_default())
        }
        (DISCONNECT, None) => return Ok(Step::Next(which(&ledger.networks(user)))),
        (DISCONNECT, Some(_)) => {
            let answer = |name: &str| {
                let field = step.fields.iter().find(|field| field.name == name);
                field.and_then(|field| field.value.as_deref())
            };
            let network = answer("irc-server").unwrap_or_default();
            let words = answer("quit-message").unwrap_or("left");
            match ledger.leave(user, network, words) {
                true => format!("You are no longer connected to {network}."),
                false => format!("There is no connection to {network}."),
            }
        }
        (CONNECTION, _) => {
            let at = step.at.as_ref().map(|at| at.network.as_str());
            let network = fixed.or(at).unwrap_or_default();
            let known = ledger.find(user, network);
            known.unwrap_or_else(|| "There is no connection to this network.".to_owned())
        }
        _ => {
            let words = "the IRC gateway asks nothing of that name";
            return Err(Fault::new(FaultKind::Unsupported, words));
        }
    };
    Ok(Step::Done {
        account: None,
        text,
    })
}

/// Which of these connections is to end.
fn which(networks: &[String]) -> Dialog {
    let options: Vec<_> = networks
        .iter()
        .map(|it| (it.as_str(), it.as_str()))
        .collect();
    let network = Field::new("irc-server", "Network", FieldKind::Choice);
    Dialog {
        name: DISCONNECT.to_owned(),
        title: "Disconnect".to_owned(),
        fields: vec![
            network.options(&options).required(),
            Field::new("quit-message", "Parting words", FieldKind::Text),
        ],
        ..Dialog::default()
    }
}
