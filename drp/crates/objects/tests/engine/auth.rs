//! Users, tokens and claims (wire-protocol §3.2, §3.3).

use crate::{engine, machine, me, options, refused, store};
use base64::{Engine, engine::general_purpose::STANDARD};
use drp_objects::{Denied, ListQuery, Objects, TokenRequest};
use drp_protocol::Secret;
use serde_json::json;
use std::time::Duration;

async fn with_user() -> Objects {
    Objects::open(store("memory:///"), options()).await.unwrap()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn the_first_user_logs_in_and_hashes_never_show() {
    let objects = with_user().await;
    let who = objects.login("rocketskates", &secret("r0cketsk8ts")).unwrap();
    assert_eq!((who.name.as_str(), who.subject.as_str()), ("user:rocketskates", "rocketskates"));
    assert!(who.claims.allow("machines", "delete", "x"));
    assert_eq!(objects.login("rocketskates", &secret("wrong")).unwrap_err(), Denied::Credentials);
    assert_eq!(objects.login("nobody", &secret("")).unwrap_err(), Denied::Credentials);
    let shown = objects.get("users", "rocketskates").unwrap();
    assert!(!shown.map().contains_key("PasswordHash"));
    // A user made with a hash can log in; one without cannot.
    let salt: String = "SodiumChloride".bytes().map(|b| format!("{b:02x}")).collect();
    let hash = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
    let hash = STANDARD.encode(format!("16384$8$1${salt}${hash}"));
    let made = objects.create(&me(), "users", json!({"Name": "u1", "PasswordHash": hash})).await.unwrap();
    assert!(!made.map().contains_key("PasswordHash"));
    objects.create(&me(), "users", json!({"Name": "u2"})).await.unwrap();
    assert!(objects.login("u1", &secret("pleaseletmein")).is_ok());
    assert_eq!(objects.login("u2", &secret("")).unwrap_err(), Denied::Credentials);
    // Changing something else keeps the password.
    objects.replace(&me(), "users", "u1", json!({"Name": "u1", "Description": "d"})).await.unwrap();
    assert!(objects.login("u1", &secret("pleaseletmein")).is_ok());
    objects.delete(&me(), "users", "u1").await.unwrap();
    objects.create(&me(), "users", json!({"Name": "u1"})).await.unwrap();
    assert_eq!(objects.login("u1", &secret("pleaseletmein")).unwrap_err(), Denied::Credentials);
}

#[tokio::test]
async fn tokens_die_with_the_secrets_they_depend_on() {
    let objects = with_user().await;
    let token = objects.user_token("rocketskates", &TokenRequest::default()).unwrap();
    let plugin = objects.plugin_token("desk-lamp");
    assert_eq!(objects.verify(token.expose()).unwrap().name, "user:rocketskates");
    assert_eq!(objects.verify(plugin.expose()).unwrap().name, "plugin:desk-lamp");
    objects.set_password(&me(), "rocketskates", &secret("new")).await.unwrap();
    assert_eq!(objects.verify(token.expose()).unwrap_err(), Denied::Changed);
    assert!(objects.login("rocketskates", &secret("new")).is_ok());
    assert!(objects.verify(plugin.expose()).is_ok());
    let token = objects.user_token("rocketskates", &TokenRequest::default()).unwrap();
    let prefs = [("systemGrantorSecret".to_owned(), "other".to_owned())].into();
    objects.set_prefs(&me(), &prefs).await.unwrap();
    assert_eq!(objects.verify(plugin.expose()).unwrap_err(), Denied::Changed);
    assert_eq!(objects.verify(token.expose()).unwrap_err(), Denied::Changed);
    let plugin = objects.plugin_token("desk-lamp");
    let prefs = [("baseTokenSecret".to_owned(), "x".repeat(32))].into();
    objects.set_prefs(&me(), &prefs).await.unwrap();
    assert_eq!(objects.verify(plugin.expose()).unwrap_err(), Denied::Token);
    let token = objects.user_token("rocketskates", &TokenRequest::default()).unwrap();
    objects.delete(&me(), "users", "rocketskates").await.unwrap_err();
    objects.create(&me(), "users", json!({"Name": "heir", "Roles": ["superuser"]})).await.unwrap();
    objects.delete(&me(), "users", "rocketskates").await.unwrap();
    assert_eq!(objects.verify(token.expose()).unwrap_err(), Denied::Changed);
    assert_eq!(objects.verify("rubbish").unwrap_err(), Denied::Token);
}

#[tokio::test]
async fn what_tokens_may_do() {
    let objects = with_user().await;
    let define = objects.verify(objects.define_token("lamp").expose()).unwrap();
    assert!(define.claims.allow("machines", "get", "x") && !define.claims.allow("machines", "delete", "x"));
    let request = TokenRequest { scope: "machines".into(), action: "get".into(), ..TokenRequest::default() };
    let narrow = objects.verify(objects.user_token("rocketskates", &request).unwrap().expose()).unwrap();
    assert!(narrow.claims.allow("machines", "get", "x") && !narrow.claims.allow("machines", "update", "x"));
    assert!(narrow.claims.allow("users", "token", "rocketskates") && narrow.claims.allow("info", "get", ""));
    refused(
        objects.user_token(
            "rocketskates",
            &TokenRequest { roles: vec!["r9".into()], ..TokenRequest::default() },
        ),
        400,
        "GET",
        &["rocketskates does not have the role r9"],
    );
    objects
        .create(
            &me(),
            "roles",
            json!({"Name": "r9", "Claims": [{"scope": "machines", "action": "list", "specific": "*"}]}),
        )
        .await
        .unwrap();
    let less = TokenRequest { roles: vec!["r9".into()], ..TokenRequest::default() };
    let less = objects.verify(objects.user_token("rocketskates", &less).unwrap().expose()).unwrap();
    assert!(less.claims.allow("machines", "list", "x") && !less.claims.allow("machines", "get", "x"));
    objects.create(&me(), "users", json!({"Name": "u9", "Roles": ["r9"]})).await.unwrap();
    let more = TokenRequest { roles: vec!["superuser".into()], ..TokenRequest::default() };
    refused(objects.user_token("u9", &more), 400, "GET", &["u9 does not have the role superuser"]);
    refused(
        objects.user_token("rocketskates", &TokenRequest { scope: "cows".into(), ..TokenRequest::default() }),
        400,
        "GET",
        &["No such scope 'cows'"],
    );
    refused(objects.user_token("nobody", &TokenRequest::default()), 404, "GET", &["Not Found"]);
    let expired = TokenRequest { ttl: Some(Duration::ZERO), ..TokenRequest::default() };
    let expired = objects.user_token("rocketskates", &expired).unwrap();
    assert_eq!(objects.verify(expired.expose()).unwrap_err(), Denied::Token);
    let id = machine(&objects, json!({"Name": "m1"})).await;
    let agent = objects.verify(objects.machine_token("Name:m1", None).unwrap().expose()).unwrap();
    assert_eq!(agent.name, format!("runner:{id}"));
    assert!(
        agent.claims.allow("machines", "update:/Params", &id)
            && !agent.claims.allow("machines", "get", "other")
    );
}

#[tokio::test]
async fn missing_claims_and_their_errors() {
    let objects = engine().await;
    let role =
        json!({"Name": "r1", "Claims": [{"scope": "plugins", "action": "list,get", "specific": "bob"}]});
    objects.create(&me(), "roles", role).await.unwrap();
    objects.create(&me(), "users", json!({"Name": "u1", "Roles": ["r1"]})).await.unwrap();
    for name in ["bob", "ann"] {
        objects.create(&me(), "plugins", json!({"Name": name, "Provider": "pp"})).await.unwrap();
    }
    let token = objects.user_token("u1", &TokenRequest::default()).unwrap();
    let who = objects.verify(token.expose()).unwrap();
    objects.authorize(&who, "/u", "plugins", "get", "Name:bob").unwrap();
    refused(
        objects.authorize(&who, "/api/v3/plugins/Name:bob", "plugins", "getSecure", "Name:bob"),
        403,
        "AUTH",
        &["Cannot access /api/v3/plugins/Name:bob", "Requires: plugins getSecure Name:bob"],
    );
    refused(objects.authorize(&who, "/u", "plugins", "get", "ann"), 404, "GET", &["Not Found"]);
    let list = objects.list(&who, "plugins", &ListQuery::default()).unwrap();
    assert_eq!((list.total, list.count), (1, 1));
    assert_eq!(objects.list(&who, "machines", &ListQuery::default()).unwrap().json, b"[]");
}
