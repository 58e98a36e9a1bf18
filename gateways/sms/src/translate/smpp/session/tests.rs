use super::*;

fn settings() -> Settings {
    Settings {
        system_id: "isthmus".into(),
        password: "secret".into(),
        system_type: String::new(),
        window: 2,
        rate: 0.0,
        keep_alive: Duration::from_secs(30),
        response_timeout: Duration::from_secs(10),
    }
}

/// A session and the carrier's end of it.
struct Scene {
    session: Session,
    now: Instant,
    wire: Framer,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            session: Session::new(settings, now),
            now,
            wire: Framer::default(),
        }
    }

    fn bound(settings: Settings) -> Self {
        let mut scene = Self::new(settings);
        let bind = scene.sent().remove(0);
        assert_eq!(bind.command, command::BIND_TRANSCEIVER);
        scene.answer(&bind, 0, Body::BindResp("SMSC".into()));
        assert_eq!(scene.events(), [Event::Bound("SMSC".into())]);
        scene
    }

    fn sent(&mut self) -> Vec<Pdu> {
        self.wire.extend(self.session.out());
        self.session.written(usize::MAX);
        let mut pdus = Vec::new();
        while let Some(Frame::Pdu(bytes)) = self.wire.next_frame() {
            pdus.push(Pdu::read(&bytes));
        }
        pdus
    }

    fn answer(&mut self, request: &Pdu, status: u32, body: Body) {
        self.receive(&Pdu {
            command: request.command | command::RESPONSE,
            status,
            sequence: request.sequence,
            body,
        });
    }

    fn receive(&mut self, pdu: &Pdu) {
        let mut bytes = Vec::new();
        pdu.write(&mut bytes);
        self.session.receive(&bytes, self.now);
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.event()).collect()
    }

    fn submit(&mut self, token: u64) {
        self.session.submit(token, Sm::default(), self.now);
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.session.tick(self.now);
    }
}

fn answered(token: u64, status: u32, id: &str) -> Event {
    Event::Answered {
        token,
        status: Status(status),
        id: id.into(),
    }
}

#[test]
fn no_more_than_the_window_is_in_flight() {
    let mut scene = Scene::bound(settings());
    for token in 0..3 {
        scene.submit(token);
    }
    let sent = scene.sent();
    assert_eq!(sent.len(), 2);
    // Answers may come in any order.
    scene.answer(&sent[1], 0, Body::SubmitResp("b".into()));
    assert_eq!(scene.events(), [answered(1, 0, "b")]);
    let third = scene.sent();
    assert_eq!(third.len(), 1);
    scene.answer(&third[0], 0x0b, Body::Other);
    assert_eq!(scene.events(), [answered(2, 0x0b, "")]);
}

#[test]
fn the_rate_holds_after_the_burst() {
    let settings = Settings {
        window: 1000,
        rate: 10.0,
        ..settings()
    };
    let mut scene = Scene::bound(settings);
    for token in 0..100 {
        scene.submit(token);
    }
    assert_eq!(scene.sent().len(), 10);
    assert!(scene.session.deadline(scene.now) <= Some(scene.now + Duration::from_millis(100)));
    scene.wait(1);
    assert_eq!(scene.sent().len(), 10);
}

#[test]
fn a_carrier_that_asks_for_it_gets_a_pause_that_grows() {
    let mut scene = Scene::bound(settings());
    for pause in [1, 2, 4] {
        scene.submit(1);
        let sent = scene.sent();
        assert_eq!(sent.len(), 1);
        scene.answer(&sent[0], 0x58, Body::Other);
        scene.submit(2);
        assert!(scene.sent().is_empty());
        let resume = scene.now + Duration::from_secs(pause);
        assert_eq!(scene.session.deadline(scene.now), Some(resume));
        scene.wait(pause);
        let again = scene.sent();
        assert_eq!(again.len(), 1);
        scene.answer(&again[0], 0x08, Body::Other);
        scene.events();
    }
}

#[test]
fn a_submission_without_an_answer_is_lost_and_the_bind_lives() {
    let mut scene = Scene::bound(settings());
    scene.submit(1);
    scene.submit(2);
    scene.submit(3);
    assert_eq!(scene.sent().len(), 2);
    scene.wait(10);
    assert_eq!(scene.events(), [Event::Lost(1), Event::Lost(2)]);
    assert_eq!(scene.sent().len(), 1);
}

