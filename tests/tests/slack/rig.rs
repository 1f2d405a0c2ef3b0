//! A daemon with the plugin, and the stand-in.

use drp_tests::daemon::{Answer, Daemon};
use drp_tests::peers::slack::{Request, Slack, TOKEN};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Name of the plugin object.
pub const NAME: &str = "bell";

pub struct Rig {
    pub slack: Slack,
    pub daemon: Daemon,
}

impl Rig {
    /// A configured plugin that tells `#ops`, with more or other params.
    pub async fn start(more: Value) -> Self {
        Self::with(Slack::start().await, more).await
    }

    pub async fn with(slack: Slack, more: Value) -> Self {
        let daemon = daemon();
        create(&daemon, params(&slack, more)).await;
        daemon.wait_plugin(NAME).await;
        Self { slack, daemon }
    }

    /// Publishes an event of one's own making.
    pub async fn event(&self, kind: &str, action: &str, key: &str, object: Value) {
        let event = json!({"Type": kind, "Action": action, "Key": key, "Object": object});
        self.daemon.expect(204, "POST", "events", event).await;
    }

    pub async fn machine(&self, name: &str) {
        self.daemon.expect(201, "POST", "machines", json!({"Name": name})).await;
    }

    pub async fn act(&self, path: &str, params: Value) -> Answer {
        self.daemon.call("POST", &format!("/api/v3/{path}?plugin={NAME}"), params).await
    }

    /// Gives the plugin object other params, and waits until a new process has them.
    pub async fn reconfigure(&self, params: Value) -> Value {
        let path = format!("plugins/{NAME}");
        let mut plugin = self.daemon.get(&path).await;
        plugin["Params"] = params;
        let before = self.slack.requests().len();
        let stored = self.daemon.expect(200, "PUT", &path, plugin).await;
        // The old one is `configured` until the daemon has looked at the change; the new one checks its credentials.
        let checks = |requests: &[Request]| requests[before..].iter().any(Request::is_check);
        let end = Instant::now() + Duration::from_secs(60);
        while !checks(&self.slack.requests()) {
            assert!(Instant::now() < end, "no new process: {}", self.daemon.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.daemon.wait_plugin(NAME).await;
        stored
    }

    /// Asks for the status until it is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < end, "never {what}: {status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn status(&self) -> Value {
        let answer = self.act("system/actions/slackstatus", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// A daemon with the plugin and one that has faults; no plugin object yet.
pub fn daemon() -> Daemon {
    Daemon::builder().plugin("slack").plugin("stress").start()
}

/// Params for the stand-in: the token, `#ops`, and what else is given; null takes one out.
pub fn params(slack: &Slack, more: Value) -> Value {
    let mut params =
        json!({"slack/bot-key": TOKEN, "slack/api-url": slack.api_url(), "slack/channels": ["#ops"]});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    params.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    params
}

pub async fn create(daemon: &Daemon, params: Value) {
    let plugin = json!({"Name": NAME, "Provider": "slack", "Params": params});
    daemon.expect(201, "POST", "plugins", plugin).await;
}

/// Waits until the plugin object says what is wrong.
pub async fn errors(daemon: &Daemon) -> String {
    let has =
        |answer: &Answer| answer.json()["PluginErrors"].as_array().is_some_and(|errors| !errors.is_empty());
    daemon.wait_for(&format!("plugins/{NAME}"), has).await.json()["PluginErrors"].to_string()
}

/// How many events the messages of a channel tell.
pub fn told(messages: &[drp_tests::peers::slack::Message], channel: &str) -> usize {
    let count = |text: &str| {
        let digest = text.strip_prefix('*').and_then(|rest| rest.split_once(" events*"));
        digest.and_then(|(count, _)| count.parse::<usize>().ok()).unwrap_or(1)
    };
    messages.iter().filter(|message| message.channel == channel).map(|message| count(message.text())).sum()
}
