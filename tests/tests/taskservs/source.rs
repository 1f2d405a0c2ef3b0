//! Where machines fetch from: a web server on loopback, and what it holds.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// As releases call the architecture of this host.
pub const ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Clone)]
pub struct Source {
    files: Files,
    asked: Arc<Mutex<Vec<String>>>,
    port: u16,
}

impl Source {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let source = Self { files: Files::default(), asked: Arc::default(), port };
        let app = axum::Router::new().fallback(answer).with_state(source.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        source
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.lock().unwrap().insert(path.to_owned(), content.into());
    }

    /// Puts a file with its checksum beside it.
    pub fn release(&self, path: &str, content: Vec<u8>) {
        let name = path.rsplit('/').next().unwrap();
        self.put(&format!("{path}.sha256sum"), format!("{}  {name}\n", sha256(&content)));
        self.put(path, content);
    }

    /// Paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn answer(State(source): State<Source>, uri: Uri) -> Response {
    let path = uri.path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
    source.asked.lock().unwrap().push(path.clone());
    match source.files.lock().unwrap().get(&path) {
        Some(content) => content.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub fn sha256(content: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let output = Command::new("sha256sum").arg(file.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// A `.tar.gz` of a folder.
pub fn archive(folder: &Path) -> Vec<u8> {
    let output = Command::new("tar").args(["-czf", "-", "-C"]).arg(folder).arg(".").output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// An archive laid out like containerd's: a daemon that listens on the socket of its configuration, and `ctr` that asks it.
pub fn containerd(version: &str, well: bool) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let daemon = format!(
        r#"#!/usr/bin/env python3
# containerd {version}
import os, re, socket, sys
config = open(sys.argv[sys.argv.index("--config") + 1]).read()
address = re.search(r'address = "([^"]*)"', config).group(1)
os.makedirs(os.path.dirname(address), exist_ok=True)
if os.path.exists(address): os.remove(address)
listener = socket.socket(socket.AF_UNIX)
listener.bind(address)
listener.listen()
while True:
    peer, _ = listener.accept()
    peer.sendall(b"{version}" if {well} else b"")
    peer.close()
"#,
        well = if well { "True" } else { "False" }
    );
    let client = r#"#!/usr/bin/env python3
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[sys.argv.index("--address") + 1])
version = peer.recv(100).decode()
print("Server:\n  Version:  " + version)
sys.exit(0 if version else 1)
"#;
    for (name, text) in
        [("containerd", daemon.as_str()), ("ctr", client), ("containerd-shim-runc-v2", "#!/bin/sh\nexit 0\n")]
    {
        std::fs::write(bin.join(name), text).unwrap();
    }
    archive(dir.path())
}
