//! docs/api.md: each command of it runs, in one shell, and prints what it prints there.

use drp_tests::daemon::{Daemon, USER};
use drp_tests::guide::{Step, steps};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Printed between two commands.
const MARK: &str = "== next command ==";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 30, "the page has its commands");
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "inc", "Provider": "incrementer"})).await;
    daemon.wait_plugin("inc").await;
    let script: String =
        steps.iter().map(|Step { command, .. }| format!("{command}\nprintf '%s' '{MARK}'\n")).collect();
    let shell = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .env("API", format!("{}/api/v3", daemon.api))
        .env("CA", daemon.base().join("tls/server.crt"))
        .env("LOGIN", format!("{}:{}", USER.0, USER.1))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&shell.stdout), String::from_utf8_lossy(&shell.stderr));
    let mut printed = out.split(MARK);
    for Step { command, output } in &steps {
        let got: Vec<&str> = printed.next().unwrap_or_default().lines().collect();
        assert_eq!(&got, output, "$ {command}\n{err}");
    }
}
