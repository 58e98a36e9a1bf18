//! Lines that belong together: IRCv3 batch 3.2 and what it carries: netsplit and netjoin,
//! labeled-response, draft/multiline, chathistory.
//!
//! A batch of another type, or one too many, is transparent: its lines count by themselves.

use std::time::Instant;

use isthmus_gateway::{Event, Left, Message, Outcome, Place, Sink, Tag, Text, Why};

use super::asked::Want;
use super::caps::Cap;
use super::send::OpenSend;
use super::{Conversation, done, format};
use crate::line::Line;

/// A batch that has begun.
pub(super) struct Batch {
    id: Box<str>,
    kind: Kind,
    /// The command all of it answers.
    label: Option<Tag>,
    /// It is of the past, or stands in something of the past.
    past: Option<Past>,
}

/// Old messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// The command that asked for them; `None`: the network sends them unasked.
    pub(super) tag: Option<Tag>,
}

enum Kind {
    /// Servers lost each other: who is gone.
    Split(Vec<Text<'static>>, String),
    /// One message of several lines.
    Multiline(Box<Lines>),
    /// The answer to a request for history.
    History,
    /// The answer to the question who wrote.
    Targets(Option<Tag>),
    /// The answer to a labelled command.
    Labelled,
    Other,
}

/// A message of several lines, so far.
struct Lines {
    /// The line that began it: who, when, which id.
    head: String,
    text: String,
    some: bool,
    notice: bool,
}

/// What a line is part of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// The command it answers (labeled-response).
    pub(super) label: Option<Tag>,
    /// The answer was understood.
    pub(super) used: bool,
    pub(super) past: Option<Past>,
    /// A batch in which this line stands, by index.
    at: Option<usize>,
}

/// Batches that are open at a time.
const MOST_BATCHES: usize = 32;
/// Bytes of a message of several lines.
const LONGEST_TEXT: usize = 64 * 1024;
/// So many leave at once in one event.
const MOST_GONE: usize = 500;

impl Conversation {
    /// What this line is part of.
    pub(super) fn context(&self, line: &Line<'_>) -> Context {
        let mut context = Context::default();
        if line.tags.is_empty() {
            return context;
        }
        if !self.batches.is_empty()
            && let Some(id) = line.tag("batch")
        {
            context.at = self.batches.iter().position(|batch| *batch.id == *id);
            if let Some(batch) = context.at.map(|at| &self.batches[at]) {
                context.label = batch.label;
                context.past = batch.past;
            }
        }
        if self.can(Cap::LabeledResponse)
            && let Some(label) = line.tag("label")
        {
            context.label = tag_of(&label);
        }
        context
    }

    /// Whether a line is only a part of something that is told at its end.
    pub(super) fn collects(&mut self, line: &Line<'_>) -> bool {
        let Some(at) = self.context.at else {
            return false;
        };
        match (&mut self.batches[at].kind, line.command) {
            (Kind::Multiline(lines), "PRIVMSG" | "NOTICE") => {
                lines.notice |= line.command == "NOTICE";
                let text = line.param(1).unwrap_or("");
                let joined = line.has_tag("draft/multiline-concat");
                if lines.text.len() + text.len() < LONGEST_TEXT {
                    if lines.some && !joined {
                        lines.text.push('\n');
                    }
                    lines.text.push_str(text);
                    lines.some = true;
                }
                true
            }
            (Kind::Split(gone, text), "QUIT") => {
                if let Some(words) = line.param(0)
                    && text.is_empty()
                {
                    words.clone_into(text);
                }
                let nick = line.nick();
                if nick.is_empty() || gone.len() >= MOST_GONE {
                    return false;
                }
                gone.push(nick.to_owned().into());
                true
            }
            // Of the past only what was said is of interest.
            (_, command) if self.context.past.is_some() => !matches!(
                command,
                "PRIVMSG" | "NOTICE" | "TAGMSG" | "REDACT" | "BATCH"
            ),
            _ => false,
        }
    }

    /// Servers have lost each other, or so the batch around the line says.
    pub(super) fn in_split(&self) -> bool {
        let kind = self.context.at.map(|at| &self.batches[at].kind);
        matches!(kind, Some(Kind::Split(..)))
    }

    pub(super) fn on_batch(
        &mut self,
        text: &str,
        line: &Line<'_>,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let Some(id) = line.param(0) else { return };
        if let Some(id) = id.strip_prefix('+') {
            self.context.used = true;
            self.begin_batch(id, text, line);
        } else if let Some(id) = id.strip_prefix('-')
            && let Some(at) = self.batches.iter().position(|batch| *batch.id == *id)
        {
            let batch = self.batches.remove(at);
            self.end_batch(batch, now, sink);
        }
    }

