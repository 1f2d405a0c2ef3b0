//! Putting values of several sources together: what `compose=true` asks for (wire-protocol §3.7).

use drp_protocol::{JsonMap, SecureData};
use serde_json::Value;

/// Params put together, nearest source first.
#[derive(Debug, Default)]
pub(crate) struct Composed {
    pub(crate) map: JsonMap,
}

impl Composed {
    /// Adds what a source farther away has. Maps get the members they lack, at every depth; lists get the elements
    /// they lack, at their end; of anything else the nearest stays. Sealed values are no maps.
    pub(crate) fn add(&mut self, name: &str, value: Value) {
        match self.map.get_mut(name) {
            Some(near) => join(near, value),
            None => drop(self.map.insert(name.to_owned(), value)),
        }
    }
}

fn join(near: &mut Value, far: Value) {
    if SecureData::is_sealed(near) || SecureData::is_sealed(&far) {
        return;
    }
    match (near, far) {
        (Value::Object(near), Value::Object(far)) => {
            for (name, value) in far {
                match near.get_mut(&name) {
                    Some(near) => join(near, value),
                    None => drop(near.insert(name, value)),
                }
            }
        }
        (Value::Array(near), Value::Array(far)) => {
            let new: Vec<Value> = far.into_iter().filter(|value| !near.contains(value)).collect();
            near.extend(new);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Composed;
    use serde_json::json;

    #[test]
    fn near_values_win_and_far_ones_fill() {
        let sealed = json!({"Key": "a", "Nonce": "b", "Payload": "c"});
        for (near, far, want) in [
            (
                json!({"a": 1, "in": {"x": 1}}),
                json!({"a": 2, "b": 3, "in": {"x": 2, "y": 4}}),
                json!({"a": 1, "b": 3, "in": {"x": 1, "y": 4}}),
            ),
            (json!([2, 1]), json!([1, 3]), json!([2, 1, 3])),
            (json!("near"), json!("far"), json!("near")),
            (json!({"a": 1}), json!([1]), json!({"a": 1})),
            (json!(null), json!({"a": 1}), json!(null)),
            (sealed.clone(), json!({"a": 1}), sealed.clone()),
            (json!({"a": 1}), sealed.clone(), json!({"a": 1})),
        ] {
            let mut out = Composed::default();
            out.add("p", near);
            out.add("p", far);
            assert_eq!(out.map["p"], want);
        }
    }
}
