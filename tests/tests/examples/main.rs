//! The examples of the command line's reference, each line run by a shell against a real daemon: its exit code, and what
//! its output holds. Each session has a daemon and a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use drp_cli::examples::{Example, Session, sessions};
use drp_tests::daemon::{Daemon, binary};
use libtest_mimic::{Arguments, Failed, Trial};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The extensions that sessions talk about, as plugins.
const EXTENSIONS: &[(&str, &str)] = &[
    ("server", "my-provider-provider"),
    ("taskserv", "my-service-taskserv"),
    ("cluster", "my-cluster-cluster"),
];
/// How long one line may take.
const WITHIN: &str = "90";

fn main() {
    let trials = sessions()
        .into_iter()
        .map(|session| Trial::test(session.name.clone(), move || play(&session).map_err(Failed::from)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn play(session: &Session) -> Result<(), String> {
    let mut builder = Daemon::builder().plugin("echo");
    if let Some(extension) = EXTENSIONS.iter().find(|(word, _)| *word == session.name) {
        builder = builder.plugin_file(extension.1, binary("drp-test-extension"));
    }
    let daemon = builder.start();
    if let Some((_, plugin)) = EXTENSIONS.iter().find(|(word, _)| *word == session.name) {
        tokio::runtime::Runtime::new().unwrap().block_on(daemon.wait_plugin(plugin));
    }
    let place = tempfile::tempdir().unwrap();
    let bin = place.path().join(".bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(binary("drp"), bin.join("drp")).unwrap();
    std::fs::copy(binary("echo"), place.path().join("echo")).unwrap();
    std::fs::write(place.path().join("env"), "").unwrap();
    let mut groups = Vec::new();
    let mut wrong = Vec::new();
    for example in &session.examples {
        let output = run(&daemon, place.path(), &bin, example, &mut groups);
        if let Err(why) = judge(example, &output) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(2000).collect::<String>();
            wrong.push(format!(
                "$ {}\n{why}\n{}{}",
                example.line,
                text(&output.stdout),
                text(&output.stderr)
            ));
        }
    }
    for group in groups {
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n\n")) }
}

/// A line that ends in `&` goes on beside the following ones; `wait` is for the last of those.
fn run(
    daemon: &Daemon,
    place: &Path,
    bin: &Path,
    example: &Example,
    groups: &mut Vec<nix::unistd::Pid>,
) -> Output {
    let line = format!(". ./env; {}", example.line);
    let mut command = Command::new("timeout");
    command.args([WITHIN, "sh", "-c", &line]).current_dir(place).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("DRP_BASE_ROOT", daemon.base()).env("URL", &daemon.api).env("HOME", place);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    if example.line.ends_with('&') {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let child = command.spawn().unwrap();
    groups.push(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()));
    child.wait_with_output().unwrap()
}

fn judge(example: &Example, output: &Output) -> Result<(), String> {
    let code = output.status.code().unwrap_or(-1);
    if code != example.code {
        return Err(format!("exit code {code}, and not {}", example.code));
    }
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    match example.holds.iter().find(|part| !text.contains(part.as_str())) {
        Some(part) => Err(format!("the output does not hold: {part}")),
        None => Ok(()),
    }
}