    fn begin_batch(&mut self, id: &str, text: &str, line: &Line<'_>) {
        if self.batches.len() >= MOST_BATCHES {
            return;
        }
        let mut past = self.context.past;
        let kind = match line.param(1).unwrap_or("") {
            "netsplit" => Kind::Split(Vec::new(), String::new()),
            "labeled-response" => Kind::Labelled,
            "draft/multiline" | "multiline" => Kind::Multiline(Box::new(Lines {
                head: text.to_owned(),
                text: String::new(),
                some: false,
                notice: false,
            })),
            "chathistory" => {
                let tag = self.asked_past(line.param(2).unwrap_or(""));
                past = Some(Past { tag });
                Kind::History
            }
            "draft/chathistory-targets" | "chathistory-targets" => {
                Kind::Targets(self.asked_past(""))
            }
            _ => Kind::Other,
        };
        self.batches.push(Batch {
            id: id.into(),
            kind,
            label: self.context.label,
            past,
        });
    }

    /// The request for what was said there that is out, or that the batch is labelled with.
    fn asked_past(&self, target: &str) -> Option<Tag> {
        let (key, label) = (self.folded(target), self.context.label);
        let is_it = |asked: &&super::asked::Asked| {
            let out = asked.want == Want::History && asked.gone.is_some();
            out && label.map_or(asked.key == key, |label| asked.tag == label)
        };
        self.asked.iter().find(is_it).map(|asked| asked.tag)
    }

    /// The question that the batch around this line answers with who wrote.
    pub(super) fn targets(&self) -> Option<Tag> {
        match self.context.at.map(|at| &self.batches[at].kind) {
            Some(Kind::Targets(tag)) => *tag,
            _ => None,
        }
    }

    fn end_batch(&mut self, batch: Batch, now: Instant, sink: &mut dyn Sink) {
        self.context.label = batch.label;
        self.context.past = batch.past;
        match batch.kind {
            Kind::Split(gone, words) => {
                if !gone.is_empty() {
                    sink.event(Event::Left(Left {
                        room: None,
                        nicks: gone.into(),
                        why: Why::Split,
                        by: None,
                        text: (!words.is_empty()).then_some(words.into()),
                    }));
                }
            }
            Kind::Multiline(lines) => self.say_lines(&lines, now, sink),
            Kind::History => {
                self.past_told(batch.past.and_then(|past| past.tag), sink);
            }
            Kind::Targets(tag) => self.past_told(tag, sink),
            Kind::Labelled | Kind::Other => {}
        }
        // What stands in a labelled batch is part of its answer, which is not over yet.
        let inside = |label| self.batches.iter().any(|outer| outer.label == Some(label));
        if batch.label.is_some_and(inside) {
            self.context.used = true;
        }
    }

    fn past_told(&mut self, tag: Option<Tag>, sink: &mut dyn Sink) {
        let at = self.asked.iter().position(|it| Some(it.tag) == tag);
        if let Some(at) = at {
            let asked = self.asked.remove(at);
            done(asked.tag, Ok(Outcome::Finished), sink);
        }
    }

    /// A message of several lines has come whole.
    fn say_lines(&mut self, lines: &Lines, now: Instant, sink: &mut dyn Sink) {
        let Some(head) = Line::parse(&lines.head) else {
            return;
        };
        let (Some(target), true) = (head.param(2), lines.some) else {
            return;
        };
        self.said(&head, target, &lines.text, lines.notice, now, sink);
    }

    /// Tells a message: one of now, or one of those the host asked for.
    pub(super) fn tell(&mut self, mut message: Message<'_>, line: &Line<'_>, sink: &mut dyn Sink) {
        if self.can(Cap::ReadMarker) {
            self.remember(&message, line);
        }
        match self.context.past {
            Some(Past { tag: Some(tag) }) => {
                message.time = line.time().or(message.time);
                sink.event(Event::Past { tag, message });
            }
            _ => sink.event(Event::Message(message)),
        }
    }

    /// A labelled command was answered, by this line or by the batch that ends with it.
    pub(super) fn settle_label(&mut self, sink: &mut dyn Sink) {
        let Some(tag) = self.context.label else {
            return;
        };
        let in_batch = self.batches.iter().any(|batch| batch.label == Some(tag));
        if self.context.used || in_batch {
            return;
        }
        if let Some(at) = self.sends.iter().position(|send| send.tag == tag) {
            return self.piece_taken(at, sink);
        }
        let over = |it: &super::asked::Asked| it.line() == tag && it.want.ends_with_label();
        if self.asked.iter().any(over) {
            self.end_line(tag, None, &Ok(Outcome::Finished), sink);
        }
    }

    /// The message this line answers, by index.
    pub(super) fn labelled_send(&self) -> Option<usize> {
        let tag = self.context.label?;
        let is_it = |send: &OpenSend| send.tag == tag;
        self.sends.iter().position(is_it)
    }

    /// Where a line's target is: a channel, or the other person of a conversation.
    pub(super) fn place<'a>(&self, line: &Line<'a>, target: &'a str) -> Place<'a> {
        match self.isupport.channel(target) {
            Some(channel) => Place::Room(channel.into()),
            None if self.is_me(line.nick()) => Place::Contact(target.into()),
            None => Place::Contact(line.nick().into()),
        }
    }
}

/// The text of a message without formatting, for comparing it.
pub(super) fn bare(text: &str) -> String {
    format::plain(text).body.into_owned()
}

/// The command a label stands for.
fn tag_of(label: &str) -> Option<Tag> {
    let digits = label.split('.').next()?;
    digits.parse().ok().map(Tag)
}
