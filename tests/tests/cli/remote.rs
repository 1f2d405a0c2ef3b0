//! Over HTTPS: certificates and credentials.

use crate::run::Drp;
use drp_tests::daemon::{Daemon, USER};

#[test]
fn certificates_must_be_known() {
    let daemon = Daemon::start();
    let key = format!("{}:{}", USER.0, USER.1);
    let pin = daemon.base().join("tls/server.crt").display().to_string();
    let far = |words: &[&str]| {
        Drp::new(["machines", "list"].iter().chain(words).copied())
            .env("RS_KEY", &key)
            .env("RS_ENDPOINT", &daemon.api)
    };
    let ran = far(&[]).fails(6);
    assert!(ran.err.contains("not trusted") && ran.hints().contains("--pin"), "{ran:#?}");
    far(&["--pin", &pin]).ok();
    far(&["--insecure"]).ok();
    far(&[]).env("DRP_PIN", &pin).ok();
    // On the daemon's own host the base root vouches for it.
    far(&["--endpoint", &daemon.api, "--base-root", &daemon.base().display().to_string()]).ok();
    far(&["--pin", "/nonexistent"]).fails(3);
    far(&["--pin", &pin, "--insecure"]).fails(2);
}

#[test]
fn credentials_come_in_many_ways_and_are_never_shown() {
    let daemon = Daemon::start();
    let far = |words: &[&str]| {
        let fixed = ["machines", "list", "--insecure", "--endpoint", &daemon.api];
        Drp::new(fixed.iter().chain(words).copied())
    };
    let ran = far(&[]).fails(5);
    assert!(ran.hints().contains("RS_KEY"), "{ran:#?}");
    let ran = far(&["-U", USER.0, "-P", USER.1]).ok();
    assert!(ran.err.contains("prefer --password-file") && !ran.err.contains(USER.1), "{ran:#?}");
    far(&["-U", USER.0, "--password-file", "-"]).input(&format!("{}\n", USER.1)).ok();
    far(&["-P", USER.1]).ok();
    far(&[]).env("RS_KEY", &format!("{}:{}", USER.0, USER.1)).ok();
    far(&["-U", USER.0]).env("RS_KEY", &format!("{}:{}", USER.0, USER.1)).ok();
    let token = Drp::on(&daemon, ["users", "token", USER.0, "--bare"]).ok().out;
    far(&["--token", token.trim()]).ok();
    far(&["--token-file", "-"]).input(&token).ok();
    far(&[]).env("RS_TOKEN", token.trim()).ok();

    let ran = far(&["-U", USER.0, "-P", "canary-77"]).fails(5);
    assert!(!format!("{ran:?}").contains("canary-77") && !ran.hints().is_empty(), "{ran:#?}");
    let ran = far(&["--token", "canary-78"]).fails(5);
    assert!(!format!("{ran:?}").contains("canary-78"), "{ran:#?}");
    // Meant for RS_ENDPOINT: the local socket knows its caller.
    Drp::on(&daemon, ["machines", "list"]).env("RS_TOKEN", "stale").env("RS_KEY", "a:b").ok();
    let ran = Drp::on(&daemon, ["machines", "list", "--token", "stale"]).fails(2);
    assert!(ran.hints().contains("--endpoint"), "{ran:#?}");
    // No terminal to ask on.
    let ran = far(&["-U", "jane"]).fails(2);
    assert!(ran.hints().contains("--password-file"), "{ran:#?}");
    far(&[]).env("RS_KEY", "nocolon").fails(2);
}
