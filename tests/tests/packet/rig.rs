//! A daemon with the plugin, and the service.

use drp_tests::daemon::{Answer, Builder, Daemon};
use drp_tests::peers::metal::{KEY, MetalApi, Scheme};
use serde_json::{Value, json};

pub struct Rig {
    pub daemon: Daemon,
    pub metal: MetalApi,
}

/// Params of the plugin object, in a hurry.
pub fn params(metal: &MetalApi, more: Value) -> Value {
    let mut params = json!({
        "packet/api-key": KEY,
        "packet/api-url": metal.url(),
        "packet/timeout": 2,
        "packet/poll-interval": 0.03,
        "packet/verify-timeout": 2,
        "packet/provision-timeout": 30,
        "packet/refresh-interval": 0,
    });
    if !metal.authority().is_empty() {
        params["packet/tls-ca"] = json!(metal.authority());
    }
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    params
}

pub fn builder() -> Builder {
    Daemon::builder().plugin("packet-ipmi")
}

/// Makes the plugin object `metal`.
pub async fn configure(daemon: &Daemon, params: Value) {
    let object = json!({"Name": "metal", "Provider": "packet-ipmi", "Params": params});
    daemon.expect(201, "POST", "plugins", object).await;
}

impl Rig {
    pub async fn start() -> Self {
        Self::with(Scheme::Http, json!({})).await
    }

    pub async fn with(scheme: Scheme, more: Value) -> Self {
        Self::on(MetalApi::start(scheme).await, more).await
    }

    pub async fn on(metal: MetalApi, more: Value) -> Self {
        let daemon = builder().start();
        configure(&daemon, params(&metal, more)).await;
        daemon.wait_plugin("metal").await;
        Self { daemon, metal }
    }

    /// An action of the plugin object.
    pub async fn plugin(&self, command: &str, params: Value) -> Answer {
        self.daemon.call("POST", &format!("/api/v3/plugins/metal/actions/{command}"), params).await
    }

    /// An action of a machine.
    pub async fn act(&self, machine: &str, command: &str) -> Answer {
        let path = format!("/api/v3/machines/Name:{machine}/actions/{command}");
        self.daemon.call("POST", &path, json!({})).await
    }

    /// An action of a machine that goes well.
    pub async fn good(&self, machine: &str, command: &str) -> Value {
        let answer = self.act(machine, command).await;
        assert_eq!(answer.status, 200, "{command}: {}\n{}", answer.text(), self.daemon.log());
        answer.json()
    }

    /// Makes a machine of the plugin; its device comes.
    pub async fn order(&self, name: &str, more: Value) -> String {
        let mut params = json!({"machine-plugin": "metal"});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        let machine =
            self.daemon.expect(201, "POST", "machines", json!({"Name": name, "Params": params})).await;
        machine["Uuid"].as_str().unwrap().to_owned()
    }

    /// A machine with an active device; gives the device's id.
    pub async fn active(&self, name: &str) -> String {
        self.order(name, json!({})).await;
        let machine = self.state(name, "active").await;
        machine["Params"]["packet/uuid"].as_str().unwrap().to_owned()
    }

    /// Waits for a state of a machine, and gives the machine.
    pub async fn state(&self, name: &str, state: &str) -> Value {
        state_of(&self.daemon, name, state).await
    }

    pub async fn machine(&self, name: &str) -> Value {
        self.daemon.get(&format!("machines/Name:{name}")).await
    }

    /// How many devices were ordered, and how many there are.
    pub fn devices(&self) -> usize {
        self.metal.world().ids().len()
    }
}

pub async fn state_of(daemon: &Daemon, name: &str, state: &str) -> Value {
    let path = format!("machines/Name:{name}");
    daemon.wait_for(&path, |a| a.status == 200 && a.json()["Params"]["packet/state"] == state).await.json()
}

/// An error with that code and type, whose messages hold these words and say whose fault it is and what to do.
pub fn refused(answer: &Answer, code: u16, kind: &str, words: &[&str]) {
    let text = answer.text();
    assert_eq!(answer.status, code, "{text}");
    let error = answer.json();
    assert_eq!((&error["Type"], &error["Code"]), (&json!(kind), &json!(code)), "{text}");
    for word in words.iter().chain(&["Whose fault:", "What to do:"]) {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}
