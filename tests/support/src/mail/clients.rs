//! Independent mail clients: swaks, and the one in Python's library.

use std::process::Command;

use crate::paths;

/// Runs swaks with these arguments and this mail, whose lines may end with LF alone.
///
/// # Errors
///
/// What it says when it does not succeed.
pub fn swaks(args: &[&str], mail: &str) -> Result<(), String> {
    let output = Command::new("perl")
        .arg(paths::need("usr/bin/swaks"))
        .args(["--hide-informational", "--timeout", "20s", "--data", mail])
        .args(args)
        .output()
        .expect("perl starts");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr))
}

/// What is said with Python's `smtplib`: one line of JSON for each answer.
const SMTPLIB: &str = "\
import json, smtplib, sys
host, port, sender, options, recipient, mail = sys.argv[1:]
client = smtplib.SMTP(host, int(port), timeout=20)
client.ehlo()
steps = [
    lambda: client.mail(sender, json.loads(options)),
    lambda: client.rcpt(recipient),
    lambda: client.data(mail.replace('\\n', '\\r\\n').encode()),
]
for step in steps:
    code, words = step()
    print(code, words.decode())
    if code >= 400:
        sys.exit(1)
client.quit()
";

/// Sends a mail with Python's `smtplib`, saying these `options` (such as `BODY=8BITMIME`) with its
/// sender. The lines of the mail end with LF alone.
///
/// # Errors
///
/// The answers, when one of them is a refusal.
pub fn smtplib(
    port: u16,
    from: &str,
    options: &[&str],
    to: &str,
    mail: &str,
) -> Result<(), String> {
    let options = serde_json::to_string(options).expect("texts are JSON");
    let output = Command::new(paths::need("usr/bin/python3"))
        .args(["-c", SMTPLIB, "127.0.0.1", &port.to_string()])
        .args([from, &options, to, mail])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
        .env("PYTHONUTF8", "1")
        .output()
        .expect("python starts");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr))
}
