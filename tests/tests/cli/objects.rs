//! The verbs that all types share.

use crate::run::Drp;
use drp_tests::daemon::Daemon;
use serde_json::json;

#[test]
fn the_life_of_an_object() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let made = drp(&["machines", "create", r#"{"Name": "m1", "Description": "one"}"#]).json();
    let uuid = made["Uuid"].as_str().unwrap().to_owned();
    assert_eq!(drp(&["machines", "create", "m2"]).json()["Name"], "m2");
    drp(&["machines", "create", "-"]).input("Name: m3\nMeta: {rack: r1}\n").ok();
    assert_eq!(drp(&["machines", "show", "Name:m1"]).json()["Uuid"], json!(uuid));
    assert_eq!(drp(&["machines", "show", &uuid]).json()["Description"], "one");
    assert_eq!(drp(&["machines", "list"]).json().as_array().unwrap().len(), 3);
    let found =
        drp(&["machines", "list", "Name=Re(^m[12])", "--sort", "Name", "--reverse", "--limit", "1"]).json();
    assert_eq!(found[0]["Name"], "m2");
    assert_eq!(drp(&["machines", "count", "Meta.rack=r1"]).json(), 1);
    assert_eq!(drp(&["machines", "exists", "Name:m1"]).ok().out, "");
    drp(&["machines", "exists", "Name:m9"]).fails(3);

    let updated = drp(&["machines", "update", "Name:m1", "Description: two"]).json();
    assert_eq!(updated["Description"], "two");
    let patch = r#"[{"op": "test", "path": "/Description", "value": "one"}, {"op": "replace", "path": "/Description", "value": "x"}]"#;
    let ran = drp(&["machines", "patch", "Name:m1", patch]).fails(4);
    assert!(ran.err.contains("Test op failed"), "{ran:#?}");
    assert_eq!(drp(&["machines", "show", "Name:m1"]).json()["Description"], "two");

    assert_eq!(drp(&["machines", "meta", "get", "Name:m3", "rack"]).json(), "r1");
    assert_eq!(drp(&["machines", "meta", "set", "Name:m3", "key", "rack", "to", "r2"]).json()["rack"], "r2");
    drp(&["machines", "meta", "add", "Name:m3", "rack", "r3"]).fails(4);
    drp(&["machines", "meta", "remove", "Name:m3", "rack"]).ok();
    drp(&["machines", "meta", "get", "Name:m3", "rack"]).fails(3);
    assert_eq!(drp(&["machines", "meta", "add", "Name:m3", "rack", "r3"]).json()["rack"], "r3");
    assert_eq!(drp(&["machines", "meta", "Name:m3"]).json()["rack"], "r3");

    let ran = drp(&["machines", "destroy", "Name:m1", "Name:m9", "Name:m2"]).fails(7);
    assert!(ran.err.contains("1 of 3"), "{ran:#?}");
    drp(&["machines", "destroy", "Name:m3"]).ok();
    drp(&["machines", "destroy", "Name:m3"]).fails(3);
    assert_eq!(drp(&["machines", "count"]).json(), 0);
}

#[test]
fn refusals_have_their_code_and_a_hint() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["profiles", "create", "web-servers"]).ok();
    let ran = drp(&["profiles", "create", "web-servers"]).fails(4);
    assert!(ran.err.contains("already exists"), "{ran:#?}");
    let ran = drp(&["profiles", "show", "web-server"]).fails(3);
    assert!(ran.hints().contains("`web-servers`"), "{ran:#?}");
    let ran = drp(&["profiles", "create", r#"{"Name": "!"}"#]).fails(4);
    assert!(ran.err.contains("Invalid Name"), "{ran:#?}");
    drp(&["machines", "create", "m1"]).ok();
    let ran = drp(&["machines", "show", "m1"]).fails(3);
    assert!(ran.hints().contains("Name:m1"), "{ran:#?}");
    drp(&["machines", "update", "Name:m1", "Locked: true"]).ok();
    let ran = drp(&["machines", "update", "Name:m1", "Description: x"]).fails(4);
    assert!(ran.hints().contains("unlock it"), "{ran:#?}");
    let ran = drp(&["machines", "list", "Nam=x"]).fails(4);
    assert!(ran.hints().contains("indexes"), "{ran:#?}");
    let ran = drp(&["cows", "list"]).fails(3);
    assert!(ran.err.contains("No route"), "{ran:#?}");
    drp(&["machines", "update", "Name:m1", "[1]"]).fails(2);
}

#[test]
fn a_dry_run_changes_nothing() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let plan = drp(&["machines", "create", "m1", "--dry-run"]).json();
    assert_eq!(plan, json!({"Method": "POST", "Path": "/api/v3/machines", "Body": {"Name": "m1"}}));
    assert_eq!(drp(&["machines", "count"]).json(), 0);
    drp(&["profiles", "create", "p1"]).ok();
    let plan = drp(&["profiles", "update", "p1", "Description: x", "--dry-run"]).json();
    assert_eq!(plan["Body"][1]["op"], "replace");
    drp(&["profiles", "destroy", "p1", "--dry-run"]).ok();
    drp(&["profiles", "set", "p1", "param", "a", "to", "1", "--dry-run"]).ok();
    assert_eq!(drp(&["profiles", "show", "p1"]).json()["Params"], json!({}));
    // What can be checked is checked.
    drp(&["profiles", "runaction", "p1", "nothing", "--dry-run"]).fails(3);
    drp(&["profiles", "destroy", "p2", "--dry-run"]).fails(3);
    drp(&["profiles", "create", "p1", "--dry-run"]).fails(4);
    drp(&["profiles", "remove", "p1", "param", "a", "--dry-run"]).fails(3);
    drp(&["prefs", "set", "logLevel", "debug", "--dry-run"]).ok();
}

