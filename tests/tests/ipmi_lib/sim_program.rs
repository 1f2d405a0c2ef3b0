//! The program `drp-sim bmc`: its line, its control, its log, its end.

use crate::{run, timeouts};
use drp_ipmi::{ChassisControl, CipherSuite::Suite17, Client, Target};
use drp_tests::peers::{PASSWORD, USER, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Program {
    child: Child,
    line: Value,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(dir: &Path, args: &[&str]) -> Self {
        std::fs::write(dir.join("password"), format!("{PASSWORD}\n")).unwrap();
        let mut child = Command::new(drp_tests::daemon::binary("drp-sim"))
            .args(["bmc", "--user", USER, "--password-file", "password"])
            .args(args)
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line: serde_json::from_str(&line).unwrap() }
    }

    fn bmc(&self, index: usize) -> SocketAddr {
        self.line["bmcs"][index].as_str().unwrap().parse().unwrap()
    }

    fn control(&self) -> Control {
        Control(BufReader::new(TcpStream::connect(self.line["control"].as_str().unwrap()).unwrap()))
    }
}

struct Control(BufReader<TcpStream>);

impl Control {
    fn ask(&mut self, request: &Value) -> Value {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

fn power_up(address: SocketAddr) {
    run(async {
        let target = Target {
            port: address.port(),
            suite: Suite17,
            ..Target::new(address.ip().to_string(), USER, PASSWORD.to_owned())
        };
        let mut s = Client::connect(&target, timeouts()).await.unwrap();
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        s.close().await.unwrap();
    });
}

#[test]
fn it_serves_many_bmcs_and_takes_orders() {
    let dir = tempfile::tempdir().unwrap();
    let hook = "echo $DRP_SIM_EVENT $DRP_SIM_BMC >> events";
    let args = ["--count", "3", "--log", "log", "--control", "127.0.0.1:0", "--on-power", hook];
    let mut program = Program::start(dir.path(), &args);
    let second = program.bmc(1);
    power_up(second);

    let mut control = program.control();
    let state = |control: &mut Control, n: usize| control.ask(&json!({"op": "state", "bmc": n}));
    assert_eq!(state(&mut control, 0)["power"], "off");
    let of_second = state(&mut control, 1);
    assert_eq!((&of_second["power"], &of_second["counts"]["power_ups"]), (&json!("on"), &json!(1)));
    assert_eq!(of_second["address"], second.to_string());
    assert!(state(&mut control, 7)["error"].as_str().unwrap().contains("counted from 0"));
    assert!(control.ask(&json!({"op": "dance"}))["error"].is_string());
    assert!(control.ask(&json!({"op": "set", "suites": [0]}))["error"].as_str().unwrap().contains("3 or 17"));

    // Faults come into force while it runs.
    let rules = json!([{"on": "chassis-control", "effect": {"kind": "completion", "code": 0xc0}}]);
    assert_eq!(control.ask(&json!({"op": "faults", "rules": rules}))["ok"], true);
    run(async {
        let address = program.bmc(2);
        let mut s = crate::connect(address, Suite17).await;
        assert!(s.chassis_control(ChassisControl::PowerUp).await.is_err());
        s.close().await.unwrap();
    });
    assert_eq!(control.ask(&json!({"op": "power", "on": true, "bmc": 0}))["ok"], true);
    assert_eq!(state(&mut control, 0)["power"], "on");
    let log = control.ask(&json!({"op": "log", "bmc": 2}));
    assert!(log["log"].as_array().unwrap().iter().any(|e| e["fault"] == "completion" && e["code"] == 0xc0));
    control.ask(&json!({"op": "clear-log"}));
    assert_eq!(control.ask(&json!({"op": "log"}))["log"], json!([]));

    let wanted = format!("on {second}");
    let events = dir.path().join("events");
    assert!(wait_until(Duration::from_secs(10), || {
        std::fs::read_to_string(&events).is_ok_and(|text| text.contains(&wanted))
    }));
    let written = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(written.lines().all(|l| serde_json::from_str::<Value>(l).is_ok()));
    assert!(written.contains("chassis-control") && !written.contains(PASSWORD));

    assert_eq!(control.ask(&json!({"op": "stop"}))["ok"], true);
    assert!(wait_until(
        Duration::from_secs(10),
        || matches!(program.child.try_wait(), Ok(Some(s)) if s.success())
    ));
}

#[test]
fn it_says_what_is_wrong_with_its_arguments() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.json"), r#"[{"on": "power", "effect": {"kind": "stuck"}}]"#).unwrap();
    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    for (args, text) in [
        (vec!["--suite", "0"], "cipher suite 0 is not simulated"),
        (vec!["--faults", "bad.json"], "nothing a fault can be on"),
        (vec!["--faults", "absent.json"], "absent.json"),
        (vec!["--listen", "0.0.0.0:0"], "--password-file"),
        (vec!["--listen", &taken], "choose a free port"),
        (vec!["--control", "0.0.0.0:1"], "not a loopback address"),
        (vec!["--user", "a name of 17 bytes"], "at most 16 bytes"),
    ] {
        let mut child = Command::new(drp_tests::daemon::binary("drp-sim"))
            .arg("bmc")
            .args(&args)
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(
            wait_until(Duration::from_secs(10), || matches!(child.try_wait(), Ok(Some(_)))),
            "{args:?} runs on"
        );
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success() && said.contains(text), "{args:?}: {said}");
    }
}
