//! Every key that does not belong to a gateway kind, documented once.

use super::Key;

/// `[component]`.
pub(super) const COMPONENT: &[Key] = &[
    Key {
        key: "server",
        default: "\"127.0.0.1:5347\"",
        doc: "Where the XMPP server listens for components: host:port.",
        example: "server = \"xmpp.example.org:5347\"",
    },
    Key {
        key: "secret",
        default: "",
        doc: "The secret that the XMPP server has for the component.\n\
              A gateway may have its own. The environment is a better place than this file.",
        example: "secret = \"change me\"",
    },
    Key {
        key: "secret_file",
        default: "",
        doc: "A file that holds the secret, instead of secret.",
        example: "secret_file = \"component.secret\"",
    },
    Key {
        key: "server_domain",
        default: "",
        doc: "The XMPP server's own domain; without it the first gateway's domain less its\n\
              first label.",
        example: "server_domain = \"example.org\"",
    },
    Key {
        key: "tls",
        default: "false",
        doc: "TLS from the first byte, where the server's listener has it.",
        example: "tls = true",
    },
    Key {
        key: "tls_name",
        default: "",
        doc: "The name that the listener's certificate must have; without it the host of server.",
        example: "tls_name = \"xmpp.example.org\"",
    },
    Key {
        key: "ca_file",
        default: "",
        doc: "Authorities (PEM) to trust for that certificate, besides the system's.",
        example: "ca_file = \"authorities.pem\"",
    },
    Key {
        key: "stanza_limit",
        default: "65536",
        doc: "Largest stanza that is sent, in bytes (10000 to 1048576). Keep it below the\n\
              server's own limit: most servers close the stream above it.",
        example: "stanza_limit = 65536",
    },
];

/// `[store]`.
pub(super) const STORE: &[Key] = &[Key {
    key: "path",
    default: "\"isthmus.db\"",
    doc: "The database (SQLite). The key that seals secrets is kept beside it, in <path>.key:\n\
          back up both. Relative paths start at the folder of this file.",
    example: "path = \"/var/lib/isthmus/isthmus.db\"",
}];

/// `[archive]`.
pub(super) const ARCHIVE: &[Key] = &[
    Key {
        key: "days",
        default: "365",
        doc: "Days after which an archived message is removed (0 to 36500; 0: never). Live, as\n\
              the other key here.",
        example: "days = 90",
    },
    Key {
        key: "rows",
        default: "100000",
        doc: "Messages that are kept of each conversation of each user, the newest (0 to\n\
              1000000000; 0: all).",
        example: "rows = 10000",
    },
];

/// `[log]`.
pub(super) const LOG: &[Key] = &[
    Key {
        key: "format",
        default: "\"human\"",
        doc: "\"human\" or \"json\".",
        example: "format = \"json\"",
    },
    Key {
        key: "level",
        default: "\"info\"",
        doc: "error, warn, info, debug or trace, also by module. Live: changes with SIGHUP.",
        example: "level = \"info,isthmus::component=debug\"",
    },
];

/// `[messages]`.
pub(super) const MESSAGES: &[Key] = &[
    Key {
        key: "corrections",
        default: "\"short\"",
        doc: "How a corrected message is told where the network cannot change one: \"short\"\n\
              (s/old/new/ for a few words, else the whole text behind \"* \"), \"text\" (always the\n\
              whole text) or \"refuse\" (not at all, and the sender is told so).",
        example: "corrections = \"text\"",
    },
    Key {
        key: "language",
        default: "\"en\"",
        doc: "The language in which users are answered whose clients ask for none that is spoken\n\
              here, and who have set none: \"en\" (English) or \"zh\" (Chinese).",
        example: "language = \"zh\"",
    },
];

/// `[contact]`, as XEP-0157 names what addresses are for.
pub(super) const CONTACT: &[Key] = &[
    Key {
        key: "abuse",
        default: "[]",
        doc: "Where users complain of abuse: URIs. All of this table is shown to users (XEP-0157).",
        example: "abuse = [\"mailto:abuse@example.org\"]",
    },
    Key {
        key: "admin",
        default: "[]",
        doc: "Where those who run it can be reached.",
        example: "admin = [\"mailto:admin@example.org\", \"xmpp:admin@example.org\"]",
    },
    Key {
        key: "feedback",
        default: "[]",
        doc: "Where opinions go.",
        example: "feedback = [\"mailto:feedback@example.org\"]",
    },
    Key {
        key: "sales",
        default: "[]",
        doc: "Where one asks what it costs.",
        example: "sales = [\"mailto:sales@example.org\"]",
    },
    Key {
        key: "security",
        default: "[]",
        doc: "Where weaknesses of its security are reported.",
        example: "security = [\"https://example.org/security\"]",
    },
    Key {
        key: "status",
        default: "[]",
        doc: "Where it is said what works and what does not.",
        example: "status = [\"https://status.example.org\"]",
    },
    Key {
        key: "support",
        default: "[]",
        doc: "Where one gets help.",
        example: "support = [\"xmpp:help@rooms.example.org?join\"]",
    },
];

