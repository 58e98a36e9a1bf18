//! The program: arguments, configuration, tracing, signals, exit codes. No logic.

mod logging;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use isthmus::config::{self, Config, Problems};
use isthmus::{Notifier, Reloads, RunFault, import, registry};

use crate::logging::Logging;

/// Exit codes as in sysexits.h.
const EX_CONFIG: u8 = 64;
const EX_SOFTWARE: u8 = 70;
const EX_IOERR: u8 = 74;

/// The XMPP gateway.
#[derive(Parser)]
#[command(name = "isthmus", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, until SIGTERM or SIGINT; SIGHUP reads the configuration again
    Run {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Tell everything that is wrong with a configuration, or what it would serve
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print a configuration with every key
    Config,
    /// Take over what another gateway kept; the daemon must not run meanwhile
    Import {
        #[command(subcommand)]
        from: From,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Subcommand)]
enum From {
    /// Users' settings and history from the SQLite database of biboumi 9
    Biboumi {
        /// biboumi's database; it is read and never written
        database: PathBuf,
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// biboumi's own configuration: tells which keys to set instead
        #[arg(long, value_name = "FILE")]
        biboumi_config: Option<PathBuf>,
        /// The gateway's name in the configuration, where several speak IRC
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config } => run(&config),
        Command::Check { config } => check(&config),
        Command::Config => print(config::sample(registry::KINDS).as_bytes()),
        Command::Import {
            from:
                From::Biboumi {
                    database,
                    config,
                    biboumi_config,
                    gateway,
                },
        } => import_biboumi(
            &config,
            &import::Biboumi {
                database,
                config: biboumi_config,
                gateway,
            },
        ),
        Command::Completions { shell } => {
            let mut page = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "isthmus", &mut page);
            print(&page)
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Arguments::command()).render(&mut page) {
                Ok(()) => print(&page),
                Err(error) => fail(EX_IOERR, &error),
            }
        }
    }
}

fn check(path: &Path) -> ExitCode {
    match load(path) {
        Ok(config) => print(config::summary(&config).as_bytes()),
        Err(problems) => fail(EX_CONFIG, &problems),
    }
}

fn import_biboumi(path: &Path, from: &import::Biboumi) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(problems) => return fail(EX_CONFIG, &problems),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EX_SOFTWARE, &error),
    };
    match runtime.block_on(import::biboumi(&config, from)) {
        Ok(report) => print(report.to_string().as_bytes()),
        Err(fault) => fail(EX_IOERR, &fault),
    }
}

fn run(path: &Path) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(problems) => return fail(EX_CONFIG, &problems),
    };
    let logging = match Logging::start(&config.log) {
        Ok(logging) => logging,
        Err(error) => return fail(EX_SOFTWARE, &error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(EX_SOFTWARE, &error),
    };
    match runtime.block_on(serve(path, config, logging)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!(%fault, "stopped");
            ExitCode::from(match fault.downcast_ref() {
                Some(RunFault::Store(_)) => EX_IOERR,
                // What only setting it up could find.
                Some(RunFault::Gateway { .. }) => EX_CONFIG,
                _ => EX_SOFTWARE,
            })
        }
    }
}

async fn serve(path: &Path, config: Config, logging: Logging) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (terminate, interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (down, shutdown) = watch::channel(false);
    let path = path.to_owned();
    let reloads = Reloads::new(
        move || load(&path),
        move |config| logging.set_level(&config.log),
    );
    let reloader = reloads.reloader();
    for line in config::summary(&config).lines() {
        tracing::info!("{line}");
    }
    tokio::spawn(async move {
        let signal = stop(terminate, interrupt).await;
        tracing::info!(signal, "shutting down");
        let _ = down.send(true);
    });
    let serving = isthmus::run(config, shutdown, reloads, Notifier::from_environment());
    tokio::pin!(serving);
    loop {
        tokio::select! {
            ended = &mut serving => return Ok(ended?),
            Some(()) = hangup.recv() => {
                let reloader = reloader.clone();
                // What came of it is logged where it is done.
                tokio::spawn(async move { reloader.ask().await });
            }
        }
    }
}

/// Waits for the signal that ends the program.
async fn stop(mut terminate: Signal, mut interrupt: Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

fn load(path: &Path) -> Result<Config, Problems> {
    // A variable that is no UTF-8 is none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::load(path, environment, registry::KINDS)
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe may have seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(EX_IOERR, &error),
    }
}

fn fail(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr(), "{why}");
    ExitCode::from(code)
}
