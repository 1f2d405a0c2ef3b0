//! `/plugin-apis` (wire-protocol §1.14).

use crate::bench::{Bench, limits};
use axum::Router;
use axum::extract::{Request, State};
use drp_host::{Host, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A little API in front of the host; the third path segment names the plugin.
async fn api(host: &Arc<Host>) -> std::net::SocketAddr {
    async fn pass(State(host): State<Arc<Host>>, request: Request) -> axum::response::Response {
        let plugin = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
        host.forward(&plugin, request, Some("192.0.2.7".parse().unwrap())).await
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(pass).with_state(Arc::clone(host));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn requests_pass_unchanged() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let address = api(&bench.host).await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let request = format!(
            "{method} /plugin-apis/lamp/a%20b/show?x=1&y=%2F HTTP/1.1\r\nHost: drp.example\r\nConnection: close, X-Hop\r\n\
             X-Hop: 1\r\nX-Mine: 2\r\nX-Forwarded-For: 10.1.1.1\r\nTE: trailers\r\nContent-Length: 4\r\n\r\nbody"
        );
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let seen = body(&answer);
        assert_eq!(seen["method"], json!(method));
        assert_eq!(seen["target"], json!("/plugin-apis/lamp/a%20b/show?x=1&y=%2F"));
        assert_eq!(seen["body"], json!("body"));
        let head = seen["head"].as_str().unwrap().to_lowercase();
        assert!(head.contains("x-forwarded-for: 10.1.1.1, 192.0.2.7"), "{head}");
        assert!(head.contains("x-mine: 2") && head.contains("host: drp.example"), "{head}");
        assert!(!head.contains("x-hop") && !head.contains("te: "), "{head}");
    }
    bench.close().await;
}

#[tokio::test]
async fn failures_are_json() {
    let bench = Bench::with(Limits {
        forward_head: Duration::from_millis(200),
        drain: Duration::from_millis(100),
        ..limits()
    })
    .await;
    bench.run("lamp", "").await;
    let address = api(&bench.host).await;
    for (plugin, path, code) in
        [("torch", "x", 404), ("lamp", "unknown", 404), ("lamp", "drop", 502), ("lamp", "hang", 504)]
    {
        let request =
            format!("GET /plugin-apis/{plugin}/{path}?q HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{path}: {answer}");
        let error = body(&answer);
        assert_eq!(error["Code"], json!(code));
        assert_eq!(error["Type"], json!("GET"));
        assert_eq!(error["Key"], json!(format!("/plugin-apis/{plugin}/{path}?q")));
    }
    bench.close().await;
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let mut stream = TcpStream::connect(api(&bench.host).await).await.unwrap();
    let head = "POST /plugin-apis/lamp/stream HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = String::new();
    for piece in ["one", "three"] {
        // Each piece comes back before the next is sent, so nothing waits for the end of a body.
        stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        while !got.contains(piece) {
            let mut buffer = [0; 1024];
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert!(read > 0, "{got}");
            got.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    bench.close().await;
}

#[tokio::test]
async fn upgrades_are_joined() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let mut stream = TcpStream::connect(api(&bench.host).await).await.unwrap();
    let head =
        "GET /plugin-apis/lamp/upgrade HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101 ") && answer.contains("upgrade: echo"), "{answer}");
    for word in ["hello", "again"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, word.to_uppercase().as_bytes());
    }
    // An open upgrade does not hold up the end, and is closed by it.
    bench.host.remove_plugin("lamp").await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    bench.close().await;
}
