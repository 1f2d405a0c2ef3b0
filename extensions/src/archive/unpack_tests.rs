use super::*;
use std::fs;
use std::io::{Read, Write};
use tar::{Builder, EntryType, Header};

/// An entry as a hostile program writes it: nothing of it is checked.
fn entry(out: &mut Builder<Vec<u8>>, name: &[u8], kind: EntryType, target: &[u8], data: &[u8]) {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(0o7777);
    header.set_size(data.len() as u64);
    header.set_cksum();
    out.append(&header, data).unwrap();
}

/// Name, type, what it links to, data.
type Written<'a> = (&'a [u8], EntryType, &'a [u8], &'a [u8]);

fn archive(entries: &[Written<'_>]) -> Vec<u8> {
    let mut out = Builder::new(Vec::new());
    for (name, kind, target, data) in entries {
        entry(&mut out, name, *kind, target, data);
    }
    out.into_inner().unwrap()
}

/// Unpacks into a folder that has a neighbour, and shows that only the target may have changed.
fn tried(bytes: &[u8], bounds: &Bounds) -> Result<tempfile::TempDir, ArchiveError> {
    let world = tempfile::tempdir().unwrap();
    fs::write(world.path().join("neighbour"), "untouched").unwrap();
    let result = unpack(bytes, &world.path().join("target"), bounds);
    assert_eq!(fs::read_to_string(world.path().join("neighbour")).unwrap(), "untouched");
    let mut names: Vec<_> =
        fs::read_dir(world.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let left: &[&str] = if result.is_ok() { &["neighbour", "target"] } else { &["neighbour"] };
    assert_eq!(names, left);
    result.map(|_| world)
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

#[test]
fn hostile_archives_are_refused() {
    let long = [b'x'; 5000];
    let pax_up = b"21 path=../neighbour\n";
    let pax_size = b"11 size=99\n";
    let cases: &[(&str, &[Written<'_>], &str)] = &[
        ("absolute", &[(b"/tmp/x", FILE, b"", b"")], "absolute"),
        ("up", &[(b"../neighbour", FILE, b"", b"gone")], "out of the tree"),
        ("up later", &[(b"a/../../neighbour", FILE, b"", b"gone")], "out of the tree"),
        ("up, a folder", &[(b"../x/", DIR, b"", b"")], "out of the tree"),
        ("empty part", &[(b"a//b", FILE, b"", b"")], "empty"),
        ("newline", &[(b"a\nb", FILE, b"", b"")], "control"),
        ("not UTF-8", &[(b"a\xffb", FILE, b"", b"")], "UTF-8"),
        ("link out", &[(b"l", LINK, b"../neighbour", b"")], "outside"),
        ("absolute link", &[(b"l", LINK, b"/etc/passwd", b"")], "outside"),
        ("link of nothing", &[(b"l", LINK, b"", b"")], "empty"),
        (
            "through a link",
            &[(b"d/a", FILE, b"", b""), (b"l", LINK, b"d", b""), (b"l/x", FILE, b"", b"")],
            "below",
        ),
        ("link in link", &[(b"d/h", LINK, b".", b""), (b"d/l", LINK, b"h/../../neighbour", b"")], "up again"),
        ("over a link", &[(b"l", LINK, b"x", b""), (b"l", FILE, b"", b"gone")], "twice"),
        ("twice", &[(b"a", FILE, b"", b"1"), (b"a", FILE, b"", b"2")], "twice"),
        ("twice by another name", &[(b"a", FILE, b"", b"1"), (b"./a", FILE, b"", b"2")], "twice"),
        ("folder twice", &[(b"a/", DIR, b"", b""), (b"a", DIR, b"", b"")], "twice"),
        ("folder over file", &[(b"a", FILE, b"", b""), (b"a/", DIR, b"", b"")], "twice"),
        ("file over folder", &[(b"a/b", FILE, b"", b""), (b"a", FILE, b"", b"")], "twice"),
        ("file below file", &[(b"a", FILE, b"", b""), (b"a/b", FILE, b"", b"")], "below"),
        ("hard link", &[(b"a", FILE, b"", b""), (b"b", EntryType::Link, b"a", b"")], "hard link"),
        ("hard link out", &[(b"b", EntryType::Link, b"/etc/passwd", b"")], "hard link"),
        ("device", &[(b"b", EntryType::Block, b"", b"")], "device"),
        ("terminal", &[(b"b", EntryType::Char, b"", b"")], "device"),
        ("pipe", &[(b"b", EntryType::Fifo, b"", b"")], "device"),
        ("sparse", &[(b"b", EntryType::GNUSparse, b"", b"")], "type 'S'"),
        ("unknown", &[(b"b", EntryType::new(b'Z'), b"", b"")], "type 'Z'"),
        (
            "long name",
            &[(b"x", EntryType::GNULongName, b"", &long), (b"y", FILE, b"", b"")],
            "bytes in a name",
        ),
        (
            "long name up",
            &[(b"x", EntryType::GNULongName, b"", b"../neighbour\0"), (b"y", FILE, b"", b"")],
            "out of",
        ),
        ("long link", &[(b"x", EntryType::GNULongLink, b"", b"/etc\0"), (b"y", LINK, b"ok", b"")], "outside"),
        ("extended name", &[(b"x", EntryType::XHeader, b"", pax_up), (b"y", FILE, b"", b"")], "out of"),
        (
            "extended size",
            &[(b"x", EntryType::XHeader, b"", pax_size), (b"y", FILE, b"", b"")],
            "changes data",
        ),
        ("a root that is no folder", &[(b".", FILE, b"", b"")], "no name"),
    ];
    for (what, entries, why) in cases {
        let error = tried(&archive(entries), &Bounds::default()).err().unwrap_or_else(|| panic!("{what}"));
        let text = error.to_string();
        assert!(text.contains(why), "{what}: {text}");
        assert!(!text.contains('\n'), "{what}: {text}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = archive(&[(b"top/a", FILE, b"", &[7; 3000])]);
    let mut wrong_sum = whole.clone();
    wrong_sum[0] = b'x';
    let mut packed = Vec::new();
    gzip(&whole, &mut packed).unwrap();
    let mut wrong_gzip = packed.clone();
    let middle = wrong_gzip.len() / 2;
    wrong_gzip[middle] ^= 0xff;
    let cases: &[(&str, &[u8])] = &[
        ("nothing", b""),
        ("text", b"<html>404 not found</html>"),
        ("cut in the header", &whole[..200]),
        ("cut in the data", &whole[..1500]),
        ("cut after the data", &whole[..512 + 3072]),
        ("another letter in the header", &wrong_sum),
        ("gzip of nothing", &[0x1f, 0x8b]),
        ("gzip, cut", &packed[..packed.len() - 20]),
        ("gzip, damaged", &wrong_gzip),
        ("zeros", &[0; 1024]),
    ];
    for (what, bytes) in cases {
        let error = tried(bytes, &Bounds::default()).err().unwrap_or_else(|| panic!("{what}"));
        assert!(matches!(error, ArchiveError::Broken(_)), "{what}: {error}");
    }
    tried(&whole, &Bounds::default()).unwrap();
    tried(&packed, &Bounds::default()).unwrap();
}

#[test]
fn too_much_is_refused_before_it_is_written() {
    let bounds = Bounds { entries: 3, bytes: 100, depth: 2, ratio: 10 };
    let fits = archive(&[(b"a/b", FILE, b"", &[1; 60]), (b"c", FILE, b"", &[1; 40])]);
    tried(&fits, &bounds).unwrap();
    for (what, bytes) in [
        (
            "files",
            archive(&[
                (b"a", FILE, b"", b""),
                (b"b", FILE, b"", b""),
                (b"c", FILE, b"", b""),
                (b"d", FILE, b"", b""),
            ]),
        ),
        ("folders", archive(&[(b"a/b/c", FILE, b"", b""), (b"d/", DIR, b"", b"")])),
        ("bytes", archive(&[(b"a", FILE, b"", &[1; 60]), (b"b", FILE, b"", &[1; 41])])),
        ("depth", archive(&[(b"a/b/c/d", FILE, b"", b"")])),
    ] {
        let error = tried(&bytes, &bounds).err().unwrap_or_else(|| panic!("{what}"));
        assert!(matches!(error, ArchiveError::TooMuch { .. }), "{what}: {error}");
    }
    // It says that it is large and holds nothing: told before anything is waited for.
    let mut liar = Header::new_ustar();
    liar.set_path("huge").unwrap();
    liar.set_size(1 << 40);
    liar.set_cksum();
    let error = tried(liar.as_bytes(), &bounds).err().unwrap();
    assert!(matches!(error, ArchiveError::TooMuch { .. }), "{error}");
}

#[test]
fn bombs_are_stopped() {
    let mut header = Header::new_ustar();
    header.set_path("bomb").unwrap();
    header.set_size(48 << 20);
    header.set_mode(0o644);
    header.set_cksum();
    let mut packed = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    encoder.write_all(header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(0).take((48 << 20) + 1024), &mut encoder).unwrap();
    encoder.finish().unwrap();
    let error = tried(&packed, &Bounds { ratio: 50, ..Bounds::default() }).err().unwrap().to_string();
    assert!(error.contains("50 times its size"), "{error}");
}

#[test]
fn archives_of_other_programs_are_read() {
    let name = format!("{}/{}", "d".repeat(120), "f".repeat(140));
    let mut long = name.clone().into_bytes();
    long.push(0);
    let record = |text: &str| {
        let mut length = text.len() + 2;
        while format!("{length} {text}\n").len() != length {
            length += 1;
        }
        format!("{length} {text}\n").into_bytes()
    };
    let bytes = archive(&[
        (b"pax_global_header", EntryType::XGlobalHeader, b"", &record("comment=0123456789")),
        (b"./", DIR, b"", b""),
        (b"./b/", DIR, b"", b""),
        (b"x", EntryType::GNULongName, b"", &long),
        (b"dddd", FILE, b"", b"long"),
        (b"x", EntryType::XHeader, b"", &record("path=b/ext\u{e9}nded")),
        (b"short", FILE, b"", b"pax"),
        (b"run", FILE, b"", b"#!/bin/sh"),
    ]);
    let world = tried(&bytes, &Bounds::default()).unwrap();
    let target = world.path().join("target");
    assert_eq!(fs::read_to_string(target.join(name)).unwrap(), "long");
    assert_eq!(fs::read_to_string(target.join("b/ext\u{e9}nded")).unwrap(), "pax");
    // 07777 in the archive: no more than executable.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(target.join("run").metadata().unwrap().permissions().mode() & 0o7000, 0);
}

#[test]
fn nothing_is_overwritten_but_by_replace() {
    let world = tempfile::tempdir().unwrap();
    let target = world.path().join("target");
    let (one, two) = (archive(&[(b"t/a", FILE, b"", b"1")]), archive(&[(b"t/b", FILE, b"", b"2")]));
    unpack(&one[..], &target, &Bounds::default()).unwrap();
    assert!(matches!(unpack(&two[..], &target, &Bounds::default()), Err(ArchiveError::There(_))));
    assert!(replace(&two[..700], &target, &Bounds::default()).is_err());
    assert!(target.join("a").exists());
    replace(&two[..], &target, &Bounds::default()).unwrap();
    assert!(target.join("b").exists() && !target.join("a").exists());
    // A link in its place is replaced, what it leads to is not.
    fs::rename(&target, world.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("kept", &target).unwrap();
    replace(&one[..], &target, &Bounds::default()).unwrap();
    assert!(target.join("a").exists() && world.path().join("kept/b").exists());
    assert_eq!(fs::read_dir(world.path()).unwrap().count(), 2);
}
