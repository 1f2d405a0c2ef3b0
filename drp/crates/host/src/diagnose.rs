//! Why an executable does not start, in words.

use crate::kernel;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitStatus;

/// Says why a file cannot be executed, looking at the file itself. `None` when nothing is wrong with it.
pub(crate) fn file(path: &Path) -> Option<String> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_ok() => {
            return Some("it is a symbolic link to a file that is not there".to_owned());
        }
        Err(e) => return Some(format!("it cannot be looked at: {e}")),
    };
    if !meta.is_file() {
        return Some("it is not a regular file".to_owned());
    }
    if meta.len() == 0 {
        return Some("it is empty: the copy or upload did not finish".to_owned());
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o111 == 0 {
        return Some(format!("it is not executable (mode {mode:04o}): run chmod 0755 {}", path.display()));
    }
    if kernel::mounted_noexec(path) {
        return Some(
            "it lies on a file system mounted noexec: move the plugin directory or remount".to_owned(),
        );
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|f| f.take(4096).read_to_end(&mut head));
    if let Err(e) = read {
        return Some(format!("it cannot be read: {e}"));
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(line);
    }
    if head.starts_with(b"\x7fELF") {
        return elf(path, &head, meta.len());
    }
    let kind = match head.get(..4) {
        Some([b'M', b'Z', ..]) => "it is a Windows program",
        Some([0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe]) => "it is a macOS program",
        Some([0x1f, 0x8b, ..] | [b'P', b'K', ..]) => "it is an archive: unpack it first",
        _ => "it is neither an ELF program nor a script that starts with #!",
    };
    Some(kind.to_owned())
}

/// Says why a command could not be started.
pub(crate) fn spawn_error(path: &Path, error: &io::Error) -> String {
    match file(path) {
        Some(why) => format!("{why} ({error})"),
        None => error.to_string(),
    }
}

/// Adds what the standard error of a process tells about its end.
pub(crate) fn with_hint(how: String, stderr: &[String]) -> String {
    if let Some(hint) = stderr.iter().rev().find_map(|line| loader_message(line)) {
        return format!("{how}: {hint}");
    }
    match stderr.iter().rev().find(|line| !line.trim().is_empty()) {
        Some(last) => format!("{how}; the last it said: {last}"),
        None => how,
    }
}

/// `exited with code 3`, `was killed by signal 9 (SIGKILL)`.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    if let Some(code) = status.code() {
        return format!("exited with code {code}");
    }
    let Some(number) = status.signal() else { return format!("ended with {status}") };
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("was killed by signal {number} ({signal})"),
        Err(_) => format!("was killed by signal {number}"),
    }
}

/// Reads the messages of the dynamic loader.
fn loader_message(line: &str) -> Option<String> {
    if let Some((_, rest)) = line.split_once("error while loading shared libraries: ") {
        let library = rest.split(':').next().unwrap_or(rest);
        return Some(format!("the shared library {library} is missing: install the package that has it"));
    }
    if let Some((_, rest)) = line.split_once("Error loading shared library ") {
        let library = rest.split(':').next().unwrap_or(rest);
        return Some(format!("the shared library {library} is missing: install the package that has it"));
    }
    let (_, rest) = line.split_once("version `GLIBC_")?;
    let version = rest.split('\'').next().unwrap_or(rest);
    Some(format!(
        "it was built for glibc {version}, which is newer than this system's: build it here or link it statically"
    ))
}

fn script(line: &[u8]) -> Option<String> {
    let end = line.iter().position(|b| *b == b'\n').unwrap_or(line.len());
    let text = String::from_utf8_lossy(&line[..end]).into_owned();
    let interpreter = text.trim_start().split([' ', '\t']).next().unwrap_or_default().to_owned();
    if let Some(name) = interpreter.strip_suffix('\r') {
        return Some(format!(
            "its first line ends in CR LF, so the system looks for {name:?} with a CR: convert the file to LF"
        ));
    }
    if interpreter.is_empty() {
        return Some("its #! line names no interpreter".to_owned());
    }
    match std::fs::metadata(&interpreter) {
        Err(e) => Some(format!("its interpreter {interpreter} cannot be used: {e}")),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
            Some(format!("its interpreter {interpreter} is not executable"))
        }
        Ok(_) => None,
    }
}

/// Reads an ELF header (gABI chapter 4 and 5).
struct Elf<'a> {
    head: &'a [u8],
    wide: bool,
    big: bool,
}

