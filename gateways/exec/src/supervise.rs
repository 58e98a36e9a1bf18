//! Starts the plugin, watches it, starts it again, ends it.
//!
//! One task owns the process. It always reads: a plugin is never stopped by us not listening, and
//! what it says too much is thrown away by the machine. It never waits for the host: questions are
//! put in tasks of their own, at most a window of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_gateway::{Fault, FaultKind, Refusal, Uplink};
use isthmus_kit::backoff::Backoff;
use isthmus_kit::bucket::Bucket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep, sleep_until, timeout};

use crate::config::Config;
use crate::session::Hub;
use crate::translate::rpc::{Incoming, WireError, json, read, request};
use crate::translate::{Ask, Hello, Initialize, Limits, Question, Ticket, WINDOW, refusal};
use crate::translate::{read_hello, rpc};
use crate::transport::{Moved, Process};

/// How long a plugin may take to answer `initialize`.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Between two pings.
const PING: Duration = Duration::from_secs(30);
/// Pings in a row that may go unheard.
const MISSES: u32 = 2;
/// Between two looks at what is overdue.
const TICK: Duration = Duration::from_secs(1);
/// A process that ran so long was no failure.
const STABLE: Duration = Duration::from_secs(60);
/// What an ended process has written may be read for so long.
const REST: Duration = Duration::from_secs(1);
/// How often a report of ours is tried that the host cannot take yet.
const TRIES: u32 = 5;

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
        process.queue(&request(0, "initialize", &params));
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
            match read(&line) {
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

/// When to start again.
#[derive(Debug)]
pub(crate) struct Restart {
    backoff: Backoff,
    failures: u32,
    limit: u32,
    pause: Duration,
}

impl Restart {
    pub(crate) fn new(seed: u64, limit: u32, pause: Duration) -> Self {
        Self {
            backoff: Backoff::new(seed),
            failures: 0,
            limit,
            pause,
        }
    }

    /// The process ended after running so long: how long to wait, and whether it fails so often
    /// that it is given a rest.
    pub(crate) fn wait(&mut self, ran: Duration) -> (Duration, bool) {
        if ran >= STABLE {
            self.failures = 0;
            self.backoff.reset();
        }
        self.failures = self.failures.saturating_add(1);
        let wait = self.backoff.wait();
        match self.failures >= self.limit {
            true => (wait.max(self.pause), true),
            false => (wait, false),
        }
    }
}

/// Whether the plugin is heard of.
#[derive(Debug, Default)]
struct Pulse {
    heard: bool,
    asked: bool,
    misses: u32,
}

impl Pulse {
    /// Time for a ping; true: it is dead.
    fn beat(&mut self) -> bool {
        let heard = std::mem::take(&mut self.heard);
        self.misses = match self.asked && !heard {
            true => self.misses + 1,
            false => 0,
        };
        self.asked = true;
        self.misses >= MISSES
    }
}

/// How a process came to its end.
enum End {
    /// By itself, or because we killed it: why, in words.
    Failed(String),
    /// Because the gateway ends.
    Drained,
}

/// Runs the plugin until drained.
pub(crate) struct Supervisor {
    pub(crate) launch: Launch,
    pub(crate) hub: Arc<Hub>,
    pub(crate) hello: Hello,
    pub(crate) restart: Restart,
    /// Until when to end, once that is asked; closed: at once.
    pub(crate) drain: watch::Receiver<Option<Instant>>,
    pub(crate) asked: JoinSet<(Ticket, Result<String, WireError>)>,
    pub(crate) complaints: Bucket,
}

impl Supervisor {
    pub(crate) async fn run(mut self, process: Process) {
        let mut next = Some(process);
        let mut drain = self.drain.clone();
        loop {
            let began = Instant::now();
            let why = match next.take() {
                Some(process) => match self.attend(process).await {
                    End::Drained => return self.tell_over(),
                    End::Failed(why) => why,
                },
                None => match self.again().await {
                    Ok(process) => {
                        next = Some(process);
                        continue;
                    }
                    Err(why) => why,
                },
            };
            let (wait, rests) = self.restart.wait(began.elapsed());
            self.tell_down(&why, wait, rests);
            let until = tokio::time::Instant::now() + wait;
            while tokio::time::Instant::now() < until {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.hub.work.notified() => {}
                    answer = next_answer(&mut self.asked) => self.answered(answer),
                    _ = drained(&mut drain) => return self.tell_over(),
                }
                self.put_questions();
            }
        }
    }

    /// Starts the program once more. What it is has been said: it cannot become something else.
    async fn again(&mut self) -> Result<Process, String> {
        let mut drain = self.drain.clone();
        tokio::select! {
            started = self.launch.start() => {
                let (process, hello) = started?;
                if hello != self.hello {
                    let plugin = self.launch.name.as_str();
                    tracing::warn!(plugin, "the plugin says another thing of itself than before");
                }
                Ok(process)
            }
            _ = drained(&mut drain) => Err("the gateway ends".into()),
        }
    }

    /// No process comes after this one.
    fn tell_over(&self) {
        tracing::info!(plugin = self.launch.name, "plugin ended with the gateway");
        let fault = Fault::new(FaultKind::NetworkDown, "this gateway ends");
        let now = Instant::now();
        self.hub.quietly(|machine| machine.down(&fault, None, now));
    }

    fn tell_down(&mut self, why: &str, wait: Duration, rests: bool) {
        let (plugin, seconds) = (self.launch.name.as_str(), wait.as_secs());
        let counts = self.hub.quietly(|machine| machine.counts);
        let text = match rests {
            true => {
                tracing::error!(
                    plugin,
                    why,
                    seconds,
                    ?counts,
                    "plugin keeps failing: it rests"
                );
                "the gateway's program keeps failing and rests; its operator has been told"
            }
            false => {
                tracing::warn!(
                    plugin,
                    why,
                    seconds,
                    ?counts,
                    "plugin ended, starting it again"
                );
                "the gateway's program has ended and is started again"
            }
        };
        let fault = Fault::new(FaultKind::NetworkDown, text);
        let now = Instant::now();
        self.hub
            .quietly(|machine| machine.down(&fault, Some(wait), now));
    }

    /// Moves lines in both directions until the process ends. It is dead when this returns.
    async fn attend(&mut self, mut process: Process) -> End {
        tracing::info!(
            plugin = self.launch.name,
            pid = process.id(),
            "plugin started"
        );
        self.hub.quietly(|machine| machine.up(Instant::now()));
        let end = loop {
            if let Some(end) = self.turn(&mut process).await {
                break end;
            }
        };
        process.kill();
        // Killed processes end at once unless the system is stuck, which is not ours to wait for.
        let how = timeout(REST, process.ended()).await.unwrap_or_default();
        match end {
            End::Failed(why) if why.is_empty() => End::Failed(how),
            end => end,
        }
    }

    async fn turn(&mut self, process: &mut Process) -> Option<End> {
        let begin = tokio::time::Instant::now();
        let mut ticks = interval_at(begin + TICK, TICK);
        let mut pings = interval_at(begin + PING, PING);
        let mut drain = self.drain.clone();
        let mut pulse = Pulse::default();
        // It may have said more than what it is.
        self.take_lines(process);
        loop {
            self.put_questions();
            self.put_lines(process);
            tokio::select! {
                moved = process.advance() => match moved {
                    Moved::Read => {
                        pulse.heard = true;
                        self.take_lines(process);
                    }
                    Moved::Wrote => {}
                    Moved::End => return Some(End::Failed(String::new())),
                    Moved::Exit => {
                        self.take_rest(process).await;
                        return Some(End::Failed(String::new()));
                    }
                },
                () = self.hub.work.notified() => {}
                answer = next_answer(&mut self.asked) => self.answered(answer),
                _ = ticks.tick() => self.hub.quietly(|machine| machine.tick(Instant::now())),
                _ = pings.tick() => {
                    if pulse.beat() {
                        return Some(End::Failed("it does not answer pings".into()));
                    }
                    self.hub.quietly(|machine| machine.ping(Instant::now()));
                }
                until = drained(&mut drain) => {
                    self.stop(process, until).await;
                    return Some(End::Drained);
                }
            }
            if self.hub.quietly(|machine| machine.is_stuck()) {
                return Some(End::Failed("it does not read its input".into()));
            }
        }
    }

    /// Asks it to end, then tells it so by the end of its input, then leaves the rest to `kill`.
    async fn stop(&mut self, process: &mut Process, until: Option<Instant>) {
        let Some(until) = until else { return };
        let left = until.saturating_duration_since(Instant::now());
        self.hub.quietly(|machine| machine.shutdown(Instant::now()));
        let ending = async {
            loop {
                self.put_questions();
                self.put_lines(process);
                tokio::select! {
                    moved = process.advance() => match moved {
                        Moved::End | Moved::Exit => break,
                        _ => self.take_lines(process),
                    },
                    () = self.hub.work.notified() => {}
                    answer = next_answer(&mut self.asked) => self.answered(answer),
                }
            }
        };
        if timeout(left / 2, ending).await.is_ok() {
            return;
        }
        process.close_input();
        let plugin = self.launch.name.as_str();
        if timeout(left / 4, process.ended()).await.is_err() {
            tracing::warn!(plugin, "the plugin ignores shutdown: it is killed");
        }
    }

    /// Hands over what may be written, a bounded piece at a time.
    fn put_lines(&mut self, process: &mut Process) {
        if process.is_flushed() {
            let lines = self.hub.quietly(|machine| {
                let mut bytes = 0;
                let mut lines = Vec::new();
                while bytes < 64 << 10 {
                    let Some(line) = machine.next_line() else {
                        break;
                    };
                    bytes += line.len();
                    lines.push(line);
                }
                lines
            });
            for line in lines {
                process.queue(&line);
            }
        }
    }

    fn take_lines(&mut self, process: &mut Process) {
        let now = Instant::now();
        while let Some(line) = process.line() {
            let taken = match line {
                Ok(line) => self.hub.quietly(|machine| machine.line(&line, now)),
                Err(_) => self.hub.quietly(|machine| {
                    machine.counts.malformed += 1;
                    Err(format!("a line of more than {} bytes", rpc::LONGEST))
                }),
            };
            if let Err(why) = taken
                && self.complaints.take(now)
            {
                let plugin = self.launch.name.as_str();
                tracing::warn!(plugin, why, "the plugin wrote what makes no sense");
            }
        }
    }

    /// What it wrote just before its end still counts.
    async fn take_rest(&mut self, process: &mut Process) {
        process.close_input();
        let rest = async {
            // A flood has no end: what fits into a pipe and more is read, and no more.
            for _ in 0..64 {
                if process.advance().await == Moved::End {
                    break;
                }
                self.take_lines(process);
            }
        };
        // What it started may hold its output open.
        let _ = timeout(REST, rest).await;
    }

    /// Puts to the host what the plugin asks, once there is a host.
    fn put_questions(&mut self) {
        let Some(up) = self.hub.uplink() else { return };
        while self.asked.len() < WINDOW {
            let Some(ask) = self.hub.quietly(|machine| machine.next_ask()) else {
                break;
            };
            self.asked.spawn(put(ask, Arc::clone(&up)));
        }
    }

    fn answered(&mut self, answer: (Ticket, Result<String, WireError>)) {
        let (ticket, result) = answer;
        self.hub
            .quietly(|machine| machine.ask_answered(&ticket, &result));
    }
}