#[test]
fn silence_is_broken_and_longer_silence_ends_the_bind() {
    let mut scene = Scene::bound(settings());
    scene.wait(30);
    let enquire = scene.sent();
    assert_eq!(enquire[0].command, command::ENQUIRE_LINK);
    scene.answer(&enquire[0], 0, Body::Other);
    scene.wait(30);
    assert_eq!(scene.sent().len(), 1);
    scene.wait(10);
    assert!(matches!(scene.events()[..], [Event::Closed(_)]));
    assert_eq!(scene.session.deadline(scene.now), None);
}

#[test]
fn requests_of_the_carrier_are_answered_in_every_phase() {
    let mut scene = Scene::bound(settings());
    scene.receive(&Pdu::empty(command::ENQUIRE_LINK, 0, 77));
    scene.receive(&Pdu::empty(0x0000_0777, 0, 78));
    scene.receive(&Pdu::empty(command::ALERT_NOTIFICATION, 0, 79));
    scene.receive(&Pdu::empty(0x8000_0777, 0, 80));
    let sent: Vec<_> = scene
        .sent()
        .iter()
        .map(|pdu| (pdu.command, pdu.status, pdu.sequence))
        .collect();
    let nack = (command::GENERIC_NACK, 3, 78);
    assert_eq!(sent, [(0x8000_0015, 0, 77), nack]);

    scene.session.unbind(scene.now);
    let unbind = scene.sent().remove(0);
    scene.receive(&Pdu::empty(command::ENQUIRE_LINK, 0, 81));
    assert_eq!(scene.sent().len(), 1);
    scene.answer(&unbind, 0, Body::Other);
    assert!(matches!(scene.events()[..], [Event::Closed(_)]));
}

#[test]
fn a_delivery_is_answered_when_it_is_told_to_be() {
    let mut scene = Scene::bound(settings());
    scene.receive(&Pdu {
        command: command::DELIVER_SM,
        status: 0,
        sequence: 5,
        body: Body::Deliver(Box::default()),
    });
    assert!(scene.sent().is_empty());
    let events = scene.events();
    let [Event::Delivered { request, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    scene.session.answer(*request, Status::RECEIVER_TEMPORARY);
    let sent = scene.sent();
    assert_eq!(sent[0].command, command::RESPONSE | command::DELIVER_SM);
    assert_eq!((sent[0].status, sent[0].sequence), (0x64, 5));
}

#[test]
fn a_refused_bind_says_why() {
    let mut scene = Scene::new(settings());
    let bind = scene.sent().remove(0);
    scene.answer(&bind, 0x0e, Body::Other);
    let events = scene.events();
    assert!(matches!(&events[..], [Event::Closed(why)] if why.contains("password")));
}

#[test]
fn only_a_length_that_cannot_be_ends_the_connection() {
    let mut scene = Scene::bound(settings());
    scene.submit(1);
    scene.sent();
    let oversized = [0, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9];
    scene.session.receive(&oversized, scene.now);
    scene.session.receive(&vec![7; 0x2_0000 - 16], scene.now);
    let nack = scene.sent().remove(0);
    assert_eq!(
        (nack.command, nack.status, nack.sequence),
        (command::GENERIC_NACK, 2, 9)
    );
    assert!(scene.events().is_empty());

    let short = [0, 0, 0, 8, 0, 0, 0, 5];
    scene.session.receive(&short, scene.now);
    assert!(matches!(
        scene.events()[..],
        [Event::Lost(1), Event::Closed(_)]
    ));
    scene.submit(2);
    assert_eq!(scene.events(), [Event::Lost(2)]);
}

#[test]
fn sequence_numbers_start_again_at_one() {
    let mut scene = Scene::bound(settings());
    scene.session.sequence = LAST_SEQUENCE - 1;
    scene.submit(1);
    scene.submit(2);
    let sequences: Vec<_> = scene.sent().iter().map(|pdu| pdu.sequence).collect();
    assert_eq!(sequences, [LAST_SEQUENCE, 1]);
}
