//! Tasks that fail: attempts, handlers, refusals of plugins.

use crate::{create, machine, resume, task};
use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_tried_again_as_often_as_it_may() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "tasks", &[task("shaky", "echo x >> tries; test $(wc -l < tries) -ge 3")]).await;
    let id =
        machine(&daemon, json!({"Name": "m1", "Tasks": ["shaky"], "Params": {"task-retry/shaky": [0, 1]}}))
            .await;
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Complete);
    let jobs = daemon.get("jobs?sort=StartTime").await;
    let states: Vec<&str> =
        jobs.as_array().unwrap().iter().map(|job| job["State"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "failed", "finished"]);
    assert_eq!(daemon.get(&format!("machines/{id}")).await["RetryTaskAttempt"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_handlers_run_before_the_last_attempt() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(
        &daemon,
        "tasks",
        &[
            task("before", "true"),
            task("picky", "test -e cure"),
            task("cure", "test -e medicine && touch cure || true"),
            task("after", "true"),
        ],
    )
    .await;
    let tasks = json!(["before", "picky", "after"]);
    let params = json!({"task-error/picky": ["cure"]});
    let id = machine(&daemon, json!({"Name": "m1", "Tasks": tasks, "Params": params})).await;
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    // The handler does not help: the next failure is final.
    assert_eq!(agent.walk().await, End::Stopped);
    let stopped = daemon.get(&format!("machines/{id}")).await;
    assert_eq!(
        (&stopped["Tasks"], &stopped["TaskErrorStacks"], &stopped["CurrentTask"]),
        (&tasks, &json!([]), &json!(1))
    );
    // Looked at, it counts from the start; now the handler helps.
    std::fs::write(root.path().join("medicine"), "").unwrap();
    resume(&daemon, &id).await;
    let failing = agent.step().await.unwrap();
    agent.patch(failing["Uuid"].as_str().unwrap(), "failed", "failed").await;
    let handled = daemon.get(&format!("machines/{id}")).await;
    assert_eq!(
        (&handled["Tasks"], &handled["CurrentTask"], &handled["Runnable"]),
        (&json!(["cure"]), &json!(-1), &json!(true))
    );
    assert_eq!(handled["TaskErrorStacks"], json!([{"CurrentTask": 1, "TaskList": tasks}]));
    assert_eq!(agent.walk().await, End::Complete);
    let done = daemon.get(&format!("machines/{id}")).await;
    assert_eq!(
        (&done["Tasks"], &done["TaskErrorStacks"], &done["CurrentTask"]),
        (&tasks, &json!([]), &json!(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_a_plugin_refuses_or_dies_of_fails_its_job() {
    let daemon = Daemon::builder().plugin("stress").start();
    create(&daemon, "plugins", &[json!({"Name": "bad", "Provider": "stress"})]).await;
    daemon.wait_plugin("bad").await;
    for (action, expected) in [
        ("error", "failed as told"),
        ("panic", "panicked"),
        ("crash", "bad"),
        ("no-answer", "bad"),
        ("bad:none-such", "none-such"),
        ("nobody:ok", "Action ok on machines for plugin nobody not found"),
    ] {
        let name = action.replace(':', "-");
        let id =
            machine(&daemon, json!({"Name": format!("m-{name}"), "Tasks": [format!("action:{action}")]}))
                .await;
        let answer = daemon.call("POST", "/api/v3/jobs", json!({"Machine": id})).await;
        let job = answer.json();
        assert_eq!(
            (answer.status, &job["State"], &job["ExitState"]),
            (202, &json!("failed"), &json!("failed")),
            "{action}"
        );
        let log = daemon
            .call("GET", &format!("/api/v3/jobs/{}/log", job["Uuid"].as_str().unwrap()), Value::Null)
            .await;
        assert!(
            log.text().contains("failed:\n") && log.text().contains(expected),
            "{action}: {}",
            log.text()
        );
        assert_eq!(daemon.get(&format!("machines/{id}")).await["Runnable"], false, "{action}");
        daemon.wait_plugin("bad").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_gone_leaves_its_machine_waiting() {
    let daemon = Daemon::start();
    let bundle = json!({"meta": {"Name": "pack"}, "sections": {"tasks": {"packed": {"Name": "packed"}}}});
    daemon.expect(201, "POST", "contents", bundle).await;
    let id = machine(&daemon, json!({"Name": "m1", "Tasks": ["packed"]})).await;
    assert_eq!(daemon.call("DELETE", "/api/v3/contents/pack", Value::Null).await.status, 204);
    let answer = daemon.call("POST", "/api/v3/jobs", json!({"Machine": id})).await;
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(daemon.get("jobs").await, json!([]));
}
