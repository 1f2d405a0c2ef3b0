//! What a command says while it runs.

use crate::rig::{PLUGIN, Rig};
use drp_tests::events::EventSocket;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_log_lines_come_while_a_command_runs() {
    let Some(rig) = Rig::start().await else { return };
    rig.daemon.expect(201, "POST", "prefs", json!({"logLevel": "debug"})).await;
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register(&format!("extensions.progress.{PLUGIN}")).await;
    let file = rig.extension.folder.path().join("go on");
    let talk = rig.call("talk", json!({"file": file}));
    let meanwhile = async {
        let first = events.until("extensions", "progress", PLUGIN).await;
        assert_eq!((&first["Object"]["percent"], &first["Object"]["text"]), (&json!(10), &json!("begun")));
        assert_eq!(first["Object"]["command"], "talk");
        assert!(!first["Object"]["request"].as_str().unwrap().is_empty());
        // The command waits for this file, so it has not ended yet.
        rig.daemon.wait_log("a line on standard error");
        std::fs::write(&file, "").unwrap();
        let mut seen = 10;
        loop {
            let next = events.until("extensions", "progress", PLUGIN).await;
            let percent = next["Object"]["percent"].as_i64().unwrap();
            assert!(percent > seen, "{percent} after {seen}");
            seen = percent;
            if percent == 100 {
                break;
            }
        }
    };
    let (answer, ()) = tokio::join!(talk, meanwhile);
    assert_eq!((answer.status, answer.json()), (200, json!("over")), "{}", answer.text());
    let lines = rig.daemon.get("logs").await;
    let level = |text: &str| {
        let line =
            lines.as_array().unwrap().iter().find(|line| line["Message"].as_str().unwrap().contains(text));
        line.unwrap_or_else(|| panic!("{text} is not in {lines:#}"))["Level"].clone()
    };
    for (text, wanted) in [
        ("a debug line", "debug"),
        ("an info line", "info"),
        ("two\nlines", "warn"),
        ("a critical line", "error"),
        ("a line of drp", "warn"),
        ("a printed line", "info"),
        ("a line on standard error", "info"),
    ] {
        let level = level(text);
        assert!(level.as_str().is_some_and(|level| level == wanted), "{text}: {level}");
    }
}
