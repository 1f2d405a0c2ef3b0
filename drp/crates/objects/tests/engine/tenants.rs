//! Tenants: who is in one sees its objects alone (wire-protocol §2.4).

use crate::{engine, machine, me, refused};
use drp_objects::{Delivery, ListQuery, Objects, Principal, TokenRequest};
use serde_json::{Value, json};

async fn in_tenant(objects: &Objects, members: Value) -> Principal {
    objects
        .create(
            &me(),
            "roles",
            json!({"Name": "all", "Claims": [{"scope": "*", "action": "*", "specific": "*"}]}),
        )
        .await
        .unwrap();
    objects.create(&me(), "users", json!({"Name": "chief", "Roles": ["superuser"]})).await.unwrap();
    objects.create(&me(), "users", json!({"Name": "ann", "Roles": ["all"]})).await.unwrap();
    objects
        .create(&me(), "tenants", json!({"Name": "blue", "Members": members, "Users": ["ann"]}))
        .await
        .unwrap();
    ann(objects)
}

/// The user as it may be now.
fn ann(objects: &Objects) -> Principal {
    let token = objects.user_token("ann", &TokenRequest::default()).unwrap();
    objects.verify(token.expose()).unwrap()
}

fn names(objects: &Objects, who: &Principal, prefix: &str) -> Vec<String> {
    let list = objects.list(who, prefix, &ListQuery::default()).unwrap();
    let list: Vec<Value> = serde_json::from_slice(&list.json).unwrap();
    list.iter().map(|o| o["Name"].as_str().or(o["Uuid"].as_str()).unwrap_or_default().to_owned()).collect()
}

fn members(objects: &Objects, prefix: &str) -> Vec<String> {
    let tenant = objects.get("tenants", "blue").unwrap().map();
    serde_json::from_value(tenant["Members"][prefix].clone()).unwrap()
}

#[tokio::test]
async fn whoever_is_in_a_tenant_sees_its_objects_of_the_types_it_names() {
    let objects = engine().await;
    let (inside, outside) =
        (machine(&objects, json!({"Name": "in1"})).await, machine(&objects, json!({"Name": "out1"})).await);
    for machine in [&inside, &outside] {
        objects.create(&me(), "jobs", json!({"Machine": machine, "State": "created"})).await.unwrap();
    }
    let ann = in_tenant(&objects, json!({"machines": [inside], "profiles": []})).await;
    assert_eq!(names(&objects, &ann, "machines"), ["in1"]);
    assert_eq!(names(&objects, &ann, "profiles"), Vec::<String>::new());
    assert_eq!(names(&objects, &ann, "stages"), names(&objects, &me(), "stages"));
    assert_eq!((names(&objects, &ann, "jobs").len(), names(&objects, &me(), "jobs").len()), (1, 2));
    let listed = objects.list(&ann, "machines", &ListQuery::default()).unwrap();
    assert_eq!((listed.total, listed.filtered), (1, 1));
    objects.authorize_for(&ann, "PATCH", "/u", "machines", "update:/Name", "Name:in1").unwrap();
    // As if it were not there, whatever is asked.
    for (word, action) in
        [("GET", "get"), ("PATCH", "update:/Name"), ("DELETE", "delete"), ("POST", "action:poweron")]
    {
        for id in ["Name:out1", outside.as_str(), "Name:nobody"] {
            refused(
                objects.authorize_for(&ann, word, "/u", "machines", action, id),
                404,
                word,
                &["Not Found"],
            );
        }
    }
    refused(objects.authorize(&ann, "/u", "logs", "get", ""), 404, "GET", &["Not Found"]);
    assert!(!ann.claims.is_full() && me().claims.is_full());
    // Her own tenant and herself, also where users are restricted.
    objects.create(&me(), "tenants", json!({"Name": "green"})).await.unwrap();
    assert_eq!(names(&objects, &ann, "tenants"), ["blue"]);
}

