//! JSON Schemas of params and raw types (wire-protocol §2.4, §3.7).
//!
//! Error texts follow the style that clients of the API know: `(root): Invalid type. Expected: integer, given: string`.

use jsonschema::{
    Draft, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

/// Largest compiled form of a pattern, in bytes.
const PATTERN_SIZE: usize = 1 << 20;
/// How many violations of one value are told.
const TOLD: usize = 20;

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

const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "null", "object", "string"];
const SILENT: [&str; 8] =
    ["default", "title", "description", "$schema", "examples", "$comment", "readOnly", "$id"];

impl Checker {
    /// Compiles a schema of draft 4 or later; nothing is ever fetched. Patterns are those of RE2, which takes time in
    /// proportion to the value whatever the pattern: without look-around and references back.
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
                    return Err(format!(
                        "has a primitive type that is NOT VALID -- given: {other} Expected valid values are:[{}]",
                        TYPES.join(" ")
                    ));
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
        crate::schema_refs::bounded(schema)?;
        let build = |draft: Option<Draft>| {
            let patterns = jsonschema::PatternOptions::regex().size_limit(PATTERN_SIZE);
            let options = jsonschema::options().with_pattern_options(patterns).offline();
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
                .flat_map(|e| described(&e).into_iter().map(move |text| format!("{}: {text}", field(&e))))
                .take(TOLD)
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

/// What is wrong, in the words of the field. One error of ours may be several of theirs.
fn described(error: &ValidationError<'_>) -> Vec<String> {
    use ValidationErrorKind as K;
    match error.kind() {
        K::AdditionalProperties { unexpected } | K::UnevaluatedProperties { unexpected } => {
            let told = unexpected.iter().take(TOLD);
            told.map(|name| format!("Additional property {name} is not allowed")).collect()
        }
        _ => vec![describe(error)],
    }
}

/// A limit as a person writes it: 3, not 3.0.
fn limit(limit: &Value) -> String {
    match limit.as_f64() {
        Some(float) if !limit.is_i64() && !limit.is_u64() => float.to_string(),
        _ => limit.to_string(),
    }
}

/// The places of the first two elements of a list that are equal.
fn twice(value: &Value) -> Option<(usize, usize)> {
    let mut seen = std::collections::HashMap::new();
    let list = value.as_array()?;
    list.iter().enumerate().find_map(|(j, v)| seen.insert(v.to_string(), j).map(|i| (i, j)))
}

/// `dependencies` of draft 7 and before, `dependentRequired` after it.
fn is_dependency(error: &ValidationError<'_>) -> bool {
    let path = error.schema_path().to_string();
    path.ends_with("/dependencies") || path.ends_with("/dependentRequired")
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
        K::Required { property } if is_dependency(error) => {
            format!("Has a dependency on {}", property.as_str().unwrap_or_default())
        }
        K::Required { property } => format!("{} is required", property.as_str().unwrap_or_default()),
        K::Enum { options } => {
            let options: Vec<String> =
                options.as_array().map(|o| o.iter().map(Value::to_string).collect()).unwrap_or_default();
            format!("{field} must be one of the following: {}", options.join(", "))
        }
        K::Constant { expected_value } => format!("{field} does not match: {expected_value}"),
        K::Pattern { pattern } => format!("Does not match pattern '{pattern}'"),
        K::Format { format } => format!("Does not match format '{format}'"),
        K::Minimum { limit: bound } => format!("Must be greater than or equal to {}", limit(bound)),
        K::Maximum { limit: bound } => format!("Must be less than or equal to {}", limit(bound)),
        K::ExclusiveMinimum { limit: bound } => format!("Must be greater than {}", limit(bound)),
        K::ExclusiveMaximum { limit: bound } => format!("Must be less than {}", limit(bound)),
        K::MinLength { limit } => format!("String length must be greater than or equal to {limit}"),
        K::MaxLength { limit } => format!("String length must be less than or equal to {limit}"),
        K::MinItems { limit } => format!("Array must have at least {limit} items"),
        K::MaxItems { limit } => format!("Array must have at most {limit} items"),
        K::MinProperties { limit } => format!("Must have at least {limit} properties"),
        K::MaxProperties { limit } => format!("Must have at most {limit} properties"),
        K::MultipleOf { multiple_of } => format!("Must be a multiple of {multiple_of}"),
        K::UniqueItems => match twice(error.instance()) {
            Some((i, j)) => format!("array items[{i},{j}] must be unique"),
            None => "array items must be unique".to_owned(),
        },
        K::AdditionalItems { .. } | K::UnevaluatedItems { .. } => {
            "No additional items allowed on array".to_owned()
        }
        K::Contains => "At least one of the items must match".to_owned(),
        K::PropertyNames { error } => {
            format!("Property name of \"{}\" does not match", error.instance().as_str().unwrap_or_default())
        }
        K::FalseSchema => "False always fails validation".to_owned(),
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
            (json!({"minimum": 3.0}), json!(2), "(root): Must be greater than or equal to 3"),
            (json!({"exclusiveMinimum": 2.5}), json!(2), "(root): Must be greater than 2.5"),
            (json!({"maxLength": 2}), json!("abc"), "(root): String length must be less than or equal to 2"),
            (json!({"minItems": 2}), json!([1]), "(root): Array must have at least 2 items"),
            (json!({"maxItems": 1}), json!([1, 2]), "(root): Array must have at most 1 items"),
            (json!({"minProperties": 1}), json!({}), "(root): Must have at least 1 properties"),
            (json!({"maxProperties": 0}), json!({"a": 1}), "(root): Must have at most 0 properties"),
            (json!({"multipleOf": 2}), json!(3), "(root): Must be a multiple of 2"),
            (json!({"uniqueItems": true}), json!([1, 2, 3, 2]), "(root): array items[1,3] must be unique"),
            (
                json!({"items": [{}], "additionalItems": false}),
                json!([1, 2]),
                "(root): No additional items allowed on array",
            ),
            (json!({"contains": {"const": 1}}), json!([2]), "(root): At least one of the items must match"),
            (
                json!({"propertyNames": {"maxLength": 1}}),
                json!({"ab": 1}),
                "(root): Property name of \"ab\" does not match",
            ),
            (json!({"properties": {"a": false}}), json!({"a": 1}), "a: False always fails validation"),
            (json!({"const": {"a": 1}}), json!(2), "(root): (root) does not match: {\"a\":1}"),
            (json!({"format": "ipv4"}), json!("x"), "(root): Does not match format 'ipv4'"),
            (
                json!({"anyOf": [{"type": "string"}, {"minimum": 3}]}),
                json!(2),
                "(root): Must validate at least one schema (anyOf)",
            ),
            (
                json!({"oneOf": [{"type": "integer"}, {"minimum": 1}]}),
                json!(2),
                "(root): Must validate one and only one schema (oneOf)",
            ),
            (json!({"not": {"type": "integer"}}), json!(2), "(root): Must not validate the schema (not)"),
            (json!({"dependencies": {"a": ["b"]}}), json!({"a": 1}), "(root): Has a dependency on b"),
            (
                json!({"properties": {"x/y": {"enum": [1]}}}),
                json!({"x/y": 2}),
                "x/y: x/y must be one of the following: 1",
            ),
        ] {
            assert_eq!(Checker::compile(&schema).unwrap().violations(&value), [text], "{schema}");
        }
    }

