//! The provider `mockcloud`, written in Nushell, against the cloud API that ships with it.

use drp_tests::canary::Canary;
use drp_tests::cli::drp;
use drp_tests::daemon::{Answer, Daemon, answer};
use drp_tests::peers::{CLOUD_KEY, MockCloud, nu};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const PLUGIN: &str = "mockcloud-provider";

fn folder() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extensions/providers/mockcloud");
    folder.canonicalize().unwrap().display().to_string()
}

/// A daemon with the provider registered. `None` (after saying SKIPPED) without Nushell.
fn daemon() -> Option<Daemon> {
    let daemon = Daemon::builder().arg(format!("--nu={}", nu()?.display())).start();
    let registered = drp(&daemon, &["ext", "register", &folder()]).json();
    assert_eq!(registered["plugin"], PLUGIN, "{registered}");
    Some(daemon)
}

async fn configure(daemon: &Daemon, cloud: &MockCloud, key: &str, retries: u32) {
    let params = json!({
        "mockcloud-provider/auth": {"api_key": key},
        "mockcloud-provider/api": {"base_url": cloud.url, "retries": retries, "timeout": 20},
        "mockcloud-provider/defaults": {"zone": "us-east-1"},
    });
    daemon.expect(200, "POST", "plugins/mockcloud-provider/params", params).await;
    daemon.wait_plugin(PLUGIN).await;
}

async fn run(daemon: &Daemon, operation: &str, params: Value) -> Answer {
    let path = format!("/api/v3/plugins/{PLUGIN}/actions/{operation}");
    answer(daemon.request("POST", &path).json(&params).timeout(Duration::from_secs(120))).await
}

