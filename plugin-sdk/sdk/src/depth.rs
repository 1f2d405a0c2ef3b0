//! How deep the JSON of an answer may be nested.

use crate::Value;

/// The deepest nesting that decoders of JSON take: `serde_json`, with which the daemon reads, refuses more.
pub(crate) const LIMIT: usize = 127;

/// The value, unless lists and objects are nested deeper than [`LIMIT`]. Writing such a value, or dropping it, would
/// overflow the stack and end the process; it is taken apart here, one level after the other.
pub(crate) fn bounded(value: Value) -> Result<Value, String> {
    let mut open = vec![(&value, 1)];
    let mut deep = false;
    while let Some((value, depth)) = open.pop() {
        if is_container(value) && depth > LIMIT {
            deep = true;
            break;
        }
        let inner = |inner| (inner, depth + 1);
        match value {
            Value::Array(list) => open.extend(list.iter().filter(|v| is_container(v)).map(inner)),
            Value::Object(map) => open.extend(map.values().filter(|v| is_container(v)).map(inner)),
            _ => {}
        }
    }
    drop(open);
    if !deep {
        return Ok(value);
    }
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(list) => rest.extend(list),
            Value::Object(map) => rest.extend(map.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    Err(format!("the answer is nested deeper than {LIMIT} levels"))
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, bounded};
    use crate::{Value, json};

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!("x"), |inner, level| match level % 2 {
            0 => Value::Array(vec![inner]),
            _ => Value::Object([("a".to_owned(), inner)].into_iter().collect()),
        })
    }

    #[test]
    fn what_can_be_read_passes_and_what_is_deeper_does_not() {
        let value = bounded(nested(LIMIT)).unwrap();
        assert!(serde_json::from_str::<Value>(&value.to_string()).is_ok());
        assert!(bounded(nested(LIMIT + 1)).is_err());
        // Not with `json!`, which writes what is put into it.
        assert!(bounded(Value::Array(vec![nested(5), nested(1_000_000), json!(1)])).is_err());
        assert_eq!(bounded(json!(null)), Ok(json!(null)));
    }
}
