//! Every key of the configuration, documented: the sample is made from this.

use isthmus_kit::Key;

/// Every key, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key {
        key: "exec",
        default: "",
        doc: "The program that is the gateway, and its arguments (no shell, whole paths).",
        example: "exec = [\"python3\", \"/usr/share/isthmus/plugins/dict.py\"]",
    },
    Key {
        key: "dir",
        default: "",
        doc: "Its working directory; without it one of its own below the data directory.",
        example: "dir = \"/var/lib/isthmus/dict\"",
    },
    Key {
        key: "spool",
        default: "",
        doc: "Where it leaves files for us; without it spool in its working directory.",
        example: "spool = \"/var/spool/isthmus/dict\"",
    },
    Key {
        key: "lang",
        default: "\"en\"",
        doc: "Language of what it says of itself (BCP 47).",
        example: "lang = \"en\"",
    },
    Key {
        key: "env.NAME",
        default: "",
        doc: "Environment beside PATH, LANG and TZ. No secrets: other processes can read it.",
        example: "PYTHONUTF8 = \"1\"",
    },
    Key {
        key: "config.NAME",
        default: "",
        doc: "The program's own settings, secrets too: told to it at its start.",
        example: "server = \"dict.example.org:2628\"",
    },
    Key {
        key: "timeout",
        default: "60",
        doc: "Seconds in which it must answer a request (1 to 3600).",
        example: "timeout = 60",
    },
    Key {
        key: "credit",
        default: "256",
        doc: "Events of one session that it may send ahead (1 to 10000).",
        example: "credit = 256",
    },
    Key {
        key: "restart_limit",
        default: "5",
        doc: "Failures in a row after which it is given a rest (1 to 100).",
        example: "restart_limit = 5",
    },
    Key {
        key: "restart_pause",
        default: "300",
        doc: "Seconds of that rest, after which it is tried again (1 to 86400).",
        example: "restart_pause = 300",
    },
];
