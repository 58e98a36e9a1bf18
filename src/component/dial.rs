//! Getting a byte stream to the server: TCP, with TLS on top if the listener wants it.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::spool::Later;

/// A connection: anything that bytes go through both ways.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Makes connections to the server.
pub trait Dial: Send + Sync {
    /// Connects once. The caller bounds the time.
    fn dial(&self) -> Later<io::Result<Box<dyn Transport>>>;
}

/// Connects over TCP.
#[derive(Clone)]
pub struct Tcp {
    /// Host name or address of the server.
    pub host: String,
    /// The server's port for components.
    pub port: u16,
    /// TLS from the first byte, if the listener has it on (XEP-0114 has no STARTTLS).
    pub tls: Option<Tls>,
}

/// How TLS is done.
#[derive(Clone)]
pub struct Tls {
    /// Roots and versions.
    pub config: Arc<ClientConfig>,
    /// The name the certificate must have.
    pub name: ServerName<'static>,
}

impl Dial for Tcp {
    fn dial(&self) -> Later<io::Result<Box<dyn Transport>>> {
        let Self { host, port, tls } = self.clone();
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            // What is written is coalesced already: waiting for more only delays it.
            stream.set_nodelay(true)?;
            let Some(Tls { config, name }) = tls else {
                return Ok(Box::new(stream) as Box<dyn Transport>);
            };
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}
