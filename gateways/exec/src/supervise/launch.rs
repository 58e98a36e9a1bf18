//! Starts the program and hears what it is.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::REST;
use crate::config::Config;
use crate::translate::rpc::{self, Incoming};
use crate::translate::{Hello, Initialize, Limits, WINDOW, read_hello};
use crate::transport::{Moved, Process};

/// How long a plugin may take to answer `initialize`.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What a plugin is started with.
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) dir: PathBuf,
    pub(crate) spool: PathBuf,
    pub(crate) config: Config,
}

impl Launch {
    /// Starts the program and hears what it is; what went wrong, in words.
    pub(crate) async fn start(&self) -> Result<(Process, Hello), String> {
        let mut process = Process::spawn(&self.name, &self.config, &self.dir)
            .map_err(|error| format!("{}: {error}", self.program()))?;
        let spool = self.spool.to_string_lossy();
        let limits = Limits {
            line: rpc::LONGEST,
            window: WINDOW,
            credit: self.config.credit,
            timeout: self.config.timeout.as_secs(),
        };
        let config = &self.config;
        let (own, lang) = (&config.config.0, &config.lang);
        let params = Initialize::new(&self.domain, own, &spool, lang, limits);
        process.queue(&rpc::request(0, "initialize", &params));
        let answer = timeout(HANDSHAKE, first_answer(&mut process)).await;
        let hello = match answer {
            Ok(answer) => answer.and_then(|answer| read_hello(&answer)),
            Err(_) => Err(format!(
                "it did not answer initialize within {} s",
                HANDSHAKE.as_secs()
            )),
        };
        match hello {
            Ok(hello) => Ok((process, hello)),
            Err(why) => Err(format!("{}: {why}", self.program())),
        }
    }

    fn program(&self) -> String {
        self.config.exec.join(" ")
    }
}

/// Waits for the answer to `initialize`; whatever else it says before is thrown away.
async fn first_answer(process: &mut Process) -> Result<String, String> {
    loop {
        while let Some(line) = process.line() {
            let line = line.map_err(|_| "its first line is too long".to_owned())?;
            match rpc::read(&line) {
                Ok(Incoming::Answer { id: 0, result }) => {
                    return match result {
                        Ok(result) => Ok(result.to_owned()),
                        Err(error) => Err(error.message),
                    };
                }
                Ok(_) => {}
                Err(why) => return Err(format!("its first line makes no sense: {why}")),
            }
        }
        if matches!(process.advance().await, Moved::End | Moved::Exit) {
            let how = timeout(REST, process.ended()).await;
            let how = how.unwrap_or_else(|_| "its output is closed".to_owned());
            return Err(format!("it ended before it answered initialize ({how})"));
        }
    }
}
