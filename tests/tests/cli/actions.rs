//! Actions and plugin providers.

use crate::run::Drp;
use drp_tests::daemon::{Daemon, binary};
use serde_json::json;
use std::time::{Duration, Instant};

fn wait_for_action(daemon: &Daemon, command: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let listed = Drp::on(daemon, ["machines", "actions", "Name:m1"]).json();
        if listed.as_array().unwrap().iter().any(|a| a["Command"] == command) {
            return;
        }
        assert!(Instant::now() < end, "no {command}: {listed}\n{}", daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn actions_are_listed_and_run() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["machines", "create", "m1"]).ok();
    drp(&["plugins", "create", r#"{"Name": "inc", "Provider": "incrementer"}"#]).ok();
    wait_for_action(&daemon, "increment");
    assert_eq!(drp(&["machines", "action", "Name:m1", "increment"]).json()["Provider"], "incrementer");
    assert_eq!(drp(&["machines", "runaction", "Name:m1", "increment"]).json(), 1);
    assert_eq!(drp(&["machines", "runaction", "Name:m1", "increment", "incrementer/step", "10"]).json(), 11);
    assert_eq!(
        drp(&["machines", "runaction", "Name:m1", "increment", "{incrementer/step: 9}", "--plugin", "inc"])
            .json(),
        20
    );
    assert_eq!(drp(&["machines", "runaction", "Name:m1", "increment", "-"]).input("{}").json(), 21);
    assert_eq!(drp(&["machines", "runaction", "Name:m1", "reset_count"]).json(), "Success");
    assert_eq!(
        drp(&["machines", "runaction", "Name:m1", "reset_count", "incrementer/touched", "1", "-F", "table"])
            .run()
            .code,
        1,
        "what the plugin refuses is its failure"
    );

    let ran = drp(&["machines", "runaction", "Name:m1", "reset_count"]).fails(4);
    assert!(ran.err.contains("Missing Parameter incrementer/touched"), "{ran:#?}");
    assert!(ran.hints().contains("machines set Name:m1 param incrementer/touched"), "{ran:#?}");
    let ran = drp(&["machines", "runaction", "Name:m1", "incremnt"]).fails(3);
    assert!(ran.hints().contains("`increment`"), "{ran:#?}");
    let ran = drp(&["machines", "runaction", "Name:m9", "increment"]).fails(3);
    assert!(ran.hints().contains("`Name:m1`"), "{ran:#?}");
    let ran =
        drp(&["machines", "runaction", "Name:m1", "increment", "incrementer/step", "asgdasdg"]).fails(4);
    assert!(ran.err.contains("Expected: integer, given: string"), "{ran:#?}");
    drp(&["machines", "runaction", "Name:m1", "increment", "a", "1", "b"]).fails(2);

    assert_eq!(drp(&["system", "runaction", "incrstatus"]).json(), "Running");
    assert_eq!(drp(&["system", "actions"]).json()[0]["Command"], "incrstatus");
    drp(&["system", "action", "incrstat"]).fails(3);
    assert_eq!(drp(&["typed-cows", "show", "bessie"]).json()["Location"], "Austin");
    // A type that the plugin added takes the same verbs.
    drp(&["typed-cows", "create", "{Id: elsie, Spotted: true, Location: Boston}"]).ok();
    assert_eq!(drp(&["typed-cows", "show", "elsie", "-F", "json"]).json()["Location"], "Boston");
    assert!(drp(&["typed-cows", "list", "Spotted=true", "-F", "table"]).ok().out.contains("elsie"));
    // One whose name looks like a known one is not taken for a mistake.
    assert_eq!(drp(&["cows", "list"]).json(), json!([]));
    drp(&["typed-cows", "set", "elsie", "param", "some/param", "to", "1"]).ok();
    let status = drp(&["status"]).json();
    assert_eq!(status["State"], "ready");
}

#[test]
fn providers_are_uploaded_shown_downloaded_and_deleted() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let echo = binary("echo");
    let size = std::fs::metadata(&echo).unwrap().len();
    let done = drp(&["plugin_providers", "upload", &echo.display().to_string()]).json();
    assert_eq!(done, json!({"path": "echo", "size": size}));
    assert_eq!(drp(&["plugin_providers", "show", "echo"]).json()["PluginVersion"], 4);
    let table = drp(&["plugin_providers", "list", "-F", "table"]).ok().out;
    assert!(table.starts_with("NAME") && table.contains("echo"), "{table}");
    let dir = tempfile::tempdir().unwrap();
    drp(&["plugin_providers", "download", "echo"]).dir(dir.path()).ok();
    assert_eq!(std::fs::read(dir.path().join("echo")).unwrap(), std::fs::read(&echo).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half is left");
    drp(&["plugin_providers", "download", "ecko"]).dir(dir.path()).fails(3);
    drp(&["plugin_providers", "upload", "/nonexistent"]).fails(3);
    let bad = drp(&["plugin_providers", "upload", "/bin/true", "--as", "broken"]).fails(4);
    assert!(bad.err.contains("define failed"), "{bad:#?}");
    drp(&["plugin_providers", "destroy", "echo"]).ok();
    drp(&["plugin_providers", "exists", "echo"]).fails(3);
}
