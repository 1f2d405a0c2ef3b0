//! `drp sim bmc` as people start it, with curl and `ipmitool` as second clients, and the examples of its guide.

use drp_tests::daemon::binary;
use drp_tests::peers::{find_program, skipped, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const GUIDE: &str = include_str!("../../../docs/simulator.md");

/// `drp sim bmc …`, and its first lines.
struct Program {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(binary("drp"))
            .args(["sim", "bmc"])
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        binary("drp-sim");
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }
}

fn ask(socket: &Path, request: &Value) -> Value {
    let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
    stream.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Status and body, as curl sees them. The certificate is verified.
fn curl(dir: &Path, url: &str, more: &[&str]) -> (String, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--cacert",
            "bmc.pem",
            "--write-out",
            "\n%{http_code}",
        ])
        .args(more)
        .arg(url)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
fn curl_finds_its_way_through_a_bmc_of_both_protocols() {
    if find_program("curl").is_none() {
        skipped("curl", "apt-get install curl");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut sim = Program::start(
        dir,
        &[
            "--protocol",
            "both",
            "--profile",
            "idrac",
            "--certificate",
            "bmc.pem",
            "--control",
            "unix:ctl",
            "--log",
            "log",
            "--output",
            "lines",
        ],
    );
    let (bmc, ready) = (sim.json(), sim.json());
    assert_eq!((&ready["ready"], &ready["control"]), (&json!(1), &json!("unix:ctl")));
    let url = bmc["redfish"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://") && bmc["ipmi"].as_str().is_some());
    assert_eq!(bmc["params"]["ipmi/tls-fingerprint"], ready["fingerprint"]);
    assert!(!bmc.to_string().contains("password"));

    let (status, root) = curl(dir, &format!("{url}/redfish/v1/"), &[]);
    let root: Value = serde_json::from_str(&root).unwrap();
    assert_eq!((status.as_str(), &root["Vendor"]), ("200", &json!("Dell")));
    let systems = format!("{url}{}", root["Systems"]["@odata.id"].as_str().unwrap());
    assert_eq!(curl(dir, &systems, &[]).0, "401");
    assert_eq!(curl(dir, &systems, &["-u", "admin:wrong"]).0, "401");
    let (status, list) = curl(dir, &systems, &["-u", "admin:password"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let system = format!("{url}{}", list["Members"][0]["@odata.id"].as_str().unwrap());
    assert_eq!((status.as_str(), list["Members@odata.count"].as_u64()), ("200", Some(1)));

    // A session by hand: made, used, deleted.
    let login = r#"{"UserName": "admin", "Password": "password"}"#;
    let json_type = ["-H", "Content-Type: application/json"];
    let sessions = format!("{url}{}", root["Links"]["Sessions"]["@odata.id"].as_str().unwrap());
    let made = Command::new("curl")
        .args(["--silent", "--cacert", "bmc.pem", "--dump-header", "-", "-d", login])
        .args(json_type)
        .arg(&sessions)
        .current_dir(dir)
        .output()
        .unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let header = |name: &str| {
        made.lines()
            .find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)))
            .unwrap()
            .1
            .trim()
            .to_owned()
    };
    let token = format!("X-Auth-Token: {}", header("x-auth-token"));
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let on = ["-H", token.as_str(), json_type[0], json_type[1], "-d", r#"{"ResetType": "On"}"#];
    assert_eq!(curl(dir, &reset, &on), ("204".to_owned(), String::new()));
    let (status, again) = curl(dir, &reset, &on);
    assert!(status == "409" && again.contains("IDRAC.2.8.PSU501"), "{status} {again}");
    let session = format!("{url}{}", header("location"));
    assert_eq!(curl(dir, &session, &["-X", "DELETE", "-H", &token]).0, "200");
    assert_eq!(curl(dir, &systems, &["-H", &token]).0, "401");

    // The same machine through IPMI.
    if find_program("ipmitool").is_some() {
        let port = bmc["ipmi"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
        let output = Command::new("ipmitool")
            .args([
                "-I",
                "lanplus",
                "-H",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "admin",
                "-E",
                "-C",
                "17",
                "-N",
                "2",
                "-R",
                "2",
            ])
            .args(["chassis", "power", "status"])
            .env("IPMI_PASSWORD", "password")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("is on"), "{output:?}");
    } else {
        skipped("ipmitool", "apt-get install ipmitool");
    }

    // Faults while it runs; the connection is cut after the reset was done.
    let control = dir.join("ctl");
    let rules = json!([{"on": "redfish-reset", "times": 1, "effect": {"kind": "lose-reply"}}]);
    assert_eq!(
        ask(&control, &json!({"op": "faults", "rules": rules, "settings": {"power_delay_ms": 0}}))["ok"],
        true
    );
    let off = ["-H", json_type[1], "-d", r#"{"ResetType": "ForceOff"}"#, "-u", "admin:password"];
    assert_eq!(curl(dir, &reset, &off).0, "000", "no answer");
    let state = ask(&control, &json!({"op": "state"}));
    assert_eq!((&state["power"], &state["counts"]["power_downs"]), (&json!("off"), &json!(1)));
    assert_eq!(state["redfish"], url);
    let log = ask(&control, &json!({"op": "log"}));
    let entries = log["log"].as_array().unwrap();
    let cut: Vec<_> = entries.iter().filter(|e| e["fault"] == "lose-reply").collect();
    assert_eq!(cut.len(), 1, "{log}");
    assert!(cut[0]["done"] == true && cut[0]["status"].is_null() && cut[0]["method"] == "POST", "{}", cut[0]);
    assert!(
        ask(&control, &json!({"op": "set", "no_such": 1}))["error"].as_str().unwrap().contains("no_such")
    );
    assert_eq!(ask(&control, &json!({"op": "stop"}))["ok"], true);
    assert!(wait_until(
        Duration::from_secs(10),
        || matches!(sim.child.try_wait(), Ok(Some(s)) if s.success())
    ));
    let written = std::fs::read_to_string(dir.join("log")).unwrap();
    assert!(
        written.contains("ComputerSystem.Reset")
            && !written.contains("password")
            && !written.contains(&header("x-auth-token"))
    );
    assert!(!control.exists(), "its socket is gone");
}

/// Fenced blocks of that kind, in their order.
fn blocks(kind: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut inside: Option<String> = None;
    for line in GUIDE.lines() {
        match &mut inside {
            Some(_) if line == "```" => out.extend(inside.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line == format!("```{kind}") => inside = Some(String::new()),
            None => {}
        }
    }
    out
}

#[test]
fn every_faults_file_of_the_guide_can_be_read() {
    let files = blocks("yaml");
    assert!(files.len() >= 4, "{}", files.len());
    for text in files {
        drp_bmc_sim::Scenario::read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    }
    // Every effect, kind of request and setting is in the guide.
    for op in drp_bmc_sim::Op::ALL {
        assert!(GUIDE.contains(&format!("`{}`", op.word())), "{}", op.word());
    }
    let unknown = drp_bmc_sim::Scenario::read("- effect: {kind: nothing}\n").unwrap_err();
    let effects: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert!(effects.len() > 25, "{unknown}");
    for effect in effects {
        assert!(GUIDE.contains(&format!("| `{effect}`")), "effect {effect} is not in the guide");
    }
    let unknown = drp_bmc_sim::Scenario::read("settings: {nothing: 1}\n").unwrap_err();
    let settings: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert!(settings.len() >= 10, "{unknown}");
    for setting in settings {
        assert!(GUIDE.contains(&format!("| `{setting}`")), "setting {setting} is not in the guide");
    }
}

#[test]
fn the_sessions_of_the_guide_work_as_they_are_printed() {
    for program in ["curl", "ipmitool"] {
        if find_program(program).is_none() {
            skipped(program, "run tests/setup.sh");
            return;
        }
    }
    let path = format!("{}:/usr/bin:/bin", binary("drp").parent().unwrap().display());
    let faults = blocks("yaml").remove(0);
    let scripts = blocks("sh");
    assert!(scripts.len() >= 2, "{}", scripts.len());
    for script in scripts {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("faults.yaml"), &faults).unwrap();
        // Each says with ` # prints …` what comes out.
        let wanted: Vec<&str> =
            script.lines().filter_map(|line| line.split_once("# prints ")).map(|(_, w)| w.trim()).collect();
        let output = Command::new("bash")
            .args(["-euc", &script])
            .current_dir(dir.path())
            .env("PATH", &path)
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script}\n{out}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!wanted.is_empty(), "{script}");
        for text in wanted {
            assert!(out.contains(text), "{text:?} is not in:\n{out}\nof\n{script}");
        }
    }
}

#[test]
fn a_profile_of_ones_own_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let text = blocks("text").into_iter().find(|block| block.contains("name: no-reset")).unwrap();
    std::fs::write(dir.path().join("own.yaml"), text).unwrap();
    let args = ["--protocol", "redfish", "--plain", "--profile", "./own.yaml", "--count", "2"];
    let mut sim = Program::start(dir.path(), &args);
    let line = sim.json();
    let url = line["redfish"][1].as_str().unwrap().to_owned();
    assert!(line["bmcs"][1].as_str().is_some_and(|at| url.ends_with(at)), "{line}");
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut target = drp_redfish::Target::new("127.0.0.1", "admin", "password".to_owned().into());
        (target.port, target.trust) = (port, drp_redfish::Trust::Plain);
        let mut client = drp_redfish::Client::connect(&target).await.unwrap();
        let system = client.find_system().await.unwrap();
        assert_eq!(system.reset_target(), None);
        assert!(client.optical_slot(&system).await.unwrap().resource.path.ends_with("/CD1"));
        client.close().await.unwrap();
    });
}

