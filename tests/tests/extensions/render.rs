//! POST `/api/v1/render` on a real daemon.

use drp_tests::daemon::{Daemon, answer};
use serde_json::{Value, json};
use std::time::Duration;

async fn render(daemon: &Daemon, body: Value) -> Value {
    let request = daemon.request("POST", "/api/v1/render").timeout(Duration::from_secs(100)).json(&body);
    let got = answer(request).await;
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

fn nickel(content: &str, context: Value) -> Value {
    json!({"language": "nickel", "content": content, "context": context})
}

fn jinja2(content: &str, context: Value) -> Value {
    json!({"language": "jinja2", "content": content, "context": context})
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_rendered_and_errors_name_their_place() {
    let daemon = Daemon::start();
    let hostile = "\"%{1 + 1}\\n$(reboot)\n\u{7}é";
    for (body, rendered) in [
        (nickel("{cpu = 2 * context.cores}", json!({"cores": 2})), json!({"cpu": 4})),
        (
            nickel("context", json!({"a": [1, -1.5, null, true], "x": hostile})),
            json!({"a": [1, -1.5, null, true], "x": hostile}),
        ),
        (nickel("(import \"drp/types.ncl\") |> std.record.has_field \"Port\"", json!({})), json!(true)),
    ] {
        let got = render(&daemon, body.clone()).await;
        assert_eq!(got["error"], Value::Null, "{body}");
        let text = got["rendered"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), rendered, "{body}");
        assert!(got["language"] == "nickel" && got["execution_time_ms"].is_u64());
    }
    let got = render(&daemon, jinja2("a={{ a | sh }}", json!({"a": "$(x) 'y'"}))).await;
    assert_eq!(got["rendered"], r"a='$(x) '\''y'\'''", "{got}");
    let secret = daemon.base().join("secret");
    std::fs::write(&secret, "\"canary\"").unwrap();
    let import = format!("import {:?}", secret.display().to_string());
    let include = format!("{{% include {:?} %}}", secret.display().to_string());
    for (body, says) in [
        (nickel("{\n cpu = contex.cores}", json!({})), "content:2:8: unbound identifier `contex`"),
        (json!({"language": "nickel", "content": "{ x | Number = \"a\" }", "name": "s.ncl"}), "s.ncl:1:16"),
        (nickel(&import, json!({})), "outside of the folders"),
        (nickel("{", json!({})), "content:1"),
        (jinja2("a\n{{ b }}", json!({"a": 1})), "line 2, column 4: `b` is undefined"),
        (jinja2(&include, json!({})), "there is no template"),
        (jinja2("{% for i in range(10000000) %}{{ i }}{% endfor %}", json!({})), "content"),
        (
            jinja2(
                "{% set ns = namespace(t='a') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
                json!({}),
            ),
            "content",
        ),
    ] {
        let got = render(&daemon, body.clone()).await;
        assert_eq!(got["rendered"], Value::Null, "{body}");
        let error = got["error"].as_str().unwrap();
        assert!(error.contains(says) && !error.contains("canary"), "{body}: {error}");
    }
    for (status, body) in [
        (400, json!({"language": "cobol", "content": ""})),
        (400, json!({"language": "nickel"})),
        (400, json!({"language": "nickel", "content": "1", "context": [1]})),
        (413, nickel(&" ".repeat(5 << 20), json!({}))),
    ] {
        let got = daemon.call("POST", "/api/v1/render", body.clone()).await;
        assert_eq!(got.status, status, "{:.200}: {}", body.to_string(), got.text());
    }
    let stats = daemon.call("GET", "/api/v1/cache/stats", Value::Null).await.json();
    assert!(
        stats["renders"]["nickel"].as_u64() >= Some(7) && stats["renders"]["failed"].as_u64() >= Some(8),
        "{stats}"
    );
    let before = stats["render"]["hits"].as_u64().unwrap();
    render(&daemon, nickel("{cpu = 2 * context.cores}", json!({"cores": 2}))).await;
    let stats = daemon.call("GET", "/api/v1/cache/stats", Value::Null).await.json();
    assert_eq!(stats["render"]["hits"], before + 1, "{stats}");
    let metrics = answer(daemon.request("GET", "/metrics")).await.text();
    assert!(metrics.contains("drp_renders_total{language=\"nickel\"}"), "{metrics}");
    assert_eq!(daemon.call("GET", "/api/v1/health", Value::Null).await.json()["status"], "healthy");
    // Whole paths of v1 are not to be had below v3.
    assert_eq!(daemon.call("GET", "/api/v3/api/v1/health", Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_loops_or_explodes_is_stopped_while_other_requests_go_on() {
    let daemon = Daemon::start();
    let bad = [
        nickel("let rec f = fun x => f (x + 1) in f 0", json!({})),
        nickel("let rec f = fun xs => f (xs @ xs) in f [1, 2, 3]", json!({})),
        jinja2(
            "{% for i in range(99999) %}{% for j in range(99999) %}{{ i * j }}{% endfor %}{% endfor %}",
            json!({}),
        ),
    ];
    let all = futures_util::future::join_all(bad.iter().map(|body| render(&daemon, body.clone())));
    let mut all = std::pin::pin!(all);
    let mut others = 0;
    let done = loop {
        tokio::select! {
            done = &mut all => break done,
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                daemon.expect(200, "GET", "machines", Value::Null).await;
                others += 1;
            }
        }
    };
    assert!(others > 0);
    for got in done {
        assert!(got["rendered"].is_null() && got["error"].is_string(), "{got}");
    }
    let got = render(&daemon, nickel("1 + 1", json!({}))).await;
    assert_eq!(got["rendered"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn rendering_has_a_claim_of_its_own() {
    let daemon = Daemon::start();
    let role = |name: &str, action: &str| json!({"Name": name, "Claims": [{"scope": "extensions", "action": action, "specific": "*"}]});
    daemon.expect(201, "POST", "roles", role("renders", "render")).await;
    daemon.expect(201, "POST", "roles", role("lists", "list,get")).await;
    for (user, role, status) in [("ann", "renders", 200), ("bob", "lists", 403)] {
        daemon.expect(201, "POST", "users", json!({"Name": user, "Roles": [role]})).await;
        daemon
            .expect(200, "PUT", &format!("users/{user}/password"), json!({"Password": "pass-word-1"}))
            .await;
        let request = daemon.anonymous("POST", "/api/v1/render").basic_auth(user, Some("pass-word-1"));
        let got = answer(request.json(&nickel("1", json!({})))).await;
        assert_eq!(got.status, status, "{user}: {}", got.text());
        let list = daemon.anonymous("GET", "/api/v1/extensions").basic_auth(user, Some("pass-word-1"));
        assert_eq!(answer(list).await.json(), json!([]));
        let post = daemon.anonymous("POST", "/api/v1/extensions").basic_auth(user, Some("pass-word-1"));
        assert_eq!(answer(post.json(&json!({"path": "/nowhere"}))).await.status, 403);
        let gone =
            daemon.anonymous("DELETE", "/api/v1/extensions/provider/x").basic_auth(user, Some("pass-word-1"));
        assert_eq!(answer(gone).await.status, 403);
        let check =
            daemon.anonymous("POST", "/api/v1/extensions/validate").basic_auth(user, Some("pass-word-1"));
        assert_eq!(answer(check.json(&json!({"path": "/nowhere"}))).await.status, 403);
    }
    assert_eq!(answer(daemon.anonymous("POST", "/api/v1/render")).await.status, 401);
}
