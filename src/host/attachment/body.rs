//! A file as the body of a request or an answer: read in pieces, ahead of the network by a few.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Bytes read at a time.
const PIECE: usize = 65_536;
/// Pieces read ahead.
const AHEAD: usize = 4;

/// Bytes of known length that come from a file, or from memory.
pub(super) struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl FileBody {
    /// A file's first `size` bytes. One that has become shorter ends in an error.
    pub(super) fn of_file(mut file: File, size: u64) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut left = size;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                let mut piece = vec![0; most];
                let read = file.read_exact(&mut piece).map(|()| Bytes::from(piece));
                let ends = read.is_err();
                // The other end may have gone.
                if sender.blocking_send(read).is_err() || ends {
                    return;
                }
                left -= most as u64;
            }
        });
        Self { pieces, left: size }
    }

    /// Text.
    pub(super) fn of_text(text: &'static str) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(Ok(Bytes::from_static(text.as_bytes())));
        let left = text.len() as u64;
        Self { pieces, left }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = std::task::ready!(self.pieces.poll_recv(cx));
        Poll::Ready(Some(match piece {
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Ok(Frame::data(bytes))
            }
            Some(Err(fault)) => Err(fault),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
