//! Nobody gives what they do not hold; somebody may always do everything (wire-protocol §3.3).

use crate::{engine, me, refused};
use drp_objects::{Denied, Objects, Patch, Principal, TokenRequest};
use drp_protocol::Secret;
use serde_json::{Value, json};

const NOBODY: &str = "Nobody can give more than they may do themselves";

fn patch(ops: Value) -> Patch {
    Patch::parse(&serde_json::to_vec(&ops).unwrap()).unwrap()
}

/// Somebody who may do all with users, roles, tasks, contents and preferences, and read machines.
async fn clerk(objects: &Objects) -> Principal {
    let claims = json!([
        {"scope": "users,roles,tasks,contents,preferences,jobs", "action": "*", "specific": "*"},
        {"scope": "machines", "action": "get,list", "specific": "*"},
    ]);
    objects.create(&me(), "roles", json!({"Name": "clerk", "Claims": claims})).await.unwrap();
    objects.create(&me(), "users", json!({"Name": "cleo", "Roles": ["clerk"]})).await.unwrap();
    objects.create(&me(), "users", json!({"Name": "boss", "Roles": ["superuser"]})).await.unwrap();
    objects.verify(objects.user_token("cleo", &TokenRequest::default()).unwrap().expose()).unwrap()
}

#[tokio::test]
async fn what_is_given_must_be_held() {
    let objects = engine().await;
    let cleo = clerk(&objects).await;
    let all = &[NOBODY, "Requires: * * *"];
    let role = |action: &str| json!({"Name": "r1", "Claims": [{"scope": "machines", "action": action, "specific": "*"}]});
    refused(
        objects.create(&cleo, "roles", role("delete")).await,
        403,
        "AUTH",
        &[NOBODY, "Requires: machines delete *"],
    );
    objects.create(&cleo, "roles", role("get")).await.unwrap();
    let more = patch(json!([{"op": "replace", "path": "/Claims/0/action", "value": "*"}]));
    refused(
        objects.patch(&cleo, "roles", "r1", &more).await,
        403,
        "AUTH",
        &[NOBODY, "Requires: machines * *"],
    );
    // What was there before may stay.
    objects.patch(&me(), "roles", "r1", &more).await.unwrap();
    let text = patch(json!([{"op": "replace", "path": "/Description", "value": "x"}]));
    objects.patch(&cleo, "roles", "r1", &text).await.unwrap();

    let promote = patch(json!([{"op": "add", "path": "/Roles/-", "value": "superuser"}]));
    refused(objects.patch(&cleo, "users", "cleo", &promote).await, 403, "AUTH", all);
    refused(
        objects.create(&cleo, "users", json!({"Name": "u1", "Roles": ["superuser"]})).await,
        403,
        "AUTH",
        all,
    );
    let later = patch(json!([{"op": "add", "path": "/Roles/-", "value": "not-yet"}]));
    refused(objects.patch(&cleo, "users", "cleo", &later).await, 403, "AUTH", all);
    objects.create(&cleo, "users", json!({"Name": "u1", "Roles": ["clerk"]})).await.unwrap();

    let task = json!({"Name": "t1", "ExtraClaims": [{"scope": "*", "action": "*", "specific": "*"}]});
    refused(objects.create(&cleo, "tasks", task).await, 403, "AUTH", all);
    refused(
        objects.create(&cleo, "tasks", json!({"Name": "t1", "ExtraRoles": ["superuser"]})).await,
        403,
        "AUTH",
        all,
    );
    objects.create(&cleo, "tasks", json!({"Name": "t1", "ExtraRoles": ["clerk"]})).await.unwrap();
    let secrets =
        [("baseTokenSecret".to_owned(), "x".repeat(32)), ("logLevel".to_owned(), "info".to_owned())].into();
    refused(objects.set_prefs(&cleo, &secrets).await, 403, "AUTH", all);
    assert_eq!(objects.prefs(false)["logLevel"], "warn");

    let bundle = |section: Value| {
        serde_json::from_value(json!({"meta": {"Name": "c1"}, "sections": section})).unwrap()
    };
    let bad = bundle(
        json!({"roles": {"r2": {"name": "r2", "claims": [{"Scope": "*", "Action": "*", "Specific": "*"}]}}}),
    );
    refused(objects.check_bundle(&cleo, &bad), 403, "AUTH", all);
    objects.check_bundle(&me(), &bad).unwrap();
    let good =
        bundle(json!({"roles": {"r2": {"Claims": [{"scope": "users", "action": "get", "specific": "*"}]}}}));
    objects.check_bundle(&cleo, &good).unwrap();
}

