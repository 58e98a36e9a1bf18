use tempfile::TempDir;

use super::*;
use crate::host::Limits;
use crate::store::SqliteStore;

const PLENTY: u64 = 1 << 30;

struct Scene {
    store: Arc<dyn Store>,
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let store = SqliteStore::open(&dir.path().join("isthmus.db")).expect("a store");
        Self {
            store: Arc::new(store),
            dir,
        }
    }

    fn open(&self) -> Attachments {
        Attachments::open(self.dir.path(), self.store.as_ref()).expect("a folder of our own")
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("attachments")
    }

    /// Names of the files there, sorted; none without the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten();
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn shared(&self, attachment: u64, attachments_total: u64) -> Arc<Shared> {
        let limits = Limits {
            history: 20,
            rooms_per_user: 10,
            networks_per_user: 10,
            sessions: 10,
            inbox: 16,
            stanzas_per_second: 10,
            stanzas_burst: 10,
            attachment,
            attachments_total,
            attachments_per_user: 0,
            attachment_age: std::time::Duration::ZERO,
            receipt_timeout: std::time::Duration::from_secs(3600),
        };
        let shared = Shared::new(Arc::clone(&self.store), limits);
        Arc::new(shared.with_attachments(self.open()))
    }
}

fn id(url: &str) -> &str {
    url.strip_prefix(TOKEN).expect("a token")
}

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("it exists");
    metadata.permissions().mode() & 0o777
}

#[tokio::test]
async fn an_attachment_is_kept_for_the_owner_alone_with_what_is_said_of_it() {
    let scene = Scene::new();
    let shared = scene.shared(1024, PLENTY);
    let mut writer = Box::new(Writer::new(shared, "../a\n\u{202e}\"b.pdf", "Text/PDF"));
    writer.write(b"one ").expect("room");
    writer.write(b"two").expect("room");
    let url = writer.finish().await.expect("kept");
    let path = scene.folder().join(id(&url));
    assert_eq!(fs::read(&path).expect("it exists"), b"one two");
    let about = scene.folder().join(format!("{}.json", id(&url)));
    let about_text = fs::read_to_string(&about).expect("it exists");
    assert_eq!(
        about_text,
        r#"{"name":"_a\"b.pdf","mime":"text/pdf","size":7}"#
    );
    assert_eq!(
        (mode(&scene.folder()), mode(&path), mode(&about)),
        (0o700, 0o600, 0o600)
    );
    assert_eq!(scene.names().len(), 2);
}

#[test]
fn the_same_attachment_is_kept_once_and_another_store_names_it_otherwise() {
    let (scene, other) = (Scene::new(), Scene::new());
    let all = scene.open();
    let first = all.keep("a", "text/plain", b"hi", PLENTY).expect("kept");
    // The quota is full by now: what is there already needs none.
    let again = all.keep("a", "text/plain", b"hi", 0).expect("kept");
    assert_eq!(first, again);
    assert_eq!(all.used.load(Ordering::Relaxed), 2 + OVERHEAD);
    let renamed = all.keep("b", "text/plain", b"hi", PLENTY).expect("kept");
    let elsewhere = other.open().keep("a", "text/plain", b"hi", PLENTY);
    assert!(first != renamed && first != elsewhere.expect("kept"));
    assert_eq!(scene.names().len(), 4);
}

#[test]
fn a_damaged_attachment_is_replaced() {
    let scene = Scene::new();
    let all = scene.open();
    let url = all.keep("a", "", b"whole", PLENTY).expect("kept");
    let path = scene.folder().join(id(&url));
    fs::write(&path, b"wh").expect("written");
    assert_eq!(all.keep("a", "", b"whole", PLENTY).expect("kept"), url);
    assert_eq!(fs::read(&path).expect("it exists"), b"whole");
}

