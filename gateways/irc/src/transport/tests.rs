//! The session over an in-memory connection, on a paused clock.

use std::future::poll_fn;
use std::sync::Mutex;
use std::time::SystemTime;

use isthmus_gateway::{Outgoing, Place};
use isthmus_kit::dial::DialFn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

/// A session with the host's loop around it, and the servers it has connected to.
struct Bench {
    session: IrcSession,
    told: Told,
    dialled: Arc<Mutex<Vec<DuplexStream>>>,
    credit: Credit,
    over: bool,
}

#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn event(&mut self, event: Event<'_>) {
        self.0
            .push(serde_json::to_string(&event).expect("an event is serialisable"));
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn candidate(tls: bool) -> Candidate {
    Candidate {
        host: "irc.example".to_owned(),
        port: 6667,
        tls,
    }
}

fn route() -> Route {
    Route {
        candidates: vec![candidate(false)],
        reach: Reach::Any,
        trust: Trust::Native,
        encoding: encoding_rs::WINDOWS_1252,
    }
}

fn settings() -> Settings {
    Settings {
        network: "irc.example".to_owned(),
        nick: "ferris".to_owned(),
        username: "crab".to_owned(),
        realname: None,
        password: None,
        throttle_burst: 10,
        throttle_rate: 1.0,
        queue: 100,
        ping_after: Duration::from_secs(90),
        ping_timeout: Duration::from_secs(60),
        epoch: (now(), SystemTime::UNIX_EPOCH),
    }
}

impl Bench {
    fn new() -> Self {
        Self::with_route(Ok(route()), |_| None)
    }

    /// A bench whose attempts to connect fail with what `refuse` says of their number.
    fn with_route(
        route: Result<Route, Fault>,
        refuse: impl Fn(usize) -> Option<io::ErrorKind> + Send + Sync + 'static,
    ) -> Self {
        let dialled = Arc::new(Mutex::new(Vec::new()));
        let servers = Arc::clone(&dialled);
        let tries = Mutex::new(0);
        let dial = DialFn(move |_: &str, _: u16, _: Reach| {
            let mut tries = tries.lock().expect("no test panics here");
            *tries += 1;
            if let Some(kind) = refuse(*tries) {
                return Err(kind.into());
            }
            let (ours, theirs) = tokio::io::duplex(4096);
            servers.lock().expect("no test panics here").push(theirs);
            Ok(Box::new(ours) as BoxedStream)
        });
        Self {
            session: IrcSession::new(settings(), route, Arc::new(dial), 1),
            told: Told::default(),
            dialled,
            credit: Credit::Events(100),
            over: false,
        }
    }

    /// What the host does: polls the session when it wakes and when its deadline comes, until
    /// `other` is done.
    async fn run<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            let deadline = self.session.deadline().filter(|_| !self.over);
            let (session, told, credit) = (&mut self.session, &mut self.told, self.credit);
            let over = &mut self.over;
            let mut polled = 0;
            let step = poll_fn(|cx| {
                if !*over {
                    *over = session.poll(cx, now(), credit, told).is_ready();
                }
                polled += 1;
                match other.as_mut().poll(cx) {
                    Poll::Ready(value) => Poll::Ready(Some(value)),
                    // Woken once: the deadline may have moved.
                    Poll::Pending if polled > 1 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            let value = match deadline {
                Some(at) => tokio::time::timeout_at(at.into(), step)
                    .await
                    .ok()
                    .flatten(),
                None => step.await,
            };
            if let Some(value) = value {
                return value;
            }
        }
    }

    /// The server's end of the newest connection.
    async fn server(&mut self) -> DuplexStream {
        let dialled = Arc::clone(&self.dialled);
        self.run(poll_fn(move |cx| {
            match dialled.lock().expect("no test panics here").pop() {
                Some(server) => Poll::Ready(server),
                None => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }))
        .await
    }

    /// Reads what the session says until it has said `what`.
    async fn expect(&mut self, server: &mut DuplexStream, what: &str) -> String {
        let mut text = String::new();
        self.run(async {
            while !text.contains(what) {
                let byte = server.read_u8().await.expect("the session is there");
                text.push(char::from(byte));
            }
        })
        .await;
        text
    }

    async fn say(&mut self, server: &mut DuplexStream, bytes: &[u8]) {
        self.run(async {
            server.write_all(bytes).await.expect("the session is there");
        })
        .await;
    }

    async fn until_told(&mut self, what: &str) {
        while !self.told.0.iter().any(|event| event.contains(what)) {
            self.run(tokio::task::yield_now()).await;
        }
    }

    fn command(&mut self, tag: u32, command: Command<'_>) {
        self.session
            .command(Tag(tag), command, now(), &mut self.told);
    }

    /// A session that is online.
    async fn online(&mut self) -> DuplexStream {
        let mut server = self.server().await;
        self.expect(&mut server, "USER").await;
        self.say(&mut server, b":s 001 ferris :Hi\r\n:s 376 ferris :End\r\n")
            .await;
        self.until_told("\"online\"").await;
        server
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_conversation_connects_enters_and_speaks() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    bench.command(
        1,
        Command::Join {
            room: "#c".into(),
            nick: "ferris".into(),
            password: None,
        },
    );
    bench.expect(&mut server, "JOIN #c\r\n").await;
    bench
        .say(
            &mut server,
            b":ferris!f@h JOIN #c\n:s 353 ferris = #c :@ferris bob\n:s 366 ferris #c :E\n",
        )
        .await;
    bench.until_told("\"last\":true").await;
    bench.command(
        2,
        Command::Send(Outgoing::text(Place::Room("#c".into()), "hi")),
    );
    bench
        .expect(&mut server, "PRIVMSG #c :hi\r\nPING :proof-1\r\n")
        .await;
    bench.say(&mut server, b":s PONG s :proof-1\r\n").await;
    bench.until_told("\"echo\"").await;
    bench.command(
        3,
        Command::Send(Outgoing::text(Place::Contact("bob".into()), "yo")),
    );
    bench.expect(&mut server, "PRIVMSG bob :yo\r\n").await;
    bench
        .say(&mut server, b":bob!b@h PRIVMSG ferris :caf\xe9\r\n")
        .await;
    bench.until_told("café").await;
}
