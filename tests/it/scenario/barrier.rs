//! Proof that nothing more comes: questions that pass through everything (an unknown iq, IRC PING,
//! a question to the store), never waiting.

use isthmus::xmpp::Element;

use super::run::{Fault, Run, fault};
use super::spelled::shown;
use super::xml;

impl Run {
    /// Proves that everything so far has had its effect and that none of it is left over.
    pub(crate) async fn silence(&mut self) -> Result<(), Fault> {
        self.settle().await?;
        let left = self.leftover(true);
        if left.is_empty() {
            return Ok(());
        }
        let text = format!("expected silence\n     got {}", left.join("\n         "));
        Err(Fault {
            text,
            instead: Some(left),
        })
    }

    /// What has come and was not expected, as it would be written. A `(proof)` waits for its step,
    /// and what is behind it too, unless this is the `end`: then it is answered.
    pub(crate) fn leftover(&mut self, end: bool) -> Vec<String> {
        let mut left = Vec::new();
        self.receive();
        while let Some(stanza) = self.stanzas.pop_front() {
            left.push(format!(
                "xmpp< {}",
                xml::written(&stanza, None, &mut self.names, &self.given)
            ));
        }
        let labels: Vec<String> = self.waiting.keys().cloned().collect();
        for label in labels {
            while let Some(waiting) = self.waiting.get_mut(&label) {
                let is_proof = waiting.front().is_some_and(|line| shown(line) == "(proof)");
                if is_proof && !end {
                    break;
                }
                let Some(line) = waiting.pop_front() else {
                    break;
                };
                left.push(format!("{label}< {}", shown(&line)));
                self.line_matches(&label, "(proof)", &line);
            }
        }
        left
    }

    /// Asks every part whether it is done with what it was given.
    pub(crate) async fn settle(&mut self) -> Result<(), Fault> {
        // An entrance reads the store twice between the user and the network.
        for _ in 0..3 {
            self.barrier().await?;
            self.ask_store().await?;
            let labels: Vec<String> = self.lines.keys().cloned().collect();
            for label in labels {
                self.ping_irc(&label).await?;
            }
            self.barrier().await?;
        }
        self.receive();
        Ok(())
    }

    pub(super) async fn barrier(&mut self) -> Result<(), Fault> {
        for (user, to) in self.pairs.clone() {
            self.ask(&user, &to).await?;
        }
        Ok(())
    }

    /// The store answers in the order in which it is asked.
    pub(super) async fn ask_store(&mut self) -> Result<(), Fault> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let answer = store.conversation("silence", "silence", "silence");
        let answer = tokio::spawn(answer);
        let done = self.until(|_| answer.is_finished().then_some(()));
        done.await.ok_or_else(|| fault("the store does not answer"))
    }

    /// Something nobody knows, which is answered through the session of this user: a ping could go
    /// on to the network.
    pub(super) async fn ask(&mut self, user: &str, to: &str) -> Result<(), Fault> {
        self.barriers += 1;
        let id = format!("silence-{}", self.barriers);
        let to = xml::escaped(to);
        let _ = self.to_gateway.send(format!(
            "<iq from='{user}/silence' to='{to}' type='get' id='{id}'><still xmlns='urn:example:silence'/></iq>"
        ));
        let answer = self.until(|run| {
            let is_answer = |it: &Element| it.attr("id") == Some(id.as_str());
            let at = run.stanzas.iter().position(is_answer)?;
            run.stanzas.remove(at)
        });
        let answer = answer.await;
        answer
            .map(drop)
            .ok_or_else(|| fault(format!("{to} answers nothing")))
    }

    /// PING of the IRC server. A gateway that is leaving, or has left, need not answer.
    async fn ping_irc(&mut self, label: &str) -> Result<(), Fault> {
        if !label.starts_with("irc") {
            return Ok(());
        }
        self.receive();
        self.barriers += 1;
        let id = format!("silence-{}", self.barriers);
        let Some(line) = self.lines.get(label).filter(|line| !line.quit) else {
            return Ok(());
        };
        line.send(&format!("PING :{id}"));
        let done = self.until(|run| {
            if run.lines.get(label).is_none_or(|line| line.quit) {
                return Some(());
            }
            let waiting = run.waiting.get_mut(label)?;
            let is_answer = |it: &String| it.starts_with("PONG") && it.ends_with(&id);
            let at = waiting.iter().position(is_answer)?;
            waiting.remove(at).map(drop)
        });
        done.await
            .ok_or_else(|| fault("the gateway answers no PING"))
    }
}
