//! What QEMU on this host can do, found out by starting it.

use crate::failure::Failure;
use crate::settings::Accel;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(30);
/// What QEMU may not do once it runs. It puts itself into the background, for which it has to fork and to begin a session, so
/// `spawn` and `elevateprivileges` stay allowed.
pub(crate) const SANDBOX: &str = "on,obsolete=deny,resourcecontrol=deny";
/// Where programs are looked for when PATH is not set.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What was found out.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
    /// Why servers do not run with KVM; `None` when they do.
    pub(crate) no_kvm: Option<String>,
    pub(crate) sandbox: bool,
}

impl Probe {
    /// The accelerator that servers get.
    pub(crate) fn accel(&self) -> &'static str {
        if self.no_kvm.is_none() { "kvm" } else { "tcg" }
    }
}

/// Tries it.
pub(crate) async fn probe(qemu: &str, accel: Accel) -> Result<Probe, Failure> {
    let absent = |said: String| Failure::Program { program: qemu.to_owned(), said };
    let program = find(qemu).ok_or_else(|| {
        absent("it is not there: install QEMU (Debian: qemu-system-x86), or name it in setting qemu".into())
    })?;
    let (good, said) = run(&program, &["--version"], "").await.map_err(absent)?;
    let version = said
        .split_once("version ")
        .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default().trim_end_matches(',').to_owned());
    let Some(version) = version.filter(|_| good) else {
        return Err(absent("--version names no version: is it QEMU?".into()));
    };
    let quit = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n";
    let plain = ["-nodefaults", "-no-user-config", "-display", "none", "-S", "-qmp", "stdio"];
    let sandboxed = [plain.as_slice(), &["-M", "none", "-sandbox", SANDBOX]].concat();
    let sandbox = run(&program, &sandboxed, quit).await.map_err(absent)?.0;
    let no_kvm = match accel {
        Accel::Tcg => Some("setting accel is tcg".to_owned()),
        Accel::Auto | Accel::Kvm => {
            let with =
                [plain.as_slice(), &["-M", "pc", "-m", "16", "-accel", "kvm", "-cpu", "host"]].concat();
            let (good, said) = run(&program, &with, quit).await.map_err(absent)?;
            (!good).then(|| last_line(&said, "it ends at once"))
        }
    };
    if let (Accel::Kvm, Some(why)) = (accel, &no_kvm) {
        return Err(Failure::Setting { field: "accel", problem: format!("kvm does not work here: {why}") });
    }
    Ok(Probe { program, version, no_kvm, sandbox })
}

/// The last line of what a program said.
pub(crate) fn last_line(said: &str, else_say: &str) -> String {
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or(else_say);
    line.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// A program by path or by name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(name).is_file().then(|| name.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A command in a bare environment: QEMU learns nothing of the plugin's token.
pub(crate) fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", USUAL_PATH).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a program with an input; whether it succeeded, and what it said, both ways.
pub(crate) async fn run(program: &Path, arguments: &[&str], input: &str) -> Result<(bool, String), String> {
    let mut command = bare(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("it cannot be started: {e}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that ends without reading says more by its output.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let read_out = async {
            if let Some(stdout) = stdout {
                let _ = stdout.take(65_536).read_to_end(&mut out).await;
            }
        };
        let read_err = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(65_536).read_to_end(&mut err).await;
            }
        };
        tokio::join!(write, read_out, read_err);
        out.push(b'\n');
        out.extend(err);
        let ended = child.wait().await;
        (ended.is_ok_and(|status| status.success()), String::from_utf8_lossy(&out).into_owned())
    };
    tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| format!("it did not end within {} s", LIMIT.as_secs()))
}
