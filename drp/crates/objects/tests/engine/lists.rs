//! Lists (wire-protocol §3.5).

use crate::{engine, machine, me, refused};
use drp_objects::{ListQuery, Objects};
use serde_json::{Value, json};

async fn setup() -> Objects {
    let objects = engine().await;
    objects.create(&me(), "params", json!({"Name": "rack", "Schema": {"type": "integer"}})).await.unwrap();
    objects.create(&me(), "profiles", json!({"Name": "red", "Params": {"rack": 9}})).await.unwrap();
    for i in 0..6u32 {
        let body = json!({
            "Name": format!("m{i}"),
            "Uuid": format!("00000000-0000-0000-0000-00000000000{}", 9 - i),
            "Address": format!("10.0.0.{}", i * 50),
            "Params": if i < 4 { json!({"rack": i}) } else { json!({}) },
            "Profiles": if i == 5 { json!(["red"]) } else { json!([]) },
            "Meta": {"os": if i % 2 == 0 { "linux" } else { "bsd" }},
        });
        machine(&objects, body).await;
    }
    objects
}

fn names(objects: &Objects, query: &str) -> Vec<String> {
    let pairs: Vec<_> =
        query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap()).collect();
    let listing = objects.list(&me(), "machines", &ListQuery::parse(pairs).unwrap()).unwrap();
    let list: Vec<Value> = serde_json::from_slice(&listing.json).unwrap();
    assert_eq!(listing.count, list.len());
    list.iter().map(|m| m["Name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn filters_sorting_and_bounds() {
    let objects = setup().await;
    for (query, want) in [
        ("", "m5 m4 m3 m2 m1 m0"),
        ("sort=Name", "m0 m1 m2 m3 m4 m5"),
        ("sort=Name&reverse=true", "m5 m4 m3 m2 m1 m0"),
        ("sort=Address&limit=2", "m0 m1"),
        ("sort=Name&offset=4", "m4 m5"),
        ("sort=Name&offset=1&limit=1", "m1"),
        ("sort=Name&offset=99", ""),
        ("Name=m2", "m2"),
        ("sort=Name&Name=m2&Name=m3", "m2 m3"),
        ("Name=m2&Meta.os=bsd", ""),
        ("sort=Name&Meta.os=bsd", "m1 m3 m5"),
        ("sort=Name&Address=Gt(10.0.0.100)", "m3 m4 m5"),
        ("sort=Name&Address=Between(10.0.0.50,10.0.0.100)", "m1 m2"),
        ("sort=Name&Name=Re(^m[01]$)", "m0 m1"),
        ("sort=Name&Name=Nin(m0,m1,m2)", "m3 m4 m5"),
        ("sort=Name&rack=Gte(2)", "m2 m3 m5"),
        ("rack=9", "m5"),
        ("sort=Name&Params=rack", "m0 m1 m2 m3"),
        ("Profiles=Eq(red)", "m5"),
        ("sort=Name&Profiles=Ne(red)&limit=1", "m0"),
        ("Runnable=false", ""),
        ("Uuid=00000000-0000-0000-0000-000000000009", "m0"),
    ] {
        assert_eq!(names(&objects, query).join(" "), want, "{query}");
    }
}

#[tokio::test]
async fn the_three_counts() {
    let objects = setup().await;
    let query = ListQuery::parse([("Name", "Ne(m0)"), ("limit", "2"), ("offset", "1")]).unwrap();
    let listing = objects.list(&me(), "machines", &query).unwrap();
    assert_eq!((listing.total, listing.filtered, listing.count), (6, 5, 2));
    let head = objects.list(&me(), "machines", &ListQuery { head: true, ..query }).unwrap();
    assert_eq!((head.total, head.filtered, head.count, head.json.len()), (6, 5, 2, 0));
}

#[tokio::test]
async fn what_cannot_be_listed() {
    let objects = setup().await;
    let list = |name: &str, value: &str| {
        objects.list(&me(), "machines", &ListQuery::parse([(name, value)]).unwrap())
    };
    refused(list("frob", "x"), 406, "GET", &["Filter not found: frob"]);
    refused(list("sort", "frob"), 406, "GET", &["Not sortable: frob"]);
    refused(list("sort", "Runnable"), 406, "GET", &["Not sortable: Runnable"]);
    assert_eq!(list("Runnable", "maybe").unwrap_err().code, 406);
    assert_eq!(list("Address", "x").unwrap_err().code, 406);
    assert_eq!(objects.list(&me(), "frobs", &ListQuery::default()).unwrap_err().code, 404);
}

#[tokio::test]
async fn slim_and_params_cut_the_reply() {
    let objects = setup().await;
    let one = |pairs: &[(&str, &str)]| {
        let query = ListQuery::parse(pairs.iter().copied()).unwrap();
        let listing = objects.list(&me(), "machines", &query).unwrap();
        let view = objects.view("machines", "Name:m3", &query).unwrap().map();
        let list: Vec<Value> = serde_json::from_slice(&listing.json).unwrap();
        assert_eq!(list.iter().find(|m| m["Name"] == "m3"), Some(&Value::from(view.clone())));
        Value::from(view)
    };
    let whole = one(&[]);
    assert_eq!((&whole["Partial"], &whole["Params"]), (&json!(false), &json!({"rack": 3})));
    let slim = one(&[("slim", "Meta,Params")]);
    assert_eq!((&slim["Partial"], &slim["Params"], &slim["Meta"]), (&json!(true), &json!({}), &json!({})));
    assert_eq!(slim.as_object().unwrap().len(), whole.as_object().unwrap().len());
    let some = one(&[("params", "none,rack")]);
    assert_eq!((&some["Partial"], &some["Params"]), (&json!(true), &json!({"rack": 3})));
    objects.set_param(&me(), "profiles", "global", "all", json!("x")).await.unwrap();
    assert_eq!(one(&[("aggregate", "true")])["Params"], json!({"rack": 3, "all": "x"}));
}
