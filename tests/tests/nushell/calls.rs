//! Values on their way in and out.

use crate::rig::Rig;
use drp_tests::daemon::Daemon;
use drp_tests::peers::nu;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn arguments_arrive_as_they_were_sent_and_nothing_of_them_runs() {
    let Some(rig) = Rig::start().await else { return };
    let owned = rig.extension.folder.path().join("owned");
    let touch = format!("touch {}", owned.display());
    let hostile = [
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("'; ^{touch}; '"),
        format!("\"; ^{touch}; \""),
        format!("($nu.pid) | ^{touch}"),
        "--force".to_owned(),
        "-f".to_owned(),
        "../../../etc/passwd".to_owned(),
        "~".to_owned(),
        "*".to_owned(),
        "a\nb\r\n\tc\u{1}\u{7f}".to_owned(),
        "\u{1b}[31m é 日本 \u{202e}".to_owned(),
        "nul \u{0} nul".to_owned(),
        String::new(),
        "null".to_owned(),
        "12".to_owned(),
        "1sec".to_owned(),
    ];
    let config: Value =
        hostile.iter().map(|text| (text.clone(), json!(text))).collect::<serde_json::Map<_, _>>().into();
    let params = json!({
        "config": config, "size": -9_007_199_254_740_993_i64, "more": hostile, "name": hostile[3], "check": true,
        "wait": false, "keep-data": true,
    });
    let got = rig.ok("echo-all", params).await;
    let want = json!({
        "config": config, "size": -9_007_199_254_740_993_i64, "more": hostile, "name": hostile[3], "check": true,
        "wait": false, "keep": true,
    });
    assert_eq!(got, want);
    // Those that may be left out.
    let got = rig.ok("echo-all", json!({"config": {}})).await;
    assert_eq!(
        got,
        json!({"config": {}, "size": 3, "more": [], "name": null, "check": false, "wait": false, "keep": false})
    );
    // What was left out between others.
    let got = rig.ok("echo-all", json!({"config": {}, "more": ["a"]})).await;
    assert_eq!((&got["size"], &got["more"]), (&json!(3), &json!(["a"])));
    // Large ones.
    let long = "é".repeat(4 << 20);
    let got = rig.ok("echo-all", json!({"config": {"long": long}, "more": vec!["x"; 20_000]})).await;
    assert_eq!(got["config"]["long"], long.as_str());
    assert_eq!(got["more"].as_array().unwrap().len(), 20_000);
    assert!(!owned.exists() && !rig.extension.root().join("owned").exists(), "something ran");
    let folders = [rig.daemon.base().to_owned(), rig.daemon.base().join("plugin-tmp")];
    assert!(folders.iter().all(|folder| !folder.join("owned").exists()), "something ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_without_a_form_in_json_get_one_and_prints_are_no_results() {
    let Some(rig) = Rig::start().await else { return };
    let kinds = rig.ok("kinds", json!({})).await;
    let want = json!({
        "binary": "/wA=", "date": "2026-01-02T03:04:05+00:00", "size": 2000, "time": 3_000_000_000_i64,
        "range": "1..3", "nothing": null, "table": [{"a": 1, "b": "AQ=="}, {"a": 2, "b": "x"}],
        "text": "é\n\t\u{1}\"'",
    });
    assert_eq!(kinds, want);
    let typed = json!({
        "time": "5min", "size": "2KiB", "when": "2026-03-04T00:00:00Z", "data": "aGk=", "path": "a.b", "share": 1,
    });
    let want = json!({"time": 300.0, "size": 2048, "when": "2026-03", "data": "hi", "path": 5, "share": 1.0});
    assert_eq!(rig.ok("typed", typed).await, want);
    assert_eq!(rig.ok("prints", json!({})).await, json!({"real": true}));
    assert_eq!(rig.ok("gives-nothing", json!({})).await, Value::Null);
    assert_eq!(rig.ok("gives-stream", json!({})).await, json!([2, 4, 6, 8, 10]));
    assert_eq!(rig.ok("gives-external", json!({})).await, json!("a\nb"));
    assert_eq!(rig.ok("from-another-file", json!({})).await, json!("other"));
    let (code, messages) = rig.fails("gives-closure", json!({})).await;
    assert!(code == 500 && messages.join(" ").contains("closure"), "{messages:?}");
    let (code, messages) = rig.fails("gives-much", json!({})).await;
    assert_eq!((code, messages[0].as_str()), (500, "the result of gives-much is larger than 33554432 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sees_little_of_the_world() {
    let Some(rig) = Rig::start().await else { return };
    let seen = rig.ok("env-of", json!({})).await;
    assert_eq!(seen["here"], "here", "export-env ran");
    let lines: Vec<&str> =
        seen["seen"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    for line in &lines {
        let name = line.split('=').next().unwrap();
        assert!(!name.starts_with("RS_") && name != "DRP" && !name.contains("TOKEN"), "{line}");
    }
    assert!(seen["home"].as_str().unwrap().contains("drp-nu-"), "{}", seen["home"]);
    assert_eq!(rig.ok("hungry", json!({})).await, json!("8388608"), "KiB of address space");
    let places = rig.ok("where-am-i", json!({})).await;
    assert_eq!(places["root"], rig.extension.root().to_str().unwrap());
    assert_eq!(places["scratch"], places["pwd"]);
    assert_eq!(places["extension"]["plugin"], crate::rig::PLUGIN);
    assert_eq!(places["extension"]["version"], "1.2.3");
    let scratch = std::path::Path::new(places["scratch"].as_str().unwrap()).parent().unwrap().to_owned();
    assert!(!scratch.exists(), "{} is left", scratch.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_filled_in() {
    let Some(rig) = Rig::start().await else { return };
    let filled = rig.ok("fills", json!({"context": {"name": "it's $(x)"}})).await;
    assert_eq!(filled, json!({"file": "[Unit]\nDescription=it's $(x)\n", "text": "'it'\\''s $(x)'"}));
    let (code, messages) = rig.fails("fills", json!({"context": {"nam": 1}})).await;
    let text = messages.join(" ");
    assert!(
        code == 422 && text.contains("service.j2, line 2") && text.contains("`name` is undefined"),
        "{messages:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_itself_says_which_nushell_there_is() {
    let Some(nu) = nu() else { return };
    let daemon = Daemon::builder().plugin("nushell").start();
    let plugin = json!({"Name": "nushell", "Provider": "nushell", "Params": {"nushell/path": nu}});
    daemon.expect(201, "POST", "plugins", plugin).await;
    daemon.wait_plugin("nushell").await;
    let said = daemon.expect(200, "POST", "system/actions/nushell-version", json!({})).await;
    assert_eq!(said["path"], nu.to_str().unwrap());
    let printed = std::process::Command::new(&nu).arg("--version").output().unwrap();
    assert_eq!(said["version"], String::from_utf8(printed.stdout).unwrap().trim());
}
