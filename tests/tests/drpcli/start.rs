//! Before the first command (wire-protocol §6.1).

use crate::talk::{Talk, headers, json_of};
use drp_tests::daemon::{Daemon, USER, answer};

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_token_of_another_server_is_no_obstacle() {
    let (daemon, other) = (Daemon::start(), Daemon::start());
    let foreign = Talk::start(&other).await.token;
    let got = answer(headers(daemon.anonymous("GET", "/api/v3/info").bearer_auth(&foreign))).await;
    assert_eq!((got.status, got.bytes.len()), (403, 0));
    assert_eq!(got.header("www-authenticate"), "dr-provision");
    // It logs in again, keeps the token, and uses it at the next start.
    let talk = Talk::start(&daemon).await;
    assert!(talk.get("info").await["features"].as_array().unwrap().contains(&"sane-exit-codes".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_session_renews_its_token() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let path = format!("users/{}/token?ttl=600", USER.0);
    let renewed = talk.get(&path).await;
    assert_ne!(renewed["Token"], talk.token);
    assert!(renewed["Info"]["api_port"].is_number(), "{renewed}");
    // The other way when the token is gone.
    let again = daemon.anonymous("GET", &format!("/api/v3/{path}")).basic_auth(USER.0, Some(USER.1));
    json_of(&answer(headers(again)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_every_call_carries_the_password() {
    let daemon = Daemon::start();
    for path in ["/api/v3/info", "/api/v3/machines", "//api/v3/objects"] {
        let call = daemon.anonymous("GET", path).basic_auth(USER.0, Some(USER.1));
        json_of(&answer(headers(call)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traced_calls_are_taken() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let call = headers(daemon.anonymous("GET", "/api/v3/info").bearer_auth(&talk.token));
    json_of(&answer(call.header("X-Log-Request", "debug").header("X-Log-Token", "from-a-test")).await);
    let lines = talk.get("logs").await;
    assert!(lines.to_string().contains("from-a-test"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_would_proxy_and_one_endpoint_does_not() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let call = headers(daemon.anonymous("GET", "/site-2/api/v3/info").bearer_auth(&talk.token));
    let got = answer(call).await;
    assert_eq!((got.status, got.json()["Messages"][0].clone()), (404, "No route".into()));
}