#[tokio::test]
async fn nobody_becomes_somebody_who_may_do_more() {
    let objects = engine().await;
    let cleo = clerk(&objects).await;
    let all = &[NOBODY, "Requires: * * *"];
    let password = Secret::new("pw".to_owned());
    refused(objects.set_password(&cleo, "boss", &password).await, 403, "AUTH", all);
    refused(objects.set_password(&cleo, "Name:boss", &password).await, 403, "AUTH", all);
    refused(objects.token_for(&cleo, "boss", &TokenRequest::default()), 403, "AUTH", all);
    for change in [
        json!([{"op": "add", "path": "/PasswordHash", "value": "eA=="}]),
        json!([{"op": "replace", "path": "/Secret", "value": "known"}]),
        json!([{"op": "add", "path": "/Meta/auth-method", "value": "mine"}]),
    ] {
        refused(objects.patch(&cleo, "users", "boss", &patch(change)).await, 403, "AUTH", all);
    }
    let text = patch(json!([{"op": "replace", "path": "/Description", "value": "x"}]));
    objects.patch(&cleo, "users", "boss", &text).await.unwrap();
    objects.create(&cleo, "users", json!({"Name": "u1"})).await.unwrap();
    objects.set_password(&cleo, "u1", &password).await.unwrap();
    objects.set_password(&cleo, "cleo", &password).await.unwrap();
    objects.token_for(&cleo, "u1", &TokenRequest::default()).unwrap();
}

#[tokio::test]
async fn a_narrowed_token_stays_narrow() {
    let objects = engine().await;
    clerk(&objects).await;
    let narrow = TokenRequest { scope: "machines".into(), action: "get".into(), ..TokenRequest::default() };
    let token = objects.user_token("boss", &narrow).unwrap();
    let mut who = objects.verify(token.expose()).unwrap();
    for _ in 0..3 {
        assert!(who.claims.allow("machines", "get", "x"));
        assert!(who.claims.allow("users", "token", "boss") && who.claims.allow("users", "get", "boss"));
        assert!(!who.claims.allow("machines", "delete", "x"));
        // A new password would be a way to a new login.
        assert!(!who.claims.allow("users", "password", "boss"));
        let next = objects.token_for(&who, "boss", &TokenRequest::default()).unwrap();
        who = objects.verify(next.expose()).unwrap();
    }
    // Narrower yet is possible.
    let less = TokenRequest { specific: "m1".into(), ..TokenRequest::default() };
    let less = objects.verify(objects.token_for(&who, "boss", &less).unwrap().expose()).unwrap();
    assert!(less.claims.allow("machines", "get", "m1") && !less.claims.allow("machines", "get", "m2"));
    refused(
        objects.token_for(&who, "cleo", &TokenRequest::default()),
        403,
        "AUTH",
        &[NOBODY, "Requires: users,roles,tasks,contents,preferences,jobs * *"],
    );
    let full =
        objects.verify(objects.user_token("boss", &TokenRequest::default()).unwrap().expose()).unwrap();
    assert!(full.claims.allow("users", "password", "boss") && full.claims.is_full());
}

