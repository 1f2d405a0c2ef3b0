//! How a server is told its name and the keys that may log in: cloud-init's NoCloud seed
//! (cloudinit.readthedocs.io, "NoCloud"), as a disk or as files of the initial file system.

use crate::failure::Failure;
use crate::image::Seed;
use crate::iso;
use crate::record::Record;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest initial file system that is taken.
const LARGEST: u64 = 4 << 30;

/// The disk of the seed.
pub(crate) fn disk(dir: &Path) -> PathBuf {
    dir.join("seed.iso")
}

/// The initial file system with the seed behind it.
pub(crate) fn initrd(dir: &Path) -> PathBuf {
    dir.join("initrd")
}

/// The files of a seed. YAML is a superset of JSON, and JSON quotes everything.
fn files(record: &Record) -> [(&'static str, Vec<u8>); 4] {
    let meta = json!({
        "instance-id": record.server_id, "local-hostname": record.hostname, "public-keys": record.ssh_keys,
    });
    let mut user = json!({"hostname": record.hostname, "ssh_authorized_keys": record.ssh_keys});
    if record.image.user == "root" {
        user["disable_root"] = json!(false);
    }
    let keys: String = record.ssh_keys.iter().map(|key| format!("{key}\n")).collect();
    [
        ("meta-data", format!("{meta}\n").into_bytes()),
        ("user-data", format!("#cloud-config\n{user}\n").into_bytes()),
        ("authorized_keys", keys.into_bytes()),
        ("hostname", format!("{}\n", record.hostname).into_bytes()),
    ]
}

/// Writes the seed of a server into its folder. Blocks.
pub(crate) fn write(record: &Record, dir: &Path) -> Result<(), Failure> {
    let files = files(record);
    match record.image.seed() {
        Seed::Iso => {
            let [meta, user, ..] = &files;
            let path = disk(dir);
            let bytes = iso::image("cidata", &[(meta.0, &meta.1), (user.0, &user.1)]);
            create(&path).and_then(|mut file| file.write_all(&bytes)).map_err(Failure::io("write", &path))
        }
        Seed::Initrd => {
            let base = Path::new(record.image.initrd.as_deref().unwrap_or_default());
            let from = File::open(base).map_err(Failure::io("read", base))?;
            let path = initrd(dir);
            let written = create(&path).and_then(|mut file| {
                let copied = std::io::copy(&mut from.take(LARGEST), &mut file)?;
                // The kernel takes several archives one after the other, each at a multiple of four bytes.
                let gap = usize::try_from(copied.next_multiple_of(4) - copied).unwrap_or_default();
                file.write_all(&vec![0; gap])?;
                file.write_all(&archive(&files))
            });
            written.map_err(Failure::io("write", &path))
        }
        Seed::Auto | Seed::None => Ok(()),
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// An archive of `/drp` with these files ("newc", Documentation/driver-api/early-userspace/buffer-format.rst of Linux).
fn archive(files: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number = 0;
    let mut add = |name: &str, mode: u32, data: &[u8]| {
        number += 1;
        let length = |n: usize| u32::try_from(n).unwrap_or_default();
        bytes.extend_from_slice(b"070701");
        // Number, mode, owner, group, links, time, size, device and its node (two each), name's size, check sum.
        for field in [number, mode, 0, 0, 1, 0, length(data.len()), 0, 0, 0, 0, length(name.len() + 1), 0u32]
        {
            bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    add("drp", 0o040_755, &[]);
    for (name, data) in files {
        add(&format!("drp/{name}"), 0o100_600, data);
    }
    add("TRAILER!!!", 0, &[]);
    bytes
}
