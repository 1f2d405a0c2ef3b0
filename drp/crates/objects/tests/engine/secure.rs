//! Secure params (wire-protocol §5).

use crate::{engine, machine, me, refused};
use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_box::{PublicKey, SalsaBox, SecretKey, aead::Aead};
use drp_objects::{Delivery, ListQuery, Objects, ParamsQuery};
use serde_json::{Value, json};

const CANARY: &str = "canary-4711";

fn decode() -> ParamsQuery {
    ParamsQuery { decode: true, ..ParamsQuery::default() }
}

async fn with_param() -> (Objects, String) {
    let objects = engine().await;
    let param = json!({"Name": "pw", "Secure": true, "Schema": {"type": "string"}});
    objects.create(&me(), "params", param).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1"})).await;
    (objects, id)
}

#[tokio::test]
async fn plain_values_are_sealed_and_opened_only_when_asked() {
    let (objects, id) = with_param().await;
    let mut events = objects.events().subscribe();
    let stored = objects.set_param(&me(), "machines", &id, "pw", json!(CANARY)).await.unwrap();
    assert_eq!(stored.as_object().unwrap().keys().collect::<Vec<_>>(), ["Key", "Nonce", "Payload"]);
    assert_eq!(objects.param("machines", &id, "pw", &ParamsQuery::default()).unwrap(), stored);
    assert_eq!(objects.param("machines", &id, "pw", &decode()).unwrap(), json!(CANARY));
    assert_eq!(objects.params("machines", &id, &decode()).unwrap()["pw"], json!(CANARY));
    let view = ListQuery::parse([("decode", "true")]).unwrap();
    assert_eq!(objects.view("machines", &id, &view).unwrap().map()["Params"]["pw"], json!(CANARY));
    let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
    assert!(!String::from_utf8_lossy(&event.json()).contains(CANARY));
    // A wrong plain value is refused without being quoted.
    refused(
        objects.set_param(&me(), "machines", &id, "pw", json!(4711)).await,
        409,
        "POST",
        &["Key 'pw': invalid val '***': (root): Invalid type. Expected: string, given: integer"],
    );
}

#[tokio::test]
async fn values_sealed_by_a_client_are_taken_when_they_open() {
    let (objects, id) = with_param().await;
    let public: [u8; 32] =
        STANDARD.decode(objects.pubkey("machines", &id).await.unwrap()).unwrap().try_into().unwrap();
    assert_eq!(objects.pubkey("machines", "Name:m1").await.unwrap(), STANDARD.encode(public));
    let seal = |plain: &Value| {
        let own = SecretKey::from([7; 32]);
        let nonce = [9; 24];
        let payload = SalsaBox::new(&PublicKey::from(public), &own)
            .encrypt(&nonce.into(), plain.to_string().as_bytes())
            .unwrap();
        json!({
            "Key": STANDARD.encode(own.public_key().as_bytes()),
            "Nonce": STANDARD.encode(nonce),
            "Payload": STANDARD.encode(payload),
        })
    };
    let sealed = seal(&json!(CANARY));
    assert_eq!(objects.set_param(&me(), "machines", &id, "pw", sealed.clone()).await.unwrap(), sealed);
    assert_eq!(objects.param("machines", &id, "pw", &decode()).unwrap(), json!(CANARY));
    for (field, value, text) in [
        ("Key", json!("AAAA"), "Key must be 32 bytes long"),
        ("Nonce", json!("AAAA"), "Nonce must be 24 bytes long"),
        ("Payload", json!(STANDARD.encode([0; 40])), "SecureData corrupted"),
    ] {
        let mut broken = sealed.clone();
        broken[field] = value;
        let text = format!("Key 'pw': invalid val '***': {text}");
        refused(objects.set_param(&me(), "machines", &id, "pw", broken).await, 409, "POST", &[&text]);
    }
    let text = "Key 'pw': invalid val '***': (root): Invalid type. Expected: string, given: integer";
    refused(objects.set_param(&me(), "machines", &id, "pw", seal(&json!(1))).await, 409, "POST", &[text]);
}