#[tokio::test]
async fn what_is_made_inside_joins_and_what_goes_leaves() {
    let objects = engine().await;
    let who = in_tenant(&objects, json!({"machines": [], "users": []})).await;
    let mut events = objects.events().subscribe();
    let made = objects.create(&who, "machines", json!({"Name": "m1"})).await.unwrap().key;
    assert_eq!(members(&objects, "machines"), std::slice::from_ref(&made));
    let who = ann(&objects);
    // Both are seen by whoever is inside: the tenant changed before the machine came.
    for (kind, action) in [("tenants", "save"), ("machines", "create")] {
        let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
        assert_eq!((event.kind(), event.action(), event.visible_to(&who.claims)), (kind, action, true));
    }
    let other = machine(&objects, json!({"Name": "m2"})).await;
    let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
    assert_eq!((event.key(), event.visible_to(&who.claims)), (other.as_str(), false));
    let save = drp_protocol::Event::now("machines", "poweron", &*other, Value::Null);
    objects.events().publish(save);
    let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
    assert!(!event.visible_to(&who.claims) && event.visible_to(&me().claims));
    assert_eq!(names(&objects, &who, "machines"), ["m1"]);
    // A type that the tenant does not name stays unrestricted.
    objects.create(&who, "profiles", json!({"Name": "p1"})).await.unwrap();
    assert!(names(&objects, &who, "profiles").contains(&"global".to_owned()));
    objects.create(&who, "users", json!({"Name": "kid"})).await.unwrap();
    assert_eq!(members(&objects, "users"), ["kid"]);
    assert_eq!(names(&objects, &ann(&objects), "users"), ["ann", "kid"]);
    // A key that is taken outside does not join.
    let taken = objects.create(&who, "machines", json!({"Name": "x1", "Uuid": other})).await;
    refused(taken, 409, "CREATE", &["already exists"]);
    objects.delete(&me(), "machines", &made).await.unwrap();
    objects.delete(&me(), "users", "kid").await.unwrap();
    objects.delete(&me(), "users", "ann").await.unwrap();
    assert_eq!((members(&objects, "machines"), members(&objects, "users")), (vec![], vec![]));
    assert_eq!(objects.get("tenants", "blue").unwrap().map()["Users"], json!([]));
}

#[tokio::test]
async fn nobody_leaves_a_tenant_by_themselves() {
    let objects = engine().await;
    let ann = in_tenant(&objects, json!({"machines": []})).await;
    let nobody = "Nobody can give more than they may do themselves";
    let all = &[nobody, "Requires: * * *"];
    let patch = |text: Value| drp_objects::Patch::parse(&serde_json::to_vec(&text).unwrap()).unwrap();
    let out = patch(json!([{"op": "replace", "path": "/Users", "value": []}]));
    refused(objects.patch(&ann, "tenants", "blue", &out).await, 403, "AUTH", all);
    refused(objects.delete(&ann, "tenants", "blue").await, 403, "AUTH", all);
    refused(objects.create(&ann, "tenants", json!({"Name": "red"})).await, 403, "AUTH", all);
    // Nor by somebody outside who may do as much.
    let friend = json!({"Name": "friend", "Roles": ["all"]});
    refused(objects.create(&ann, "users", friend).await, 403, "AUTH", all);
    objects.create(&ann, "users", json!({"Name": "friend"})).await.unwrap();
    let role = json!({"Name": "r1", "Claims": [{"scope": "machines", "action": "get", "specific": "*"}]});
    refused(objects.create(&ann, "roles", role).await, 403, "AUTH", &[nobody, "Requires: machines get *"]);
    objects.create(&me(), "users", json!({"Name": "boss", "Roles": ["superuser"]})).await.unwrap();
    refused(objects.token_for(&ann, "boss", &TokenRequest::default()), 403, "AUTH", all);
    let password = drp_protocol::Secret::new("pw".to_owned());
    refused(objects.set_password(&ann, "boss", &password).await, 403, "AUTH", all);
    objects.set_password(&ann, "ann", &password).await.unwrap();
}

#[tokio::test]
async fn tenants_are_checked() {
    let objects = engine().await;
    in_tenant(&objects, json!({"machines": []})).await;
    let make = async |body: Value| objects.create(&me(), "tenants", body).await;
    let twice = json!({"Name": "red", "Users": ["ann"]});
    refused(make(twice).await, 422, "ValidationError", &["red: User ann is already in tenant blue"]);
    let strange = json!({"Name": "red", "Users": ["nobody"], "Members": {"machine": []}});
    let says = ["red: User nobody (at 0) does not exist", "red: There are no objects of type machine"];
    refused(make(strange).await, 422, "ValidationError", &says);
    let layer = json!({"meta": {"Name": "c1"}, "sections": {"tenants": {"red": {"Users": ["ann"]}}}});
    let layer = objects
        .put_layer(serde_json::from_value(layer).unwrap(), drp_objects::LayerKind::Dynamic, false)
        .await;
    refused(layer, 422, "ValidationError", &["red: User ann is already in tenant blue"]);
}
