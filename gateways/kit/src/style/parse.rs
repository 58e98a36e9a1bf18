//! A body becomes blocks and spans (XEP-0393 §5).

use super::{Block, DEPTH, Piece, Tree, style_of};
use isthmus_gateway::Style;

/// Reads a body. Every text is a tree: what is no styling is text.
pub fn parse(body: &str) -> Tree<'_> {
    let lines: Vec<&str> = body.split('\n').collect();
    Tree {
        blocks: blocks(&lines, 0),
    }
}

fn blocks<'a>(lines: &[&'a str], depth: usize) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.starts_with("```") {
            // §5.1.2: to the line that is nothing but a fence, or to the end of the block around.
            let behind = &lines[at + 1..];
            let end = behind.iter().position(|line| line.trim_end() == "```");
            let held = &behind[..end.unwrap_or(behind.len())];
            // Words behind the opening fence are dropped: clients put a language there.
            blocks.push(Block::Code(held.to_vec()));
            at += 1 + held.len() + usize::from(end.is_some());
        } else if line.starts_with('>') && depth < DEPTH {
            let count = lines[at..]
                .iter()
                .take_while(|line| line.starts_with('>'))
                .count();
            let inner: Vec<&str> = lines[at..at + count]
                .iter()
                .map(|line| unquoted(line))
                .collect();
            blocks.push(Block::Quote(self::blocks(&inner, depth + 1)));
            at += count;
        } else {
            blocks.push(Block::Line(pieces(line, 0)));
            at += 1;
        }
    }
    blocks
}

/// §5.1.3: without `>` and one space behind it.
fn unquoted(line: &str) -> &str {
    let line = line.strip_prefix('>').unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line)
}

fn pieces(line: &str, depth: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut text, mut at) = (0, 0);
    // Where a sign was looked for in vain, it need not be looked for again.
    let mut hopeless: [bool; 4] = [false; 4];
    while let Some(sign) = line[at..].chars().next() {
        let behind = at + sign.len_utf8();
        let style = style_of(sign).filter(|_| depth < DEPTH && may_open(line, at, behind));
        let slot = "*_~`".find(sign).unwrap_or(0);
        let found = style.filter(|_| !hopeless[slot]).map(|style| {
            let close = closing(line, behind, sign);
            hopeless[slot] = close.is_none();
            (style, close)
        });
        let Some((style, Some(close))) = found else {
            at = behind;
            continue;
        };
        if text < at {
            pieces.push(Piece::Text(&line[text..at]));
        }
        let inner = &line[behind..close];
        let inner = match style {
            Style::Monospace => vec![Piece::Text(inner)],
            _ => self::pieces(inner, depth + 1),
        };
        pieces.push(Piece::Styled(style, inner));
        at = close + sign.len_utf8();
        text = at;
    }
    if text < line.len() {
        pieces.push(Piece::Text(&line[text..]));
    }
    pieces
}

/// §5.2: an opening sign stands at the start, behind white space or behind another opening sign,
/// and no white space follows it.
fn may_open(line: &str, at: usize, behind: usize) -> bool {
    let before = line[..at].chars().next_back();
    let after = line[behind..].chars().next();
    before.is_none_or(|it| it.is_whitespace() || style_of(it).is_some())
        && after.is_some_and(|it| !it.is_whitespace())
}

/// The nearest sign that closes: not behind white space, and not right behind the opening one.
fn closing(line: &str, from: usize, sign: char) -> Option<usize> {
    line[from..]
        .match_indices(sign)
        .map(|(at, _)| from + at)
        .find(|&at| {
            at > from
                && line[..at]
                    .chars()
                    .next_back()
                    .is_some_and(|it| !it.is_whitespace())
        })
}
