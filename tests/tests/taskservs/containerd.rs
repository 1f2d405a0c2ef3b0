//! The life of a task service that comes as an archive.

use crate::rig::Rig;
use crate::source::{ARCH, containerd};
use drp_tests::events::EventSocket;
use serde_json::json;
use std::time::Duration;

fn asset(version: &str) -> String {
    format!("/containerd-{version}-linux-{ARCH}.tar.gz")
}

async fn rig() -> Option<Rig> {
    let rig = Rig::start("taskservs/containerd").await?;
    let mut settings = rig.settings();
    settings["mirror"] = json!(rig.source.url(""));
    settings["releases"] = json!(rig.source.url("/releases"));
    rig.plugin("site", &settings).await;
    rig.source.release(&asset("1.7.27"), containerd("1.7.27", true));
    rig.source.release(&asset("1.7.28"), containerd("1.7.28", true));
    rig.source.release(&asset("1.7.29"), containerd("1.7.29", false));
    let releases = json!([{"tag_name": "v1.7.28"}, {"tag_name": "v1.7.27"}, {"tag_name": "v2.0.0-rc.1", "prerelease": true}]);
    rig.source.put("/releases", releases.to_string());
    Some(rig)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_mode_does_nothing_and_needs_no_machine() {
    let Some(rig) = Rig::start("taskservs/containerd").await else { return };
    // The plugin object that was made by itself: it knows no machine.
    let (status, plan) =
        rig.act(&rig.plugin, "install", json!({"check": true, "config": {"log_level": "warn"}})).await;
    assert_eq!(status, 200, "{plan}");
    assert_eq!(
        (&plan["check_mode"], &plan["would_install"], &plan["action"]),
        (&json!(true), &json!(true), &json!("install"))
    );
    assert_eq!((&plan["service"], &plan["version"]), (&json!("containerd"), &json!("1.7.27")));
    assert_eq!(plan["plan"]["unit"], "containerd.service");
    let (status, info) = rig.act(&rig.plugin, "taskserv-info", json!({})).await;
    assert_eq!((status, &info["type"]), (200, &json!("taskserv")));
    let said = rig.bad_of(&rig.plugin, "install", json!({}), 409).await;
    assert!(said.contains("containerd-taskserv/host"), "{said}");
    assert_eq!(rig.machine.sshd.logins(), 0, "no machine was asked");
    assert!(rig.machine.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_containerd() {
    let Some(rig) = rig().await else { return };
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register("extensions.progress.*").await;
    assert_eq!(rig.good("get-current-version", json!({})).await, "");
    assert_eq!(rig.good("status", json!({})).await["status"], "absent");

    let done = rig.good("install", json!({"config": {"log_level": "warn"}})).await;
    assert_eq!(
        (&done["success"], &done["status"], &done["changed"]),
        (&json!(true), &json!("running"), &json!(true)),
        "{done}"
    );
    assert_eq!(done["health"]["healthy"], true);
    let event = events.next().await;
    assert_eq!(
        (&event["Key"], &event["Object"]["step"]),
        (&json!("site"), &json!("requirements")),
        "{event}"
    );
    for path in ["usr/local/bin/containerd", "usr/local/bin/ctr", "usr/local/bin/containerd-shim-runc-v2"] {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&rig.machine.at(path).metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o755, "{path}");
    }
    let config = rig.machine.text("etc/containerd/config.toml");
    assert!(config.contains("level = \"warn\"") && config.contains("SystemdCgroup = true"), "{config}");
    let first = rig.machine.pid("containerd.service");
    assert!(first > 0);
    assert_eq!(rig.source.asked(), [format!("{}.sha256sum", asset("1.7.27")), asset("1.7.27")]);

    // Once more: nothing is fetched, nothing is started anew.
    let again = rig.good("install", json!({"config": {"log_level": "warn"}})).await;
    assert_eq!(again["changed"], false, "{again}");
    assert_eq!((rig.machine.pid("containerd.service"), rig.source.asked().len()), (first, 0));

    let status = rig.good("status", json!({})).await;
    assert_eq!(
        (&status["systemd_status"], &status["version"], &status["status"]),
        (&json!("active"), &json!("1.7.27"), &json!("running"))
    );
    assert!(status["memory_usage"].as_u64().unwrap() > 0 && status["uptime"].is_u64(), "{status}");

    let updates = rig.good("check-updates", json!({})).await;
    assert_eq!(
        (&updates["latest_version"], &updates["update_available"]),
        (&json!("1.7.28"), &json!(true)),
        "{updates}"
    );
    assert_eq!(rig.good("get-available-versions", json!({})).await, json!(["1.7.28", "1.7.27"]));

    let changed = rig.good("configure", json!({"config": {"log_level": "debug"}})).await;
    assert_eq!((&changed["version"], &changed["changed"]), (&json!("1.7.27"), &json!(true)));
    assert!(rig.machine.text("etc/containerd/config.toml").contains("level = \"debug\""));
    rig.source.asked();

    let upgraded = rig.good("upgrade", json!({"version": "v1.7.28"})).await;
    assert_eq!(
        (&upgraded["version"], &upgraded["previous_version"]),
        (&json!("1.7.28"), &json!("1.7.27")),
        "{upgraded}"
    );
    assert!(rig.machine.text("usr/local/bin/containerd").contains("# containerd 1.7.28"));
    assert!(
        rig.machine.text("etc/containerd/config.toml").contains("level = \"debug\""),
        "the configuration stays"
    );
    assert_eq!(rig.good("check-updates", json!({})).await["update_available"], false);

    let before = rig.machine.pid("containerd.service");
    rig.good("restart", json!({})).await;
    assert_ne!(rig.machine.pid("containerd.service"), before);

    // One that is never well: back to the one before, which runs.
    let short = json!({"health_check": {"interval": 1, "retries": 2}});
    let said = rig.bad("upgrade", json!({"version": "1.7.29", "config": short}), 502).await;
    assert!(said.contains("is not well") && said.contains("went back to version 1.7.28"), "{said}");
    assert!(said.contains("not done: health"), "{said}");
    assert_eq!(rig.good("get-current-version", json!({})).await, "1.7.28");
    while rig.good("status", json!({})).await["health"]["healthy"] != true {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    std::fs::write(rig.machine.at("var/lib/containerd/images"), "precious").unwrap();
    let gone = rig.good("uninstall", json!({"keep-data": true})).await;
    assert_eq!(gone["kept"], json!([rig.machine.at("var/lib/containerd")]), "{gone}");
    assert_eq!(
        rig.machine.files().iter().filter(|file| !file.starts_with("run/")).collect::<Vec<_>>(),
        ["var/lib/containerd/images"]
    );
    assert_eq!(rig.machine.systemctl(&["is-active", "containerd.service"]), "inactive");
    assert_eq!(rig.good("uninstall", json!({})).await["changed"], false);
    // The folder was there before this installation, so it is not ours to remove.
    rig.good("install", json!({})).await;
    rig.good("uninstall", json!({})).await;
    assert_eq!(rig.machine.text("var/lib/containerd/images"), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_published_is_not_installed() {
    let Some(rig) = rig().await else { return };
    rig.source.put(&asset("1.7.27"), containerd("evil", true));
    let said = rig.bad("install", json!({}), 502).await;
    assert!(said.contains("SHA-256") && said.contains("nothing was installed"), "{said}");
    rig.source.put(&format!("{}.sha256sum", asset("1.7.27")), "<html>");
    let said = rig.bad("install", json!({}), 502).await;
    assert!(said.contains("no SHA-256 checksum"), "{said}");
    let said = rig.bad("install", json!({"version": "9.9.9"}), 502).await;
    assert!(said.contains("fetching http://127.0.0.1") && said.contains("9.9.9"), "{said}");
    assert!(!rig.machine.at("usr").exists() && rig.machine.told().is_empty(), "{:?}", rig.machine.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_never_well_is_removed_again() {
    let Some(rig) = rig().await else { return };
    let short = json!({"health_check": {"interval": 1, "retries": 2}});
    let said = rig.bad("install", json!({"version": "1.7.29", "config": short}), 502).await;
    assert!(said.contains("removed again what was installed"), "{said}");
    let left: Vec<_> = rig.machine.files().into_iter().filter(|file| !file.starts_with("run/")).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(!rig.machine.at("etc/containerd").exists() && !rig.machine.at("var/lib/containerd").exists());
    assert_eq!(rig.machine.pid("containerd.service"), 0);
    // A program that ends by itself is known at once.
    rig.good("install", json!({})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let pid = nix::unistd::Pid::from_raw(rig.machine.pid("containerd.service"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    rig.daemon
        .wait_for("info", |_| rig.machine.systemctl(&["is-active", "containerd.service"]) == "failed")
        .await;
    let status = rig.good("status", json!({})).await;
    assert_eq!(
        (&status["status"], &status["health"]["healthy"]),
        (&json!("failed"), &json!(false)),
        "{status}"
    );
}
