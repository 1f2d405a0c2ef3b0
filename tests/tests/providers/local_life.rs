//! A server from its creation to its end, reached in every way.

use crate::local_rig::{Rig, console, key, ssh, wait_ssh};
use drp_tests::peers::find_program;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// What a web server of the guest answers through a forwarded port.
fn web(port: u64) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap()))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn port(of: &Value, guest: u64) -> Option<u64> {
    of["forwards"].as_array()?.iter().find(|f| f["guest_port"] == guest)?["host_port"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_lives_and_is_reached_over_ssh_serial_and_forwarded_ports() {
    let Some(rig) = Rig::start(json!({})).await else { return };
    let public = key(rig.dir.path());
    let made = rig.create("kernel", json!({"ssh_keys": [public], "tags": {"role": "web"}})).await;
    assert_eq!(
        (&made["success"], &made["status"], &made["hostname"]),
        (&json!(true), &json!("running"), &json!("web-1"))
    );
    assert_eq!(made["ip_addresses"], json!(["127.0.0.1"]));
    let id = made["server_id"].as_str().unwrap().to_owned();
    let server = json!({"server_id": id});

    let listed = rig.good("list-servers", json!({})).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["server_id"]), (1, &json!(id)));
    let info = rig.info(&id).await;
    assert_eq!(
        (&info["status"], &info["tags"]["role"], &info["accel"]),
        (&json!("running"), &json!("web"), &json!("tcg"))
    );

    // SSH, with the name and key of the seed.
    let access = rig.good("get-ssh-access", server.clone()).await;
    assert_eq!(access["port"], made["ssh_access"]["port"]);
    assert_eq!(ssh(&access, rig.dir.path(), "hostname"), "web-1");
    let boot = ssh(&access, rig.dir.path(), "cat /proc/sys/kernel/random/boot_id");

    // The serial console: the shell counts, an echo of what was typed would not do.
    console(Path::new(access["console"]["path"].as_str().unwrap()), "echo nonce-$((40+2))", "nonce-42");

    // The firewall: a port opens and closes while the server runs.
    assert_eq!(port(&info, 8080), None);
    let rule = |port: Value, action: &str| json!({"direction": "ingress", "protocol": "tcp", "port": port, "action": action});
    let with = |rules: Value| json!({"server_id": id, "rules": rules});
    let opened = rig.good("configure-firewall", with(json!([rule(json!(8080), "allow")]))).await;
    let web_port = port(&opened, 8080).unwrap();
    assert!(web(web_port).unwrap().contains("web-1"));
    assert_eq!(port(&opened, 22), access["port"].as_u64(), "SSH stays where it is");
    let closed = rig.good("configure-firewall", with(json!([rule(json!("8080"), "deny")]))).await;
    assert_eq!(port(&closed, 8080), None);
    assert!(web(web_port).is_err(), "the port still answers");
    let said = rig
        .bad(
            "configure-firewall",
            with(json!([{"direction": "ingress", "protocol": "icmp", "action": "allow"}])),
            400,
            "INVALID",
        )
        .await;
    assert!(said.contains("icmp"), "{said}");
    let egress = json!([
        {"direction": "egress", "protocol": "tcp", "action": "deny"}, {"direction": "egress", "protocol": "udp", "action": "deny"}
    ]);
    assert!(rig.bad("configure-firewall", with(egress), 409, "WRONG_STATE").await.contains("stop it first"));

    // A reboot is another boot of the same machine.
    rig.good("reboot-server", server.clone()).await;
    wait_ssh(&access, rig.dir.path(), "cat /proc/sys/kernel/random/boot_id", |again| again != boot);

    // The power button works, and a stopped server says so.
    let stopped = rig.good("stop-server", server.clone()).await;
    assert_eq!(stopped["message"], "it shut down", "{stopped}");
    assert_eq!(rig.info(&id).await["status"], "stopped");
    assert!(rig.bad("get-ssh-access", server.clone(), 409, "WRONG_STATE").await.contains("start it"));
    assert!(rig.bad("reboot-server", server.clone(), 409, "WRONG_STATE").await.contains("it shut down"));
    assert_eq!(rig.good("stop-server", server.clone()).await["changed"], false);

    // Started again, it is reached where it was before.
    assert_eq!(rig.good("start-server", server.clone()).await["changed"], true);
    assert_eq!(rig.good("start-server", server.clone()).await["changed"], false);
    assert_eq!(rig.good("get-ssh-access", server.clone()).await["port"], access["port"]);
    assert_eq!(rig.info(&id).await["status"], "running");

    rig.good("delete-server", server.clone()).await;
    assert!(rig.bad("get-server-info", server.clone(), 404, "NO_SERVER").await.contains(&id));
    rig.bad("delete-server", server, 404, "NO_SERVER").await;
    rig.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_a_disk_of_its_own_and_is_told_its_name_by_another() {
    if find_program("qemu-img").is_none() {
        drp_tests::peers::skipped("qemu-img", "apt-get install qemu-utils");
        return;
    }
    let Some(rig) = Rig::start(json!({})).await else { return };
    let public = key(rig.dir.path());
    let base = rig.dir.path().join("base.raw");
    let mut content = b"from the image".to_vec();
    content.resize(1 << 20, 0);
    std::fs::write(&base, &content).unwrap();

    let too_small = json!({"hostname": "a", "plan": "tiny", "os": "disk", "storage": {"size": 0}});
    rig.bad("create-server", json!({"config": too_small}), 400, "INVALID").await;
    let more = json!({"ssh_keys": [public], "storage": {"size": 2, "encrypted": true}});
    let made = rig.create("disk", more).await;
    assert!(made["warnings"][0].as_str().unwrap().contains("encrypted"), "{made}");
    let server = json!({"server_id": made["server_id"]});
    let access = &made["ssh_access"];
    assert_eq!(ssh(access, rig.dir.path(), "hostname"), "web-1");
    assert_eq!(ssh(access, rig.dir.path(), "head -c 14 /dev/vda"), "from the image");
    assert_eq!(
        ssh(access, rig.dir.path(), "cat /sys/block/vda/size"),
        (2u64 << 21).to_string(),
        "2 GiB in sectors"
    );
    ssh(access, rig.dir.path(), "printf 'from the guest' | dd of=/dev/vda conv=notrunc 2>/dev/null; sync");

    rig.good("stop-server", server.clone()).await;
    rig.good("start-server", server.clone()).await;
    let kept = wait_ssh(access, rig.dir.path(), "head -c 14 /dev/vda", |_| true);
    assert_eq!(kept, "from the guest");
    assert_eq!(std::fs::read(&base).unwrap(), content, "the image was written to");
    rig.good("delete-server", server).await;
    assert!(base.exists());
    rig.is_empty().await;
}
