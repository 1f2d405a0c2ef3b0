//! Backup and restore.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use drp_store::{Batch, Op, Options, Scan, StoreError, open, restore};

use crate::support::{Fresh, file, on_both_backends};

on_both_backends! {
    a_backup_restores_everything
    a_backup_replaces_only_when_complete
}

fn fill(fresh: &Fresh, count: usize) {
    let ops = (0..count).map(|n| {
        Op::put("m", format!("{n:05}"), vec![b'x'; 500])
            .unique("Name", format!("n{n}"))
            .index("Even", (n % 2).to_string())
    });
    fresh.store.submit(Batch::new(ops.collect())).wait().unwrap();
    fresh.store.submit(Batch::new(vec![Op::put("p", "k\0ö", "v")])).wait().unwrap();
}

fn a_backup_restores_everything(fresh: &Fresh) {
    fill(fresh, 300);
    let copy = fresh.directory.path().join("copy.db");
    let report = fresh.store.backup(&copy).unwrap();
    assert_eq!((report.revision, report.objects), (2, 301));
    assert_eq!(report.bytes, fs::metadata(&copy).unwrap().len());
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);

    let target = fresh.directory.path().join("restored/drp.db");
    let restored = restore(&copy, &target).unwrap();
    assert_eq!((restored.revision, restored.objects), (2, 301));
    let store = open(target.to_str().unwrap(), Options::default()).unwrap();
    for space in ["m", "p"] {
        let all = Scan::all();
        assert_eq!(store.scan(space, &all).unwrap(), fresh.store.scan(space, &all).unwrap());
    }
    assert_eq!(store.find("m", "Even", "1").unwrap().len(), 150);
    let taken =
        store.submit(Batch::new(vec![Op::put("m", "x", "1").unique("Name", "n7")])).wait().unwrap_err();
    assert!(matches!(taken, StoreError::Duplicate { .. }));
    assert_eq!(store.submit(Batch::new(vec![Op::delete("m", "00000")])).wait().unwrap(), 3);
}

fn a_backup_replaces_only_when_complete(fresh: &Fresh) {
    fill(fresh, 3);
    let copy = fresh.directory.path().join("copy.db");
    fresh.store.backup(&copy).unwrap();
    fill(fresh, 5);
    assert_eq!(fresh.store.backup(&copy).unwrap().objects, 6);
    let missing = fresh.directory.path().join("none/copy.db");
    let error = fresh.store.backup(&missing).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let left: Vec<_> =
        fs::read_dir(fresh.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
}

#[test]
fn a_backup_under_load_is_consistent() {
    let fresh = file(Options::default());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                // Two objects that always say the same.
                let ops = vec![Op::put("m", "a", n.to_string()), Op::put("m", "b", n.to_string())];
                fresh.store.submit(Batch::new(ops)).wait().unwrap();
            }
        });
        while fresh.store.revision() == 0 {
            thread::yield_now();
        }
        for n in 0..5 {
            let copy = fresh.directory.path().join("copy.db");
            let report = fresh.store.backup(&copy).unwrap();
            let target = fresh.directory.path().join(format!("{n}.db"));
            restore(&copy, &target).unwrap();
            let store = open(target.to_str().unwrap(), Options::default()).unwrap();
            let pair = store.scan("m", &Scan::all()).unwrap();
            assert_eq!((&pair[0].value, pair[0].revision), (&pair[1].value, report.revision));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn restore_refuses_what_is_no_good_backup_and_touches_nothing() {
    let fresh = file(Options::default());
    fill(&fresh, 50);
    let copy = fresh.directory.path().join("copy.db");
    fresh.store.backup(&copy).unwrap();
    let target = fresh.path();

    let error = restore(&copy, &target).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    let error = restore(&target, &fresh.directory.path().join("new.db")).unwrap_err();
    assert!(error.to_string().contains("a database in use and no backup"), "{error}");
    fresh.store.close();

    let whole = fs::read(&copy).unwrap();
    let bad = fresh.directory.path().join("bad.db");
    let mut damaged = whole.clone();
    damaged[8192..12288].fill(0x5A);
    for bytes in [&whole[..whole.len() / 2], &damaged, b"", b"no database at all"] {
        fs::write(&bad, bytes).unwrap();
        let error = restore(&bad, &target).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. } | StoreError::NotADatabase { .. }), "{error:?}");
        assert!(error.to_string().contains("bad.db"), "{error}");
    }
    let error = restore(&fresh.directory.path().join("none.db"), &target).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let store = open(target.to_str().unwrap(), Options::default()).unwrap();
    assert_eq!(store.revision(), 2);
}

#[test]
fn restore_keeps_the_database_that_was_there() {
    let fresh = file(Options::default());
    fill(&fresh, 10);
    let copy = fresh.directory.path().join("copy.db");
    fresh.store.backup(&copy).unwrap();
    fill(&fresh, 20);
    fresh.store.close();
    let path = fresh.path();
    restore(&copy, &path).unwrap();
    let objects = |name: &str| {
        let path = fresh.directory.path().join(name);
        open(path.to_str().unwrap(), Options::default()).unwrap().scan("m", &Scan::all()).unwrap().len()
    };
    assert_eq!(objects("drp.db"), 10);
    assert_eq!(objects("drp.db.before-restore"), 20);
}
