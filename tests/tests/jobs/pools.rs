//! Pools, and machines that lost their name.

use crate::{create, machine, resume, task};
use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

async fn step(daemon: &Daemon, pool: &str, step: &str, order: Value) -> Value {
    daemon.expect(200, "POST", &format!("pools/{pool}/{step}"), order).await
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_added_allocated_released_and_removed() {
    let daemon = Daemon::start();
    create(&daemon, "pools", &[json!({"Id": "lab"})]).await;
    create(&daemon, "profiles", &[json!({"Name": "used"})]).await;
    for name in ["m1", "m2", "m3"] {
        machine(&daemon, json!({"Name": name})).await;
    }
    let added = step(&daemon, "lab", "addMachines", json!({"pool/machine-list": ["m1", "Name:m2"]})).await;
    let names: Vec<&str> = added.as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["m1", "m2"]);
    assert_eq!(daemon.get("pools-active").await, json!(["default", "lab"]));
    let order =
        json!({"pool/filter": ["Name=m2"], "pool/add-profiles": ["used"], "pool/add-parameters": {"job": 7}});
    let taken = step(&daemon, "lab", "allocateMachines", order).await;
    assert_eq!(
        (&taken[0]["Name"], &taken[0]["Allocated"], &taken[0]["Status"]),
        (&json!("m2"), &json!(true), &json!("InUse"))
    );
    let m2 = daemon.get("machines/Name:m2").await;
    assert_eq!(
        (&m2["Pool"], &m2["Profiles"], &m2["Params"]["job"]),
        (&json!("lab"), &json!(["used"]), &json!(7))
    );
    let status = daemon.get("pools/lab/status").await;
    assert_eq!((&status["Free"][0]["Name"], &status["InUse"][0]["Name"]), (&json!("m1"), &json!("m2")));
    // There are not so many, and nothing is done by halves.
    let few = daemon.call("POST", "/api/v3/pools/lab/allocate", json!({"pool/count": 2})).await;
    assert_eq!(few.status, 409, "{}", few.text());
    assert_eq!(daemon.get("machines/Name:m1").await["PoolAllocated"], false);
    let wrong =
        daemon.call("POST", "/api/v3/pools/lab/removeMachines", json!({"pool/machine-list": ["m2"]})).await;
    assert_eq!(wrong.status, 409, "{}", wrong.text());
    let back = daemon
        .expect(200, "POST", "machines/Name:m2/releaseToPool", json!({"pool/remove-profiles": ["used"]}))
        .await;
    assert_eq!((&back[0]["Status"], &back[0]["Allocated"]), (&json!("Free"), &json!(false)));
    assert_eq!(
        step(&daemon, "lab", "remove", json!({"pool/all-machines": true})).await.as_array().unwrap().len(),
        2
    );
    assert_eq!(daemon.get("pools-active").await, json!(["default"]));
    assert_eq!(daemon.call("POST", "/api/v3/pools/none/allocate", json!({})).await.status, 404);
    assert_eq!(daemon.call("POST", "/api/v3/pools/lab/burn", json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_in_use_when_its_workflow_is_complete() {
    let daemon = Daemon::start();
    let root = tempfile::tempdir().unwrap();
    create(&daemon, "tasks", &[task("build", "test -e bricks")]).await;
    create(&daemon, "stages", &[json!({"Name": "site", "Tasks": ["build"]})]).await;
    create(&daemon, "workflows", &[json!({"Name": "house", "Stages": ["site"]})]).await;
    create(&daemon, "pools", &[json!({"Id": "street", "AllocateActions": {"Workflow": "house"}})]).await;
    let id = machine(&daemon, json!({"Name": "m1"})).await;
    step(&daemon, "street", "add", json!({"pool/machine-list": ["m1"]})).await;
    let taken = step(&daemon, "street", "allocate", json!({})).await;
    assert_eq!(taken[0]["Status"], "Building");
    let status = async || daemon.get(&format!("machines/{id}")).await["PoolStatus"].clone();
    let agent = Agent::boot(&daemon, &id, root.path()).await;
    assert_eq!(agent.walk().await, End::Stopped);
    assert_eq!(status().await, "HoldBuild");
    std::fs::write(root.path().join("bricks"), "").unwrap();
    resume(&daemon, &id).await;
    assert_eq!(status().await, "Building");
    assert_eq!(agent.walk().await, End::Complete);
    assert_eq!(status().await, "InUse");
    assert_eq!(
        step(&daemon, "street", "release", json!({"pool/all-machines": true})).await[0]["Status"],
        "Free"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_known_by_its_parts() {
    let daemon = Daemon::start();
    let parts = json!({"SSNHash": "YWFh", "SystemUUID": "system-1", "MemoryIds": ["bTE=", "bTI="]});
    let id =
        machine(&daemon, json!({"Name": "m1", "Fingerprint": parts, "HardwareAddrs": ["52:54:00:00:00:01"]}))
            .await;
    machine(&daemon, json!({"Name": "m2", "HardwareAddrs": ["52:54:00:00:00:02"]})).await;
    let who = async |body: Value| daemon.expect(200, "POST", "whoami", body).await["Result"].clone();
    let found = who(json!({"Fingerprint": {"SystemUUID": "system-1", "MemoryIds": ["bTE="]}, "MacAddrs": ["52:54:00:00:00:01"]})).await;
    assert_eq!((&found["Uuid"], &found["Score"]), (&json!(id), &json!(200)));
    let token = found["Token"].as_str().unwrap();
    let me =
        daemon.anonymous("GET", &format!("/api/v3/machines/{id}")).bearer_auth(token).send().await.unwrap();
    assert_eq!(me.status(), 200);
    assert_eq!(who(json!({"OnDiskUUID": id.to_uppercase()})).await["Uuid"], id);
    for nobody in [
        json!({}),
        json!({"MacAddrs": ["52:54:00:00:00:09"]}),
        json!({"Fingerprint": {"SystemUUID": "system-1"}}),
    ] {
        assert_eq!(who(nobody).await, json!({"Score": 0, "Uuid": "", "Token": ""}));
    }
    // A machine may not find out others.
    let other = daemon
        .anonymous("POST", "/api/v3/whoami")
        .bearer_auth(token)
        .json(&json!({"MacAddrs": ["52:54:00:00:00:02"]}))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_a_boot_environment_go() {
    let daemon = Daemon::start();
    let os = json!({"Name": "x-1", "IsoFile": "x.iso", "SupportedArchitectures": {"arm64": {"IsoFile": "x-arm.iso"}}});
    create(&daemon, "bootenvs", &[json!({"Name": "image", "OS": os})]).await;
    for name in ["x.iso", "x-arm.iso", "other.iso"] {
        let put = daemon.request("POST", &format!("/api/v3/isos/{name}"));
        let put = put.header("content-type", "application/octet-stream").body("x").send().await.unwrap();
        assert_eq!(put.status(), 201);
    }
    assert_eq!(daemon.call("DELETE", "/api/v3/bootenvs/image/purgeLocal", Value::Null).await.status, 204);
    assert_eq!(daemon.get("isos").await, json!(["other.iso"]));
    assert_eq!(daemon.call("DELETE", "/api/v3/bootenvs/none/purgeLocal", Value::Null).await.status, 404);
}
