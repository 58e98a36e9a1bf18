//! A mail server that does what its script says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use isthmus_test_support::inbox::Inbox;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Where something is done out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Greeting,
    Hello,
    Login,
    Mail,
    Rcpt,
    Data,
    Content,
}

/// What is done there.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Say this line.
    Say(&'static str),
    /// Close the connection.
    Drop,
}

/// A running server.
pub(crate) struct Double {
    pub(crate) port: u16,
    /// Every command, and every whole mail.
    pub(crate) heard: Inbox<String>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Double {
    /// Starts one that does `what` at `at`, on every connection; with `tls` it offers STARTTLS
    /// and takes nothing before.
    pub(crate) async fn start(script: Option<(At, Do)>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let heard = Inbox::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (inbox, count) = (heard.clone(), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let one = One {
                    script: script.clone(),
                    heard: inbox.clone(),
                };
                tokio::spawn(one.plain(socket, tls.clone()));
            }
        });
        Self {
            port,
            heard,
            connections,
        }
    }

    /// The commands so far, first words only.
    pub(crate) fn verbs(&self) -> Vec<String> {
        let log = self.heard.log();
        let verb = |line: &String| line.split([' ', ':']).next().unwrap_or_default().to_owned();
        log.iter()
            .filter(|line| !line.contains('\n'))
            .map(verb)
            .collect()
    }
}

struct One {
    script: Option<(At, Do)>,
    heard: Inbox<String>,
}

impl One {
    async fn plain(self, socket: tokio::net::TcpStream, tls: Option<TlsAcceptor>) {
        let mut stream = BufReader::new(socket);
        if self
            .reply(&mut stream, At::Greeting, "220 peer")
            .await
            .is_none()
        {
            return;
        }
        if self.serve(&mut stream, tls.is_some()).await == Some(true)
            && let Some(tls) = tls
            && let Ok(stream) = tls.accept(stream.into_inner()).await
        {
            self.serve(&mut BufReader::new(stream), false).await;
        }
    }

    /// True: shake hands.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        offer: bool,
    ) -> Option<bool> {
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            self.heard.push(line.to_owned());
            let verb = line.split([' ', ':']).next().unwrap_or_default();
            match verb {
                "EHLO" if offer => {
                    self.reply(stream, At::Hello, "250-peer\r\n250 STARTTLS")
                        .await?
                }
                "EHLO" => {
                    let can = "250-peer\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME";
                    self.reply(stream, At::Hello, can).await?;
                }
                "STARTTLS" => {
                    say(stream, "220 go").await?;
                    return Some(true);
                }
                _ if offer => say(stream, "530 5.7.0 encrypt first").await?,
                "AUTH" => self.reply(stream, At::Login, "235 2.7.0 welcome").await?,
                "MAIL" => self.reply(stream, At::Mail, "250 2.1.0 ok").await?,
                "RCPT" => self.reply(stream, At::Rcpt, "250 2.1.5 ok").await?,
                "DATA" => {
                    self.reply(stream, At::Data, "354 go").await?;
                    if !matches!(self.script, Some((At::Data, _))) {
                        self.content(stream).await?;
                    }
                }
                "QUIT" => {
                    say(stream, "221 bye").await?;
                    return None;
                }
                _ => say(stream, "250 2.0.0 ok").await?,
            }
        }
    }

    async fn content<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
    ) -> Option<()> {
        let mut mail = String::new();
        while !mail.ends_with("\r\n.\r\n") {
            if stream.read_line(&mut mail).await.ok()? == 0 {
                return None;
            }
        }
        self.heard.push(mail);
        self.reply(stream, At::Content, "250 2.0.0 queued").await
    }

    async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        at: At,
        usual: &str,
    ) -> Option<()> {
        match &self.script {
            Some((when, Do::Say(line))) if *when == at => say(stream, line).await,
            Some((when, Do::Drop)) if *when == at => None,
            _ => say(stream, usual).await,
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, line: &str) -> Option<()> {
    stream
        .write_all(format!("{line}\r\n").as_bytes())
        .await
        .ok()
}
