//! A mail to alice's mailbox at Postfix, and her answer.

use std::time::Duration;

use isthmus_test_support::mail::{Back, PEER, Postfix};
use isthmus_test_support::port::Port;

use super::Juliet;

pub(super) const DOMAIN: &str = "mail.localhost";
const ALICE: &str = r"alice\40peer.example@mail.localhost";

/// Postfix, and the port on which it finds the gateway.
pub(super) struct Email {
    postfix: Postfix,
    back: Port,
}

impl Email {
    /// Nothing without root: Postfix refuses.
    pub(super) fn start() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let back = Port::reserve();
        let postfix = Postfix::start(DOMAIN, Back::Lmtp(back.number()));
        Some(Self { postfix, back })
    }

    pub(super) fn config(&self) -> String {
        format!(
            r#"
[gateway.mail]
kind = "smtp"
domain = "{DOMAIN}"
allow = ["localhost"]
smarthost = "localhost:{port}"
authority = "{authority}"
lmtp = ["{back}"]
"#,
            port = self.postfix.port(),
            authority = self.postfix.authority().display(),
            back = self.back.address(),
        )
    }

    pub(super) fn invitation(&self) -> String {
        format!("    {ALICE:<44} alice, by email\n")
    }

    pub(super) async fn converse(&self, juliet: &Juliet) -> Result<(), String> {
        let id = juliet.writes(ALICE, "Are you coming to dinner?\nThere will be rosé.");
        juliet.confirmed(&id).await?;
        let mail = self
            .postfix
            .wait_for_mail(|mail| mail.contains("Subject: Are you coming to dinner?"));
        show(&mail);
        println!("alice (mail) answers: With pleasure.");
        self.write(&mail, "With pleasure.")?;
        juliet
            .hears(|stanza| stanza.is_message("chat", "With pleasure."))
            .await
    }

    /// Answers every new mail, as long as the demo runs.
    pub(super) async fn answer(&self) -> Result<(), String> {
        let mut answered = self.postfix.mails();
        loop {
            // A mailbox is a directory: one looks into it now and then.
            tokio::time::sleep(Duration::from_millis(500)).await;
            for mail in self.postfix.mails() {
                if !answered.contains(&mail) {
                    show(&mail);
                    self.write(&mail, "I read you.")?;
                    answered.push(mail);
                }
            }
        }
    }

    /// Alice answers a mail, as any mail program does.
    fn write(&self, mail: &str, body: &str) -> Result<(), String> {
        let id = header(mail, "Message-ID");
        let from = header(mail, "From");
        let back = from
            .rsplit('<')
            .next()
            .unwrap_or(from)
            .trim_end_matches('>');
        let subject = header(mail, "Subject").trim_start_matches("Re: ");
        let number = self.postfix.mails().len();
        let answer = format!(
            "From: Alice <alice@{PEER}>\nTo: {back}\nMessage-ID: <{number}.{}\nIn-Reply-To: {id}\n\
             References: {id}\nSubject: Re: {subject}\n\n{body}\n",
            id.trim_start_matches('<')
        );
        self.postfix.submit(&format!("alice@{PEER}"), back, &answer)
    }
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}

/// What a reader sees of a mail.
fn show(mail: &str) {
    println!("    alice (mail) receives");
    for name in ["From", "Message-ID", "In-Reply-To", "Subject"] {
        let value = header(mail, name);
        if !value.is_empty() {
            println!("        {name}: {value}");
        }
    }
    let body = mail.split_once("\n\n").map_or("", |(_, body)| body);
    for line in body.lines() {
        println!("        {line}");
    }
}