#[tokio::test]
async fn an_aborted_or_too_large_attachment_leaves_nothing() {
    let scene = Scene::new();
    let shared = scene.shared(4, PLENTY);
    let mut aborted = Writer::new(Arc::clone(&shared), "a", "");
    aborted.write(b"half").expect("room");
    drop(aborted);
    let mut large = Box::new(Writer::new(Arc::clone(&shared), "a", ""));
    large.write(b"four").expect("room");
    let refused = large.write(b"!").expect_err("too large");
    assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    // Nor is what came before kept as if it were the whole.
    let refused = large.finish().await.expect_err("too large");
    assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    let mut limits = (*shared.limits()).clone();
    limits.attachment = 5;
    shared.set_limits(limits);
    let mut fits = Box::new(Writer::new(shared, "a", ""));
    fits.write(b"four!").expect("the limit is live");
    assert_eq!(scene.names(), Vec::<String>::new());
    fits.finish().await.expect("kept");
    assert_eq!(scene.names().len(), 2);
}

#[test]
fn the_quota_holds_for_all_together_and_over_a_restart() {
    let scene = Scene::new();
    let two = 2 * (OVERHEAD + 1);
    let all = scene.open();
    all.keep("a", "", b"1", two).expect("room for two");
    let all = scene.open();
    all.keep("b", "", b"2", two).expect("room for two");
    let names = scene.names();
    let refused = all.keep("c", "", b"3", two).expect_err("no room");
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
    assert!(
        refused.to_string().contains("attachments_total"),
        "{refused}"
    );
    assert_eq!(scene.names(), names);
    all.keep("c", "", b"3", two + OVERHEAD + 1)
        .expect("room for three");
}

#[test]
fn a_failed_write_gives_its_room_back() {
    let scene = Scene::new();
    let all = scene.open();
    fs::write(scene.folder(), b"no folder").expect("written");
    all.keep("a", "", b"1", PLENTY).expect_err("no folder");
    assert_eq!(all.used.load(Ordering::Relaxed), 0);
}

#[test]
fn what_a_crash_leaves_is_swept_at_the_next_start() {
    let scene = Scene::new();
    let all = scene.open();
    all.keep("a", "", b"1", PLENTY).expect("kept");
    let names = scene.names();
    // As if it had ended before the one name, and between the two.
    let half = Temporary::write(&scene.folder(), b"half").expect("written");
    std::mem::forget(half);
    let about_nothing = format!("{}.json", "0".repeat(32));
    fs::write(scene.folder().join(about_nothing), b"{}").expect("written");
    assert_eq!(scene.names().len(), names.len() + 2);
    let all = scene.open();
    assert_eq!(scene.names(), names);
    assert_eq!(all.used.load(Ordering::Relaxed), 1 + OVERHEAD);
}

