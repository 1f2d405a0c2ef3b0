//! Promise P7: the keys of machines turn up nowhere.

use crate::rig::Rig;
use drp_tests::canary::Canary;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_passwords_turn_up_nowhere() {
    let Some(rig) = Rig::start("taskservs/systemd-service").await else { return };
    let key = rig.machine.sshd.key();
    let line = key.lines().nth(4).unwrap();
    let password = "s3cret-canary-4711";
    let canary = Canary::new(&[&line[..40], password]);
    let watch = canary.watch(rig.daemon.pid());
    let mut events = canary.events(&rig.daemon).await;
    let mut settings = rig.settings();
    settings["password"] = json!(password);
    rig.plugin("site", &settings).await;
    settings["ssh_key"] = json!(rig.machine.sshd.other_key());
    rig.plugin("wrong", &settings).await;
    let config = json!({"config": {"name": "sleeper", "service": {"exec": ["/usr/bin/sleep", "1000"]}}});
    for (plugin, operation) in [("site", "install"), ("site", "status"), ("wrong", "install")] {
        let (_, answer) = rig.act(plugin, operation, config.clone()).await;
        canary.look("result", answer.to_string());
    }
    canary.look("object", rig.daemon.get("plugins").await.to_string());
    canary.files(&rig.machine.root(), &[]);
    canary.end_of(&rig.daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["result", "object", "event", "daemon log", "argv"]);
}
