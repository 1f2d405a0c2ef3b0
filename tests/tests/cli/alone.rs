//! What needs no daemon: words, help, settings, completions, programs, plugins run alone.

use crate::run::Drp;
use drp_tests::daemon::binary;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn help_and_version() {
    let help = Drp::new(["--help"]).ok();
    for word in ["serve", "machines", "plugin_providers", "users", "events", "completions", "drp-WORD"] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
    assert!(Drp::new(["--version"]).ok().out.starts_with("drp "));
    let verbs = Drp::new(["machines", "--help"]).ok().out;
    for verb in [
        "list",
        "show",
        "create",
        "update",
        "patch",
        "destroy",
        "exists",
        "count",
        "wait",
        "indexes",
        "meta",
        "params",
        "get",
        "set",
        "add",
        "remove",
        "actions",
        "action",
        "runaction",
    ] {
        assert!(verbs.lines().any(|l| l.trim_start().starts_with(&format!("{verb} "))), "{verb}: {verbs}");
    }
}

#[test]
fn mistakes_are_named_and_answered() {
    let ran = Drp::new(["machnes", "list"]).fails(2);
    assert!(ran.hints().contains("`machines`"), "{ran:#?}");
    let ran = Drp::new(["machines", "lst"]).fails(2);
    assert!(ran.err.contains("'list'"), "{ran:#?}");
    let ran = Drp::new(["utter-nonsense"]).fails(2);
    assert!(ran.err.contains("no command `utter-nonsense`"), "{ran:#?}");
    Drp::new(["machines", "show"]).fails(2);
    Drp::new(["machines", "list", "--no-such-flag"]).fails(2);
    Drp::new(["machines", "set", "x", "param", "p", "too", "v"]).fails(2);
    let ran = Drp::new(["--base-root", "/nonexistent", "machines", "create", "{a: ["]).fails(2);
    assert!(ran.err.contains("neither JSON nor YAML"), "{ran:#?}");
    let ran = Drp::new(["--base-root", "/nonexistent", "machines", "list", "Name"]).fails(2);
    assert!(ran.hints().contains("INDEX=VALUE"), "{ran:#?}");
    assert!(Drp::new(Vec::<&str>::new()).fails(2).err.contains("Usage"));
}

#[test]
fn an_absent_daemon_says_how_to_start_one() {
    for words in [&["machines", "list"][..], &["status"], &["events", "watch"], &["stop"], &["cows", "list"]]
    {
        let ran = Drp::new(words.iter().copied()).env("DRP_BASE_ROOT", "/nonexistent").fails(6);
        assert!(ran.err.contains("/nonexistent/drp.sock") && !ran.hints().is_empty(), "{ran:#?}");
        assert!(ran.out.is_empty(), "{ran:#?}");
    }
    let ran = Drp::new(["status", "--endpoint", "https://127.0.0.1:1"]).fails(6);
    assert!(ran.hints().contains("drp serve"), "{ran:#?}");
    Drp::new(["status", "--endpoint", "nonsense"]).fails(2);
}

#[test]
fn settings_tell_where_they_come_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("drp.toml");
    std::fs::write(&file, "api-port = 1000\nstatic-port = 1001\ndrp-id = \"a\"\n").unwrap();
    let file = file.display().to_string();
    let shown = Drp::new(["config", "show", "--origin", "--settings", &file, "--static-port", "1002"])
        .env("DRP_DRP_ID", "b")
        .env("DRP_BASE_ROOT", "/base")
        .json();
    assert_eq!(shown["api-port"], json!({"value": "1000", "origin": format!("file {file}")}));
    assert_eq!(shown["static-port"], json!({"value": "1002", "origin": "flag --static-port"}));
    assert_eq!(shown["drp-id"], json!({"value": "b", "origin": "environment DRP_DRP_ID"}));
    assert_eq!(shown["base-root"], json!({"value": "/base", "origin": "environment DRP_BASE_ROOT"}));
    assert_eq!(shown["socket"]["value"], "/base/drp.sock");
    assert_eq!(shown["bind"]["origin"], "default");
    let table = Drp::new(["config", "show", "--origin", "--base-root", "/x", "--format", "table"]).ok().out;
    assert!(
        table
            .lines()
            .any(|l| l.starts_with("base-root") && l.contains("/x") && l.contains("flag --base-root")),
        "{table}"
    );
    let bad = Drp::new(["config", "show", "--api-port", "nine", "--static-port", "ten"]).fails(2);
    assert!(bad.err.contains("nine") && bad.err.contains("ten"), "{bad:#?}");
    Drp::new(["config", "show", "--settings", "/nonexistent/file"]).fails(2);
}

