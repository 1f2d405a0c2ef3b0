//! The faults file: settings of the BMC and fault rules, YAML or JSON, for both protocols.
//!
//! ```yaml
//! settings:
//!   latency_ms: 30
//!   busy_in_transition: true
//! rules:
//!   - on: redfish-reset
//!     times: 1
//!     effect: {kind: lose-reply}
//! ```

use crate::{BmcConfig, Rule};
use serde::Deserialize;
use std::time::Duration;

/// Settings that may change while a BMC runs. Those left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Before every answer, in milliseconds.
    pub latency_ms: Option<u64>,
    /// From a power command to its effect, in milliseconds.
    pub power_delay_ms: Option<u64>,
    /// From a soft shutdown to power off, in milliseconds.
    pub soft_delay_ms: Option<u64>,
    /// The operating system ignores soft shutdowns.
    pub soft_ignored: Option<bool>,
    /// How long a power cycle stays off, in milliseconds.
    pub cycle_off_ms: Option<u64>,
    /// Session slots, of each protocol.
    pub sessions: Option<usize>,
    /// A session that is silent this long is forgotten, in milliseconds.
    pub session_idle_ms: Option<u64>,
    /// Power commands are refused while an earlier one has not had its effect: 0xC0, or 409.
    pub busy_in_transition: Option<bool>,
    /// A restart of the BMC keeps it away this long: silent over IPMI, 503 with `Retry-After` over Redfish.
    pub boot_ms: Option<u64>,
    /// Cipher suites on offer.
    pub suites: Option<Vec<u8>>,
}

impl Settings {
    /// Puts them into a configuration.
    ///
    /// # Errors
    /// What makes no sense, in words.
    pub fn apply(&self, config: &mut BmcConfig) -> Result<(), String> {
        let set = |place: &mut Duration, ms: Option<u64>| {
            if let Some(ms) = ms {
                *place = Duration::from_millis(ms);
            }
        };
        if let Some(suites) = &self.suites {
            let suite = |id: &u8| {
                drp_ipmi::CipherSuite::from_id(*id)
                    .ok_or_else(|| format!("cipher suite {id} is not simulated; use 3 or 17"))
            };
            config.suites = suites.iter().map(suite).collect::<Result<_, _>>()?;
        }
        set(&mut config.latency, self.latency_ms);
        set(&mut config.power_delay, self.power_delay_ms);
        set(&mut config.cycle_off, self.cycle_off_ms);
        set(&mut config.session_idle, self.session_idle_ms);
        set(&mut config.boot_time, self.boot_ms);
        if let Some(ms) = self.soft_delay_ms {
            config.soft_delay = Some(Duration::from_millis(ms));
        }
        if self.soft_ignored == Some(true) {
            config.soft_delay = None;
        }
        config.sessions = self.sessions.unwrap_or(config.sessions);
        config.busy_in_transition = self.busy_in_transition.unwrap_or(config.busy_in_transition);
        Ok(())
    }
}

/// What a faults file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Settings.
    #[serde(default)]
    pub settings: Settings,
    /// Fault rules, in their order.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

impl Scenario {
    /// Reads YAML or JSON: `settings` and `rules`, or just the list of rules.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn read(text: &str) -> Result<Self, String> {
        let list = text.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
        let list = list.is_some_and(|line| line.starts_with(['[', '-']) && line != "---");
        // JSON is YAML, too; its own reader says more precisely what is wrong with it.
        let json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let rules = |rules| Self { settings: Settings::default(), rules };
        match (json, list) {
            (true, true) => serde_json::from_str(text).map(rules).map_err(|e| e.to_string()),
            (true, false) => serde_json::from_str(text).map_err(|e| e.to_string()),
            (false, true) => serde_yaml_ng::from_str(text).map(rules).map_err(|e| e.to_string()),
            (false, false) => serde_yaml_ng::from_str(text).map_err(|e| e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, On, redfish::Op};

    #[test]
    fn files_read_as_documented() {
        let json = Scenario::read(
            r#"{"rules": [
                {"on": "chassis-control", "times": 1, "effect": {"kind": "lose-reply"}},
                {"on": "0x06/0x01", "skip": 2, "effect": {"kind": "late", "ms": 300}},
                {"effect": {"kind": "completion", "code": 192}}
            ]}"#,
        )
        .unwrap();
        assert_eq!(json.rules[0], Rule::new(On::Command(0, 2), Effect::LoseReply).times(1));
        assert_eq!(json.rules[1], Rule::new(On::Command(6, 1), Effect::Late { ms: 300 }).skip(2));
        assert_eq!(json.rules[2].on, On::Any);
        let yaml = Scenario::read(
            "# faults\nsettings: {latency_ms: 30, busy_in_transition: true}\nrules:\n  - on: redfish-reset\n    \
             effect: {kind: http, status: 409, message: ResourceInUse}\n",
        )
        .unwrap();
        assert_eq!((yaml.settings.latency_ms, yaml.rules[0].on), (Some(30), On::Redfish(Op::Reset)));
        let flow = Scenario::read("[{on: any, effect: {kind: stuck}}]").unwrap();
        assert_eq!(flow.rules, [Rule::new(On::Any, Effect::Stuck)]);
        let list = Scenario::read("- on: any\n  effect: {kind: stuck}\n").unwrap();
        assert_eq!(list.rules, [Rule::new(On::Any, Effect::Stuck)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            (r#"[{"on": "power", "effect": {"kind": "stuck"}}]"#, "chassis-control"),
            (r#"[{"on": "redfish-dance", "effect": {"kind": "stuck"}}]"#, "redfish-reset"),
            ("rules:\n- effect: {kind: explode}\n", "explode"),
            ("settings: {latency: 3}\n", "latency_ms"),
            ("{", "line 2"),
            ("{\"rules\": 7}", "line 1"),
        ] {
            let error = Scenario::read(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
