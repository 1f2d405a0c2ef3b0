//! The data side of actions (wire-protocol §3.8), with the golden texts of the incrementer (§8).

use crate::{engine, machine, me, refused};
use drp_objects::{Candidate, Objects};
use drp_protocol::AvailableAction;
use serde_json::{Map, Value, json};

fn candidate(plugin: &str, model: &str, command: &str, required: &[&str], optional: &[&str]) -> Candidate {
    let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    Candidate {
        plugin: plugin.into(),
        action: AvailableAction {
            provider: "incrementer".into(),
            model: model.into(),
            command: command.into(),
            required_params: texts(required),
            optional_params: texts(optional),
        },
    }
}

fn candidates() -> Vec<Candidate> {
    vec![
        candidate("incr", "machines", "reset_count", &["incrementer/touched"], &[]),
        candidate("incr", "machines", "increment", &[], &["incrementer/step", "incrementer/parameter"]),
        candidate("incr", "", "incrstatus", &[], &[]),
        candidate("incr", "machines", "login", &["pw"], &[]),
    ]
}

async fn setup() -> (Objects, String) {
    let objects = engine().await;
    for (name, schema) in [
        ("incrementer/step", "integer"),
        ("incrementer/touched", "integer"),
        ("incrementer/parameter", "string"),
        ("pw", "string"),
    ] {
        let param = json!({"Name": name, "Schema": {"type": schema}, "Secure": name == "pw"});
        objects.create(&me(), "params", param).await.unwrap();
    }
    let id = machine(&objects, json!({"Name": "m1"})).await;
    (objects, id)
}

