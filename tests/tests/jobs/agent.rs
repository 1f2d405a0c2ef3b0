//! A machine's agent: asks for jobs with its machine's token, runs their scripts, reports.

use drp_tests::daemon::Daemon;
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use std::path::Path;
use tokio::process::Command;

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

pub struct Agent<'a> {
    daemon: &'a Daemon,
    machine: String,
    token: String,
    root: &'a Path,
}

impl<'a> Agent<'a> {
    /// An agent whose files land below a directory.
    pub async fn boot(daemon: &'a Daemon, machine: &str, root: &'a Path) -> Self {
        let token = daemon.get(&format!("machines/{machine}/token?ttl=3y")).await;
        let token = token["Token"].as_str().unwrap().to_owned();
        Self { daemon, machine: machine.to_owned(), token, root }
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

    pub async fn patch(&self, job: &str, state: &str, exit: &str) -> Value {
        let patch = json!([
            {"op": "replace", "path": "/State", "from": "", "value": state},
            {"op": "replace", "path": "/ExitState", "from": "", "value": exit},
        ]);
        let answer = self.request("PATCH", &format!("jobs/{job}")).json(&patch).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    pub async fn log(&self, job: &str, text: Vec<u8>) {
        let put = self.request("PUT", &format!("jobs/{job}/log"));
        let answer = put.header(CONTENT_TYPE, "application/octet-stream").body(text).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// Runs what a job is about; its state and exit state.
    async fn run(&self, job: &str) -> (&'static str, &'static str) {
        let actions = self.get(&format!("jobs/{job}/actions?os=linux")).await;
        for action in actions.as_array().unwrap() {
            let (path, content) = (action["Path"].as_str().unwrap(), action["Content"].as_str().unwrap());
            if !path.is_empty() {
                std::fs::write(self.root.join(path), content).unwrap();
                continue;
            }
            let output =
                Command::new("sh").args(["-c", content]).current_dir(self.root).output().await.unwrap();
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
            let (state, exit) = self.run(id).await;
            self.patch(id, state, exit).await;
            if exit == "reboot" {
                return End::Reboot;
            }
        }
        panic!("200 jobs and no end")
    }
}
