//! Every example of the document, played in its order.

use drp_tests::daemon::{Answer, Daemon, USER, answer};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

struct Example {
    method: String,
    template: String,
    value: Value,
}

fn examples(document: &Value) -> Vec<Example> {
    let mut all = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for value in operation["x-examples"].as_array().into_iter().flatten() {
                let (method, template) = (method.to_ascii_uppercase(), template.clone());
                all.push(Example { method, template, value: value.clone() });
            }
        }
    }
    all.sort_by_key(|example| example.value["step"].as_u64().unwrap());
    all
}

/// Whether `whole` has all that `part` names.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| contains(whole, value)))
        }
        _ => whole == part,
    }
}

async fn send(daemon: &Daemon, method: &str, example: &Value) -> Answer {
    let path = example["path"].as_str().unwrap();
    if example["local"] == true {
        return over_socket(daemon, method, path).await;
    }
    let open = !path.starts_with("/api/") || path.ends_with("/openapi.json");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = http.tls_danger_accept_invalid_certs(true).build().unwrap();
    let mut request = http.request(method.parse().unwrap(), format!("{}{path}", daemon.api));
    if !open {
        request = request.basic_auth(USER.0, Some(USER.1));
    }
    for (name, value) in example["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap());
    }
    if let Some(text) = example["bytes"].as_str() {
        request = request.header("content-type", "application/octet-stream").body(text.to_owned());
    } else if let Some(body) = example.get("body") {
        request = request.json(body);
    }
    answer(request).await
}

async fn over_socket(daemon: &Daemon, method: &str, path: &str) -> Answer {
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build::<_, Full<bytes::Bytes>>(hyperlocal::UnixConnector);
    let uri: hyper::Uri = hyperlocal::Uri::new(&daemon.socket, path).into();
    let request = hyper::Request::builder().method(method).uri(uri).body(Full::default()).unwrap();
    let response = client.request(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    Answer { status, headers, bytes }
}

/// Whether the answer has a content type that the document names for its status.
fn documented(document: &Value, example: &Example, got: &Answer) -> Result<(), String> {
    let operation = &document["paths"][&example.template][example.method.to_ascii_lowercase()];
    let mut answer = &operation["responses"][got.status.to_string()];
    if let Some(link) = answer["$ref"].as_str() {
        answer = document.pointer(&link[1..]).unwrap();
    }
    let kind = got.header("content-type").split(';').next().unwrap_or_default();
    match answer["content"].as_object() {
        Some(content) if content.contains_key(kind) || content.contains_key("*/*") => Ok(()),
        Some(_) if got.bytes.is_empty() => Ok(()),
        Some(content) => Err(format!("content type {kind}, documented {:?}", content.keys())),
        None if got.bytes.is_empty() => Ok(()),
        None => Err("a body where none is documented".to_owned()),
    }
}

#[tokio::test]
async fn every_example_of_the_document_is_true() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let plugin = json!({"Name": "incrementer", "Provider": "incrementer"});
    daemon.expect(201, "POST", "plugins", plugin).await;
    daemon.wait_plugin("incrementer").await;
    let document = answer(daemon.anonymous("GET", "/openapi.json")).await.json();
    let examples = examples(&document);
    assert!(examples.len() > 300, "only {} examples", examples.len());
    let mut wrong = Vec::new();
    for example in &examples {
        let Example { method, value, .. } = example;
        let path = value["path"].as_str().unwrap();
        let got = send(&daemon, method, value).await;
        let said = format!("{method} {path} {}\n  -> {} {:.600}", value["body"], got.status, got.text());
        if got.status != value["status"].as_u64().unwrap() as u16 {
            wrong.push(format!("expected {}: {said}", value["status"]));
            continue;
        }
        if !value["answer"].is_null() && !contains(&got.json(), &value["answer"]) {
            wrong.push(format!("expected {}: {said}", value["answer"]));
        }
        if let Err(what) = documented(&document, example, &got) {
            wrong.push(format!("{what}: {said}"));
        }
        if got.header("x-request-id").is_empty() {
            wrong.push(format!("no X-Request-Id: {said}"));
        }
        if document["paths"][&example.template]["head"].is_object() && method == "GET" {
            let head = send(&daemon, "HEAD", value).await;
            if head.status != got.status || !head.bytes.is_empty() {
                wrong.push(format!("HEAD differs with {}: {said}", head.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
}
