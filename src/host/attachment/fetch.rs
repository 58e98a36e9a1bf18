//! Fetches what a user shares by a link, so that a network can carry the file itself, and pictures
//! that networks tell by links.
//!
//! Others name the host, so it is reached only by `https` and only at addresses of the public
//! internet. Where a user of ours shares a file, the operator may trust the host
//! (`attachments.trusted`); the link of a picture is named by anybody on a network, and no host is
//! trusted there. Each redirection is judged anew, by the same rule. Size is bounded by what is
//! announced and by what comes. A picture at our own file server is read from the disk.

use crate::host::words::{Notice, Phrase, Said};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use hyper::{Request, StatusCode};
use isthmus_gateway::{Blob, BlobWriter, Picture};
use isthmus_kit::Reach;

use super::Files;
use super::http::{self, Target};
use crate::host::courier::{Attachments, Writer};
use crate::host::shared::Shared;

/// All of it: connecting, redirections, reading.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same, for a picture.
const PICTURE_PATIENCE: Duration = Duration::from_secs(10);
/// Redirections that are followed.
const REDIRECTIONS: usize = 3;

/// Who says what is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A user of ours.
    ByUser,
    /// Anybody on a network.
    ByStranger,
}

/// A file that was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The name at the end of the link; may be empty.
    pub(crate) name: String,
    /// What the server says it is.
    pub(crate) mime: String,
    /// The file.
    pub(crate) bytes: Vec<u8>,
}

impl Files {
    /// Fetches what a user shares and keeps it, for a gateway to read; what is wrong, in words for
    /// the user.
    pub(crate) async fn fetch_kept(
        &self,
        shared: &Arc<Shared>,
        link: &Blob<'_>,
    ) -> Result<Blob<'static>, Said> {
        let fetched = self.fetch(&link.url, shared.limits().attachment).await?;
        let name = match link.name.as_ref() {
            "" => fetched.name,
            name => name.to_owned(),
        };
        let mut writer = Writer::new(Arc::clone(shared), &name, &fetched.mime);
        let size = fetched.bytes.len() as u64;
        let kept = match writer.write(&fetched.bytes) {
            Ok(()) => {
                drop(fetched.bytes);
                Box::new(writer).finish().await
            }
            Err(fault) => Err(fault),
        };
        let url = kept.map_err(|fault| {
            tracing::warn!(%fault, "a file that was fetched cannot be kept");
            Notice::FileNotKept
        })?;
        Ok(Blob {
            name: name.into(),
            mime: fetched.mime.into(),
            url: url.into(),
            size: Some(size),
        })
    }

    /// Fetches a file of at most `most` bytes; what is wrong, in words for the user.
    pub(crate) async fn fetch(&self, url: &str, most: u64) -> Result<Fetched, Said> {
        if !self.settings().fetch {
            return Err(Notice::FilesNotFetched.into());
        }
        match tokio::time::timeout(PATIENCE, self.follow(url, most, Named::ByUser)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Notice::FileServerSlow.into()),
        }
    }

    /// Fetches what should be a picture; what is wrong, in words. `kept`: what our own file
    /// server serves.
    pub(crate) async fn fetch_picture(
        &self,
        kept: Option<&Arc<Attachments>>,
        url: &str,
    ) -> Result<Vec<u8>, Said> {
        if !self.settings().pictures {
            return Err(Notice::FilesNotFetched.into());
        }
        let most = Picture::MOST as u64;
        if let (Some(kept), Some(id)) = (kept, self.own_id(url)) {
            match own_picture(Arc::clone(kept), id.to_owned(), most).await {
                // Other things may be served under the same name.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                read => return read.map_err(|_| Notice::AttachmentUnread.into()),
            }
        }
        let fetched = self.follow(url, most, Named::ByStranger);
        match tokio::time::timeout(PICTURE_PATIENCE, fetched).await {
            Ok(fetched) => fetched.map(|it| it.bytes),
            Err(_) => Err(Notice::FileServerSlow.into()),
        }
    }

    /// The id of what a link to our own file server leads to.
    fn own_id<'a>(&self, url: &'a str) -> Option<&'a str> {
        let base = self.settings().public_url.as_deref()?;
        let path = url.strip_prefix(base)?.strip_prefix('/')?;
        path.split_once('/').map(|(id, _)| id)
    }

    async fn follow(&self, url: &str, most: u64, named: Named) -> Result<Fetched, Said> {
        let mut target = Target::parse(url).ok_or(Notice::FileLink)?;
        let name = target.file_name();
        for _ in 0..=REDIRECTIONS {
            let answer = self.ask(&target, named).await?;
            let status = answer.response.status();
            if !status.is_redirection() {
                let (mime, bytes) = self.read(answer, most).await?;
                return Ok(Fetched { name, mime, bytes });
            }
            let location = answer.response.headers().get(LOCATION);
            let location = location.and_then(|it| it.to_str().ok());
            target = location
                .and_then(|location| target.redirected(location))
                .ok_or(Notice::FileNowhere)?;
        }
        Err(Notice::FileOften.into())
    }

    async fn ask(&self, target: &Target, named: Named) -> Result<http::Answer, Said> {
        let trusted = named == Named::ByUser && self.settings().trusts(target);
        if !target.tls && !trusted {
            return Err(Notice::FileElsewhere.into());
        }
        let reach = if trusted { Reach::Any } else { Reach::Public };
        let request = Request::get("/")
            .header(USER_AGENT, "isthmus")
            .body(Empty::<Bytes>::new())
            .map_err(|_| Notice::FileLink)?;
        let answer = http::send(self.way(), target, reach, request).await;
        answer.map_err(|fault| match fault.kind() {
            io::ErrorKind::PermissionDenied => Notice::FilePrivate.into(),
            io::ErrorKind::NotFound => Notice::FileServerNone.into(),
            _ => {
                tracing::debug!(%fault, host = target.host, "a file cannot be fetched");
                Notice::FileServerUnreached.into()
            }
        })
    }

    /// Media type and bytes of an answer.
    async fn read(&self, mut answer: http::Answer, most: u64) -> Result<(String, Vec<u8>), Said> {
        let too_large = || Notice::FileLarge.with(&[&most.to_string()]);
        let response = &mut answer.response;
        if response.status() != StatusCode::OK {
            return Err(Notice::FileServerAnswers.with(&[response.status().as_str()]));
        }
        let header = |name| response.headers().get(name)?.to_str().ok();
        let mime = header(CONTENT_TYPE).and_then(|it| it.split(';').next());
        let mime = mime
            .unwrap_or("application/octet-stream")
            .trim()
            .to_ascii_lowercase();
        if !self.settings().takes(&mime) {
            return Err(Notice::FileType.with(&[&mime]));
        }
        let announced = header(CONTENT_LENGTH).and_then(|it| it.parse::<u64>().ok());
        if announced.is_some_and(|size| size > most) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            let frame = frame.map_err(|_| Notice::FileServerBreaks)?;
            if let Ok(data) = frame.into_data() {
                if (bytes.len() + data.len()) as u64 > most {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok((mime, bytes))
    }
}

/// Reads at most `most` bytes, and one more, of what our own file server serves.
async fn own_picture(kept: Arc<Attachments>, id: String, most: u64) -> io::Result<Vec<u8>> {
    let read = tokio::task::spawn_blocking(move || {
        let (_, file) = kept.read(&id)?;
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    read.await.map_err(io::Error::other)?
}
