//! XEP-0393 (1.1) message styling as a tree, and back.
//!
//! [`parse`] reads a body into blocks of styled text, [`Tree::plain`] gives the text without its
//! signs together with spans of it, and [`render`] writes spans as signs again. [`markup`] tells the
//! same spans in code points, as XEP-0394 (0.3) wants them. What styling means to one network
//! (control codes, HTML) is made from the tree or the spans elsewhere.
//!
//! Underlining has no sign in XEP-0393: [`render`] leaves it out, and says so by not coming back the
//! same through [`parse`].

mod parse;
mod render;
#[cfg(test)]
mod tests;

use isthmus_gateway::{Span, Style};

pub use parse::parse;
pub use render::{markup, render};

/// Blocks and spans may be nested this deep; deeper ones are plain text.
pub const DEPTH: usize = 16;

/// A styled body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree<'a> {
    /// Its blocks, in order.
    pub blocks: Vec<Block<'a>>,
}

/// A block (XEP-0393 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// One line of styled text.
    Line(Vec<Piece<'a>>),
    /// Preformatted lines, without their fences.
    Code(Vec<&'a str>),
    /// Lines behind `>`: blocks again.
    Quote(Vec<Block<'a>>),
}

/// A stretch of a line (XEP-0393 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// Text between two signs, which are left out. In [`Style::Monospace`] nothing is styled.
    Styled(Style, Vec<Piece<'a>>),
}

/// A text without signs, and how stretches of it look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain {
    /// The text. Lines of a quote keep their `> `, so that it is one for who sees no styles.
    pub text: String,
    /// Spans of it, by where they begin, an outer one before what it holds.
    pub style: Vec<Span>,
}

impl Tree<'_> {
    /// The text without signs.
    pub fn plain(&self) -> Plain {
        let mut plain = Plain::default();
        let mut first = true;
        write_blocks(&self.blocks, "", &mut plain, &mut first);
        plain
    }

    /// Whether nothing in it is styled.
    pub fn is_plain(&self) -> bool {
        self.blocks.iter().all(|block| match block {
            Block::Line(pieces) => pieces.iter().all(|it| matches!(it, Piece::Text(_))),
            Block::Code(_) | Block::Quote(_) => false,
        })
    }
}

fn write_blocks(blocks: &[Block<'_>], quote: &str, to: &mut Plain, first: &mut bool) {
    for block in blocks {
        match block {
            Block::Line(pieces) => {
                begin(quote, to, first);
                write_pieces(pieces, to);
            }
            Block::Code(lines) => {
                let mut from = None;
                for line in lines {
                    begin(quote, to, first);
                    from.get_or_insert(to.text.len());
                    to.text.push_str(line);
                }
                if let Some(from) = from {
                    let at = to.style.len();
                    push_span(to, at, from, Style::Monospace);
                }
            }
            Block::Quote(blocks) => {
                let deeper = format!("{quote}> ");
                write_blocks(blocks, &deeper, to, first);
            }
        }
    }
}

/// Begins a line.
fn begin(quote: &str, to: &mut Plain, first: &mut bool) {
    if !std::mem::take(first) {
        to.text.push('\n');
    }
    to.text.push_str(quote);
}

fn write_pieces(pieces: &[Piece<'_>], to: &mut Plain) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => to.text.push_str(text),
            Piece::Styled(style, inner) => {
                let (from, at) = (to.text.len(), to.style.len());
                write_pieces(inner, to);
                push_span(to, at, from, *style);
            }
        }
    }
}

/// Notes that the text from `from` on has a style; `at` is its place among the spans.
fn push_span(to: &mut Plain, at: usize, from: usize, style: Style) {
    let (Ok(start), Ok(end)) = (u32::try_from(from), u32::try_from(to.text.len())) else {
        return;
    };
    if start < end {
        to.style.insert(at, Span { start, end, style });
    }
}

/// The sign of a style, if XEP-0393 has one.
fn sign(style: Style) -> Option<char> {
    match style {
        Style::Bold => Some('*'),
        Style::Italic => Some('_'),
        Style::Strike => Some('~'),
        Style::Monospace => Some('`'),
        Style::Underline => None,
    }
}

/// The style of a sign.
fn style_of(sign: char) -> Option<Style> {
    match sign {
        '*' => Some(Style::Bold),
        '_' => Some(Style::Italic),
        '~' => Some(Style::Strike),
        '`' => Some(Style::Monospace),
        _ => None,
    }
}
