//! The gateway's own commands, by the names that people's scripts know.

use isthmus_gateway::{
    Dialog, Fault, FaultKind, Field, FieldKind, Kind, Offered, Step, UserId, Words, words,
};

use crate::identity::{self, Vault};
use crate::ledger::Ledger;

/// What is told of the connection to a network.
const CONNECTION: &str = "get-irc-connection-info";

/// What certificate the user shows to a network (CertFP).
pub(crate) const CERTIFICATE: &str = "certfp";

/// Ends a connection.
const DISCONNECT: &str = "disconnect-from-irc-server";

/// The commands there are; with one network for all, those of networks are the gateway's.
pub(crate) fn offered(fixed: bool) -> Vec<Offered> {
    let one = |node: &str, name: (&'static str, &'static str), words: &str, on| Offered {
        node: node.to_owned(),
        name: name.into(),
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
            ("Is the gateway there?", "网关是否在线？"),
            "ping gateway",
            Kind::Gateway,
        ),
        one(
            "hello",
            ("Say hello", "打个招呼"),
            "say hello",
            Kind::Gateway,
        ),
        one(
            DISCONNECT,
            ("Disconnect from a network", "断开网络连接"),
            "disconnect",
            Kind::Gateway,
        ),
        one(
            CONNECTION,
            ("My connection to the network", "我与网络的连接"),
            "connection",
            on,
        ),
        one(
            CERTIFICATE,
            ("My certificate for the network", "我在此网络的证书"),
            "certfp",
            on,
        ),
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
        ("ping", _) => "pong".into(),
        ("hello", None) => return Ok(Step::Next(whose_name())),
        ("hello", Some(name)) => {
            let name = name.value.as_deref().unwrap_or_default();
            words!("Hello, {name}!", "您好，{name}！")
        }
        (DISCONNECT, None) => {
            let networks = ledger.networks(user);
            if !networks.is_empty() {
                return Ok(Step::Next(which(&networks)));
            }
            (
                "You are not connected to any network.",
                "您没有与任何网络的连接。",
            )
                .into()
        }
        (DISCONNECT, Some(_)) => disconnect(user, ledger, step)?,
        (CONNECTION, _) => {
            let at = step.at.as_ref().map(|at| at.network.as_str());
            let network = fixed.or(at).unwrap_or_default();
            let known = ledger.find(user, network);
            known.unwrap_or_else(|| {
                (
                    "There is no connection to this network.",
                    "没有与此网络的连接。",
                )
                    .into()
            })
        }
        _ => {
            let words = (
                "the IRC gateway asks nothing of that name",
                "IRC 网关没有这个名称的对话",
            );
            return Err(Fault::new(FaultKind::Unsupported, words));
        }
    };
    Ok(Step::Done {
        account: None,
        text,
    })
}

/// What a user wants to know or change of his certificate for a network.
pub(crate) async fn certificate(vault: &Vault, user: UserId, network: &str, step: &Dialog) -> Step {
    let Some(wish) = step.fields.first() else {
        return Step::Next(which_certificate());
    };
    let told = match wish.value.as_deref() {
        Some(NEW) => vault.make(user, network).await.map(|identity| {
            let digits = identity::shown(&identity);
            words!(
                "Your new certificate is shown to the network from the next connection on. \
                 Its SHA-256 fingerprint, to be told to the network's services \
                 (often: PRIVMSG NickServ :CERT ADD {digits}), is {digits}",
                "自下次连接起将向该网络出示您的新证书。\
                 请将其 SHA-256 指纹告知该网络的服务\
                 （通常为：PRIVMSG NickServ :CERT ADD {digits}），指纹是 {digits}"
            )
        }),
        Some(OFF) => vault.forget(user, network).await.map(|()| {
            Words::from((
                "From the next connection on you show no certificate here.",
                "自下次连接起，您在此处不再出示证书。",
            ))
        }),
        _ => vault.find(user, network).await.map(|found| match found {
            Some(identity) => {
                let digits = identity::shown(&identity);
                words!(
                    "The SHA-256 fingerprint of your certificate here is {digits}",
                    "您在此处的证书的 SHA-256 指纹是 {digits}"
                )
            }
            None => Words::from((
                "You have no certificate here. Write: certfp new",
                "您在此处没有证书。请写：certfp new",
            )),
        }),
    };
    Step::Done {
        account: None,
        text: told.unwrap_or_else(|fault| fault.text),
    }
}

/// Makes a certificate, and shows none any more.
const NEW: &str = "new";
const OFF: &str = "off";

fn which_certificate() -> Dialog {
    let options = [
        ("show", ("Show its fingerprint", "显示指纹")),
        (NEW, ("Make a new one", "生成新证书")),
        (OFF, ("Show none any more", "不再出示证书")),
    ];
    let wish = Field::new("certificate", ("Certificate", "证书"), FieldKind::Choice);
    Dialog {
        name: CERTIFICATE.to_owned(),
        title: ("My certificate for the network", "我在此网络的证书").into(),
        fields: vec![wish.options(&options).value("show")],
        ..Dialog::default()
    }
}

/// Asks whom to greet.
fn whose_name() -> Dialog {
    let field = Field::new("name", ("Your name", "您的名字"), FieldKind::Text);
    Dialog {
        name: "hello".to_owned(),
        title: ("Hello", "您好").into(),
        fields: vec![field.required()],
        ..Dialog::default()
    }
}

/// Ends the connections that were chosen.
fn disconnect(user: UserId, ledger: &Ledger, step: &Dialog) -> Result<Words, Fault> {
    let answer = |name: &str| {
        let field = step.fields.iter().find(|field| field.name == name);
        field.and_then(|field| field.value.as_deref())
    };
    let words = answer("quit-message").unwrap_or("left");
    let networks = answer("irc-servers").unwrap_or_default().lines();
    let (ended, missing): (Vec<_>, Vec<_>) =
        networks.partition(|network| ledger.leave(user, network, words));
    let (ended, missing) = (ended.join(", "), missing.join(", "));
    if missing.is_empty() {
        return Ok(words!(
            "You are no longer connected to {ended}.",
            "您与 {ended} 的连接已断开。"
        ));
    }
    if ended.is_empty() {
        let words = words!(
            "There is no connection to {missing}.",
            "没有与 {missing} 的连接。"
        );
        return Err(Fault::new(FaultKind::NoSuchTarget, words));
    }
    Ok(words!(
        "You are no longer connected to {ended}. There is no connection to {missing}.",
        "您与 {ended} 的连接已断开。没有与 {missing} 的连接。"
    ))
}

/// Which of these connections is to end.
fn which(networks: &[String]) -> Dialog {
    let options: Vec<_> = networks
        .iter()
        .map(|it| (it.as_str(), it.as_str()))
        .collect();
    let network = Field::new("irc-servers", ("Networks", "网络"), FieldKind::Lines);
    Dialog {
        name: DISCONNECT.to_owned(),
        title: ("Disconnect", "断开连接").into(),
        fields: vec![
            network.options(&options).required(),
            Field::new("quit-message", ("Parting words", "告别语"), FieldKind::Text),
        ],
        ..Dialog::default()
    }
}
