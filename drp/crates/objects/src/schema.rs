//! JSON Schemas of params and raw types (wire-protocol §2.4, §3.7).
//!
//! Error texts follow the style that clients of the API know: `(root): Invalid type. Expected: integer, given: string`.

use jsonschema::{
    Draft, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

/// How often a pattern may go back before the value counts as not matching.
const PATTERN_BACKTRACKS: usize = 100_000;

/// A compiled schema.
pub(crate) enum Checker {
    /// No schema, or one that takes anything.
    Anything,
    /// Only a type is asked for, as most params do; needs no compilation.
    Type(Vec<String>),
    /// Everything else.
    Full(Box<Validator>),
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anything => "Anything",
            Self::Type(_) => "Type",
            Self::Full(_) => "Full",
        })
    }
}

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
const SILENT: [&str; 8] =
    ["default", "title", "description", "$schema", "examples", "$comment", "readOnly", "$id"];

impl Checker {
    /// Compiles a schema of draft 4 or later; nothing is ever fetched.
    ///
    /// # Errors
    /// What is wrong with it, as text.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let Some(map) = schema.as_object() else {
            return match schema {
                Value::Null | Value::Bool(true) => Ok(Self::Anything),
                _ => Err("a schema is an object or null".to_owned()),
            };
        };
        if map.keys().all(|k| k == "type" || SILENT.contains(&k.as_str())) {
            match map.get("type") {
                None => return Ok(Self::Anything),
                Some(Value::String(one)) if TYPES.contains(&one.as_str()) => {
                    return Ok(Self::Type(vec![one.clone()]));
                }
                Some(Value::String(other)) => {
                    return Err(format!("has a primitive type that is NOT VALID -- given: {other}"));
                }
                Some(Value::Array(several)) => {
                    let names: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
                    if let Some(names) =
                        names.filter(|n| !n.is_empty() && n.iter().all(|n| TYPES.contains(n)))
                    {
                        return Ok(Self::Type(names.into_iter().map(str::to_owned).collect()));
                    }
                }
                Some(_) => {}
            }
        }
        let build = |draft: Option<Draft>| {
            let options = jsonschema::options().with_pattern_options(
                jsonschema::PatternOptions::fancy_regex().backtrack_limit(PATTERN_BACKTRACKS),
            );
            match draft {
                Some(draft) => options.with_draft(draft).build(schema),
                None => options.build(schema),
            }
        };
        // Without `$schema` a schema is read as draft 7, which has all of draft 4 but the boolean bounds.
        let built = if map.contains_key("$schema") {
            build(None)
        } else {
            build(Some(Draft::Draft7)).or_else(|first| build(Some(Draft::Draft4)).map_err(|_| first))
        };
        built.map(|v| Self::Full(Box::new(v))).map_err(|e| format!("{}: {e}", field(&e)))
    }

    /// All violations, as texts that quote no more of the value than its type.
    pub(crate) fn violations(&self, value: &Value) -> Vec<String> {
        match self {
            Self::Anything => Vec::new(),
            Self::Type(types) if types.iter().any(|t| has_type(value, t)) => Vec::new(),
            Self::Type(types) => vec![format!("(root): {}", wrong_type(types, value))],
            Self::Full(validator) if validator.is_valid(value) => Vec::new(),
            Self::Full(validator) => validator
                .iter_errors(value)
                .take(20)
                .map(|e| format!("{}: {}", field(&e), describe(&e)))
                .collect(),
        }
    }

    /// The first violation.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let violations = self.violations(value);
        if violations.is_empty() { Ok(()) } else { Err(violations.join("\n")) }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn given(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() && n.as_f64().is_none_or(|f| f.fract() != 0.0) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn wrong_type(types: &[String], value: &Value) -> String {
    let expected = match types {
        [one] => one.clone(),
        many => format!("[{}]", many.join(",")),
    };
    format!("Invalid type. Expected: {expected}, given: {}", given(value))
}

/// `(root)`, or the way to the value with dots.
fn field(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    match path.strip_prefix('/') {
        None => "(root)".to_owned(),
        Some(path) => path.replace('/', ".").replace("~1", "/").replace("~0", "~"),
    }
}

fn describe(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as K;
    let field = field(error);
    match error.kind() {
        K::Type { kind } => {
            let types: Vec<String> = match kind {
                TypeKind::Single(one) => vec![one.to_string()],
                TypeKind::Multiple(many) => many.iter().map(|t| t.to_string()).collect(),
            };
            wrong_type(&types, error.instance())
        }
        K::Required { property } => format!("{} is required", property.as_str().unwrap_or_default()),
        K::AdditionalProperties { unexpected } | K::UnevaluatedProperties { unexpected } => {
            format!("Additional property {} is not allowed", unexpected.join(", "))
        }
        K::Enum { options } => {
            let options: Vec<String> =
                options.as_array().map(|o| o.iter().map(Value::to_string).collect()).unwrap_or_default();
            format!("{field} must be one of the following: {}", options.join(", "))
        }
        K::Constant { expected_value } => format!("{field} does not match: {expected_value}"),
        K::Pattern { pattern } => format!("Does not match pattern '{pattern}'"),
        K::Format { format } => format!("Does not match format '{format}'"),
        K::Minimum { limit } => format!("Must be greater than or equal to {limit}"),
        K::Maximum { limit } => format!("Must be less than or equal to {limit}"),
        K::ExclusiveMinimum { limit } => format!("Must be greater than {limit}"),
        K::ExclusiveMaximum { limit } => format!("Must be less than {limit}"),
        K::MinLength { limit } => format!("String length must be greater than or equal to {limit}"),
        K::MaxLength { limit } => format!("String length must be less than or equal to {limit}"),
        K::MinItems { limit } => format!("Array must have at least {limit} items"),
        K::MaxItems { limit } => format!("Array must have at most {limit} items"),
        K::MinProperties { limit } => format!("Must have at least {limit} properties"),
        K::MaxProperties { limit } => format!("Must have at most {limit} properties"),
        K::MultipleOf { multiple_of } => format!("Must be a multiple of {multiple_of}"),
        K::UniqueItems => "array items must be unique".to_owned(),
        K::AnyOf { .. } => "Must validate at least one schema (anyOf)".to_owned(),
        K::OneOfNotValid { .. } | K::OneOfMultipleValid { .. } => {
            "Must validate one and only one schema (oneOf)".to_owned()
        }
        K::Not { .. } => "Must not validate the schema (not)".to_owned(),
        // The value may be a secret.
        _ => error.masked().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Checker;
    use serde_json::json;

    #[test]
    fn texts_of_violations() {
        for (schema, value, text) in [
            (
                json!({"type": "integer"}),
                json!("x"),
                "(root): Invalid type. Expected: integer, given: string",
            ),
            (
                json!({"type": "integer", "minimum": 3}),
                json!("x"),
                "(root): Invalid type. Expected: integer, given: string",
            ),
            (
                json!({"type": "integer"}),
                json!(1.5),
                "(root): Invalid type. Expected: integer, given: number",
            ),
            (
                json!({"type": ["integer", "null"]}),
                json!(true),
                "(root): Invalid type. Expected: [integer,null], given: boolean",
            ),
            (
                json!({"enum": ["a", "b"]}),
                json!("c"),
                "(root): (root) must be one of the following: \"a\", \"b\"",
            ),
            (json!({"minimum": 3}), json!(2), "(root): Must be greater than or equal to 3"),
            (json!({"maximum": 3}), json!(4), "(root): Must be less than or equal to 3"),
            (json!({"maximum": 3, "exclusiveMaximum": true}), json!(3), "(root): Must be less than 3"),
            (json!({"pattern": "^a+$"}), json!("b"), "(root): Does not match pattern '^a+$'"),
            (json!({"minLength": 2}), json!("b"), "(root): String length must be greater than or equal to 2"),
            (json!({"required": ["a"]}), json!({}), "(root): a is required"),
            (
                json!({"properties": {"a": {}}, "additionalProperties": false}),
                json!({"b": 1}),
                "(root): Additional property b is not allowed",
            ),
            (
                json!({"properties": {"a": {"items": {"type": "string"}}}}),
                json!({"a": ["x", 1]}),
                "a.1: Invalid type. Expected: string, given: integer",
            ),
        ] {
            assert_eq!(Checker::compile(&schema).unwrap().violations(&value), [text], "{schema}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in [json!({"type": "strin"}), json!([]), json!({"pattern": "("}), json!({"minimum": "x"})]
        {
            assert!(Checker::compile(&schema).is_err(), "{schema}");
        }
        for schema in [json!(null), json!({}), json!({"default": 3})] {
            assert!(Checker::compile(&schema).unwrap().violations(&json!([1])).is_empty());
        }
    }

    #[test]
    fn a_pattern_that_explodes_ends() {
        let checker = Checker::compile(&json!({"pattern": "^(a+)+$(?=b)"})).unwrap();
        assert!(!checker.violations(&json!("a".repeat(60) + "c")).is_empty());
    }
}
