//! An SMSC that is no work of ours: npm's `smpp`, run by node and told what to do
//! (`node/smsc.js`).

use std::io::{BufRead, BufReader, Write};
use std::panic::Location;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inbox::Inbox;
use crate::port::Port;
use crate::process::{Process, Spec};
use crate::tls::Certificate;
use crate::{DEADLINE, paths};

/// What the SMSC does, so that the test crate needs no file at run time.
const SCRIPT: &str = include_str!("../node/smsc.js");

/// The password that it accepts.
pub const PASSWORD: &str = "secret";

/// What happened at the SMSC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// It listens.
    Listening,
    /// It will answer as it was told.
    Ready,
    /// Somebody asks to bind.
    Bind {
        /// What he calls himself.
        system_id: String,
        /// The password was right.
        right: bool,
    },
    /// A bind stands.
    Bound,
    /// A message came.
    Submit(Submit),
    /// One of its deliveries was answered.
    Delivered {
        /// With this status.
        status: u32,
    },
    /// One of the deliveries that it keeps until then was taken.
    Acknowledged {
        /// What [`NodeSmsc::keep`] called it.
        key: String,
    },
    /// So many deliveries wait to be taken.
    Kept {
        /// How many.
        count: usize,
    },
    /// A PDU of it was refused as such.
    Nack {
        /// With this status.
        status: u32,
        /// Which.
        sequence: u32,
    },
    /// Its enquiry was answered.
    Enquired,
    /// A bind was ended by the other side.
    Unbound,
    /// A connection is closed.
    Closed,
    /// Something went wrong.
    Error {
        /// What.
        text: String,
    },
}

/// A submission.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Submit {
    /// The id it was answered with.
    pub id: String,
    /// From.
    pub source: String,
    /// Its type of number.
    pub source_ton: u8,
    /// To.
    pub destination: String,
    /// Its type of number.
    pub destination_ton: u8,
    /// Its features.
    pub esm_class: u8,
    /// Its encoding.
    pub data_coding: u8,
    /// Which receipts are wanted.
    pub registered_delivery: u8,
    /// The user data header in hexadecimal digits.
    pub udh: Option<String>,
    /// The text as the SMSC reads it.
    pub text: String,
}

/// A running SMSC.
#[derive(Debug)]
pub struct NodeSmsc {
    process: Mutex<Process>,
    stdin: Mutex<ChildStdin>,
    events: Inbox<Happened>,
    port: Port,
    certificate: Option<Certificate>,
    _dir: TempDir,
}

