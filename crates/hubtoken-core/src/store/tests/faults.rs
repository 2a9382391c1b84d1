//! Tests symbolic links, leftovers, partially written files, and locks held by other processes.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::interrupt::Interrupt;
use crate::store::{entries, settled, settled_by};

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[cfg(unix)]
#[test]
fn links_stay_links() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (home, elsewhere) = (folder.path().join("home"), folder.path().join("elsewhere"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    // One link points to an existing file, the other through a second link to a file that is
    // created later.
    fs::write(elsewhere.join("stored"), "").unwrap();
    symlink("../elsewhere/stored", home.join("stored_tokens")).unwrap();
    symlink(elsewhere.join("next"), home.join("token")).unwrap();
    symlink("active", elsewhere.join("next")).unwrap();
    let token_store = token_store(&home);
    save(&token_store, "ci", "A", HUB);
    assert!(text(&elsewhere.join("stored")).contains(token("A").expose()));
    assert_eq!(text(&elsewhere.join("active")), token("A").expose());
    assert_eq!(names(&token_store), [("ci".to_owned(), true)]);
    token_store.remove_all().unwrap();
    assert!(!elsewhere.join("stored").exists() && !elsewhere.join("active").exists());
    for name in ["token", "stored_tokens"] {
        assert!(home.join(name).is_symlink(), "{name}");
    }
    assert_eq!(listed(&token_store).len(), 0);
    save(&token_store, "ci", "B", HUB);
    assert_eq!(text(&elsewhere.join("active")), token("B").expose());
}

#[cfg(unix)]
#[test]
fn a_broken_file_behind_a_link_is_set_aside_with_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "hf_FakeSecret").unwrap();
    let token_store = token_store(folder.path());
    std::os::unix::fs::symlink(&elsewhere, token_store.path().unwrap()).unwrap();
    let saved = token_store
        .save("ci", &token("A"), &record(HUB, "alice"), false)
        .unwrap();
    let aside = folder.path().join("elsewhere.broken-1");
    assert!(saved.warnings[0].contains(aside.to_str().unwrap()));
    assert_eq!(text(&aside), "hf_FakeSecret");
    assert!(!aside.is_symlink() && token_store.path().unwrap().is_symlink());
    assert_eq!(names(&token_store), [("ci".to_owned(), true)]);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    std::os::unix::fs::symlink("token", folder.path().join("token")).unwrap();
    let saved = token_store.save("ci", &token("A"), &record(HUB, "alice"), false);
    assert!(matches!(saved, Err(Error::Store(_))));
    assert!(listed(&token_store).is_empty());
}

#[test]
fn what_a_killed_process_was_writing_goes_with_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "ci", "A", HUB);
    for name in ["token", "stored_tokens", "hubtoken_endpoints.json"] {
        let path = folder.path().join(format!("{name}.hubtoken-new"));
        fs::write(&path, token("Left").expose()).unwrap();
    }
    token_store.remove_all().unwrap();
    let left = fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["stored_tokens.lock"]);
}

#[test]
fn all_or_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "ci", "A", HUB);
    let before = text(token_store.path().unwrap());
    // A folder in the way: the last of the three files cannot be prepared.
    fs::create_dir(folder.path().join("token.hubtoken-new")).unwrap();
    fs::write(folder.path().join("token.hubtoken-new/file"), "").unwrap();
    let saved = token_store.save("new", &token("B"), &record(HUB, "alice"), false);
    assert!(matches!(saved, Err(Error::Store(_))));
    assert!(matches!(token_store.switch("ci"), Err(Error::Store(_))));
    assert_eq!(text(token_store.path().unwrap()), before);
    let known = text(&folder.path().join("hubtoken_endpoints.json"));
    assert_eq!(known.matches("\"endpoint\"").count(), 1);
}

#[test]
fn a_file_that_is_being_written_is_read_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stored_tokens");
    let whole = "[a]\nhf_token = hf_FakeA\n\n[b]\nhf_token = hf_FakeB\n\n";
    for part in ["", &whole[..20], &whole[..30], "[a]\nhf_tok"] {
        // The writer has truncated the file and completes it between our first and second read.
        fs::write(&path, part).unwrap();
        let looks = Cell::new(0);
        // Counts as recent, however long the test takes.
        let now = || path.metadata().unwrap().modified().unwrap();
        let read = settled_by(now, &path, |text| {
            looks.set(looks.get() + 1);
            fs::write(&path, whole).unwrap();
            entries(text)
        });
        let names: Vec<String> = read.unwrap().unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!((names.len(), looks.get()), (2, 2), "{part}");
    }
}

