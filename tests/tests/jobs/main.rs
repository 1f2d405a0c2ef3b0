//! The life of machines end to end: an agent as it runs on a machine walks a workflow with an action of a plugin in its
//! task list; tasks fail, are repeated, handled; the daemon is killed in the middle.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod failing;
mod kill;
mod pools;
mod walk;

use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

/// Makes objects.
async fn create(daemon: &Daemon, prefix: &str, objects: &[Value]) {
    for object in objects {
        daemon.expect(201, "POST", prefix, object.clone()).await;
    }
}

/// A task with one script.
fn task(name: &str, script: &str) -> Value {
    json!({"Name": name, "Templates": [{"Name": format!("{name}.sh"), "Contents": script}]})
}

/// A machine with a task list; its key.
async fn machine(daemon: &Daemon, fields: Value) -> String {
    daemon.expect(201, "POST", "machines", fields).await["Uuid"].as_str().unwrap().to_owned()
}

async fn resume(daemon: &Daemon, machine: &str) -> Value {
    let patch = json!([{"op": "replace", "path": "/Runnable", "from": "", "value": true}]);
    daemon.expect(200, "PATCH", &format!("machines/{machine}"), patch).await
}
