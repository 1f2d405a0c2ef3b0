//! A VBoxManage that is slow, hangs, talks nonsense, dies or loses its answer; nothing is sent twice.

use crate::rig::{Rig, Way, alive};
use drp_tests::peers::wait_until;
use serde_json::json;
use std::time::Duration;

async fn at_most_once(way: Way) {
    let Some(rig) = Rig::start(way).await else { return };
    for (verb, words) in [("poweron", "startvm"), ("nextbootpxe", "modifyvm"), ("poweroff", "controlvm")] {
        if verb == "nextbootpxe" {
            rig.vbox.set("node 1", "state", "poweroff");
        } else if verb == "poweroff" {
            rig.vbox.set("node 1", "state", "running");
        }
        rig.vbox.faults(json!([{"on": words, "effect": "lose"}]));
        let before = rig.vbox.count(words);
        let result = rig.good(verb, json!({})).await;
        assert_eq!(result["verified"], true, "{verb}: {result}");
        let attempts = result["attempts"].as_array().unwrap();
        assert!(attempts.len() == 2 && attempts[0]["error"] != "", "the lost answer is told: {result}");
        assert_eq!(rig.vbox.count(words), before + 1, "{verb} was done once");
    }
    // A reset leaves nothing to read, so that a lost answer stays open.
    rig.vbox.set("node 1", "state", "running");
    rig.vbox.faults(json!([{"on": "controlvm reset", "effect": "lose"}]));
    let text = rig.bad("powercycle", json!({}), 504, "UNCONFIRMED").await;
    assert!(text.contains("Evidence: {") && text.contains("\"requested\":\"cycle\""), "{text}");
    assert_eq!(rig.vbox.vm("node 1")["resets"], 1);
    // One that was accepted stays accepted when nothing can be read after it.
    let unreadable = json!([
        {"on": "showvminfo", "effect": "pass", "times": 2}, {"on": "showvminfo", "effect": "garbage", "times": 99},
    ]);
    rig.vbox.faults(unreadable.clone());
    let cycle = rig.good("powercycle", json!({})).await;
    assert!(cycle["verified"] == false && cycle["attempts"][0]["error"] != "", "{cycle}");
    rig.vbox.faults(unreadable);
    let text = rig.bad("powersoft", json!({"virtualbox/soft-timeout": 1}), 504, "UNCONFIRMED").await;
    assert!(text.contains("the power button was pressed"), "{text}");
    let vm = rig.vbox.vm("node 1");
    assert_eq!((&vm["resets"], &vm["presses"]), (&json!(2), &json!(1)));
    // A yes without an effect is no success; neither is a death before it.
    for effect in ["ignore", "die"] {
        rig.vbox.faults(json!([{"on": "controlvm poweroff", "effect": effect}]));
        let text = rig.bad("poweroff", json!({"virtualbox/verify-timeout": 1}), 504, "UNCONFIRMED").await;
        assert!(text.contains("sent but not confirmed") && text.contains("running"), "{text}");
    }
    assert_eq!(rig.vbox.vm("node 1")["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_here() {
    at_most_once(Way::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_over_ssh() {
    at_most_once(Way::Ssh).await;
}

async fn late(way: Way) {
    let more = json!({"virtualbox/timeout": 8});
    let Some(rig) = Rig::with(way, more, |vbox| vbox.add("node 1", crate::rig::UUID)).await else { return };
    rig.daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
    // Slow, but in time.
    rig.vbox.faults(json!([{"on": "showvminfo", "effect": "slow", "seconds": 0.5}]));
    assert_eq!(rig.good("powerstatus", json!({})).await["state"], "off");
    // Killed with its child when it is too late.
    rig.vbox.faults(json!([{"on": "showvminfo", "effect": "hang"}]));
    let text = rig.bad("powerstatus", json!({}), 504, "SILENT").await;
    assert!(text.contains("virtualbox/timeout"), "{text}");
    let pids = rig.vbox.hanging();
    assert_eq!(pids.len(), 2);
    let gone = wait_until(Duration::from_secs(5), || pids.iter().all(|pid| !alive(*pid)));
    assert!(gone, "left behind: {pids:?}");
    // Nothing but noise, and noise without end.
    rig.vbox.faults(json!([{"on": "showvminfo", "effect": "garbage"}]));
    rig.bad("powerstatus", json!({}), 502, "PROTOCOL").await;
    rig.vbox.faults(json!([{"on": "showvminfo", "effect": "flood"}]));
    let text = rig.bad("powerstatus", json!({}), 502, "PROTOCOL").await;
    assert!(text.contains("4 MB"), "{text}");
    rig.vbox.faults(
        json!([{"on": "startvm", "effect": "refuse", "text": "VT-x is not available (VERR_VMX_NO_VMX)"}]),
    );
    let text = rig.bad("poweron", json!({}), 502, "REFUSED").await;
    assert!(text.contains("VERR_VMX_NO_VMX"), "{text}");
    rig.vbox.faults(json!([{"on": "startvm", "effect": "locked"}]));
    rig.bad("poweron", json!({}), 409, "SESSION_LOCKED").await;
    // After all that it works.
    assert_eq!(rig.good("poweron", json!({})).await["verified"], true);
    if let Some(sshd) = &rig.sshd {
        assert_eq!(sshd.logins(), 1, "none of this costs the connection: {}", sshd.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_odd_answers_here() {
    late(Way::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_odd_answers_over_ssh() {
    late(Way::Ssh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_leaves_no_command() {
    let Some(rig) = Rig::start(Way::Local).await else { return };
    rig.vbox.faults(json!([{"on": "showvminfo", "effect": "hang"}]));
    let request =
        rig.daemon.request("POST", "/api/v3/machines/Name:node%201/actions/powerstatus").json(&json!({}));
    let asked = tokio::spawn(async move { request.send().await.is_ok() });
    let pids = rig.vbox.hanging();
    assert!(pids.len() == 2 && alive(pids[0]));
    let Rig { daemon, vbox: _vbox, .. } = rig;
    // The stand-in's own child is not ours to know; it is ended here.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[1]), nix::sys::signal::Signal::SIGKILL);
    daemon.kill9();
    let _ = asked.await;
    let gone = wait_until(Duration::from_secs(5), || !alive(pids[0]));
    assert!(gone, "left behind: {pids:?}");
}
