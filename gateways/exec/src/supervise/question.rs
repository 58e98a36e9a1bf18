//! Puts to the host what the plugin asks.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::{BlobWriter, Refusal, Uplink};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::translate::rpc::{REFUSED, WireError, json};
use crate::translate::{Ask, Question, Ticket, refusal};

/// How often a report of ours is tried that the host cannot take yet.
const TRIES: u32 = 5;
/// Between two of these tries.
const AGAIN: Duration = Duration::from_secs(1);

/// What the host said, and to whom it goes.
pub(crate) type Answer = (Ticket, Result<String, WireError>);

/// The next answer of the host; never, while nothing is asked.
pub(super) async fn next_answer(asked: &mut JoinSet<Answer>) -> Answer {
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
pub(super) async fn put(ask: Ask, up: Arc<dyn Uplink>, spool: PathBuf) -> Answer {
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
        Question::Keep { name, value } => {
            let kept = up.keep(&name, value).await;
            kept.map(|()| "{}".to_owned()).map_err(|it| refusal(&it))
        }
        Question::Kept { name } => {
            let kept = up.kept(&name).await;
            kept.map(|value| json(&value)).map_err(|it| refusal(&it))
        }
        Question::StoreBlob { name, mime, file } => store_blob(up, &name, &mime, spool, file)
            .await
            .map(|url| json(&serde_json::json!({ "url": url })))
            .map_err(|error| WireError::new(REFUSED, error.to_string())),
        Question::ReadBlob { url, file } => read_blob(up, &url, spool, file)
            .await
            .map(|size| json(&serde_json::json!({ "size": size })))
            .map_err(|error| WireError::new(REFUSED, error.to_string())),
        Question::Report(report) => {
            let mut result = up.report(report.clone()).await;
            for _ in 1..TRIES {
                if !matches!(result, Err(Refusal::Later(_))) {
                    break;
                }
                sleep(AGAIN).await;
                result = up.report(report.clone()).await;
            }
            let done = result.map(|()| "{}".to_owned());
            done.map_err(|it| refusal(&it))
        }
    };
    (ask.ticket, result)
}

/// Moves a file of the spool into the host's store; its URL. The file is gone when it is kept.
async fn store_blob(
    up: Arc<dyn Uplink>,
    name: &str,
    mime: &str,
    spool: PathBuf,
    file: String,
) -> io::Result<String> {
    let writer = up.store_blob(name, mime);
    let copied = tokio::task::spawn_blocking(move || {
        let path = in_spool(&spool, &file)?;
        let writer = copy(writer, &path)?;
        Ok::<_, io::Error>((writer, path))
    });
    let (writer, path) = copied
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the file was not read")))?;
    let url = writer.finish().await?;
    // One that stays is the plugin's to remove.
    let _ = fs::remove_file(path);
    Ok(url)
}

/// Writes an attachment of the host's into a new file of the spool; its size.
async fn read_blob(
    up: Arc<dyn Uplink>,
    url: &str,
    spool: PathBuf,
    file: String,
) -> io::Result<usize> {
    let bytes = up.read_blob(url).await?;
    let written = tokio::task::spawn_blocking(move || {
        let path = name_in_spool(&spool, &file)?;
        let mut file = File::options().write(true).create_new(true).open(path)?;
        file.write_all(&bytes)?;
        Ok(bytes.len())
    });
    let unknown = |_| Err(io::Error::other("the file was not written"));
    written.await.unwrap_or_else(unknown)
}

fn name_in_spool(spool: &Path, file: &str) -> io::Result<PathBuf> {
    if file.is_empty() || file.starts_with('.') || file.contains(['/', '\0']) {
        return Err(outside());
    }
    Ok(spool.join(file))
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no file of the spool")
}

/// A plain file right in the spool: no way leads out of it.
fn in_spool(spool: &Path, file: &str) -> io::Result<PathBuf> {
    let path = name_in_spool(spool, file)?;
    match fs::symlink_metadata(&path) {
        Ok(about) if about.is_file() => Ok(path),
        _ => Err(outside()),
    }
}

fn copy(mut writer: Box<dyn BlobWriter>, path: &Path) -> io::Result<Box<dyn BlobWriter>> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(writer),
            read => writer.write(&piece[..read])?,
        }
    }
}
