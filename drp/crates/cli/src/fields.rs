//! Fields of objects by name.

use serde_json::Value;

/// A field by name, by names with dots between (`Params.x/y`, `Meta.rack`), or by JSON Pointer.
pub(crate) fn at<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    if field.starts_with('/') {
        return object.pointer(field);
    }
    let mut value = object;
    let mut rest = field;
    loop {
        if let Some(found) = value.get(rest) {
            return Some(found);
        }
        let (first, others) = rest.split_once('.')?;
        value = value.get(first)?;
        rest = others;
    }
}

/// Only these fields of an object, under the names they were asked for by; `null` where there is none.
pub(crate) fn only(object: &Value, fields: &[String]) -> Value {
    fields.iter().map(|field| (field.clone(), at(object, field).cloned().unwrap_or_default())).collect()
}

/// The key under which events and the API name an object of the type.
pub(crate) fn key<'a>(prefix: &str, object: &'a Value) -> Option<&'a str> {
    let fields: &[&str] = match prefix {
        "machines" | "jobs" => &["Uuid"],
        "templates" => &["ID"],
        "leases" | "reservations" => &["Addr"],
        "contents" => return object.pointer("/meta/Name")?.as_str(),
        _ => &["Name", "Id"],
    };
    fields.iter().find_map(|field| object.get(*field)?.as_str().filter(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{at, only};
    use serde_json::json;

    #[test]
    fn fields_by_name_path_and_pointer() {
        let object = json!({"A": 1, "Params": {"x/y": 2, "a.b": 3}, "L": [4]});
        for (field, expected) in
            [("A", Some(1)), ("Params.x/y", Some(2)), ("Params.a.b", Some(3)), ("/L/0", Some(4)), ("B", None)]
        {
            assert_eq!(at(&object, field).and_then(|v| v.as_i64()), expected, "{field}");
        }
        assert_eq!(only(&object, &["Params.a.b".into(), "B".into()]), json!({"Params.a.b": 3, "B": null}));
    }
}
