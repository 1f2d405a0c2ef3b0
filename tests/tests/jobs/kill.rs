//! The daemon is killed with SIGKILL in the middle of jobs.

use crate::{create, machine, resume, task};
use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

async fn start(base: &Path) -> Daemon {
    let daemon = Daemon::builder().base(base).plugin("stress").start();
    if daemon.call("GET", "/api/v3/plugins/bad", Value::Null).await.status == 404 {
        create(&daemon, "plugins", &[json!({"Name": "bad", "Provider": "stress"})]).await;
    }
    daemon.wait_plugin("bad").await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_an_action_the_job_is_failed_and_not_run_again_by_itself() {
    let temp = tempfile::Builder::new().prefix("drpj").tempdir_in("/tmp").unwrap();
    let daemon = start(temp.path()).await;
    let id = machine(&daemon, json!({"Name": "m1", "Tasks": ["action:hang", "action:ok"]})).await;
    let asked = daemon.request("POST", "/api/v3/jobs").json(&json!({"Machine": id})).send();
    let asked = tokio::spawn(asked);
    let running = daemon
        .wait_for("jobs?State=running", |answer| answer.json().as_array().is_some_and(|jobs| jobs.len() == 1))
        .await
        .json();
    let job = running[0]["Uuid"].as_str().unwrap().to_owned();
    // Whoever asks meanwhile is told of it.
    let again = daemon.call("POST", "/api/v3/jobs", json!({"Machine": id})).await;
    assert_eq!((again.status, &again.json()["Uuid"]), (202, &json!(job)));
    daemon.kill9();
    assert!(asked.await.unwrap().is_err());

    let daemon = start(temp.path()).await;
    let failed = daemon.get(&format!("jobs/{job}")).await;
    assert_eq!(
        (&failed["State"], &failed["ExitState"], &failed["Current"]),
        (&json!("failed"), &json!("failed"), &json!(true))
    );
    let log = daemon.call("GET", &format!("/api/v3/jobs/{job}/log"), Value::Null).await.text();
    assert!(log.contains("whether it took effect is not known"), "{log}");
    let stopped = daemon.get(&format!("machines/{id}")).await;
    assert_eq!(
        (&stopped["Runnable"], &stopped["CurrentTask"], &stopped["CurrentJob"]),
        (&json!(false), &json!(0), &json!(job))
    );
    assert_eq!(daemon.call("POST", "/api/v3/jobs", json!({"Machine": id})).await.status, 409);

    // Somebody decides that it need not be done.
    let patch = json!([{"op": "replace", "path": "/Tasks/0", "from": "", "value": "action:ok"}]);
    daemon.expect(200, "PATCH", &format!("machines/{id}?force=true"), patch).await;
    resume(&daemon, &id).await;
    for index in 0..2 {
        let job = daemon.expect(202, "POST", "jobs", json!({"Machine": id})).await;
        assert_eq!((&job["State"], &job["CurrentIndex"]), (&json!("finished"), &json!(index)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_machine_and_jobs_tell_one_story() {
    let temp = tempfile::Builder::new().prefix("drpj").tempdir_in("/tmp").unwrap();
    let root = tempfile::tempdir().unwrap();
    let daemon = start(temp.path()).await;
    create(&daemon, "tasks", &[task("step", "true")]).await;
    let tasks = vec!["step"; 60];
    let id = machine(&daemon, json!({"Name": "m1", "Tasks": tasks})).await;
    drop(daemon);
    let mut complete = false;
    for round in 0..6_u64 {
        let daemon = start(temp.path()).await;
        let shown = daemon.get(&format!("machines/{id}")).await;
        let jobs = daemon.get(&format!("jobs?Machine={id}")).await;
        let jobs = jobs.as_array().unwrap();
        let current: Vec<&Value> = jobs.iter().filter(|job| job["Current"] == true).collect();
        if let Some(last) = shown["CurrentJob"].as_str().filter(|job| !job.is_empty()) {
            assert_eq!(current.len(), 1, "round {round}");
            assert_eq!(current[0]["Uuid"], last);
            if shown["WorkflowComplete"] == false {
                assert_eq!(current[0]["CurrentIndex"], shown["CurrentTask"]);
            }
        }
        assert!(jobs.iter().filter(|job| job["Current"] != true).all(|job| job["State"] == "finished"));
        assert_eq!(shown["Runnable"], true);
        if round == 5 {
            let agent = Agent::boot(&daemon, &id, root.path()).await;
            assert_eq!(agent.walk().await, End::Complete);
            let jobs = daemon.get(&format!("jobs?Machine={id}")).await;
            // Each task ran once: an agent that lost its answer got the same job again.
            assert_eq!(jobs.as_array().unwrap().len(), 60);
            complete = true;
            continue;
        }
        let agent = Agent::boot(&daemon, &id, root.path()).await;
        // It is cut off at any point of a request, and whatever it began goes on in the daemon until the kill.
        let _ = tokio::time::timeout(Duration::from_millis(60 + 35 * round), agent.walk()).await;
        daemon.kill9();
    }
    assert!(complete);
}
