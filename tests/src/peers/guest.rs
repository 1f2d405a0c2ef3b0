//! A Linux guest of QEMU with a BMC of its own (`ipmi-bmc-sim` behind a KCS interface, `isa-ipmi-kcs`): Debian's kernel
//! and its drivers see what they see on hardware. tests/peers/guest.sh fetches kernel, modules and busybox.

use super::process::{Running, find_program, skipped, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What a guest is made of.
#[derive(Debug)]
pub struct Guest {
    qemu: PathBuf,
    parts: PathBuf,
}

/// What a guest left.
#[derive(Debug)]
pub struct Ended {
    /// What its programs wrote to `/dev/ttyS1`.
    pub results: String,
    /// What the kernel wrote to its console, and QEMU to its output.
    pub console: String,
    /// How many kernels started: one more than the machine was reset.
    pub boots: usize,
    /// Whether QEMU ended by itself, which is what it does when the machine is switched off.
    pub off: bool,
}

impl Guest {
    /// Finds it. `None` (after saying SKIPPED) when QEMU, the kernel or `ldd` is absent.
    pub fn find() -> Option<Self> {
        let Some(qemu) = find_program("qemu-system-x86_64") else {
            skipped("qemu-system-x86_64", "apt-get install qemu-system-x86");
            return None;
        };
        let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.guest");
        if !parts.join("complete").is_file() {
            skipped("the guest's kernel", "run tests/setup.sh on Debian, with a network");
            return None;
        }
        Some(Self { qemu, parts })
    }

    /// Boots a guest whose first process is `init`, a script for busybox. In `/` are the kernel's modules
    /// (`/ipmi_si.ko` and so on) and these programs, with the libraries that they load. It ends when the machine is
    /// switched off; it is stopped when `boots` kernels have started, and when the limit is over.
    pub fn run(&self, init: &str, programs: &[PathBuf], boots: usize, limit: Duration) -> Ended {
        let dir = tempfile::Builder::new().prefix("guest-").tempdir().expect("a temporary folder");
        fs::write(dir.path().join("initramfs"), self.initramfs(init, programs)).expect("initramfs");
        let mut command = Command::new(&self.qemu);
        command
            .args([
                "-machine",
                "pc,accel=tcg",
                "-cpu",
                "max",
                "-m",
                "768",
                "-display",
                "none",
                "-nic",
                "none",
            ])
            .args(["-device", "ipmi-bmc-sim,id=bmc0", "-device", "isa-ipmi-kcs,bmc=bmc0"])
            .args(["-serial", "file:console", "-serial", "file:results"])
            .args(["-append", "console=ttyS0 rdinit=/init", "-initrd", "initramfs", "-kernel"])
            .arg(self.parts.join("vmlinuz").canonicalize().expect("vmlinuz"));
        let read = |name| {
            String::from_utf8_lossy(&fs::read(dir.path().join(name)).unwrap_or_default()).replace('\r', "")
        };
        let started = || read("console").matches("] Linux version ").count();
        let mut running = Running::start(command, dir.path(), "qemu");
        wait_until(limit, || {
            // Not more often: it has a processor to emulate.
            std::thread::sleep(Duration::from_millis(200));
            !running.alive() || started() >= boots
        });
        let off = !running.alive();
        let said = running.output();
        drop(running);
        Ended { results: read("results"), console: read("console") + &said, boots: started(), off }
    }

    fn initramfs(&self, init: &str, programs: &[PathBuf]) -> Vec<u8> {
        let mut archive = Archive::default();
        for dir in ["dev", "proc", "sys", "tmp", "bin"] {
            archive.dir(Path::new(dir));
        }
        archive.file(Path::new("init"), init.as_bytes());
        archive.file(Path::new("bin/busybox"), &fs::read(self.parts.join("busybox")).expect("busybox"));
        for module in ["ipmi_msghandler.ko", "ipmi_si.ko", "ipmi_devintf.ko"] {
            archive.file(Path::new(module), &fs::read(self.parts.join(module)).expect(module));
        }
        for program in programs {
            let name = program.file_name().expect("a program's name");
            archive.file(Path::new(name), &fs::read(program).expect("a program"));
            for library in libraries(program) {
                let inside = library.strip_prefix("/").expect("an absolute path");
                archive.file(inside, &fs::read(&library).expect("a library"));
            }
        }
        archive.finish()
    }
}

/// What the loader would load for it, and the loader itself.
pub(super) fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd");
    assert!(
        output.status.success(),
        "ldd {}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// An archive as the kernel unpacks it at boot: "newc" of its documentation, driver-api/early-userspace/buffer-format.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    paths: Vec<PathBuf>,
}

impl Archive {
    pub(super) fn dir(&mut self, path: &Path) {
        self.entry(path, 0o040_755, &[]);
    }

    pub(super) fn file(&mut self, path: &Path, data: &[u8]) {
        let parents: Vec<_> = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        for parent in parents.into_iter().rev() {
            self.dir(parent);
        }
        self.entry(path, 0o100_755, data);
    }

    /// Writes it unless it is there.
    fn entry(&mut self, path: &Path, mode: u32, data: &[u8]) {
        if self.paths.iter().any(|there| there == path) {
            return;
        }
        self.paths.push(path.to_owned());
        let name = path.to_str().expect("a path in UTF-8");
        // Number, mode, owner, group, links, time, size, device and its node (two each), name's size, check sum.
        let number = u32::try_from(self.paths.len()).expect("a few files");
        let size = u32::try_from(data.len()).expect("files below 4 GB");
        let name_size = u32::try_from(name.len() + 1).expect("a short name");
        self.bytes.extend_from_slice(b"070701");
        for field in [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("TRAILER!!!"), 0, &[]);
        self.bytes
    }
}
