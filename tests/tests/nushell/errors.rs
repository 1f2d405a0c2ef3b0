//! What goes wrong, and how it is told.

use crate::rig::Rig;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_where_and_what_to_do() {
    let Some(rig) = Rig::start().await else { return };
    let (code, messages) = rig.fails("fails", json!({"plan": "$(x)"})).await;
    assert_eq!((code, messages[0].as_str()), (500, "no plan $(x)"));
    assert!(messages.contains(&"help: see get-plans".to_owned()), "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("asked for here")), "{messages:?}");

    let (code, messages) = rig.fails("fails-with-code", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (404, "not there"));
    assert!(messages.contains(&"help: look elsewhere".to_owned()), "{messages:?}");
    assert!(!messages.join(" ").contains("drp-nu-"), "{messages:?}");

    let (code, messages) = rig.fails("fails-below", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (500, "wrapped: the cause"));
    let at = |name: &str| {
        let source = include_str!("mod.nu");
        source.lines().position(|line| line.contains(name)).unwrap() + 1
    };
    let place = format!("at nulib/mod.nu:{}:", at("def fails-below"));
    assert!(messages.iter().any(|message| message.starts_with(&place)), "{place} {messages:?}");

    let (code, messages) = rig.fails("fails-by-itself", json!({})).await;
    assert_eq!(code, 500);
    let place = format!("at nulib/mod.nu:{}:", at("def fails-by-itself"));
    assert!(messages.iter().any(|message| message.starts_with(&place)), "{place} {messages:?}");

    let (code, messages) = rig.fails("fails-outside", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (500, "External command had a non-zero exit code"));
    rig.daemon.wait_log("the reason");

    let (code, messages) = rig.fails("leaves", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (500, "leaves ended without an answer: it ended with code 3"));
    let (code, messages) = rig.fails("dies", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (500, "dies ended without an answer: it was ended by SIGKILL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_are_refused_before_anything_runs() {
    let Some(rig) = Rig::start().await else { return };
    for (params, text) in [
        (json!({}), "Missing Parameter config"),
        (json!({"config": "text"}), "Invalid Parameter: config: it must be an object"),
        (json!({"config": {}, "size": "1"}), "Invalid Parameter: size: it must be a whole number"),
        (json!({"config": {}, "check": "yes"}), "Invalid Parameter: check: it must be true or false"),
    ] {
        let (code, messages) = rig.fails("echo-all", params).await;
        assert!(code == 400 && messages.join(" ").contains(text), "{code} {messages:?}");
    }
    // What JSON cannot tell is Nushell's to find.
    let typed = json!({"time": "5 apples", "size": 1, "when": "", "data": "", "path": "", "share": 1});
    let (code, messages) = rig.fails("typed", typed).await;
    assert!(code == 500 && messages[0].contains("unit"), "{code} {messages:?}");
    // Only commands that it offers are run.
    for command in ["helper", "odd", "strange;name", "echo", "exit", "main"] {
        let answer = rig.call(command, json!({})).await;
        assert!([400, 404].contains(&answer.status), "{command}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_a_command_and_secret_ones_not_in_check_mode() {
    let Some(rig) = Rig::start().await else { return };
    let settings = rig.ok("settings-of", json!({})).await;
    assert_eq!(settings, json!({"settings": {"api": {"base_url": "http://localhost"}}, "check": false}));
    let (code, messages) = rig.fails("needs-setting", json!({"path": "auth.api_key"})).await;
    assert_eq!(code, 422);
    let all = messages.join(" ");
    assert!(all.contains("auth.api_key") && all.contains("my-provider-provider/auth"), "{all}");

    let auth = json!({"api_key": crate::rig::KEY});
    rig.configure(json!({
        "my-provider-provider/auth": auth, "my-provider-provider/api": {"base_url": "http://other"},
    }))
    .await;
    let want = json!({"settings": {"auth": auth, "api": {"base_url": "http://other"}}, "check": false});
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        // The process that has the new settings takes over.
        let answer = rig.call("settings-of", json!({})).await;
        if answer.status == 200 && answer.json() == want {
            break;
        }
        assert!(std::time::Instant::now() < end, "{}\n{}", answer.text(), rig.daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let checked = rig.ok("settings-of", json!({"check": true})).await;
    assert_eq!(checked, json!({"settings": {"api": {"base_url": "http://other"}}, "check": true}));
}
