//! Content layers (wire-protocol §1.11, §2.5).

use crate::{engine, machine, me, refused};
use drp_objects::{LayerKind, Objects, ParamsQuery};
use drp_protocol::{Bundle, BundleSummary, Error};
use serde_json::{Value, json};

fn lamps() -> Value {
    json!({
        "meta": {"Name": "lamps", "Version": "v1.0.0"},
        "sections": {
            "params": {"lamp/id": {"name": "lamp/id", "schema": {"type": "integer"}}},
            "profiles": {"hall": {"Name": "hall", "Params": {"lamp/id": 4}}},
            "frobs": {"x": {}},
        },
    })
}

async fn put(objects: &Objects, bundle: Value, kind: LayerKind, force: bool) -> Result<BundleSummary, Error> {
    objects.put_layer(serde_json::from_value::<Bundle>(bundle).unwrap(), kind, force).await
}

#[tokio::test]
async fn the_basic_layer_is_there_and_read_only() {
    let objects = engine().await;
    for (prefix, key) in [
        ("bootenvs", "ignore"),
        ("bootenvs", "local"),
        ("stages", "none"),
        ("stages", "local"),
        ("roles", "superuser"),
        ("params", "pxelinux-local-boot"),
    ] {
        let map = objects.get(prefix, key).unwrap().map();
        assert_eq!(
            (&map["ReadOnly"], &map["Bundle"], &map["Available"]),
            (&json!(true), &json!("BasicStore"), &json!(true))
        );
        assert_eq!(objects.delete(&me(), prefix, key).await.unwrap_err().code, 409);
    }
    assert_eq!(objects.get("profiles", "global").unwrap().map()["ReadOnly"], json!(false));
    assert_eq!(objects.layers()[0].meta.name, "BasicStore");
    assert_eq!(objects.set_param(&me(), "stages", "none", "ab", json!(1)).await.unwrap_err().code, 409);
}

#[tokio::test]
async fn a_layer_comes_is_replaced_and_goes() {
    let objects = engine().await;
    let summary = put(&objects, lamps(), LayerKind::Plugin, false).await.unwrap();
    assert_eq!((summary.counts["params"], summary.warnings.len()), (1, 1));
    let hall = objects.get("profiles", "hall").unwrap().map();
    assert_eq!((&hall["ReadOnly"], &hall["Bundle"]), (&json!(true), &json!("lamps")));
    let id = machine(&objects, json!({"Name": "m1", "Profiles": ["hall"]})).await;
    assert_eq!(objects.set_param(&me(), "machines", &id, "lamp/id", json!("x")).await.unwrap_err().code, 409);
    let query = ParamsQuery { aggregate: true, ..ParamsQuery::default() };
    assert_eq!(objects.param("machines", &id, "lamp/id", &query).unwrap(), json!(4));
    // The new version has no hall: the machine that used it is no longer available, and comes back with it.
    let mut without = lamps();
    without["sections"]["profiles"] = json!({"room": {"Name": "room"}});
    put(&objects, without, LayerKind::Plugin, false).await.unwrap();
    let map = objects.get("machines", &id).unwrap().map();
    assert_eq!(map["Errors"], json!([format!("{id}: Profile hall (at 0) does not exist")]));
    assert_eq!((&map["Available"], &map["Runnable"]), (&json!(false), &json!(false)));
    assert_eq!(objects.layers().len(), 2);
    put(&objects, lamps(), LayerKind::Plugin, false).await.unwrap();
    assert_eq!(objects.get("machines", &id).unwrap().map()["Available"], json!(true));
    assert!(objects.remove_layer("lamps").await.unwrap().is_some());
    assert!(objects.remove_layer("lamps").await.unwrap().is_none());
    assert_eq!(objects.get("params", "lamp/id").unwrap_err().code, 404);
    assert_eq!(objects.get("machines", &id).unwrap().map()["Available"], json!(false));
    // A writable object of the name serves as well.
    objects.create(&me(), "profiles", json!({"Name": "hall"})).await.unwrap();
    assert_eq!(objects.get("machines", &id).unwrap().map()["Errors"], json!([]));
}

#[tokio::test]
async fn keys_may_not_be_in_two_layers() {
    let objects = engine().await;
    objects.create(&me(), "profiles", json!({"Name": "hall", "Description": "mine"})).await.unwrap();
    refused(
        put(&objects, lamps(), LayerKind::Dynamic, false).await,
        422,
        "ValidationError",
        &["profiles:hall in layer dynamic-lamps would override layer writable-BackingStore"],
    );
    assert_eq!(objects.get("params", "lamp/id").unwrap_err().code, 404);
    put(&objects, lamps(), LayerKind::Plugin, true).await.unwrap();
    assert_eq!(objects.get("profiles", "hall").unwrap().map()["ReadOnly"], json!(true));
    let mut other = lamps();
    other["meta"]["Name"] = json!("other");
    let error = put(&objects, other, LayerKind::Dynamic, false).await.unwrap_err();
    let text = |what: &str| format!("{what} in layer dynamic-other would override layer plugin-lamps");
    assert_eq!(error.messages, [text("params:lamp/id"), text("profiles:hall")]);
    refused(
        objects.create(&me(), "profiles", json!({"Name": "hall"})).await,
        409,
        "CREATE",
        &["already exists"],
    );
    // Basic objects may be hidden, and show again.
    let local = json!({"meta": {"Name": "mine"}, "sections": {"stages": {"local": {"Name": "local", "Description": "my"}}}});
    put(&objects, local, LayerKind::Dynamic, false).await.unwrap();
    assert_eq!(objects.get("stages", "local").unwrap().map()["Description"], "my");
    objects.remove_layer("mine").await.unwrap();
    assert_eq!(objects.get("stages", "local").unwrap().map()["Bundle"], "BasicStore");
    let unnamed = put(&objects, json!({"sections": {}}), LayerKind::Dynamic, false).await;
    refused(unnamed, 422, "ValidationError", &["Store at content- has no Name metadata"]);
}