#[test]
fn every_type_lists_and_tells_its_indexes() {
    let daemon = Daemon::start();
    for kind in [
        "machines",
        "params",
        "profiles",
        "plugins",
        "stages",
        "tasks",
        "workflows",
        "templates",
        "bootenvs",
        "users",
        "roles",
    ] {
        assert!(Drp::on(&daemon, [kind, "list"]).json().is_array(), "{kind}");
        assert!(Drp::on(&daemon, [kind, "indexes", "Key"]).json()["Unique"].as_bool().unwrap(), "{kind}");
        Drp::on(&daemon, [kind, "list", "--format", "table"]).ok();
    }
    assert!(Drp::on(&daemon, ["plugin_providers", "list"]).json().is_array());
    let ran = Drp::on(&daemon, ["machines", "indexes", "Nam"]).fails(3);
    assert!(ran.hints().contains("`Name`"), "{ran:#?}");
}

#[test]
fn preferences_users_and_info() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    assert!(drp(&["prefs", "list"]).json().get("defaultStage").is_some());
    assert_eq!(drp(&["prefs", "set", "defaultStage", "local"]).json()["defaultStage"], "local");
    assert_eq!(drp(&["prefs", "show", "defaultStage"]).json(), "local");
    assert!(drp(&["prefs", "show", "defaultStag"]).fails(3).hints().contains("defaultStage"));
    drp(&["prefs", "set", "nonsense", "1"]).fails(4);
    assert!(drp(&["info"]).json()["features"].as_array().unwrap().len() > 3);

    drp(&["users", "create", r#"{"Name": "jane", "Roles": ["superuser"]}"#]).ok();
    let changed =
        drp(&["users", "password", "jane", "--new-password-file", "-"]).input("s3cret-of-jane\n").ok();
    assert!(!format!("{changed:?}").contains("s3cret-of-jane"));
    drp(&["users", "password", "nobody", "--new-password-file", "-"]).input("x\n").fails(3);
    let token = drp(&["users", "token", "jane", "--ttl", "60", "--bare"]).ok().out;
    assert!(token.trim().len() > 20);
    let info = drp(&["info", "--endpoint", &daemon.api]).env("RS_TOKEN", token.trim()).json();
    assert_eq!(info["api_port"], json!(daemon.api.rsplit(':').next().unwrap().parse::<u16>().unwrap()));
    let info = drp(&["info", "--endpoint", &daemon.api, "-U", "jane", "--password-file", "-"])
        .input("s3cret-of-jane\n");
    info.ok();
}
