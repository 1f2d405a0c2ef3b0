//! Dicts, defaults and choices.

use super::{Answer, Json, arg, dict, empty, shown, text};
use serde_json::Map;

/// `dict "key" value …`.
pub(super) fn dict_of(a: &[Json]) -> Answer {
    let mut map = Map::new();
    for pair in a.chunks(2) {
        let key = pair.first().map(shown).unwrap_or_default();
        map.insert(key, pair.get(1).cloned().unwrap_or_else(|| "".into()));
    }
    Ok(map.into())
}

pub(super) fn get(a: &[Json]) -> Answer {
    Ok(dict(a, 0)?.get(&text(a, 1)?).cloned().unwrap_or_else(|| "".into()))
}

pub(super) fn has_key(a: &[Json]) -> Answer {
    Ok(dict(a, 0)?.contains_key(&text(a, 1)?).into())
}

/// The keys of dicts, sorted.
pub(super) fn keys(a: &[Json]) -> Answer {
    let mut all = Vec::new();
    for at in 0..a.len() {
        all.extend(dict(a, at)?.keys().cloned());
    }
    all.sort();
    Ok(all.into())
}

/// The values, in the order of their keys.
pub(super) fn values(a: &[Json]) -> Answer {
    let mut pairs: Vec<_> = dict(a, 0)?.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    Ok(pairs.into_iter().map(|(_, value)| value.clone()).collect())
}

fn named(a: &[Json]) -> Vec<String> {
    a.iter().skip(1).map(shown).collect()
}

pub(super) fn pick(a: &[Json]) -> Answer {
    let names = named(a);
    let map: Map<String, Json> =
        dict(a, 0)?.iter().filter(|(k, _)| names.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(map.into())
}

pub(super) fn omit(a: &[Json]) -> Answer {
    let names = named(a);
    let map: Map<String, Json> =
        dict(a, 0)?.iter().filter(|(k, _)| !names.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(map.into())
}

/// The first dict that has a key decides.
pub(super) fn merge(a: &[Json]) -> Answer {
    let mut map = Map::new();
    for at in 0..a.len() {
        for (key, value) in dict(a, at)? {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(map.into())
}

/// Gives a changed copy: values do not change in place. `{{ $d = set $d "key" "value" }}` keeps it.
pub(super) fn set(a: &[Json]) -> Answer {
    let mut map = dict(a, 0)?.clone();
    map.insert(text(a, 1)?, arg(a, 2)?.clone());
    Ok(map.into())
}

/// Gives a changed copy, as [`set`].
pub(super) fn unset(a: &[Json]) -> Answer {
    let mut map = dict(a, 0)?.clone();
    map.remove(&text(a, 1)?);
    Ok(map.into())
}

/// `default "x" value`: the first unless there is a second that is not empty.
pub(super) fn default(a: &[Json]) -> Answer {
    Ok(a.get(1).filter(|value| !empty(value)).unwrap_or(arg(a, 0)?).clone())
}

pub(super) fn is_empty(a: &[Json]) -> Answer {
    Ok(empty(a.first().unwrap_or(&Json::Null)).into())
}

pub(super) fn coalesce(a: &[Json]) -> Answer {
    Ok(a.iter().find(|value| !empty(value)).cloned().unwrap_or_default())
}

/// `ternary "yes" "no" condition`.
pub(super) fn ternary(a: &[Json]) -> Answer {
    Ok(arg(a, if empty(arg(a, 2)?) { 1 } else { 0 })?.clone())
}

/// As Go names kinds.
pub(super) fn kind_of(a: &[Json]) -> Answer {
    let kind = match arg(a, 0)? {
        Json::Null => "invalid",
        Json::Bool(_) => "bool",
        Json::Number(n) if n.is_f64() => "float64",
        Json::Number(_) => "int",
        Json::String(_) => "string",
        Json::Array(_) => "slice",
        Json::Object(_) => "map",
    };
    Ok(kind.into())
}

/// Ends the render with a text of the template's author.
pub(super) fn fail(a: &[Json]) -> Answer {
    Err(text(a, 0)?)
}
