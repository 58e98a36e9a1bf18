//! A plugin with `courier`: takes each job, begins it and reports that it was accepted. It asks no
//! more at a time than it is told it may: what is more would be refused.

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

/// What it has asked, and what it will.
#[derive(Default)]
struct Asking {
    window: u64,
    unanswered: u64,
    waiting: VecDeque<Value>,
}

impl Asking {
    fn ask(&mut self, out: &mut impl Write, question: Value) -> io::Result<()> {
        self.waiting.push_back(question);
        self.go_on(out)
    }

    fn answered(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.go_on(out)
    }

    fn go_on(&mut self, out: &mut impl Write) -> io::Result<()> {
        while self.unanswered < self.window
            && let Some(question) = self.waiting.pop_front()
        {
            say(out, question)?;
            self.unanswered += 1;
        }
        Ok(())
    }
}

/// Runs until standard input ends.
pub(crate) fn run() -> io::Result<()> {
    let (stdin, mut out) = (io::stdin().lock(), io::stdout().lock());
    let mut asking = Asking::default();
    for line in stdin.lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        let id = &message["id"];
        let params = &message["params"];
        match message["method"].as_str() {
            Some("initialize") => {
                asking.window = params["limits"]["window"].as_u64().unwrap_or(1);
                say(
                    &mut out,
                    json!({"id": id, "result": {
                        "protocol": 1, "name": "count", "version": "1", "courier": true,
                        "address": {"contact": "{id}"}, "caps": {}
                    }}),
                )?;
            }
            Some("job") => {
                let job = &params["id"];
                say(&mut out, json!({"id": id, "result": {}}))?;
                let begin = json!({"job": job, "to": 0, "keys": [format!("k{job}")]});
                let request = format!("begin {job}");
                let question = json!({"id": request, "method": "host.begin", "params": begin});
                asking.ask(&mut out, question)?;
            }
            Some("shutdown") => return Ok(()),
            Some(_) if !id.is_null() => say(&mut out, json!({"id": id, "result": {}}))?,
            Some(_) => {}
            None => {
                asking.answered(&mut out)?;
                let job = id.as_str().and_then(|id| id.strip_prefix("begin "));
                let job = job.and_then(|job| job.parse::<u64>().ok());
                if let (Some(job), Some(true)) = (job, message["result"].as_bool()) {
                    let report = json!({
                        "job": job, "to": 0, "keys": [format!("k{job}")], "state": "accepted"
                    });
                    let request = format!("report {job}");
                    let question = json!({"id": request, "method": "report", "params": report});
                    asking.ask(&mut out, question)?;
                }
            }
        }
    }
    Ok(())
}

fn say(out: &mut impl Write, mut message: Value) -> io::Result<()> {
    message["jsonrpc"] = "2.0".into();
    writeln!(out, "{message}")?;
    out.flush()
}
