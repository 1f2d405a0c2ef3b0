//! A whole workflow.

use crate::{create, machine, resume, task};
use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_walks_a_workflow_fails_is_repaired_and_resumes() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "plugins", &[json!({"Name": "incr", "Provider": "incrementer"})]).await;
    daemon.wait_plugin("incr").await;
    create(
        &daemon,
        "params",
        &[json!({"Name": "walk/secret", "Secure": true, "Schema": {"type": "string"}})],
    )
    .await;
    create(
        &daemon,
        "bootenvs",
        &[json!({"Name": "ram", "OS": {"Name": "ram-1"}, "BootParams": "quiet x={{ .Machine.Name }}"})],
    )
    .await;
    create(
        &daemon,
        "templates",
        &[json!({"ID": "say.tmpl", "Contents": "echo {{ .Task.Name }} of {{ .Machine.Name }}"})],
    )
    .await;
    create(
        &daemon,
        "tasks",
        &[
            json!({"Name": "greet", "Templates": [
                {"Name": "say", "ID": "say.tmpl", "Meta": {"OS": "linux,darwin"}},
                {"Name": "note", "Path": "note-{{ .Machine.ShortName }}", "Meta": {"OS": "any"},
                 "Contents": "{{ .Param \"walk/secret\" }} {{ .Env.Name }} {{ .BootParams }}"},
                {"Name": "elsewhere", "Contents": "exit 1", "Meta": {"OS": "windows"}},
            ]}),
            task("pick", "test -e repaired || { echo not repaired >&2; exit 1; }\necho repaired"),
            task("twice", "test -e once && exit 0\ntouch once\nexit 128"),
            task("boot", "exit 64"),
            task("halt", "exit 16"),
        ],
    )
    .await;
    create(
        &daemon,
        "stages",
        &[
            json!({"Name": "first", "Tasks": ["greet", "action:increment"]}),
            json!({"Name": "second", "BootEnv": "ram", "Tasks": ["greet", "pick", "twice", "boot", "halt", "action:incr:increment"]}),
        ],
    )
    .await;
    create(&daemon, "workflows", &[json!({"Name": "all", "Stages": ["first", "second"]})]).await;
    let id = machine(&daemon, json!({"Name": "walker.example.net"})).await;
    daemon.expect(200, "POST", &format!("machines/{id}/params/walk/secret"), json!("hush")).await;
    let mut events = EventSocket::connect(&daemon).await;
    events.register(&format!("machines.update,save.{id}")).await;
    daemon
        .expect(
            200,
            "PATCH",
            &format!("machines/{id}"),
            json!([{"op": "replace", "path": "/Workflow", "from": "", "value": "all"}]),
        )
        .await;
    assert_eq!(events.next().await["Object"]["Workflow"], "all");

    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Moved);
    assert_eq!(std::fs::read_to_string(root.path().join("note-walker")).unwrap(), "hush local ");
    let shown = async || daemon.get(&format!("machines/{id}")).await;
    assert_eq!((&shown().await["BootEnv"], &shown().await["Stage"]), (&json!("ram"), &json!("second")));
    assert_eq!(shown().await["Params"]["incrementer/default"], 1);

    // It boots into the new environment.
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Stopped);
    let note = std::fs::read_to_string(root.path().join("note-walker")).unwrap();
    assert_eq!(note, "hush ram quiet x=walker.example.net");
    let stopped = shown().await;
    assert_eq!((&stopped["Runnable"], &stopped["WorkflowComplete"]), (&json!(false), &json!(false)));
    let job = daemon.get(&format!("jobs/{}", stopped["CurrentJob"].as_str().unwrap())).await;
    assert_eq!((&job["Task"], &job["State"]), (&json!("pick"), &json!("failed")));
    let log =
        daemon.call("GET", &format!("/api/v3/jobs/{}/log", job["Uuid"].as_str().unwrap()), Value::Null).await;
    assert_eq!(log.text(), "not repaired\n");

    // Somebody repairs it.
    std::fs::write(root.path().join("repaired"), "").unwrap();
    resume(&daemon, &id).await;
    assert_eq!(agent.walk().await, End::Reboot);
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Stopped);
    resume(&daemon, &id).await;
    assert_eq!(agent.walk().await, End::Complete);
    let complete = shown().await;
    assert_eq!(complete["Params"]["incrementer/default"], 2);
    assert_eq!(complete["CurrentTask"], complete["Tasks"].as_array().unwrap().len());

    // The jobs are a chain, and only the last one is current.
    let jobs = daemon.get(&format!("jobs?Machine={id}&sort=StartTime")).await;
    let jobs = jobs.as_array().unwrap();
    let tasks: Vec<&str> = jobs.iter().map(|job| job["Task"].as_str().unwrap()).collect();
    assert_eq!(
        tasks,
        [
            "greet",
            "action:increment",
            "greet",
            "pick",
            "pick",
            "twice",
            "boot",
            "halt",
            "action:incr:increment"
        ]
    );
    for pair in jobs.windows(2) {
        assert_eq!(pair[1]["Previous"], pair[0]["Uuid"]);
        assert_eq!(pair[0]["Current"], false);
    }
    assert_eq!(jobs.last().unwrap()["Current"], true);
    assert!(jobs.iter().all(|job| job["EndTime"].as_str() > job["StartTime"].as_str()), "{jobs:?}");

    // What happened was published: nothing that waits for the machine misses it.
    let mut complete = false;
    while !complete {
        complete = events.next().await["Object"]["WorkflowComplete"] == true;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_of_one_machine_get_one_job() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "tasks", &[task("only", "true")]).await;
    let id = machine(&daemon, json!({"Name": "shared", "Tasks": ["only"]})).await;
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    let asked = futures_util::future::join_all((0..8).map(|_| agent.step())).await;
    let keys: std::collections::BTreeSet<String> =
        asked.into_iter().map(|job| job.unwrap()["Uuid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(daemon.get("jobs").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_workflow_ends_what_is_under_way() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "tasks", &[task("old", "true"), task("new", "true")]).await;
    create(&daemon, "stages", &[json!({"Name": "stage", "Tasks": ["new"]})]).await;
    create(&daemon, "workflows", &[json!({"Name": "flow", "Stages": ["stage"]})]).await;
    let id = machine(&daemon, json!({"Name": "changed", "Tasks": ["old"]})).await;
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    let old = agent.step().await.unwrap()["Uuid"].as_str().unwrap().to_owned();
    agent.patch(&old, "running", "").await;
    let patch = json!([{"op": "replace", "path": "/Workflow", "from": "", "value": "flow"}]);
    daemon.expect(200, "PATCH", &format!("machines/{id}"), patch).await;
    // The old agent's report does not stop the new workflow.
    let new = agent.step().await.unwrap();
    assert_eq!((&new["Task"], &new["Previous"]), (&json!("new"), &json!(old)));
    let closed = daemon.get(&format!("jobs/{old}")).await;
    assert_eq!((&closed["State"], &closed["Current"]), (&json!("failed"), &json!(false)));
    assert_eq!(daemon.get(&format!("machines/{id}")).await["Runnable"], true);
    assert_eq!(agent.walk().await, End::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_belongs_to_its_own_agent() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "contexts", &[json!({"Name": "box", "Engine": "docker-context", "Image": "x"})]).await;
    create(&daemon, "tasks", &[task("outside", "true"), task("inside", "true")]).await;
    let tasks = json!(["outside", "context:box", "inside", "context:", "chroot:/mnt", "outside"]);
    let id = machine(&daemon, json!({"Name": "boxed", "Tasks": tasks})).await;
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Moved);
    assert_eq!(daemon.get(&format!("machines/{id}")).await["Context"], "box");
    let wrong = daemon.call("POST", "/api/v3/jobs", json!({"Machine": id, "Context": "other"})).await;
    assert_eq!(wrong.status, 204);
    let right = daemon.call("POST", "/api/v3/jobs", json!({"Machine": id, "Context": "box"})).await;
    assert_eq!((right.status, &right.json()["Context"]), (201, &json!("box")));
    assert_eq!(agent.walk().await, End::Moved);
    assert_eq!(agent.walk().await, End::Complete);
    let chroot = daemon.get("jobs?Task=chroot:/mnt").await;
    assert_eq!(chroot[0]["State"], "finished");
}
