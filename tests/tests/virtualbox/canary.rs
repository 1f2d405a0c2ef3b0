//! Promise P7: the SSH key turns up nowhere.

use crate::rig::{UUID, Way, builder, make_plugin, settings};
use drp_tests::canary::Canary;
use drp_tests::daemon::answer;
use drp_tests::peers::{Sshd, VirtualBox};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_key_turns_up_nowhere() {
    let Some(vbox) = VirtualBox::start() else { return };
    let Some(sshd) = Sshd::start(&vbox.bin()) else { return };
    vbox.add("node 1", UUID);
    let key = sshd.key();
    // Lines of the key from its secret half; the first ones hold the public one.
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    let half = &lines[lines.len() / 2 + 1..];
    let secret = half.iter().find(|line| line.len() > 30).unwrap();
    let other = sshd.other_key();
    let other_lines: Vec<&str> = other.lines().filter(|line| !line.starts_with('-')).collect();
    let other_secret = other_lines[other_lines.len() / 2 + 1..].iter().find(|line| line.len() > 30).unwrap();
    let canary = Canary::new(&[secret, other_secret, "odd-canary-key-4711"]);
    let daemon = builder(&vbox, Way::Ssh).start();
    let watch = canary.watch(daemon.pid());
    let mut events = canary.events(&daemon).await;
    make_plugin(&daemon, settings(Some(&sshd)), Some(key.clone())).await;
    daemon.wait_plugin("vbox").await;
    daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
    let provider = drp_plugin_testkit::define(drp_tests::daemon::binary("virtualbox-ipmi")).await.unwrap();
    let faults = [
        json!([]),
        json!([{"on": "", "effect": "refuse", "text": "no", "times": 2}]),
        json!([{"on": "", "effect": "garbage", "times": 2}]),
        json!([{"on": "startvm", "effect": "lose"}]),
    ];
    for fault in faults {
        for action in &provider.available_actions {
            vbox.faults(fault.clone());
            let object = if action.model == "machines" { "machines/Name:node%201" } else { "plugins/vbox" };
            let params = json!({"virtualbox/name": "made", "virtualbox/verify-timeout": 1, "virtualbox/soft-timeout": 0});
            let path = format!("/api/v3/{object}/actions/{}", action.command);
            let request = daemon.request("POST", &path).json(&params).timeout(Duration::from_secs(120));
            let mut done = std::pin::pin!(answer(request));
            // A socket that nobody reads is closed by the daemon.
            let done = loop {
                tokio::select! {
                    event = events.next() => canary.look("event", event.to_string()),
                    done = &mut done => break done,
                }
            };
            canary.look("result", done.text());
        }
    }
    vbox.faults(json!([]));
    // A key that is refused, and one that is none.
    for odd in [other.as_str(), "odd-canary-key-4711"] {
        let path = "machines/Name:node%201/params/virtualbox/ssh-key";
        canary.look("result", daemon.expect(200, "POST", path, json!(odd)).await.to_string());
        let path = "/api/v3/machines/Name:node%201/actions/powerstatus";
        let answer = daemon.call("POST", path, json!({})).await;
        assert!(answer.status == 401 || answer.status == 400, "{}", answer.text());
        canary.look("result", answer.text());
    }
    canary.look("result", daemon.get("plugins/vbox").await.to_string());
    canary.look("sshd log", sshd.log());
    canary.look("commands", format!("{:?}", vbox.log("")));
    canary.end_of(&daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&[
        "result",
        "event",
        "daemon log",
        "log buffer",
        "sshd log",
        "commands",
        "argv",
        "environment",
        "file",
    ]);
    let _: Value = daemon.get("machines").await;
}
