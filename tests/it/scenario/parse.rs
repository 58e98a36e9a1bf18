//! Reads a scenario file into steps. `tests/scenarios/README.md` tells what may stand in one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One step and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) file: PathBuf,
    /// The first line, from 1.
    pub(crate) line: usize,
    /// How many lines it takes.
    pub(crate) lines: usize,
    pub(crate) act: Act,
}

/// What is done or expected.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Which gateway, with these settings (JSON).
    Gateway { kind: String, settings: String },
    /// The product stops; the next gateway starts with what is on disk.
    Stop,
    /// A limit of the host.
    Limit { name: String, value: usize },
    /// Files are carried, with these settings (JSON).
    Files(String),
    /// The user or server sends a stanza.
    Stanza(String),
    /// The gateway sends a stanza.
    WantStanza(String),
    /// The IRC server, or the web server, of this label sends a line.
    Line { label: String, text: String },
    /// The gateway sends the IRC server of this label a line.
    WantLine { label: String, text: String },
    /// Somebody on the loopback network does something.
    Foreign(String),
    /// Expected in any order.
    Unordered(Vec<Step>),
    /// Nothing more comes.
    Silence,
    /// Time passes.
    Time(Duration),
}

/// The steps of a file, with what it includes.
///
/// # Errors
///
/// File, line and what is wrong.
pub(crate) fn read(path: &Path) -> Result<Vec<Step>, String> {
    let text = fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    read_text(path, &text)
}

/// The steps of a text that stands, or could stand, in a file of that name.
///
/// # Errors
///
/// File, line and what is wrong.
pub(crate) fn read_text(path: &Path, text: &str) -> Result<Vec<Step>, String> {
    let mut reader = Reader {
        path,
        steps: Vec::new(),
        lets: Vec::new(),
        group: None,
    };
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let mut whole = line.to_owned();
        let mut count = 1;
        while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with([' ', '\t'])) {
            whole.push('\n');
            whole.push_str(next);
            count += 1;
        }
        reader
            .step(&whole, at + 1, count)
            .map_err(|fault| format!("{}:{}: {fault}", path.display(), at + 1))?;
    }
    match reader.group {
        None => Ok(reader.steps),
        Some(_) => Err(format!("{}: an unordered group has no end", path.display())),
    }
}

struct Reader<'a> {
    path: &'a Path,
    steps: Vec<Step>,
    lets: Vec<(String, String)>,
    group: Option<(usize, Vec<Step>)>,
}

impl Reader<'_> {
    fn step(&mut self, text: &str, line: usize, lines: usize) -> Result<(), String> {
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = text.split_once([' ', '\n']).unwrap_or((text, ""));
        let rest = rest.trim();
        let act = match word {
            "include" => return self.include(rest),
            "unordered" if rest == "{" && self.group.is_none() => {
                self.group = Some((line, Vec::new()));
                return Ok(());
            }
            "}" => {
                let (start, steps) = self.group.take().ok_or("there is no group to end")?;
                let act = Act::Unordered(steps);
                return self.push(act, start, line + 1 - start);
            }
            "gateway" => {
                let (kind, settings) = rest.split_once([' ', '\n']).unwrap_or((rest, "{}"));
                Act::Gateway {
                    kind: kind.to_owned(),
                    settings: settings.to_owned(),
                }
            }
            "limit" => {
                let (name, value) = rest.split_once(' ').ok_or("expected a name and a number")?;
                let value = value.parse().map_err(|_| "expected a number")?;
                Act::Limit {
                    name: name.to_owned(),
                    value,
                }
            }
            "files" => Act::Files(rest.to_owned()),
            "xmpp>" => Act::Stanza(rest.to_owned()),
            "xmpp<" => Act::WantStanza(rest.to_owned()),
            "foreign>" => Act::Foreign(rest.to_owned()),
            "silence" => Act::Silence,
            "stop" => Act::Stop,
            "time" => Act::Time(duration(rest)?),
            _ if word.starts_with("irc") || word.starts_with("web") => {
                let text = rest.to_owned();
                if let Some(label) = word.strip_suffix('>') {
                    Act::Line {
                        label: label.to_owned(),
                        text,
                    }
                } else if let Some(label) = word.strip_suffix('<') {
                    Act::WantLine {
                        label: label.to_owned(),
                        text,
                    }
                } else {
                    return Err(format!("{word}: which way?"));
                }
            }
            _ => return Err(format!("{word}: there is no such step")),
        };
        self.push(act, line, lines)
    }

    fn push(&mut self, mut act: Act, line: usize, lines: usize) -> Result<(), String> {
        for (name, value) in &self.lets {
            act.replace(&format!("{{{name}}}"), value);
        }
        let step = Step {
            file: self.path.to_owned(),
            line,
            lines,
            act,
        };
        match &mut self.group {
            None => self.steps.push(step),
            Some((_, steps)) => match step.act {
                Act::WantStanza(_) | Act::WantLine { .. } => steps.push(step),
                _ => return Err("only what is expected can stand in a group".to_owned()),
            },
        }
        Ok(())
    }

    /// `include name key=value ...`: the steps of that file, with `{key}` replaced. A value with
    /// spaces stands in `"`.
    fn include(&mut self, rest: &str) -> Result<(), String> {
        let mut quoted = false;
        let words = rest.split(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        let mut words = words.filter(|word| !word.is_empty());
        let name = words.next().ok_or("include what?")?;
        let path = root().join("include").join(format!("{name}.txt"));
        let mut steps = read(&path)?;
        for word in words {
            let (key, value) = word.split_once('=').ok_or("expected key=value")?;
            let bare = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let value = bare.unwrap_or(value);
            for step in &mut steps {
                step.act.replace(&format!("{{{key}}}"), value);
            }
        }
        self.steps.extend(steps);
        Ok(())
    }
}

impl Act {
    fn replace(&mut self, from: &str, to: &str) {
        match self {
            Self::Stanza(text)
            | Self::WantStanza(text)
            | Self::Line { text, .. }
            | Self::WantLine { text, .. }
            | Self::Foreign(text)
            | Self::Files(text)
            | Self::Gateway { settings: text, .. } => *text = text.replace(from, to),
            Self::Unordered(steps) => {
                for step in steps {
                    step.act.replace(from, to);
                }
            }
            _ => {}
        }
    }

    /// Something from outside, rather than something expected.
    pub(crate) fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Stanza(_) | Self::Line { .. } | Self::Foreign(_) | Self::Time(_) | Self::Silence
        )
    }
}

/// Where scenarios are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// `+30s`, `+500ms`, `+2m`, `+1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text}: expected a time such as +30s");
    let text = text.strip_prefix('+').ok_or_else(fault)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().map_err(|_| fault())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(count)),
        "s" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_secs(count * 60)),
        "h" => Ok(Duration::from_secs(count * 3600)),
        _ => Err(fault()),
    }
}
