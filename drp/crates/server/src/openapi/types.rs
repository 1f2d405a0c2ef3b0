//! The built-in types as the document shows them: model, and a sample object that examples work on.

use super::operation::Make;
use drp_protocol::{
    BootEnv, Context, Job, Lease, Machine, Param, Plugin, Pool, Profile, Reservation, Role, Stage, Subnet,
    Task, Template, Tenant, User, Workflow,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A built-in type in the document.
pub(crate) struct Sample {
    pub(crate) prefix: &'static str,
    /// Key of the sample object, as paths hold it.
    pub(crate) key: &'static str,
    /// Objects of this type carry params.
    pub(crate) has_params: bool,
    pub(crate) schema: Make,
    /// The sample object as it is created.
    pub(crate) body: fn() -> Value,
}

/// UUID of the sample machine.
pub(crate) const MACHINE: &str = "8a1f6f0e-5c0b-4b7e-9a55-0f3a6e1d2c4b";
const JOB: &str = "0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c";

macro_rules! sample {
    ($prefix:literal, $key:expr, $schema:expr, $params:literal, $body:tt) => {
        Sample { prefix: $prefix, key: $key, has_params: $params, schema: $schema, body: || json!($body) }
    };
}

fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Objects of types that plugins declare, and of the multi-endpoint manager: any fields beside the common ones.
pub(crate) fn raw(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"$ref": "#/components/schemas/RawObject"})
}

/// What is behind [`raw`].
pub(crate) fn raw_object() -> Value {
    json!({
        "description": "An object with any fields beside the common ones",
        "type": "object",
        "required": ["Available", "Bundle", "Endpoint", "Errors", "Id", "Meta", "ReadOnly", "Validated"],
        "properties": {
            "Available": {"type": "boolean"},
            "Bundle": {"type": "string"},
            "Endpoint": {"type": "string"},
            "Errors": {"type": "array", "items": {"type": "string"}},
            "Id": {"type": "string", "description": "Key"},
            "Meta": {"type": "object", "additionalProperties": {"type": "string"}},
            "ReadOnly": {"type": "boolean"},
            "Validated": {"type": "boolean"}
        },
        "additionalProperties": true
    })
}

/// All built-in types that are made and changed by the routes of objects, in the order in which their examples run.
pub(crate) fn samples() -> Vec<Sample> {
    vec![
        sample!("params", "example/level", of::<Param>, false,
            {"Name": "example/level", "Description": "How loud", "Schema": {"type": "integer", "default": 3}}),
        sample!("templates", "example.tmpl", of::<Template>, false,
            {"ID": "example.tmpl", "Contents": "#!/bin/sh\ntrue\n"}),
        sample!("tasks", "example-task", of::<Task>, false, {"Name": "example-task"}),
        sample!("bootenvs", "example-bootenv", of::<BootEnv>, false, {"Name": "example-bootenv"}),
        sample!("stages", "example-stage", of::<Stage>, true, {"Name": "example-stage"}),
        sample!("workflows", "example-workflow", of::<Workflow>, false, {"Name": "example-workflow"}),
        sample!("profiles", "example-profile", of::<Profile>, true, {"Name": "example-profile"}),
        sample!("contexts", "example-context", of::<Context>, false,
            {"Name": "example-context", "Engine": "docker-context", "Image": "runner"}),
        sample!("pools", "example-pool", of::<Pool>, false, {"Id": "example-pool"}),
        sample!("roles", "example-role", of::<Role>, false,
            {"Name": "example-role", "Claims": [{"scope": "machines", "action": "list", "specific": "*"}]}),
        sample!("users", "example-user", of::<User>, false, {"Name": "example-user", "Roles": []}),
        sample!("tenants", "example-tenant", of::<Tenant>, false, {"Name": "example-tenant"}),
        sample!("plugins", "example-plugin", of::<Plugin>, true,
            {"Name": "example-plugin", "Provider": "incrementer"}),
        sample!("machines", MACHINE, of::<Machine>, true, {"Uuid": MACHINE, "Name": "example-machine"}),
        sample!("jobs", JOB, of::<Job>, false, {"Uuid": JOB, "State": "created"}),
        sample!("subnets", "example-subnet", of::<Subnet>, false,
            {"Name": "example-subnet", "Subnet": "192.0.2.1/24", "ActiveStart": "192.0.2.10",
             "ActiveEnd": "192.0.2.99", "ActiveLeaseTime": 60, "ReservedLeaseTime": 7200,
             "Strategy": "MAC"}),
        sample!("leases", "C0000214", of::<Lease>, false,
            {"Addr": "192.0.2.20", "Strategy": "MAC", "Token": "00:00:5e:00:53:01", "State": "ACK"}),
        sample!("reservations", "C0000215", of::<Reservation>, false,
            {"Addr": "192.0.2.21", "Strategy": "MAC", "Token": "00:00:5e:00:53:02"}),
        sample!("endpoints", "example-endpoint", raw, true, {"Id": "example-endpoint"}),
        sample!("catalog_items", "example-item", raw, false, {"Id": "example-item"}),
        sample!("version_sets", "example-set", raw, false, {"Id": "example-set"}),
    ]
}
