//! What is known about the objects of each prefix.

use drp_protocol::{
    BootEnv, Context, Job, JsonMap, Machine, Model, Param, Plugin, Pool, Pref, Profile, Role, Stage, Subnet,
    Task, Template, Tenant, User, Workflow,
};
use serde_json::Value;

struct Kind {
    prefix: &'static str,
    key_field: &'static str,
    fields: &'static [&'static str],
    check: fn(&JsonMap) -> Result<(), String>,
}

macro_rules! kinds {
    ($($Model:ident)*) => {
        [$(Kind {
            prefix: $Model::PREFIX,
            key_field: $Model::KEY_FIELD,
            fields: $Model::FIELDS,
            check: |object| {
                serde::Deserialize::deserialize(object)
                    .map(|_: $Model| ())
                    .map_err(|e: serde_json::Error| e.to_string())
            },
        }),*]
    };
}

static KINDS: [Kind; 17] = kinds![
    BootEnv Context Job Machine Param Plugin Pool Pref Profile Role Stage Subnet Task Template Tenant User Workflow
];

fn kind(prefix: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.prefix == prefix)
}

/// The JSON name of the field that holds the key of objects under a prefix; `Id` for types that are not built in.
#[must_use]
pub fn key_field(prefix: &str) -> &'static str {
    kind(prefix).map_or("Id", |k| k.key_field)
}

/// Gives the object's known fields their exact names, as Go's decoder would, and checks their types.
pub(crate) fn settle(prefix: &str, object: JsonMap) -> Result<JsonMap, String> {
    let fields = kind(prefix).map_or(&["Id", "Type"][..], |k| k.fields);
    let mut out = JsonMap::new();
    for (name, value) in object {
        let exact =
            fields.iter().find(|f| f.eq_ignore_ascii_case(&name)).map_or(name.clone(), ToString::to_string);
        if out.insert(exact, value).is_some() {
            return Err(format!("the field {name} is there twice, in different spellings"));
        }
    }
    if let Some(kind) = kind(prefix) {
        (kind.check)(&out)?;
    }
    Ok(out)
}

/// The key of an object, if it says one.
pub(crate) fn key<'a>(prefix: &str, object: &'a JsonMap) -> Option<&'a str> {
    object.get(key_field(prefix)).and_then(Value::as_str).filter(|k| !k.is_empty())
}
