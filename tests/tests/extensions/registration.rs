//! Registering with a real daemon: from REST and the command line, over restarts and crashes, and against the daemon's will.

use crate::rig::write;
use drp_extensions::archive::{Bounds, Items};
use drp_tests::daemon::{Answer, Daemon, answer, binary};
use drp_tests::stream::EventStream;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

const SETTINGS: &str = r#"let t = import "drp/types.ncl" in
let Key = std.contract.from_validator (fun key =>
  if std.is_string key && std.string.is_match "^key-" key then 'Ok else 'Error { message = "%{key} is no key" })
in
{
  Settings = {
    endpoint | doc "Where it is." | t.Url | default = "https://cloud.example.com",
    workers | doc "So many." | t.Positive | default = 2,
    api_key | doc "The key." | Key | optional,
  },
}
"#;

/// A provider whose own plugin runs it.
fn provider(name: &str, version: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[extension]\nname = \"{name}\"\ntype = \"provider\"\nversion = \"{version}\"\ndescription = \"Lamps.\"\n{more}"
    );
    write(folder.path(), "metadata.toml", manifest.as_bytes());
    write(folder.path(), "schemas/settings.ncl", SETTINGS.as_bytes());
    write(folder.path(), "examples/settings.toml", b"workers = 3\napi_key = \"key-x\"\n");
    write(
        folder.path(),
        "examples/config.toml",
        b"hostname = \"web-1\"\nplan = \"small\"\nzone = \"here\"\n",
    );
    let program = std::fs::read(binary("drp-test-provider")).unwrap();
    write(folder.path(), &format!("plugin/{name}-provider"), &program);
    folder
}

async fn post(daemon: &Daemon, path: &str, body: Value) -> Answer {
    let request = daemon.request("POST", &format!("/api/v1/{path}"));
    answer(request.timeout(Duration::from_secs(200)).json(&body)).await
}

async fn register(daemon: &Daemon, folder: &Path) -> Value {
    let got = post(daemon, "extensions", json!({ "path": folder })).await;
    assert_eq!(got.status, 201, "{}\n{}", got.text(), daemon.log());
    got.json()
}

async fn list(daemon: &Daemon) -> Vec<String> {
    let all = daemon.call("GET", "/api/v1/extensions", Value::Null).await.json();
    let one = |e: &Value| format!("{} {} {}", e["type"], e["name"], e["version"]).replace('"', "");
    all.as_array().unwrap().iter().map(one).collect()
}

async fn info(daemon: &Daemon) -> Value {
    daemon.expect(200, "POST", "plugins/lamps-provider/actions/provider-info", json!({})).await
}