fn body(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn actions_appear_when_their_params_resolve() {
    let (objects, id) = setup().await;
    let commands = |objects: &Objects| {
        let list = objects.list_actions("machines", "Name:m1", None, &candidates()).unwrap();
        list.into_iter().map(|a| a.command).collect::<Vec<_>>()
    };
    assert_eq!(commands(&objects), ["increment"]);
    objects.set_param(&me(), "machines", &id, "incrementer/touched", json!(1)).await.unwrap();
    assert_eq!(commands(&objects), ["increment", "reset_count"]);
    assert!(objects.list_actions("machines", &id, Some("other"), &candidates()).unwrap().is_empty());
    assert_eq!(objects.list_actions("system", "", None, &candidates()).unwrap()[0].command, "incrstatus");
    refused(objects.list_actions("machines", "no", None, &candidates()), 404, "GET", &["Not Found"]);
    refused(
        objects.one_action("machines", &id, "frob", None, &candidates()),
        404,
        "GET",
        &["frob: Not Found"],
    );
    refused(
        objects.one_action("machines", &id, "login", None, &candidates()),
        400,
        "GET",
        &["Action login Missing Parameter pw"],
    );
    assert_eq!(
        objects.one_action("machines", &id, "increment", None, &candidates()).unwrap().command,
        "increment"
    );
}

#[tokio::test]
async fn texts_of_refusals() {
    let (objects, id) = setup().await;
    let fill = |id: &str, command: &str, plugin: Option<&str>, params: Value| {
        objects.fill_action("machines", id, command, plugin, &body(params), &candidates())
    };
    refused(fill("no", "increment", None, json!({})), 404, "POST", &["Not Found"]);
    refused(fill(&id, "frob", None, json!({})), 400, "INVOKE", &["Action frob on machines: Not Found"]);
    refused(
        fill(&id, "increment", Some("desk"), json!({})),
        400,
        "INVOKE",
        &["Action increment on machines for plugin desk not found"],
    );
    let error = refused(
        fill("Name:m1", "reset_count", None, json!({})),
        400,
        "INVOKE",
        &["Action reset_count Missing Parameter incrementer/touched"],
    );
    assert_eq!(
        error.to_string(),
        "INVOKE: machines/Name:m1: Action reset_count Missing Parameter incrementer/touched"
    );
    refused(
        fill(&id, "increment", None, json!({"incrementer/step": "asgdasdg"})),
        400,
        "INVOKE",
        &[
            "Action increment: Invalid Parameter: incrementer/step: : (root): Invalid type. Expected: integer, given: string",
        ],
    );
    refused(
        fill(&id, "login", None, json!({"pw": "x"})),
        400,
        "INVOKE",
        &["Action login cannot be passed secure parameter pw via the API"],
    );
}

#[tokio::test]
async fn params_are_filled_and_opened_while_the_model_stays_sealed() {
    let (objects, id) = setup().await;
    objects.set_param(&me(), "machines", &id, "pw", json!("canary")).await.unwrap();
    objects.set_param(&me(), "profiles", "global", "incrementer/step", json!(5)).await.unwrap();
    let action = objects.fill_action("machines", &id, "login", None, &Map::new(), &candidates()).unwrap();
    assert_eq!(Value::from(action.params.clone()), json!({"pw": "canary"}));
    assert_eq!(action.model["Uuid"], json!(id));
    assert!(action.model["Params"]["pw"]["Payload"].is_string());
    assert_eq!((action.plugin.as_str(), action.command_set.as_str()), ("incr", "machines"));
    let extra = body(json!({"incrementer/parameter": "parm1", "extra": 10}));
    let action = objects.fill_action("machines", &id, "increment", None, &extra, &candidates()).unwrap();
    let want = json!({"incrementer/parameter": "parm1", "extra": 10, "incrementer/step": 5});
    assert_eq!(Value::from(action.params), want);
    let action = objects.fill_action("system", "", "incrstatus", None, &Map::new(), &candidates()).unwrap();
    assert_eq!((action.model["Name"].as_str(), action.command_set.as_str()), (Some("global"), "system"));
}

#[tokio::test]
async fn the_first_candidate_without_errors_wins() {
    let (objects, id) = setup().await;
    let both = [
        candidate("needs", "machines", "go", &["incrementer/touched"], &[]),
        candidate("easy", "machines", "go", &[], &[]),
    ];
    let action = objects.fill_action("machines", &id, "go", None, &Map::new(), &both).unwrap();
    assert_eq!(action.plugin, "easy");
    assert_eq!(objects.list_actions("machines", &id, None, &both).unwrap().len(), 1);
    let error = objects.fill_action("machines", &id, "go", Some("needs"), &Map::new(), &both).unwrap_err();
    assert_eq!(error.messages, ["Action go Missing Parameter incrementer/touched"]);
}

#[tokio::test]
async fn the_machine_names_its_plugin_and_the_error_is_of_the_one_that_misses_least() {
    let (objects, id) = setup().await;
    let all = [
        candidate("ipmi", "machines", "go", &["incrementer/step"], &[]),
        candidate("packet", "machines", "go", &["incrementer/touched"], &[]),
        candidate("vbox", "machines", "go", &["x", "incrementer/step"], &[]),
    ];
    let fill = |plugin| objects.fill_action("machines", &id, "go", plugin, &Map::new(), &all);
    let missing = |param: &str| [format!("Action go Missing Parameter {param}")];
    // One is missing here and there: the order decides, which does not begin or end with who runs.
    assert_eq!(fill(None).unwrap_err().messages, missing("incrementer/step"));
    let last_first: Vec<_> = all.iter().rev().cloned().collect();
    let refusal = objects.fill_action("machines", &id, "go", None, &Map::new(), &last_first).unwrap_err();
    assert_eq!(refusal.messages, missing("incrementer/touched"));
    let get = objects.one_action("machines", &id, "go", None, &last_first).unwrap_err();
    assert_eq!(get.messages, missing("incrementer/touched"));

    objects.set_param(&me(), "machines", &id, "incrementer/step", json!(1)).await.unwrap();
    assert_eq!(fill(None).unwrap().plugin, "ipmi");
    // Aggregated; it holds also when the one it names is the only one that cannot.
    objects.set_param(&me(), "profiles", "global", "machine-plugin", json!("packet")).await.unwrap();
    assert_eq!(fill(None).unwrap_err().messages, missing("incrementer/touched"));
    assert!(objects.list_actions("machines", &id, None, &all).unwrap().is_empty());
    assert_eq!(fill(Some("ipmi")).unwrap().plugin, "ipmi");
    objects.set_param(&me(), "machines", &id, "incrementer/touched", json!(1)).await.unwrap();
    assert_eq!(fill(None).unwrap().plugin, "packet");
    // One that does not offer it decides nothing.
    objects.set_param(&me(), "machines", &id, "machine-plugin", json!("slack")).await.unwrap();
    assert_eq!(fill(None).unwrap().plugin, "ipmi");
}

#[tokio::test]
async fn an_action_on_a_plugin_goes_to_that_plugin_when_it_offers_it() {
    let objects = engine().await;
    for name in ["b-cluster", "other"] {
        let plugin = json!({"Name": name, "Provider": "incrementer"});
        objects.create(&me(), "plugins", plugin).await.unwrap();
    }
    let offers = [
        candidate("a-cluster", "plugins", "status", &[], &[]),
        candidate("b-cluster", "plugins", "status", &["needed"], &[]),
        candidate("b-cluster", "plugins", "create", &[], &[]),
    ];
    let to = |id: &str, plugin: Option<&str>, params: Value| {
        let filled = objects.fill_action("plugins", id, "status", plugin, &body(params), &offers);
        filled.map(|action| action.plugin)
    };
    assert_eq!(to("b-cluster", None, json!({"needed": 1})).unwrap(), "b-cluster");
    assert_eq!(to("Name:b-cluster", None, json!({"needed": 1})).unwrap(), "b-cluster");
    // Nobody takes its place when it lacks something.
    refused(to("b-cluster", None, json!({})), 400, "INVOKE", &["Action status Missing Parameter needed"]);
    // A caller that names another one means it, and what a plugin does not offer itself others may.
    assert_eq!(to("b-cluster", Some("a-cluster"), json!({})).unwrap(), "a-cluster");
    assert_eq!(to("other", None, json!({})).unwrap(), "a-cluster");
}
