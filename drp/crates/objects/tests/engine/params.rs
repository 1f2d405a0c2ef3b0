//! Params sub-resources (wire-protocol §3.7) and plugin configuration (§1.12).

use crate::{engine, machine, me, refused};
use drp_objects::{ParamsQuery, Patch};
use drp_protocol::PluginProvider;
use serde_json::{Value, json};

fn aggregate() -> ParamsQuery {
    ParamsQuery { aggregate: true, ..ParamsQuery::default() }
}

#[tokio::test]
async fn set_get_patch_delete() {
    let objects = engine().await;
    objects.create(&me(), "params", json!({"Name": "lamp/id", "Schema": {"type": "integer"}})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1"})).await;
    let plain = ParamsQuery::default();
    assert_eq!(objects.param("machines", &id, "lamp/id", &plain).unwrap(), Value::Null);
    assert_eq!(objects.set_param(&me(), "machines", "Name:m1", "lamp/id", json!(3)).await.unwrap(), json!(3));
    let error = refused(
        objects.set_param(&me(), "machines", &id, "lamp/id", json!("v")).await,
        409,
        "POST",
        &["Key 'lamp/id': invalid val 'v': (root): Invalid type. Expected: integer, given: string"],
    );
    assert_eq!((error.model.as_str(), error.key.as_str()), ("machines", id.as_str()));
    objects.set_param(&me(), "machines", &id, "free", json!({"any": "thing"})).await.unwrap();
    let map = objects.params("machines", &id, &plain).unwrap();
    assert_eq!(Value::from(map), json!({"lamp/id": 3, "free": {"any": "thing"}}));
    let ops = br#"[{"op":"test","path":"/lamp~1id","from":"","value":3},{"op":"remove","path":"/free","from":"","value":null}]"#;
    let map = objects.patch_params(&me(), "machines", &id, &Patch::parse(ops).unwrap()).await.unwrap();
    assert_eq!(Value::from(map), json!({"lamp/id": 3}));
    refused(
        objects.patch_params(&me(), "machines", &id, &Patch::parse(&ops[..]).unwrap()).await,
        409,
        "PATCH",
        &["Patch failed to apply at line 1", "path \"/free\" does not exist"],
    );
    assert_eq!(objects.delete_param(&me(), "machines", &id, "lamp/id").await.unwrap(), json!(3));
    let error =
        refused(objects.delete_param(&me(), "machines", &id, "lamp/id").await, 404, "DELETE", &["Not Found"]);
    assert_eq!((error.model.as_str(), error.key.as_str()), ("params", "lamp/id"));
    let map = objects
        .set_params(&me(), "machines", &id, json!({"a1": 1}).as_object().unwrap().clone())
        .await
        .unwrap();
    assert_eq!(Value::from(map), json!({"a1": 1}));
    refused(objects.params("machines", "Name:no", &plain), 404, "GET", &["Not Found"]);
    assert_eq!(objects.params("tasks", "x", &plain).unwrap_err().code, 404);
}

#[tokio::test]
async fn the_order_of_lookup() {
    let objects = engine().await;
    objects
        .create(&me(), "params", json!({"Name": "who", "Schema": {"type": "string", "default": "default"}}))
        .await
        .unwrap();
    let profile = |name: &str, nested: &[&str]| json!({"Name": name, "Profiles": nested, "Params": {"who": name, name: 1}});
    for body in [
        profile("nested", &[]),
        profile("first", &["nested"]),
        profile("second", &[]),
        profile("staged", &[]),
    ] {
        objects.create(&me(), "profiles", body).await.unwrap();
    }
    let stage = json!({"Name": "st1", "Profiles": ["staged"], "Params": {"who": "stage", "stage": 1}});
    objects.create(&me(), "stages", stage).await.unwrap();
    objects.set_param(&me(), "profiles", "global", "who", json!("global")).await.unwrap();
    let body =
        json!({"Name": "m1", "Stage": "st1", "Profiles": ["first", "second"], "Params": {"who": "self"}});
    let id = machine(&objects, body).await;
    let all = objects.params("machines", &id, &aggregate()).unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["first", "nested", "second", "stage", "staged", "who"]);
    // Taking the winners away one by one shows the order.
    let remove = |prefix: &'static str, key: &'static str| {
        let (objects, key) = (objects.clone(), if key == "m1" { "Name:m1" } else { key });
        async move { objects.delete_param(&me(), prefix, key, "who").await.unwrap() }
    };
    for (prefix, key, want) in [
        ("machines", "m1", "self"),
        ("profiles", "first", "first"),
        ("profiles", "nested", "nested"),
        ("profiles", "second", "second"),
        ("stages", "st1", "stage"),
        ("profiles", "staged", "staged"),
        ("profiles", "global", "global"),
    ] {
        assert_eq!(objects.param("machines", &id, "who", &aggregate()).unwrap(), json!(want));
        remove(prefix, key).await;
    }
    assert_eq!(objects.param("machines", &id, "who", &aggregate()).unwrap(), json!("default"));
    assert_eq!(objects.param("machines", &id, "who", &ParamsQuery::default()).unwrap(), Value::Null);
    assert!(!objects.params("machines", &id, &aggregate()).unwrap().contains_key("who"));
    let some = ParamsQuery { aggregate: true, params: vec!["first".into()], ..ParamsQuery::default() };
    assert_eq!(objects.params("machines", &id, &some).unwrap().len(), 1);
}

