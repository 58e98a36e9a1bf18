//! A real Postfix, both ways: it takes mail for alice, and tries mail for juliet again until it
//! has been answered 250.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_test_support::mail::{Back, Postfix};
use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind;

use super::disk::{ACCEPTED, BEGUN, FAILED, INBOUND, QUEUED, RECALLED};
use super::{Arrival, Network, kill};
use crate::world::World;

const MAIL: &str = "mail.localhost";
/// Juliet, as mail knows her.
const JULIET: &str = "juliet=localhost@mail.localhost";

/// The mail server and those who have mailboxes there.
struct Post {
    postfix: Postfix,
    /// Texts to juliet, by Message-ID.
    written: BTreeMap<String, String>,
}

impl Network for Post {
    const NAME: &'static str = "email";
    const DOMAIN: &'static str = MAIL;
    /// Most mails arrive; one is refused, one returned.
    const RECIPIENTS: &'static [&'static str] = &[
        r"alice\40peer.example@mail.localhost",
        r"alice\40peer.example@mail.localhost",
        r"alice\40peer.example@mail.localhost",
        r"alice\40peer.example@mail.localhost",
        r"nobody\40peer.example@mail.localhost",
        r"somebody\40lost.example@mail.localhost",
    ];
    const STATES: &'static [i64] = &[QUEUED, BEGUN, ACCEPTED, FAILED, RECALLED, INBOUND];

    async fn write(&mut self, texts: &[String]) {
        let mut mails = Vec::new();
        for text in texts {
            let id = format!("<{}@peer.example>", text.replace(' ', "-"));
            mails.push(format!(
                "From: Alice <alice@peer.example>\nTo: {JULIET}\nMessage-ID: {id}\n\
                 Subject: news\n\n{text}\n"
            ));
            self.written.insert(id, text.clone());
        }
        let inject = || self.postfix.inject("alice@peer.example", JULIET, &mails);
        tokio::task::block_in_place(inject).expect("Postfix takes alice's mail");
    }

    async fn is_quiet(&mut self) -> bool {
        self.postfix.queued() == 0
    }

    fn arrived(&self) -> Option<Vec<Arrival>> {
        Some(self.postfix.mails().iter().map(|mail| read(mail)).collect())
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        // What has left Postfix was answered 250 or has come back to alice. Its log would tell, too,
        // but misses lines on a busy machine.
        let returned = self.postfix.returned();
        let came_back = |id: &String| returned.iter().any(|mail| mail.contains(id));
        let texts = self.written.iter().filter(|(id, _)| !came_back(id));
        texts.map(|(_, text)| text.clone()).collect()
    }
}

/// The first line of a mail, and its Message-ID.
fn read(mail: &str) -> Arrival {
    let (head, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
    let mut fields = head.lines();
    let id = fields.find_map(|line| line.strip_prefix("Message-ID:"));
    Arrival {
        text: body.lines().next().unwrap_or_default().to_owned(),
        identity: Some(id.expect("a mail has an id").trim().to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_email_loses_nothing_and_doubles_only_what_was_begun() {
    let listener = Port::reserve();
    let postfix = Postfix::patient(MAIL, Back::Smtp(listener.number()));
    let gateway = format!(
        r#"
[gateway.mail]
kind = "smtp"
domain = "{MAIL}"
allow = ["juliet@localhost"]
smarthost = "localhost:{smarthost}"
authority = "{authority}"
listen = ["{listener}"]
"#,
        smarthost = postfix.port(),
        authority = postfix.authority().display(),
        listener = listener.address(),
    );
    let world = World::serving(Kind::Prosody, &[MAIL], &gateway);
    let post = Post {
        postfix,
        written: BTreeMap::new(),
    };
    kill(world, post, 12, 100).await;
}
