//! A daemon with the plugin and a VirtualBox, on this host or behind `sshd`.

use drp_tests::daemon::{Builder, Daemon, answer};
use drp_tests::peers::{Sshd, VirtualBox};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use std::time::Duration;

pub const UUID: &str = "8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f9a8b";

/// How the plugin gets to VirtualBox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Local,
    Ssh,
}

pub struct Rig {
    pub daemon: Daemon,
    pub vbox: VirtualBox,
    pub sshd: Option<Sshd>,
}

/// Params of the plugin object, without the key.
pub fn settings(sshd: Option<&Sshd>) -> Value {
    let own = User::from_uid(Uid::effective()).unwrap().unwrap().name;
    let mut params = json!({"virtualbox/user": own, "virtualbox/start-gap": 0, "virtualbox/timeout": 20});
    if let Some(sshd) = sshd {
        params["virtualbox/host"] = json!("127.0.0.1");
        params["virtualbox/ssh-port"] = json!(sshd.port());
        params["virtualbox/ssh-known-hosts"] = json!(sshd.known_hosts());
    }
    params
}

/// A daemon that finds the stand-in.
pub fn builder(vbox: &VirtualBox, way: Way) -> Builder {
    // Over SSH, the daemon's own host has none.
    let path = if way == Way::Local {
        format!("{}:/usr/bin:/bin", vbox.bin().display())
    } else {
        "/usr/bin:/bin".into()
    };
    Daemon::builder().plugin("virtualbox-ipmi").env("PATH", path)
}

/// Makes the plugin object `vbox`; the key is set before it can start.
pub async fn make_plugin(daemon: &Daemon, params: Value, key: Option<String>) {
    daemon.wait_for("plugin_providers/virtualbox-ipmi", |answer| answer.status == 200).await;
    let mut params = params;
    if let Some(key) = key {
        params["virtualbox/ssh-key"] = json!(key);
    }
    let plugin = json!({"Name": "vbox", "Provider": "virtualbox-ipmi", "Params": params});
    let made = daemon.expect(201, "POST", "plugins", plugin).await;
    assert!(!made.to_string().contains("OPENSSH PRIVATE KEY"), "the daemon answers with the sealed value");
}

/// What the plugin object says is wrong with it.
pub async fn plugin_errors(daemon: &Daemon) -> String {
    let plugin = daemon.wait_for("plugins/vbox", |answer| {
        answer.json()["PluginErrors"].as_array().is_some_and(|errors| !errors.is_empty())
    });
    plugin.await.json()["PluginErrors"].to_string()
}

impl Rig {
    /// With more params of the plugin object, and something done to VirtualBox before it starts.
    pub async fn with(way: Way, more: Value, before: impl FnOnce(&VirtualBox)) -> Option<Self> {
        let vbox = VirtualBox::start()?;
        let sshd = match way {
            Way::Local => None,
            Way::Ssh => Some(Sshd::start(&vbox.bin())?),
        };
        before(&vbox);
        let daemon = builder(&vbox, way).start();
        let mut params = settings(sshd.as_ref());
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        make_plugin(&daemon, params, sshd.as_ref().map(Sshd::key)).await;
        daemon.wait_plugin("vbox").await;
        Some(Self { daemon, vbox, sshd })
    }

    /// With one machine `node 1`, imported.
    pub async fn start(way: Way) -> Option<Self> {
        let rig = Self::with(way, json!({}), |vbox| vbox.add("node 1", UUID)).await?;
        rig.daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
        Some(rig)
    }

    /// Runs an action on `node 1` with more params.
    pub async fn act(&self, verb: &str, params: Value) -> (u16, Value) {
        self.post(&format!("machines/Name:node%201/actions/{verb}"), params).await
    }

    /// Runs an action on the plugin object.
    pub async fn on_plugin(&self, verb: &str, params: Value) -> (u16, Value) {
        self.post(&format!("plugins/vbox/actions/{verb}"), params).await
    }

    async fn post(&self, path: &str, params: Value) -> (u16, Value) {
        let request = self.daemon.request("POST", &format!("/api/v3/{path}"));
        let done = answer(request.json(&params).timeout(Duration::from_secs(120))).await;
        (done.status, done.json())
    }

    /// One that has to succeed.
    pub async fn good(&self, verb: &str, params: Value) -> Value {
        let (status, result) = self.act(verb, params).await;
        assert_eq!(status, 200, "{verb}: {result}\n{}", self.daemon.log());
        result
    }

    /// One that has to fail so.
    pub async fn bad(&self, verb: &str, params: Value, code: u16, kind: &str) -> String {
        let (status, result) = self.act(verb, params).await;
        is_error(status, &result, code, kind)
    }
}

/// The messages of an error of that code and type.
pub fn is_error(status: u16, result: &Value, code: u16, kind: &str) -> String {
    assert_eq!((status, result["Type"].as_str().unwrap_or_default()), (code, kind), "{result}");
    let messages = result["Messages"].as_array().unwrap();
    let text = messages.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
    assert!(text.contains("Whose fault: ") && text.contains("What to do: "), "{text}");
    text
}

/// Whether a process is there, and not a dead one that nobody has asked for.
pub fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
