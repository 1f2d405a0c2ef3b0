//! JSON schemas of contracts, as far as these tell what they want.

use crate::session::Machine;
use nickel_lang_core::eval::value::{Container, NickelValue, ValueContentRef};
use nickel_lang_core::eval::{Closure, Environment, VirtualMachine};
use nickel_lang_core::label::Label;
use nickel_lang_core::term::Term;
use nickel_lang_core::term::record::{Field, RecordData};
use nickel_lang_core::typ::{EnumRowsIteratorItem, RecordRowsIteratorItem, Type, TypeF};
use serde_json::{Map, Value, json};

/// Records in records deeper than this are left open; a contract may hold itself.
const DEPTH: usize = 8;

/// The schema of a field's value.
pub(crate) fn of_field(machine: &mut Machine, field: &Field, depth: usize) -> Value {
    let mut all = Vec::new();
    if depth < DEPTH {
        // All contracts of a field see the same names.
        let env = field.pending_contracts.iter().find_map(|pending| environment(&pending.contract));
        let env = env.unwrap_or_default();
        if let Some(metadata) = field.metadata.0.as_deref() {
            let annotation = &metadata.annotation;
            for typed in annotation.typ.iter().chain(&annotation.contracts) {
                let schema = of_type(machine, &typed.typ, &typed.label, &env, depth);
                if schema != json!({}) {
                    all.push(schema);
                }
            }
        }
        if all.is_empty()
            && let Some(value) = &field.value
            && let Some(record) = record(machine, Closure::from(value.clone()))
        {
            all.push(of_record(machine, &record, depth + 1));
        }
    }
    let mut schema = match all.len() {
        0 | 1 => all.pop().unwrap_or_else(|| json!({})),
        _ => json!({ "allOf": all }),
    };
    let doc = field.metadata.0.as_deref().and_then(|metadata| metadata.doc.as_deref());
    if let (Some(doc), Some(schema)) = (doc, schema.as_object_mut()) {
        schema.insert("description".into(), doc.trim().into());
    }
    schema
}

fn of_type(machine: &mut Machine, typ: &Type, label: &Label, env: &Environment, depth: usize) -> Value {
    match &typ.typ {
        TypeF::Number => json!({ "type": "number" }),
        TypeF::Bool => json!({ "type": "boolean" }),
        TypeF::String => json!({ "type": "string" }),
        TypeF::Array(item) => {
            json!({ "type": "array", "items": of_type(machine, item, label, env, depth) })
        }
        TypeF::Dict { type_fields, .. } => {
            let values = of_type(machine, type_fields, label, env, depth);
            json!({ "type": "object", "additionalProperties": values })
        }
        TypeF::Enum(rows) => {
            let tags = rows.iter().filter_map(|row| match row {
                EnumRowsIteratorItem::Row(row) => Some(Value::from(row.id.label())),
                EnumRowsIteratorItem::TailVar(_) => None,
            });
            json!({ "enum": tags.collect::<Vec<_>>() })
        }
        TypeF::Record(rows) => {
            let mut properties = Map::new();
            for row in rows.iter() {
                if let RecordRowsIteratorItem::Row(row) = row {
                    let schema = of_type(machine, row.typ, label, env, depth + 1);
                    properties.insert(row.id.label().to_owned(), schema);
                }
            }
            let required: Vec<&String> = properties.keys().collect();
            json!({ "type": "object", "required": required, "properties": properties })
        }
        TypeF::Contract(contract) if depth < DEPTH => {
            if let Some(known) = known(machine, &typ.to_string(), label) {
                return known;
            }
            match record(machine, Closure { value: contract.clone(), env: env.clone() }) {
                Some(record) => of_record(machine, &record, depth + 1),
                None => json!({}),
            }
        }
        _ => json!({}),
    }
}

fn of_record(machine: &mut Machine, record: &RecordData, depth: usize) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in &record.fields {
        let mut schema = of_field(machine, field, depth);
        let metadata = field.metadata.0.as_deref();
        if field.value.is_none() && metadata.is_none_or(|metadata| !metadata.opt) {
            required.push(name.label().to_owned());
        }
        if let Some(value) = &field.value
            && let Ok(value) =
                VirtualMachine::new(machine).eval_full_for_export_closure(Closure::from(value.clone()))
            && let Ok(value) = serde_json::to_value(&value)
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("default".into(), value);
        }
        properties.insert(name.label().to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if !record.attrs.open {
        schema["additionalProperties"] = false.into();
    }
    schema
}

/// The record that a term is, or evaluates to.
fn record(machine: &mut Machine, closure: Closure) -> Option<RecordData> {
    let value = VirtualMachine::new(machine).eval_closure(closure).ok()?.value;
    match value.content_ref() {
        ValueContentRef::Record(Container::Alloc(record)) => Some(record.clone()),
        ValueContentRef::Record(Container::Empty) => Some(RecordData::empty()),
        ValueContentRef::Term(Term::RecRecord(data)) => Some(data.record.clone()),
        _ => None,
    }
}

/// The names that a contract sees that was not applied yet.
fn environment(contract: &NickelValue) -> Option<Environment> {
    contract.as_thunk().map(|thunk| thunk.borrow().env.clone())
}

/// The contracts of `drp/types.ncl`. A contract is a function, so they are known by the names under which the file
/// imports them.
fn known(machine: &Machine, written: &str, label: &Label) -> Option<Value> {
    let written = written.trim_matches(|c| c == '(' || c == ')').trim();
    let (call, arguments) = written.split_once(char::is_whitespace).unwrap_or((written, ""));
    let (module, name) = call.split_once('.')?;
    let span = machine.pos_table.get(label.span).into_opt()?;
    let text = machine.import_resolver.sources.files().source(span.src_id);
    let imports = text.lines().any(|line| {
        let line = line.trim_start();
        line.strip_prefix("let ").and_then(|line| line.trim_start().strip_prefix(module)).is_some_and(
            |line| {
                line.trim_start().starts_with('=') && line.contains("import") && line.contains("types.ncl\"")
            },
        )
    });
    if !imports {
        return None;
    }
    let matching = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    Some(match name {
        "Name" => matching("^[a-z][a-z0-9]*([-_][a-z0-9]+)*$"),
        "Text" => json!({ "type": "string", "minLength": 1 }),
        "Secret" => json!({ "type": "string", "writeOnly": true }),
        "Url" => matching("^https?://"),
        "Path" => matching("^/"),
        "Hostname" | "Version" | "VersionRange" | "Quantity" | "Cidr" => json!({ "type": "string" }),
        "Port" => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
        "Count" => json!({ "type": "integer", "minimum": 0 }),
        "Positive" => json!({ "type": "integer", "minimum": 1 }),
        "Seconds" => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 86400 }),
        "OneOf" => {
            let words: Vec<String> = serde_json::from_str(arguments.trim()).ok()?;
            json!({ "enum": words })
        }
        _ => return None,
    })
}
