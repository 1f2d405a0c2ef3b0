//! One session of the client.

use drp_tests::daemon::{Answer, Daemon, USER, answer};
use serde_json::{Value, json};

/// A client that has its token.
pub struct Talk<'a> {
    pub daemon: &'a Daemon,
    pub token: String,
}

impl<'a> Talk<'a> {
    /// Logs in as the client does: Basic for a token, then a longer one with that.
    pub async fn start(daemon: &'a Daemon) -> Self {
        let path = format!("/api/v3/users/{}/token", USER.0);
        let first =
            json_of(&answer(headers(daemon.anonymous("GET", &path).basic_auth(USER.0, Some(USER.1)))).await);
        let token = first["Token"].as_str().unwrap().to_owned();
        let longer = headers(daemon.anonymous("GET", &format!("{path}?ttl=7200")).bearer_auth(&token));
        let token = json_of(&answer(longer).await)["Token"].as_str().unwrap().to_owned();
        Self { daemon, token }
    }

    /// Any JSON call; a null body is not sent.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let mut request =
            headers(self.daemon.anonymous(method, &format!("/api/v3/{path}")).bearer_auth(&self.token));
        if !body.is_null() {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let got = answer(request).await;
        assert!(is_json(&got), "{method} {path}: {} {}", got.status, got.header("content-type"));
        if got.status >= 400 && method != "HEAD" {
            let error = got.json();
            assert_eq!(error["Code"], got.status, "{method} {path}: {error}");
            assert!(!error["Messages"].as_array().unwrap().is_empty(), "{method} {path}: {error}");
        }
        got
    }

    /// A call whose status is known.
    pub async fn ok(&self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let got = self.call(method, path, body).await;
        assert_eq!(got.status, status, "{method} {path}: {}", got.text());
        got.json()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ok(200, "GET", path, Value::Null).await
    }

    /// Waits for a type that the plugin `incrementer` brings once it runs.
    pub async fn has_type(&self, prefix: &str) {
        self.ok(201, "POST", "plugins", serde_json::json!({"Name": "herd", "Provider": "incrementer"})).await;
        for _ in 0..400 {
            if self.get("objects").await.as_array().unwrap().contains(&prefix.into()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("there is no type {prefix}");
    }

    /// `update`: GET, then PATCH with a test before each change.
    pub async fn update(&self, path: &str, field: &str, value: Value) -> Value {
        let old = self.get(path).await;
        // A field that is left out while it is empty is added.
        let patch = match old.get(field) {
            Some(old) => json!([op("test", field, old), op("replace", field, &value)]),
            None => json!([op("add", field, &value)]),
        };
        let new = self.ok(200, "PATCH", path, patch).await;
        assert_eq!(new[field], value, "{path}");
        new
    }

    /// `update --ref`: the whole object is tested first.
    pub async fn update_from(&self, path: &str, reference: &Value, field: &str, value: Value) -> Answer {
        let whole = json!({"op": "test", "path": "", "from": "", "value": reference});
        self.call("PATCH", path, json!([whole, op("add", field, &value)])).await
    }

    /// A stream of bytes, as uploads are: without a length when it is not known.
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> Answer {
        let chunks = bytes.chunks(1000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>();
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let request = self.daemon.anonymous("POST", &format!("/api/v3/{path}")).bearer_auth(&self.token);
        answer(request.header("Content-Type", "application/octet-stream").body(body)).await
    }

    /// A download; its answer need not be JSON.
    pub async fn download(&self, path: &str) -> Answer {
        let request = self.daemon.anonymous("GET", &format!("/api/v3/{path}")).bearer_auth(&self.token);
        answer(request.header("Accept", "application/octet-stream")).await
    }
}

/// An operation as the client writes it: all four keys are always there.
pub fn op(op: &str, field: &str, value: &Value) -> Value {
    json!({"op": op, "path": format!("/{field}"), "from": "", "value": value})
}

/// The headers of every call.
pub fn headers(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header("Accept", "application/json").header("Cache-Control", "no-store")
}

pub fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(is_json(answer), "{}", answer.header("content-type"));
    answer.json()
}

/// The client takes nothing else, with or without a character set behind it.
fn is_json(answer: &Answer) -> bool {
    answer.header("content-type").split(';').next() == Some("application/json")
}
