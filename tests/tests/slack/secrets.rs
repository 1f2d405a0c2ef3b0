//! Promise P7: secrets are in no message, and turn up nowhere else.

use crate::rig::Rig;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_message() {
    let rig = Rig::start(json!({
        "slack/events": ["machines.*.*", "lamp.*.*"],
        "slack/template": {"lamp": "{{ Object }} {{ Object.Params.site/door }} {{ Original }}"},
    }))
    .await;
    rig.slack.message("never").await;
}
