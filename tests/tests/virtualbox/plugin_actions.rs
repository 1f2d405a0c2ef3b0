//! Actions on the plugin object: making, starting, stopping and destroying, by id and by name, with hostile names.

use crate::rig::{Rig, UUID, Way, is_error};
use serde_json::{Value, json};

const NAMES: [&str; 8] = [
    "with space_and_underscore",
    "it's \"quoted\" \\ back",
    "$(touch /tmp/drp-vbox-pwned); `id` | x & y",
    "-rf --help",
    "{00000000-0000-0000-0000-000000000000}",
    "ünïcödé ☃ %s %n",
    "a=b\"=c",
    "../../etc",
];

async fn names(way: Way) {
    let Some(rig) = Rig::with(way, json!({}), |_| {}).await else { return };
    for name in NAMES {
        let (status, made) =
            rig.on_plugin("createVm", json!({"virtualbox/name": name, "virtualbox/cpus": 3})).await;
        assert_eq!(status, 200, "{name}: {made}");
        assert_eq!(made["text"], format!("Created {name}"));
        assert_eq!((&made["verified"], &made["details"]["name"]), (&json!(true), &json!(name)));
        let vm = rig.vbox.vm(name);
        assert_eq!(
            (&vm["cpus"], &vm["memory"], &vm["vram"]),
            (&json!(3), &json!(2048), &json!(128)),
            "{name}"
        );
        assert_eq!((&vm["nics"], &vm["boot"][0]), (&json!(["hostonly", "nat"]), &json!("net")));
        assert!(vm["disk"].is_string());
        let (status, started) = rig.on_plugin("startVm", json!({"virtualbox/name": name})).await;
        assert_eq!((status, &started["state"]), (200, &json!("on")), "{name}: {started}");
        let (status, again) = rig.on_plugin("startVm", json!({"virtualbox/name": name})).await;
        is_error(status, &again, 409, "STATE");
        let (status, stopped) = rig.on_plugin("stopVm", json!({"virtualbox/name": name})).await;
        assert_eq!((status, &stopped["state"]), (200, &json!("off")), "{name}: {stopped}");
        rig.on_plugin("startVm", json!({"virtualbox/id": made["details"]["id"]})).await;
        let (status, gone) = rig.on_plugin("destroyVm", json!({"virtualbox/name": name})).await;
        assert_eq!(status, 200, "{name}: {gone}");
    }
    assert_eq!(rig.vbox.state(), json!({"vms": [], "disks": {}}), "machines and disks are gone");
    assert!(!std::path::Path::new("/tmp/drp-vbox-pwned").exists(), "no shell looked at a name");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_kind_here() {
    names(Way::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_kind_over_ssh() {
    names(Way::Ssh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_params_are_named() {
    let Some(rig) = Rig::with(Way::Local, json!({}), |vbox| vbox.add("taken", UUID)).await else { return };
    for (verb, params, code, kind, word) in [
        ("createVm", json!({}), 400, "PARAM", "virtualbox/name"),
        ("createVm", json!({"virtualbox/name": "a\nb"}), 400, "PARAM", "virtualbox/name"),
        (
            "createVm",
            json!({"virtualbox/name": "x", "virtualbox/id": "no-uuid"}),
            400,
            "PARAM",
            "virtualbox/id",
        ),
        ("createVm", json!({"virtualbox/name": "x", "virtualbox/id": UUID}), 409, "EXISTS", "taken"),
        ("createVm", json!({"virtualbox/name": "taken"}), 409, "EXISTS", "already exists"),
        ("startVm", json!({}), 400, "PARAM", "virtualbox/id"),
        ("stopVm", json!({"virtualbox/name": "nobody"}), 404, "NO_VM", "nobody"),
        (
            "destroyVm",
            json!({"virtualbox/id": "00000000-0000-0000-0000-000000000009"}),
            404,
            "NO_VM",
            "list vms",
        ),
    ] {
        let (status, result) = rig.on_plugin(verb, params.clone()).await;
        let text = is_error(status, &result, code, kind);
        assert!(text.contains(word), "{verb} {params}: {text}");
    }
    assert_eq!(rig.vbox.vm("taken")["uuid"], UUID, "a refused creation removes nothing of others");
    // The daemon checks types by the params' schemas; the plugin would, too.
    let (status, result) =
        rig.on_plugin("createVm", json!({"virtualbox/name": "x", "virtualbox/cpus": "many"})).await;
    assert_eq!(status, 400, "{result}");
    assert!(result.to_string().contains("virtualbox/cpus"), "{result}");
    // Nobody chooses the program with an action.
    let odd = json!({"virtualbox/name": "taken", "virtualbox/program": "/bin/false", "virtualbox/command-prefix": ["false"]});
    let (status, result) = rig.on_plugin("startVm", odd).await;
    assert_eq!(status, 200, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_undone_when_a_step_fails() {
    let Some(rig) = Rig::with(Way::Local, json!({}), |_| {}).await else { return };
    for step in ["createvm", "storagectl", "createmedium", "storageattach", "modifyvm"] {
        for effect in ["refuse", "die"] {
            rig.vbox.faults(json!([{"on": step, "effect": effect, "text": "VERR_DISK_FULL"}]));
            let (status, result) = rig.on_plugin("createVm", json!({"virtualbox/name": "web"})).await;
            assert_eq!(status, 502, "{step} {effect}: {result}");
            assert_eq!(rig.vbox.state(), json!({"vms": [], "disks": {}}), "{step} {effect}: {result}");
        }
        // What is done and not answered is found, and not done again.
        let before = rig.vbox.count(step);
        rig.vbox.faults(json!([{"on": step, "effect": "lose"}]));
        let (status, result) = rig.on_plugin("createVm", json!({"virtualbox/name": "web"})).await;
        assert_eq!(status, 200, "{step}: {result}");
        assert_eq!(rig.vbox.count(step), before + 1, "{step} was done once");
        let (status, result) = rig.on_plugin("destroyVm", json!({"virtualbox/name": "web"})).await;
        assert_eq!(status, 200, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_is_named() {
    let Some(rig) = Rig::with(Way::Local, json!({}), |_| {}).await else { return };
    rig.vbox.faults(json!([
        {"on": "modifyvm", "effect": "refuse", "text": "VERR_DISK_FULL"},
        {"on": "unregistervm", "effect": "refuse", "text": "no way", "times": 20},
    ]));
    let (status, result) = rig.on_plugin("createVm", json!({"virtualbox/name": "web"})).await;
    let text = is_error(status, &result, 502, "REFUSED");
    assert!(
        text.contains("VERR_DISK_FULL") && text.contains("left behind") && text.contains("by hand"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_machine_is_tried_again_and_its_record_goes_with_it() {
    let Some(rig) = Rig::start(Way::Local).await else { return };
    rig.vbox.faults(json!([{"on": "unregistervm", "effect": "locked", "times": 2}, {"on": "unregistervm", "effect": "lose"}]));
    let (status, gone) = rig.on_plugin("destroyVm", json!({"virtualbox/id": UUID})).await;
    assert_eq!(status, 200, "{gone}");
    assert!(gone["text"].as_str().unwrap().contains("machine node 1 is deleted"), "{gone}");
    let tries: Vec<_> = rig.vbox.log("unregistervm").into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(tries, ["refused", "refused", "lose"]);
    assert_eq!(rig.daemon.call("GET", "/api/v3/machines/Name:node%201", Value::Null).await.status, 404);
}
