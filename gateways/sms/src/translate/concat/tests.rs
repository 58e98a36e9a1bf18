use proptest::prelude::*;

use super::*;
use crate::translate::segments::{header, segments};
use crate::translate::smpp::Tlv;

const TIMEOUT: Duration = Duration::from_secs(300);

fn joiner() -> Joiner<usize> {
    Joiner::new(Alphabet::Gsm7, TIMEOUT)
}

/// A text as parts with headers, as another sender would make them.
fn parts(text: &str, reference: u8) -> Vec<Sm> {
    let segments = segments(text, Alphabet::Gsm7);
    let total = u8::try_from(segments.parts.len()).expect("few");
    let coding = segments.encoding.data_coding();
    let number = 1u8..;
    let with_header = |(number, part): (u8, Vec<u8>)| Sm {
        esm_class: 0x40,
        data_coding: coding,
        short_message: [&header(reference, total, number)[..], &part].concat(),
        ..Sm::default()
    };
    number.zip(segments.parts).map(with_header).collect()
}

fn add(joiner: &mut Joiner<usize>, sm: &Sm, token: usize, now: Instant) -> Option<Whole<usize>> {
    let piece = piece(sm);
    let part = piece.part.expect("a part");
    joiner.add((1, "a"), "b", piece, part, token, now)
}

#[test]
fn references_of_one_byte_of_two_and_of_parameters_are_understood() {
    let part = |esm_class: u8, text: &[u8], tlvs: Vec<(u16, Vec<u8>)>| {
        let sm = Sm {
            esm_class,
            short_message: text.to_vec(),
            tlvs: tlvs
                .into_iter()
                .map(|(tag, value)| Tlv { tag, value })
                .collect(),
            ..Sm::default()
        };
        let piece = piece(&sm);
        let part = piece.part.map(|p| (p.reference, p.total, p.number));
        (part, piece.bytes)
    };
    let text = || b"x".to_vec();
    assert_eq!(
        part(0x40, b"\x05\0\x03\x07\x02\x01x", vec![]),
        (Some((7, 2, 1)), text())
    );
    let wide = b"\x06\x08\x04\x01\x07\x02\x02x";
    assert_eq!(part(0x40, wide, vec![]), (Some((0x107, 2, 2)), text()));
    // Another element stands first.
    let ports = b"\x0b\x05\x04\x0b\x84\0\0\0\x03\x07\x02\x01x";
    assert_eq!(part(0x40, ports, vec![]), (Some((7, 2, 1)), text()));
    let sar = vec![(0x20c, vec![1, 7]), (0x20e, vec![3]), (0x20f, vec![2])];
    assert_eq!(part(0, b"x", sar), (Some((0x107, 3, 2)), text()));
    // A number beyond the total; a header longer than the message.
    assert_eq!(
        part(0x40, b"\x05\0\x03\x07\x02\x03x", vec![]),
        (None, text())
    );
    assert_eq!(part(0x40, b"\x7fx", vec![]), (None, b"\x7fx".to_vec()));
}

#[test]
fn what_is_missing_in_the_end_is_marked() {
    let now = Instant::now();
    let mut joiner = joiner();
    let parts = parts(&"abc".repeat(120), 1);
    assert_eq!(parts.len(), 3);
    assert!(add(&mut joiner, &parts[2], 2, now).is_none());
    assert!(add(&mut joiner, &parts[0], 0, now).is_none());
    assert!(joiner.expired(now + TIMEOUT / 2).is_none());
    assert_eq!(joiner.deadline(), Some(now + TIMEOUT));
    let whole = joiner.expired(now + TIMEOUT).expect("its time is over");
    assert_eq!(whole.text.matches("[2/3 missing]").count(), 1);
    assert!(whole.text.starts_with("abc") && whole.text.ends_with("abc"));
    assert_eq!(whole.tokens, [2, 0]);
    assert_eq!(joiner.deadline(), None);
}

#[test]
fn a_character_cut_in_two_by_the_sender_is_whole_again() {
    let mut joiner = joiner();
    let cut = |number: u8, bytes: [u8; 2]| Sm {
        esm_class: 0x40,
        data_coding: 8,
        short_message: [&header(9, 2, number)[..], &bytes].concat(),
        ..Sm::default()
    };
    let now = Instant::now();
    assert!(add(&mut joiner, &cut(1, [0xd8, 0x3e]), 0, now).is_none());
    let whole = add(&mut joiner, &cut(2, [0xdd, 0x80]), 1, now).expect("all parts");
    assert_eq!(whole.text, "\u{1f980}");
}

#[test]
fn too_many_incomplete_messages_push_out_the_oldest() {
    let mut joiner = joiner();
    let start = Instant::now();
    let sms: Vec<Sm> = parts(&"x".repeat(200), 1);
    for at in 0..=MOST {
        let piece = piece(&sms[0]);
        let part = piece.part.expect("a part");
        let now = start + Duration::from_millis(u64::try_from(at).expect("small"));
        let pushed = joiner.add((1, &at.to_string()), "b", piece, part, at, now);
        assert_eq!(
            pushed.map(|whole| whole.tokens),
            (at == MOST).then(|| vec![0])
        );
    }
}

proptest! {
    #[test]
    fn parts_in_any_order_and_doubled_are_the_text_again(
        text in "[a-zя🦀€ ]{161,500}",
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..30)
    ) {
        let now = Instant::now();
        let mut joiner = joiner();
        let parts = parts(&text, 200);
        let mut order: Vec<usize> = order.iter().map(|index| index.index(parts.len())).collect();
        order.extend(0..parts.len());
        let mut whole = None;
        for at in order {
            whole = add(&mut joiner, &parts[at], at, now);
            if whole.is_some() {
                break;
            }
        }
        prop_assert_eq!(whole.map(|whole| whole.text), Some(text));
    }

    #[test]
    fn any_bytes_are_a_piece(
        esm_class in any::<u8>(), text in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        piece(&Sm { esm_class, short_message: text, ..Sm::default() });
    }
}
