//! The built-in types (wire-protocol §2.3, §2.4).

use crate::{
    index::table_of,
    kind::{KeyOf, Kind},
    names::NameRule,
};
use drp_protocol::{
    BootEnv, Context, Job, JsonMap, Lease, Machine, Param, Plugin, Pool, Pref, Profile, Reservation, Role,
    Stage, Subnet, Task, Template, Tenant, User, Workflow,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Through the model's type and back: names in any case become exact, unknown fields go, empties are filled.
fn typed<T: DeserializeOwned + Serialize>(prefix: &str, object: JsonMap) -> Result<JsonMap, String> {
    let model: T = serde_json::from_value(Value::Object(object)).map_err(|e| crate::json_error(&e))?;
    match serde_json::to_value(model) {
        Ok(Value::Object(mut map)) => {
            crate::fields::settle(prefix, &mut map)?;
            Ok(map)
        }
        Ok(_) => Err("not an object".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

/// Fields of the multi-endpoint manager's types, which are kept as they come.
fn managed(prefix: &str, object: JsonMap) -> Result<JsonMap, String> {
    let mut out = crate::raw::canonical(
        object,
        &[
            "Id",
            "Description",
            "Validated",
            "Available",
            "Errors",
            "ReadOnly",
            "Meta",
            "Endpoint",
            "Bundle",
            "Params",
        ],
    );
    let maps: &[&str] = if prefix == "endpoints" { &["Meta", "Params"] } else { &["Meta"] };
    crate::raw::fill(
        &mut out,
        &["Validated", "Available", "ReadOnly"],
        &["Endpoint", "Bundle", "Id", "Description"],
        maps,
    )?;
    crate::raw::fill_list(&mut out, "Errors")?;
    Ok(out)
}

struct Spec {
    prefix: &'static str,
    key: &'static str,
    rule: NameRule,
    normalise: fn(&str, JsonMap) -> Result<JsonMap, String>,
    /// `P` params, `A` actions, `L` listed in GET `/objects`.
    flags: &'static str,
}

const SPECS: &[Spec] = &[
    Spec { prefix: "bootenvs", key: "Name", rule: NameRule::Name, normalise: typed::<BootEnv>, flags: "LA" },
    Spec { prefix: "catalog_items", key: "Id", rule: NameRule::Any, normalise: managed, flags: "L" },
    Spec { prefix: "contexts", key: "Name", rule: NameRule::Name, normalise: typed::<Context>, flags: "LA" },
    Spec { prefix: "endpoints", key: "Id", rule: NameRule::Endpoint, normalise: managed, flags: "LPA" },
    Spec { prefix: "jobs", key: "Uuid", rule: NameRule::Any, normalise: typed::<Job>, flags: "LA" },
    Spec { prefix: "leases", key: "Addr", rule: NameRule::Any, normalise: typed::<Lease>, flags: "LA" },
    Spec { prefix: "machines", key: "Uuid", rule: NameRule::Any, normalise: typed::<Machine>, flags: "LPA" },
    Spec { prefix: "params", key: "Name", rule: NameRule::Param, normalise: typed::<Param>, flags: "LA" },
    Spec { prefix: "plugins", key: "Name", rule: NameRule::Name, normalise: typed::<Plugin>, flags: "LPA" },
    Spec { prefix: "pools", key: "Id", rule: NameRule::Name, normalise: typed::<Pool>, flags: "LA" },
    Spec { prefix: "preferences", key: "Name", rule: NameRule::Any, normalise: typed::<Pref>, flags: "L" },
    Spec { prefix: "profiles", key: "Name", rule: NameRule::Name, normalise: typed::<Profile>, flags: "LPA" },
    Spec {
        prefix: "reservations",
        key: "Addr",
        rule: NameRule::Any,
        normalise: typed::<Reservation>,
        flags: "LA",
    },
    Spec { prefix: "roles", key: "Name", rule: NameRule::Name, normalise: typed::<Role>, flags: "LA" },
    Spec { prefix: "stages", key: "Name", rule: NameRule::Name, normalise: typed::<Stage>, flags: "LPA" },
    Spec { prefix: "subnets", key: "Name", rule: NameRule::Name, normalise: typed::<Subnet>, flags: "LA" },
    Spec { prefix: "tasks", key: "Name", rule: NameRule::Name, normalise: typed::<Task>, flags: "LA" },
    Spec {
        prefix: "templates",
        key: "ID",
        rule: NameRule::Machine,
        normalise: typed::<Template>,
        flags: "LA",
    },
    Spec { prefix: "tenants", key: "Name", rule: NameRule::Name, normalise: typed::<Tenant>, flags: "LA" },
    Spec { prefix: "users", key: "Name", rule: NameRule::User, normalise: typed::<User>, flags: "LA" },
    Spec { prefix: "version_sets", key: "Id", rule: NameRule::Any, normalise: managed, flags: "L" },
    Spec {
        prefix: "workflows",
        key: "Name",
        rule: NameRule::Name,
        normalise: typed::<Workflow>,
        flags: "LA",
    },
];

/// All built-in types.
pub(crate) fn built_in() -> impl Iterator<Item = Kind> {
    SPECS.iter().map(|spec| Kind {
        prefix: spec.prefix.to_owned(),
        key_field: spec.key.to_owned(),
        has_params: spec.flags.contains('P'),
        has_actions: spec.flags.contains('A'),
        listed: spec.flags.contains('L'),
        raw: false,
        key_of: match spec.prefix {
            "leases" | "reservations" => KeyOf::Ipv4Hex,
            "machines" | "jobs" => KeyOf::Uuid,
            _ => KeyOf::Field,
        },
        name_rule: spec.rule,
        indexes: table_of(spec.prefix),
        normalise: spec.normalise,
        schema: None,
        declared: Value::Null,
    })
}
