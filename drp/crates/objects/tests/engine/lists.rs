//! Lists (wire-protocol §3.5).

use crate::{engine, machine, me, refused};
use drp_objects::{Claims, ListQuery, Objects, Principal};
use drp_protocol::Claim;
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

/// Somebody who may list each machine by name: nothing is answered from an index alone then.
fn somebody(keys: &[String]) -> Principal {
    let claim = Claim { scope: "machines".into(), action: "list".into(), specific: keys.join(",") };
    Principal { claims: Claims::new(vec![claim]), ..Principal::full("user:some") }
}

#[tokio::test]
async fn indexes_say_what_the_objects_say_while_they_change() {
    let objects = setup().await;
    let mut keys: Vec<String> =
        (0..6).map(|i| format!("00000000-0000-0000-0000-00000000000{}", 9 - i)).collect();
    for i in 0..60u32 {
        let body = json!({
            "Name": format!("x{:02}", i * 37 % 60),
            "Address": if i % 7 == 0 { String::new() } else { format!("10.0.{}.9", i % 5) },
            "Params": if i % 3 == 0 { json!({"rack": i % 4}) } else { json!({"free": i}) },
            "Profiles": if i % 4 == 0 { json!(["red"]) } else { json!([]) },
            "Meta": {"os": if i % 2 == 0 { "linux" } else { "bsd" }},
        });
        keys.push(machine(&objects, body).await);
    }
    let queries = [
        "Address=10.0.3.9&sort=Name",
        "Address=Lt(10.0.2.0)",
        "Address=Between(10.0.1.0,10.0.2.255)&sort=Address&reverse=true",
        "Address=Except(10.0.1.0,10.0.2.255)&sort=Address&sort=Name&limit=7&offset=3",
        "Name=In(x01,x05,m3,none)&sort=Name",
        "Name=Gte(x40)&sort=Uuid&limit=5",
        "Name=x00&Name=x01&Profiles=red",
        "Params=free&sort=Name&reverse=true&limit=4",
        "Profiles=red&rack=Gt(1)&sort=Name",
        "rack=Ne(2)&sort=Name&offset=5&limit=50",
        "rack=In(0,9)&Meta.os=linux&sort=Address",
        "Meta.os=Re(^l)&sort=Name&limit=3",
        "Meta.none=Ne(x)&Runnable=true&sort=Address&limit=10&offset=60",
        "sort=Address&reverse=true",
        "sort=Address&limit=9&offset=2",
        "sort=Stage&sort=Name&limit=9",
        "limit=4&offset=64",
        "offset=70&sort=Name",
        "limit=0",
        "reverse=true&limit=3",
        "Key=Gte(5)&Valid=true",
    ];
    for round in 0..6u32 {
        for query in queries {
            let pairs = query.split('&').map(|p| p.split_once('=').unwrap());
            let query_of = ListQuery::parse(pairs).unwrap();
            let fast = objects.list(&me(), "machines", &query_of).unwrap();
            let slow = objects.list(&somebody(&keys), "machines", &query_of).unwrap();
            assert_eq!(String::from_utf8(fast.json.clone()), String::from_utf8(slow.json), "{query}");
            assert_eq!(
                (fast.total, fast.filtered, fast.count),
                (slow.total, slow.filtered, slow.count),
                "{query}"
            );
            let head = objects.list(&me(), "machines", &ListQuery { head: true, ..query_of }).unwrap();
            assert_eq!((head.total, head.filtered, head.count), (fast.total, fast.filtered, fast.count));
        }
        let victim = keys.swap_remove(usize::try_from(round).unwrap() * 7);
        objects.delete(&me(), "machines", &victim).await.unwrap();
        for (i, key) in keys.iter().enumerate().filter(|(i, _)| i % 5 == 0) {
            let change = |machine: &mut drp_protocol::JsonMap| {
                machine["Name"] = json!(format!("y{round}{i:02}"));
                machine["Address"] = json!(format!("10.0.{round}.{i}"));
                machine["Profiles"] = json!([]);
                machine["Params"] = json!({"rack": round});
            };
            objects.save(&me(), "machines", key, change).await.unwrap();
        }
    }
    let listing = objects.list(&somebody(&keys[..4]), "machines", &ListQuery::default()).unwrap();
    assert_eq!((listing.total, listing.filtered, listing.count), (4, 4, 4), "only what is seen is counted");
}

#[tokio::test]
async fn what_is_not_there_is_unequal_to_everything() {
    let objects = setup().await;
    for (query, want) in [
        ("Meta.none=Eq()", ""),
        ("Meta.none=Ne(x)&sort=Name&limit=2", "m0 m1"),
        ("Meta.os=Nin(linux)&sort=Name", "m1 m3 m5"),
        ("rack=Ne(1)&sort=Name", "m0 m2 m3 m4 m5"),
        ("rack=Nin(0,1,9)&sort=Name", "m2 m3 m4"),
        ("rack=Lt(1)", "m0"),
    ] {
        assert_eq!(names(&objects, query).join(" "), want, "{query}");
    }
}
