use isthmus_gateway::{Span, Style};
use proptest::prelude::*;

use super::*;

fn span(start: u32, end: u32, style: Style) -> Span {
    Span { start, end, style }
}

fn plain(body: &str) -> (String, Vec<Span>) {
    let Plain { text, style } = parse(body).plain();
    (text, style)
}

#[test]
fn each_sign_has_its_style_and_leaves_the_text() {
    for (body, style) in [
        ("*hi*", Style::Bold),
        ("_hi_", Style::Italic),
        ("~hi~", Style::Strike),
        ("`hi`", Style::Monospace),
    ] {
        assert_eq!(plain(body), ("hi".to_owned(), vec![span(0, 2, style)]));
    }
}

#[test]
fn what_the_specification_calls_plain_is_plain() {
    // XEP-0393 §5.2 and its examples of what is not styled.
    for body in [
        "not strong*",
        "* not strong*",
        "*not strong *",
        "plain**",
        "**",
        "a*b*",
        "snake_case_name",
        "*not\nstrong*",
        "2 * 3 * 4",
    ] {
        assert!(parse(body).is_plain(), "{body} is styled");
        assert_eq!(plain(body).0, body);
    }
}

#[test]
fn the_nearest_sign_closes_and_spans_nest() {
    let (text, style) = plain("*strong*plain*");
    assert_eq!(
        (text.as_str(), style),
        ("strongplain*", vec![span(0, 6, Style::Bold)])
    );
    let (text, style) = plain("*_x_ y*");
    assert_eq!(text, "x y");
    assert_eq!(style, [span(0, 3, Style::Bold), span(0, 1, Style::Italic)]);
    assert_eq!(plain("`*x*`").1, [span(0, 3, Style::Monospace)]);
}

#[test]
fn fences_hold_code_and_quotes_hold_blocks() {
    let tree = parse("```rust\nlet *a* = 1;\n```\nbehind");
    assert_eq!(
        tree.blocks,
        [
            Block::Code(vec!["let *a* = 1;"]),
            Block::Line(vec![Piece::Text("behind")])
        ]
    );
    let tree = parse("> > deep\n> *one*\nout");
    let deep = Block::Quote(vec![Block::Line(vec![Piece::Text("deep")])]);
    let one = Piece::Styled(Style::Bold, vec![Piece::Text("one")]);
    assert_eq!(
        tree.blocks,
        [
            Block::Quote(vec![deep, Block::Line(vec![one])]),
            Block::Line(vec![Piece::Text("out")])
        ]
    );
    assert_eq!(tree.plain().text, "> > deep\n> one\nout");
}

#[test]
fn markup_counts_code_points() {
    let text = "\u{1f980} crab";
    assert_eq!(
        markup(text, &[span(5, 9, Style::Italic)]),
        [(2, 6, Style::Italic)]
    );
    assert_eq!(markup(text, &[span(1, 9, Style::Italic)]), [], "no bounds");
}

#[test]
fn what_cannot_be_said_by_signs_is_left_out() {
    let crossing = [span(0, 3, Style::Bold), span(2, 5, Style::Italic)];
    assert_eq!(render("abcde", &crossing), "*abc*de");
    assert_eq!(render("abc", &[span(0, 3, Style::Underline)]), "abc");
    assert_eq!(render("abc", &[span(2, 9, Style::Bold)]), "abc");
}

#[test]
fn a_long_line_of_signs_takes_no_longer_than_a_line() {
    for body in [
        "*a ".repeat(20_000),
        "*".repeat(50_000),
        "*_~".repeat(20_000),
    ] {
        let begun = std::time::Instant::now();
        parse(&body).plain();
        assert!(begun.elapsed().as_secs() < 5, "too slow");
    }
}

fn words() -> impl Strategy<Value = Vec<(String, Option<Style>)>> {
    let style = prop_oneof![
        Just(None),
        Just(Some(Style::Bold)),
        Just(Some(Style::Italic)),
        Just(Some(Style::Strike)),
        Just(Some(Style::Monospace)),
    ];
    prop::collection::vec(("[a-z\u{e4}\u{1f980}]{1,5}", style), 1..8)
}

proptest! {
    #[test]
    fn styled_words_come_back_as_they_were(words in words()) {
        let (mut text, mut style) = (String::new(), Vec::new());
        for (word, its) in &words {
            if !text.is_empty() {
                text.push(' ');
            }
            let start = u32::try_from(text.len()).expect("short");
            text.push_str(word);
            let end = u32::try_from(text.len()).expect("short");
            style.extend(its.map(|its| span(start, end, its)));
        }
        let body = render(&text, &style);
        prop_assert_eq!(plain(&body), (text, style));
    }

    #[test]
    fn no_text_breaks_it_and_its_spans_are_its_own(body in "[*_~`> \\n a-c\u{1f980}]{0,60}") {
        let Plain { text, style } = parse(&body).plain();
        for span in &style {
            let held = text.get(span.start as usize..span.end as usize);
            prop_assert!(held.is_some_and(|held| !held.is_empty()));
        }
        render(&text, &style);
    }

    #[test]
    fn a_text_without_signs_is_left_as_it_is(body in "[a-z \\n.]{0,60}") {
        prop_assert!(parse(&body).is_plain());
        prop_assert_eq!(parse(&body).plain().text, body);
    }

    #[test]
    fn any_spans_make_a_text_that_holds_the_words(
        text in "[a-z ]{0,20}",
        spans in prop::collection::vec((0u32..25, 0u32..25), 0..6),
    ) {
        let style: Vec<Span> = spans.iter().map(|&(a, b)| span(a, b, Style::Bold)).collect();
        let body = render(&text, &style);
        prop_assert_eq!(body.replace('*', ""), text);
    }
}
