//! What a caller changes of a definition: the `config` of `create`.

use super::definition::{Cluster, Component};
use super::{PlanError, same_name};
use drp_plugin_sdk::{Value, protocol::JsonMap};

/// Fields of a cluster that `config` may hold.
const FIELDS: [&str; 6] = ["name", "version", "components", "resources", "network", "features"];
/// Fields of a component that `config` may hold.
const COMPONENT: [&str; 5] = ["name", "enabled", "version", "config", "resources"];
/// What a component needs.
const RESOURCES: [&str; 4] = ["cpu", "memory", "storage", "replicas"];
/// How deep a component's configuration may be nested.
const DEPTH: usize = 64;
/// Replicas of a component, at most.
pub(crate) const MOST_REPLICAS: u64 = 10_000;

/// The definition with the caller's changes. Components are named, in a record by name or in a list of records with
/// `name`; the configuration of a component is merged as a JSON merge patch (RFC 7396), so that `null` takes a field away.
pub(crate) fn merged(cluster: &Cluster, config: &JsonMap) -> Result<Cluster, PlanError> {
    let mut merged = cluster.clone();
    for (field, value) in config {
        match field.as_str() {
            "name" => fixed("name", value, &cluster.name)?,
            "version" => fixed("version", value, &cluster.version)?,
            "components" => components(&mut merged, value)?,
            "resources" => known(&mut merged.resources, value, "resources")?,
            "network" => known(&mut merged.network, value, "network")?,
            "features" => known(&mut merged.features, value, "features")?,
            other => return Err(unknown(other.to_owned(), &FIELDS)),
        }
    }
    Ok(merged)
}

fn components(cluster: &mut Cluster, changes: &Value) -> Result<(), PlanError> {
    match changes {
        Value::Object(by_name) => {
            for (name, change) in by_name {
                component(cluster, name, change)?;
            }
        }
        Value::Array(list) => {
            for (index, change) in list.iter().enumerate() {
                let at = format!("components[{index}]");
                let name = change.get("name").and_then(Value::as_str);
                let name =
                    name.ok_or_else(|| kind(format!("{at}.name"), "the name of a component is wanted"))?;
                component(cluster, name, change)?;
            }
        }
        _ => return Err(kind("components", "a record of components by name is wanted, or a list")),
    }
    Ok(())
}

fn component(cluster: &mut Cluster, name: &str, change: &Value) -> Result<(), PlanError> {
    let at = format!("components.{name}");
    let names = cluster.names();
    let Some(component) = cluster.components.iter_mut().find(|c| same_name(&c.name, name)) else {
        return Err(PlanError::Unknown { at, known: format!("the components are {names}") });
    };
    let change = change.as_object().ok_or_else(|| kind(&at, "a record is wanted"))?;
    for (field, value) in change {
        change_field(component, &at, field, value)?;
    }
    Ok(())
}

fn change_field(component: &mut Component, at: &str, field: &str, value: &Value) -> Result<(), PlanError> {
    let here = format!("{at}.{field}");
    match field {
        "name" if value.as_str().is_some_and(|name| same_name(name, &component.name)) => {}
        "name" => return Err(kind(here, "a component keeps its name")),
        "enabled" => {
            component.enabled = value.as_bool().ok_or_else(|| kind(here, "true or false is wanted"))?;
        }
        "version" => component.version = version(value).ok_or_else(|| kind(here, VERSION))?,
        "config" => {
            let change = value.as_object().ok_or_else(|| kind(&here, "a record is wanted"))?;
            if depth(value) > DEPTH {
                return Err(kind(here, "it is nested too deep"));
            }
            patch(&mut component.config, change);
        }
        "resources" => {
            let change = value.as_object().ok_or_else(|| kind(&here, "a record is wanted"))?;
            for (name, value) in change {
                let here = format!("{here}.{name}");
                let needs = &mut component.resources;
                match name.as_str() {
                    "cpu" => needs.cpu = quantity(&here, value)?,
                    "memory" => needs.memory = quantity(&here, value)?,
                    "storage" => needs.storage = quantity(&here, value)?,
                    "replicas" => needs.replicas = replicas(value).ok_or_else(|| kind(here, REPLICAS))?,
                    _ => return Err(unknown(here, &RESOURCES)),
                }
            }
        }
        _ => return Err(unknown(here, &COMPONENT)),
    }
    Ok(())
}

const VERSION: &str = "a version such as 1.2.3 is wanted, or an empty text for the newest";
pub(crate) const REPLICAS: &str = "a whole number from 1 to 10000 is wanted";

/// A version as text, or an empty one.
pub(crate) fn version(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let plain = text.strip_prefix('v').unwrap_or(text);
    (text.is_empty() || semver::Version::parse(plain).is_ok()).then(|| text.to_owned())
}

/// How many of something.
pub(crate) fn replicas(value: &Value) -> Option<u64> {
    value.as_u64().filter(|count| (1..=MOST_REPLICAS).contains(count))
}

/// An amount as Kubernetes writes it (`Quantity` of the contract).
fn quantity(at: &str, value: &Value) -> Result<String, PlanError> {
    let wanted = || kind(at, "an amount is a text: a number with an optional unit, 4, 500m, 512Mi, 8Gi");
    let text = value.as_str().ok_or_else(wanted)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - unit.len()];
    let sound = number.parse::<f64>().is_ok() && number.starts_with(|c: char| c.is_ascii_digit());
    let known = ["", "m"].contains(&unit)
        || (unit.len() <= 2
            && unit.starts_with(['k', 'K', 'M', 'G', 'T', 'P', 'E'])
            && (unit.len() == 1 || unit.ends_with('i')));
    if text.is_empty() || (sound && known) { Ok(text.to_owned()) } else { Err(wanted()) }
}