#[test]
fn completions_for_every_shell() {
    for (shell, mark) in
        [("bash", "_drp"), ("zsh", "#compdef drp"), ("fish", "complete -c drp"), ("elvish", "drp")]
    {
        let script = Drp::new(["completions", shell]).ok().out;
        assert!(script.contains(mark) && script.contains("plugin_providers"), "{shell}");
    }
    Drp::new(["completions", "cmd.exe"]).fails(2);
}

#[test]
fn the_bash_completion_is_bash() {
    let script = Drp::new(["completions", "bash"]).ok().out;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("drp.bash");
    std::fs::write(&file, script).unwrap();
    let ask = format!(
        "source {} && COMP_WORDS=(drp machines l) COMP_CWORD=2 && _drp drp l machines && echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let output = std::process::Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("list"), "{output:?}");
}

#[test]
fn an_unknown_word_runs_the_program_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("drp-hello");
    std::fs::write(&program, "#!/bin/sh\necho \"$@\" base=$DRP_BASE_ROOT\nexit 42\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let ran =
        Drp::new(["--base-root", "/b", "hello", "--flag", "a b", "--help"]).env("PATH", &path).fails(42);
    assert_eq!(ran.out, "--flag a b --help base=/b\n");
    // Never from the current directory, however PATH is written.
    for path in [".:/usr/bin", "", ":/usr/bin", "./:/usr/bin"] {
        let ran = Drp::new(["hello"]).env("PATH", path).dir(dir.path()).fails(2);
        assert!(ran.out.is_empty(), "{ran:#?}");
    }
    let ran = Drp::new(["helo"]).env("PATH", &path).fails(2);
    assert!(ran.hints().contains("`hello`"), "{ran:#?}");
}

#[test]
fn the_simulator_is_a_word() {
    assert!(Drp::new(["sim", "--help"]).ok().out.contains("bmc"));
}

#[test]
fn a_plugin_runs_without_a_daemon() {
    let echo = binary("echo").display().to_string();
    let machine = r#"{"Name": "m1", "Params": {"echo/text": "of the machine"}}"#;
    let run = |words: &[&str]| {
        let all = ["plugin", "run", &echo, "--action"].into_iter().chain(words.iter().copied());
        Drp::new(all.collect::<Vec<_>>())
    };
    assert_eq!(run(&["echo", "--param", "echo/text=hello", "--machine", machine]).json(), "hello");
    assert_eq!(run(&["echo", "--machine", machine]).json(), "of the machine");
    assert_eq!(
        run(&["echo", "--param", "echo/text=-", "--machine", machine]).input("piped\n").json(),
        "piped"
    );
    assert_eq!(run(&["echogreeting", "--config", "echo/greeting=hi"]).json(), "hi");
    // It is offered on machines only, so nobody has to say so.
    assert_eq!(run(&["echo", "--param", "echo/text=hello"]).json(), "hello");
    let ran = run(&["echogreeting", "--machine", machine]).fails(3);
    assert!(ran.hints().contains("--machine"), "{ran:#?}");
    let ran = run(&["nothing"]).fails(3);
    assert!(ran.hints().contains("echogreeting"), "{ran:#?}");
    run(&["echo", "--param", "novalue", "--machine", machine]).fails(2);
    Drp::new(["plugin", "run", "/nonexistent", "--action", "x"]).fails(3);
    Drp::new(["plugin", "run", &binary("incrementer").display().to_string(), "--action", "incrstatus"]).ok();
}

/// A plugin in shell that is good for `define` only.
fn defining(dir: &Path, actions: &Value) -> String {
    let file = dir.join("lamp");
    let definition =
        json!({"Name": "lamp", "Version": "v1", "PluginVersion": 4, "AvailableActions": actions});
    std::fs::write(&file, format!("#!/bin/sh\n[ \"$1\" = define ] && echo '{definition}'\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

#[test]
fn an_action_of_several_sets_needs_to_be_told_which() {
    let dir = tempfile::tempdir().unwrap();
    let actions =
        json!([{"Model": "machines", "Command": "blink"}, {"Model": "profiles", "Command": "blink"}]);
    let lamp = defining(dir.path(), &actions);
    let ran = Drp::new(["plugin", "run", &lamp, "--action", "blink"]).fails(2);
    assert!(ran.err.contains("lamp offers blink on machines and on profiles"), "{ran:#?}");
    assert!(ran.hints().contains("--machine"), "{ran:#?}");
}

#[test]
fn the_commands_of_the_guide_work_as_they_are_printed() {
    let guide = include_str!("../../../docs/writing-a-plugin.md");
    let lines: Vec<&str> = guide.lines().filter(|l| l.contains("./echo ")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(binary("echo"), dir.path().join("echo")).unwrap();
    let path = format!("{}:/usr/bin:/bin", binary("drp").parent().unwrap().display());
    let mut printed = lines.iter().map(|line| {
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(dir.path()).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    });
    assert!(printed.next().unwrap().contains("\"PluginVersion\": 4"));
    assert_eq!(printed.next().unwrap().trim(), "\"hello\"");
}

/// `drp sim bmc` with a machine that is off; ends when it is dropped.
struct Bmc(std::process::Child, String);

impl Drop for Bmc {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bmc {
    fn start(password: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, password).unwrap();
        let mut child = std::process::Command::new(binary("drp-sim"))
            .args(["bmc", "--user", "admin", "--password-file"])
            .arg(&file)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        Self(child, line["bmcs"][0].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned())
    }
}

#[test]
fn a_bmc_is_reached_without_a_daemon() {
    const CANARY: &str = "canary-of-a-bmc";
    let bmc = Bmc::start(CANARY);
    let ipmi = binary("ipmi").display().to_string();
    let port = format!("ipmi/port-ipmitool={}", bmc.1);
    let run = |action: &str, password: &str| {
        Drp::new(
            ["plugin", "run", &ipmi, "--action", action, "--param", "ipmi/address=127.0.0.1"]
                .iter()
                .chain(&["--param", "ipmi/username=admin", "--param", password, "--param", &port]),
        )
    };
    let piped = |action: &str| run(action, "ipmi/password=-").input(&format!("{CANARY}\n"));
    let begin = Instant::now();
    let ran = piped("powerstatus").ok();
    // It took 20 s while the plugin looked for a daemon that is not there.
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert!(ran.out.contains("\"off\"") && !ran.err.contains("warning"), "{ran:#?}");
    let on = piped("poweron").json();
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)), "{on}");
    // Who writes a secret on the command line is told.
    let ran = run("powerstatus", &format!("ipmi/password={CANARY}")).ok();
    assert!(ran.err.contains("command line: write ipmi/password=-"), "{ran:#?}");
    assert!(!ran.err.contains(CANARY) && !ran.out.contains(CANARY), "{ran:#?}");
    let ran = run("powerstatus", "ipmi/kg=-").input("x\n").fails(4);
    assert!(ran.err.contains("Missing Parameter ipmi/password"), "{ran:#?}");
}

#[test]
fn a_file_that_is_no_plugin_is_diagnosed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    let path = file.display().to_string();
    assert!(Drp::new(["plugin", "run", &path, "--action", "x"]).run().err.contains("executable"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = Drp::new(["plugin", "run", &path, "--action", "x"]).run();
    assert!(ran.code != 0 && ran.err.contains("define"), "{ran:#?}");
}
