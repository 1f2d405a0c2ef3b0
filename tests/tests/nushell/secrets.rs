//! Promise P7: the secrets of settings stay secret, also when an extension tells them.

use crate::rig::{KEY, Rig};
use drp_tests::canary::Canary;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_extension_tells_of_its_secrets_is_hidden() {
    let Some(rig) = Rig::start().await else { return };
    // The quotes in it are for forms that JSON gives it.
    let plain = KEY.trim_matches('"');
    let canary = Canary::new(&[KEY, &plain.replace('"', "\\\"")]);
    let mut events = canary.events(&rig.daemon).await;
    let watch = canary.watch(rig.daemon.pid());
    rig.configure(json!({"my-provider-provider/auth": {"api_key": KEY}})).await;
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = rig.call("leaks", json!({})).await;
        canary.look("error", answer.text());
        // 422: this process has not got the key yet.
        if answer.status == 500 && answer.text().contains("refused: (secret)") {
            break;
        }
        assert!(Instant::now() < end, "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rig.daemon.wait_log("the key is (secret)");
    canary.end_of(&rig.daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["error", "event", "daemon log", "argv", "environment"]);
}