/// Replaces fields that are there already.
fn known(record: &mut JsonMap, change: &Value, at: &str) -> Result<(), PlanError> {
    let change = change.as_object().ok_or_else(|| kind(at, "a record is wanted"))?;
    for (field, value) in change {
        let here = format!("{at}.{field}");
        let names: Vec<&str> = record.keys().map(String::as_str).collect();
        match record.get(field) {
            None => return Err(unknown(here, &names)),
            Some(old) if std::mem::discriminant(old) != std::mem::discriminant(value) => {
                return Err(kind(here, "something of the kind of the definition's value is wanted"));
            }
            Some(_) => drop(record.insert(field.clone(), value.clone())),
        }
    }
    Ok(())
}

/// JSON merge patch (RFC 7396). The depth is checked before.
fn patch(target: &mut JsonMap, change: &JsonMap) {
    for (name, value) in change {
        match value {
            Value::Null => drop(target.remove(name)),
            Value::Object(inner) => {
                let mut record = match target.remove(name) {
                    Some(Value::Object(record)) => record,
                    _ => JsonMap::new(),
                };
                patch(&mut record, inner);
                target.insert(name.clone(), Value::Object(record));
            }
            other => drop(target.insert(name.clone(), other.clone())),
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn fixed(field: &str, value: &Value, is: &str) -> Result<(), PlanError> {
    match value.as_str() == Some(is) {
        true => Ok(()),
        false => Err(kind(field, format!("it is {is} and cannot be changed here"))),
    }
}

fn kind(at: impl Into<String>, wanted: impl Into<String>) -> PlanError {
    PlanError::Kind { at: at.into(), wanted: wanted.into() }
}

fn unknown(at: String, known: &[&str]) -> PlanError {
    PlanError::Unknown { at, known: format!("it may hold {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::{merged, patch};
    use crate::plan::Cluster;
    use drp_plugin_sdk::{Value, json};

    fn cluster() -> Cluster {
        Cluster::read(&json!({
            "name": "build", "version": "1.0.0", "features": {"monitoring": true},
            "components": [
                {"name": "containerd", "type": "taskserv", "version": "1.7.0", "config": {"a": {"b": 1, "c": 2}, "d": [1]}},
                {"name": "build-kit", "type": "taskserv", "dependencies": ["containerd"]},
            ],
        }))
        .unwrap()
    }

    fn changed(config: Value) -> Result<Cluster, String> {
        merged(&cluster(), config.as_object().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn components_are_changed_by_name() {
        let config = json!({"components": {
            "containerd": {"version": "v1.7.1", "config": {"a": {"b": 9, "c": null}, "e": {"f": 1}}},
            "build_kit": {"enabled": false, "resources": {"replicas": 3, "cpu": "500m"}},
        }, "features": {"monitoring": false}, "name": "build"});
        let new = changed(config).unwrap();
        assert_eq!(new.components[0].version, "v1.7.1");
        assert_eq!(
            Value::from(new.components[0].config.clone()),
            json!({"a": {"b": 9}, "d": [1], "e": {"f": 1}})
        );
        assert!(!new.components[1].enabled);
        assert_eq!(
            (new.components[1].resources.replicas, new.components[1].resources.cpu.as_str()),
            (3, "500m")
        );
        assert_eq!(new.features["monitoring"], json!(false));
        let list = changed(json!({"components": [{"name": "containerd", "version": "2.0.0"}]})).unwrap();
        assert_eq!(list.components[0].version, "2.0.0");
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (config, words) in [
            (json!({"colour": 1}), "colour is not known: it may hold name, version"),
            (
                json!({"components": {"other": {}}}),
                "components.other is not known: the components are containerd, build-kit",
            ),
            (
                json!({"components": {"containerd": {"colour": 1}}}),
                "components.containerd.colour is not known",
            ),
            (json!({"components": {"containerd": {"dependencies": []}}}), "dependencies is not known"),
            (
                json!({"components": {"containerd": {"resources": {"gpu": "1"}}}}),
                "resources.gpu is not known",
            ),
            (json!({"components": {"containerd": {"resources": {"cpu": "4; rm"}}}}), "an amount is a text"),
            (json!({"components": {"containerd": {"resources": {"replicas": 0}}}}), "from 1 to 10000"),
            (json!({"components": {"containerd": {"enabled": "yes"}}}), "true or false"),
            (json!({"components": {"containerd": {"version": "$(id)"}}}), "a version such as"),
            (json!({"components": {"containerd": {"config": []}}}), "a record is wanted"),
            (json!({"components": {"containerd": null}}), "a record is wanted"),
            (json!({"components": [{"version": "1.0.0"}]}), "components[0].name"),
            (json!({"components": 1}), "a record of components by name"),
            (json!({"features": {"party": true}}), "features.party is not known"),
            (json!({"features": {"monitoring": "no"}}), "of the kind of the definition"),
            (json!({"name": "x"}), "it is build and cannot be changed"),
            (json!({"version": "2.0.0"}), "it is 1.0.0 and cannot be changed"),
        ] {
            let error = changed(config.clone()).expect_err(&config.to_string());
            assert!(error.contains(words), "{config}: {error}");
        }
    }

    #[test]
    fn deep_configurations_are_refused() {
        let deep = (0..70).fold(json!({}), |inner, _| json!({ "a": inner }));
        let error = changed(json!({"components": {"containerd": {"config": deep}}})).unwrap_err();
        assert!(error.contains("nested too deep"), "{error}");
    }

    #[test]
    fn the_examples_of_rfc_7396() {
        for (mut target, change, wanted) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            patch(target.as_object_mut().unwrap(), change.as_object().unwrap());
            assert_eq!(target, wanted);
        }
    }
}
