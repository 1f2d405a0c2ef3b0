//! The stored form of objects: JSON with sorted keys, and where its parts lie.

use bytes::Bytes;
use drp_protocol::JsonMap;
use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

/// Where a part of a text lies: first byte and the byte after the last. Empty when there is no such part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span(u32, u32);

impl Span {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == self.1
    }

    pub(crate) fn of(self, json: &[u8]) -> &[u8] {
        json.get(self.0 as usize..self.1 as usize).unwrap_or_default()
    }

    pub(crate) fn start(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn end(self) -> usize {
        self.1 as usize
    }
}

/// The parts that lists cut or replace without parsing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) meta: Span,
    pub(crate) params: Span,
    pub(crate) partial: Span,
}

/// Writes an object and notes the spans of its parts.
pub(crate) fn encode(object: &JsonMap) -> (Bytes, Spans) {
    let mut out = Vec::with_capacity(1024);
    let mut spans = Spans::default();
    out.push(b'{');
    for (i, (name, value)) in object.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(&mut out, name);
        out.push(b':');
        let start = out.len();
        write(&mut out, value);
        let span = Span(u32::try_from(start).unwrap_or(0), u32::try_from(out.len()).unwrap_or(0));
        match name.as_str() {
            "Meta" => spans.meta = span,
            "Params" => spans.params = span,
            "Partial" => spans.partial = span,
            _ => {}
        }
    }
    out.push(b'}');
    out.shrink_to_fit();
    (out.into(), spans)
}

/// Writing JSON without floats that are not numbers to memory cannot fail.
fn write<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

/// One member of a JSON object, read without building the others; none when it is not there.
pub(crate) fn member(json: &[u8], name: &str) -> Option<Value> {
    let mut found = None;
    // It stops at the member, in the middle of the text, which the decoder calls an error.
    let _ = serde_json::Deserializer::from_slice(json).deserialize_map(Seek { name, found: &mut found });
    found
}

struct Seek<'a> {
    name: &'a str,
    found: &'a mut Option<Value>,
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(it) = map.next_key_seed(Is(self.name))? {
            if it {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Whether a name is the one that is sought.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// How deep a value nests; serde refuses texts deeper than 128, this guards values made in other ways.
pub(crate) fn depth_within(value: &Value, limit: usize) -> bool {
    match value {
        _ if limit == 0 => false,
        Value::Array(list) => list.iter().all(|v| depth_within(v, limit - 1)),
        Value::Object(map) => map.values().all(|v| depth_within(v, limit - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{encode, member};
    use serde_json::json;

    #[test]
    fn one_member_of_many() {
        let text = br#"{"a":{"x":[1,{"b":2}]},"b":"\u00e9","c~\n":null}"#;
        assert_eq!(member(text, "b"), Some(json!("é")));
        assert_eq!(member(text, "a"), Some(json!({"x": [1, {"b": 2}]})));
        assert_eq!(member(text, "c~\n"), Some(json!(null)));
        assert_eq!(member(text, "x"), None);
        for odd in ["", "[]", "3", "{", "{\"b\"", "{\"b\":}"] {
            assert_eq!(member(odd.as_bytes(), "b"), None, "{odd}");
        }
    }

    #[test]
    fn spans_are_the_parts() {
        let object = json!({"Z": 1, "Params": {"a": [1, "x\"}"]}, "Meta": {}, "Partial": false});
        let (json, spans) = encode(object.as_object().unwrap());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).unwrap(), object);
        assert_eq!(spans.params.of(&json), br#"{"a":[1,"x\"}"]}"#);
        assert_eq!(spans.meta.of(&json), b"{}");
        assert_eq!(spans.partial.of(&json), b"false");
    }
}
