//! What the plugin asks of the host.

use isthmus_gateway::{Address, Delivery, Handle, JobId, Key, Report, UserId};
use serde::Deserialize;

use super::rpc::{self, BAD_PARAMS, NO_SUCH_METHOD, REFUSED, WireError};
use super::{Machine, WINDOW, own};

/// A question to the host, and where the answer goes.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) ticket: Ticket,
    pub(crate) question: Question,
}

/// Where an answer goes.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// The request; `None`: nobody in the plugin asked.
    id: Option<String>,
    generation: u64,
    /// The copy that is about to be begun.
    begin: Option<(JobId, u16)>,
}

/// What the host is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    Deliver {
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    },
    Begin {
        job: JobId,
        to: u16,
        keys: Vec<String>,
    },
    Find {
        handle: Handle,
        from: Address,
    },
    Resolve {
        user: Option<UserId>,
        key: Key<'static>,
    },
    Report(Report),
    Keep {
        name: String,
        value: Option<Vec<u8>>,
    },
    Kept {
        name: String,
    },
    StoreBlob {
        name: String,
        mime: String,
        /// A file in the spool.
        file: String,
    },
    ReadBlob {
        url: String,
        /// A file in the spool, which is not there yet.
        file: String,
    },
}

#[derive(Deserialize)]
struct Keep {
    name: String,
    value: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Kept {
    name: String,
}

#[derive(Deserialize)]
struct StoreBlob {
    name: String,
    mime: String,
    file: String,
}

#[derive(Deserialize)]
struct ReadBlob {
    url: String,
    file: String,
}

#[derive(Deserialize)]
struct Deliver<'a> {
    #[serde(borrow)]
    batch: Vec<Delivery<'a>>,
    #[serde(default)]
    all_or_none: bool,
}

#[derive(Deserialize)]
struct Begin {
    job: JobId,
    to: u16,
    #[serde(default)]
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Find {
    handle: Handle,
    from: Address,
}

#[derive(Deserialize)]
struct Resolve<'a> {
    #[serde(default)]
    user: Option<UserId>,
    #[serde(borrow)]
    key: Key<'a>,
}

impl Machine {
    /// The plugin asks; the answer comes by [`Machine::ask_answered`], or at once.
    pub(super) fn asked(&mut self, id: &str, method: &str, params: &str) {
        if method == "ping" {
            return self.push_urgent(rpc::answer(id, Ok("{}")));
        }
        if self.asking >= WINDOW {
            let error = WireError::new(REFUSED, "too many requests are open");
            return self.push_urgent(rpc::answer(id, Err(&error)));
        }
        let question = match read(method, params) {
            Ok(question) => question,
            Err(error) => {
                if error.code == NO_SUCH_METHOD {
                    self.counts.unknown += 1;
                }
                return self.push_urgent(rpc::answer(id, Err(&error)));
            }
        };
        let begin = match &question {
            Question::Begin { job, to, .. } => Some((*job, *to)),
            _ => None,
        };
        match &question {
            Question::Begin { job, to, .. } => self.beginning(*job, *to),
            Question::Report(report) => self.reported(report),
            _ => {}
        }
        self.asking += 1;
        let ticket = Ticket {
            id: Some(id.to_owned()),
            generation: self.generation,
            begin,
        };
        self.asks.push_back(Ask { ticket, question });
    }

    /// A report of our own.
    pub(super) fn ask_report(&mut self, report: Report) {
        let ticket = Ticket {
            id: None,
            generation: self.generation,
            begin: None,
        };
        let question = Question::Report(report);
        self.asks.push_back(Ask { ticket, question });
    }

    /// The next question for the host.
    pub(crate) fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// The host has answered, with JSON or an error.
    pub(crate) fn ask_answered(&mut self, ticket: &Ticket, result: &Result<String, WireError>) {
        let current = ticket.generation == self.generation;
        if let Some((job, to)) = ticket.begin {
            let begun = result.as_deref() == Ok("true");
            self.begin_answered(job, to, begun, current);
        }
        if let (Some(id), true) = (&ticket.id, current) {
            self.asking -= 1;
            self.push_urgent(rpc::answer(id, result.as_deref()));
        }
    }

    /// The process that asked is gone. What it told still holds; what it wanted to know or to
    /// begin does not.
    pub(super) fn drop_asks(&mut self) {
        self.asking = 0;
        let holds = |ask: &Ask| {
            matches!(
                ask.question,
                Question::Report(_) | Question::Deliver { .. } | Question::Keep { .. }
            )
        };
        let (kept, dropped): (Vec<Ask>, Vec<Ask>) =
            std::mem::take(&mut self.asks).into_iter().partition(holds);
        self.asks = kept.into();
        for ask in dropped {
            if let Some((job, to)) = ask.ticket.begin {
                self.not_begun(job, to);
            }
        }
    }
}

fn read(method: &str, params: &str) -> Result<Question, WireError> {
    let question = match method {
        "host.deliver" => serde_json::from_str::<Deliver<'_>>(params).map(|it| Question::Deliver {
            batch: it.batch.into_iter().map(own::delivery).collect(),
            all_or_none: it.all_or_none,
        }),
        "host.begin" => serde_json::from_str::<Begin>(params).map(|it| Question::Begin {
            job: it.job,
            to: it.to,
            keys: it.keys,
        }),
        "host.find" => serde_json::from_str::<Find>(params).map(|it| Question::Find {
            handle: it.handle,
            from: it.from,
        }),
        "host.resolve" => serde_json::from_str::<Resolve<'_>>(params).map(|it| Question::Resolve {
            user: it.user,
            key: own::key(it.key),
        }),
        "host.keep" => serde_json::from_str::<Keep>(params).map(|it| Question::Keep {
            name: it.name,
            value: it.value,
        }),
        "host.kept" => {
            serde_json::from_str::<Kept>(params).map(|it| Question::Kept { name: it.name })
        }
        "host.store_blob" => {
            serde_json::from_str::<StoreBlob>(params).map(|it| Question::StoreBlob {
                name: it.name,
                mime: it.mime,
                file: it.file,
            })
        }
        "host.read_blob" => serde_json::from_str::<ReadBlob>(params).map(|it| Question::ReadBlob {
            url: it.url,
            file: it.file,
        }),
        "report" => serde_json::from_str(params).map(Question::Report),
        _ => return Err(WireError::new(NO_SUCH_METHOD, "no such method")),
    };
    question.map_err(|error| WireError::new(BAD_PARAMS, error.to_string()))
}
