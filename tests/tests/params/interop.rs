//! Sealed values and password hashes against libsodium (PyNaCl) and Python's scrypt (wire-protocol §2.4, §5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drp_tests::daemon::{Daemon, answer};
use drp_tests::peers::SecretsPeer;
use serde_json::{Value, json};

/// What the secret space of a stopped daemon's store holds under a name.
fn secret(base: &std::path::Path, name: &str) -> Vec<u8> {
    let location = base.join("drp.db").display().to_string();
    let store = drp_store::open(&location, drp_store::Options::default()).unwrap();
    store.get("$secrets", name).unwrap().unwrap_or_else(|| panic!("no {name}")).value.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn libsodium_and_we_open_what_the_other_sealed() {
    let Some(peer) = SecretsPeer::find() else { return };
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(dir.path()).start();
    daemon.expect(201, "POST", "params", json!({"Name": "door/code", "Secure": true})).await;
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let uuid = machine["Uuid"].as_str().unwrap();
    let pubkey = daemon.get("machines/Name:m1/pubkey").await;
    let values = [json!("päss \" word"), json!(""), json!(4711), json!(null), json!({"a": [1, {"b": true}]})];
    let mut ours = Vec::new();
    for value in &values {
        let sealed = peer.ask(&json!({"do": "seal", "pubkey": pubkey, "value": value}));
        let kept = daemon.expect(200, "POST", "machines/Name:m1/params/door/code", sealed.clone()).await;
        assert_eq!(kept, sealed);
        assert_eq!(&daemon.get("machines/Name:m1/params/door/code?decode=true").await, value);
        if !value.is_null() {
            daemon.expect(200, "POST", "machines/Name:m1/params/door/code", value.clone()).await;
            ours.push((value, daemon.get("machines/Name:m1/params/door/code").await));
        }
    }
    let (status, log) = tokio::task::spawn_blocking(move || daemon.stop()).await.unwrap();
    assert!(status.success(), "{log}");
    let private = STANDARD.encode(secret(dir.path(), &format!("machines-{uuid}")));
    for (value, sealed) in ours {
        assert_eq!(&peer.ask(&json!({"do": "unseal", "private": private, "sealed": sealed})), value);
    }
}

/// The vector of NaCl's tests/box.c, by libsodium and by the crate that the daemon uses.
#[test]
fn the_published_vector() {
    use crypto_box::{PublicKey, SalsaBox, SecretKey, aead::AeadInPlace};
    let Some(peer) = SecretsPeer::find() else { return };
    // Bob's private key and Alice's public one make the same shared key as the other two.
    let bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    let nonce = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
    let message = concat!(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a",
        "1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057",
        "e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040",
        "e082f937763848645e0705"
    );
    let boxed = concat!(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4",
        "476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738",
        "b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de",
        "56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
    );
    let theirs =
        peer.ask(&json!({"do": "box", "private": bob, "public": public, "nonce": nonce, "message": message}));
    assert_eq!(theirs, json!(boxed));
    let secret = SecretKey::from(<[u8; 32]>::try_from(unhex(bob)).unwrap());
    let public = PublicKey::from(<[u8; 32]>::try_from(unhex(public)).unwrap());
    let mut text = unhex(message);
    let nonce: [u8; 24] = unhex(nonce).try_into().unwrap();
    let tag =
        SalsaBox::new(&public, &secret).encrypt_in_place_detached(&nonce.into(), b"", &mut text).unwrap();
    assert_eq!([tag.as_slice(), &text].concat(), unhex(boxed), "tag before text");
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_and_we_check_the_hashes_of_the_other() {
    let Some(peer) = SecretsPeer::find() else { return };
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(dir.path()).start();
    let password = "pässwörd \u{1f511} 4711";
    // Theirs, with other costs than ours.
    for (name, n, r, p) in [("ann", 16384, 8, 1), ("bea", 1024, 4, 2)] {
        let hash = peer.ask(&json!({"do": "hash", "password": password, "n": n, "r": r, "p": p}));
        let hash = STANDARD.encode(hash.as_str().unwrap());
        let user = json!({"Name": name, "PasswordHash": hash, "Roles": ["superuser"]});
        let user = daemon.expect(201, "POST", "users", user).await;
        assert!(user.get("PasswordHash").is_none_or(|h| h == "" || h.is_null()), "it is not shown");
        let login = |password: &str| daemon.anonymous("GET", "/api/v3/info").basic_auth(name, Some(password));
        assert_eq!(answer(login(password)).await.status, 200);
        assert_eq!(answer(login("other")).await.status, 403);
    }
    // Ours.
    daemon.expect(201, "POST", "users", json!({"Name": "eve"})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": password})).await;
    let (status, log) = tokio::task::spawn_blocking(move || daemon.stop()).await.unwrap();
    assert!(status.success(), "{log}");
    let hash = String::from_utf8(secret(dir.path(), "password:eve")).unwrap();
    assert_eq!(hash.split('$').count(), 5, "N$r$p$salt$hash");
    for (given, fits) in [(password, true), ("other", false)] {
        assert_eq!(peer.ask(&json!({"do": "fits", "password": given, "text": hash})), Value::Bool(fits));
    }
}