/// Until when to end, once that is asked; `None`: the gateway is gone.
async fn drained(drain: &mut watch::Receiver<Option<Instant>>) -> Option<Instant> {
    let until = drain.wait_for(Option::is_some).await;
    until.ok().and_then(|until| *until)
}

type Answer = (Ticket, Result<String, WireError>);

/// The next answer of the host; never, while nothing is asked.
async fn next_answer(asked: &mut JoinSet<Answer>) -> Answer {
    loop {
        match asked.join_next().await {
            Some(Ok(answer)) => return answer,
            // A question of which the host made a panic: the plugin's own deadline ends it.
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

/// Puts one question to the host.
async fn put(ask: Ask, up: Arc<dyn Uplink>) -> Answer {
    let result = match ask.question {
        Question::Deliver { batch, all_or_none } => {
            let results = up.deliver(batch, all_or_none).await;
            let results = results.iter().map(|result| match result {
                Ok(stored) => serde_json::json!({ "stored": stored }),
                Err(refusal) => serde_json::json!({ "refused": refusal }),
            });
            Ok(json(&results.collect::<Vec<_>>()))
        }
        Question::Begin { job, to, keys } => Ok(json(&up.begin(job, to, keys).await)),
        Question::Find { handle, from } => {
            let found = up.find(handle, &from).await;
            found.map(|users| json(&users)).map_err(|it| refusal(&it))
        }
        Question::Resolve { user, key } => Ok(json(&up.resolve(user, key).await)),
        Question::Report(report) => {
            let mut result = up.report(report.clone()).await;
            for _ in 1..TRIES {
                if !matches!(result, Err(Refusal::Later(_))) {
                    break;
                }
                sleep(TICK).await;
                result = up.report(report.clone()).await;
            }
            let done = result.map(|()| "{}".to_owned());
            done.map_err(|it| refusal(&it))
        }
    };
    (ask.ticket, result)
}
