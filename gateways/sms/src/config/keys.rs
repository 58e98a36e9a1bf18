//! Every key of the configuration, documented: the sample is made from this.

use isthmus_kit::Key;

/// Every key, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key::new(
        "region",
        "",
        "Country of national numbers, for users who have not set their own.",
        "region = \"US\"",
    ),
    Key::new(
        "max_parts",
        "10",
        "Parts of one message, at most (1 to 255).",
        "max_parts = 10",
    ),
    Key::new(
        "join_timeout",
        "300",
        "Seconds to wait for the missing parts of a message (5 to 86400).",
        "join_timeout = 300",
    ),
    Key::new(
        "carriers.NAME.host",
        "",
        "The carrier's SMPP server.",
        "host = \"smpp.carrier.example\"",
    ),
    Key::new("carriers.NAME.port", "2775", "Its port.", "port = 2775"),
    Key::new(
        "carriers.NAME.system_id",
        "",
        "Our name there.",
        "system_id = \"isthmus\"",
    ),
    Key::new(
        "carriers.NAME.password",
        "",
        "Our password there.",
        "password = \"secret\"",
    ),
    Key::new(
        "carriers.NAME.system_type",
        "\"\"",
        "System type, where the carrier asks for one.",
        "system_type = \"\"",
    ),
    Key::new(
        "carriers.NAME.lines",
        "",
        "Our numbers at this carrier; with one carrier, those below need not be named here.",
        "lines = [\"+15551230000\"]",
    ),
    Key::new(
        "carriers.NAME.window",
        "10",
        "Messages the carrier has not answered yet, at most (1 to 1000).",
        "window = 10",
    ),
    Key::new(
        "carriers.NAME.rate",
        "0",
        "Messages a second, at most (to 100000); 0: no limit.",
        "rate = 10.0",
    ),
    Key::new(
        "carriers.NAME.tls",
        "false",
        "Encrypt the connection.",
        "tls = true",
    ),
    Key::new(
        "carriers.NAME.verify",
        "true",
        "Verify the carrier's certificate.",
        "verify = true",
    ),
    Key::new(
        "carriers.NAME.pin",
        "",
        "SHA-256 digest (hex) of the one certificate that is accepted.",
        "pin = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
    ),
    Key::new(
        "carriers.NAME.alphabet",
        "\"gsm7\"",
        "What the carrier means by data coding 0: \"gsm7\", \"latin1\" or \"utf-8\".",
        "alphabet = \"gsm7\"",
    ),
    Key::new(
        "carriers.NAME.plus",
        "false",
        "Write numbers with a plus sign.",
        "plus = false",
    ),
    Key::new(
        "carriers.NAME.region",
        "",
        "Country of the numbers the carrier writes without country code; else the line's.",
        "region = \"US\"",
    ),
    Key::new(
        "carriers.NAME.keep_alive",
        "30",
        "Seconds of silence after which the carrier is asked whether it is there (5 to 3600).",
        "keep_alive = 30",
    ),
    Key::new(
        "carriers.NAME.response_timeout",
        "30",
        "Seconds an answer of the carrier may take (1 to 600).",
        "response_timeout = 30",
    ),
    Key::new(
        "lines.NAME.users",
        "[]",
        "Whose number it is; several people share it. NAME is the number: \"+15551230000\".",
        "users = [\"juliet@example.org\"]",
    ),
    Key::new(
        "lines.NAME.open",
        "false",
        "Whoever may use the gateway can register with this number.",
        "open = false",
    ),
];
