//! A plugin in all its relations with the daemon: start, secrets, events, routes, restarts.

use crate::refused;
use drp_tests::daemon::{Daemon, answer, binary, processes_under};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

const CANARY: &str = "canary-0815-secret";

fn builder() -> drp_tests::daemon::Builder {
    Daemon::builder().plugin_file("lamp", binary("drp-test-lamp"))
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_reach_the_plugin_and_nobody_else() {
    let daemon = builder().start();
    let plugin = daemon.wait_plugin("lamp").await;
    assert_eq!((&plugin["Provider"], &plugin["Meta"]["Name"]), (&json!("lamp"), &json!("lamp")));
    let mut events = EventSocket::connect(&daemon).await;
    events.register("*.*.*").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let offered = daemon.get("machines/Name:m1/actions").await;
    assert_eq!(offered, json!([]), "its required param does not resolve yet");
    daemon.expect(200, "POST", "machines/Name:m1/params/lamp/code", json!(CANARY)).await;
    assert_eq!(daemon.get("machines/Name:m1/actions").await[0]["Command"], "unlock");
    let got = daemon.expect(200, "POST", "machines/Name:m1/actions/unlock", json!({})).await;
    assert_eq!(got, json!({"length": CANARY.len(), "sealed": true}));
    let given =
        daemon.call("POST", "/api/v3/machines/Name:m1/actions/unlock", json!({"lamp/code": CANARY})).await;
    refused(
        &given,
        400,
        "INVOKE",
        &["Action unlock cannot be passed secure parameter lamp/code via the API"],
    );

    // A param of the plugin itself: it is stopped and started, and then knows it.
    let mut restarts = EventSocket::connect(&daemon).await;
    restarts.register("plugins.configed.lamp").await;
    daemon.expect(200, "POST", "plugins/lamp/params/lamp/code", json!(CANARY)).await;
    restarts.next().await;
    let settings = daemon.expect(200, "POST", "system/actions/settings", json!({})).await;
    assert_eq!(settings, json!({"names": ["Name", "lamp/code", "lamp/count"], "length": CANARY.len()}));

    daemon.expect(204, "POST", "events", json!({"Type": "the", "Action": "end", "Key": "x"})).await;
    loop {
        let event = events.next().await;
        assert!(!event.to_string().contains(CANARY), "{event}");
        if event["Type"] == "the" {
            break;
        }
    }
    assert!(!daemon.get("logs").await.to_string().contains(CANARY));
    assert!(!daemon.log().contains(CANARY));
    for process in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(process.path().join(file)).unwrap_or_default();
            assert!(!text.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()), "{:?}", process.path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_plugin_keeps_its_code() {
    let daemon = builder().start();
    let got = daemon.call("POST", "/api/v3/system/actions/fail", json!({})).await;
    assert_eq!((got.status, &got.json()["Messages"]), (418, &json!(["I am a lamp"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_hears_everything() {
    let daemon = builder().start();
    daemon.wait_plugin("lamp").await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    daemon.expect(204, "POST", "events", json!({"Type": "door", "Action": "opens", "Key": "front"})).await;
    let heard = daemon.wait_for("plugin-apis/lamp/seen", |a| a.text().contains("door.opens.front")).await;
    assert!(heard.text().contains("profiles.create.hall"), "{}", heard.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_passed_through_as_they_are() {
    let daemon = builder().start();
    daemon.wait_plugin("lamp").await;
    for prefix in ["/plugin-apis", "/api/v3/plugin-apis"] {
        for method in ["GET", "POST", "DELETE", "PUT"] {
            let path = format!("{prefix}/lamp/mirror/a%2Fb?x=1&y=%20");
            let got = answer(daemon.request(method, &path).body("body")).await;
            assert_eq!(got.status, 200, "{}", got.text());
            assert!(got.text().ends_with("/mirror/a%2Fb?x=1&y=%20 body"), "{}", got.text());
        }
        let nobody = daemon.call("GET", &format!("{prefix}/nobody/x"), Value::Null).await;
        assert_eq!((nobody.status, &nobody.json()["Type"]), (404, &json!("GET")));
        assert_eq!(answer(daemon.anonymous("GET", &format!("{prefix}/lamp/seen"))).await.status, 401);
    }
    // Any method: a plugin answers OPTIONS itself, but for the preflights of browsers, which have no credentials.
    let asked = |request: reqwest::RequestBuilder| answer(request.header("origin", "https://ui.example"));
    let got = asked(daemon.request("OPTIONS", "/plugin-apis/lamp/mirror/o").body("body")).await;
    assert_eq!((got.status, got.text().contains("/mirror/o")), (200, true), "{}", got.text());
    assert_eq!(got.header("access-control-allow-origin"), "*");
    let got = asked(daemon.anonymous("OPTIONS", "/plugin-apis/lamp/mirror/o")).await;
    assert_eq!((got.status, got.bytes.len()), (204, 0));
    assert!(got.header("access-control-allow-methods").contains("DELETE"));
    let large = "x".repeat(1 << 20);
    let got = answer(daemon.request("POST", "/plugin-apis/lamp/mirror/large").body(large.clone())).await;
    assert!(got.status == 200 && got.text().ends_with(&large), "{}", got.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_outlive_a_restart_of_the_daemon_as_objects_and_never_as_processes() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = builder().base(base.path()).start();
    daemon.wait_plugin("lamp").await;
    assert!(processes_under(base.path()).iter().any(|p| p.contains("listen")));
    daemon.kill9();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while processes_under(base.path()).iter().any(|p| p.contains("listen")) {
        assert!(std::time::Instant::now() < end, "{:?}", processes_under(base.path()));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let daemon = builder().base(base.path()).start();
    daemon.wait_plugin("lamp").await;
    let settings = daemon.expect(200, "POST", "system/actions/settings", json!({})).await;
    assert_eq!(settings["names"], json!(["Name", "lamp/count"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_secrets_restart_plugins_with_tokens_that_hold() {
    let daemon = builder().plugin("incrementer").start();
    daemon.wait_plugin("lamp").await;
    daemon.expect(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incr").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let mut events = EventSocket::connect(&daemon).await;
    events.register("plugins.configed.incr").await;
    daemon.expect(201, "POST", "prefs", json!({"baseTokenSecret": "0123456789abcdef0123456789abcdef"})).await;
    assert_eq!(events.next().await["Action"], "configed");
    // The plugin calls the API with its new token.
    assert_eq!(daemon.expect(200, "POST", "machines/Name:m1/actions/increment", json!({})).await, json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traced_request_can_be_followed_into_the_plugin() {
    let daemon = builder().start();
    daemon.wait_plugin("lamp").await;
    let action = daemon.request("POST", "/api/v3/system/actions/settings").json(&json!({}));
    let got = answer(action.header("X-Log-Token", "follow-me-42").header("X-Log-Request", "trace")).await;
    assert_eq!(got.status, 200);
    let lines = daemon.wait_for("logs", |a| a.text().matches("follow-me-42").count() >= 2).await.json();
    let told = |service: &str| {
        lines
            .as_array()
            .unwrap()
            .iter()
            .any(|l| l["Service"] == service && l.to_string().contains("follow-me-42"))
    };
    assert!(told("drp") && told("lamp"), "{lines}");
}

/// Times that the plugin was told that it is configured again.
async fn configured_again(daemon: &Daemon) -> usize {
    let lines = daemon.get("logs").await;
    let again =
        |line: &&Value| line["Message"].as_str().is_some_and(|text| text.contains("is configured again"));
    lines.as_array().unwrap().iter().filter(again).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_whose_stream_is_lost_is_configured_again() {
    let daemon = builder().start();
    daemon.wait_plugin("lamp").await;
    let listens = |p: &String| p.contains("/lamp listen");
    let process = processes_under(daemon.base()).into_iter().find(listens).expect("the plugin runs");
    let pid = process.split(' ').next().unwrap();
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let token = environ.split(|b| *b == 0).find_map(|v| v.strip_prefix(b"RS_TOKEN=")).unwrap();
    let bearer = format!("Bearer {}", String::from_utf8_lossy(token));
    let stream = || async { EventSocket::try_connect(&daemon, Some(bearer.clone()), "").await.unwrap() };
    // One that is closed, and one that has a successor, are left alone.
    stream().await.close().await;
    let mut old = stream().await;
    old.register("profiles.*.*").await;
    let mut new = stream().await;
    new.register("profiles.*.*").await;
    drop(old);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(configured_again(&daemon).await, 0);
    drop(new);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while configured_again(&daemon).await == 0 {
        assert!(std::time::Instant::now() < end, "{}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    daemon.wait_plugin("lamp").await;
    let same = processes_under(daemon.base()).into_iter().find(listens).expect("the plugin runs");
    assert_eq!(same, process, "it was not restarted");
    // What the plugin loses by ending is nothing to make up for.
    let last = stream().await;
    let again = configured_again(&daemon).await;
    daemon.expect(200, "DELETE", "plugins/lamp", Value::Null).await;
    drop(last);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(configured_again(&daemon).await, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_comes_back_is_said_to() {
    let daemon = builder().start();
    daemon.wait_plugin("lamp").await;
    let lamp = async || daemon.get("system/status").await["Plugins"][0].clone();
    let mut said = 0;
    for _ in 0..4 {
        let pid = daemon
            .wait_for("system/status", |a| a.json()["Plugins"][0]["State"] == "configured")
            .await
            .json()["Plugins"][0]["Pid"]
            .as_i64()
            .unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        while lamp().await["State"] == "configured" {}
        let got = daemon.call("POST", "/api/v3/system/actions/settings", json!({})).await;
        if got.status == 503 {
            said += 1;
            let text = got.json()["Messages"][0].as_str().unwrap_or_default().to_owned();
            assert!(
                text.starts_with("plugin lamp is restarting: Plugin crashed: it was killed by signal 9"),
                "{text}"
            );
            assert_eq!(got.header("retry-after"), "1");
        } else {
            assert_eq!(got.status, 200, "{}", got.text());
        }
    }
    assert!(said > 0);
    refused(
        &daemon.call("POST", "/api/v3/system/actions/dance", json!({})).await,
        400,
        "INVOKE",
        &["Action dance on system: Not Found"],
    );
}
