//! Answers that are lost: what was sent is sent once, and the service counts one.

use crate::rig::{Rig, refused};
use drp_tests::peers::metal::Kind;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_is_lost_is_found_by_its_tag() {
    for kind in [Kind::LosesAnswer, Kind::HangsAfter] {
        let rig = Rig::start().await;
        rig.metal.fault("POST", "/projects", 1, kind.clone());
        let made = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
        assert_eq!(made.status, 200, "{kind:?}: {}", made.text());
        let machine = rig.state("node-1", "active").await;
        assert_eq!(machine["Params"]["packet/uuid"], made.json()["uuid"]);
        assert_eq!((rig.devices(), rig.metal.requests("POST", "/projects").len()), (1, 1), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_took_is_unconfirmed_until_somebody_asks_again() {
    for kind in [
        Kind::Breaks,
        Kind::Hangs,
        Kind::Says(503, vec![], "{}".to_owned()),
        Kind::Says(201, vec![], "{}".into()),
    ] {
        let rig = Rig::start().await;
        rig.metal.fault("POST", "/projects", 1, kind.clone());
        let made = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
        refused(&made, 504, "UNCONFIRMED", &["sent but not confirmed", "drp-machine-", "it stays"]);
        rig.state("node-1", "unconfirmed").await;
        assert_eq!(rig.metal.requests("POST", "/projects").len(), 1, "{kind:?}: not sent again by itself");
        let again = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
        assert_eq!(again.status, 200, "{}", again.text());
        rig.state("node-1", "active").await;
        assert_eq!(rig.devices(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_sent_once_when_its_answer_is_lost() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let actions = format!("/devices/{id}/actions");
    let device = format!("/devices/{id}");
    for (action, command, fault) in [
        ("poweroff", "power_off", ("POST", actions.as_str())),
        ("poweron", "power_on", ("POST", actions.as_str())),
        ("powercycle", "reboot", ("POST", actions.as_str())),
    ] {
        rig.metal.fault(fault.0, fault.1, 1, Kind::LosesAnswer);
        let answer = rig.good("node-1", action).await;
        assert_eq!(answer["verified"], true, "{answer}");
        let text = answer["text"].as_str().unwrap();
        assert!(text.contains("the answer to the command was lost"), "{text}");
        assert_eq!(rig.metal.world().count(&id, command), 1, "{action}");
    }
    for (action, command) in [("stopVm", "power_off"), ("startVm", "power_on")] {
        rig.metal.fault("POST", &actions, 1, Kind::HangsAfter);
        let answer = rig.plugin(action, json!({"packet/uuid": id})).await;
        assert_eq!((answer.status, &answer.json()["verified"]), (200, &json!(true)), "{}", answer.text());
        assert_eq!(rig.metal.world().count(&id, command), 2, "{action}");
    }
    rig.daemon.expect(200, "POST", "machines/Name:node-1/params/packet/always-pxe", json!(false)).await;
    rig.metal.fault("PUT", &device, 1, Kind::LosesAnswer);
    assert_eq!(rig.good("node-1", "updatepxe").await["verified"], true);
    rig.metal.fault("PUT", &device, 1, Kind::LosesAnswer);
    assert_eq!(rig.good("node-1", "nextbootpxe").await["verified"], true);
    assert_eq!(rig.metal.world().count(&id, "update"), 2);
    rig.metal.fault("DELETE", &device, 1, Kind::LosesAnswer);
    let gone = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    rig.daemon.wait_for("machines/Name:node-1", |a| a.status == 404).await;
    assert_eq!(rig.metal.requests("DELETE", "/devices").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_never_arrived_is_not_sent_again_but_told() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let actions = format!("/devices/{id}/actions");
    for (kind, command) in [
        (Kind::Hangs, "poweroff"),
        (Kind::Breaks, "powercycle"),
        (Kind::Says(500, vec![], String::new()), "poweroff"),
        (Kind::Says(502, vec![], "<html>".into()), "powercycle"),
    ] {
        let before = rig.metal.requests("POST", &actions).len();
        rig.metal.fault("POST", &actions, 1, kind);
        let answer = rig.act("node-1", command).await;
        refused(
            &answer,
            504,
            "UNCONFIRMED",
            &["sent but not confirmed", "do not repeat it blindly", "Evidence:"],
        );
        assert_eq!(rig.metal.requests("POST", &actions).len(), before + 1);
    }
    let device = format!("/devices/{id}");
    rig.metal.fault("DELETE", &device, 1, Kind::Breaks);
    let answer = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    refused(&answer, 504, "UNCONFIRMED", &["the device is active"]);
    rig.machine("node-1").await;
    rig.daemon.expect(200, "POST", "machines/Name:node-1/params/packet/always-pxe", json!(false)).await;
    rig.metal.fault("PUT", &device, 1, Kind::Breaks);
    refused(&rig.act("node-1", "updatepxe").await, 504, "UNCONFIRMED", &["does not have these settings"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_event_whose_answer_is_lost_deletes_once() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    rig.metal.fault("DELETE", "/devices", 1, Kind::LosesAnswer);
    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    rig.daemon.wait_log(&format!("its device {id}: Destroyed"));
    assert_eq!(rig.metal.requests("DELETE", "/devices").len(), 1);
}