#[test]
fn a_broken_file_that_nobody_is_writing_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stored_tokens");
    fs::write(&path, "[a]\nhf_FakeSecret").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let hour = std::time::Duration::from_hours(1);
    let now = std::time::SystemTime::now();
    // An hour ago, or by a clock that was later set back.
    for modified in [now - hour, now + hour] {
        file.set_modified(modified).unwrap();
        let looks = Cell::new(0);
        let read = settled(&path, |text| {
            looks.set(looks.get() + 1);
            entries(text)
        });
        assert!(read.unwrap().is_err());
        assert_eq!(looks.get(), 1);
    }
}

/// Interrupts after a number of checks.
struct After(AtomicUsize);

impl Interrupt for After {
    fn is_set(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[test]
fn the_wait_for_another_process_ends_with_a_timeout_or_with_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = token_store(folder.path());
    save(&first, "ci", "A", HUB);
    let held = first.lock().unwrap();
    let environment = StaticEnvironment::from([("HF_HOME", folder.path().to_str().unwrap())]);
    let interrupt = After(AtomicUsize::new(3));
    let second = TokenStore::new(
        &Paths::new(&environment),
        Endpoint::parse(HUB).unwrap(),
        &interrupt,
    );
    let switched = second.switch("ci");
    assert!(matches!(switched, Err(Error::Interrupted)));
    first.lock_timeout = std::time::Duration::ZERO;
    let Err(Error::Store(problem)) = first.switch("ci") else {
        unreachable!("the lock was taken twice");
    };
    assert!(problem.contains("another process"), "{problem}");
    // Reading does not wait for the lock.
    assert_eq!(names(&first), [("ci".to_owned(), true)]);
    drop(held);
    first.switch("ci").unwrap();
}

#[test]
fn what_every_section_inherits_goes_with_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let inherited = "[DEFAULT]\nhf_token = hf_FakeInherited\nrefresh_token = r\nnote = mine\n\n";
    let own = "[a]\nexpires_at = 1\n\n[b]\nhf_token = hf_FakeB\n\n";
    fs::write(
        token_store.path().unwrap(),
        format!("# kept\n{inherited}{own}"),
    )
    .unwrap();
    assert_eq!(listed(&token_store).len(), 2);
    assert_eq!(token_store.remove_all().unwrap().names, ["a", "b"]);
    assert_eq!(
        text(token_store.path().unwrap()),
        "# kept\n[DEFAULT]\nnote = mine\n\n"
    );
}

#[test]
fn the_hubs_own_name_finds_what_is_stored_under_a_safe_one() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "DEFAULT", "A", HUB);
    save(&token_store, "two\nlines", "B", HUB);
    assert_eq!(
        token_store.switch("DEFAULT").unwrap().name,
        "DEFAULT~89dbf710"
    );
    assert_eq!(
        token_store.rename("DEFAULT", "plain").unwrap().name,
        "plain"
    );
    let removed = token_store.remove("two\nlines").unwrap().names;
    assert!(removed[0].starts_with("two_lines~"), "{removed:?}");
}

#[test]
fn a_file_that_is_not_ours_to_parse_is_an_error_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let big = vec![b'#'; 8 * 1024 * 1024 + 1];
    fs::write(token_store.path().unwrap(), &big).unwrap();
    let refused = |token_store: &TokenStore<'_>| {
        assert!(matches!(token_store.list(), Err(Error::Store(_))));
        let saved = token_store.save("ci", &token("A"), &record(HUB, "alice"), false);
        assert!(matches!(saved, Err(Error::Store(_))));
        assert!(matches!(token_store.remove_all(), Err(Error::Store(_))));
    };
    refused(&token_store);
    assert_eq!(
        fs::metadata(token_store.path().unwrap()).unwrap().len(),
        big.len() as u64
    );
    fs::remove_file(token_store.path().unwrap()).unwrap();
    fs::create_dir(token_store.path().unwrap()).unwrap();
    refused(&token_store);
    fs::remove_dir(token_store.path().unwrap()).unwrap();
    save(&token_store, "ci", "A", HUB);
}