    #[test]
    fn every_violation_has_a_line() {
        let schema = json!({
            "type": "object", "required": ["a", "b"], "additionalProperties": false,
            "properties": {"a": {}, "b": {}, "c": {"type": "string"}},
        });
        let mut texts = Checker::compile(&schema).unwrap().violations(&json!({"c": 1, "d": 1, "e": 1}));
        texts.sort();
        assert_eq!(
            texts,
            [
                "(root): Additional property d is not allowed",
                "(root): Additional property e is not allowed",
                "(root): a is required",
                "(root): b is required",
                "c: Invalid type. Expected: string, given: integer",
            ]
        );
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
    fn patterns_never_explode() {
        let checker = Checker::compile(&json!({"pattern": "^(a+)+$"})).unwrap();
        assert!(!checker.violations(&json!("a".repeat(60_000) + "c")).is_empty());
        // What only an engine that goes back can match is no schema, nor is what is too large compiled.
        for pattern in ["^(a+)+$(?=b)", r"^(a)\1$", "^(((a{500}){500}){500})$"] {
            assert!(Checker::compile(&json!({"pattern": pattern})).is_err(), "{pattern}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for reference in
            ["http://127.0.0.1:1/x.json", "https://example.com/x", "file:///etc/hostname", "x.json"]
        {
            let schema = json!({"type": "object", "properties": {"a": {"$ref": reference}}});
            assert!(Checker::compile(&schema).is_err(), "{reference}");
        }
        let schema = json!({"definitions": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/definitions/n"}}});
        let texts = Checker::compile(&schema).unwrap().violations(&json!({"a": "x"}));
        assert_eq!(texts, ["a: Invalid type. Expected: integer, given: string"]);
    }

    #[test]
    fn schemas_of_every_draft() {
        for (draft, schema, fits, not) in [
            (
                "http://json-schema.org/draft-04/schema#",
                json!({"minimum": 3, "exclusiveMinimum": true}),
                4,
                3,
            ),
            ("http://json-schema.org/draft-06/schema#", json!({"exclusiveMinimum": 3}), 4, 3),
            (
                "http://json-schema.org/draft-07/schema#",
                json!({"if": {"minimum": 3}, "then": {"const": 4}}),
                4,
                5,
            ),
            ("https://json-schema.org/draft/2019-09/schema", json!({"minimum": 4}), 4, 3),
            (
                "https://json-schema.org/draft/2020-12/schema",
                json!({"$defs": {"n": {"minimum": 4}}, "$ref": "#/$defs/n"}),
                4,
                3,
            ),
        ] {
            let mut schema = schema;
            schema["$schema"] = json!(draft);
            let checker = Checker::compile(&schema).unwrap();
            assert!(checker.violations(&json!(fits)).is_empty(), "{draft}");
            assert!(!checker.violations(&json!(not)).is_empty(), "{draft}");
        }
    }
}
