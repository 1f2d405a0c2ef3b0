//! The mock cloud that ships with the provider `mockcloud`, started by tests: `extensions/providers/mockcloud/api`.

use super::process::{Running, wait_until};
use crate::daemon::binary;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// The key of the account: a canary, it must turn up nowhere.
pub const CLOUD_KEY: &str = "cloud-key-canary-2718";

/// A running cloud.
#[derive(Debug)]
pub struct MockCloud {
    /// Where it listens.
    pub url: String,
    running: Running,
    _dir: tempfile::TempDir,
}

impl MockCloud {
    /// Starts one whose servers take `delay` to change.
    #[must_use]
    pub fn start(delay: Duration) -> Self {
        let dir = tempfile::Builder::new().prefix("cloud-").tempdir().expect("a temporary folder");
        let key = dir.path().join("key");
        std::fs::write(&key, CLOUD_KEY).expect("its key");
        let mut command = Command::new(binary("drp-mockcloud"));
        command.arg("--key-file").arg(key).arg("--delay").arg(delay.as_millis().to_string());
        let running = Running::start(command, dir.path(), "mockcloud");
        let ready = || running.output().lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        assert!(wait_until(Duration::from_secs(20), || ready().is_some()), "{}", running.output());
        let url = ready().expect("its address")["url"].as_str().expect("its address").to_owned();
        Self { url, running, _dir: dir }
    }

    /// Asks it something with the key. Gives status and body.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse::<reqwest::Method>().expect("a method");
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
        let answer = request.bearer_auth(CLOUD_KEY).json(&body).send().await.expect("the mock cloud answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Lets things go wrong from now on.
    pub async fn faults(&self, faults: Value) {
        assert_eq!(self.ask("PUT", "/mock/faults", faults).await.0, 200);
    }

    /// The servers that it has.
    pub async fn servers(&self) -> Vec<Value> {
        self.ask("GET", "/servers", Value::Null).await.1.as_array().cloned().unwrap_or_default()
    }

    /// What it has said.
    #[must_use]
    pub fn output(&self) -> String {
        self.running.output()
    }
}
