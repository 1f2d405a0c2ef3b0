//! A machine's agent: asks for jobs with its machine's token, runs their scripts, reports.

use crate::daemon::{Daemon, binary};
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// How long one script may take.
const SCRIPT_WITHIN: Duration = Duration::from_secs(120);

/// How a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The workflow is complete.
    Complete,
    /// The machine must boot into another environment, or another context.
    Moved,
    /// The machine is not runnable.
    Stopped,
    /// A job asked for a reboot.
    Reboot,
}

/// An agent of one machine, as `drpcli machines processjobs` is one.
pub struct Agent<'a> {
    daemon: &'a Daemon,
    machine: String,
    token: String,
    root: &'a Path,
    env: Vec<(String, String)>,
}

impl<'a> Agent<'a> {
    /// An agent whose files land below a directory.
    pub async fn boot(daemon: &'a Daemon, machine: &str, root: &'a Path) -> Self {
        let token = daemon.get(&format!("machines/{machine}/token?ttl=3y")).await;
        let token = token["Token"].as_str().unwrap().to_owned();
        Self { daemon, machine: machine.to_owned(), token, root, env: Vec::new() }
    }

    /// With a variable in the environment of its scripts.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the command line as `drpcli`, in `bin` below its directory and first on the `PATH` of its scripts, and with the
    /// variables that runners give them. What else a test puts into `bin` goes before what the host has.
    #[must_use]
    pub fn with_cli(self) -> Self {
        let bin = self.root.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        symlink(binary("drp"), bin.join("drpcli")).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let (endpoint, uuid) = (self.daemon.api.clone(), self.machine.clone());
        let pin = self.daemon.base().join("tls/server.crt");
        self.env("PATH", &path)
            .env("RS_ENDPOINT", &endpoint)
            .env("RS_UUID", &uuid)
            .env("DRP_PIN", &pin.display().to_string())
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.daemon.anonymous(method, &format!("/api/v3/{path}")).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn ask(&self) -> Response {
        self.request("POST", "jobs").json(&json!({"Machine": self.machine})).send().await.unwrap()
    }

    /// One job, or the end.
    pub async fn step(&self) -> Result<Value, End> {
        let answer = self.ask().await;
        match answer.status() {
            StatusCode::NO_CONTENT => {
                let machine = self.get(&format!("machines/{}", self.machine)).await;
                Err(if machine["WorkflowComplete"] == true { End::Complete } else { End::Moved })
            }
            StatusCode::CONFLICT => Err(End::Stopped),
            StatusCode::CREATED | StatusCode::ACCEPTED => Ok(answer.json().await.unwrap()),
            other => panic!("POST jobs: {other}: {}", answer.text().await.unwrap()),
        }
    }

    /// Sets the state and the exit state of a job.
    pub async fn patch(&self, job: &str, state: &str, exit: &str) -> Value {
        let patch = json!([
            {"op": "replace", "path": "/State", "from": "", "value": state},
            {"op": "replace", "path": "/ExitState", "from": "", "value": exit},
        ]);
        let answer = self.request("PATCH", &format!("jobs/{job}")).json(&patch).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Adds to the log of a job.
    pub async fn log(&self, job: &str, text: Vec<u8>) {
        let put = self.request("PUT", &format!("jobs/{job}/log"));
        let answer = put.header(CONTENT_TYPE, "application/octet-stream").body(text).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// Runs what a job is about; its state and exit state.
    async fn run(&self, job: &str, token: &str) -> (&'static str, &'static str) {
        let actions = self.get(&format!("jobs/{job}/actions?os=linux")).await;
        for action in actions.as_array().unwrap() {
            let (path, content) = (action["Path"].as_str().unwrap(), action["Content"].as_str().unwrap());
            if !path.is_empty() {
                std::fs::write(self.root.join(path), content).unwrap();
                continue;
            }
            // In a file: a script may hold secrets, and arguments are for everybody to read.
            let script = self.root.join(".script");
            std::fs::write(&script, content).unwrap();
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
            let mut command = match content.starts_with("#!") {
                true => Command::new(&script),
                false => Command::new("sh"),
            };
            if !content.starts_with("#!") {
                command.arg(&script);
            }
            command.envs(self.env.iter().cloned()).env("RS_TOKEN", token).env("RS_JOB_UUID", job);
            command.stdin(std::process::Stdio::null()).current_dir(self.root).kill_on_drop(true);
            let output = tokio::time::timeout(SCRIPT_WITHIN, command.output());
            let output = output.await.expect("a script that ends").unwrap();
            self.log(job, [output.stdout, output.stderr].concat()).await;
            // The exit codes of runners.
            match output.status.code() {
                Some(0) => {}
                Some(16) => return ("finished", "stop"),
                Some(64) => return ("finished", "reboot"),
                Some(128) => return ("incomplete", ""),
                _ => return ("failed", "failed"),
            }
        }
        ("finished", "complete")
    }

    /// Works until there is nothing more to do.
    pub async fn walk(&self) -> End {
        for _ in 0..200 {
            let job = match self.step().await {
                Ok(job) => job,
                Err(end) => return end,
            };
            let id = job["Uuid"].as_str().unwrap();
            if matches!(job["State"].as_str().unwrap(), "finished" | "failed") {
                continue;
            }
            self.patch(id, "running", "").await;
            let token = job["Token"].as_str().filter(|token| !token.is_empty()).unwrap_or(&self.token);
            let (state, exit) = self.run(id, token).await;
            self.patch(id, state, exit).await;
            if exit == "reboot" {
                return End::Reboot;
            }
        }
        panic!("200 jobs and no end")
    }
}