/// `[limits]`.
pub(super) const LIMITS: &[Key] = &[
    Key {
        key: "networks_per_user",
        default: "20",
        doc: "Networks that one user may be connected to at once, per gateway (1 to 10000).\n\
              All limits are live: they change with SIGHUP, for what begins after it.",
        example: "networks_per_user = 20",
    },
    Key {
        key: "rooms_per_user",
        default: "200",
        doc: "Rooms that one user may be in at once, per network (1 to 100000).",
        example: "rooms_per_user = 200",
    },
    Key {
        key: "sessions",
        default: "20000",
        doc: "Sessions (a user on a network) of all users together (1 to 10000000).",
        example: "sessions = 20000",
    },
    Key {
        key: "received_stanza",
        default: "262144",
        doc: "Largest stanza that is accepted, in bytes (10000 to 16777216).",
        example: "received_stanza = 262144",
    },
    Key {
        key: "history",
        default: "20",
        doc: "Messages shown to who joins a room without saying how many (0 to 1000).",
        example: "history = 20",
    },
    Key {
        key: "inbox",
        default: "256",
        doc: "Stanzas that may wait for one session before its user is told to wait\n\
              (16 to 65536).",
        example: "inbox = 256",
    },
    Key {
        key: "stanzas_per_second",
        default: "50",
        doc: "Stanzas accepted from one user each second, over time (1 to 100000).",
        example: "stanzas_per_second = 50",
    },
    Key {
        key: "stanzas_burst",
        default: "1000",
        doc: "Stanzas accepted from one user at once (10 to 1000000).",
        example: "stanzas_burst = 1000",
    },
    Key {
        key: "attachment",
        default: "26214400",
        doc: "Largest attachment from a network that is kept, in bytes (1024 to 1073741824).\n\
              Attachments are files in attachments/, beside the database: back up both.",
        example: "attachment = 26214400",
    },
    Key {
        key: "attachments_total",
        default: "10737418240",
        doc: "Disk that all attachments may take, in bytes (0 to 1125899906842624). What comes\n\
              with one beyond it is not taken for now.",
        example: "attachments_total = 10737418240",
    },
    Key {
        key: "attachments_per_user",
        default: "1073741824",
        doc: "Disk that the attachments of one user behind one gateway may take, in bytes\n\
              (0 to 1125899906842624; 0: as much as all). Beyond it his oldest are removed.",
        example: "attachments_per_user = 1073741824",
    },
    Key {
        key: "attachment_days",
        default: "0",
        doc: "Days after which an attachment is removed (0 to 36500; 0: never).",
        example: "attachment_days = 90",
    },
    Key {
        key: "receipt_timeout_hours",
        default: "72",
        doc: "Hours until a receipt that does not come is no longer waited for, on networks that\n\
              confirm deliveries (1 to 4320). One that comes later still counts.",
        example: "receipt_timeout_hours = 72",
    },
];

/// `[attachments]`.
pub(super) const ATTACHMENTS: &[Key] = &[
    Key {
        key: "types",
        default: "[]",
        doc: "Media types that are carried as files, both ways, such as \"image/png\" or\n\
              \"image/*\"; none named: all. Others stay with the gateway, or stay links.",
        example: "types = [\"image/*\", \"audio/*\", \"application/pdf\"]",
    },
    Key {
        key: "fetch",
        default: "true",
        doc: "What users share by a link is fetched for networks that carry files, such as\n\
              email: by https, from hosts on the public internet and those in trusted.",
        example: "fetch = false",
    },
    Key {
        key: "fetch_pictures",
        default: "true",
        doc: "Pictures of people and rooms that networks tell by a link are fetched: by https, from\n\
              hosts on the public internet alone (not those in trusted), once for all users, at\n\
              most 45000 bytes, of a type in types.",
        example: "fetch_pictures = false",
    },
    Key {
        key: "trusted",
        default: "[]",
        doc: "Hosts that may be reached at private addresses and without TLS: those of your own\n\
              file services, where they are such. Users can have anything there fetched: name\n\
              the port where other things listen beside. Not for pictures, whose links anybody\n\
              on a network names.",
        example: "trusted = [\"upload.example.org:5280\"]",
    },
    Key {
        key: "listen",
        default: "",
        doc: "Where our own file server listens, as address:port: plain HTTP, for a proxy that\n\
              adds TLS. Used where a user's server takes no uploads of ours. Needs public_url.",
        example: "listen = \"127.0.0.1:5480\"",
    },
    Key {
        key: "public_url",
        default: "",
        doc: "What the addresses of its files begin with, as users reach it.",
        example: "public_url = \"https://files.example.org/isthmus\"",
    },
    Key {
        key: "paste_lines",
        default: "5",
        doc: "Messages to rooms of more lines than this become a file with a link, where the\n\
              network has no lines and the user's server or ours takes files (0 to 1000;\n\
              0: never).",
        example: "paste_lines = 5",
    },
];

