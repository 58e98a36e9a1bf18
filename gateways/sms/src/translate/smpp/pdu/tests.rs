use proptest::prelude::*;

use super::*;

fn written(pdu: &Pdu) -> Vec<u8> {
    let mut bytes = Vec::new();
    pdu.write(&mut bytes);
    bytes
}

fn sm() -> Sm {
    let party = |number: &str| Party {
        ton: 1,
        npi: 1,
        number: number.into(),
    };
    Sm {
        source: party("15551230000"),
        destination: party("15557654321"),
        registered_delivery: 1,
        short_message: b"hello".to_vec(),
        ..Sm::default()
    }
}

fn deliver(bytes: &[u8]) -> Sm {
    match Pdu::read(bytes).body {
        Body::Deliver(sm) => *sm,
        other => panic!("{other:?}"),
    }
}

fn deliver_bytes(sm: Sm) -> Vec<u8> {
    written(&Pdu {
        command: command::DELIVER_SM,
        status: 0,
        sequence: 3,
        body: Body::Deliver(Box::new(sm)),
    })
}

#[test]
fn a_submit_is_written_as_the_specification_lays_it_out() {
    let bytes = written(&Pdu {
        command: command::SUBMIT_SM,
        status: 0,
        sequence: 7,
        body: Body::Submit(Box::new(sm())),
    });
    let expected: &[&[u8]] = &[
        &[0, 0, 0, 0x3c, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 7],
        b"\0\x01\x0115551230000\0\x01\x0115557654321\0",
        &[0, 0, 0, 0, 0, 1, 0, 0, 0, 5],
        b"hello",
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn odd_deliveries_are_read_as_far_as_they_go() {
    let plain = deliver_bytes(sm());
    let text_at = plain.len() - 5;

    let mut latin = sm();
    latin.source.number = "caf\u{e9}".into();
    assert_eq!(deliver(&deliver_bytes(latin)).source.number, "caf\u{e9}");

    let long = [&plain[..19], b"1234567890123456789012345\0", &plain[31..]].concat();
    assert_eq!(deliver(&long).source.number, "1234567890123456789012345");
    assert_eq!(deliver(&long).short_message, b"hello");

    let mut lie = plain.clone();
    lie[text_at - 1] = 200;
    assert_eq!(deliver(&lie).short_message, b"hello");

    let trailing = [&plain[..], &[1, 2, 3]].concat();
    assert_eq!(deliver(&trailing).short_message, b"hello");
    assert!(deliver(&trailing).tlvs.is_empty());

    // A value without its NUL, one of a wrong length, one that claims too much.
    let tlvs = [
        &plain[..],
        &[0, 0x1e, 0, 2, b'4', b'2'],
        &[4, 0x23, 0, 4, 3, 0, 1, 0],
        &[0x14, 0, 0xff, 0xff, 9],
    ]
    .concat();
    let sm = deliver(&tlvs);
    assert_eq!(sm.tlv(tag::RECEIPTED_MESSAGE_ID), Some(&b"42"[..]));
    assert_eq!(sm.tlv(tag::NETWORK_ERROR_CODE), Some(&[3, 0, 1, 0][..]));
    assert_eq!(sm.tlv(0x1400), Some(&[9][..]));

    let unended = &plain[..24];
    assert_eq!(deliver(unended).source.number, "15551");
}

#[test]
fn a_response_without_a_body_is_one_without_an_id() {
    let bytes = [0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x58, 0, 0, 0, 9];
    let pdu = Pdu::read(&bytes);
    assert_eq!((pdu.status, pdu.sequence), (0x58, 9));
    assert_eq!(pdu.body, Body::SubmitResp(String::new()));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400), id in 0u8..0x20) {
        Pdu::read(&bytes);
        let mut framed = bytes;
        framed.resize(framed.len().max(HEADER), 0);
        for high in [0, 0x80] {
            framed[4..8].copy_from_slice(&[high, 0, 0, id]);
            Pdu::read(&framed);
        }
    }

    #[test]
    fn what_is_written_is_read_the_same(
        number in "[0-9+]{0,20}", esm in any::<u8>(), coding in any::<u8>(),
        text in prop::collection::vec(any::<u8>(), 0..254),
        tlvs in prop::collection::vec(
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..300)), 0..4),
        sequence in any::<u32>(),
    ) {
        let mut sm = sm();
        sm.destination.number = number;
        sm.esm_class = esm;
        sm.data_coding = coding;
        sm.short_message = text;
        sm.tlvs = tlvs.into_iter().map(|(tag, value)| Tlv { tag, value }).collect();
        let pdu = Pdu {
            command: command::DELIVER_SM,
            status: 0,
            sequence,
            body: Body::Deliver(Box::new(sm)),
        };
        prop_assert_eq!(Pdu::read(&written(&pdu)), pdu);
    }
}
