//! Every key of the configuration, documented: the sample is made from this.

use isthmus_kit::Key;

/// Every key, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key {
        key: "hosts",
        default: "\"any\"",
        doc: "Servers users may name: \"any\" public host, \"named\" networks only, or a list.",
        example: "hosts = [\"irc.libera.chat\", \"irc.oftc.net\"]",
    },
    Key {
        key: "tls",
        default: "\"required\"",
        doc: "Encryption: \"required\", \"preferred\" (plain text where there is none) or \"off\".",
        example: "tls = \"required\"",
    },
    Key {
        key: "unverified",
        default: "false",
        doc: "Users may switch the verification of certificates off (verify_cert).",
        example: "unverified = true",
    },
    Key {
        key: "network",
        default: "",
        doc: "Serve this one network, with addresses like #room@domain and nick@domain.",
        example: "network = \"irc.libera.chat\"",
    },
    Key {
        key: "encoding",
        default: "\"windows-1252\"",
        doc: "How incoming bytes that are not UTF-8 are read (a WHATWG encoding label).",
        example: "encoding = \"iso-8859-15\"",
    },
    Key {
        key: "username",
        default: "",
        doc: "User name (ident) shown to IRC; without it the user's XMPP name.",
        example: "username = \"xmpp\"",
    },
    Key {
        key: "realname",
        default: "",
        doc: "Real name shown to IRC; without it the nickname.",
        example: "realname = \"XMPP user\"",
    },
    Key {
        key: "bind",
        default: "",
        doc: "Address that connections to IRC begin at.",
        example: "bind = \"192.0.2.1\"",
    },
    Key {
        key: "proxy",
        default: "",
        doc: "SOCKS5 proxy for connections to IRC; it resolves the names of servers.",
        example: "proxy = \"127.0.0.1:9050\"",
    },
    Key {
        key: "identd",
        default: "",
        doc: "Where servers may ask which user is behind a connection (RFC 1413).",
        example: "identd = \"0.0.0.0:113\"",
    },
    Key {
        key: "throttle_burst",
        default: "10",
        doc: "Lines that go out at once (1 to 1000).",
        example: "throttle_burst = 10",
    },
    Key {
        key: "throttle_rate",
        default: "1.0",
        doc: "Lines a second after that (0.01 to 1000000).",
        example: "throttle_rate = 1.0",
    },
    Key {
        key: "queue",
        default: "200",
        doc: "Lines of one user that wait to go out, at most (10 to 10000).",
        example: "queue = 200",
    },
    Key {
        key: "ping_after",
        default: "90",
        doc: "Seconds of silence after which the server is pinged (10 to 3600).",
        example: "ping_after = 90",
    },
    Key {
        key: "ping_timeout",
        default: "60",
        doc: "Seconds after the ping until the connection counts as dead (5 to 3600).",
        example: "ping_timeout = 60",
    },
    Key {
        key: "networks.NAME.hosts",
        default: "[\"NAME\"]",
        doc: "Servers of the network, tried in this order: \"host\" or \"host:port\".",
        example: "hosts = [\"irc.libera.chat\", \"irc.eu.libera.chat:6697\"]",
    },
    Key {
        key: "networks.NAME.tls",
        default: "",
        doc: "Encryption for this network; without it the setting above.",
        example: "tls = \"required\"",
    },
    Key {
        key: "networks.NAME.verify",
        default: "true",
        doc: "Verify the server's certificate.",
        example: "verify = true",
    },
    Key {
        key: "networks.NAME.pin",
        default: "",
        doc: "SHA-256 digest (hex) of the one certificate that is accepted.",
        example: "pin = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
    },
    Key {
        key: "networks.NAME.encoding",
        default: "",
        doc: "As above, for this network.",
        example: "encoding = \"koi8-r\"",
    },
    Key {
        key: "networks.NAME.password",
        default: "",
        doc: "Server password.",
        example: "password = \"correct horse\"",
    },
    Key {
        key: "networks.NAME.webirc",
        default: "",
        doc: "Password of WEBIRC, where the network gives each user an address of his own.",
        example: "webirc = \"correct horse\"",
    },
    Key {
        key: "networks.NAME.nick",
        default: "",
        doc: "Nickname of users who have not chosen one; without it the XMPP name.",
        example: "nick = \"guest\"",
    },
];
