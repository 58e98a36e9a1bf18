//! Scenarios: files that tell one behaviour each, run on the product.

mod barrier;
mod faults;
mod foreign;
mod operator;
mod parse;
mod run;
mod spelled;
pub(crate) mod wire;
mod xml;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use isthmus::xmpp::Element;
use parse::{Act, Step};
use run::{Fault, Run};

/// Runs every file of a folder of `tests/scenarios`, and panics with all that failed.
pub(crate) fn run_folder(folder: &str) {
    let mut files = Vec::new();
    collect(&parse::root().join(folder), &mut files);
    if let Ok(only) = std::env::var("ISTHMUS_SCENARIO") {
        files.retain(|file| file.to_string_lossy().contains(&only));
    } else {
        assert!(!files.is_empty(), "there are no scenarios of {folder}");
    }
    files.sort();
    let failed: Vec<String> = files
        .iter()
        .filter_map(|file| run_file(file).err())
        .collect();
    println!("{} scenarios of {folder}", files.len());
    let count = failed.len();
    assert!(
        failed.is_empty(),
        "{count} failed:\n\n{}\n",
        failed.join("\n\n")
    );
}

/// Plays a scenario that is in no file, and tells where it fails.
pub(crate) fn run_text(name: &str, text: &str) -> Result<(), String> {
    let steps = parse::read_text(Path::new(name), text)?;
    let result = in_stopped_time(|| play(&steps));
    result.map_err(|(step, fault)| {
        let line = step.map_or(0, |step| step.line);
        format!("{name}:{line}: {}", fault.text)
    })
}

/// Plays steps that expect nothing, and tells what came.
pub(crate) fn hear_text(name: &str, text: &str) -> Result<Vec<Element>, String> {
    hear_many(name, text, 0)
}

/// The same, where so many stanzas are to come that they take their time.
pub(crate) fn hear_many(name: &str, text: &str, many: usize) -> Result<Vec<Element>, String> {
    let steps = parse::read_text(Path::new(name), text)?;
    in_stopped_time(|| async {
        let mut run = Run::new();
        for step in &steps {
            run.step(step).await.map_err(|fault| fault.text)?;
        }
        let all = run.until(|run| (run.stanzas.len() >= many).then_some(()));
        all.await.ok_or("less has come")?;
        run.settle().await.map_err(|fault| fault.text)?;
        Ok(run.stanzas.into_iter().collect())
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of scenarios");
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "txt") {
            files.push(path);
        }
    }
}

/// Runs one file; with `ISTHMUS_BLESS` set, rewrites what it expects if it fails.
fn run_file(path: &Path) -> Result<(), String> {
    let steps = parse::read(path)?;
    let bless = std::env::var_os("ISTHMUS_BLESS").is_some();
    let failed = in_stopped_time(|| play(&steps));
    let Err((step, fault)) = failed else {
        return Ok(());
    };
    if bless {
        let edits = in_stopped_time(|| watch(path, &steps));
        rewrite(path, edits)?;
    }
    let title = fs::read_to_string(path).unwrap_or_default();
    let title = title.lines().next().unwrap_or_default().to_owned();
    let (file, line) = match step {
        Some(step) => (step.file.as_path(), step.line),
        None => (path, title.lines().count()),
    };
    let file = file
        .strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(file);
    let of = path
        .strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(path);
    Err(format!(
        "{title}\n{}\n{}:{line}: {}",
        of.display(),
        file.display(),
        fault.text
    ))
}

/// Runs with a clock that stands still unless it is told to move.
fn in_stopped_time<T, F: Future<Output = T>>(work: impl FnOnce() -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    // A paused clock jumps ahead whenever everything waits, but not while something blocks.
    let (end, ends) = mpsc::channel::<()>();
    let _guard = runtime.enter();
    runtime.spawn_blocking(move || ends.recv());
    let result = runtime.block_on(work());
    drop(end);
    result
}

/// Plays the steps to the first that fails, or to the silence that ends every scenario.
async fn play(steps: &[Step]) -> Result<(), (Option<&Step>, Fault)> {
    let mut run = Run::new();
    for step in steps {
        run.step(step).await.map_err(|fault| (Some(step), fault))?;
    }
    run.silence().await.map_err(|fault| (steps.last(), fault))
}

/// Lines to put in the place of others.
struct Edit {
    /// From 0; beyond the last line: at the end.
    at: usize,
    lines: usize,
    instead: Vec<String>,
}

/// Plays all steps and notes what came instead of what was expected. Nothing may be left over when
/// something new begins.
async fn watch(path: &Path, steps: &[Step]) -> Vec<Edit> {
    let mut run = Run::new();
    let mut edits = Vec::new();
    for step in steps {
        let (own, at) = (step.file == path, step.line - 1);
        if own && step.act.is_input() && run.settle().await.is_ok() {
            let instead = run.leftover(false);
            if !instead.is_empty() {
                edits.push(Edit {
                    at,
                    lines: 0,
                    instead,
                });
            }
        }
        if let Err(fault) = run.step(step).await {
            match fault.instead {
                Some(instead) if own && !matches!(step.act, Act::Silence) => {
                    edits.push(Edit {
                        at,
                        lines: step.lines,
                        instead,
                    });
                }
                _ => return edits,
            }
        }
    }
    while run.settle().await.is_ok() {
        let instead = run.leftover(true);
        if instead.is_empty() {
            break;
        }
        edits.push(Edit {
            at: usize::MAX,
            lines: 0,
            instead,
        });
    }
    edits
}

fn rewrite(path: &Path, edits: Vec<Edit>) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|fault| fault.to_string())?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (ends, inner): (Vec<_>, Vec<_>) = edits.into_iter().partition(|edit| edit.at == usize::MAX);
    for edit in inner.into_iter().rev().chain(ends) {
        let at = edit.at.min(lines.len());
        lines.splice(at..at + edit.lines, edit.instead);
    }
    fs::write(path, lines.join("\n") + "\n").map_err(|fault| fault.to_string())
}
