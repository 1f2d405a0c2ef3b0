//! The filters that write values as literals of other languages.

use crate::literal;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};

/// Records and lists within each other at most.
const DEEPEST: usize = 64;
/// Spaces of one step of indentation at most.
const WIDEST: usize = 16;

pub(crate) fn add(environment: &mut Environment<'_>) {
    for name in ["sh", "quote"] {
        environment.add_filter(name, |value: &Value| literal::sh(&json(value)?).map_err(invalid));
    }
    environment.add_filter("tonu", |value: &Value| Ok::<_, Error>(literal::nu(&json(value)?)));
    environment.add_filter("tonickel", |value: &Value| Ok::<_, Error>(literal::nickel(&json(value)?)));
    environment.add_filter("tojson", to_json);
    environment.add_filter("toyaml", to_yaml);
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A value as JSON. What is undefined is an error, also within lists and records.
fn json(value: &Value) -> Result<Json, Error> {
    within(value, 0)
}

fn within(value: &Value, depth: usize) -> Result<Json, Error> {
    if depth > DEEPEST {
        return Err(invalid("the value is nested too deeply"));
    }
    match value.kind() {
        // Asking it for a field makes the error that knows the name of what is undefined.
        ValueKind::Undefined => value.get_attr("").map(|_| Json::Null),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()?
            .map(|item| within(&item, depth + 1))
            .collect::<Result<Vec<_>, _>>()
            .map(Json::Array),
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()? {
                map.insert(key.to_string(), within(&value.get_item(&key)?, depth + 1)?);
            }
            Ok(Json::Object(map))
        }
        _ => serde_json::to_value(value)
            .map_err(|error| invalid(format!("the value is no plain data: {error}"))),
    }
}

/// The argument `indent`, by place or by name.
fn indent(place: Option<usize>, named: &Kwargs) -> Result<usize, Error> {
    let spaces = match place {
        Some(spaces) => spaces,
        None => named.get::<Option<usize>>("indent")?.unwrap_or(0),
    };
    named.assert_all_used()?;
    if spaces > WIDEST {
        return Err(invalid(format!("{WIDEST} spaces are the most")));
    }
    Ok(spaces)
}

/// `tojson`: on one line, or with `indent` on several.
fn to_json(value: &Value, place: Option<usize>, named: Kwargs) -> Result<String, Error> {
    let (value, spaces) = (json(value)?, indent(place, &named)?);
    if spaces == 0 {
        return Ok(value.to_string());
    }
    let step = " ".repeat(spaces);
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(step.as_bytes());
    serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut out, formatter))
        .map_err(|error| invalid(error.to_string()))?;
    String::from_utf8(out).map_err(|error| invalid(error.to_string()))
}

/// `toyaml`: a block of YAML without its last newline. Its lines after the first are shifted by `indent`, so that the block
/// can stand where the template has it.
fn to_yaml(value: &Value, place: Option<usize>, named: Kwargs) -> Result<String, Error> {
    let (value, spaces) = (json(value)?, indent(place, &named)?);
    let text = serde_yaml_ng::to_string(&value).map_err(|error| invalid(error.to_string()))?;
    let shift = format!("\n{}", " ".repeat(spaces));
    Ok(text.trim_end_matches('\n').replace('\n', &shift))
}
