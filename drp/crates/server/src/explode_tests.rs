use super::*;
use flate2::write::GzEncoder;
use std::io::Write;
use tar::{Builder, Header};

/// An archive of entries: path, type, link or contents. Paths are written as they are, however bad.
fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, text) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o6755);
        let link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if link {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        let data = if link { "" } else { *text };
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A root with a directory to unpack into, and something outside.
struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/into/old")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(dir.path().join("root/into/kept"), "kept").unwrap();
        Self { dir }
    }

    fn explode(&self, bytes: &[u8]) -> Result<usize, Refused> {
        let root = self.dir.path().join("root");
        let path = self.dir.path().join("archive");
        fs::write(&path, bytes).unwrap();
        explode(&path, &root.join("into"), |path| path != "forbidden/x")
    }

    /// Every path below the directory that holds everything, with what is in files.
    fn tree(&self) -> Vec<String> {
        fn walk(at: &Path, below: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(below).unwrap().display().to_string();
                let kind = path.symlink_metadata().unwrap();
                if kind.is_dir() {
                    out.push(format!("{shown}/"));
                    walk(&path, below, out);
                } else if kind.is_symlink() {
                    out.push(format!("{shown} -> {}", fs::read_link(&path).unwrap().display()));
                } else if !shown.starts_with("archive") {
                    out.push(format!("{shown}={}", fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut out = Vec::new();
        walk(self.dir.path(), self.dir.path(), &mut out);
        out.sort();
        out
    }
}

#[test]
fn an_archive_is_unpacked_over_what_is_there() {
    let bytes = archive(&[
        ("./", EntryType::Directory, ""),
        ("./os/boot/kernel", EntryType::Regular, "k1"),
        ("os/boot/", EntryType::Directory, ""),
        ("os/link", EntryType::Symlink, "boot/kernel"),
        ("os/boot/up", EntryType::Symlink, "../../kept"),
        ("os/same", EntryType::Link, "os/boot/kernel"),
        ("os/boot/kernel", EntryType::Regular, "k2"),
        ("kept", EntryType::Regular, "new"),
    ]);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let rig = Rig::new();
        assert_eq!(rig.explode(&bytes).unwrap(), 5);
        assert_eq!(
            rig.tree(),
            [
                "root/",
                "root/into/",
                "root/into/kept=new",
                "root/into/old/",
                "root/into/os/",
                "root/into/os/boot/",
                "root/into/os/boot/kernel=k2",
                "root/into/os/boot/up -> ../../kept",
                "root/into/os/link -> boot/kernel",
                "root/into/os/same=k1",
                "secret=secret",
            ]
        );
        // Neither set-user-id nor group-writable, whatever the archive says.
        let mode = fs::metadata(rig.dir.path().join("root/into/kept")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        // Once more over itself.
        assert_eq!(rig.explode(&bytes).unwrap(), 5);
    }
}

#[test]
fn what_is_refused_leaves_nothing() {
    use EntryType as T;
    let good = ("first", T::Regular, "x");
    let long = "d/".repeat(40) + "x";
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (archive(&[good, ("../out", T::Regular, "x")]), 400, "leads out"),
        (archive(&[good, ("a/../../out", T::Regular, "x")]), 400, "leads out"),
        (archive(&[good, ("/etc/out", T::Regular, "x")]), 400, "leads out"),
        (archive(&[good, ("l", T::Symlink, "/etc")]), 400, "leads out"),
        (archive(&[good, ("l", T::Symlink, "../secret")]), 400, "leads out"),
        (archive(&[good, ("d/l", T::Symlink, "../../../secret")]), 400, "leads out"),
        // Each link alone looks harmless.
        (archive(&[("d/up", T::Symlink, ".."), ("l", T::Symlink, "d/up/..")]), 400, "leads out"),
        (
            archive(&[("d/e/x", T::Regular, ""), ("l", T::Symlink, "d/e"), ("l/x", T::Regular, "")]),
            400,
            "no directory",
        ),
        (archive(&[good, ("h", T::Link, "../secret")]), 400, "leads out"),
        (archive(&[good, ("h", T::Link, "kept")]), 400, "no file of it"),
        (archive(&[("l", T::Symlink, "first"), ("h", T::Link, "l")]), 400, "no file of it"),
        (archive(&[good, ("null", T::Char, "")]), 400, "no file, directory or link"),
        (archive(&[good, ("pipe", T::Fifo, "")]), 400, "no file, directory or link"),
        (archive(&[("d/x", T::Regular, ""), ("d", T::Regular, "")]), 400, "as a directory and as a file"),
        (archive(&[good, ("old", T::Regular, "")]), 409, "where a directory is"),
        (archive(&[good, ("kept/x", T::Regular, "")]), 409, "where a file is"),
        (archive(&[good, ("first/x", T::Regular, "")]), 400, "no directory"),
        (archive(&[good, ("forbidden/x", T::Regular, "")]), 403, "with these claims"),
        (b"PK\x03\x04 a zip".to_vec(), 400, "not a tar"),
        (Vec::new(), 400, "not a tar"),
        (gzip(b"not a tar at all"), 400, "is broken"),
        (gzip(&archive(&[good]))[..30].to_vec(), 400, "is broken"),
        (archive(&[good, ("cut", T::Regular, "xxx")])[..512 * 3 + 2].to_vec(), 400, "is broken"),
        (archive(&[good, (&long, T::Regular, "")]), 400, "is too long"),
        (archive(&[("name", T::GNULongName, &"x".repeat(70_000)), good]), 400, "describes itself"),
    ];
    for (at, (bytes, code, text)) in cases.into_iter().enumerate() {
        let rig = Rig::new();
        let before = rig.tree();
        let Err(refused) = rig.explode(&bytes) else { panic!("{at} was unpacked: {:?}", rig.tree()) };
        assert_eq!(refused.code, code, "{at}: {}", refused.text);
        assert!(refused.text.contains(text), "{at}: {}", refused.text);
        assert_eq!(rig.tree(), before, "{at}");
    }
}

#[test]
fn a_link_on_the_disk_is_not_followed() {
    let rig = Rig::new();
    std::os::unix::fs::symlink("../..", rig.dir.path().join("root/into/away")).unwrap();
    let before = rig.tree();
    let refused = rig.explode(&archive(&[("away/planted", EntryType::Regular, "x")])).unwrap_err();
    assert_eq!(refused.code, 409, "{}", refused.text);
    assert_eq!(rig.tree(), before);
}

#[test]
fn a_bomb_is_noticed() {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = Header::new_gnu();
    header.set_size(SMALL + 1);
    header.set_mode(0o644);
    builder.append_data(&mut header, "zeros", io::repeat(0).take(SMALL + 1)).unwrap();
    let bytes = builder.into_inner().unwrap().finish().unwrap();
    let rig = Rig::new();
    let before = rig.tree();
    let refused = rig.explode(&bytes).unwrap_err();
    assert!(refused.code == 400 && refused.text.contains("more than"), "{refused:?}");
    assert_eq!(rig.tree(), before);
}
