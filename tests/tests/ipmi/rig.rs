//! The plugin with a scripted daemon and a BMC.

use drp_bmc_sim::{BmcConfig, Simulator};
use drp_plugin_testkit::{FakeDaemon, RunningPlugin};
use drp_protocol::Error;
use drp_tests::daemon::binary;
use serde_json::{Value, json};
use std::net::SocketAddr;

pub use drp_tests::peers::{PASSWORD, USER};

/// A configured plugin.
pub struct Rig {
    pub daemon: FakeDaemon,
    pub plugin: RunningPlugin,
}

impl Rig {
    pub async fn start() -> Self {
        let daemon = FakeDaemon::start().await.unwrap();
        let plugin = daemon.launch(binary("ipmi"), "ipmi").await.unwrap();
        plugin.config(json!({})).await.unwrap().success().unwrap();
        Self { daemon, plugin }
    }

    /// Runs an action with exactly these params.
    pub async fn raw(&self, command: &str, params: Value) -> Result<Value, Error> {
        let machine = json!({"Name": "m1", "Uuid": "3e7031fe-3062-45f1-835c-92541bc9cbd3"});
        let answer = self.plugin.action_on("machines", machine, command, params).await.unwrap();
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.error().unwrap()) }
    }

    /// Runs an action on the BMC there, quickly, with more params.
    pub async fn on(&self, bmc: SocketAddr, command: &str, more: Value) -> Result<Value, Error> {
        let mut params = login(bmc);
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        self.raw(command, params).await
    }

    /// Runs an action that has to succeed.
    pub async fn good(&self, bmc: SocketAddr, command: &str) -> Value {
        self.on(bmc, command, json!({})).await.unwrap_or_else(|e| panic!("{command}: {e}"))
    }

    /// Stops the plugin as a daemon does.
    pub async fn stop(mut self) {
        assert!(self.plugin.stop().await.unwrap().success());
    }
}

/// Params that lead to a BMC.
pub fn login(bmc: SocketAddr) -> Value {
    json!({
        "ipmi/address": bmc.ip().to_string(),
        "ipmi/port-ipmitool": bmc.port(),
        "ipmi/username": USER,
        "ipmi/password": PASSWORD,
        "ipmi/mode": "ipmi",
        "ipmi/min-gap": 0,
        "ipmi/timeout": 2,
        "ipmi/verify-timeout": 8,
        "ipmi/soft-timeout": 1,
    })
}

/// A simulated BMC with the usual user, its machine off.
pub async fn simulator(change: impl FnOnce(&mut BmcConfig)) -> Simulator {
    let mut config = BmcConfig::new(USER, PASSWORD.to_owned());
    change(&mut config);
    Simulator::start(config).await.unwrap()
}

/// The errors of the attempts, in order.
pub fn attempts(outcome: &Value) -> Vec<&str> {
    outcome["attempts"].as_array().unwrap().iter().map(|a| a["error"].as_str().unwrap()).collect()
}