#[tokio::test]
async fn values_stay_when_the_schema_of_their_param_changes() {
    let objects = engine().await;
    objects.create(&me(), "params", json!({"Name": "rack", "Schema": {"type": "integer"}})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Params": {"rack": 7}})).await;
    objects
        .replace(&me(), "params", "rack", json!({"Name": "rack", "Schema": {"type": "string"}}))
        .await
        .unwrap();
    assert_eq!(objects.param("machines", &id, "rack", &ParamsQuery::default()).unwrap(), json!(7));
    let machine = objects.set_param(&me(), "machines", &id, "other", json!(1)).await;
    assert_eq!(machine.unwrap(), json!(1), "other changes are not in its way");
    refused(
        objects.set_param(&me(), "machines", &id, "rack", json!(8)).await,
        409,
        "POST",
        &["Key 'rack': invalid val '8': (root): Invalid type. Expected: string, given: integer"],
    );
    refused(
        objects
            .create(
                &me(),
                "machines",
                json!({"Uuid": "00000000-0000-0000-0000-000000000001", "Name": "m2", "Params": {"rack": 7}}),
            )
            .await,
        422,
        "ValidationError",
        &[
            "00000000-0000-0000-0000-000000000001: Key 'rack': invalid val '7': (root): Invalid type. Expected: string, given: integer",
        ],
    );
    refused(
        objects
            .create(&me(), "params", json!({"Name": "p/d", "Schema": {"type": "integer", "default": "x"}}))
            .await,
        422,
        "ValidationError",
        &["p/d: Error in default value: (root): Invalid type. Expected: integer, given: string"],
    );
}

#[tokio::test]
async fn maps_and_lists_are_put_together_when_asked() {
    let objects = engine().await;
    let schema = json!({"type": "object", "default": {"a": "default", "z": "default"}});
    objects.create(&me(), "params", json!({"Name": "mix", "Schema": schema})).await.unwrap();
    let far =
        json!({"Name": "far", "Params": {"mix": {"a": "far", "b": "far", "in": {"x": 1}}, "list": [1, 2]}});
    objects.create(&me(), "profiles", far).await.unwrap();
    objects.set_param(&me(), "profiles", "global", "list", json!([2, 3])).await.unwrap();
    let body = json!({
        "Name": "m1", "Profiles": ["far"],
        "Params": {"mix": {"a": "own", "in": {"y": 2}}, "list": [0], "text": "own"},
    });
    let id = machine(&objects, body).await;
    let compose = ParamsQuery { compose: true, ..ParamsQuery::default() };
    let mix = json!({"a": "own", "b": "far", "in": {"x": 1, "y": 2}});
    let all = objects.params("machines", &id, &compose).unwrap();
    assert_eq!(Value::from(all), json!({"mix": mix, "list": [0, 1, 2, 3], "text": "own"}));
    let mut one = mix.clone();
    one["z"] = json!("default");
    assert_eq!(
        objects.param("machines", &id, "mix", &compose).unwrap(),
        one,
        "the default is for single keys"
    );
    assert_eq!(objects.param("machines", &id, "none", &compose).unwrap(), Value::Null);
    let view = drp_objects::ListQuery::parse([("compose", "true"), ("params", "mix")]).unwrap();
    assert_eq!(objects.view("machines", &id, &view).unwrap().map()["Params"], json!({"mix": mix}));
}

#[tokio::test]
async fn profiles_that_contain_each_other_end() {
    let objects = engine().await;
    // Only within one bundle: other writes of such profiles are refused.
    let bundle = json!({"meta": {"Name": "round"}, "sections": {"profiles": {
        "a1": {"Profiles": ["b1"]}, "b1": {"Profiles": ["a1"], "Params": {"x1": 1}},
    }}});
    let bundle = serde_json::from_value(bundle).unwrap();
    objects.put_layer(bundle, drp_objects::LayerKind::Dynamic, false).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Profiles": ["a1"]})).await;
    assert_eq!(objects.param("machines", &id, "x1", &aggregate()).unwrap(), json!(1));
    assert_eq!(objects.param("machines", &id, "x2", &aggregate()).unwrap(), Value::Null);
}

#[tokio::test]
async fn the_configuration_of_a_plugin() {
    let objects = engine().await;
    for (name, schema, secure) in [
        ("lamp/url", json!({"type": "string", "default": "http://localhost"}), false),
        ("lamp/key", json!({"type": "string"}), true),
        ("lamp/n", json!({"type": "integer"}), false),
    ] {
        objects
            .create(&me(), "params", json!({"Name": name, "Schema": schema, "Secure": secure}))
            .await
            .unwrap();
    }
    let plugin = json!({"Name": "desk-lamp", "Provider": "lamp", "Params": {"lamp/key": "s3cret", "own": 1}});
    let stored = objects.create(&me(), "plugins", plugin).await.unwrap();
    assert!(!String::from_utf8_lossy(&stored.json).contains("s3cret"));
    let mut provider = PluginProvider {
        required_params: vec!["lamp/url".into(), "lamp/n".into()],
        optional_params: vec!["lamp/none".into()],
        ..PluginProvider::default()
    };
    refused(
        objects.plugin_config("desk-lamp", &provider),
        400,
        "ValidationError",
        &["Missing required parameter: lamp/n"],
    );
    objects.set_param(&me(), "profiles", "global", "lamp/n", json!(7)).await.unwrap();
    let body = objects.plugin_config("desk-lamp", &provider).unwrap();
    let want = json!({"Name": "desk-lamp", "lamp/key": "s3cret", "own": 1, "lamp/url": "http://localhost", "lamp/n": 7});
    assert_eq!(Value::from(body), want);
    provider.required_params.push("lamp/missing".into());
    assert_eq!(objects.plugin_config("desk-lamp", &provider).unwrap_err().messages.len(), 1);
}

#[tokio::test]
async fn meta_is_a_resource_of_its_own() {
    let objects = engine().await;
    objects.create(&me(), "profiles", json!({"Name": "p1", "Meta": {"a": "b"}})).await.unwrap();
    assert_eq!(Value::from(objects.meta("profiles", "p1").unwrap()), json!({"a": "b"}));
    let ops = Patch::parse(br#"[{"op":"add","path":"/c","value":"d"}]"#).unwrap();
    let meta = objects.patch_meta(&me(), "profiles", "p1", &ops).await.unwrap();
    assert_eq!(Value::from(meta), json!({"a": "b", "c": "d"}));
    let test = Patch::parse(br#"[{"op":"test","path":"/c","value":"x"}]"#).unwrap();
    let error = refused(
        objects.patch_meta(&me(), "profiles", "p1", &test).await,
        409,
        "PATCH",
        &["Patch failed to apply at line 0", "Test op failed."],
    );
    assert_eq!(error.key, "p1");
}
