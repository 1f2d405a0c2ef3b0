//! What is printed.

use crate::kinds::KINDS;
use crate::{Failure, Language, Shape, failure};
use drp_schemas::{Diagnostic, Document, Field, SchemaError};
use serde_json::{Value, json};
use std::io::Write;

/// A line on standard output; a reader that has gone away wants no more.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// An error on standard error.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "drp schema: {text}");
}

/// All that is wrong, for people.
pub(crate) fn wrong(document: &str, diagnostics: &[Diagnostic]) -> String {
    let mut text = format!("{document} does not pass");
    for one in diagnostics {
        text.push_str(&format!("\n{one}"));
        if !one.report.is_empty() {
            text.push_str(&format!("\n\n{}", one.report.trim_end()));
        }
    }
    text
}

/// The result of one document.
pub(crate) struct Report(Value);

impl Report {
    pub(crate) fn new(document: &Document, result: &Result<(), SchemaError>) -> Self {
        let errors = match result {
            Ok(()) => json!([]),
            Err(SchemaError::Wrong { diagnostics, .. }) => json!(diagnostics),
            Err(other) => json!([{"message": other.to_string()}]),
        };
        Self(json!({"document": document.to_string(), "valid": result.is_ok(), "errors": errors}))
    }
}

pub(crate) fn json(reports: &[Report]) -> Result<(), Failure> {
    value(&Value::Array(reports.iter().map(|report| report.0.clone()).collect()), Language::Json)
}

pub(crate) fn value(value: &Value, language: Language) -> Result<(), Failure> {
    let unprintable =
        |error: &dyn std::fmt::Display| failure(1, format!("the value cannot be printed: {error}"));
    let text = match language {
        Language::Json => serde_json::to_string_pretty(value).map_err(|error| unprintable(&error))?,
        Language::Yaml => serde_yaml_ng::to_string(value).map_err(|error| unprintable(&error))?,
    };
    line(text.trim_end());
    Ok(())
}

pub(crate) fn kinds(format: Shape) -> Result<(), Failure> {
    if format == Shape::Json {
        let all: Vec<Value> = KINDS
            .iter()
            .map(|kind| json!({"name": kind.name, "contract": kind.expression(), "files": kind.known_by, "what": kind.what}))
            .collect();
        return value(&Value::Array(all), Language::Json);
    }
    for kind in KINDS {
        line(&format!("{:<14} {:<20} {:<17} {}", kind.name, kind.file, kind.contract, kind.what));
    }
    Ok(())
}

pub(crate) fn fields(fields: &[Field], format: Shape) -> Result<(), Failure> {
    if format == Shape::Json {
        return value(&json!(fields), Language::Json);
    }
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in fields {
        let need = match (&field.default, field.optional) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "optional".to_owned(),
            (None, false) => "required".to_owned(),
        };
        let contracts = field.contracts.join(" and ");
        line(&format!(
            "{:<width$}  {contracts}  ({need})  {}",
            field.name,
            field.doc.as_deref().unwrap_or("")
        ));
    }
    Ok(())
}
