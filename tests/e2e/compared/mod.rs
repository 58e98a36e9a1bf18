//! biboumi's known defects, each as a small probe of biboumi itself and of this program between
//! the same servers. What each does is measured by the same code; the table is printed. This
//! program has to do well in every row but those that say so; what biboumi does is only told.

mod bench;
mod ircd;
mod messages;
mod raw;
mod rooms;
mod sessions;

pub(crate) use self::bench::configure;

use self::bench::{Bench, Which};

/// What a probe saw.
struct Seen {
    /// It is as it should be.
    right: bool,
    words: String,
}

impl Seen {
    fn new(right: bool, words: impl Into<String>) -> Self {
        Self {
            right,
            words: words.into(),
        }
    }
}

/// What should be, for each probe in the order in which they are run.
const PROBES: [&str; 32] = [
    "a private message needs no channel",
    "nicknames are compared by CASEMAPPING rfc1459",
    "a refused join is a presence error, for 403 405 471 473 474 477",
    "away is never told as NICK",
    "unsubscribing leaves nothing behind",
    "a message that the network refuses (404) is an error, not shown as said",
    "a long message is shown to its sender once",
    "cut lines are UTF-8",
    "a message to nobody (401) is an error",
    "hex colours and colours above 15 leave no digits in the text",
    "the address of a shared file is sent",
    "a correction is told as one",
    "a reaction that cannot be told is refused",
    "the quotation of a reply is not sent as lines",
    "a carriage return does not reach the wire",
    "CTCP TIME is answered",
    "a ban (affiliation outcast) is done and answered",
    "the list of bans can be read",
    "a MODE with a ban and a rank keeps the rank",
    "recording switched off in one channel concerns that one",
    "a server without SASL: the login ends with an error",
    "a form shows no password",
    "a chat message to a channel is answered",
    "vCard of a nick is answered",
    "disco#info of a nick is answered",
    "a prompt for addresses (jabber:iq:gateway) is answered",
    "registration is answered in words",
    "a lost connection is made again",
    "persistent channels are joined again after a restart",
    "numeric 443 with three parameters does no harm",
    "MODE without modes does no harm",
    "SIGTERM ends it within 8 s, whatever the IRC server does",
];

async fn probe(at: usize, bench: &Bench) -> Seen {
    match at {
        0 => messages::without_a_channel(bench).await,
        1 => rooms::case_mapping(bench).await,
        2 => rooms::refused_joins(bench).await,
        3 => sessions::away(bench).await,
        4 => sessions::unsubscribed(bench).await,
        5 => messages::refused(bench).await,
        6 => messages::long(bench).await,
        7 => messages::cut(bench).await,
        8 => messages::to_nobody(bench).await,
        9 => messages::colours(bench).await,
        10 => messages::shared_file(bench).await,
        11 => messages::correction(bench).await,
        12 => messages::reaction(bench).await,
        13 => messages::quotation(bench).await,
        14 => raw::carriage_return(bench.which).await,
        15 => messages::time(bench).await,
        16 => rooms::ban(bench).await,
        17 => rooms::bans(bench).await,
        18 => rooms::rank_beside_ban(bench).await,
        19 => rooms::recording(bench).await,
        20 => sessions::no_sasl(bench).await,
        21 => sessions::form_with_password(bench).await,
        22 => rooms::chat_to_a_channel(bench).await,
        23 => sessions::asked(bench, &bench.person("bob"), "<vCard xmlns='vcard-temp'/>").await,
        24 => sessions::asked(bench, &bench.person("bob"), crate::world::DISCO_INFO).await,
        25 => {
            sessions::asked(
                bench,
                crate::world::IRC,
                "<query xmlns='jabber:iq:gateway'/>",
            )
            .await
        }
        26 => sessions::registration(bench).await,
        27 => sessions::reconnect(bench).await,
        28 => sessions::persistent(bench).await,
        29 => sessions::numeric_443(bench).await,
        30 => sessions::mode_without_modes(bench).await,
        _ => sessions::ends_in_time(bench).await,
    }
}

/// All probes, in one run of the gateway: the last ones cut connections.
async fn all(which: Which) -> Vec<Seen> {
    let bench = Bench::start(which).await;
    let mut seen = Vec::new();
    for (at, name) in PROBES.iter().enumerate() {
        // Whatever the one before did: the gateway is to be there for the next.
        if bench.gate.ended().is_some() {
            bench.gate.restart();
            bench.attached().await;
            bench.enter("#marks").await;
        }
        let one = probe(at, &bench).await;
        println!("{which:?}: {name}: {}: {}", one.right, one.words);
        seen.push(one);
    }
    seen
}

fn table(columns: &[(&str, &[Seen])]) -> String {
    let mut table = String::from("| what should be |");
    for (name, _) in columns {
        table.push_str(&format!(" {name} |"));
    }
    table.push_str("\n| --- |");
    table.push_str(&" --- |".repeat(columns.len()));
    for (at, what) in PROBES.iter().enumerate() {
        table.push_str(&format!("\n| {what} |"));
        for (_, seen) in columns {
            let word = if seen[at].right { "yes" } else { "**no**" };
            table.push_str(&format!(" {word}: {} |", seen[at].words));
        }
    }
    table
}

fn assert_all_right(seen: &[Seen], table: &str) {
    let wrong: Vec<&str> = (PROBES.iter().zip(seen))
        .filter(|(_, seen)| !seen.right)
        .map(|(what, _)| *what)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compared_with_biboumis_defects_isthmus_has_none_of_them() {
    let seen = all(Which::Isthmus).await;
    let table = table(&[("isthmus", &seen)]);
    println!("{table}");
    assert_all_right(&seen, &table);
}

/// The long form, for the table of `docs/compared.md`.
#[tokio::test(flavor = "multi_thread")]
async fn compared_side_by_side_biboumi_is_measured_by_the_same_probes() {
    if !std::env::var("ISTHMUS_ENDURE").is_ok_and(|it| it == "1") {
        // Short: one defect is enough to see that the probes can tell.
        let bench = Bench::start(Which::Biboumi).await;
        let seen = messages::to_nobody(&bench).await;
        assert!(!seen.right, "biboumi does well now: {}", seen.words);
        return;
    }
    let biboumi = all(Which::Biboumi).await;
    let isthmus = all(Which::Isthmus).await;
    let table = table(&[("biboumi 9.0", &biboumi), ("isthmus", &isthmus)]);
    println!("{table}");
    assert_all_right(&isthmus, &table);
}
