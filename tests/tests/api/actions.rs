//! Actions on the incrementer plugin: the conversation that real clients recorded (wire-protocol §8).

use crate::{contains, exchanges, run};
use drp_tests::daemon::{Answer, Daemon};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

async fn started() -> (Daemon, String) {
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incr").await;
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let id = machine["Uuid"].as_str().unwrap().to_owned();
    (daemon, id)
}

fn commands(answer: &Value) -> Vec<&str> {
    answer.as_array().unwrap().iter().filter_map(|a| a["Command"].as_str()).collect()
}

async fn act(daemon: &Daemon, id: &str, command: &str, params: Value) -> Answer {
    daemon.call("POST", &format!("/api/v3/machines/{id}/actions/{command}"), params).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_golden_conversation() {
    let (daemon, id) = started().await;
    let list = async || daemon.get(&format!("machines/{id}/actions")).await;
    assert_eq!(commands(&list().await), ["increment"]);
    let one = daemon.get(&format!("machines/{id}/actions/increment")).await;
    assert!(
        contains(
            &one,
            &json!({"Provider": "incrementer", "Model": "machines", "Command": "increment", "RequiredParams": []})
        ),
        "{one}"
    );
    assert_eq!(act(&daemon, &id, "increment", json!({})).await.json(), json!(1));
    assert_eq!(commands(&list().await), ["increment", "reset_count"]);
    assert_eq!(act(&daemon, &id, "reset_count", json!({})).await.json(), json!("Success"));
    let again = act(&daemon, &id, "reset_count", json!({})).await;
    assert_eq!(again.status, 400);
    let missing = json!(["Action reset_count Missing Parameter incrementer/touched"]);
    assert!(
        contains(
            &again.json(),
            &json!({"Type": "INVOKE", "Model": "machines", "Key": id, "Messages": missing})
        ),
        "{}",
        again.text()
    );
    let missing =
        daemon.call("GET", &format!("/api/v3/machines/{id}/actions/reset_count"), Value::Null).await;
    assert_eq!((missing.status, &missing.json()["Type"]), (400, &json!("GET")), "{}", missing.text());
    let parm1 = json!({"incrementer/parameter": "parm1", "extra": 10});
    assert_eq!(act(&daemon, &id, "increment", parm1).await.json(), json!(1));
    let bad = act(&daemon, &id, "increment", json!({"incrementer/step": "asgdasdg"})).await;
    assert_eq!(bad.status, 400);
    let text = "Action increment: Invalid Parameter: incrementer/step: : (root): Invalid type. Expected: integer, given: string";
    assert_eq!(bad.json()["Messages"], json!([text]));
    for (params, result) in [
        (json!({"incrementer/parameter": "parm2", "incrementer/step": 10}), 10),
        (json!({"incrementer/parameter": "parm3", "incrementer/step": 10}), 10),
        (json!({"incrementer/parameter": "parm3", "incrementer/step": 10}), 20),
        (json!({}), 2),
    ] {
        assert_eq!(act(&daemon, &id, "increment", params.clone()).await.json(), json!(result), "{params}");
    }
    let kept = daemon.get(&format!("machines/{id}/params")).await;
    assert!(
        contains(&kept, &json!({"parm1": 1, "parm2": 10, "parm3": 20, "incrementer/default": 2})),
        "{kept}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_has_actions_and_an_instance_can_be_named() {
    let (daemon, id) = started().await;
    run(&daemon, exchanges! {
        GET "system/actions" => 200 json!([{"Command": "incrstatus", "Provider": "incrementer"}]);
        GET "system/actions/incrstatus" => 200 json!({"Command": "incrstatus"});
        POST "system/actions/incrstatus" json!({}) => 200 json!("Running");
        POST "system/actions/incrstatus" => 200 json!("Running");
        POST "system/actions/none" json!({}) => 400 json!({"Type": "INVOKE", "Messages": ["Action none on system: Not Found"]});
    }).await;
    let named =
        daemon.call("POST", &format!("/api/v3/machines/{id}/actions/increment?plugin=incr"), json!({})).await;
    assert_eq!(named.json(), json!(1));
    let other = daemon
        .call("POST", &format!("/api/v3/machines/{id}/actions/increment?plugin=other"), json!({}))
        .await;
    assert_eq!(other.json()["Messages"], json!(["Action increment on machines for plugin other not found"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_announced_before_it_runs() {
    let (daemon, id) = started().await;
    let mut events = EventSocket::connect(&daemon).await;
    events.register("machines.*.*").await;
    assert_eq!(act(&daemon, "Name:m1", "increment", json!({})).await.json(), json!(1));
    let announced = events.next().await;
    assert_eq!((&announced["Action"], &announced["Key"]), (&json!("increment"), &json!(id)));
    assert_eq!(
        (&announced["Object"]["Command"], &announced["Object"]["Plugin"]),
        (&json!("increment"), &json!("incr"))
    );
    let changed = events.next().await;
    assert_eq!((&changed["Action"], &changed["Principal"]), (&json!("update"), &json!("plugin:incr")));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_a_plugin_become_routes() {
    let (daemon, _) = started().await;
    run(&daemon, exchanges! {
        GET "typed-cows/bessie" => 200 json!({"CanMilk": true, "Spotted": true, "Location": "Austin", "ReadOnly": true, "Bundle": "incrementer"});
        POST "cows" json!({"Id": "elsie", "anything": [1]}) => 201 json!({"Type": "cows", "Id": "elsie", "anything": [1]});
        POST "typed-cows" json!({"Id": "bad", "Location": "x"}) => 422 json!({"Type": "ValidationError"});
        POST "cows/elsie/params/age" json!(4) => 200 json!(4);
        GET "meta/cows/elsie" => 200 json!({});
        GET "cows/elsie/actions" => 200 json!([]);
        DELETE "cows/elsie" => 200;
    }).await;
    assert!(daemon.get("objects").await.as_array().unwrap().contains(&json!("typed-cows")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_plugin_starts_again_and_a_deleted_one_is_gone() {
    let (daemon, id) = started().await;
    let mut events = EventSocket::connect(&daemon).await;
    events.register("plugins.configed,stopped.*").await;
    daemon
        .expect(
            200,
            "PATCH",
            "meta/plugins/incr",
            json!([{"op": "add", "path": "/note", "value": "no restart"}]),
        )
        .await;
    daemon.expect(200, "POST", "plugins/incr/params/xx", json!(1)).await;
    assert_eq!(events.next().await["Action"], "stopped");
    assert_eq!(events.next().await["Action"], "configed");
    assert_eq!(act(&daemon, &id, "increment", json!({})).await.json(), json!(1));
    daemon.expect(200, "DELETE", "plugins/incr", Value::Null).await;
    assert_eq!(events.next().await["Action"], "stopped");
    let gone = act(&daemon, &id, "increment", json!({})).await;
    assert_eq!(gone.json()["Messages"], json!(["Action increment on machines: Not Found"]));
}
