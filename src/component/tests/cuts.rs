//! A server that cuts the stream at any byte and answers pings late or never: every message
//! arrives, in order, again only where it was not confirmed; nothing else arrives twice or late.

use super::*;

/// A small generator: the same seed, the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

const MESSAGES: usize = 80;
const CUTS: usize = 6;

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_whatever_is_cut() {
    for seed in 1..=300 {
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let room = 64 + dice.roll(4096) as usize;
    let mut rig = Rig::with(
        |config| {
            config.outbound.segment_bytes = 150 + dice.roll(1500) as usize;
            config.outbound.unsent_bytes = 200 + dice.roll(3000) as usize;
            config.outbound.unconfirmed_bytes = 500 + dice.roll(6000) as usize;
        },
        Arc::default(),
        room,
    );
    let epoch = Arc::new(Mutex::new(0u64));
    let events = std::mem::replace(&mut rig.events, mpsc::unbounded_channel().1);
    let counter = tokio::spawn(count_streams(events, epoch.clone()));
    let last = Arc::new(Mutex::new(None));
    let pusher = push_all(
        rig.outbox.clone(),
        epoch,
        last.clone(),
        Dice(dice.roll(1 << 50) + 1),
    );
    let pusher = tokio::spawn(pusher);

    let mut check = Check {
        seed,
        next: 0,
        seen: Vec::new(),
    };
    for stream in 0.. {
        let confirmed = rig.outbox.confirmed();
        let end = if stream < CUTS {
            End::After(dice.roll(6000) as usize)
        } else {
            End::Never
        };
        let mut peer = rig.stream().await;
        let (received, done) = serve(&mut peer, end, &mut dice, &rig.outbox, &last).await;
        check.stream(stream as u64 + 1, confirmed, &received);
        if done {
            break;
        }
    }
    assert_eq!(check.next, MESSAGES, "seed {seed}: some message never came");
    soon(pusher).await.unwrap();
    counter.abort();
    rig.task.abort();
    assert_eq!(rig.outbox.weight(), 0, "seed {seed}");
    assert_eq!(rig.spool.lane(DOMAIN), [], "seed {seed}");
}

/// Counts the streams as the host sees them.
async fn count_streams(mut events: mpsc::UnboundedReceiver<Event>, epoch: Arc<Mutex<u64>>) {
    while let Some(event) = events.recv().await {
        if matches!(event, Event::Up(_)) {
            *epoch.lock().unwrap() += 1;
        }
    }
}

/// Pushes messages `m<mark>-<n>` and between them others, whose ids say which stream was up.
async fn push_all(
    outbox: Outbox,
    epoch: Arc<Mutex<u64>>,
    last: Arc<Mutex<Option<Mark>>>,
    mut dice: Dice,
) {
    let mut mark = Mark(0);
    for n in 0..MESSAGES {
        // Let the count of streams settle before it is written into an id.
        tokio::time::sleep(Duration::from_millis(1 + dice.roll(300) * dice.roll(8))).await;
        let up = if outbox.is_up() {
            *epoch.lock().unwrap()
        } else {
            0
        };
        mark = outbox.push(|batch| {
            for _ in 0..dice.roll(3) {
                let class = match dice.roll(3) {
                    0 => Class::Presence,
                    1 => Class::IqRequest,
                    _ => Class::IqResult,
                };
                mark = add(batch, class, &format!("other-{up}-{}", mark.0));
            }
            mark = add(batch, Class::Message, &format!("m-{n}-{}", mark.0 + 1));
        });
    }
    *last.lock().unwrap() = Some(mark);
}

#[derive(Clone, Copy)]
enum End {
    /// The connection is cut after so many bytes.
    After(usize),
    Never,
}

/// Reads one stream byte by byte as they come, to its end or until all is confirmed (then it is
/// true); answers pings late or not at all.
async fn serve(
    peer: &mut Peer,
    end: End,
    dice: &mut Dice,
    outbox: &Outbox,
    last: &Mutex<Option<Mark>>,
) -> (Vec<String>, bool) {
    let mut received = Vec::new();
    let mut read = 0;
    let mut answers: Vec<(Instant, String)> = Vec::new();
    loop {
        while let Some(frame) = peer.splitter.next().expect("we write XMPP") {
            match frame {
                Frame::Stanza(stanza) if is_ping(&stanza) => {
                    let lost = dice.roll(10) == 0;
                    let at = Instant::now() + Duration::from_millis(dice.roll(3000));
                    // A ping to the server's domain stays unanswered.
                    if !lost && stanza.to() == stanza.from() {
                        answers.push((at, text(&stanza)));
                    }
                }
                Frame::Stanza(stanza) => received.push(id(&stanza)),
                // With enough of its pings lost it takes the stream for dead and leaves: one more cut.
                Frame::End => return (received, false),
                other => panic!("unexpected {other:?}"),
            }
        }
        let done = last
            .lock()
            .unwrap()
            .is_some_and(|last| outbox.confirmed() >= last);
        if done && matches!(end, End::Never) && outbox.is_settled() {
            return (received, true);
        }
        let room = match end {
            End::After(bytes) if read >= bytes => return (received, false),
            End::After(bytes) => bytes - read,
            End::Never => usize::MAX,
        };
        let mut chunk = vec![0; room.min(1 + dice.roll(700) as usize)];
        let due = answers.iter().map(|(at, _)| *at).min();
        let tick = Instant::now() + Duration::from_millis(500);
        tokio::select! {
            n = peer.io.read(&mut chunk) => match n {
                Ok(0) | Err(_) => return (received, false),
                Ok(n) => {
                    read += n;
                    peer.splitter.buffer().extend_from_slice(&chunk[..n]);
                }
            },
            () = tokio::time::sleep_until(due.unwrap_or(tick).min(tick)) => {
                let now = Instant::now();
                let (ready, later) = answers.into_iter().partition(|(at, _)| *at <= now);
                answers = later;
                for (_, answer) in ready {
                    if peer.io.write_all(answer.as_bytes()).await.is_err() {
                        return (received, false);
                    }
                }
            }
        }
    }
}

/// What was received so far.
struct Check {
    seed: u64,
    /// The first message that has not been seen.
    next: usize,
    /// Others seen.
    seen: Vec<String>,
}

impl Check {
    fn stream(&mut self, stream: u64, confirmed: Mark, received: &[String]) {
        let seed = self.seed;
        let mut before: Option<usize> = None;
        for id in received {
            if let Some(other) = id.strip_prefix("other-") {
                let up = other.split('-').next().unwrap();
                assert_eq!(
                    up,
                    stream.to_string(),
                    "seed {seed}: {id} on another stream"
                );
                assert!(!self.seen.contains(id), "seed {seed}: {id} twice");
                self.seen.push(id.clone());
                continue;
            }
            let mut parts = id.strip_prefix("m-").unwrap().split('-');
            let n: usize = parts.next().unwrap().parse().unwrap();
            let mark: u64 = parts.next().unwrap().parse().unwrap();
            match before {
                Some(before) => assert_eq!(n, before + 1, "seed {seed}: order on a stream"),
                None => assert!(n <= self.next, "seed {seed}: {} lost before {n}", self.next),
            }
            if n < self.next {
                assert!(
                    Mark(mark) > confirmed,
                    "seed {seed}: {id} was confirmed, came again"
                );
            }
            self.next = self.next.max(n + 1);
            before = Some(n);
        }
    }
}