/// `[metrics]`.
pub(super) const METRICS: &[Key] = &[Key {
    key: "listen",
    default: "",
    doc: "Where figures for Prometheus (/metrics) and the state of the program (/health) can be\n\
          read, as address:port: plain HTTP, for whoever can reach it. Without it nowhere.",
    example: "listen = \"127.0.0.1:5481\"",
}];

/// The keys that `[gateway.NAME]` has whatever its kind.
pub(super) const GATEWAY: &[Key] = &[
    Key {
        key: "domain",
        default: "",
        doc: "The domain that the gateway serves; the XMPP server must know it as a component.",
        example: "domain = \"KIND.example.org\"",
    },
    Key {
        key: "kind",
        default: "",
        doc: "The kind of gateway; without it the table's name.",
        example: "kind = \"KIND\"",
    },
    Key {
        key: "title",
        default: "",
        doc: "What it is called in rosters and service discovery; without it, its kind's name.",
        example: "title = \"Our KIND\"",
    },
    Key {
        key: "avatar",
        default: "",
        doc: "A picture of it for its users: a file (PNG, JPEG, GIF or WebP) of at most 45000\n\
              bytes; square, and best a PNG of 64 by 64 pixels. Without it there is none.",
        example: "avatar = \"KIND.png\"",
    },
    Key {
        key: "allow",
        default: "",
        doc: "Who may use it: domains and JIDs; without it all users of server_domain. Live.",
        example: "allow = [\"example.org\", \"guest@example.net\"]",
    },
    Key {
        key: "archive",
        default: "true",
        doc: "Whether rooms and private messages are archived, for history and XEP-0313. Live.",
        example: "archive = false",
    },
    Key {
        key: "persistent",
        default: "false",
        doc: "Whether users stay in rooms when all their devices have left, unless they say\n\
              otherwise (the setting persistent). Live, for who leaves after it.",
        example: "persistent = true",
    },
    Key {
        key: "show_avatar",
        default: "false",
        doc: "Whether users' pictures are shown to others on the network, where that can show any\n\
              and attachments.listen is set, unless they say otherwise (the setting show_avatar).\n\
              Live.",
        example: "show_avatar = true",
    },
    Key {
        key: "transmission",
        default: "",
        doc: "What users are told of the way to the network (XEP-0504): \"plain\", \"encrypted\"\n\
              (TLS to its servers) or \"e2e\"; without it nothing is told.",
        example: "transmission = \"encrypted\"",
    },
    Key {
        key: "admins",
        default: "[]",
        doc: "JIDs of those who may administer it. Live.",
        example: "admins = [\"admin@example.org\"]",
    },
    Key {
        key: "server",
        default: "",
        doc: "As in [component], for this gateway.",
        example: "server = \"xmpp.example.org:5347\"",
    },
    Key {
        key: "secret",
        default: "",
        doc: "As in [component], for this gateway.",
        example: "secret = \"change me\"",
    },
    Key {
        key: "secret_file",
        default: "",
        doc: "As in [component], for this gateway.",
        example: "secret_file = \"KIND.secret\"",
    },
];

/// The tables with fixed names, in the order of the sample.
pub(super) const TABLES: &[(&str, &[Key])] = &[
    ("component", COMPONENT),
    ("store", STORE),
    ("archive", ARCHIVE),
    ("log", LOG),
    ("messages", MESSAGES),
    ("contact", CONTACT),
    ("limits", LIMITS),
    ("attachments", ATTACHMENTS),
    ("metrics", METRICS),
];

/// All fixed defaults, as TOML.
pub(super) fn defaults() -> String {
    let mut toml = String::new();
    for (table, keys) in TABLES {
        toml.push_str(&format!("[{table}]\n"));
        for doc in keys.iter().filter(|doc| !doc.default.is_empty()) {
            toml.push_str(&format!("{} = {}\n", doc.key, doc.default));
        }
    }
    toml
}