#[tokio::test]
async fn the_last_one_who_may_do_everything_stays() {
    let objects = engine().await;
    clerk(&objects).await;
    let last =
        &["User boss is the last one that may do everything; give another user the role superuser first"];
    refused(objects.delete(&me(), "users", "boss").await, 409, "DELETE", last);
    let demote = patch(json!([{"op": "replace", "path": "/Roles", "value": ["clerk"]}]));
    refused(objects.patch(&me(), "users", "boss", &demote).await, 409, "PATCH", last);
    refused(objects.replace(&me(), "users", "boss", json!({"Name": "boss"})).await, 409, "PUT", last);
    refused(
        objects.create(&me(), "tenants", json!({"Name": "blue", "Users": ["boss"]})).await,
        409,
        "CREATE",
        last,
    );
    objects.create(&me(), "tenants", json!({"Name": "blue"})).await.unwrap();
    let lock_in = patch(json!([{"op": "add", "path": "/Users", "value": ["boss"]}]));
    refused(objects.patch(&me(), "tenants", "blue", &lock_in).await, 409, "PATCH", last);
    let all = json!([{"scope": "*", "action": "*", "specific": "*"}]);
    objects.create(&me(), "roles", json!({"Name": "all", "Claims": all})).await.unwrap();
    let swap = patch(json!([{"op": "replace", "path": "/Roles", "value": ["all"]}]));
    objects.patch(&me(), "users", "boss", &swap).await.unwrap();
    let less = patch(json!([{"op": "replace", "path": "/Claims", "value": []}]));
    refused(objects.patch(&me(), "roles", "all", &less).await, 409, "PATCH", last);
    let weak = json!({"meta": {"Name": "c1"}, "sections": {"roles": {"all": {"Claims": []}}}});
    refused(objects.check_bundle(&me(), &serde_json::from_value(weak).unwrap()), 409, "POST", last);
    // A role that comes with content goes with it.
    let layer = json!({"meta": {"Name": "c2"}, "sections": {"roles": {"lent": {"Claims": [
        {"scope": "*", "action": "*", "specific": "*"}]}}}});
    let layer: drp_protocol::Bundle = serde_json::from_value(layer).unwrap();
    objects.put_layer(layer, drp_objects::LayerKind::Dynamic, false).await.unwrap();
    let lent = patch(json!([{"op": "replace", "path": "/Roles", "value": ["lent"]}]));
    objects.patch(&me(), "users", "boss", &lent).await.unwrap();
    refused(objects.check_layer_gone("c2"), 409, "DELETE", last);
    let empty = json!({"meta": {"Name": "c2"}, "sections": {}});
    refused(objects.check_bundle(&me(), &serde_json::from_value(empty).unwrap()), 409, "POST", last);
    objects.patch(&me(), "users", "boss", &swap).await.unwrap();
    objects.check_layer_gone("c2").unwrap();
    // With an heir all of it is possible.
    objects.create(&me(), "users", json!({"Name": "heir", "Roles": ["superuser"]})).await.unwrap();
    objects.patch(&me(), "roles", "all", &less).await.unwrap();
    objects.patch(&me(), "tenants", "blue", &lock_in).await.unwrap();
    objects.delete(&me(), "users", "boss").await.unwrap();
}

/// Two who take each other's role at the same time: one of them fails.
#[tokio::test(flavor = "multi_thread")]
async fn two_last_ones_do_not_remove_each_other() {
    for _ in 0..20 {
        let objects = engine().await;
        for name in ["a1", "b1"] {
            objects.create(&me(), "users", json!({"Name": name, "Roles": ["superuser"]})).await.unwrap();
        }
        let gone = async |name: &'static str| objects.clone().delete(&me(), "users", name).await.is_ok();
        let (a, b) = tokio::join!(
            tokio::spawn({
                let o = objects.clone();
                async move { o.delete(&me(), "users", "a1").await.is_ok() }
            }),
            tokio::spawn({
                let o = objects.clone();
                async move { o.delete(&me(), "users", "b1").await.is_ok() }
            }),
        );
        assert!(a.unwrap() != b.unwrap());
        assert!(!gone("a1").await && !gone("b1").await);
    }
}

#[tokio::test]
async fn a_new_hash_is_a_new_secret() {
    let objects = engine().await;
    clerk(&objects).await;
    let token = objects.user_token("cleo", &TokenRequest::default()).unwrap();
    let before = objects.get("users", "cleo").unwrap().map()["Secret"].clone();
    let hash = patch(json!([{"op": "add", "path": "/PasswordHash", "value": "eA=="}]));
    objects.patch(&me(), "users", "cleo", &hash).await.unwrap();
    assert_ne!(objects.get("users", "cleo").unwrap().map()["Secret"], before);
    assert_eq!(objects.verify(token.expose()).unwrap_err(), Denied::Changed);
    // The same hash once more changes nothing.
    let token = objects.user_token("cleo", &TokenRequest::default()).unwrap();
    objects.patch(&me(), "users", "cleo", &hash).await.unwrap();
    objects.verify(token.expose()).unwrap();
}
