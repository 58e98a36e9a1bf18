//! Confirm, replay, converge: whatever is cut, lost and late, what clients end up with is what the
//! network has.
//!
//! Each seed is one run of some minutes of virtual time: two users, three resources, two rooms of
//! the loopback network, a server that cuts the stream at any byte and answers pings late or
//! never, and a foreign side that comes, goes, rises, splits, speaks and breaks. Then all is calm,
//! and is compared: occupants with affiliation and role, the own nickname, the subject, what was
//! said (each message once, in order), and the archive.
//!
//! The seed fixes what is done and when. Which of several ready tasks runs first is the runtime's
//! choice and is not fixed, so a seed that fails rarely may have to be run more than once:
//! `ISTHMUS_SEED=17 ISTHMUS_TIMES=500 cargo test --test it converge`. `ISTHMUS_ENDURE=1` runs many
//! thousand seeds, `ISTHMUS_FROM=20000` from another one on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use isthmus::component::{ComponentConfig, Dial};
use isthmus::host::{Access, Limits, Shared};
use isthmus::xmpp::element::Element;
use isthmus::xmpp::jid::BareJid;
use isthmus::xmpp::ns;
use isthmus::{Served, Service};
use isthmus_gateway::{Ranks, RoomFlags};
use isthmus_loopback::{Config, Control, Look, Loopback};
use tokio::time::sleep;

use crate::dice::{Dice, endures};
use crate::memory::MemoryStore;
use crate::model::{DOMAIN, Model, Seat, Stage, standing};
use crate::server::{Manner, Server};

const ROOMS: [&str; 2] = ["#a", "#b"];
const PEOPLE: [&str; 8] = ["p0", "p1", "P2", "p3", "p4", "p5", "p6", "p7"];
const STEPS: usize = 60;
const SEEDS: u64 = 300;
const MANY_SEEDS: u64 = 20_000;

#[test]
fn rooms_converge_whatever_is_cut_lost_and_late() {
    let number = |name: &str| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    let only = number("ISTHMUS_SEED");
    let from = number("ISTHMUS_FROM").unwrap_or(0);
    let seeds: Vec<u64> = match only {
        Some(seed) => (0..number("ISTHMUS_TIMES").unwrap_or(1))
            .map(|_| seed)
            .collect(),
        None if endures() => (from..from + MANY_SEEDS).collect(),
        None => (from..from + SEEDS).collect(),
    };
    let (mut streams, mut again) = (0, 0);
    for seed in seeds {
        let ended = runtime().block_on(async {
            let mut world = World::start(seed, ROOMS.len());
            world.misbehave();
            for _ in 0..STEPS {
                world.step().await;
            }
            world.settle().await;
            world.compare("at rest");
            world.enter_anew().await;
            world.compare("having entered anew");
            let again: usize = world.model().seats.iter().map(|seat| seat.again).sum();
            (world.server.streams(), again)
        });
        streams += ended.0;
        again += ended.1;
    }
    println!("{streams} streams, {again} messages came again");
    assert!(only.is_some() || streams > 1000, "hardly anything was cut");
    assert!(only.is_some() || again > 0, "nothing was ever sent again");
}

/// Seeds of the crowd, for every number of changes. Among them are small segments (7) and pipes (20,
/// 38). `ISTHMUS_ENDURE=1` takes the first forty.
const CROWDS: [u64; 4] = [2, 7, 20, 38];
const MANY_CROWDS: u64 = 40;
const CHANGES: [usize; 4] = [0, 1, 10, 100];

/// Each crowd with each number of changes: what becomes of it takes so many presences.
fn in_proportion(play: impl AsyncFn(&mut World, usize), most: impl Fn(usize) -> usize) {
    let crowds = match endures() {
        true => (0..MANY_CROWDS).collect(),
        false => CROWDS.to_vec(),
    };
    for seed in crowds {
        for changes in CHANGES {
            runtime().block_on(async {
                let mut world = World::crowd(seed).await;
                let before = world.presences();
                play(&mut world, changes).await;
                let told = world.presences() - before;
                let most = most(changes);
                assert!(told <= most, "seed {seed}: {told} for {changes} changes");
            });
        }
    }
}

