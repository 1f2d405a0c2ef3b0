use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        put(folder.path(), name, text.as_bytes());
    }
    folder
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn items(root: &Path) -> Items {
    Items::of_folder(root, &Bounds::default()).unwrap()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The digest was made with the `tarfile` module of Python, format USTAR, from the same entries. It may never change, or
/// every digest would.
#[test]
fn the_bytes_are_these() {
    let folder = tree(&[("a.txt", "text\n"), ("bin/run", "#!/bin/sh\n"), ("empty", "")]);
    mode(&folder.path().join("bin/run"), 0o700);
    symlink("bin/run", folder.path().join("link")).unwrap();
    let packed = items(folder.path()).pack("top").unwrap();
    assert_eq!(packed.bytes.len(), 10 * 512);
    assert_eq!(packed.sha256, "23b3bb84eca83c8eb22846eb4ece8e36a39bd5f944bceb576ca07ccc1f3f7b20");
}

#[test]
fn modes_times_and_order_of_making_do_not_matter() {
    let one = tree(&[("b/x", "1"), ("a", "2"), ("b/y/z", "3"), ("b-c", "4")]);
    let two = tree(&[("b-c", "4"), ("b/y/z", "3"), ("a", "2"), ("b/x", "1")]);
    mode(&two.path().join("a"), 0o640);
    mode(&two.path().join("b"), 0o700);
    fs::create_dir(two.path().join("empty")).unwrap();
    fs::create_dir_all(two.path().join("more/empty")).unwrap();
    let file = fs::File::options().write(true).open(two.path().join("a")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (one, two) = (items(one.path()), items(two.path()));
    assert_eq!(one.pack("t").unwrap(), two.pack("t").unwrap());
    assert_eq!(one.digest("t").unwrap(), one.pack("t").unwrap().sha256);
    assert_ne!(one.digest("t").unwrap(), one.digest("u").unwrap());
}

#[test]
fn leftovers_stay_out() {
    let kept = [("plugin/target", "a file"), ("src/target/x", "no Cargo.toml"), ("a~b", "x"), ("~", "x")];
    let plain = tree(&kept);
    let full = tree(&kept);
    for name in [
        ".git/HEAD",
        "sub/.git",
        "plugin/rust/target/debug/x",
        "node_modules/x/y",
        ".nickel-modules/x",
        "x.swp",
        "nulib/mod.nu~",
        "nulib/.#mod.nu",
        "#mod.nu#",
        ".DS_Store",
        "cache/CACHEDIR.TAG",
        "cache/x",
    ] {
        put(full.path(), name, b"leftover");
    }
    put(full.path(), "plugin/rust/Cargo.toml", b"[package]");
    put(plain.path(), "plugin/rust/Cargo.toml", b"[package]");
    assert_eq!(items(full.path()), {
        let root = full.path();
        let mut same = items(plain.path());
        same.0.iter_mut().for_each(|(name, item)| {
            if let super::items::Item::File { path, .. } = item {
                *path = root.join(name);
            }
        });
        same
    });
}

#[test]
fn what_no_archive_takes_is_named() {
    type Make = fn(&Path);
    let cases: &[(&str, Make, &str)] = &[
        ("absolute link", |r| symlink("/etc/passwd", r.join("l")).unwrap(), "outside"),
        ("link out", |r| symlink("../x", r.join("l")).unwrap(), "outside"),
        (
            "link out through a link",
            |r| {
                fs::create_dir(r.join("d")).unwrap();
                symlink(".", r.join("d/here")).unwrap();
                symlink("here/../../x", r.join("d/l")).unwrap();
            },
            "up again",
        ),
        ("dangling", |r| symlink("nothing", r.join("l")).unwrap(), "not there"),
        ("loop", |r| symlink("l", r.join("l")).unwrap(), "not there"),
        ("pipe", |r| nix_mkfifo(&r.join("p")), "device"),
        ("socket", |r| drop(std::os::unix::net::UnixListener::bind(r.join("s")).unwrap()), "device"),
        ("not UTF-8", |r| fs::write(r.join(std::ffi::OsStr::from_bytes(b"a\xff")), "").unwrap(), "not UTF-8"),
        ("newline", |r| fs::write(r.join("a\nb"), "").unwrap(), "control"),
    ];
    for (what, make, why) in cases {
        let folder = tree(&[("fine", "x")]);
        make(folder.path());
        let error = Items::of_folder(folder.path(), &Bounds::default()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("cannot be packed"), "{what}: {error}");
    }
    let folder = tree(&[]);
    put(folder.path(), &format!("{}/{}", "d".repeat(200), "f".repeat(101)), b"");
    let error = items(folder.path()).pack("top").unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
}

fn nix_mkfifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn bounds_hold() {
    let folder = tree(&[("a", "12345"), ("b", "12345"), ("c/d/e", "")]);
    let all = Bounds { entries: 5, bytes: 10, depth: 2, ratio: 1 };
    assert_eq!(Items::of_folder(folder.path(), &all).unwrap().0.len(), 5);
    for less in [Bounds { entries: 4, ..all }, Bounds { bytes: 9, ..all }, Bounds { depth: 1, ..all }] {
        let error = Items::of_folder(folder.path(), &less).unwrap_err();
        assert!(matches!(error, ArchiveError::TooMuch { .. }), "{error}");
    }
}

#[test]
fn a_file_that_changed_is_told() {
    let folder = tree(&[("a", "12345"), ("b", "12345"), ("c", "x")]);
    let listed = items(folder.path());
    for (name, text) in [("a", "1234567"), ("b", "1")] {
        let mut one = listed.clone();
        one.0.retain(|key, _| key == name);
        put(folder.path(), name, text.as_bytes());
        assert!(one.pack("").unwrap_err().to_string().contains("changed"), "{name}");
    }
    fs::remove_file(folder.path().join("c")).unwrap();
    symlink("/etc/passwd", folder.path().join("c")).unwrap();
    let mut one = listed;
    one.0.retain(|key, _| key == "c");
    assert!(one.pack("").is_err(), "a link in a file's place is not followed");
}

#[test]
fn content_can_be_replaced() {
    let folder = tree(&[("metadata.toml", "old"), ("x", "1")]);
    let other = tree(&[("metadata.toml", "new!"), ("x", "1"), ("deep/er/file", "2")]);
    let mut items = items(folder.path());
    items.put("metadata.toml", b"new!".to_vec()).unwrap();
    items.put("deep/er/file", b"2".to_vec()).unwrap();
    assert_eq!(items.digest("").unwrap(), super::tests::items(other.path()).digest("").unwrap());
    for bad in ["", "/x", "a//b", "../x", "a/./b", "a\nb"] {
        assert!(items.put(bad, Vec::new()).is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_packed_is_unpacked(
        files in prop::collection::btree_map("[a-d]{1,2}(/[a-dé ']{1,3}){0,3}", (prop::collection::vec(any::<u8>(), 0..1500), any::<bool>()), 1..12),
        compressed: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        fs::create_dir(&root).unwrap();
        for (name, (bytes, executable)) in &files {
            let path = root.join(name);
            // A name may want a folder where another has a file.
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && fs::write(&path, bytes).is_ok() {
                mode(&path, if *executable { 0o755 } else { 0o600 });
            }
        }
        let packed = items(&root).pack("some_prov").unwrap();
        let mut sent = packed.bytes.clone();
        if compressed {
            sent.clear();
            gzip(&packed.bytes, &mut sent).unwrap();
        }
        let copy = unpack(&sent[..], &folder.path().join("copy"), &Bounds::default()).unwrap();
        prop_assert_eq!(items(&copy).pack("some_prov").unwrap(), packed.clone());
        // Cut anywhere, it is an error and nothing is left.
        let cut = sent.len() * 2 / 3;
        let cut_at = folder.path().join("cut");
        prop_assert!(unpack(&sent[..cut], &cut_at, &Bounds::default()).is_err());
        prop_assert!(!cut_at.exists());
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