#[tokio::test]
async fn secrets_in_bundles_are_sealed() {
    let objects = engine().await;
    let id = machine(&objects, json!({"Name": "m1", "Params": {"pw": "stored before"}})).await;
    let bundle = json!({
        "meta": {"Name": "safe"},
        "sections": {
            "params": {"pw": {"Name": "pw", "Secure": true, "Schema": {"type": "string"}}},
            "profiles": {"vault": {"Name": "vault", "Params": {"pw": "canary"}}},
        },
    });
    put(&objects, bundle, LayerKind::Plugin, false).await.unwrap();
    assert!(!String::from_utf8_lossy(&objects.get("profiles", "vault").unwrap().json).contains("canary"));
    let decode = ParamsQuery { decode: true, ..ParamsQuery::default() };
    assert_eq!(objects.param("profiles", "vault", "pw", &decode).unwrap(), json!("canary"));
    assert!(objects.param("machines", &id, "pw", &ParamsQuery::default()).unwrap().is_object());
    assert_eq!(objects.param("machines", &id, "pw", &decode).unwrap(), json!("stored before"));
}

#[tokio::test]
async fn an_uploaded_layer_is_in_the_store() {
    let store = crate::store("memory:///");
    let open = || Objects::open(store.clone(), crate::options());
    let objects = open().await.unwrap();
    let mut secret = lamps();
    secret["sections"]["params"]["lamp/password"] =
        json!({"Name": "lamp/password", "Secure": true, "Schema": {"type": "string"}});
    secret["sections"]["profiles"]["hall"]["Params"]["lamp/password"] = json!("canary");
    put(&objects, secret.clone(), LayerKind::Dynamic, false).await.unwrap();
    put(&objects, json!({"meta": {"Name": "gone"}}), LayerKind::Dynamic, false).await.unwrap();
    objects.remove_layer("gone").await.unwrap();
    let mut provider = lamps();
    provider["meta"]["Name"] = json!("provider");
    provider["sections"] = json!({});
    put(&objects, provider, LayerKind::Plugin, false).await.unwrap();
    let kept = store.scan("$contents", &drp_store::Scan::all()).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(
        !String::from_utf8_lossy(&kept[0].value).contains("canary"),
        "values of secure params are sealed"
    );

    let before = objects.layers();
    drop(objects);
    let revision = store.revision();
    let objects = open().await.unwrap();
    assert_eq!(store.revision(), revision, "putting it back writes nothing");
    let names: Vec<_> = objects.layers().into_iter().map(|l| l.meta.name).collect();
    assert_eq!(names, ["lamps", "BasicStore"]);
    assert_eq!(objects.layers()[0].counts["profiles"], before[0].counts["profiles"]);
    let open_it = ParamsQuery { decode: true, ..ParamsQuery::default() };
    assert_eq!(objects.param("profiles", "hall", "lamp/password", &open_it).unwrap(), json!("canary"));

    // A provider that takes its name takes its place for good.
    put(&objects, lamps(), LayerKind::Plugin, false).await.unwrap();
    drop(objects);
    assert_eq!(open().await.unwrap().layers().len(), 1);
}

#[tokio::test]
async fn a_full_disk_takes_no_layer_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drp.db").display().to_string();
    let small = drp_store::Options { max_bytes: Some(1 << 20), ..drp_store::Options::default() };
    let store = drp_store::open(&path, small).unwrap();
    let objects = Objects::open(store.clone(), crate::options()).await.unwrap();
    put(&objects, lamps(), LayerKind::Dynamic, false).await.unwrap();
    let mut next = lamps();
    next["meta"]["Version"] = json!("v2.0.0");
    next["meta"]["Documentation"] = "x".repeat(2 << 20).into();
    let mut other = next.clone();
    other["meta"]["Name"] = json!("other");
    other["sections"] = json!({"profiles": {"attic": {"Name": "attic"}}});
    for bundle in [next, other] {
        assert_eq!(put(&objects, bundle, LayerKind::Dynamic, false).await.unwrap_err().code, 503);
    }
    let names: Vec<_> = objects.layers().into_iter().map(|l| (l.meta.name, l.meta.version)).collect();
    assert_eq!(names[0], ("lamps".to_owned(), "v1.0.0".to_owned()));
    assert_eq!(names.len(), 2);
    assert!(objects.get("profiles", "attic").is_err());
    assert_eq!(store.scan("$contents", &drp_store::Scan::all()).unwrap().len(), 1);
}
