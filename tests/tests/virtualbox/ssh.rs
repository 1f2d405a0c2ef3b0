//! Who is believed, who is let in, and connections that break.

use crate::rig::{Rig, UUID, Way, builder, is_error, make_plugin, plugin_errors, settings};
use drp_tests::peers::{Sshd, VirtualBox};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_is_never_believed_blindly() {
    let Some(vbox) = VirtualBox::start() else { return };
    let Some(sshd) = Sshd::start(&vbox.bin()) else { return };
    for (known, words) in [
        (String::new(), "is not known"),
        ("# nothing".to_owned(), "is not known"),
        (sshd.wrong_known_hosts(), "is not the known one"),
        (format!("@revoked * {}", sshd.known_hosts().split_once(' ').unwrap().1), "is revoked"),
    ] {
        let daemon = builder(&vbox, Way::Ssh).env("HOME", vbox.folder().display().to_string()).start();
        let mut params = settings(Some(&sshd));
        params["virtualbox/ssh-known-hosts"] = json!(known);
        make_plugin(&daemon, params, Some(sshd.key())).await;
        let errors = plugin_errors(&daemon).await;
        assert!(errors.contains(words) && errors.contains("SHA256:"), "{errors}");
        if words == "is not known" {
            assert!(errors.contains("add this line") && errors.contains("[127.0.0.1]:"), "{errors}");
        }
    }
    assert_eq!(sshd.logins(), 0, "nobody logged in");
    assert!(vbox.log("").is_empty(), "nothing was run");
}

#[tokio::test(flavor = "multi_thread")]
async fn known_hosts_are_lines_hashed_lines_or_a_file() {
    let Some(vbox) = VirtualBox::start() else { return };
    let Some(sshd) = Sshd::start(&vbox.bin()) else { return };
    let file = vbox.folder().join("known_hosts");
    std::fs::write(&file, sshd.known_hosts()).unwrap();
    for known in [sshd.hashed_known_hosts(), file.display().to_string()] {
        let daemon = builder(&vbox, Way::Ssh).start();
        let mut params = settings(Some(&sshd));
        params["virtualbox/ssh-known-hosts"] = json!(known);
        make_plugin(&daemon, params, Some(sshd.key())).await;
        daemon.wait_plugin("vbox").await;
    }
    let daemon = builder(&vbox, Way::Ssh).start();
    let mut params = settings(Some(&sshd));
    params["virtualbox/ssh-known-hosts"] = json!("/nonexistent/known_hosts");
    make_plugin(&daemon, params, Some(sshd.key())).await;
    let errors = plugin_errors(&daemon).await;
    assert!(errors.contains("virtualbox/ssh-known-hosts names a file that cannot be read"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_tried_once() {
    let Some(mut rig) = Rig::start(Way::Ssh).await else { return };
    let sshd = rig.sshd.take().unwrap();
    // A machine with a key of its own that is not allowed there.
    let path = "machines/Name:node%201/params/virtualbox/ssh-key";
    rig.daemon.expect(200, "POST", path, json!(sshd.other_key())).await;
    let tried = || sshd.log().matches("Connection from").count();
    let text = rig.bad("powerstatus", json!({}), 401, "CREDENTIALS").await;
    assert!(text.contains("SHA256:") && text.contains("authorized_keys"), "{text}");
    let seen = tried();
    assert_eq!(seen, 2, "the plugin object's own, and this one: {}", sshd.log());
    for _ in 0..3 {
        let text = rig.bad("poweron", json!({}), 401, "LOCKED").await;
        assert!(text.contains("unlock"), "{text}");
    }
    assert_eq!(tried(), seen, "it was not tried again");
    let (status, unlocked) = rig.on_plugin("unlock", json!({})).await;
    assert_eq!((status, &unlocked["unlocked"]), (200, &json!(true)), "{unlocked}");
    rig.bad("powerstatus", json!({}), 401, "CREDENTIALS").await;
    // With the plugin object's own key it works.
    rig.daemon.expect(200, "DELETE", path, json!(null)).await;
    assert_eq!(rig.good("powerstatus", json!({})).await["state"], "off");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_are_named_and_not_shown() {
    let Some(vbox) = VirtualBox::start() else { return };
    let Some(sshd) = Sshd::start(&vbox.bin()) else { return };
    for (key, words) in [("canary-key-4711", "is not a private key"), ("", "is missing")] {
        let daemon = builder(&vbox, Way::Ssh).start();
        make_plugin(&daemon, settings(Some(&sshd)), Some(key.to_owned())).await;
        let errors = plugin_errors(&daemon).await;
        assert!(errors.contains("virtualbox/ssh-key") && errors.contains(words), "{errors}");
        assert!(!errors.contains("canary-key"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_again_and_nothing_is_sent_twice() {
    let Some(rig) = Rig::start(Way::Ssh).await else { return };
    let sshd = rig.sshd.as_ref().unwrap();
    // Broken between two actions.
    sshd.kill_sessions();
    assert_eq!(rig.good("powerstatus", json!({})).await["state"], "off");
    assert_eq!(sshd.logins(), 2);
    // Broken while a command runs: the command goes on there, and is read back over a new connection.
    rig.vbox.faults(json!([{"on": "startvm", "effect": "slow", "seconds": 1.0}]));
    let (on, ()) = tokio::join!(rig.good("poweron", json!({})), async {
        while rig.vbox.log("startvm").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sshd.kill_sessions();
    });
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)), "{on}");
    assert!(on["attempts"][0]["error"].as_str().unwrap().contains("broke"), "{on}");
    assert_eq!(rig.vbox.count("startvm"), 1);
    assert_eq!(sshd.logins(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_away_is_a_504_and_comes_back() {
    let Some(vbox) = VirtualBox::start() else { return };
    let Some(sshd) = Sshd::start(&vbox.bin()) else { return };
    vbox.add("node 1", UUID);
    let daemon = builder(&vbox, Way::Ssh).start();
    let mut params = settings(Some(&sshd));
    let free = drp_tests::peers::free_tcp_port();
    params["virtualbox/ssh-port"] = json!(free);
    make_plugin(&daemon, params, Some(sshd.key())).await;
    // The plugin is there, and its actions say what is wrong.
    daemon.wait_plugin("vbox").await;
    let answer =
        daemon.call("POST", "/api/v3/plugins/vbox/actions/startVm", json!({"virtualbox/id": UUID})).await;
    let text = is_error(answer.status, &answer.json(), 504, "UNREACHABLE");
    assert!(text.contains(&free.to_string()) && text.contains("firewalls"), "{text}");
    // When the host is there, its machines are imported without anybody asking. A relay stands for it coming up.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", free)).await.unwrap();
    let port = sshd.port();
    let relay = tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    // Its key is known under the other port; the new one is a new name.
    let known = format!("[127.0.0.1]:{free} {}", sshd.known_hosts().split_once(' ').unwrap().1);
    daemon.expect(200, "POST", "plugins/vbox/params/virtualbox/ssh-known-hosts", json!(known)).await;
    daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
    drop(daemon);
    relay.abort();
}
