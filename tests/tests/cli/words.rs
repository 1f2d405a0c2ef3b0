//! What operators of other command lines of this API bring with them, and what keeps them from mistakes.

use crate::run::Drp;
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

#[test]
fn params_that_nobody_defined_are_told_on_standard_error_only() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["params", "create", r#"{"Name": "rack/unit", "Schema": {"type": "integer"}}"#]).ok();
    for words in [
        &["machines", "create", r#"{"Name": "m1", "Params": {"rack/unit": 3, "rack/unti": 4}}"#][..],
        &["machines", "update", "Name:m1", r#"{"Params": {"rack/unti": 5}}"#],
        &["machines", "params", "Name:m1", r#"{"rack/unit": 3, "rack/unti": 4}"#],
        &["machines", "set", "Name:m1", "param", "rack/unti", "to", "6"],
    ] {
        let ran = drp(words).ok();
        assert!(ran.err.contains("no param definition is called rack/unti"), "{words:?}: {ran:#?}");
        assert!(ran.hints().contains("`rack/unit`"), "{words:?}: {ran:#?}");
        assert!(!ran.err.contains("called rack/unit:"), "{words:?}: {ran:#?}");
        serde_json::from_str::<Value>(&ran.out).unwrap();
    }
}

#[test]
fn a_reference_keeps_others_changes() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let made = drp(&["profiles", "create", "web"]).json();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.json");
    std::fs::write(&file, made.to_string()).unwrap();
    let file = file.to_str().unwrap();
    drp(&["profiles", "update", "web", "Description: one", "--ref", file]).ok();
    // It is no longer what the file says.
    let ran = drp(&["profiles", "update", "web", "Description: two", "-r", file]).fails(4);
    assert!(ran.err.contains("Test op failed"), "{ran:#?}");
    assert_eq!(drp(&["profiles", "show", "web"]).json()["Description"], "one");
    // From what it was to what it shall be, in one.
    let now = drp(&["profiles", "show", "web"]).ok().out;
    assert_eq!(drp(&["profiles", "patch", &now, "Description: three"]).json()["Description"], "three");
    drp(&["profiles", "patch", &now, "Description: four"]).fails(4);
}

#[test]
fn fields_are_chosen_in_every_format() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["profiles", "create", r#"{"Name": "web", "Meta": {"rack": "r1"}, "Params": {"note": "a b"}}"#])
        .ok();
    let list = ["profiles", "list", "Name=web", "-J", "Name,Meta.rack,Params.note"];
    let with = |more: &[&str]| drp(&[&list[..], more].concat()).ok().out;
    assert_eq!(with(&["-F", "text"]), "Name\tMeta.rack\tParams.note\nweb\tr1\ta b\n");
    assert_eq!(with(&["-F", "text", "-H"]), "web\tr1\ta b\n");
    let json: Value = serde_json::from_str(&with(&["-F", "json"])).unwrap();
    assert_eq!(json, json!([{"Name": "web", "Meta.rack": "r1", "Params.note": "a b"}]));
    assert!(with(&["-F", "table"]).starts_with("NAME"));
    assert_eq!(drp(&["profiles", "show", "web", "--columns", "Name", "-F", "text", "-H"]).ok().out, "web\n");
    assert_eq!(drp(&["profiles", "get", "web", "param", "note", "-F", "text"]).ok().out, "a b\n");
}

#[test]
fn a_password_on_the_command_line_is_taken_with_a_warning() {
    let daemon = Daemon::start();
    Drp::on(&daemon, ["users", "create", r#"{"Name": "jane", "Roles": ["superuser"]}"#]).ok();
    let ran = Drp::on(&daemon, ["users", "password", "jane", "correct horse"]).ok();
    assert!(ran.err.contains("--new-password-file") && !format!("{ran:?}").contains("horse"), "{ran:#?}");
    let endpoints = format!("https://127.0.0.1:1 {}", daemon.api);
    // Of several endpoints the one that answers.
    let as_jane = {
        Drp::new(["info", "check", "-U", "jane", "--password-file", "-"])
            .env("RS_ENDPOINTS", &endpoints)
            .env("DRP_PIN", daemon.base().join("tls/server.crt").to_str().unwrap())
            .input("correct horse\n")
    };
    as_jane.ok();
}

#[test]
fn a_watch_shows_what_passes_its_filters_and_what_leaves() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["profiles", "create", "other"]).ok();
    let mut child = drp(&["profiles", "watch", "Meta.rack=r1"]).spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It is not known when it has registered: the change is repeated until it is seen.
    let (seen, first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let line = lines.next().unwrap().unwrap();
        seen.send(()).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        let rest = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let left = rest.into_iter().find(|event| event["Action"] == "delete").unwrap();
        (first, left)
    });
    for n in 0.. {
        drp(&["profiles", "update", "other", &format!("Description: turn {n}")]).ok();
        drp(&["profiles", "create", "web"]).ok();
        drp(&["profiles", "meta", "set", "web", "rack", "r1"]).ok();
        if first.recv_timeout(std::time::Duration::from_millis(300)).is_ok() {
            break;
        }
        drp(&["profiles", "destroy", "web"]).ok();
    }
    drp(&["profiles", "destroy", "web"]).ok();
    let (entered, left) = reader.join().unwrap();
    assert_eq!((&entered["Key"], &left["Key"]), (&json!("web"), &json!("web")));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn help_shows_examples() {
    let help = Drp::new(["machines", "addprofile", "--help"]).ok().out;
    assert!(help.contains("Examples:\n  drp machines addprofile Name:web1 base"), "{help}");
}