#[test]
fn help_and_mistakes_are_explained() {
    let sim = |args: &[&str]| {
        let output = Command::new(binary("drp")).args(["sim", "bmc"]).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let (ok, help) = sim(&["--help"]);
    assert!(ok, "{help}");
    for word in ["drp sim bmc", "--protocol", "--profile", "--faults", "--control", "supermicro", "Examples:"]
    {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.yaml");
    std::fs::write(&bad, "rules:\n  - on: redfish-dance\n    effect: {kind: stuck}\n").unwrap();
    let odd = dir.path().join("odd.yaml");
    std::fs::write(&odd, "settings: {suites: [9]}\n").unwrap();
    for (args, text) in [
        (vec!["--protocol", "both", "--profile", "pdp11"], "generic, idrac, ilo, supermicro"),
        (vec!["--protocol", "both", "--profile", "./none.yaml"], "none.yaml"),
        (vec!["--profile", "pdp11"], "generic, idrac, ilo, supermicro"),
        (vec!["--protocol", "ipmi", "--profile", "idrac"], "--protocol redfish or both"),
        (vec!["--faults", bad.to_str().unwrap()], "redfish-reset"),
        (vec!["--faults", odd.to_str().unwrap()], "cipher suite 9"),
        (vec!["--protocol", "redfish", "--plain", "--certificate", "x.pem"], "leave out --plain"),
        (vec!["--protocol", "smoke"], "ipmi, redfish, both"),
        (vec!["--count", "0"], "1..=10000"),
    ] {
        let (ok, said) = sim(&args);
        assert!(!ok && said.contains(text), "{args:?}: {said}");
    }
}
