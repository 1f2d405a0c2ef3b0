//! What is refused, and what needs no QEMU.

use crate::local_rig::{builder, call, configure};
use drp_tests::daemon::Daemon;
use drp_tests::extensions::Assembled;
use serde_json::{Value, json};
use std::time::Duration;

async fn good(daemon: &Daemon, operation: &str, params: Value) -> Value {
    let done = call(daemon, operation, params).await;
    assert_eq!(done.status, 200, "{operation}: {}\n{}", done.text(), daemon.log());
    done.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_and_lists_need_neither_qemu_nor_a_folder_and_hostile_texts_do_nothing() {
    let dir = tempfile::Builder::new().prefix("lp").tempdir_in("/tmp").unwrap();
    let (state, canary) = (dir.path().join("state"), dir.path().join("canary"));
    let kernel = dir.path().join("vmlinuz");
    std::fs::write(&kernel, "not a kernel").unwrap();
    let extensions = Assembled::new(&["providers/local"]);
    let daemon = builder(&extensions).start();
    let settings = json!({
        "state_dir": state, "qemu": "/nonexistent/qemu", "images": {"bare": {"kernel": kernel}},
    });
    configure(&daemon, &settings).await;
    for _ in 0..600 {
        if good(&daemon, "provider-info", json!({})).await["supported_os"] == json!(["bare"]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let info = good(&daemon, "provider-info", json!({})).await;
    assert_eq!(
        (&info["name"], &info["type"], &info["regions"]),
        (&json!("local"), &json!("provider"), &json!(["local"]))
    );
    assert_eq!(good(&daemon, "list-servers", json!({})).await, json!([]));
    assert_eq!(good(&daemon, "get-zones", json!({})).await[0]["name"], "local");
    let plans = good(&daemon, "get-plans", json!({})).await;
    let prices = good(&daemon, "get-pricing", json!({})).await;
    assert_eq!(plans.as_array().unwrap().len(), prices.as_array().unwrap().len());
    assert_eq!((&plans[0]["memory"], &prices[0]["hourly"]), (&json!(128), &json!(0.0)));
    let connection = good(&daemon, "test-connection", json!({})).await;
    assert_eq!(connection["success"], false);
    assert!(connection["error"].as_str().unwrap().contains("install QEMU"), "{connection}");

    let server =
        |hostname: &str| json!({"hostname": hostname, "plan": "1xCPU-128MB", "zone": "local", "os": "bare"});
    let check = |config: Value| json!({"config": config, "check": true});
    let checked = good(&daemon, "create-server", check(server("web-1"))).await;
    assert_eq!(
        (&checked["action"], &checked["hostname"], &checked["check_mode"], &checked["would_create"]),
        (&json!("create-server"), &json!("web-1"), &json!(true), &json!(true))
    );
    assert_eq!(good(&daemon, "validate-config", json!({"config": server("web-1")})).await["valid"], true);

    let unknown = json!({"hostname": "web-1", "plan": "huge", "os": "bare"});
    let checked = good(&daemon, "create-server", check(unknown)).await;
    assert_eq!((&checked["would_create"], checked["errors"].as_array().unwrap().len()), (&json!(false), 1));

    // Without QEMU nothing is made, and the error says what to do.
    let refused = call(&daemon, "create-server", json!({"config": server("web-1")})).await;
    assert_eq!((refused.status, &refused.json()["Type"]), (502, &json!("QEMU")), "{}", refused.text());

    let evil = canary.display().to_string();
    let texts = [
        format!("$(touch {evil})"),
        format!("`touch {evil}`"),
        "x,readonly=off".into(),
        "a\nb".into(),
        "../../x".into(),
        "-name".into(),
        "\0".into(),
        "é".into(),
        "a".repeat(100_000),
        String::new(),
    ];
    for text in &texts {
        for params in [check(server(text)), json!({"config": server(text)})] {
            let done = call(&daemon, "create-server", params).await;
            let kind = done.json()["Type"].clone();
            assert_eq!((done.status, kind), (400, json!("INVALID")), "{text:.80}: {}", done.text());
        }
        for operation in [
            "get-server-info",
            "delete-server",
            "start-server",
            "stop-server",
            "reboot-server",
            "get-ssh-access",
        ] {
            let done = call(&daemon, operation, json!({"server_id": text})).await;
            assert_eq!(done.status, 404, "{operation} {text:.80}: {}", done.text());
        }
        for field in ["plan", "zone", "os"] {
            let mut config = server("web-1");
            config[field] = json!(text);
            let valid = good(&daemon, "validate-config", json!({"config": config})).await;
            assert_eq!(
                (&valid["valid"], valid["errors"].as_array().unwrap().len()),
                (&json!(false), 1),
                "{field} {text:.80}"
            );
        }
    }
    for wrong in
        [json!(1), json!("web"), json!([]), json!({"hostname": "a", "unknown": 1}), json!({"hostname": []})]
    {
        let done = call(&daemon, "create-server", json!({"config": wrong})).await;
        assert_eq!(done.status, 400, "{wrong}: {}", done.text());
    }
    assert!(!canary.exists(), "a text was executed");
    assert!(!state.exists(), "something was made without a server");

    // Settings, by their own names.
    let valid = good(
        &daemon,
        "validate-config",
        json!({"config": {"max_servers": 0, "images": {"x": {}}, "qemo": "x"}}),
    )
    .await;
    let errors = valid["errors"].to_string();
    for word in ["max_servers", "neither disk nor kernel", "qemo"] {
        assert!(errors.contains(word), "{word}: {errors}");
    }
    assert_eq!(good(&daemon, "validate-config", json!({"config": {"max_servers": 2}})).await["valid"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_keep_the_plugin_from_starting() {
    let extensions = Assembled::new(&["providers/local"]);
    let daemon = builder(&extensions).start();
    for (settings, word) in [
        (json!({"state_dir": "relative"}), "absolute path"),
        (json!({"state_dir": format!("/tmp/{}", "x".repeat(100))}), "70 bytes"),
        (json!({"images": {"x": {"kernel": "/boot/../etc/shadow"}}}), "without .."),
        (json!({"images": {"x": {"initrd": "/boot/initrd"}}}), "neither disk nor kernel"),
    ] {
        configure_anyhow(&daemon, &settings).await;
        let plugin = daemon
            .wait_for("plugins/local-provider", |answer| {
                answer.json()["PluginErrors"].to_string().contains(word)
            })
            .await;
        assert!(plugin.text().contains("SETTING") || plugin.text().contains(word), "{}", plugin.text());
    }
}

/// Replaces the params, whether the plugin runs or not.
async fn configure_anyhow(daemon: &Daemon, settings: &Value) {
    daemon.wait_for("plugins/local-provider", |answer| answer.status == 200).await;
    let named: serde_json::Map<String, Value> = settings
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (format!("local-provider/{name}"), value.clone()))
        .collect();
    daemon.expect(200, "POST", "plugins/local-provider/params", Value::Object(named)).await;
}
