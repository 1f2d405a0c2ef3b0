//! Wrong keys, connections that break, machines that lack something.

use crate::rig::Rig;
use serde_json::{Value, json};
use std::time::Duration;

/// A service that needs nothing but `sleep`.
fn sleeper() -> Value {
    json!({"name": "sleeper", "service": {"exec": ["/usr/bin/sleep", "1000"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_unknown_hosts_are_told() {
    let Some(rig) = Rig::start("taskservs/systemd-service").await else { return };
    let with = |name: &str, value: Value| {
        let mut settings = rig.settings();
        settings[name] = value;
        settings
    };
    let machine = &rig.machine;
    for (name, settings, code, words) in [
        ("stranger", with("known_hosts", json!("# nothing")), 502, "is not known"),
        (
            "changed",
            with("known_hosts", json!(machine.sshd.wrong_known_hosts())),
            502,
            "is not the known one",
        ),
        ("nobody", with("ssh_key", json!(machine.sshd.other_key())), 401, "refuses the key SHA256:"),
        ("closed", with("port", json!(1)), 504, "check systemd-service-taskserv/host"),
        ("nokey", with("ssh_key", json!("hunter2-hunter2")), 409, "is not a private key"),
    ] {
        rig.plugin(name, &settings).await;
        let said = rig.bad_of(name, "install", json!({"config": sleeper()}), code).await;
        assert!(said.contains(words) && !said.contains("hunter2"), "{name}: {said}");
    }
    // It is not tried again, so that nobody is locked out.
    let said = rig.bad_of("nobody", "status", json!({"config": sleeper()}), 401).await;
    assert!(said.contains("was not tried again"), "{said}");
    assert_eq!(rig.machine.sshd.logins(), 0);
    assert!(rig.machine.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_told_and_the_next_install_goes_on() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    rig.good("install", json!({"config": sleeper()})).await;
    let first = rig.machine.text("etc/systemd/system/sleeper.service");
    // A health command that takes long enough for the connection to be cut in the middle of it.
    let mut slow = sleeper();
    slow["service"]["description"] = json!("slow");
    slow["health_check"] =
        json!({"type": "command", "command": ["/usr/bin/sleep", "30"], "timeout": 40, "retries": 1});
    let asked = json!({"config": slow});
    let cut = async {
        let unit = || rig.machine.text("etc/systemd/system/sleeper.service").contains("Description=slow");
        while !(unit()
            && rig.machine.told().iter().filter(|call| *call == "restart sleeper.service").count() == 2)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        rig.machine.sshd.kill_sessions();
    };
    let (said, ()) = tokio::join!(rig.bad("install", asked, 504), cut);
    assert!(said.contains("broke while") && said.contains("not done: health"), "{said}");
    assert!(said.contains("done: requirements, lock, fetch, keep"), "{said}");
    assert_eq!(
        rig.good("status", json!({"config": {"name": "sleeper", "health_check": {"type": "systemd"}}})).await
            ["status"],
        "changing"
    );
    let said = rig.bad("restart", json!({"config": {"name": "sleeper"}}), 409).await;
    assert!(said.contains("did not end"), "{said}");
    // The next one first goes back, then on; its lock is free, since it ended with the connection.
    let done = rig.good("install", json!({"config": sleeper()})).await;
    assert!(done["steps"].to_string().contains("recover"), "{done}");
    assert_eq!(rig.machine.text("etc/systemd/system/sleeper.service"), first);
    assert_eq!(rig.machine.state("sleeper")["phase"], "installed");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_at_once_do_not_meet() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    let mut slow = sleeper();
    slow["health_check"] =
        json!({"type": "command", "command": ["/usr/bin/sleep", "5"], "timeout": 20, "retries": 1});
    let second = async {
        while rig.machine.state("sleeper").is_null() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rig.bad("install", json!({"config": sleeper()}), 409).await
    };
    let (first, said) = tokio::join!(rig.good("install", json!({"config": slow})), second);
    assert_eq!(first["success"], true);
    assert!(said.contains("cannot be locked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_half_way_is_put_back() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    for verb in ["daemon-reload", "enable", "restart"] {
        rig.machine.breaks(verb);
        let said = rig.bad("install", json!({"config": sleeper()}), 502).await;
        assert!(
            said.contains("Failed to connect to bus") && said.contains("removed again"),
            "{verb}: {said}"
        );
        assert_eq!(rig.machine.files(), Vec::<String>::new(), "{verb}");
    }
    rig.good("install", json!({"config": sleeper()})).await;
    let pid = rig.machine.pid("sleeper.service");
    rig.machine.breaks("enable");
    let mut other = sleeper();
    other["service"]["exec"] = json!(["/usr/bin/sleep", "2000"]);
    let said = rig.bad("configure", json!({"config": other}), 502).await;
    assert!(said.contains("went back to version 1.0.0"), "{said}");
    assert!(rig.machine.text("etc/systemd/system/sleeper.service").contains("\"1000\""));
    assert!(rig.machine.pid("sleeper.service") > 0 && rig.machine.pid("sleeper.service") != pid);

    // What was put back and does not run either is not passed off as well.
    let ready = rig.machine.folder().join("ready");
    std::fs::write(&ready, "").unwrap();
    let mut fragile = sleeper();
    fragile["service"]["exec"] =
        json!(["/bin/sh", "-c", format!("test -e {} && exec sleep 1000", ready.display())]);
    rig.good("configure", json!({"config": fragile.clone()})).await;
    std::fs::remove_file(&ready).unwrap();
    fragile["service"]["exec"] = json!(["/bin/false"]);
    let said = rig.bad("configure", json!({"config": fragile}), 502).await;
    assert!(said.contains("went back to version 1.0.0, which is not well either: systemd says"), "{said}");

    // Removing: an error stops it, force goes past.
    rig.machine.breaks("disable");
    let named = json!({"config": {"name": "sleeper"}});
    let said = rig.bad("uninstall", named.clone(), 502).await;
    assert!(
        said.contains("force goes on past errors") && said.contains("not done: stop, programs"),
        "{said}"
    );
    rig.machine.breaks("disable");
    let gone = rig.good("uninstall", json!({"config": {"name": "sleeper"}, "force": true})).await;
    assert_eq!(gone["warnings"].as_array().unwrap().len(), 1, "{gone}");
    assert_eq!(rig.machine.state("sleeper"), Value::Null);
    rig.machine.systemctl(&["stop", "sleeper.service"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requirements_that_are_not_met_are_named() {
    let Some(rig) = Rig::ready("taskservs/buildkit", json!({})).await else { return };
    let said = rig.bad("install", json!({}), 502).await;
    assert!(said.contains("containerd") && said.contains("not met"), "{said}");
    assert!(rig.machine.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_in_every_way() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    let port = drp_tests::peers::free_tcp_port();
    let script = "#!/bin/sh\ncd /proc/self && exec python3 -m http.server --bind 127.0.0.1 \"$PORT\"\n";
    let config = |check: Value| {
        json!({"config": {"name": "web", "source": {"type": "inline", "content": script}, "install": {"binary_name": "web"},
            "service": {"exec": ["{binary}"], "environment": {"PORT": port.to_string()}}, "health_check": check}})
    };
    for check in [
        json!({"type": "http", "endpoint": format!("http://127.0.0.1:{port}/limits"), "interval": 2}),
        json!({"type": "tcp", "port": port, "interval": 2}),
        json!({"type": "command", "command": ["/bin/sh", "-c", "test -x {binary}"], "interval": 2}),
    ] {
        let done = rig.good("install", config(check.clone())).await;
        assert_eq!(done["health"]["healthy"], true, "{check}: {done}");
    }
    for (check, words) in [
        (json!({"type": "http", "endpoint": format!("http://127.0.0.1:{port}/nothing")}), "status 404"),
        (json!({"type": "tcp", "port": 1}), "nobody listens on port 1"),
        (
            json!({"type": "command", "command": ["/bin/sh", "-c", "echo broken >&2; exit 3"]}),
            "ended with status 3: broken",
        ),
    ] {
        let health =
            rig.good("status", json!({"config": {"name": "web", "health_check": check}})).await["health"]
                .clone();
        assert!(health["error"].as_str().unwrap().contains(words), "{health}");
    }
}