#[tokio::test]
async fn keys_go_with_their_object() {
    let (objects, id) = with_param().await;
    objects.set_param(&me(), "machines", &id, "pw", json!(CANARY)).await.unwrap();
    let sealed = objects.param("machines", &id, "pw", &ParamsQuery::default()).unwrap();
    objects.delete(&me(), "machines", &id).await.unwrap();
    machine(&objects, json!({"Name": "m1", "Uuid": id})).await;
    let text = "Key 'pw': invalid val '***': SecureData corrupted";
    refused(objects.set_param(&me(), "machines", &id, "pw", sealed).await, 409, "POST", &[text]);
}

#[tokio::test]
async fn a_param_that_becomes_secure_seals_what_is_stored() {
    let objects = engine().await;
    objects.create(&me(), "params", json!({"Name": "pw", "Schema": {"type": "string"}})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Params": {"pw": CANARY}})).await;
    objects.set_param(&me(), "profiles", "global", "pw", json!("other")).await.unwrap();
    let flipped = json!({"Name": "pw", "Secure": true, "Schema": {"type": "string"}});
    objects.replace(&me(), "params", "pw", flipped).await.unwrap();
    for (prefix, key, want) in [("machines", id.as_str(), CANARY), ("profiles", "global", "other")] {
        assert!(objects.param(prefix, key, "pw", &ParamsQuery::default()).unwrap().is_object());
        assert_eq!(objects.param(prefix, key, "pw", &decode()).unwrap(), json!(want));
    }
    assert!(!String::from_utf8_lossy(&objects.get("machines", &id).unwrap().json).contains(CANARY));
}

#[tokio::test]
async fn aggregated_values_open_with_the_key_of_their_holder() {
    let (objects, id) = with_param().await;
    objects.set_param(&me(), "profiles", "global", "pw", json!(CANARY)).await.unwrap();
    let query = ParamsQuery { aggregate: true, decode: true, ..ParamsQuery::default() };
    assert_eq!(objects.param("machines", &id, "pw", &query).unwrap(), json!(CANARY));
    assert_eq!(objects.params("machines", &id, &query).unwrap()["pw"], json!(CANARY));
}

#[tokio::test]
async fn nobody_filters_by_a_secret() {
    let (objects, id) = with_param().await;
    objects.set_param(&me(), "machines", &id, "pw", json!(CANARY)).await.unwrap();
    for (filter, decode) in [(format!("Eq({CANARY})"), "true"), ("Re(canary)".to_owned(), "true")] {
        let query = ListQuery::parse([("pw", filter.as_str()), ("decode", decode)]).unwrap();
        assert_eq!(objects.list(&me(), "machines", &query).unwrap().filtered, 0);
    }
}

/// The secret store has an entry for each object, whatever types and keys are called.
#[tokio::test]
async fn keys_are_there_after_a_restart_and_belong_to_one_object() {
    let store = crate::store("memory:///");
    let types = json!({"cows": {}, "cows-a": {}, "password": {}}).as_object().unwrap().clone();
    let all = [("cows", "a-b"), ("cows-a", "b"), ("cows", "x:y"), ("password", "p:q"), ("endpoints", "e:1")];
    let open = || async {
        let objects = Objects::open(store.clone(), crate::options()).await.unwrap();
        objects.register_types(&types).await.unwrap();
        objects
    };
    let objects = open().await;
    objects
        .create(&me(), "params", json!({"Name": "pw", "Secure": true, "Schema": {"type": "string"}}))
        .await
        .unwrap();
    for (prefix, key) in all {
        objects
            .create(&me(), prefix, json!({"Id": key, "Params": {"pw": format!("{prefix}/{key}")}}))
            .await
            .unwrap();
    }
    drop(objects);
    let objects = open().await;
    for (prefix, key) in all {
        let opened = objects.param(prefix, key, "pw", &decode()).unwrap();
        assert_eq!(opened, json!(format!("{prefix}/{key}")));
        objects.delete(&me(), prefix, key).await.unwrap();
    }
    let left: Vec<_> = store.scan("$secrets", &drp_store::Scan::all()).unwrap();
    let left: Vec<_> = left.iter().map(|r| r.key.as_str()).filter(|k| !k.contains("rocketskates")).collect();
    assert!(left.iter().all(|k| k.starts_with("pref:")), "keys go with their objects: {left:?}");
}

#[tokio::test]
async fn a_param_that_is_secure_no_more_keeps_its_values_sealed() {
    let (objects, id) = with_param().await;
    let sealed = objects.set_param(&me(), "machines", &id, "pw", json!(CANARY)).await.unwrap();
    objects
        .replace(&me(), "params", "pw", json!({"Name": "pw", "Schema": {"type": "string"}}))
        .await
        .unwrap();
    assert_eq!(objects.param("machines", &id, "pw", &ParamsQuery::default()).unwrap(), sealed);
    assert_eq!(objects.param("machines", &id, "pw", &decode()).unwrap(), json!(CANARY));
    // The object takes other changes, and a plain value from now on.
    objects.set_param(&me(), "machines", &id, "other", json!(1)).await.unwrap();
    assert_eq!(objects.param("machines", &id, "pw", &decode()).unwrap(), json!(CANARY));
    objects.set_param(&me(), "machines", &id, "pw", json!("plain")).await.unwrap();
    assert_eq!(objects.param("machines", &id, "pw", &ParamsQuery::default()).unwrap(), json!("plain"));
}

#[tokio::test]
async fn what_becomes_secure_is_sealed_even_when_it_no_longer_fits() {
    let objects = engine().await;
    let id = machine(&objects, json!({"Name": "m1", "Params": {"pw": CANARY}})).await;
    let flipped = json!({"Name": "pw", "Secure": true, "Schema": {"type": "integer"}});
    objects.create(&me(), "params", flipped).await.unwrap();
    assert!(!String::from_utf8_lossy(&objects.get("machines", &id).unwrap().json).contains(CANARY));
    assert_eq!(objects.param("machines", &id, "pw", &decode()).unwrap(), json!(CANARY));
}

#[tokio::test]
async fn one_lost_key_hides_one_object() {
    let store = crate::store("memory:///");
    let open = || Objects::open(store.clone(), crate::options());
    let objects = open().await.unwrap();
    objects.create(&me(), "params", json!({"Name": "pw", "Secure": true})).await.unwrap();
    let lost = machine(&objects, json!({"Name": "m1", "Params": {"pw": "one"}})).await;
    machine(&objects, json!({"Name": "m2", "Params": {"pw": "two"}})).await;
    drop(objects);
    let gone = drp_store::Op::delete("$secrets", format!("machines-{lost}"));
    store.submit(drp_store::Batch::new(vec![gone])).await.unwrap();
    let objects = open().await.unwrap();
    let query = ListQuery::parse([("decode", "true"), ("sort", "Name")]).unwrap();
    let list = objects.list(&me(), "machines", &query).unwrap();
    let list: Value = serde_json::from_slice(&list.json).unwrap();
    assert!(drp_protocol::SecureData::is_sealed(&list[0]["Params"]["pw"]), "{list}");
    assert_eq!(list[1]["Params"]["pw"], json!("two"));
    refused(
        objects.param("machines", &lost, "pw", &decode()),
        409,
        "GET",
        &["Key 'pw': SecureData corrupted"],
    );
    // It is set again with a new key.
    objects.set_param(&me(), "machines", &lost, "pw", json!("new")).await.unwrap();
    assert_eq!(objects.param("machines", &lost, "pw", &decode()).unwrap(), json!("new"));
}
