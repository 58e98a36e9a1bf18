//! A word, looked up in a real dictd by the plugin in `examples/plugins/dict.py`.

use isthmus_test_support::{Dictd, paths};

use super::Juliet;
use crate::run::workspace;

pub(super) const DOMAIN: &str = "dict.localhost";
const DICTIONARY: &str = "dictionary@dict.localhost";

const WORDS: [(&str, &str); 4] = [
    (
        "isthmus",
        "A narrow strip of land that joins two larger ones.",
    ),
    ("peninsula", "A piece of land almost surrounded by water."),
    (
        "rose",
        "A flower; by any other name it would smell as sweet.",
    ),
    ("strait", "A narrow passage of water."),
];

/// The dictionary's server.
pub(super) struct Dict {
    dictd: Dictd,
}

impl Dict {
    pub(super) fn start() -> Self {
        let dictd = Dictd::start(&WORDS);
        Self { dictd }
    }

    pub(super) fn config(&self) -> String {
        format!(
            r#"
[gateway.dict]
kind = "exec"
domain = "{DOMAIN}"
allow = ["localhost"]
exec = ["{python}", "{plugin}"]

[gateway.dict.config]
server = "{server}"
"#,
            python = paths::need("usr/bin/python3").display(),
            plugin = workspace().join("examples/plugins/dict.py").display(),
            server = self.dictd.address(),
        )
    }

    pub(super) fn invitation(&self) -> String {
        let words = WORDS.map(|(word, _)| word).join(", ");
        format!("    {DICTIONARY:<44} a word, such as {words}\n")
    }

    pub(super) async fn converse(&self, juliet: &Juliet) -> Result<(), String> {
        juliet.writes(DICTIONARY, "isthmus");
        juliet
            .hears(|stanza| stanza.body().starts_with("Hello"))
            .await?;
        juliet
            .hears(|stanza| stanza.body().contains("joins two larger ones."))
            .await?;
        juliet.writes(DICTIONARY, "ismuth");
        juliet
            .hears(|stanza| stanza.body() == "I don't know about ismuth.")
            .await
    }
}
