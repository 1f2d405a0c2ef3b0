//! RFC 6902 patches in the tolerant form of wire-protocol §3.4.

use crate::Result;
use drp_protocol::Error;
use serde_json::{Map, Value};

/// Most operations in one patch.
const MAX_OPS: usize = 10_000;
/// Most bytes that a patch may put into a document, about: copies of copies double with each operation.
const MAX_GROWTH: usize = 64 << 20;
/// How deep a document may nest while it is patched. What is stored nests less.
const MAX_DEPTH: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    verb: Verb,
    path: String,
    from: String,
    value: Value,
}

/// A parsed patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    ops: Vec<Operation>,
    /// A machine may leave tasks undone (`force=true`, wire-protocol §3.4).
    pub(crate) force: bool,
}

/// Where a patch failed and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatchFault {
    /// Index of the operation.
    pub(crate) line: usize,
    /// For instance `Test op failed.`
    pub(crate) reason: String,
}

impl Patch {
    /// Parses a JSON list of operations. `from` and `value` are ignored where they mean nothing: clients always send
    /// all four keys.
    ///
    /// # Errors
    /// 400 of type PATCH when it is not a list of operations.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let bad = |text: String| Error::new(400, "PATCH", text);
        let list: Vec<Map<String, Value>> = serde_json::from_slice(body)
            .map_err(|e| bad(format!("the patch is not a list of operations: {}", crate::json_error(&e))))?;
        if list.len() > MAX_OPS {
            return Err(bad(format!("the patch has {} operations, at most {MAX_OPS} are taken", list.len())));
        }
        let mut ops = Vec::with_capacity(list.len());
        for (line, mut op) in list.into_iter().enumerate() {
            let mut text = |name: &str| match op.remove(name) {
                Some(Value::String(text)) => Ok(text),
                None | Some(Value::Null) => Ok(String::new()),
                Some(_) => Err(bad(format!("operation {line}: {name} is not a string"))),
            };
            let (verb, path, from) = (text("op")?, text("path")?, text("from")?);
            let verb = match verb.as_str() {
                "add" => Verb::Add,
                "remove" => Verb::Remove,
                "replace" => Verb::Replace,
                "move" => Verb::Move,
                "copy" => Verb::Copy,
                "test" => Verb::Test,
                other => {
                    return Err(bad(format!("operation {line}: {other:?} is not an RFC 6902 operation")));
                }
            };
            let from = if matches!(verb, Verb::Move | Verb::Copy) { from } else { String::new() };
            let value = match verb {
                Verb::Add | Verb::Replace | Verb::Test => op.remove("value").unwrap_or(Value::Null),
                _ => Value::Null,
            };
            ops.push(Operation { verb, path, from, value });
        }
        Ok(Self { ops, force: false })
    }

    /// The claim actions the patch needs: `update:<path>` per operation that is not a test, both paths for a move
    /// (wire-protocol §3.3).
    #[must_use]
    pub fn actions(&self) -> Vec<String> {
        let mut out = Vec::new();
        for op in &self.ops {
            if op.verb == Verb::Move {
                out.push(format!("update:{}", op.from));
            }
            if op.verb != Verb::Test {
                out.push(format!("update:{}", op.path));
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// Whether no operation writes: nothing but tests, or nothing at all. Such a patch is a way of reading.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.ops.iter().all(|op| op.verb == Verb::Test)
    }

    /// The patched document.
    ///
    /// # Errors
    /// 409 of type PATCH with `Patch error at line N: <reason>`.
    pub fn applied(&self, mut document: Value) -> Result<Value> {
        let failed = |fault: PatchFault| {
            Error::new(409, "PATCH", format!("Patch error at line {}: {}", fault.line, fault.reason))
        };
        self.apply(&mut document).map_err(failed)?;
        Ok(document)
    }

    /// The same patch with the query control `force` (wire-protocol §3.4): a machine may leave tasks undone.
    #[must_use]
    pub fn forced(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Applies all operations to a document. When one fails the document is left half patched: patch a copy.
    pub(crate) fn apply(&self, document: &mut Value) -> Result<(), PatchFault> {
        let mut left = MAX_GROWTH;
        for (line, op) in self.ops.iter().enumerate() {
            step(document, op, &mut left).map_err(|reason| PatchFault { line, reason })?;
        }
        Ok(())
    }

    /// The whole patch as error texts show it: two spaces, keys in the order op, path, from, value. Plain values of
    /// secure params are not shown.
    pub(crate) fn pretty(&self, secure: impl Fn(&str) -> bool) -> String {
        #[derive(serde::Serialize)]
        struct Shown<'a> {
            op: &'a str,
            path: &'a str,
            from: &'a str,
            value: Value,
        }
        let shown: Vec<_> = self
            .ops
            .iter()
            .map(|op| {
                let mut value = op.value.clone();
                mask(&op.path, &mut value, &secure);
                Shown { op: name(op.verb), path: &op.path, from: &op.from, value }
            })
            .collect();
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }
}

/// Blanks the plain values of secure params in the value of an operation on an object.
fn mask(path: &str, value: &mut Value, secure: &impl Fn(&str) -> bool) {
    let hidden = |name: &str, value: &mut Value| {
        if secure(name) && !drp_protocol::SecureData::is_sealed(value) {
            *value = Value::from("***");
        }
    };
    match path.strip_prefix("/Params/") {
        Some(rest) => {
            let name = rest.split('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
            hidden(&name, value);
        }
        None => {
            let params = match path {
                "" => value.get_mut("Params"),
                "/Params" => Some(value),
                _ => None,
            };
            for (name, value) in params.and_then(Value::as_object_mut).into_iter().flatten() {
                hidden(name, value);
            }
        }
    }
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Add => "add",
        Verb::Remove => "remove",
        Verb::Replace => "replace",
        Verb::Move => "move",
        Verb::Copy => "copy",
        Verb::Test => "test",
    }
}

fn step(document: &mut Value, op: &Operation, left: &mut usize) -> Result<(), String> {
    match op.verb {
        Verb::Test => {
            let found = document.pointer(&op.path);
            if found.is_some_and(|v| same(v, &op.value)) { Ok(()) } else { Err("Test op failed.".to_owned()) }
        }
        Verb::Add => {
            fits(&op.value, &op.path, left)?;
            add(document, &op.path, op.value.clone())
        }
        Verb::Replace => {
            fits(&op.value, &op.path, left)?;
            match document.pointer_mut(&op.path) {
                Some(place) => {
                    *place = op.value.clone();
                    Ok(())
                }
                None => Err(missing(&op.path)),
            }
        }
        Verb::Remove => remove(document, &op.path).map(drop),
        Verb::Copy => {
            let value = document.pointer(&op.from).ok_or_else(|| missing(&op.from))?;
            fits(value, &op.path, left)?;
            let value = value.clone();
            add(document, &op.path, value)
        }
        Verb::Move => {
            if op.path.strip_prefix(op.from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
                return Err(format!("cannot move {:?} into itself", op.from));
            }
            if op.path == op.from {
                return document.pointer(&op.from).map(drop).ok_or_else(|| missing(&op.from));
            }
            let value = remove(document, &op.from)?;
            fits(&value, &op.path, left)?;
            add(document, &op.path, value)
        }
    }
}

/// Takes what a value weighs from what is left, and refuses one that would nest too deep at its place.
fn fits(value: &Value, path: &str, left: &mut usize) -> Result<(), String> {
    let room = MAX_DEPTH.saturating_sub(path.matches('/').count());
    if !crate::codec::depth_within(value, room) {
        return Err(format!("the document would nest deeper than {MAX_DEPTH}"));
    }
    *left = left
        .checked_sub(weight(value))
        .ok_or_else(|| format!("the patch would put more than {MAX_GROWTH} bytes into the document"))?;
    Ok(())
}

/// About the bytes of a value's text; never less than a few for each part.
fn weight(value: &Value) -> usize {
    8 + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        _ => 0,
    }
}