/// Nothing of an extension is there any more.
async fn gone(daemon: &Daemon, name: &str) {
    assert!(list(daemon).await.iter().all(|line| !line.contains(name)));
    let plugin = format!("{name}-provider");
    assert!(!daemon.base().join("plugins").join(&plugin).exists());
    assert!(!daemon.base().join(format!("extensions/records/{plugin}.json")).exists());
    assert!(!daemon.base().join(format!("extensions/providers/{name}")).exists());
    assert_eq!(daemon.call("GET", &format!("/api/v3/plugins/{plugin}"), Value::Null).await.status, 404);
    assert_eq!(
        daemon.call("GET", &format!("/api/v3/plugin_providers/{plugin}"), Value::Null).await.status,
        404
    );
    assert_eq!(std::fs::read_dir(daemon.base().join("extensions/.incoming")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_lives_from_registration_to_unregistration() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let mut events = EventStream::open(&daemon, "pattern=extensions.*.*", None).await;
    let folder = provider("lamps", "1.0.0", "");
    let checked = post(&daemon, "extensions/validate", json!({ "path": folder.path() })).await;
    assert!(checked.status == 200 && checked.json()["valid"] == true, "{}", checked.text());
    assert!(list(&daemon).await.is_empty());
    let done = register(&daemon, folder.path()).await;
    assert_eq!(
        json!([done["plugin"], done["state"], done["hosted_by"], done["link"], done["errors"]]),
        json!(["lamps-provider", "configured", "plugin", false, []])
    );
    assert_eq!(done["operations"].as_array().unwrap().len(), 15);
    let event = events.next().await.json();
    assert_eq!((&event["Action"], &event["Key"]), (&json!("register"), &json!("provider/lamps")));
    // What it runs is the daemon's own copy: the author's folder may go.
    drop(folder);
    let shown = daemon.call("GET", "/api/v1/extensions/provider/lamps", Value::Null).await.json();
    assert_eq!(shown["digest"], done["digest"]);
    let key = shown["settings"].as_array().unwrap().iter().find(|s| s["name"] == "api_key").unwrap();
    assert!(key["secure"] == true && key["param"] == "lamps-provider/api_key", "{key}");
    let body = json!({"config": {"hostname": "web-1"}, "check": true});
    let planned = daemon.expect(200, "POST", "plugins/lamps-provider/actions/create-server", body).await;
    assert_eq!(planned["would_create"], true);
    // Another version takes its place.
    let folder = provider("lamps", "1.1.0", "");
    register(&daemon, folder.path()).await;
    assert_eq!(list(&daemon).await, ["provider lamps 1.1.0"]);
    let versions = std::fs::read_dir(base.path().join("extensions/providers/lamps")).unwrap();
    assert_eq!(versions.count(), 1);
    daemon.wait_plugin("lamps-provider").await;
    // It is there after a restart, and after a crash.
    let (status, _) = daemon.stop();
    assert!(status.success());
    let daemon = Daemon::builder().base(base.path()).start();
    daemon.wait_plugin("lamps-provider").await;
    daemon.kill9();
    let daemon = Daemon::builder().base(base.path()).start();
    assert_eq!(list(&daemon).await, ["provider lamps 1.1.0"]);
    daemon.wait_plugin("lamps-provider").await;
    let program = info(&daemon).await["program"].as_str().unwrap().to_owned();
    assert!(program.starts_with(&*base.path().to_string_lossy()), "{program}");
    // The launcher is not to be had as a plugin provider of its own.
    let taken = daemon.call("DELETE", "/api/v3/plugin_providers/lamps-provider", Value::Null).await;
    assert!(
        taken.status == 409 && taken.text().contains("drp ext unregister provider lamps"),
        "{}",
        taken.text()
    );
    let gone_now = daemon.call("DELETE", "/api/v1/extensions/provider/lamps", Value::Null).await;
    assert_eq!(gone_now.status, 204, "{}", gone_now.text());
    gone(&daemon, "lamps").await;
    assert_eq!(daemon.call("DELETE", "/api/v1/extensions/provider/lamps", Value::Null).await.status, 404);
    let audit = daemon.get("audit?scope=extensions").await;
    let said: Vec<String> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("{} {} {}", e["Action"], e["Key"], e["Outcome"]).replace('"', ""))
        .collect();
    for line in [
        "validate  ok",
        "create provider/lamps ok",
        "delete provider/lamps ok",
        "delete provider/lamps failed",
    ] {
        assert!(said.iter().any(|said| said == line), "{line} is not in {said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_by_the_extensions_own_contract() {
    let daemon = Daemon::start();
    register(&daemon, provider("lamps", "1.0.0", "").path()).await;
    daemon.wait_plugin("lamps-provider").await;
    // Nobody said anything: the contract fills in.
    let settings = info(&daemon).await["settings"].clone();
    assert_eq!(settings["lamps-provider/endpoint"], "https://cloud.example.com");
    assert_eq!(settings["lamps-provider/workers"], 2);
    let set = async |name: &str, value: Value| {
        let path = format!("plugins/lamps-provider/params/lamps-provider/{name}");
        daemon.expect(200, "POST", &path, value).await;
    };
    let wrong = async || {
        let has = |a: &Answer| a.json()["PluginErrors"].as_array().is_some_and(|errors| !errors.is_empty());
        daemon.wait_for("plugins/lamps-provider", has).await.json()["PluginErrors"].to_string()
    };
    set("api_key", json!("canary-7f3a")).await;
    let errors = wrong().await;
    assert!(errors.contains("settings of provider/lamps") && errors.contains("*** is no key"), "{errors}");
    assert!(errors.contains("schemas/settings.ncl:"), "{errors}");
    assert!(!errors.contains("canary") && !daemon.log().contains("canary"), "{errors}");
    set("api_key", json!("key-1234")).await;
    daemon.wait_plugin("lamps-provider").await;
    set("workers", json!(0)).await;
    let errors = wrong().await;
    assert!(errors.contains("workers") && !errors.contains("key-1234"), "{errors}");
    let shown = daemon.call("GET", "/api/v1/extensions/provider/lamps", Value::Null).await.json();
    assert!(shown["state"] == "stopped" && shown["errors"][0].is_string(), "{shown}");
    set("workers", json!(5)).await;
    daemon.wait_plugin("lamps-provider").await;
    let settings = info(&daemon).await["settings"].clone();
    assert_eq!(
        (&settings["lamps-provider/workers"], &settings["lamps-provider/api_key"]),
        (&json!(5), &json!(8))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_or_in_the_way_is_refused_and_leaves_nothing() {
    let daemon = Daemon::builder().plugin("echo").start();
    // Rules of validation.
    let bad = provider("lamps", "1.0.0", "[dependencies.requires]\nnobody = \">=1.0.0\"\n");
    let got = post(&daemon, "extensions", json!({ "path": bad.path() })).await;
    assert_eq!(got.status, 422, "{}", got.text());
    let answered = got.json();
    assert!(answered["valid"] == false && answered["errors"][0]["rule"] == "dependencies", "{answered}");
    assert!(
        answered["Code"] == 422 && answered["Messages"][0].as_str().unwrap().contains("nobody"),
        "{answered}"
    );
    gone(&daemon, "lamps").await;
    // A plugin that is called otherwise.
    let other = provider("lamps", "1.0.0", "");
    std::fs::rename(other.path().join("plugin/lamps-provider"), other.path().join("plugin/lantern")).unwrap();
    let got = post(&daemon, "extensions", json!({ "path": other.path() })).await;
    assert!(got.status == 422 && got.text().contains("must be called"), "{}", got.text());
    gone(&daemon, "lamps").await;
    let good = provider("lamps", "1.0.0", "");
    for (status, body) in [
        (400, json!({"path": "lamps"})),
        (400, json!({"path": "/nowhere"})),
        (400, json!({"path": good.path().join("metadata.toml")})),
        (400, json!({"path": good.path(), "type": "lamp"})),
        (422, json!({"path": good.path(), "type": "cluster"})),
        (400, json!({"path": good.path(), "colour": 1})),
    ] {
        let got = post(&daemon, "extensions", body.clone()).await;
        assert_eq!(got.status, status, "{body}: {}", got.text());
    }
    // Plugins that are no extensions.
    let taken = daemon.base().join("plugins/lamps-provider");
    std::fs::write(&taken, "mine").unwrap();
    let got = post(&daemon, "extensions", json!({ "path": good.path() })).await;
    assert!(got.status == 409 && got.text().contains("no extension"), "{}", got.text());
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    std::fs::remove_file(&taken).unwrap();
    daemon.expect(201, "POST", "plugins", json!({"Name": "lamps-provider", "Provider": "echo"})).await;
    let got = post(&daemon, "extensions", json!({ "path": good.path() })).await;
    assert!(got.status == 409 && got.text().contains("of the provider echo"), "{}", got.text());
    daemon.expect(200, "DELETE", "plugins/lamps-provider", Value::Null).await;
    // The same name, written otherwise.
    register(&daemon, provider("work-lamps", "1.0.0", "").path()).await;
    let same = provider("work_lamps", "1.0.0", "");
    let got = post(&daemon, "extensions", json!({ "path": same.path() })).await;
    assert!(got.status == 409 && got.text().contains("the same name"), "{}", got.text());
    let found = daemon.call("GET", "/api/v1/extensions/provider/work_lamps", Value::Null).await;
    assert_eq!(found.json()["name"], "work-lamps");
    // One that others need.
    let needs = provider("garden", "1.0.0", "[dependencies.requires]\nwork_lamps = \">=1.0.0\"\n");
    register(&daemon, needs.path()).await;
    let refused = daemon.call("DELETE", "/api/v1/extensions/provider/work-lamps", Value::Null).await;
    assert!(refused.status == 409 && refused.text().contains("provider/garden"), "{}", refused.text());
    let forced =
        daemon.call("DELETE", "/api/v1/extensions/provider/work-lamps?force=true", Value::Null).await;
    assert_eq!(forced.status, 204, "{}", forced.text());
    assert_eq!(list(&daemon).await, ["provider garden 1.0.0"]);
}

/// One entry of a tar file (POSIX ustar).
fn entry(name: &str, kind: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut head = [0_u8; 512];
    let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = head.to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

async fn send(daemon: &Daemon, kind: &str, bytes: Vec<u8>) -> Answer {
    let request = daemon.request("POST", "/api/v1/extensions").timeout(Duration::from_secs(200));
    answer(request.header("content-type", kind).body(bytes)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_are_taken_and_hostile_ones_are_not() {
    let daemon = Daemon::start();
    let outside = daemon.base().join("outside");
    let absolute = outside.display().to_string();
    for (name, kind, link) in [
        ("../outside", b'0', ""),
        ("lamps/../../outside", b'0', ""),
        (absolute.as_str(), b'0', ""),
        ("lamps/link", b'2', "../../../outside"),
        ("lamps/link", b'2', absolute.as_str()),
        ("lamps/hard", b'1', "../outside"),
        ("lamps/device", b'3', ""),
        ("lamps/fifo", b'6', ""),
    ] {
        let mut bytes = entry("lamps/metadata.toml", b'0', "", b"[extension]\n");
        bytes.extend(entry(name, kind, link, if kind == b'0' { b"x" } else { b"" }));
        bytes.extend([0; 1024]);
        let got = send(&daemon, "application/x-tar", bytes).await;
        assert_eq!(got.status, 400, "{name} {kind}: {}", got.text());
        assert!(!outside.exists(), "{name}");
        gone(&daemon, "lamps").await;
    }
    for (status, kind, bytes) in [
        (400, "application/octet-stream", b"no archive".to_vec()),
        (400, "application/gzip", vec![0x1f, 0x8b, 8, 0, 1, 2, 3]),
        (415, "text/plain", b"lamps".to_vec()),
    ] {
        let got = send(&daemon, kind, bytes).await;
        assert_eq!(got.status, status, "{kind}: {}", got.text());
    }
    let folder = provider("lamps", "1.0.0", "");
    let items = Items::of_folder(folder.path(), &Bounds::default()).unwrap();
    let packed = items.pack("lamps_prov").unwrap();
    let got = send(&daemon, "application/octet-stream", packed.bytes).await;
    assert_eq!(got.status, 201, "{}", got.text());
    assert_eq!(got.json()["state"], "configured");
    // Two at a time are one after the other.
    let (one, two) = (provider("lamps", "1.2.0", ""), provider("lamps", "1.3.0", ""));
    let both = futures_util::future::join(register(&daemon, one.path()), register(&daemon, two.path())).await;
    let now = list(&daemon).await;
    assert!(now == ["provider lamps 1.2.0"] || now == ["provider lamps 1.3.0"], "{now:?} {both:?}");
    daemon.wait_plugin("lamps-provider").await;
    assert_eq!(std::fs::read_dir(daemon.base().join("extensions/providers/lamps")).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_broken_off_is_finished_at_the_next_start() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    register(&daemon, provider("lamps", "1.0.0", "").path()).await;
    daemon.kill9();
    let (extensions, launcher) = (base.path().join("extensions"), base.path().join("plugins/lamps-provider"));
    let record = extensions.join("records/lamps-provider.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    // Before the record was there: files that nobody names. Before the launcher: none, or an older one.
    for half in ["", "#!/bin/sh\nexec /old/nushell --extension x \"$@\"\n"] {
        let orphan = extensions.join("providers/lamps/0000");
        std::fs::create_dir_all(&orphan).unwrap();
        std::fs::create_dir_all(extensions.join(".incoming/7/x")).unwrap();
        std::fs::write(extensions.join("records/.lamps-provider.new"), "{").unwrap();
        match half {
            "" => std::fs::remove_file(&launcher).unwrap(),
            text => std::fs::write(&launcher, text).unwrap(),
        }
        let daemon = Daemon::builder().base(base.path()).start();
        assert_eq!(list(&daemon).await, ["provider lamps 1.0.0"]);
        daemon.wait_plugin("lamps-provider").await;
        assert!(!orphan.exists() && info(&daemon).await["program"].is_string());
        daemon.kill9();
    }
    // A record that cannot be read is told, and nothing of it is lost.
    std::fs::write(&record, &std::fs::read(&record).unwrap()[..40]).unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let health = daemon.call("GET", "/api/v1/health", Value::Null).await.json();
    assert!(health["status"] == "degraded" && health.to_string().contains("lamps-provider.json"), "{health}");
    daemon.kill9();
    // Unregistering, broken off after its first step.
    let mut leaving = whole;
    leaving["leaving"] = true.into();
    std::fs::write(&record, leaving.to_string()).unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    gone(&daemon, "lamps").await;
    drop(daemon);
    // Killed at any moment.
    let folder = provider("lamps", "2.0.0", "");
    for wait in [100, 400, 800, 1_200, 1_600, 2_400] {
        let daemon = Daemon::builder().base(base.path()).start();
        let path = folder.path().to_owned();
        let request = daemon.request("POST", "/api/v1/extensions").json(&json!({ "path": path }));
        let under_way = tokio::spawn(request.send());
        tokio::time::sleep(Duration::from_millis(wait)).await;
        daemon.kill9();
        let _ = under_way.await;
        let daemon = Daemon::builder().base(base.path()).start();
        match list(&daemon).await.as_slice() {
            [] => gone(&daemon, "lamps").await,
            [one] => {
                assert_eq!(one, "provider lamps 2.0.0");
                daemon.wait_plugin("lamps-provider").await;
                assert_eq!(std::fs::read_dir(extensions.join("providers/lamps")).unwrap().count(), 1);
                let went = daemon.call("DELETE", "/api/v1/extensions/provider/lamps", Value::Null).await;
                assert_eq!(went.status, 204, "{}", went.text());
                gone(&daemon, "lamps").await;
            }
            more => panic!("{more:?}"),
        }
    }
}

fn drp(daemon: &Daemon, words: &[&str]) -> Output {
    let mut command = Command::new(binary("drp"));
    command.env_clear().args(["--socket".as_ref(), daemon.socket.as_os_str()]).args(["--format", "json"]);
    command.args(words).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_registers_lists_shows_and_unregisters() {
    let daemon = Daemon::start();
    let folder = provider("lamps", "1.0.0", "");
    let path = folder.path().to_str().unwrap();
    let json_of = |output: Output| -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // What was sent is a copy, also over the local socket.
    let done = json_of(drp(&daemon, &["ext", "register", path]));
    assert!(done["link"] == false && done["state"] == "configured", "{done}");
    let digest = done["digest"].clone();
    let all = json_of(drp(&daemon, &["ext", "list", "--type", "provider"]));
    assert_eq!(all[0]["name"], "lamps");
    assert_eq!(json_of(drp(&daemon, &["ext", "list", "--type", "cluster"])), json!([]));
    let shown = json_of(drp(&daemon, &["ext", "info", "provider", "lamps"]));
    assert_eq!(shown["digest"], digest);
    // In place: what its author changes is noticed when it is registered again.
    let linked = json_of(drp(&daemon, &["ext", "register", path, "--link"]));
    assert!(linked["link"] == true && linked["path"] == path && linked["digest"] == digest, "{linked}");
    write(folder.path(), "README.md", b"# Lamps\n");
    let changed = json_of(drp(&daemon, &["ext", "register", path, "--link"]));
    assert_ne!(changed["digest"], digest);
    assert!(!daemon.base().join("extensions/providers/lamps").exists());
    for (words, code, says) in [
        (&["ext", "info", "provider", "none"][..], 3, "Not Found"),
        (&["ext", "unregister", "provider", "../x"], 2, "cannot be a name"),
        (&["ext", "register", "/nowhere"], 3, "/nowhere"),
        (&["ext", "register", path, "--type", "cluster"], 4, "structure"),
    ] {
        let output = drp(&daemon, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{words:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{words:?}");
    }
    assert!(drp(&daemon, &["ext", "unregister", "provider", "lamps"]).status.success());
    gone(&daemon, "lamps").await;
    // The author's own files stay.
    assert!(folder.path().join("metadata.toml").is_file());
}
