//! docs/events.md: each command of it runs.

use drp_tests::daemon::{Daemon, USER};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// The shell blocks of the page, in order.
fn commands() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_events_guide_run() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let (api, auth) = (format!("{}/api/v3", daemon.api), format!("{}:{}", USER.0, USER.1));
    let mut printed = Vec::new();
    for command in commands() {
        let ran = Command::new("bash").args(["-c", &command]).env("api", &api).env("auth", &auth).output();
        let ran = ran.unwrap();
        // What curl says of a stream that it was told to leave.
        assert!(matches!(ran.status.code(), Some(0 | 28)), "{command}\n{ran:?}");
        printed.push(String::from_utf8(ran.stdout).unwrap());
    }
    let [kept, posted, resumed, waited] = printed.as_slice() else { panic!("{printed:#?}") };
    let line =
        |text: &str, start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line(kept, "id: ").contains('-'));
    assert!(line(kept, "data: ").contains(r#""Type":"profiles","Action":"create""#), "{kept}");
    assert!(posted.is_empty(), "{posted}");
    let events = resumed.lines().filter(|line| line.starts_with("data: ")).collect::<Vec<_>>();
    assert!(events.len() == 1 && events[0].contains(r#""Action":"off""#), "{resumed}");
    assert_eq!(waited, "304\n");
}