impl NodeSmsc {
    /// Starts one and waits until it listens.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// As [`Self::start`], with TLS.
    pub async fn start_tls() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(tls: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let certificate = tls.then(|| Certificate::create(dir.path()));
        let port = Port::reserve();
        let mut spec = Spec::new("smsc", paths::need("usr/bin/node"), dir.path())
            .args(["-e", SCRIPT])
            .arg(port.number().to_string())
            .arg(library())
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .piped();
        if let Some(certificate) = &certificate {
            spec = spec.arg(certificate.key()).arg(certificate.certificate());
        }
        let mut process = Process::start(spec);
        let (stdin, stdout) = process.take_pipes().expect("the child is piped");
        let events = Inbox::default();
        let reader = events.clone();
        thread::spawn(move || read(stdout, &reader));
        let this = Self {
            process: Mutex::new(process),
            stdin: Mutex::new(stdin),
            events,
            port,
            certificate,
            _dir: dir,
        };
        this.expect(|event| *event == Happened::Listening).await;
        this
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The certificate, of one with TLS.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// How the next submissions are answered: see the script.
    ///
    /// # Panics
    ///
    /// When it does not listen to that in time.
    #[track_caller]
    pub fn answers(&self, list: &Value) -> impl Future<Output = ()> {
        self.command(&json!({ "cmd": "answers", "list": list }));
        let ready = self.expect(|event| *event == Happened::Ready);
        async move {
            ready.await;
        }
    }

    /// From now on the last digit of a destination says what becomes of a submission: see the
    /// script.
    ///
    /// # Panics
    ///
    /// When it does not listen to that in time.
    pub async fn habits(&self) {
        self.command(&json!({ "cmd": "habits" }));
        self.expect(|event| *event == Happened::Ready).await;
    }

    /// Delivers a message, over this bind and any later one, until it is taken.
    pub fn keep(&self, key: &str, pdu: &Value) {
        self.command(&json!({ "cmd": "keep", "key": key, "pdu": pdu }));
    }

    /// How many such messages and receipts wait to be taken.
    ///
    /// # Panics
    ///
    /// When it does not answer in time.
    pub async fn kept(&self) -> usize {
        self.command(&json!({ "cmd": "kept" }));
        let kept = self.expect(|event| matches!(event, Happened::Kept { .. }));
        match kept.await {
            Happened::Kept { count } => count,
            other => panic!("{other:?} is no number"),
        }
    }

    /// Answers what is on hold.
    pub fn release(&self) {
        self.command(&json!({ "cmd": "release" }));
    }

    /// Delivers a message; fields as npm's `smpp` names them.
    pub fn deliver(&self, pdu: &Value) {
        self.command(&json!({ "cmd": "deliver", "pdu": pdu }));
    }

    /// Delivers a receipt with text and parameters, as most SMSCs do.
    pub fn receipt(&self, id: &str, state: (u8, &str), source: &str, destination: &str) {
        let (number, word) = state;
        let text = format!(
            "id:{id} sub:001 dlvrd:001 submit date:2611211114 done date:2611211114 \
             stat:{word} err:000 text:"
        );
        self.deliver(&json!({
            "esm_class": 4, "source_addr": source, "destination_addr": destination,
            "short_message": text, "receipted_message_id": id, "message_state": number,
        }));
    }

    /// Sends bytes as they are.
    pub fn raw(&self, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.command(&json!({ "cmd": "raw", "hex": hex }));
    }

    /// Asks the other side whether it is there.
    pub fn enquire(&self) {
        self.command(&json!({ "cmd": "enquire" }));
    }

    /// Ends the bind properly.
    pub fn unbind(&self) {
        self.command(&json!({ "cmd": "unbind" }));
    }

    /// Ends the connection without a word.
    pub fn cut(&self) {
        self.command(&json!({ "cmd": "drop" }));
    }

    /// Takes the first unclaimed event that fits.
    ///
    /// # Panics
    ///
    /// When none comes in time, with what came instead.
    #[track_caller]
    pub fn expect<'a>(
        &'a self,
        fits: impl FnMut(&Happened) -> bool + 'a,
    ) -> impl Future<Output = Happened> + 'a {
        let caller = Location::caller();
        async move {
            let event = self.try_expect(DEADLINE, fits).await;
            event.unwrap_or_else(|error| panic!("smsc at {caller}: {error}"))
        }
    }

    /// As [`Self::expect`], with a deadline of one's own.
    ///
    /// # Errors
    ///
    /// When none comes: what came instead.
    pub async fn try_expect(
        &self,
        deadline: Duration,
        fits: impl FnMut(&Happened) -> bool,
    ) -> Result<Happened, String> {
        self.events.take(deadline, fits).await
    }

    /// Takes the next submission.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    #[track_caller]
    pub fn submit(&self) -> impl Future<Output = Submit> {
        let event = self.expect(|event| matches!(event, Happened::Submit(_)));
        async move {
            match event.await {
                Happened::Submit(submit) => submit,
                other => panic!("{other:?} is no submission"),
            }
        }
    }

    /// The status with which the next delivery is answered.
    ///
    /// # Panics
    ///
    /// When it is not answered in time.
    #[track_caller]
    pub fn delivered(&self) -> impl Future<Output = u32> {
        let event = self.expect(|event| matches!(event, Happened::Delivered { .. }));
        async move {
            match event.await {
                Happened::Delivered { status } => status,
                other => panic!("{other:?} is no answer"),
            }
        }
    }

    /// Everything that happened.
    pub fn log(&self) -> Vec<Happened> {
        self.events.log()
    }

    /// Kills it.
    ///
    /// # Panics
    ///
    /// When another test thread panicked while it did the same.
    pub fn kill(&self) {
        let mut process = self.process.lock().expect("no holder of the lock panics");
        process.kill_hard();
    }

    fn command(&self, command: &Value) {
        let mut stdin = self.stdin.lock().expect("no holder of the lock panics");
        // A process that is gone is told by the next expectation.
        let _ = writeln!(stdin, "{command}");
    }
}

/// Where npm put the package.
fn library() -> PathBuf {
    let path = paths::target_dir().join("servers/npm/node_modules/smpp");
    assert!(
        path.is_dir(),
        "npm's smpp is not installed: run `cargo run -p xtask -- install` first"
    );
    path
}

fn read(stdout: ChildStdout, events: &Inbox<Happened>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(event) => events.push(event),
            Err(error) => eprintln!("smsc: {error}: {line}"),
        }
    }
    events.close();
}
