//! JSON patches (RFC 6902) as the API takes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One operation. All four keys are always written (wire-protocol §3.4).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PatchOp {
    /// `test`, `add`, `remove`, `replace`, `move` or `copy`.
    pub op: String,
    /// JSON Pointer to what is changed.
    pub path: String,
    /// JSON Pointer to the source of a move or copy, else empty.
    #[serde(default)]
    pub from: String,
    /// The value of a test, add or replace, else null.
    #[serde(default)]
    pub value: Value,
}

/// Operations, applied all or none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patch(pub Vec<PatchOp>);

impl Patch {
    /// No operation yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push(mut self, op: &str, path: impl Into<String>, value: Value) -> Self {
        self.0.push(PatchOp { op: op.into(), path: path.into(), from: String::new(), value });
        self
    }

    /// Fail unless the value is this one.
    #[must_use]
    pub fn test(self, path: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push("test", path, value.into())
    }

    /// Add a member or list element.
    #[must_use]
    pub fn add(self, path: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push("add", path, value.into())
    }

    /// Replace a value.
    #[must_use]
    pub fn replace(self, path: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push("replace", path, value.into())
    }

    /// Remove a value.
    #[must_use]
    pub fn remove(self, path: impl Into<String>) -> Self {
        self.push("remove", path, Value::Null)
    }

    /// Sets one param of an object, whether it has one or not, and leaves its other params alone.
    #[must_use]
    pub fn set_param(self, name: &str, value: impl Into<Value>) -> Self {
        self.add(pointer(&["Params", name]), value)
    }

    /// Fail unless the object's own param has this value: put it before [`set_param`](Self::set_param) so that
    /// a change made meanwhile by somebody else is not overwritten.
    #[must_use]
    pub fn test_param(self, name: &str, value: impl Into<Value>) -> Self {
        self.test(pointer(&["Params", name]), value)
    }

    /// What turns one object into another: each changed top-level field is tested for its old value first,
    /// so that a change made meanwhile by somebody else is not overwritten.
    #[must_use]
    pub fn between(old: &Value, new: &Value) -> Self {
        let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
            return Self::new();
        };
        let mut patch = Self::new();
        for (name, value) in new {
            let path = pointer(&[name]);
            match old.get(name) {
                Some(before) if before == value => {}
                Some(before) => patch = patch.test(&path, before.clone()).replace(path, value.clone()),
                None => patch = patch.add(path, value.clone()),
            }
        }
        for (name, before) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let path = pointer(&[name]);
            patch = patch.test(&path, before.clone()).remove(path);
        }
        patch
    }

    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The JSON Pointer (RFC 6901) of nested member names.
fn pointer(names: &[&str]) -> String {
    names.iter().map(|n| format!("/{}", n.replace('~', "~0").replace('/', "~1"))).collect()
}

#[cfg(test)]
mod tests {
    use super::Patch;
    use serde_json::json;

    #[test]
    fn params_are_named_as_people_name_them() {
        let patch = Patch::new().test_param("a/b~c", 1).set_param("a/b~c", 2);
        assert_eq!(
            serde_json::to_value(patch).unwrap(),
            json!([
                {"op": "test", "path": "/Params/a~1b~0c", "from": "", "value": 1},
                {"op": "add", "path": "/Params/a~1b~0c", "from": "", "value": 2},
            ])
        );
    }

    #[test]
    fn differences_are_guarded_by_tests() {
        let old = json!({"Name": "a", "Gone": 1, "Same": [], "x/y": 0});
        let new = json!({"Name": "b", "Same": [], "x/y": 0, "New": {}});
        assert_eq!(
            serde_json::to_value(Patch::between(&old, &new)).unwrap(),
            json!([
                {"op": "test", "path": "/Name", "from": "", "value": "a"},
                {"op": "replace", "path": "/Name", "from": "", "value": "b"},
                {"op": "add", "path": "/New", "from": "", "value": {}},
                {"op": "test", "path": "/Gone", "from": "", "value": 1},
                {"op": "remove", "path": "/Gone", "from": "", "value": null},
            ])
        );
        assert!(Patch::between(&old, &old).is_empty());
    }
}
