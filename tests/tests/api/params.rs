//! Params sub-resources and secure params (wire-protocol §3.7, §5).

use crate::{exchanges, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::{Aead, AeadCore, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn params_are_a_resource_of_their_own() {
    let daemon = Daemon::start();
    daemon
        .expect(
            201,
            "POST",
            "params",
            json!({"Name": "lamp/count", "Schema": {"type": "integer", "default": 7}}),
        )
        .await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall", "Params": {"lamp/hue": "red"}})).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1", "Profiles": ["hall"]})).await;
    run(&daemon, exchanges! {
        GET "machines/Name:m1/params" => 200 json!({});
        GET "machines/Name:m1/params/lamp/count" => 200 Value::Null;
        GET "machines/Name:m1/params/lamp%2Fcount?aggregate=true" => 200 json!(7);
        GET "machines/Name:m1/params/lamp/hue" => 200 Value::Null;
        GET "machines/Name:m1/params/lamp/hue?aggregate=true" => 200 json!("red");
        POST "machines/Name:m1/params/lamp/count" json!(3) => 200 json!(3);
        GET "machines/Name:m1/params?aggregate=true" => 200 json!({"lamp/count": 3, "lamp/hue": "red"});
        GET "machines/Name:m1/params?params=lamp/count" => 200 json!({"lamp/count": 3});
        POST "machines/Name:m1/params/lamp/count" json!("x") => 409 json!({"Type": "POST", "Model": "machines"});
        POST "machines/Name:m1/params" json!({"free": [1]}) => 200 json!({"free": [1]});
        GET "machines/Name:m1/params/lamp/count" => 200 Value::Null;
        PATCH "machines/Name:m1/params" json!([{"op": "add", "path": "/a~1b", "from": "", "value": 1}]) => 200 json!({"a/b": 1});
        PATCH "machines/Name:m1/params" json!([{"op": "test", "path": "/free", "from": "", "value": 1}]) => 409;
        DELETE "machines/Name:m1/params/a/b" => 200 json!(1);
        DELETE "machines/Name:m1/params/a/b" => 404 json!({"Type": "DELETE", "Model": "params", "Key": "a/b", "Messages": ["Not Found"]});
        GET "machines/absent/params" => 404 json!({"Messages": ["Not Found"]});
        PUT "machines/Name:m1/params" json!({}) => 405;
        GET "tasks/x/params" => 404 json!({"Messages": ["No route"]});
    }).await;
}

/// Seals as clients do: an ephemeral key and a random nonce.
fn seal(pubkey: &str, plain: &Value) -> Value {
    let key: [u8; 32] = STANDARD.decode(pubkey).unwrap().try_into().unwrap();
    let mine = SecretKey::generate(&mut OsRng);
    let nonce = SalsaBox::generate_nonce(&mut OsRng);
    let sealed =
        SalsaBox::new(&PublicKey::from(key), &mine).encrypt(&nonce, plain.to_string().as_bytes()).unwrap();
    json!({
        "Key": STANDARD.encode(mine.public_key().as_bytes()),
        "Nonce": STANDARD.encode(nonce),
        "Payload": STANDARD.encode(sealed),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn secure_params_stay_sealed_until_asked() {
    let daemon = Daemon::start();
    let canary = "canary-4711";
    daemon
        .expect(
            201,
            "POST",
            "params",
            json!({"Name": "door/code", "Secure": true, "Schema": {"type": "string"}}),
        )
        .await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let pubkey = daemon.get("machines/Name:m1/pubkey").await;
    let pubkey = pubkey.as_str().unwrap();
    assert_eq!(STANDARD.decode(pubkey).unwrap().len(), 32);
    for value in [seal(pubkey, &json!(canary)), json!(canary)] {
        daemon.expect(200, "POST", "machines/Name:m1/params/door/code", value).await;
        let kept = daemon.get("machines/Name:m1/params/door/code").await;
        assert_eq!(
            kept.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["Key", "Nonce", "Payload"],
            "{kept}"
        );
        assert_eq!(daemon.get("machines/Name:m1/params/door/code?decode=true").await, json!(canary));
        assert_eq!(daemon.get("machines/Name:m1/params?decode=true").await["door/code"], json!(canary));
        assert_eq!(daemon.get("machines/Name:m1?decode=true").await["Params"]["door/code"], json!(canary));
        assert_eq!(daemon.get("machines?decode=true").await[0]["Params"]["door/code"], json!(canary));
        for path in ["machines/Name:m1", "machines", "machines/Name:m1/params", "logs"] {
            assert!(!daemon.get(path).await.to_string().contains(canary), "{path}");
        }
    }
    let broken = daemon
        .call(
            "POST",
            "/api/v3/machines/Name:m1/params/door/code",
            json!({"Key": "AA==", "Nonce": "", "Payload": ""}),
        )
        .await;
    assert!(broken.status >= 400 && broken.text().contains("Key must be 32 bytes long"), "{}", broken.text());
    assert!(!daemon.log().contains(canary));
}
