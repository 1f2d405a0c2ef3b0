//! Raw types (wire-protocol §1.11, §2.4).

use crate::{engine, me, refused};
use drp_objects::{ListQuery, ParamsQuery};
use serde_json::{Map, Value, json};

fn types() -> Map<String, Value> {
    json!({
        "cows": {},
        "typed-cows": {
            "Spotted": {"type": "boolean", "isrequired": true},
            "CanMilk": {"type": "boolean"},
            "Location": {"type": "string"},
            "Tag": {"type": "string", "isunique": true},
        },
    })
    .as_object()
    .unwrap()
    .clone()
}

#[tokio::test]
async fn declared_types_are_types_like_others() {
    let objects = engine().await;
    assert_eq!(objects.get("cows", "x").unwrap_err().code, 404);
    objects.register_types(&types()).await.unwrap();
    assert!(objects.prefixes().contains(&"typed-cows".to_owned()));
    let cow = objects.create(&me(), "cows", json!({"id": "bessie", "Any": [1]})).await.unwrap().map();
    assert_eq!(
        Value::from(cow),
        json!({
            "Type": "cows", "Id": "bessie", "Any": [1], "Validated": false, "Available": false, "Errors": [],
            "Meta": {}, "Params": {}, "Bundle": "", "Endpoint": "", "ReadOnly": false, "Documentation": "",
            "Description": "",
        })
    );
    refused(
        objects.create(&me(), "typed-cows", json!({"Id": "b1"})).await,
        422,
        "ValidationError",
        &["b1: (root): Spotted is required"],
    );
    let good = |id: &str, tag: &str| json!({"Id": id, "Spotted": true, "Location": "Austin", "Tag": tag});
    objects.create(&me(), "typed-cows", good("b1", "t1")).await.unwrap();
    refused(
        objects.create(&me(), "typed-cows", good("b2", "t1")).await,
        422,
        "ValidationError",
        &["b2: Tag t1 is already used by b1"],
    );
    objects.create(&me(), "typed-cows", good("b2", "t2")).await.unwrap();
    let query = ListQuery::parse([("Spotted", "true"), ("Tag", "Ne(t1)"), ("Location", "Re(^Aus)")]).unwrap();
    assert_eq!(objects.list(&me(), "typed-cows", &query).unwrap().filtered, 1);
    assert_eq!(objects.get("typed-cows", "Tag:t2").unwrap().key, "b2");
    objects.set_param(&me(), "typed-cows", "b2", "ab", json!(1)).await.unwrap();
    assert_eq!(objects.param("typed-cows", "b2", "ab", &ParamsQuery::default()).unwrap(), json!(1));
    let index = objects.indexes("typed-cows");
    assert!(index["Tag"].unique && index["Spotted"].unordered && index["Type"].regex);
    assert_eq!(objects.indexes("no-such").len(), 5);
    // Registering again, also with other fields, keeps the objects.
    objects.register_types(&types()).await.unwrap();
    objects.register_types(json!({"typed-cows": {}}).as_object().unwrap()).await.unwrap();
    assert_eq!(objects.count("typed-cows"), 2);
    for bad in [json!({"machines": {}}), json!({"a/b": {}}), json!({"events": {}}), json!({"x": 7})] {
        assert_eq!(objects.register_types(bad.as_object().unwrap()).await.unwrap_err().code, 422, "{bad}");
    }
}
