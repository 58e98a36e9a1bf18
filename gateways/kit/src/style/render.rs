//! Spans become signs in the text (XEP-0393), or elements beside it (XEP-0394).

use std::ops::Range;

use isthmus_gateway::{Span, Style};

use super::{DEPTH, sign};

/// Writes spans of a text as signs. Spans that overlap without one holding the other, that are no
/// characters' bounds or that have no sign are left out; a span over several lines becomes
/// one on each. Whether everything could be said shows [`parse`](super::parse).
pub fn render(text: &str, style: &[Span]) -> String {
    let mut signs = signs(text, style);
    // Where several meet, what closes comes before what opens; of those that open the longest
    // comes first, of those that close the shortest.
    signs.sort_by_key(|sign| match sign.opens {
        true => (sign.at, 1, usize::MAX - sign.length),
        false => (sign.at, 0, sign.length),
    });
    let mut out = String::with_capacity(text.len() + signs.len());
    let mut from = 0;
    for Sign { at, sign, .. } in signs {
        out.push_str(&text[from..at]);
        out.push(sign);
        from = at;
    }
    out.push_str(&text[from..]);
    out
}

struct Sign {
    at: usize,
    opens: bool,
    length: usize,
    sign: char,
}

fn signs(text: &str, style: &[Span]) -> Vec<Sign> {
    let mut taken: Vec<(Range<usize>, Style)> = Vec::new();
    let mut signs = Vec::new();
    for (range, style) in ranges(text, style) {
        let Some(sign) = sign(style) else { continue };
        for range in lines(text, range) {
            let crosses = taken.iter().any(|(other, _)| crosses(other, &range))
                || taken.iter().any(|(other, its)| {
                    let inside = other.start <= range.start && range.end <= other.end;
                    let around = range.start <= other.start && other.end <= range.end;
                    (*its == style && (inside || around))
                        || (*its == Style::Monospace && inside)
                        || (style == Style::Monospace && around)
                });
            let depth = taken.iter().filter(|(it, _)| it.contains(&range.start));
            if crosses || depth.count() >= DEPTH {
                continue;
            }
            for (at, opens) in [(range.start, true), (range.end, false)] {
                let length = range.len();
                signs.push(Sign {
                    at,
                    opens,
                    length,
                    sign,
                });
            }
            taken.push((range, style));
        }
    }
    signs
}

fn crosses(one: &Range<usize>, other: &Range<usize>) -> bool {
    let (first, second) = match (one.start, other.end).cmp(&(other.start, one.end)) {
        std::cmp::Ordering::Greater => (other, one),
        _ => (one, other),
    };
    first.start < second.start && second.start < first.end && first.end < second.end
}

/// The spans as ranges of bytes that are bounds of characters.
fn ranges<'t>(
    text: &'t str,
    style: &'t [Span],
) -> impl Iterator<Item = (Range<usize>, Style)> + 't {
    style.iter().filter_map(|span| {
        let range = usize::try_from(span.start).ok()?..usize::try_from(span.end).ok()?;
        let held = text.get(range.clone())?;
        (!held.is_empty()).then_some((range, span.style))
    })
}

/// The parts of a range that stand in one line each.
fn lines(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut at = range.start;
    let mut lines = Vec::new();
    for line in text[range].split('\n') {
        if !line.is_empty() {
            lines.push(at..at + line.len());
        }
        at += line.len() + 1;
    }
    lines
}

/// Spans in code points of the text, as XEP-0394 §4.1 counts them: from, to, style.
pub fn markup(text: &str, style: &[Span]) -> Vec<(u32, u32, Style)> {
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    ranges(text, style)
        .map(|(range, style)| {
            let start = count(&text[..range.start]);
            let length = count(&text[range]);
            (start, start.saturating_add(length), style)
        })
        .collect()
}
