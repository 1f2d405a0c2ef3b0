//! Params of the plugin object, and what is wrong with them.

use crate::rig::{builder, configure, params};
use drp_tests::daemon::Daemon;
use drp_tests::peers::metal::{Kind, MetalApi, PROJECT, Scheme};
use serde_json::{Value, json};

/// The errors of a plugin object with these params.
async fn errors(daemon: &Daemon, params: Value) -> String {
    daemon
        .expect(201, "POST", "plugins", json!({"Name": "odd", "Provider": "packet-ipmi", "Params": params}))
        .await;
    let bad = daemon
        .wait_for("plugins/odd", |a| a.json()["PluginErrors"].as_array().is_some_and(|e| !e.is_empty()))
        .await;
    daemon.expect(200, "DELETE", "plugins/odd", Value::Null).await;
    bad.json()["PluginErrors"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_without_its_value() {
    let metal = MetalApi::start(Scheme::Https).await;
    let daemon = builder().start();
    let odd = |name: &str, value: Value| params(&metal, json!({ name: value }));
    for (params, words) in [
        (odd("packet/api-key", json!("canary-wrong-key")), "the API refused the key"),
        (odd("packet/api-key", json!("canary\nwrong")), "packet/api-key cannot be a header"),
        (odd("packet/api-url", json!("http://metal.example/v1")), "packet/api-url must be https"),
        (odd("packet/api-url", json!("canary")), "packet/api-url is not a URL"),
        (odd("packet/project-id", json!("canary/x")), "packet/project-id is no id"),
        (odd("packet/tls-ca", json!("canary")), "packet/tls-ca"),
        // Without its authority the stand-in's certificate is nobody's.
        (odd("packet/tls-ca", Value::Null), "is not believed"),
    ] {
        let mut params = params;
        params.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let text = errors(&daemon, params).await;
        assert!(text.contains(words) && !text.contains("canary"), "{words}: {text}");
    }
    let mut none = params(&metal, json!({}));
    none.as_object_mut().unwrap().remove("packet/api-key");
    let text = errors(&daemon, none).await;
    assert!(text.contains("packet/api-key"), "{text}");
    for (name, value) in [
        ("packet/timeout", json!("long")),
        ("packet/max-operations", json!(0)),
        ("packet/import-existing", json!("yes")),
        ("packet/poll-interval", json!(-1)),
    ] {
        let object = json!({"Name": "typed", "Provider": "packet-ipmi", "Params": odd(name, value)});
        let answer = daemon.expect(422, "POST", "plugins", object).await.to_string();
        assert!(answer.contains(name), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_behind_the_address_is_told_and_a_service_that_is_down_is_not() {
    let metal = MetalApi::start(Scheme::Http).await;
    let daemon = builder().start();
    let nothing = || Kind::Says(404, vec![], "<html>nothing here</html>".to_owned());
    metal.fault("*", "/", 1000, nothing());
    for project in [json!({}), json!({"packet/project-id": PROJECT})] {
        let text = errors(&daemon, params(&metal, project)).await;
        assert!(text.contains("packet/api-url") && text.contains(metal.url()), "{text}");
        assert!(text.contains("no Metal API") && text.contains("What to do:"), "{text}");
    }
    // Who names the project needs no list of them.
    metal.well();
    metal.fault("GET", "/projects?", 1000, nothing());
    configure(&daemon, params(&metal, json!({"packet/project-id": PROJECT}))).await;
    daemon.wait_plugin("metal").await;
    daemon.expect(200, "DELETE", "plugins/metal", Value::Null).await;
    metal.well();
    metal.fault("*", "/", 1000, Kind::Says(503, vec![], "down".to_owned()));
    configure(&daemon, params(&metal, json!({}))).await;
    daemon.wait_plugin("metal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_action_needs_no_daemon() {
    let metal = MetalApi::start(Scheme::Http).await;
    let id = metal.world().add("host", drp_tests::peers::metal::PROJECT);
    let plugin = drp_tests::daemon::binary("packet-ipmi");
    let run = |action: &str| {
        let mut command = tokio::process::Command::new(drp_tests::daemon::binary("drp"));
        command.args(["plugin", "run"]).arg(&plugin).args(["--action", action]);
        command.arg("--config").arg(format!("packet/api-url={}", metal.url()));
        command.arg("--param").arg(format!("packet/uuid={id}"));
        command.args(["--config", "packet/api-key=-", "--config", "packet/poll-interval=0.05"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped()).kill_on_drop(true);
        command
    };
    for (action, state) in [("powerstatus", "on"), ("poweroff", "off")] {
        let mut child = run(action).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let key = format!("{:?}", drp_tests::peers::metal::KEY);
        tokio::io::AsyncWriteExt::write_all(&mut stdin, key.as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&answer["state"], &answer["verified"]), (&json!(state), &json!(true)));
    }
    assert_eq!(metal.world().count(&id, "power_off"), 1);
}