async fn good(daemon: &Daemon, operation: &str, params: Value) -> Value {
    let got = run(daemon, operation, params).await;
    assert_eq!(got.status, 200, "{operation}: {}\n{}", got.text(), daemon.log());
    got.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_lives_in_the_mock_cloud() {
    let Some(daemon) = daemon() else { return };
    let cloud = MockCloud::start(Duration::from_millis(300));
    // A dry run needs neither key nor service.
    let config = json!({"hostname": "web-01", "plan": "1xCPU-1GB"});
    let planned = good(&daemon, "create-server", json!({"config": config, "check": true})).await;
    assert_eq!(planned["would_create"], true);
    let canary = Canary::new(&[CLOUD_KEY]);
    let watch = canary.watch(daemon.pid());
    let mut events = canary.events(&daemon).await;
    configure(&daemon, &cloud, CLOUD_KEY, 3).await;
    assert_eq!(good(&daemon, "test-connection", json!({})).await["success"], true);
    let made = good(&daemon, "create-server", json!({"config": config, "wait": true})).await;
    assert_eq!((&made["status"], &made["hostname"]), (&json!("running"), &json!("web-01")));
    assert_eq!(made["ssh_access"]["host"], made["ip_addresses"][0]);
    let id = made["server_id"].as_str().unwrap().to_owned();
    let of = json!({"server_id": id});
    let soon =
        good(&daemon, "create-server", json!({"config": {"hostname": "web-02", "plan": "2xCPU-4GB"}})).await;
    assert_eq!(soon["status"], "creating");
    let listed = good(&daemon, "list-servers", json!({})).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    for (operation, status) in
        [("stop-server", "stopped"), ("start-server", "running"), ("reboot-server", "running")]
    {
        good(&daemon, operation, of.clone()).await;
        assert_eq!(good(&daemon, "get-server-info", of.clone()).await["status"], status, "{operation}");
    }
    assert_eq!(cloud.servers().await[0]["reboots"], 1);
    let rule = json!({"direction": "ingress", "protocol": "tcp", "port": 443, "action": "allow"});
    good(&daemon, "configure-firewall", json!({"server_id": id, "rules": [rule]})).await;
    assert_eq!(cloud.servers().await[0]["firewall_rules"], json!([rule]));
    for (operation, field) in [("get-plans", "cpus"), ("get-zones", "description"), ("get-pricing", "hourly")]
    {
        let rows = good(&daemon, operation, json!({})).await;
        assert!(rows.as_array().unwrap().len() == 3 && !rows[0][field].is_null(), "{operation}: {rows}");
    }
    // As people do it.
    let rows = drp(&daemon, &["server", "list", "--provider", "mockcloud"]).json();
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    assert_eq!(drp(&daemon, &["server", "delete", &id, "--provider", "mockcloud"]).code, 0);
    assert_eq!(cloud.servers().await.len(), 1);
    // One that is gone is gone: no error.
    good(&daemon, "delete-server", of.clone()).await;
    let absent = run(&daemon, "get-server-info", of).await;
    assert!(
        absent.status == 404 && absent.text().contains("no server"),
        "{}: {}",
        absent.status,
        absent.text()
    );
    canary.look("result", made.to_string());
    canary.look("cloud", cloud.output());
    canary.end_of(&daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["result", "event", "daemon log"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_service_is_repeated_where_it_does_no_harm() {
    let Some(daemon) = daemon() else { return };
    let cloud = MockCloud::start(Duration::from_millis(50));
    configure(&daemon, &cloud, CLOUD_KEY, 3).await;
    // The answer of a creation is lost: asked again with its key, there is still one server.
    cloud.faults(json!({"lost_answer": 1, "rate_limited": 0})).await;
    let config = json!({"hostname": "web-01", "plan": "1xCPU-1GB"});
    good(&daemon, "create-server", json!({"config": config, "wait": true})).await;
    assert_eq!(cloud.servers().await.len(), 1);
    cloud.faults(json!({"rate_limited": 2, "unavailable": 1})).await;
    good(&daemon, "list-servers", json!({})).await;
    cloud.faults(json!({"unavailable": 9})).await;
    let down = run(&daemon, "list-servers", json!({})).await;
    assert!(
        down.status == 503 && down.text().contains("come back later"),
        "{}: {}",
        down.status,
        down.text()
    );
    // A reboot is asked for once, and its error says what is not known.
    cloud.faults(json!({"lost_answer": 1})).await;
    let unsure = run(&daemon, "reboot-server", json!({"server_id": "srv-0001"})).await;
    assert!(unsure.status == 502 && unsure.text().contains("did not say whether"), "{}", unsure.text());
    assert_eq!(cloud.servers().await[0]["reboots"], 1);
    cloud.faults(json!({"failed_creation": 1})).await;
    let config = json!({"hostname": "web-02", "plan": "1xCPU-1GB"});
    let failed = run(&daemon, "create-server", json!({"config": config, "wait": true})).await;
    assert!(failed.status >= 400 && failed.text().contains("failed"), "{}", failed.text());
    configure(&daemon, &cloud, "another-key", 0).await;
    let refused = run(&daemon, "list-servers", json!({})).await;
    assert!(refused.status == 401 && refused.text().contains("auth.api_key"), "{}", refused.text());
    assert!(!refused.text().contains("another-key"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_stay_texts() {
    let Some(daemon) = daemon() else { return };
    let cloud = MockCloud::start(Duration::from_millis(10));
    configure(&daemon, &cloud, CLOUD_KEY, 0).await;
    let mark = daemon.base().join("mark");
    let touch = format!("touch {}", mark.display());
    let hostile = [
        format!("$({touch})"),
        format!("'; ^{touch}; '"),
        format!("\"; {touch} #"),
        format!("(^{touch})"),
        "--check".to_owned(),
        "../../account".to_owned(),
        "a\nb".to_owned(),
        "a\u{0}b".to_owned(),
    ];
    for text in &hostile {
        let got = run(&daemon, "get-server-info", json!({"server_id": text})).await;
        assert!(got.status >= 400, "{text}: {}", got.text());
        let config = json!({"hostname": text, "plan": "1xCPU-1GB"});
        // The mock takes any name, and gives it back as it is.
        let made = run(&daemon, "create-server", json!({"config": config})).await;
        if made.status == 200 {
            assert_eq!(made.json()["hostname"], **text);
        }
    }
    assert!(!mark.exists());
    assert!(cloud.servers().await.iter().any(|server| server["hostname"] == *hostile[0]));
}