#[test]
fn what_follows_a_blip_is_in_proportion_to_what_changed() {
    let blip = async |world: &mut World, changes| {
        world.control.go_offline("");
        sleep(Duration::from_secs(5)).await;
        world.change(changes);
        world.control.go_online("");
        world.settle().await;
        world.compare("after a blip of the network");
    };
    in_proportion(blip, |changes| 2 * changes + 4);
}

#[test]
fn what_follows_a_cut_is_in_proportion_to_what_changed() {
    let cut = async |world: &mut World, changes| {
        // Some of it is on its way when the stream breaks, the rest happens while it is down.
        world.server.behave(|manner| manner.lost_pongs = 1);
        world.change(changes);
        sleep(Duration::from_secs(1)).await;
        world.server.cut();
        world.change(changes);
        world.settle().await;
        world.compare("after a cut");
    };
    in_proportion(cut, |changes| 6 * changes + 4);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

struct World {
    seed: u64,
    dice: Dice,
    control: Control,
    server: Server,
    model: Arc<Mutex<Model>>,
    store: Arc<MemoryStore>,
    /// Kept alive.
    _served: Served,
    /// What was said on the foreign side while user `a` was in the room.
    heard: Vec<String>,
    /// Things said, subjects set.
    count: usize,
    offline: bool,
}

impl World {
    fn start(seed: u64, rooms: usize) -> Self {
        let mut dice = Dice::new(seed);
        let mut model = Model::default();
        for room in &ROOMS[..rooms] {
            for (jid, nick) in [
                ("a@example.org/one", "a0"),
                ("a@example.org/two", "a0"),
                ("b@example.org/one", "b0"),
            ] {
                model.seats.push(Seat::new(jid, room, nick));
            }
        }
        let model = Arc::new(Mutex::new(model));
        let pipe = 256 + usize::try_from(dice.roll(16 * 1024)).expect("small");
        let server = Server::start(Manner::calm(), dice.fork(), pipe, Arc::clone(&model));
        let loopback = Arc::new(Loopback::new(Config {
            echo: false,
            ..Config::default()
        }));
        let control = loopback.control();
        for room in ROOMS {
            control.come("", room, "p0", Ranks(1));
        }
        let store = Arc::new(MemoryStore::new(dice.fork(), 300));
        let shared = Arc::new(Shared::new(store.clone(), limits()));
        let mut component = ComponentConfig::new(DOMAIN, "unused", 0, "secret");
        component.outbound.segment_bytes = 200 + usize::try_from(dice.roll(8192)).expect("small");
        component.outbound.unsent_bytes = 500 + usize::try_from(dice.roll(16384)).expect("small");
        let everybody = BareJid::parse("example.org").expect("a JID");
        let service = Service {
            gateway: loopback,
            component,
            access: Access::new(&[everybody], &[]),
            dial: Some(Arc::new(server.clone()) as Arc<dyn Dial>),
        };
        Self {
            seed,
            dice,
            control,
            server,
            model,
            store,
            _served: Served::start(service, &shared),
            heard: Vec::new(),
            count: 0,
            offline: false,
        }
    }

    /// One resource in a room of 2,000, everything shown and confirmed.
    async fn crowd(seed: u64) -> Self {
        let mut world = Self::start(seed, 1);
        for n in 0..2000 {
            world.control.come("", "#a", &format!("m{n}"), Ranks(0));
        }
        sleep(Duration::from_secs(5)).await;
        let enter = world.model().seats[0].enter();
        assert!(world.server.send(enter));
        world.settle().await;
        world.compare("at first");
        assert!(world.presences() > 2000);
        world
    }

    /// That many changes among the crowd.
    fn change(&mut self, changes: usize) {
        for n in 0..changes {
            let name = format!("m{}", self.dice.roll(2000));
            let there = self
                .look("#a")
                .occupants
                .iter()
                .any(|(nick, _)| *nick == name);
            match n % 3 {
                0 if there => self.control.leave("", "#a", &name),
                1 if there => {
                    let (up, down) = (Ranks(2), Ranks(0));
                    self.control.rank("", "#a", &name, up, down);
                }
                _ => self
                    .control
                    .come("", "#a", &format!("n{}-{n}", self.count), Ranks(0)),
            }
            self.count += 1;
        }
    }

    fn misbehave(&mut self) {
        let cut_within = 500 + self.dice.roll(20_000);
        let pong_ms = *self.dice.pick(&[0, 100, 3000]);
        self.server.behave(|manner| {
            *manner = Manner {
                cut_within: Some(cut_within),
                pong_ms,
                lost_pongs: 10,
                reads: true,
            }
        });
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().expect("no panic with it")
    }

    fn look(&self, room: &str) -> Look {
        self.control.look("", room).unwrap_or_default()
    }

    fn presences(&self) -> usize {
        self.model().seats.iter().map(|seat| seat.presences).sum()
    }

    /// Something happens, and some time passes.
    async fn step(&mut self) {
        match self.dice.roll(10) {
            0..=4 => self.foreign(),
            5..=7 => self.client(),
            8 => self.said_by_user(),
            _ => self.trouble(),
        }
        let ticks = self.model().tick();
        for stanza in ticks {
            self.server.send(stanza);
        }
        // Often at once, now and then after everything has come to rest.
        let wait = match self.dice.roll(6) {
            0 => self.dice.up_to_ms(20_000),
            1..=3 => self.dice.up_to_ms(400),
            _ => Duration::ZERO,
        };
        sleep(wait).await;
    }

    fn foreign(&mut self) {
        let room = *self.dice.pick(&ROOMS);
        let look = self.look(room);
        let who = *self.dice.pick(&PEOPLE);
        let there = look.occupants.iter().any(|(nick, _)| nick == who);
        let ranks = Ranks(u8::try_from(self.dice.roll(8)).expect("below 8"));
        self.count += 1;
        let control = &self.control;
        match self.dice.roll(12) {
            0..=3 => {
                let text = format!("f{}", self.count);
                if look.occupants.iter().any(|(nick, _)| nick.starts_with('a')) {
                    self.heard.push(text.clone());
                }
                control.say("", room, who, &text);
            }
            4 if there => control.leave("", room, who),
            4 | 5 => control.come("", room, who, ranks),
            6 if there => {
                let cleared = Ranks(!ranks.0 & 7);
                control.rank("", room, who, ranks, cleared);
            }
            7 => control.quit("", who),
            8 => {
                let to = *self.dice.pick(&PEOPLE);
                let anywhere = |nick: &str| {
                    let mut looks = ROOMS.iter().map(|room| self.look(room));
                    looks.any(|look| look.occupants.iter().any(|(other, _)| other == nick))
                };
                if there && !anywhere(to) {
                    control.rename("", who, to);
                }
            }
            9 => {
                let gone = [*self.dice.pick(&PEOPLE), who];
                control.split("", if gone[0] == who { &gone[..1] } else { &gone });
            }
            10 => control.subject("", room, who, &format!("s{}", self.count)),
            _ => {
                let moderated = self.dice.one_in(2);
                let flags = RoomFlags {
                    moderated,
                    ..look.flags
                };
                control.flags("", room, flags);
            }
        }
    }

    fn client(&mut self) {
        let stanza = {
            let mut model = self.model.lock().expect("no panic with it");
            let at = self.dice.roll(model.seats.len() as u64);
            let seat = &mut model.seats[usize::try_from(at).expect("small")];
            let own = seat.jid.chars().next().expect("a name");
            match (seat.stage, self.dice.roll(8)) {
                (Stage::Out, _) => {
                    seat.nick = format!("{own}{}", self.dice.roll(3));
                    Some(seat.enter())
                }
                (Stage::Inside, 0..=2) => Some(seat.leave()),
                (Stage::Inside, 3) => {
                    seat.vanish();
                    None
                }
                (Stage::Inside, 4) => {
                    self.count += 1;
                    Some(seat.set_subject(&format!("s{}", self.count)))
                }
                (Stage::Inside, _) => {
                    let nick = format!("{own}{}", self.dice.roll(5));
                    Some(seat.rename(&nick))
                }
                // Again while the first time is not answered.
                (Stage::Entering(_), 0) => Some(seat.enter()),
                _ => None,
            }
        };
        if let Some(stanza) = stanza {
            self.server.send(stanza);
        }
    }

    fn said_by_user(&mut self) {
        let stanza = {
            let mut model = self.model.lock().expect("no panic with it");
            let inside =
                |seat: &&mut Seat| seat.stage == Stage::Inside && seat.jid.starts_with('a');
            let mut seats: Vec<_> = model.seats.iter_mut().filter(inside).collect();
            if seats.is_empty() {
                return;
            }
            let at = usize::try_from(self.dice.roll(seats.len() as u64)).expect("small");
            self.count += 1;
            seats[at].say(&format!("u{}", self.count))
        };
        self.server.send(stanza);
    }

    fn trouble(&mut self) {
        match self.dice.roll(8) {
            0 | 1 if self.offline => {
                self.control.go_online("");
                self.offline = false;
            }
            0 => {
                self.control.go_offline("");
                self.offline = true;
            }
            2 => {
                let room = *self.dice.pick(&ROOMS);
                let look = self.look(room);
                let user = |(nick, _): &&(String, Ranks)| nick.starts_with(['a', 'b']);
                if let Some((nick, _)) = look.occupants.iter().find(user) {
                    self.control.kick("", room, nick, "p0");
                }
            }
            3 => {
                let nick = format!("a{}", self.dice.roll(9));
                let taken = |nick: &str| {
                    let mut looks = ROOMS.iter().map(|room| self.look(room));
                    looks.any(|look| look.occupants.iter().any(|(other, _)| other == nick))
                };
                let look = self.look(ROOMS[0]);
                let me = look
                    .occupants
                    .iter()
                    .find(|(nick, _)| nick.starts_with('a'));
                if let Some((me, _)) = me
                    && !taken(&nick)
                {
                    self.control.rename("", me, &nick);
                }
            }
            4 => self.server.behave(|manner| manner.reads = !manner.reads),
            _ => self.server.cut(),
        }
    }

    /// All is well from here on: what was asked is asked again until it is answered.
    async fn settle(&mut self) {
        self.control.go_online("");
        self.offline = false;
        self.server.behave(|manner| *manner = Manner::calm());
        for round in 0..60 {
            sleep(Duration::from_secs(10)).await;
            let mut stanzas = self.model().tick();
            if round == 30 {
                let mut model = self.model();
                let inside = |seat: &&mut Seat| seat.uncertain && seat.stage == Stage::Inside;
                let doubtful = model.seats.iter_mut().filter(inside);
                stanzas.extend(doubtful.map(Seat::enter_anew));
            }
            for stanza in stanzas {
                self.server.send(stanza);
            }
        }
    }

    /// Everybody inside leaves and enters, on a quiet day: now the order is certain.
    async fn enter_anew(&mut self) {
        for act in [Seat::leave as fn(&mut Seat) -> String, Seat::enter] {
            let inside: Vec<String> = {
                let mut model = self.model();
                let seats = model.seats.iter_mut();
                let concerned = seats.filter(|seat| seat.stage != Stage::Out || seat.rejoins);
                concerned
                    .map(|seat| {
                        seat.rejoins = true;
                        seat.uncertain = false;
                        act(seat)
                    })
                    .collect()
            };
            for stanza in inside {
                let sent = self.server.send(stanza);
                assert!(sent, "seed {}: no stream on a quiet day", self.seed);
            }
            sleep(Duration::from_secs(20)).await;
        }
        self.settle().await;
    }

    fn compare(&self, when: &str) {
        let mut faults = self.model().faults();
        for seat in &self.model().seats {
            let name = format!("{} in {}", seat.jid, seat.room);
            match seat.stage {
                Stage::Out => {}
                Stage::Inside => {
                    let differing = self.differences(seat);
                    faults.extend(differing.iter().map(|fault| format!("{name}: {fault}")));
                }
                stage => faults.push(format!("{name}: {stage:?}")),
            }
            for (id, (_, errors)) in &seat.answers {
                if *errors > 0
                    && self
                        .look(&seat.room)
                        .said
                        .iter()
                        .any(|(_, said)| said == id)
                {
                    faults.push(format!("{name}: {id} was said, and answered with an error"));
                }
            }
        }
        for room in ROOMS {
            let (expected, archived) = (self.expected(room), self.archived("a", room));
            if expected != archived {
                faults.push(format!(
                    "archive of {room}: expected {expected:?}\n  found {archived:?}"
                ));
            }
        }
        if faults.is_empty() {
            return;
        }
        let log = self.model().log.join("\n");
        panic!("{log}\nseed {} {when}:\n{}", self.seed, faults.join("\n"));
    }

    fn differences(&self, seat: &Seat) -> Vec<String> {
        let mut faults = Vec::new();
        let look = self.look(&seat.room);
        let expected: BTreeMap<_, _> = look
            .occupants
            .iter()
            .map(|(nick, ranks)| (nick.clone(), standing(*ranks, look.flags.moderated)))
            .collect();
        for (nick, standing) in &expected {
            match seat.occupants.get(nick) {
                Some(found) if found == standing => {}
                found => faults.push(format!("{nick} is {standing:?}, shown {found:?}")),
            }
        }
        for nick in seat
            .occupants
            .keys()
            .filter(|nick| !expected.contains_key(*nick))
        {
            faults.push(format!("{nick} is not there, and shown"));
        }
        let user = &seat.jid[..1];
        let me = look
            .occupants
            .iter()
            .find(|(nick, _)| nick.starts_with(user));
        if me.map(|(nick, _)| nick) != seat.own.as_ref() {
            faults.push(format!("it is {me:?}, and was told {:?}", seat.own));
        }
        let subject = look.subject.unwrap_or_default();
        if seat.subject.as_ref() != Some(&subject) {
            faults.push(format!("subject {subject:?}, shown {:?}", seat.subject));
        }
        let said = match user {
            "a" => self.expected(&seat.room),
            _ => self.archived(user, &seat.room),
        };
        if said != seat.shown {
            faults.push(format!("said {said:?}\n  shown {:?}", seat.shown));
        }
        faults
    }

    /// What user `a` has to have seen in a room, in order.
    fn expected(&self, room: &str) -> Vec<String> {
        let look = self.look(room);
        look.said
            .into_iter()
            .filter(|(who, text)| who.starts_with('a') || self.heard.contains(text))
            .map(|(_, text)| text)
            .collect()
    }

    /// What was said; changes of the subject are archived besides.
    fn archived(&self, user: &str, room: &str) -> Vec<String> {
        let rows = self
            .store
            .archive(&format!("{user}@example.org"), &format!("{room}@{DOMAIN}"));
        rows.iter()
            .filter_map(|row| {
                let stanza = Element::parse(&row.stanza).expect("archived as XML");
                let body = stanza.child("body", ns::COMPONENT);
                body.map(|body| body.text().into_owned())
            })
            .collect()
    }
}

fn limits() -> Limits {
    Limits {
        history: 1000,
        sessions: 10,
        inbox: 256,
        stanzas_per_second: 10_000,
        stanzas_burst: 10_000,
        ..crate::limits::limits()
    }
}
