//! The session over an in-memory connection, on a paused clock.

mod tls;

use std::future::poll_fn;
use std::sync::Mutex;
use std::time::SystemTime;

use isthmus_gateway::{Outgoing, Place};
use isthmus_kit::dial::DialFn;
use isthmus_kit::{Reach, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

/// A session with the host's loop around it, and the servers it connects to.
struct Bench {
    session: IrcSession,
    told: Told,
    dialled: UnboundedReceiver<DuplexStream>,
    credit: Credit,
    over: bool,
}

#[derive(Default)]
struct Told(Vec<String>, Arc<Notify>);

impl Sink for Told {
    fn event(&mut self, event: Event<'_>) {
        self.0
            .push(serde_json::to_string(&event).expect("an event is serialisable"));
        self.1.notify_one();
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
    }
}

fn settings() -> Settings {
    Settings {
        network: "irc.example".to_owned(),
        nick: "ferris".to_owned(),
        set_nick: None,
        username: "crab".to_owned(),
        realname: None,
        password: None,
        webirc: None,
        login: None,
        after_connect: Vec::new(),
        bot: false,
        notices: Default::default(),
        encodings: Default::default(),
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
        let (servers, dialled) = unbounded_channel();
        let tries = Mutex::new(0);
        let dial = DialFn(move |_: &str, _: u16, _: Reach| {
            let mut tries = tries.lock().expect("no test panics here");
            *tries += 1;
            if let Some(kind) = refuse(*tries) {
                return Err(kind.into());
            }
            let (ours, theirs) = tokio::io::duplex(4096);
            servers.send(theirs).expect("the bench is there");
            Ok(Box::new(ours) as BoxedStream)
        });
        let connector = Connector {
            dial: Arc::new(dial),
            common: Arc::default(),
            user: isthmus_gateway::UserId(1),
            network: "irc.example".to_owned(),
            ident: "crab".to_owned(),
        };
        Self {
            session: IrcSession::new(settings(), route, connector, 1),
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
            let step = poll_fn(|cx| {
                if !*over {
                    *over = session.poll(cx, now(), credit, told).is_ready();
                }
                match other.as_mut().poll(cx) {
                    Poll::Ready(value) => Poll::Ready(Some(value)),
                    Poll::Pending if *over || session.deadline() == deadline => Poll::Pending,
                    Poll::Pending => Poll::Ready(None),
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

    /// The server's end of the next connection.
    async fn server(&mut self) -> DuplexStream {
        let (_, none) = unbounded_channel();
        let mut dialled = std::mem::replace(&mut self.dialled, none);
        let server = self.run(dialled.recv()).await;
        self.dialled = dialled;
        server.expect("the dialler is there")
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
            let told = Arc::clone(&self.told.1);
            self.run(told.notified()).await;
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

#[tokio::test(start_paused = true)]
async fn a_half_open_connection_is_noticed_and_made_again() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    let start = now();
    bench.command(
        1,
        Command::Send(Outgoing::text(Place::Contact("bob".into()), "x")),
    );
    bench.expect(&mut server, "proof-1\r\n").await;
    bench.expect(&mut server, "PING :keep-alive\r\n").await;
    assert_eq!((now() - start).as_secs(), 90);
    bench.until_told("ping timeout").await;
    assert_eq!((now() - start).as_secs(), 150);
    let ends: Vec<_> = bench
        .told
        .0
        .iter()
        .filter(|event| event.contains("\"done\""))
        .collect();
    assert_eq!(ends.len(), 1);
    bench.told.0.clear();
    bench.online().await;
    assert!((151..160).contains(&(now() - start).as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_is_kept() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    for _ in 0..20 {
        bench.expect(&mut server, "PING :keep-alive\r\n").await;
        bench.say(&mut server, b":s PONG s :keep-alive\r\n").await;
    }
    assert!(!bench.told.0.iter().any(|event| event.contains("offline")));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_cannot_be_reached_is_tried_ever_more_rarely() {
    let refuse = |tries| (tries < 12).then_some(io::ErrorKind::ConnectionRefused);
    let mut bench = Bench::with_route(Ok(route()), refuse);
    let start = now();
    bench.online().await;
    let waits: Vec<u64> = bench
        .told
        .0
        .iter()
        .filter_map(|event| serde_json::from_str::<serde_json::Value>(event).ok())
        .filter(|event| event["type"] == "offline")
        .filter_map(|event| event["retry"].as_u64())
        .collect();
    assert_eq!(waits.len(), 11);
    assert!((1000..=2000).contains(&waits[0]));
    assert!(waits[10] >= 150_000 && waits[10] <= 300_000);
    let total = Duration::from_millis(waits.iter().sum());
    assert!(now() - start >= total && now() - start < total + Duration::from_secs(1));
    assert!(bench.told.0[0].contains("irc.example port 6667: connection refused"));
}

#[tokio::test(start_paused = true)]
async fn a_host_out_of_reach_is_not_tried_again() {
    let refuse = |_| Some(io::ErrorKind::PermissionDenied);
    let mut bench = Bench::with_route(Ok(route()), refuse);
    bench.until_told("not_allowed").await;
    assert!(bench.told.0[0].contains("\"retry\":null"));
    assert_eq!(bench.session.deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_not_served_is_told_and_not_dialled() {
    let fault = Fault::new(FaultKind::NotAllowed, "not served");
    let mut bench = Bench::with_route(Err(fault), |_| None);
    bench.until_told("not served").await;
    assert!(bench.dialled.try_recv().is_err());
    bench.command(1, Command::Away { text: None });
    assert!(bench.told.0[1].contains("not_allowed"));
}

#[tokio::test(start_paused = true)]
async fn a_second_server_is_tried_when_the_first_does_not_answer() {
    let two = Route {
        candidates: vec![candidate(false), candidate(false)],
        ..route()
    };
    let refuse = |tries| (tries == 1).then_some(io::ErrorKind::TimedOut);
    let mut bench = Bench::with_route(Ok(two), refuse);
    bench.online().await;
    assert!(!bench.told.0.iter().any(|event| event.contains("offline")));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_carries_the_servers_words() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    bench
        .say(&mut server, b"ERROR :Closing Link: bye\r\n")
        .await;
    drop(server);
    bench.until_told("Closing Link: bye").await;
}

#[tokio::test(start_paused = true)]
async fn many_lines_go_out_at_the_networks_pace() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    let start = now();
    let body = "line\n".repeat(30);
    bench.command(
        1,
        Command::Send(Outgoing::text(Place::Contact("bob".into()), body)),
    );
    let text = bench.expect(&mut server, "proof-1\r\n").await;
    assert_eq!(text.matches("PRIVMSG bob :line\r\n").count(), 30);
    assert_eq!((now() - start).as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn while_the_host_takes_nothing_pings_are_answered_and_memory_is_bounded() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    let told = bench.told.0.len();
    bench.credit = Credit::Hold;
    for n in 0..50 {
        let burst = ":bob!b@h PRIVMSG ferris :words\r\n".repeat(10);
        bench.say(&mut server, burst.as_bytes()).await;
        bench
            .say(&mut server, format!("PING :{n}\r\n").as_bytes())
            .await;
        bench.expect(&mut server, &format!("PONG :{n}\r\n")).await;
    }
    assert_eq!(bench.told.0.len(), told, "nothing is told meanwhile");
    let flood = vec![b'x'; 1_000_000];
    let writing = async { server.write_all(&flood).await };
    let blocked = bench
        .run(tokio::time::timeout(Duration::from_secs(10), writing))
        .await;
    assert!(blocked.is_err() || bench.session.inbox.skipping);
    assert!(bench.session.inbox.bytes.len() <= READ_AHEAD + CHUNK);
    bench.credit = Credit::Events(7);
    bench
        .say(
            &mut server,
            b"\r\n:bob!b@h PRIVMSG ferris :after\r\nPING :last\r\n",
        )
        .await;
    bench.expect(&mut server, "PONG :last\r\n").await;
    bench.until_told("after").await;
    let words = bench
        .told
        .0
        .iter()
        .filter(|event| event.contains("words"))
        .count();
    assert_eq!(words, 500, "nothing is lost, nothing is told twice");
}

#[tokio::test(start_paused = true)]
async fn held_back_lines_stop_the_reading_when_the_buffer_is_full() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    bench.credit = Credit::Hold;
    let flood = ":bob!b@h PRIVMSG ferris :words\r\n".repeat(10_000);
    let writing = async { server.write_all(flood.as_bytes()).await };
    let blocked = bench
        .run(tokio::time::timeout(Duration::from_secs(400), writing))
        .await;
    assert!(blocked.is_err(), "the server must wait");
    assert!(bench.session.inbox.bytes.len() <= READ_AHEAD + CHUNK);
    assert!(!bench.told.0.iter().any(|event| event.contains("offline")));
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_is_dropped_and_the_next_one_read() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    for _ in 0..100 {
        bench.say(&mut server, &[b'x'; 1000]).await;
        assert!(bench.session.inbox.bytes.len() <= LONGEST_LINE + CHUNK);
    }
    bench
        .say(&mut server, b"\r\n:bob!b@h PRIVMSG ferris :after\r\n")
        .await;
    bench.until_told("after").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_holds_no_buffers() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    bench
        .say(&mut server, b":bob!b@h PRIVMSG ferris :in ")
        .await;
    bench.say(&mut server, b"two parts\r\n").await;
    bench.until_told("in two parts").await;
    bench.run(tokio::task::yield_now()).await;
    assert_eq!(bench.session.inbox.bytes.capacity(), 0);
    assert_eq!(bench.session.talk.wire().capacity(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_and_ends_what_is_open() {
    let mut bench = Bench::new();
    let mut server = bench.online().await;
    bench.command(
        1,
        Command::Send(Outgoing::text(Place::Contact("bob".into()), "x")),
    );
    bench.session.close(Close::Left);
    bench.expect(&mut server, "QUIT :left\r\n").await;
    assert!(bench.told.0.iter().any(|event| event.contains("\"done\"")));
    assert!(!bench.over);
    drop(server);
    bench.run(tokio::task::yield_now()).await;
    assert!(bench.over);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_is_waited_for_two_seconds() {
    let mut bench = Bench::new();
    let _server = bench.online().await;
    let start = now();
    bench.session.close(Close::Drain);
    while !bench.over {
        let wait = tokio::time::sleep(Duration::from_millis(100));
        bench.run(wait).await;
    }
    assert!(now() - start <= Duration::from_millis(2100));
}

#[tokio::test(start_paused = true)]
async fn closing_before_there_is_a_connection_ends_at_once() {
    let refuse = |_| Some(io::ErrorKind::ConnectionRefused);
    let mut bench = Bench::with_route(Ok(route()), refuse);
    bench.until_told("offline").await;
    bench.session.close(Close::Left);
    bench.run(tokio::task::yield_now()).await;
    assert!(bench.over);
}