#[test]
fn names_are_one_line_and_no_path() {
    for (name, tidy) in [
        ("", "attachment"),
        ("..", "attachment"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\r\nb\0", "ab"),
        ("\u{202e}gpj.exe", "gpj.exe"),
        (" plan B.pdf ", "plan B.pdf"),
    ] {
        assert_eq!(tidy_name(name), tidy, "{name:?}");
    }
    assert_eq!(tidy_name(&"é".repeat(300)).chars().count(), LONGEST_NAME);
    for (mime, tidy) in [
        ("Image/PNG", "image/png"),
        ("image", "application/octet-stream"),
        ("a/b; c=d", "application/octet-stream"),
        ("a/\n", "application/octet-stream"),
    ] {
        assert_eq!(tidy_mime(mime), tidy, "{mime:?}");
    }
}

#[test]
fn what_is_past_its_age_is_removed_and_what_comes_again_is_young_again() {
    let scene = Scene::new();
    let all = scene.open();
    let old = all.keep("old", "text/plain", b"one", PLENTY).expect("kept");
    let again = all
        .keep("again", "text/plain", b"two", PLENTY)
        .expect("kept");
    let day = std::time::Duration::from_secs(86_400);
    let now = SystemTime::now();
    for url in [&old, &again] {
        let file = File::open(scene.folder().join(id(url))).expect("it exists");
        file.set_modified(now - 2 * day).expect("it is ours");
    }
    assert_eq!(
        all.keep("again", "text/plain", b"two", PLENTY)
            .expect("kept"),
        again
    );
    assert_eq!(all.prune(now - 3 * day).expect("ours"), 0);
    assert_eq!(all.prune(now - day).expect("ours"), 1);
    let mut left = vec![id(&again).to_owned(), format!("{}.json", id(&again))];
    left.sort();
    assert_eq!(scene.names(), left);
    assert_eq!(
        all.used.load(Ordering::Relaxed),
        3 + OVERHEAD,
        "room is given back"
    );
}

/// A user, and the gateway he is behind.
const JULIET: (&str, &str) = ("juliet@example.org", "loop.example.org");
const ROMEO: (&str, &str) = ("romeo@example.org", "loop.example.org");

/// Keeps a file of three bytes for somebody.
fn keep_for(all: &Attachments, (user, gateway): (&str, &str), name: &str, most: u64) -> String {
    let url = all.keep(name, "text/plain", b"abc", PLENTY).expect("kept");
    all.own(id(&url), user, gateway, most).expect("his");
    id(&url).to_owned()
}

#[test]
fn who_goes_takes_his_attachments_with_him_and_nobody_elses() {
    let scene = Scene::new();
    let all = scene.open();
    let his = keep_for(&all, JULIET, "his", 0);
    let both = keep_for(&all, JULIET, "both", 0);
    keep_for(&all, ROMEO, "both", 0);
    let elsewhere = (JULIET.0, "other.example.org");
    let other = keep_for(&all, elsewhere, "other", 0);
    all.disown(JULIET.0, JULIET.1).expect("ours");
    assert!(all.read(&his).is_err(), "it was nobody else's");
    assert!(all.read(&both).is_ok() && all.read(&other).is_ok());
    assert_eq!(all.used(), 2 * (3 + OVERHEAD), "room is given back");
    all.disown(JULIET.0, JULIET.1)
        .expect("there is nothing left");
    all.disown(ROMEO.0, ROMEO.1).expect("ours");
    assert!(all.read(&both).is_err(), "the last owner is gone");
}

#[test]
fn a_users_oldest_attachments_make_room_for_his_next() {
    let scene = Scene::new();
    let all = scene.open();
    let share = 2 * (3 + OVERHEAD);
    let hour = std::time::Duration::from_secs(3600);
    let mut ids = Vec::new();
    for (age, name) in [(3, "old"), (2, "older than one"), (1, "young")] {
        let id = keep_for(&all, JULIET, name, share);
        let file = File::open(scene.folder().join(&id)).expect("it exists");
        file.set_modified(SystemTime::now() - age * hour)
            .expect("it is ours");
        ids.push(id);
    }
    let romeos = keep_for(&all, ROMEO, "another's", share);
    let left: Vec<bool> = ids.iter().map(|id| all.read(id).is_ok()).collect();
    assert_eq!(left, [false, true, true]);
    assert!(all.read(&romeos).is_ok(), "his share is his own");
    assert_eq!(all.used(), 3 * (3 + OVERHEAD));
}

#[test]
fn what_is_past_its_age_goes_whoever_has_it_and_what_a_crash_leaves_is_swept() {
    let scene = Scene::new();
    let all = scene.open();
    let old = keep_for(&all, JULIET, "old", 0);
    let half = keep_for(&all, JULIET, "half", 0);
    let day = std::time::Duration::from_secs(86_400);
    let file = File::open(scene.folder().join(&old)).expect("it exists");
    file.set_modified(SystemTime::now() - 2 * day)
        .expect("it is ours");
    let owned = || {
        let owners = fs::read_dir(scene.folder().join("of")).expect("a folder");
        let folders = owners.map(|it| it.expect("an entry").path());
        folders
            .flat_map(|it| fs::read_dir(it).expect("a folder"))
            .count()
    };
    assert_eq!(owned(), 2);
    assert_eq!(all.prune(SystemTime::now() - day).expect("ours"), 1);
    assert_eq!(owned(), 1, "the disk is given back");
    // A crash between the bytes and their owner's name.
    fs::remove_file(scene.folder().join(&half)).expect("ours");
    drop(scene.open());
    assert_eq!(owned(), 0);
}
