//! Every key of the configuration, documented: the sample is made from this.

use isthmus_kit::Key;

/// Every key, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key {
        key: "smarthost",
        default: "",
        doc: "Server that takes outgoing mail, \"host\" or \"host:port\"; without it none is sent.",
        example: "smarthost = \"mail.example.org:587\"",
    },
    Key {
        key: "tls",
        default: "\"required\"",
        doc: "Encryption: \"implicit\" (as on port 465), \"required\", \"preferred\" or \"off\".",
        example: "tls = \"required\"",
    },
    Key {
        key: "verify",
        default: "true",
        doc: "Verify the smarthost's certificate.",
        example: "verify = true",
    },
    Key {
        key: "authority",
        default: "",
        doc: "File of further authorities (PEM) that may have signed the smarthost's certificate.",
        example: "authority = \"/etc/isthmus/ca.pem\"",
    },
    Key {
        key: "user",
        default: "",
        doc: "Name at the smarthost.",
        example: "user = \"isthmus\"",
    },
    Key {
        key: "password",
        default: "",
        doc: "Password at the smarthost.",
        example: "password = \"correct horse\"",
    },
    Key {
        key: "listen",
        default: "[]",
        doc: "Addresses where incoming mail is taken by SMTP.",
        example: "listen = [\"127.0.0.1:2525\"]",
    },
    Key {
        key: "lmtp",
        default: "[]",
        doc: "Addresses where incoming mail is taken by LMTP.",
        example: "lmtp = [\"127.0.0.1:2424\"]",
    },
    Key {
        key: "certificate",
        default: "",
        doc: "Certificate chain (PEM) that the listeners offer for STARTTLS.",
        example: "certificate = \"/etc/isthmus/mail.pem\"",
    },
    Key {
        key: "key",
        default: "",
        doc: "Its private key (PEM).",
        example: "key = \"/etc/isthmus/mail-key.pem\"",
    },
    Key {
        key: "postmaster",
        default: "",
        doc: "JID that gets mail for postmaster and abuse.",
        example: "postmaster = \"admin@example.org\"",
    },
    Key {
        key: "max_size",
        default: "20971520",
        doc: "Largest incoming mail in bytes (65536 to 1073741824), attachments encoded. Mails are\n\
              received in memory: max_size times max_connections, by default 1000 MiB, is the most\n\
              that is held of them. Reading takes several times its size, of two at a time.",
        example: "max_size = 20971520",
    },
    Key {
        key: "max_recipients",
        default: "50",
        doc: "Recipients of one incoming mail (1 to 1000).",
        example: "max_recipients = 50",
    },
    Key {
        key: "max_connections",
        default: "50",
        doc: "Incoming connections at one time (1 to 100000). See max_size for the memory.",
        example: "max_connections = 50",
    },
    Key {
        key: "max_text",
        default: "32768",
        doc: "Longest text of one incoming mail in bytes (1024 to 1048576); the rest is cut.",
        example: "max_text = 32768",
    },
    Key {
        key: "timeout",
        default: "300",
        doc: "Seconds a mail server may be silent, at either side (5 to 3600).",
        example: "timeout = 300",
    },
];
