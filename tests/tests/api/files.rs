//! Files, images, and the file server (wire-protocol §3.9).

use drp_tests::daemon::{Daemon, answer};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_stored_listed_and_served() {
    let daemon = Daemon::start();
    for (area, shown) in [("files", "/greet/hello.txt"), ("isos", "greet/hello.txt")] {
        let path = format!("/api/v3/{area}/greet/hello.txt");
        let upload = daemon
            .request("POST", &path)
            .header("content-type", "application/octet-stream")
            .body("hello world");
        let got = answer(upload).await;
        assert_eq!((got.status, got.json()), (201, json!({"Path": shown, "Size": 11})));
        assert_eq!(daemon.get(&format!("{area}?path=greet")).await, json!(["hello.txt"]));
        let listed = daemon.get(area).await;
        assert!(listed.as_array().unwrap().contains(&json!("greet/")), "{listed}");
        assert!(
            daemon
                .get(&format!("{area}?all=true"))
                .await
                .as_array()
                .unwrap()
                .contains(&json!("greet/hello.txt"))
        );

        let whole = daemon.call("GET", &path, Value::Null).await;
        assert_eq!((whole.status, whole.text().as_str()), (200, "hello world"));
        let tag = whole.header("etag").to_owned();
        assert!(tag.starts_with("\"SHA256:"), "{tag}");
        let head = daemon.call("HEAD", &path, Value::Null).await;
        assert_eq!((head.status, head.header("content-length")), (200, "11"));
        assert_eq!(format!("\"SHA256:{}\"", head.header("x-drp-sha256sum")), tag);
        assert_eq!(answer(daemon.request("GET", &path).header("if-none-match", &tag)).await.status, 304);
        let part = answer(daemon.request("GET", &path).header("range", "bytes=6-")).await;
        assert_eq!(
            (part.status, part.text().as_str(), part.header("content-range")),
            (206, "world", "bytes 6-10/11")
        );
        assert_eq!(answer(daemon.request("GET", &path).header("range", "bytes=50-")).await.status, 416);

        let open = answer(daemon.http.get(format!("{}/{area}/greet/hello.txt", daemon.files))).await;
        assert_eq!((open.status, open.text().as_str()), (200, "hello world"));

        let gone = daemon.call("DELETE", &path, Value::Null).await;
        assert_eq!((gone.status, gone.bytes.len()), (204, 0));
        for (method, message) in [("GET", "Not a regular file"), ("DELETE", "Unable to delete")] {
            let missing = daemon.call(method, &path, Value::Null).await;
            assert_eq!((missing.status, &missing.json()["Messages"]), (404, &json!([message])));
            assert_eq!(missing.json()["Key"], "/greet/hello.txt");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_files_is_reached() {
    let daemon = Daemon::start();
    for path in ["../drp.db", "..%2fdrp.db", "%2e%2e/drp.db", "%2fetc/passwd", "a/..%2f..%2fdrp.db"] {
        let got = daemon.call("GET", &format!("/api/v3/files/{path}"), Value::Null).await;
        assert_eq!(got.status, 404, "{path}");
        let got = answer(daemon.http.get(format!("{}/files/{path}", daemon.files))).await;
        assert_eq!(got.status, 404, "{path}");
        let upload = daemon.request("POST", &format!("/api/v3/files/{path}"));
        let got = answer(upload.header("content-type", "application/octet-stream").body("x")).await;
        assert!(matches!(got.status, 400 | 404), "{path}: {}", got.status);
    }
    for path in ["drp.db", "tls/server.key", "admin-password", "plugins/x"] {
        assert_eq!(answer(daemon.http.get(format!("{}/{path}", daemon.files))).await.status, 404, "{path}");
    }
    assert_eq!(answer(daemon.http.post(format!("{}/files/x", daemon.files))).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_come_as_forms_too_and_bad_ones_are_refused() {
    let daemon = Daemon::start();
    let form = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nin a form\r\n--XX--\r\n";
    let upload = daemon
        .request("POST", "/api/v3/files/form")
        .header("content-type", "multipart/form-data; boundary=XX")
        .body(form);
    assert_eq!(answer(upload).await.json()["Size"], 9);
    assert_eq!(daemon.call("GET", "/api/v3/files/form", Value::Null).await.text(), "in a form");
    let json = daemon.call("POST", "/api/v3/files/form", json!({})).await;
    assert_eq!(json.status, 415, "{}", json.text());
    let below = daemon
        .request("POST", "/api/v3/files/form/below")
        .header("content-type", "application/octet-stream")
        .body("x");
    let got = answer(below).await;
    assert_eq!(
        (got.status, &got.json()["Messages"]),
        (409, &json!(["Failed to ensure final directory for form/below exists"]))
    );
    assert!(
        !daemon.base().join("files").read_dir().unwrap().any(|e| e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.'))
    );
}
