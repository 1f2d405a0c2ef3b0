//! Params, secure ones among them.

use crate::run::Drp;
use drp_tests::daemon::Daemon;
use serde_json::json;

const CANARY: &str = "canary-5f3a";

#[test]
fn get_set_add_remove() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["machines", "create", "m1"]).ok();
    assert_eq!(drp(&["machines", "set", "Name:m1", "param", "a/b", "to", "5"]).json(), 5);
    assert_eq!(
        drp(&["machines", "set", "Name:m1", "param", "list", "to", "-"]).input("- x\n- y\n").json(),
        json!(["x", "y"])
    );
    assert_eq!(drp(&["machines", "get", "Name:m1", "param", "a/b"]).json(), 5);
    assert_eq!(drp(&["machines", "get", "Name:m1", "param", "none"]).json(), json!(null));
    let ran = drp(&["machines", "add", "Name:m1", "param", "a/b", "to", "6"]).fails(4);
    assert!(ran.hints().contains("set Name:m1 param a/b"), "{ran:#?}");
    assert_eq!(drp(&["machines", "add", "Name:m1", "param", "new", "to", "text"]).json(), "text");
    assert_eq!(
        drp(&["machines", "params", "Name:m1"]).json(),
        json!({"a/b": 5, "list": ["x", "y"], "new": "text"})
    );
    assert_eq!(drp(&["machines", "remove", "Name:m1", "param", "a/b"]).json(), 5);
    let ran = drp(&["machines", "remove", "Name:m1", "param", "nwe"]).fails(3);
    assert!(ran.hints().contains("`new`"), "{ran:#?}");
    assert_eq!(drp(&["machines", "params", "Name:m1", "{zz: 1}"]).json(), json!({"zz": 1}));
    drp(&["machines", "get", "Name:none", "param", "x"]).fails(3);
    drp(&["profiles", "set", "global", "param", "everywhere", "to", "true"]).ok();
    assert_eq!(drp(&["machines", "get", "Name:m1", "param", "everywhere"]).json(), json!(null));
    assert_eq!(
        drp(&["machines", "get", "Name:m1", "param", "everywhere", "--aggregate"]).json(),
        json!(true)
    );
}

#[test]
fn values_follow_the_schema() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["machines", "create", "m1"]).ok();
    drp(&["params", "create", r#"{"Name": "size", "Schema": {"type": "integer"}}"#]).ok();
    drp(&["params", "create", r#"{"Name": "text", "Schema": {"type": "string"}}"#]).ok();
    let ran = drp(&["machines", "set", "Name:m1", "param", "size", "to", "big"]).fails(4);
    assert!(ran.err.contains("integer"), "{ran:#?}");
    assert_eq!(drp(&["machines", "set", "Name:m1", "param", "text", "to", "12345"]).json(), "12345");
}

#[test]
fn a_secure_param_is_sealed_and_never_shown() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["machines", "create", "m1"]).ok();
    drp(&["params", "create", r#"{"Name": "pw", "Secure": true, "Schema": {"type": "string"}}"#]).ok();
    let ran =
        drp(&["machines", "set", "Name:m1", "param", "pw", "to", "-"]).input(&format!("{CANARY}\n")).ok();
    assert!(!format!("{ran:?}").contains(CANARY), "{ran:#?}");
    let sealed = drp(&["machines", "get", "Name:m1", "param", "pw"]).json();
    assert!(sealed["Payload"].is_string() && !sealed.to_string().contains(CANARY));
    assert_eq!(drp(&["machines", "get", "Name:m1", "param", "pw", "--decode"]).json(), CANARY);
    let plan = drp(&["machines", "set", "Name:m1", "param", "pw", "to", "-", "--dry-run"]).input(CANARY).ok();
    assert!(!format!("{plan:?}").contains(CANARY), "{plan:#?}");
    let ran = drp(&["machines", "set", "Name:m1", "param", "pw", "to", "visible"]).ok();
    assert!(ran.err.contains("to -"), "{ran:#?}");
    // A quoted text is the same text.
    drp(&["machines", "set", "Name:m1", "param", "pw", "to", "-"]).input(&format!("\"{CANARY}\"")).ok();
    assert_eq!(drp(&["machines", "get", "Name:m1", "param", "pw", "--decode"]).json(), CANARY);
    assert!(!daemon.log().contains(CANARY));
    assert!(!drp(&["logs"]).ok().out.contains(CANARY));
}
