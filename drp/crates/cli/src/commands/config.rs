//! Settings of the daemon and where they come from.

use super::flags;
use crate::grammar::{ConfigVerb, Globals};
use crate::printer::Printer;
use crate::{Failure, Hooks};
use serde_json::{Value, json};

pub(crate) fn run(
    globals: &Globals,
    verb: ConfigVerb,
    printer: &Printer,
    hooks: &dyn Hooks,
) -> Result<(), Failure> {
    let ConfigVerb::Show { origin, settings } = verb;
    let found = hooks.settings(&flags(globals, &settings))?;
    if printer.for_eyes() {
        return if origin {
            let rows = found.into_iter().map(|s| vec![s.name, s.value, s.origin]).collect();
            printer.rows(&["Setting", "Value", "Origin"], rows)
        } else {
            printer.rows(&["Setting", "Value"], found.into_iter().map(|s| vec![s.name, s.value]).collect())
        };
    }
    let map: Value = found
        .into_iter()
        .map(|s| {
            let value = if origin { json!({ "value": s.value, "origin": s.origin }) } else { json!(s.value) };
            (s.name, value)
        })
        .collect();
    printer.value(&map)
}
