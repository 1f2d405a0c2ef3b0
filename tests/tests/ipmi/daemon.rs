//! The whole path: REST and the command line → daemon → ipmi plugin → BMC → machine.

use crate::rig::{PASSWORD, USER, simulator};
use drp_tests::canary::Canary;
use drp_tests::daemon::{Daemon, answer, binary};
use drp_tests::peers::{IpmiSim, wait_until};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A daemon with the plugin, and a machine whose BMC listens on that port.
async fn with_machine(port: u16) -> Daemon {
    let daemon = Daemon::builder().plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    add_machine(&daemon, port).await;
    daemon
}

async fn add_machine(daemon: &Daemon, port: u16) {
    let machine = json!({"Name": "node-1", "Params": {
        "ipmi/address": "127.0.0.1", "ipmi/username": USER, "ipmi/port-ipmitool": port, "ipmi/verify-timeout": 30,
    }});
    daemon.expect(201, "POST", "machines", machine).await;
    // Without a password the machine has no power actions, and the daemon says why.
    let refused = daemon.expect(400, "POST", "machines/Name:node-1/actions/poweron", json!({})).await;
    assert!(refused.to_string().contains("Missing Parameter ipmi/password"), "{refused}");
    let stored =
        daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(PASSWORD)).await;
    assert!(!stored.to_string().contains(PASSWORD), "the daemon answers with the sealed value");
}

async fn act(daemon: &Daemon, verb: &str) -> Value {
    let path = format!("/api/v3/machines/Name:node-1/actions/{verb}");
    let request = daemon.request("POST", &path).json(&json!({})).timeout(Duration::from_secs(120));
    let done = answer(request).await;
    assert_eq!(done.status, 200, "{verb}: {}\n{}", done.text(), daemon.log());
    done.json()
}

/// `drp` with the daemon's local socket.
fn drp(daemon: &Daemon, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(binary("drp"));
    command.arg("--base-root").arg(daemon.base()).args(words).env_remove("RS_ENDPOINT");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_machine_boots_from_the_network_through_drp() {
    // Its iPXE fetches a script from the daemon's file server, which leads it on to this one: so the script was run.
    // 10.0.2.2 is the host's loopback, seen from the machine.
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let next = format!("http://10.0.2.2:{}/next.ipxe", listener.local_addr().unwrap().port());
    let script = move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready("#!ipxe\necho fetched\nsleep 600\n")
    };
    let files = axum::Router::new().route("/next.ipxe", axum::routing::get(script));
    tokio::spawn(axum::serve(listener, files).into_future());
    let daemon = Daemon::builder().plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    let upload = daemon.request("POST", "/api/v3/files/boot.ipxe").body(format!("#!ipxe\nchain {next}\n"));
    assert_eq!(answer(upload.header("content-type", "application/octet-stream")).await.status, 201);
    let url = format!("{}/files/boot.ipxe", daemon.files.replace("127.0.0.1", "10.0.2.2"));

    let Some(bmc) = IpmiSim::start_vm(Some(&url)) else { return };
    add_machine(&daemon, bmc.port()).await;
    assert_eq!(act(&daemon, "powerstatus").await["state"], "off");
    assert_eq!(act(&daemon, "nextbootpxe").await["verified"], true);
    let on = act(&daemon, "poweron").await;
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)));
    assert!(bmc.vm_pid().is_some(), "QEMU runs");
    let booted = wait_until(Duration::from_secs(60), || fetched.load(Ordering::SeqCst) > 0);
    assert!(booted, "the machine's iPXE did not run its script");
    let off = act(&daemon, "poweroff").await;
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)));
    assert!(wait_until(Duration::from_secs(5), || bmc.vm_pid().is_none()), "QEMU is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_results_and_errors() {
    let bmc = simulator(|_| {}).await;
    let daemon = with_machine(bmc.address().port()).await;
    let (code, out, err) =
        drp(&daemon, &["machines", "runaction", "Name:node-1", "poweron", "--format", "json"]);
    assert_eq!(code, 0, "{out}{err}");
    let on: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)));
    assert!(bmc.power());
    let (code, out, _) = drp(&daemon, &["machines", "actions", "Name:node-1"]);
    assert!(code == 0 && out.contains("powersoft"), "{out}");
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!("wrong-canary")).await;
    let (code, out, err) = drp(&daemon, &["machines", "runaction", "Name:node-1", "poweroff"]);
    assert_ne!(code, 0);
    let shown = format!("{out}{err}");
    assert!(shown.contains("refused the credentials") && shown.contains("What to do"), "{shown}");
    assert!(!shown.contains("wrong-canary"), "{shown}");
    let (code, _, err) = drp(&daemon, &["machines", "runaction", "Name:node-1", "poweroff"]);
    assert!(code != 0 && err.contains("were not tried again"), "{err}");
    assert_eq!(bmc.counts().opens, 2, "one good login, one refused");
    // Stopping the daemon closes the session.
    let (status, _) = daemon.stop();
    assert!(status.success());
    assert_eq!(bmc.active_sessions(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_action_needs_no_daemon() {
    let bmc = simulator(|_| {}).await;
    let port = format!("ipmi/port-ipmitool={}", bmc.address().port());
    let plugin = binary("ipmi");
    let user = format!("ipmi/username={USER}");
    let words = [
        "plugin",
        "run",
        plugin.to_str().unwrap(),
        "--action",
        "poweron",
        "--machine",
        "{\"Name\": \"node-1\"}",
    ];
    let mut command = Command::new(binary("drp"));
    command.args(words);
    for param in ["ipmi/address=127.0.0.1", &user, &port, "ipmi/password=-"] {
        command.args(["--param", param]);
    }
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, format!("{PASSWORD:?}").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let on: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)));
    assert!(bmc.power());
    assert_eq!(bmc.active_sessions(), 0, "its session is closed when it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_anywhere_by_daemon_and_plugin() {
    let bmc = simulator(|_| {}).await;
    let daemon = with_machine(bmc.address().port()).await;
    let canary = Canary::new(&[PASSWORD]);
    let mut events = canary.events(&daemon).await;
    let watch = canary.watch(daemon.pid());
    for verb in
        ["powerstatus", "poweron", "nextbootpxe", "identify", "bmcinfo", "powerplan", "powersoft", "unlock"]
    {
        canary.look("result", act(&daemon, verb).await.to_string());
    }
    let odd = json!({"ipmi/timeout": "long"});
    let refused = daemon.expect(400, "POST", "machines/Name:node-1/actions/poweron", odd).await;
    canary.look("error", refused.to_string());
    let smuggled = json!({"ipmi/password": PASSWORD});
    let refused = daemon.expect(400, "POST", "machines/Name:node-1/actions/poweron", smuggled).await;
    assert!(refused.to_string().contains("cannot be passed secure parameter"), "{refused}");
    canary.look("error", refused.to_string());
    for path in ["machines/Name:node-1", "machines/Name:node-1?aggregate=true", "plugins/ipmi", "machines"] {
        canary.look("object", daemon.get(path).await.to_string());
    }
    canary.end_of(&daemon, &mut events).await;
    events.close().await;
    canary.stop(watch);
    let places =
        ["result", "error", "object", "event", "log buffer", "daemon log", "argv", "environment", "file"];
    canary.check(&places);
    assert!(daemon.log().contains("powerstatus"), "the log tells of actions: {}", daemon.log());
}
