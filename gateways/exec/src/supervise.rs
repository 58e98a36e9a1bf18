//! Starts the plugin, watches it, starts it again, ends it.
//!
//! One task owns the process. It always reads: a plugin is never stopped by us not listening, and
//! what it says too much is thrown away by the machine. It never waits for the host: questions are
//! put in tasks of their own, at most a window of them.

mod launch;
mod patience;
mod question;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use isthmus_gateway::{Fault, FaultKind};
use isthmus_kit::Bucket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep_until, timeout};

pub(crate) use self::launch::Launch;
use self::patience::Pulse;
pub(crate) use self::patience::Restart;
use self::question::{Answer, next_answer, put};
use crate::session::Hub;
use crate::translate::{Hello, WINDOW, rpc};
use crate::transport::{Moved, Process};

/// Between two pings.
const PING: Duration = Duration::from_secs(30);
/// Between two looks at what is overdue.
const TICK: Duration = Duration::from_secs(1);
/// What an ended process has written may be read for so long.
const REST: Duration = Duration::from_secs(1);

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
    pub(crate) asked: JoinSet<Answer>,
    pub(crate) complaints: Bucket,
}

impl Supervisor {
    /// The machine has been told already that this process is there.
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
                        self.hub.quietly(|machine| machine.up(Instant::now()));
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
        let fault = Fault::new(
            FaultKind::NetworkDown,
            ("this gateway ends", "此网关正在结束"),
        );
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
                (
                    "the gateway's program keeps failing and rests; its operator has been told",
                    "网关程序屡次出错，现已暂停；已通知其管理员",
                )
            }
            false => {
                tracing::warn!(
                    plugin,
                    why,
                    seconds,
                    ?counts,
                    "plugin ended, starting it again"
                );
                (
                    "the gateway's program has ended and is started again",
                    "网关程序已结束，正在重新启动",
                )
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
        let id = process.id().unwrap_or_default();
        self.hub.process.store(id, Ordering::Relaxed);
        let end = loop {
            if let Some(end) = self.turn(&mut process).await {
                break end;
            }
        };
        self.hub.process.store(0, Ordering::Relaxed);
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
            self.asked
                .spawn(put(ask, Arc::clone(&up), self.launch.spool.clone()));
        }
    }

    fn answered(&mut self, answer: Answer) {
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
