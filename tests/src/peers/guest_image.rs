//! What a virtual machine of a provider boots: Debian's kernel, and an initial file system with busybox, virtio's drivers
//! and dropbear. Its init does what cloud-init does with a seed: it takes name and keys from `/drp` or from a disk.

use super::guest::{Archive, libraries};
use super::process::{find_program, skipped};
use std::fs;
use std::path::{Path, PathBuf};

/// Kernel and initial file system.
#[derive(Debug, Clone)]
pub struct GuestImage {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial file system.
    pub initrd: PathBuf,
}

/// Each comes after those that it depends on.
const MODULES: [&str; 13] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_blk",
    "cdrom",
    "isofs",
    "button",
    "evdev",
];

/// `/init`. The console is a shell without a login; the power button switches off, as an init system does.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /proc /sys /dev /tmp /mnt /etc/dropbear /root/.ssh /var/run
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
for module in MODULES; do insmod /$module.ko; done
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
if [ -f /drp/hostname ]; then
  hostname "$(cat /drp/hostname)"
  cp /drp/authorized_keys /root/.ssh/authorized_keys
else
  for disk in /dev/vd?; do mount -t iso9660 -o ro $disk /mnt 2>/dev/null && break; done
  hostname "$(sed -n 's/.*"local-hostname":"\([^"]*\)".*/\1/p' /mnt/meta-data)"
  sed -n 's/.*"ssh_authorized_keys":\["\([^"]*\)".*/\1/p' /mnt/user-data > /root/.ssh/authorized_keys
fi
chmod 700 /root /root/.ssh
chmod 600 /root/.ssh/authorized_keys
echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
echo 'root:x:0:' > /etc/group
for input in /dev/input/event*; do (head -c 1 $input >/dev/null && poweroff -f) & done
mkdir -p /www
hostname > /www/index.html
httpd -p 8080 -h /www
export LD_LIBRARY_PATH=/ssh
/ssh/dropbearkey -t ed25519 -f /etc/dropbear/key >/dev/null
/ssh/dropbear -r /etc/dropbear/key
unset LD_LIBRARY_PATH
while :; do setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'; sleep 1; done
"#;

impl GuestImage {
    /// Makes one in a folder. `None` (after saying SKIPPED) when QEMU or its parts are absent.
    pub fn make(dir: &Path) -> Option<Self> {
        if find_program("qemu-system-x86_64").is_none() || find_program("ssh").is_none() {
            skipped("qemu-system-x86_64 or ssh", "apt-get install qemu-system-x86 openssh-client");
            return None;
        }
        let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.guest");
        if !parts.join("complete").is_file() || !parts.join("ssh/complete").is_file() {
            skipped("the guest's kernel and SSH server", "run tests/setup.sh on Debian, with a network");
            return None;
        }
        let mut archive = Archive::default();
        for folder in ["dev", "proc", "sys", "tmp", "bin"] {
            archive.dir(Path::new(folder));
        }
        archive.file(Path::new("init"), INIT.replace("MODULES", &MODULES.join(" ")).as_bytes());
        let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        archive.file(Path::new("bin/busybox"), &read(parts.join("busybox")));
        for module in MODULES {
            let file = format!("{module}.ko");
            archive.file(Path::new(&file), &read(parts.join(&file)));
        }
        for entry in fs::read_dir(parts.join("ssh")).expect(".guest/ssh").flatten() {
            archive.file(&Path::new("ssh").join(entry.file_name()), &read(entry.path()));
        }
        // The C library and its loader; what is of dropbear alone lies beside it.
        for library in libraries(&parts.join("ssh/dropbear")) {
            archive.file(library.strip_prefix("/").expect("an absolute path"), &read(library.clone()));
        }
        let initrd = dir.join("initrd");
        fs::write(&initrd, archive.finish()).expect("initrd");
        Some(Self { kernel: parts.join("vmlinuz").canonicalize().expect("vmlinuz"), initrd })
    }
}