impl Elf<'_> {
    fn number(&self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.head.get(at..at + len)?;
        let fold = |n: u64, b: &u8| n << 8 | u64::from(*b);
        Some(if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// A field that lies and is sized differently in the 64-bit and the 32-bit form.
    fn field(&self, wide: (usize, usize), narrow: (usize, usize)) -> Option<u64> {
        let (at, len) = if self.wide { wide } else { narrow };
        self.number(at, len)
    }
}

const PT_LOAD: u64 = 1;
const PT_INTERP: u64 = 3;

fn elf(path: &Path, head: &[u8], size: u64) -> Option<String> {
    let cut = || Some(format!("it is cut short ({size} bytes): the copy or upload did not finish"));
    if head.len() < 52 {
        return cut();
    }
    let elf = Elf { head, wide: head[4] == 2, big: head[5] == 2 };
    let machine = elf.number(18, 2)?;
    if let Some(own) = own_machine()
        && own != machine
    {
        return Some(format!(
            "it is built for {}, and this machine is {}",
            machine_name(machine),
            std::env::consts::ARCH
        ));
    }
    let (Some(offset), Some(entry), Some(count)) =
        (elf.field((32, 8), (28, 4)), elf.field((54, 2), (42, 2)), elf.field((56, 2), (44, 2)))
    else {
        return cut();
    };
    for index in 0..count {
        let at = usize::try_from(offset.checked_add(index * entry)?).ok()?;
        let (Some(kind), Some(start), Some(length)) =
            (elf.number(at, 4), elf.field((at + 8, 8), (at + 4, 4)), elf.field((at + 32, 8), (at + 16, 4)))
        else {
            return if size <= head.len() as u64 { cut() } else { None };
        };
        if kind == PT_LOAD && start.saturating_add(length) > size {
            return cut();
        }
        if kind == PT_INTERP {
            let loader = read_at(path, start, length.min(4096)).ok()?;
            let loader = String::from_utf8_lossy(&loader).trim_end_matches('\0').to_owned();
            if std::fs::metadata(&loader).is_err() {
                let libc = if loader.contains("musl") { " (musl)" } else { "" };
                return Some(format!(
                    "its loader {loader} is missing: install the C library{libc} it was built for, or link it statically"
                ));
            }
        }
    }
    None
}

fn read_at(path: &Path, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `e_machine` of this build (gABI).
fn own_machine() -> Option<u64> {
    MACHINES.iter().find(|(_, _, arch)| *arch == std::env::consts::ARCH).map(|(n, _, _)| *n)
}

const MACHINES: &[(u64, &str, &str)] = &[
    (3, "32-bit x86", "x86"),
    (8, "MIPS", "mips"),
    (20, "32-bit PowerPC", "powerpc"),
    (21, "64-bit PowerPC", "powerpc64"),
    (22, "S/390", "s390x"),
    (40, "32-bit ARM", "arm"),
    (62, "x86-64", "x86_64"),
    (183, "64-bit ARM", "aarch64"),
    (243, "RISC-V", "riscv64"),
];

fn machine_name(machine: u64) -> String {
    MACHINES
        .iter()
        .find(|(n, _, _)| *n == machine)
        .map_or_else(|| format!("ELF machine {machine}"), |(_, name, _)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{file, loader_message};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    fn written(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn names_what_is_wrong_with_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut foreign = own[..4096].to_vec();
        foreign[18] = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
        let mut loader = own.clone();
        let at = loader.windows(4).position(|w| w == b"/lib").unwrap();
        loader[at..at + 4].copy_from_slice(b"/bil");
        for (name, bytes, mode, says) in [
            ("empty", &b""[..], 0o755, "empty"),
            ("mode", b"#!/bin/sh\n", 0o644, "not executable (mode 0644)"),
            ("crlf", b"#!/bin/sh\r\necho\r\n", 0o755, "CR LF"),
            ("noint", b"#!/opt/none/python3 -u\n", 0o755, "interpreter /opt/none/python3 cannot be used"),
            ("text", b"hello", 0o755, "neither an ELF program nor a script"),
            ("exe", b"MZ\x90\x00", 0o755, "Windows"),
            ("foreign", &foreign, 0o755, "it is built for"),
            ("cut", &own[..3000], 0o755, "cut short"),
            ("loader", &loader, 0o755, "loader /bil"),
        ] {
            let why = file(&written(dir.path(), name, bytes, mode)).unwrap_or_default();
            assert!(why.contains(says), "{name}: {why:?}");
        }
        assert_eq!(file(&std::env::current_exe().unwrap()), None);
        assert_eq!(file(&written(dir.path(), "fine", b"#!/bin/sh\nexit 0\n", 0o700)), None);
        assert!(file(dir.path()).unwrap().contains("not a regular file"));
        std::os::unix::fs::symlink("/nowhere", dir.path().join("link")).unwrap();
        assert!(file(&dir.path().join("link")).unwrap().contains("symbolic link"));
    }

    #[test]
    fn knows_mounts_that_forbid_execution() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        for line in mounts.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let noexec = fields[3].split(',').any(|option| option == "noexec");
            if ["/proc", "/"].contains(&fields[1]) {
                assert_eq!(crate::kernel::mounted_noexec(Path::new(fields[1])), noexec, "{line}");
            }
        }
    }

    #[test]
    fn reads_the_loader() {
        let line = "lamp: error while loading shared libraries: libfoo.so.3: cannot open shared object file";
        assert!(loader_message(line).unwrap().contains("libfoo.so.3 is missing"));
        let line = "./lamp: /lib/libc.so.6: version `GLIBC_2.99' not found (required by ./lamp)";
        assert!(loader_message(line).unwrap().contains("glibc 2.99"));
        assert_eq!(loader_message("all is well"), None);
    }
}
