//! HTTP/1.1 for those who ask us: our own file server and the figures of the program.
//!
//! Few connections at a time, each for a bounded time, with a small head. What is answered is the
//! caller's. No TLS: a proxy adds it where it is needed.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections at a time.
const MOST: usize = 256;
/// For the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// For a whole connection.
const PATIENCE: Duration = Duration::from_secs(600);
/// After a fault of the listener: too many open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers whoever connects until told to stop.
pub(crate) async fn serve<A, F, B>(
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    converse(stream, answer).await;
                    drop(place);
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "an HTTP listener takes no connection for now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse<A, F, B>(stream: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send,
    F: Future<Output = Response<B>> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Whether the peer went away in the middle is its own business.
    let _ = tokio::time::timeout(PATIENCE, connection).await;
}
