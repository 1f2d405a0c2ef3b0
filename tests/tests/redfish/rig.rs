//! The ipmi plugin with a scripted daemon, and simulated BMCs that speak Redfish.

use drp_bmc_sim::{BmcConfig, Profile, Simulator};
use drp_plugin_testkit::{FakeDaemon, RunningPlugin};
use drp_protocol::{Error, Secret};
use drp_redfish::{Client, Target, Trust};
use drp_tests::daemon::binary;
use serde_json::{Value, json};
use std::time::Duration;

pub use drp_tests::peers::{PASSWORD, USER};

/// A configured plugin.
pub struct Rig {
    // Kept: the plugin talks to it until it stops.
    _daemon: FakeDaemon,
    plugin: RunningPlugin,
}

impl Rig {
    pub async fn start() -> Self {
        let daemon = FakeDaemon::start().await.unwrap();
        let plugin = daemon.launch(binary("ipmi"), "ipmi").await.unwrap();
        plugin.config(json!({})).await.unwrap().success().unwrap();
        Self { _daemon: daemon, plugin }
    }

    /// Runs an action with exactly these params.
    pub async fn raw(&self, command: &str, params: Value) -> Result<Value, Error> {
        let machine = json!({"Name": "m1", "Uuid": "3e7031fe-3062-45f1-835c-92541bc9cbd3"});
        let answer = self.plugin.action_on("machines", machine, command, params).await.unwrap();
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.error().unwrap()) }
    }

    /// Runs an action on that BMC, with more params.
    pub async fn on(&self, bmc: &Simulator, command: &str, more: Value) -> Result<Value, Error> {
        let mut params = login(bmc);
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        self.raw(command, params).await
    }

    /// Runs an action that has to succeed.
    pub async fn good(&self, bmc: &Simulator, command: &str) -> Value {
        self.on(bmc, command, json!({})).await.unwrap_or_else(|e| panic!("{command}: {e}"))
    }

    /// Stops the plugin as a daemon does.
    pub async fn stop(mut self) {
        assert!(self.plugin.stop().await.unwrap().success());
    }
}

/// Params that lead to a BMC by Redfish.
pub fn login(bmc: &Simulator) -> Value {
    let address = bmc.redfish_address().unwrap();
    json!({
        "ipmi/address": address.ip().to_string(),
        "ipmi/port-redfish": address.port(),
        "ipmi/username": USER,
        "ipmi/password": PASSWORD,
        "ipmi/mode": "redfish",
        "ipmi/tls-verify": "plain",
        "ipmi/min-gap": 0,
        "ipmi/redfish-timeout": 2,
        "ipmi/verify-timeout": 8,
        "ipmi/soft-timeout": 1,
    })
}

/// A simulated BMC of that profile, its machine off, without IPMI.
pub async fn simulator(profile: &str, change: impl FnOnce(&mut BmcConfig)) -> Simulator {
    let profile = Profile::named(profile).unwrap();
    let mut config =
        BmcConfig { ipmi: false, ..BmcConfig::new(USER, PASSWORD.to_owned()).with_redfish(profile) };
    change(&mut config);
    Simulator::start(config).await.unwrap()
}

/// Where it is, for the client alone.
pub fn target(bmc: &Simulator) -> Target {
    let mut target = Target::new("127.0.0.1", USER, Secret::new(PASSWORD.to_owned()));
    target.port = bmc.redfish_address().unwrap().port();
    target.trust = Trust::Plain;
    target.timeout = Duration::from_secs(5);
    target
}

/// A client that is logged in.
pub async fn client(bmc: &Simulator) -> Client {
    Client::connect(&target(bmc)).await.unwrap()
}

/// The errors of the attempts, in order.
pub fn attempts(outcome: &Value) -> Vec<&str> {
    outcome["attempts"].as_array().unwrap().iter().map(|a| a["error"].as_str().unwrap()).collect()
}
