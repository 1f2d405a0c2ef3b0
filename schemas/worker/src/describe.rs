//! The fields of contracts, for documentation.

use crate::schema;
use crate::session::Machine;
use drp_schemas::Field;
use nickel_lang_core::error::Error;
use nickel_lang_core::eval::value::{Container, NickelValue, ValueContentRef};
use nickel_lang_core::eval::{Closure, VirtualMachine};
use nickel_lang_core::program::FieldPath;
use nickel_lang_core::term::record::RecordData;
use nickel_lang_core::term::{MergePriority, Term};

/// Contracts of contracts of contracts are documented at their own place.
const DEPTH: usize = 4;

/// All fields of a record, and of the records in it.
pub(crate) fn fields(machine: &mut Machine, value: NickelValue) -> Result<Vec<Field>, Error> {
    let mut found = Vec::new();
    walk(machine, &value, &FieldPath::new(), &mut found)?;
    Ok(found)
}

fn walk(
    machine: &mut Machine,
    root: &NickelValue,
    path: &FieldPath,
    found: &mut Vec<Field>,
) -> Result<(), Error> {
    let closure =
        VirtualMachine::new(machine).extract_field_value_closure(Closure::from(root.clone()), path)?;
    let value = VirtualMachine::new(machine).eval_closure(closure)?.value;
    let Some(record) = record(&value) else { return Ok(()) };
    for (name, field) in &record.fields {
        let metadata = field.metadata.0.as_deref();
        let annotation = metadata.map(|m| &m.annotation);
        let contracts = annotation.into_iter().flat_map(|a| a.typ.iter().chain(&a.contracts));
        let mut below = path.clone();
        below.0.push(*name);
        let schema = schema::of_field(machine, field, 0);
        let default = metadata.is_some_and(|m| matches!(m.priority, MergePriority::Bottom));
        found.push(Field {
            name: below.0.iter().map(|part| part.label().to_owned()).collect::<Vec<_>>().join("."),
            contracts: contracts.map(|typed| typed.label.typ.to_string()).collect(),
            default: default.then(|| text(machine, root, &below)).flatten(),
            optional: metadata.is_some_and(|m| m.opt),
            doc: metadata.and_then(|m| m.doc.as_deref()).map(|doc| doc.trim().to_owned()),
            schema,
        });
        if field.value.is_some() && !default && below.0.len() < DEPTH {
            walk(machine, root, &below, found)?;
        }
    }
    Ok(())
}

/// A value as JSON; `None` when it has no such form.
fn text(machine: &mut Machine, root: &NickelValue, path: &FieldPath) -> Option<String> {
    let mut vm = VirtualMachine::new(machine);
    let closure = vm.extract_field_value_closure(Closure::from(root.clone()), path).ok()?;
    let value = vm.eval_full_for_export_closure(closure).ok()?;
    serde_json::to_string(&value).ok()
}

fn record(value: &NickelValue) -> Option<RecordData> {
    match value.content_ref() {
        ValueContentRef::Record(Container::Alloc(record)) => Some(record.clone()),
        ValueContentRef::Term(Term::RecRecord(data)) => Some(data.record.clone()),
        _ => None,
    }
}
