//! Params and actions (wire-protocol §3.7, §3.8, §5).

use crate::talk::{Talk, op};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::{Aead, AeadCore, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

/// `set ID param P to V`: GET the definition; when it is secure: GET the key, seal, POST.
async fn set(talk: &Talk<'_>, path: &str, param: &str, value: &Value) -> Value {
    let definition = talk.call("GET", &format!("params/{param}"), Value::Null).await;
    let mut body = value.clone();
    if definition.status == 200 && definition.json()["Secure"] == true {
        let key = talk.get(&format!("{path}/pubkey")).await;
        let key: [u8; 32] = STANDARD.decode(key.as_str().unwrap()).unwrap().try_into().unwrap();
        let own = SecretKey::generate(&mut OsRng);
        let nonce = SalsaBox::generate_nonce(&mut OsRng);
        let payload =
            SalsaBox::new(&PublicKey::from(key), &own).encrypt(&nonce, value.to_string().as_bytes()).unwrap();
        body = json!({
            "Key": STANDARD.encode(own.public_key().as_bytes()),
            "Nonce": STANDARD.encode(nonce),
            "Payload": STANDARD.encode(payload),
        });
    }
    let stored = talk.ok(200, "POST", &format!("{path}/params/{param}"), body.clone()).await;
    assert_eq!(stored, body);
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn params_of_every_type_that_has_them() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let talk = Talk::start(&daemon).await;
    talk.has_type("cows").await;
    talk.ok(
        201,
        "POST",
        "params",
        json!({"Name": "bmc/password", "Secure": true, "Schema": {"type": "string"}}),
    )
    .await;
    talk.ok(201, "POST", "params", json!({"Name": "rack/unit", "Schema": {"type": "integer", "default": 7}}))
        .await;
    for (prefix, body, id) in [
        ("machines", json!({"Name": "m1"}), "Name:m1"),
        ("profiles", json!({"Name": "web"}), "web"),
        ("plugins", json!({"Name": "lamp", "Provider": "incrementer"}), "lamp"),
        ("stages", json!({"Name": "prepare"}), "prepare"),
        ("endpoints", json!({"Id": "site-2"}), "site-2"),
        ("cows", json!({"Id": "berta"}), "berta"),
    ] {
        talk.ok(201, "POST", prefix, body).await;
        let path = format!("{prefix}/{id}");
        // get: null when there is none, the default when it is looked for everywhere
        assert_eq!(talk.get(&format!("{path}/params/rack/unit")).await, Value::Null, "{path}");
        assert_eq!(talk.get(&format!("{path}/params/rack/unit?aggregate=true")).await, 7, "{path}");
        // set, add
        set(&talk, &path, "rack/unit", &json!(3)).await;
        set(&talk, &path, "undefined/param", &json!({"any": ["thing"]})).await;
        let sealed = set(&talk, &path, "bmc/password", &json!("hunter2")).await;
        assert_eq!(talk.get(&format!("{path}/params/bmc/password")).await, sealed, "{path}");
        assert_eq!(talk.get(&format!("{path}/params/bmc/password?decode=true")).await, "hunter2", "{path}");
        assert_eq!(talk.get(&format!("{path}/params?decode=true")).await["bmc/password"], "hunter2");
        assert_eq!(talk.get(&format!("{path}?decode=true")).await["Params"]["bmc/password"], "hunter2");
        // a value that does not fit
        let wrong = talk.ok(409, "POST", &format!("{path}/params/rack/unit"), json!("three")).await;
        assert_eq!(wrong["Type"], "POST", "{wrong}");
        // params, all of them at once; by patch
        let all = talk.ok(200, "POST", &format!("{path}/params"), json!({"rack/unit": 4})).await;
        assert_eq!(all, json!({"rack/unit": 4}), "{path}");
        let patched = talk
            .ok(
                200,
                "PATCH",
                &format!("{path}/params"),
                json!([op("test", "rack~1unit", &json!(4)), op("replace", "rack~1unit", &json!(5))]),
            )
            .await;
        assert_eq!(patched, json!({"rack/unit": 5}), "{path}");
        // remove
        assert_eq!(
            talk.ok(200, "DELETE", &format!("{path}/params/rack/unit"), Value::Null).await,
            5,
            "{path}"
        );
        let gone = talk.ok(404, "DELETE", &format!("{path}/params/rack/unit"), Value::Null).await;
        assert_eq!(
            (&gone["Type"], &gone["Model"], &gone["Key"]),
            (&json!("DELETE"), &json!("params"), &json!("rack/unit"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_listed_looked_at_and_run() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let talk = Talk::start(&daemon).await;
    talk.ok(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    let machine = talk.ok(201, "POST", "machines", json!({"Name": "m1"})).await;
    let path = format!("machines/{}", machine["Uuid"].as_str().unwrap());
    let offered = |list: &Value| list.to_string().contains("\"increment\"");
    let mut list = talk.get(&format!("{path}/actions")).await;
    for _ in 0..200 {
        if offered(&list) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        list = talk.get(&format!("{path}/actions")).await;
    }
    assert!(offered(&list), "{list}");
    assert_eq!(talk.get(&format!("{path}/actions/increment")).await["Provider"], "incrementer");
    assert_eq!(talk.get(&format!("{path}/actions?plugin=incr")).await[0]["Command"], "increment");
    assert_eq!(talk.ok(200, "POST", &format!("{path}/actions/increment"), json!({})).await, 1);
    let words = json!({"incrementer/parameter": "parm2", "incrementer/step": 10, "extra": 10});
    assert_eq!(talk.ok(200, "POST", &format!("{path}/actions/increment?plugin=incr"), words).await, 10);
    let wrong =
        talk.ok(400, "POST", &format!("{path}/actions/increment"), json!({"incrementer/step": "ten"})).await;
    assert_eq!(wrong["Type"], "INVOKE", "{wrong}");
    assert_eq!(talk.ok(200, "POST", &format!("{path}/actions/reset_count"), json!({})).await, "Success");
    let again = talk.ok(400, "POST", &format!("{path}/actions/reset_count"), json!({})).await;
    assert_eq!(again["Messages"], json!(["Action reset_count Missing Parameter incrementer/touched"]));
    // system
    assert!(talk.get("system/actions").await.to_string().contains("incrstatus"));
    assert_eq!(talk.ok(200, "POST", "system/actions/incrstatus", json!({})).await, "Running");
}