/// Equality of RFC 6902 §4.6: numbers are equal when their values are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

fn missing(path: &str) -> String {
    format!("path {path:?} does not exist")
}

/// The parent's path and the last token, unescaped (RFC 6901).
fn split(path: &str) -> Result<(&str, String), String> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| format!("{path:?} is not a JSON pointer"))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn index(token: &str, end: usize) -> Result<usize, String> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    match token.parse::<usize>() {
        Ok(at) if plain && at <= end => Ok(at),
        _ => Err(format!("{token:?} is not an index of a list of {end}")),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(last, value);
            Ok(())
        }
        Some(Value::Array(list)) => {
            let at = if last == "-" { list.len() } else { index(&last, list.len())? };
            list.insert(at, value);
            Ok(())
        }
        Some(_) => Err(format!("{parent:?} is neither an object nor a list")),
        None => Err(missing(parent)),
    }
}

fn remove(document: &mut Value, path: &str) -> Result<Value, String> {
    if path.is_empty() {
        return Ok(document.take());
    }
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&last).ok_or_else(|| missing(path)),
        Some(Value::Array(list)) => {
            let at = index(&last, list.len().saturating_sub(1))?;
            if at < list.len() { Ok(list.remove(at)) } else { Err(missing(path)) }
        }
        _ => Err(missing(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::Patch;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn patch(ops: Value) -> Patch {
        Patch::parse(ops.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_table_of_patches() {
        let start = json!({"a": 1, "b": [1, 2, 3], "c": {"d/e": "x"}, "n": null});
        for (ops, want) in [
            (
                json!([{"op":"replace","path":"/a","from":"","value":2}]),
                Ok(json!({"a":2,"b":[1,2,3],"c":{"d/e":"x"},"n":null})),
            ),
            (
                json!([{"op":"add","path":"/b/-","value":4}]),
                Ok(json!({"a":1,"b":[1,2,3,4],"c":{"d/e":"x"},"n":null})),
            ),
            (
                json!([{"op":"add","path":"/b/1","value":9}]),
                Ok(json!({"a":1,"b":[1,9,2,3],"c":{"d/e":"x"},"n":null})),
            ),
            (
                json!([{"op":"remove","path":"/c/d~1e","from":"","value":null}]),
                Ok(json!({"a":1,"b":[1,2,3],"c":{},"n":null})),
            ),
            (
                json!([{"op":"move","from":"/a","path":"/z","value":null}]),
                Ok(json!({"b":[1,2,3],"c":{"d/e":"x"},"n":null,"z":1})),
            ),
            (
                json!([{"op":"copy","from":"/b/0","path":"/a"}]),
                Ok(json!({"a":1,"b":[1,2,3],"c":{"d/e":"x"},"n":null})),
            ),
            (
                json!([{"op":"test","path":"/a","value":1.0},{"op":"remove","path":"/n"}]),
                Ok(json!({"a":1,"b":[1,2,3],"c":{"d/e":"x"}})),
            ),
            (
                json!([{"op":"remove","path":"/a"},{"op":"test","path":"/b/0","value":7}]),
                Err((1, "Test op failed.")),
            ),
            (json!([{"op":"replace","path":"/q","value":7}]), Err((0, "path \"/q\" does not exist"))),
            (
                json!([{"op":"add","path":"/b/01","value":7}]),
                Err((0, "\"01\" is not an index of a list of 3")),
            ),
            (json!([{"op":"move","from":"/c","path":"/c/x"}]), Err((0, "cannot move \"/c\" into itself"))),
        ] {
            let mut got = start.clone();
            let result = patch(ops.clone()).apply(&mut got);
            match (result, want) {
                (Ok(()), Ok(want)) => assert_eq!(got, want, "{ops}"),
                (Err(fault), Err((line, reason))) => {
                    assert_eq!((fault.line, fault.reason.as_str()), (line, reason), "{ops}")
                }
                (result, _) => panic!("{ops} gave {result:?}"),
            }
        }
    }

    #[test]
    fn copies_of_copies_come_to_an_end() {
        let many = |ops: Value| {
            Value::from_iter(std::iter::repeat_n(ops.as_array().unwrap(), 200).flatten().cloned())
        };
        let wide = many(json!([{"op": "copy", "from": "/a", "path": "/a/-"}]));
        let deep = many(json!([{"op": "copy", "from": "", "path": "/b"}]));
        let down = many(json!([
            {"op": "move", "from": "/a", "path": "/b"},
            {"op": "add", "path": "/a", "value": []},
            {"op": "move", "from": "/b", "path": "/a/-"},
        ]));
        for (ops, text) in
            [(wide, "more than 67108864 bytes"), (deep, "deeper than 128"), (down, "deeper than 128")]
        {
            let fault = patch(ops).apply(&mut json!({"a": [[1]]})).unwrap_err();
            assert!(fault.reason.contains(text), "{fault:?}");
        }
    }

    #[test]
    fn what_is_not_a_patch_is_refused() {
        for body in ["", "{}", "[1]", r#"[{"op":"frob","path":"/a"}]"#, r#"[{"op":"add","path":7}]"#] {
            let error = Patch::parse(body.as_bytes()).unwrap_err();
            assert_eq!((error.code, error.r#type.as_str()), (400, "PATCH"), "{body}");
        }
    }

    #[test]
    fn claims_and_text_form() {
        let patch = patch(json!([
            {"op":"test","path":"","value":{}},
            {"op":"replace","path":"/Description","from":"ignored","value":"x"},
            {"op":"move","from":"/A","path":"/B","value":null}
        ]));
        assert_eq!(patch.actions(), ["update:/A", "update:/B", "update:/Description"]);
        assert!(patch.pretty(|_| false).starts_with(
            "[\n  {\n    \"op\": \"test\",\n    \"path\": \"\",\n    \"from\": \"\",\n    \"value\": {}\n  },"
        ));
    }

    #[test]
    fn error_texts_hide_plain_values_of_secure_params() {
        let patch = patch(json!([
            {"op":"add","path":"/Params/a~1b","value":"canary"},
            {"op":"add","path":"/Params","value":{"a/b":"canary","c":1}},
            {"op":"test","path":"","value":{"Params":{"a/b":{"deep":"canary"}}}},
        ]));
        let shown = patch.pretty(|name| name == "a/b");
        assert!(!shown.contains("canary") && shown.contains("\"c\": 1"), "{shown}");
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5i64).prop_map(Value::from),
            "[a-c]".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c/~]", inner, 0..4)
                    .prop_map(|m| Value::from(serde_json::Map::from_iter(m))),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_an_independent_implementation(from in document(), to in document()) {
            let ops = serde_json::to_value(json_patch::diff(&from, &to)).unwrap();
            let mut got = from.clone();
            patch(ops).apply(&mut got).unwrap();
            prop_assert_eq!(got, to);
        }

        #[test]
        fn random_operations_agree_on_success_and_result(
            doc in document(),
            verb in prop_oneof![Just("add"), Just("remove"), Just("replace"), Just("copy")],
            path in "(/[a-c0-2-]){1,3}", from in "(/[a-c0-2]){1,2}", value in document(),
        ) {
            let ops = json!([{"op": verb, "path": path, "from": from, "value": value}]);
            let theirs: json_patch::Patch = serde_json::from_value(ops.clone()).unwrap();
            let (mut a, mut b) = (doc.clone(), doc);
            let (mine, others) = (patch(ops).apply(&mut a), json_patch::patch(&mut b, &theirs));
            prop_assert_eq!(mine.is_ok(), others.is_ok(), "{:?} {:?}", mine, others);
            if mine.is_ok() { prop_assert_eq!(a, b); }
        }

        #[test]
        fn no_bytes_are_too_odd_to_parse(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Patch::parse(&body);
        }
    }
}
