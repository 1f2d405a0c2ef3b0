//! Settings: params of the plugin object.

use drp_plugin_sdk::protocol::{HostedExtension, JsonMap};
use drp_plugin_sdk::{Error, Param, Params, Value, json};
use std::time::Duration;

/// What happens at a start to an operation that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRestart {
    /// It goes on where `status` shows that it can, else it is undone.
    Resume,
    /// It is undone.
    Rollback,
}

/// What the plugin object says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) parallel: usize,
    pub(crate) step: Duration,
    pub(crate) health: Duration,
    pub(crate) interval: Duration,
    pub(crate) start: Duration,
    pub(crate) on_restart: OnRestart,
}

/// A setting that is a number.
struct Number {
    name: &'static str,
    doc: &'static str,
    low: f64,
    high: f64,
    default: f64,
    whole: bool,
}

const NUMBERS: [Number; 5] = [
    Number {
        name: "parallel",
        doc: "Components that are deployed at once",
        low: 1.0,
        high: 64.0,
        default: 4.0,
        whole: true,
    },
    Number {
        name: "step_timeout",
        doc: "Seconds that one call of a component's extension may take",
        low: 0.1,
        high: 3600.0,
        default: 1800.0,
        whole: false,
    },
    Number {
        name: "health_timeout",
        doc: "Seconds within which a component must be well",
        low: 0.1,
        high: 3600.0,
        default: 300.0,
        whole: false,
    },
    Number {
        name: "health_interval",
        doc: "Seconds between two looks at a component",
        low: 0.05,
        high: 300.0,
        default: 5.0,
        whole: false,
    },
    Number {
        name: "start_timeout",
        doc: "Seconds that the plugin of a component is waited for",
        low: 0.1,
        high: 3600.0,
        default: 120.0,
        whole: false,
    },
];
const ON_RESTART: &str = "on_restart";

/// The params that a cluster's plugin object may have: those of the engine, with the defaults that the extension's own
/// settings give them, and the extension's others.
pub(crate) fn params(extension: &HostedExtension) -> Vec<(Param, bool)> {
    let own = |name: &str| extension.settings.iter().find(|setting| setting.name == name);
    let mut params = Vec::new();
    for Number { name, doc, low, high, default, whole } in NUMBERS {
        let kind = if whole { "integer" } else { "number" };
        let (low, high, default) = match whole {
            true => (json!(low as u64), json!(high as u64), json!(default as u64)),
            false => (json!(low), json!(high), json!(default)),
        };
        let default = own(name).and_then(|setting| setting.default.clone()).unwrap_or(default);
        let schema = json!({
            "type": kind, "minimum": low, "maximum": high, "default": default, "description": doc,
        });
        params.push((declared(extension, name, schema), false));
    }
    let default = own(ON_RESTART).and_then(|setting| setting.default.clone()).unwrap_or(json!("resume"));
    let schema = json!({
        "type": "string", "enum": ["resume", "rollback"], "default": default,
        "description": "What happens to an operation that was interrupted",
    });
    params.push((declared(extension, ON_RESTART, schema), false));
    for setting in &extension.settings {
        if setting.name == ON_RESTART || NUMBERS.iter().any(|number| number.name == setting.name) {
            continue;
        }
        let mut schema = setting.schema.as_object().cloned().unwrap_or_default();
        if let Some(default) = setting.default.as_ref().filter(|_| !setting.secure) {
            schema.insert("default".to_owned(), default.clone());
        }
        if !setting.doc.is_empty() {
            schema.insert("description".to_owned(), setting.doc.clone().into());
        }
        let param = declared(extension, &setting.name, Value::Object(schema));
        params.push((if setting.secure { param.secure() } else { param }, setting.required));
    }
    params
}

fn declared(extension: &HostedExtension, name: &str, schema: Value) -> Param {
    let schema: JsonMap = schema.as_object().cloned().unwrap_or_default();
    Param::with_schema(extension.param(name), schema)
}

impl Settings {
    /// Reads them from the params of the plugin object; a default of the extension's own settings goes before ours.
    pub(crate) fn read(extension: &HostedExtension, params: &Params) -> Result<Self, Error> {
        let value = |name: &str| -> Option<Value> {
            let own = extension.settings.iter().find(|setting| setting.name == name);
            let said = params.value(&extension.param(name)).cloned();
            said.or_else(|| own.and_then(|setting| setting.default.clone()))
        };
        let wrong = |name: &str, wanted: String| {
            Error::new(400, "params", format!("{}: {wanted}", extension.param(name)))
                .on("plugins", extension.plugin())
        };
        let mut numbers = [0.0; 5];
        for (slot, number) in numbers.iter_mut().zip(&NUMBERS) {
            let Number { name, low, high, default, whole, .. } = *number;
            *slot = match value(name) {
                None => default,
                Some(said) => said
                    .as_f64()
                    .filter(|n| (low..=high).contains(n) && (!whole || n.fract() == 0.0))
                    .ok_or_else(|| {
                        let kind = if whole { "a whole number" } else { "a number" };
                        wrong(name, format!("{kind} from {low} to {high} is wanted"))
                    })?,
            };
        }
        let on_restart = match value(ON_RESTART).as_ref().map(|v| v.as_str().unwrap_or_default()) {
            None | Some("resume") => OnRestart::Resume,
            Some("rollback") => OnRestart::Rollback,
            Some(_) => return Err(wrong(ON_RESTART, "resume or rollback is wanted".to_owned())),
        };
        let [parallel, step, health, interval, start] = numbers;
        Ok(Self {
            parallel: parallel as usize,
            step: Duration::from_secs_f64(step),
            health: Duration::from_secs_f64(health),
            interval: Duration::from_secs_f64(interval),
            start: Duration::from_secs_f64(start),
            on_restart,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{OnRestart, Settings};
    use drp_plugin_sdk::protocol::HostedExtension;
    use drp_plugin_sdk::{Value, json};
    use std::time::Duration;

    fn read(params: Value) -> Result<Settings, String> {
        let extension: HostedExtension = serde_json::from_value(json!({
            "type": "cluster", "name": "b", "version": "1.0.0", "root": "/x",
            "settings": [{"name": "parallel", "default": 2, "schema": {}}],
        }))
        .unwrap();
        let params = params.as_object().cloned().unwrap();
        Settings::read(&extension, &params.into()).map_err(|e| e.messages.join(";"))
    }

    #[test]
    fn defaults_and_values() {
        let settings = read(json!({})).unwrap();
        assert_eq!((settings.parallel, settings.step), (2, Duration::from_secs(1800)));
        assert_eq!(settings.on_restart, OnRestart::Resume);
        let settings = read(json!({"b-cluster/parallel": 9, "b-cluster/on_restart": "rollback"})).unwrap();
        assert_eq!((settings.parallel, settings.on_restart), (9, OnRestart::Rollback));
    }

    #[test]
    fn bounds_are_held_and_the_param_is_named() {
        for (params, words) in [
            (json!({"b-cluster/parallel": 0}), "b-cluster/parallel: a whole number from 1 to 64"),
            (json!({"b-cluster/parallel": 1.5}), "a whole number"),
            (json!({"b-cluster/step_timeout": "long"}), "b-cluster/step_timeout: a number from 0.1 to 3600"),
            (json!({"b-cluster/health_interval": 0}), "from 0.05 to 300"),
            (json!({"b-cluster/on_restart": "pray"}), "resume or rollback"),
        ] {
            let error = read(params).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
