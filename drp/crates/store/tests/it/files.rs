//! Database files: what is made, and what is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use drp_store::{Batch, Fault, Location, Op, Options, StoreError, open};

use crate::support::{file, memory};

fn put(store: &dyn drp_store::Store, key: &str) -> drp_store::Result<u64> {
    store.submit(Batch::new(vec![Op::put("m", key, vec![b'x'; 1000]).unique("Name", key)])).wait()
}

fn error(location: &str) -> StoreError {
    match open(location, Options::default()) {
        Err(error) => error,
        Ok(_) => panic!("{location} was opened"),
    }
}

#[test]
fn what_is_stored_is_there_after_reopening() {
    let fresh = file(Options::default());
    put(&*fresh.store, "a").unwrap();
    put(&*fresh.store, "b").unwrap();
    fresh.store.submit(Batch::new(vec![Op::delete("m", "b")])).wait().unwrap();
    fresh.store.close();
    assert!(!fresh.directory.path().join("drp.db-wal").exists(), "closing folds the log into the file");
    let path = fresh.path();
    let again = open(path.to_str().unwrap(), Options::default()).unwrap();
    assert_eq!(again.revision(), 3);
    assert_eq!(
        put(&*again, "b").unwrap(),
        4,
        "a revision is never given twice, even when the last was a delete"
    );
    assert_eq!(again.find("m", "Name", "a").unwrap().len(), 1);
    assert_eq!(*again.location(), Location::File(path));
}

#[test]
fn files_are_for_the_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/drp.db");
    let store = open(path.to_str().unwrap(), Options::default()).unwrap();
    put(&*store, "a").unwrap();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().mode() & 0o777;
    for name in ["deep/er/drp.db", "deep/er/drp.db-wal", "deep/er/drp.db-shm", "deep/er/drp.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(mode("deep/er"), 0o700);
    store.close();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(path.to_str().unwrap(), Options::default()).unwrap();
    assert_eq!(mode("deep/er/drp.db"), 0o600, "tightened");
    drop(store);
}

#[test]
fn a_second_opening_is_refused_and_names_the_process() {
    let fresh = file(Options::default());
    let path = fresh.path();
    let text = error(path.to_str().unwrap()).to_string();
    let expected = format!("{}: in use by the process with pid {}", path.display(), std::process::id());
    assert!(text.starts_with(&expected), "{text}");
    // Through another name it is the same file, but not the same lock; SQLite still keeps it whole.
    let other = fresh.directory.path().join("other");
    symlink(fresh.directory.path(), &other).unwrap();
    assert!(matches!(error(other.join("drp.db").to_str().unwrap()), StoreError::InUse { .. }));
    fresh.store.close();
    open(path.to_str().unwrap(), Options::default()).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let fresh = file(Options::default());
    put(&*fresh.store, "a").unwrap();
    fresh.store.close();
    let path = fresh.path();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    db.close().unwrap();
    let before = fs::read(&path).unwrap();
    let error = error(path.to_str().unwrap());
    assert!(matches!(error, StoreError::NewerSchema { found: 2, supported: 1, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Host);
    assert!(error.to_string().contains("start the newer drp"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(
        &text,
        "milk, bread, and a text that is longer than the header of a database would be. ".repeat(9),
    )
    .unwrap();
    let foreign = directory.path().join("other.db");
    let db = rusqlite::Connection::open(&foreign).unwrap();
    db.execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    db.close().unwrap();
    for path in [text, foreign] {
        let before = fs::read(&path).unwrap();
        let error = error(path.to_str().unwrap());
        assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_file_cut_short_or_overwritten_is_refused() {
    let fresh = file(Options::default());
    for n in 0..200 {
        put(&*fresh.store, &format!("{n}")).unwrap();
    }
    fresh.store.close();
    let path = fresh.path();
    let whole = fs::read(&path).unwrap();
    for cut in [whole.len() - 1, whole.len() - 4096, whole.len() / 2, 4096, 512, 100, 60] {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = error(path.to_str().unwrap());
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::NotADatabase { .. }),
            "cut at {cut}: {error:?}"
        );
    }
    for at in [4096, 8192, whole.len() / 2 / 4096 * 4096] {
        let mut damaged = whole.clone();
        damaged[at..at + 4096].fill(0xA5);
        fs::write(&path, &damaged).unwrap();
        let error = error(path.to_str().unwrap());
        assert!(matches!(error, StoreError::Corrupt { .. }), "overwritten at {at}: {error:?}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(path.to_str().unwrap(), Options::default()).unwrap().revision(), 200);
}

#[test]
fn locations_that_are_none_are_refused() {
    for bad in ["", "postgres://host/db", "memory://x", "/tmp/"] {
        let error = error(bad);
        assert!(matches!(error, StoreError::BadLocation { .. }), "{bad}: {error}");
        assert!(error.to_string().contains("memory:///"), "{error}");
    }
    assert_eq!(*memory(Options::default()).store.location(), Location::Memory);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for path in ["file/drp.db", ""] {
        let path = directory.path().join(path);
        let path = path.to_str().unwrap().trim_end_matches('/');
        let error = error(path);
        assert!(matches!(error, StoreError::Io { .. }), "{path}: {error}");
    }
}

#[test]
fn a_full_database_refuses_the_batch_and_goes_on() {
    let fresh = file(Options { max_bytes: Some(256 << 10), ..Options::default() });
    let full = loop {
        let n = fresh.store.revision();
        match put(&*fresh.store, &format!("{n:04}")) {
            Ok(_) => assert!(n < 500, "never full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::DiskFull { .. }) && full.retry_is_safe(), "{full}");
    assert!(full.to_string().contains("nothing of this change was saved"), "{full}");
    let revision = fresh.store.revision();
    assert!(revision > 50);
    assert!(fresh.store.get("m", "0001").unwrap().is_some(), "reading goes on");
    // In one group, what fits is written and what does not is refused.
    let small = || fresh.store.submit(Batch::new(vec![Op::put("m", "0000", "small")]));
    let large = || fresh.store.submit(Batch::new(vec![Op::put("m", "large", vec![0; 300_000])]));
    let group = [small(), large(), small(), large()];
    let outcomes: Vec<_> = group.into_iter().map(|commit| commit.wait().is_ok()).collect();
    assert_eq!(outcomes, [true, false, true, false]);
    for n in 0..10 {
        fresh.store.submit(Batch::new(vec![Op::delete("m", format!("{n:04}"))])).wait().unwrap();
    }
    put(&*fresh.store, "again").unwrap();
    assert_eq!(fresh.store.revision(), revision + 13, "what was refused took no revision");
}
