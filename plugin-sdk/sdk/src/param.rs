//! The declaration of a param: a Rust type gives its JSON Schema.

use drp_protocol::{JsonMap, Secret};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Marks the schema of a secret on its way from the type to the declaration.
const SECURE_MARK: &str = "x-drp-secure";

/// A param that the plugin's content declares, or, without a schema, the mere name of one that a file in
/// `content/params` or another bundle declares. A file wins over a declaration in code.
#[derive(Debug, Clone)]
pub struct Param {
    inner: drp_protocol::Param,
    declared: bool,
}

impl Param {
    /// A param whose values are of type `T`. The doc comment of `T`, if any, becomes its description.
    #[must_use]
    pub fn of<T: JsonSchema>(name: impl Into<String>) -> Self {
        Self::from_schema(name.into(), root_schema::<T>())
    }

    /// A param whose values a JSON schema describes, for types that are known only when the program runs. A
    /// `description` in it becomes the param's.
    #[must_use]
    pub fn with_schema(name: impl Into<String>, schema: JsonMap) -> Self {
        Self::from_schema(name.into(), schema)
    }

    /// A param by name only.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { inner: drp_protocol::Param { name: name.into(), ..Default::default() }, declared: false }
    }

    /// One line for people.
    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.inner.description = text.into();
        self
    }

    /// Longer text, Markdown.
    #[must_use]
    pub fn document(mut self, text: impl Into<String>) -> Self {
        self.inner.documentation = text.into();
        self
    }

    /// Values are sealed per object, and reach the plugin decrypted.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.inner.secure = true;
        self
    }

    /// The value that holds where no object sets one.
    #[must_use]
    pub fn default(mut self, value: impl Serialize) -> Self {
        // A value that cannot be JSON (a map with odd keys) becomes null, which `run` refuses.
        let value = serde_json::to_value(value).unwrap_or_default();
        match &mut self.inner.schema {
            Value::Object(schema) => drop(schema.insert("default".to_owned(), value)),
            other => *other = json!({ "default": value }),
        }
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The declaration to put into the content, unless this is only a name.
    pub(crate) fn declaration(&self) -> Option<&drp_protocol::Param> {
        self.declared.then_some(&self.inner)
    }

    /// The fields of a struct, and whether each must be there.
    pub(crate) fn fields_of<T: JsonSchema>() -> Vec<(Self, bool)> {
        let schema = root_schema::<T>();
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(Value::Object(fields)) = schema.get("properties") else { return Vec::new() };
        let field = |(name, schema): (&String, &Value)| {
            let schema = schema.as_object().cloned().unwrap_or_default();
            let must = required.iter().any(|r| r == name);
            (Self::from_schema(name.clone(), schema), must)
        };
        fields.iter().map(field).collect()
    }

    fn from_schema(name: String, mut schema: JsonMap) -> Self {
        without_null(&mut schema);
        let secure = schema.remove(SECURE_MARK).is_some();
        let description = match schema.remove("description") {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let inner =
            drp_protocol::Param { name, description, secure, schema: schema.into(), ..Default::default() };
        Self { inner, declared: true }
    }
}

impl From<&str> for Param {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl From<String> for Param {
    fn from(name: String) -> Self {
        Self::named(name)
    }
}

/// The value of a secure param in a param struct. It declares its param secure, and cannot be printed.
#[derive(Debug, Clone, Default)]
pub struct SecretText(pub Secret);

impl SecretText {
    /// The text itself. Keep the borrow short.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", SECURE_MARK: true })
    }
}

/// The schema of a type in words that draft 4 validators know too, with nothing referenced elsewhere.
fn root_schema<T: JsonSchema>() -> JsonMap {
    let settings = SchemaSettings::draft07().with(|s| {
        s.meta_schema = None;
        s.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    match schema {
        Value::Object(map) => map,
        _ => JsonMap::new(),
    }
}

/// Drops what only says which Rust type it was, and `const`, which draft 4 has not.
fn tidy(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    map.remove("$schema");
    map.remove("title");
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    let rust_number = |f: &Value| {
        f.as_str()
            .is_some_and(|f| f.starts_with("int") || f.starts_with("uint") || matches!(f, "double" | "float"))
    };
    if map.get("format").is_some_and(rust_number) {
        map.remove("format");
    }
    if let Some(value) = map.remove("const") {
        map.insert("enum".to_owned(), json!([value]));
    }
    for (keyword, value) in map.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(fields)) => fields.values_mut().for_each(tidy),
            ("oneOf" | "anyOf" | "allOf", Value::Array(parts)) => parts.iter_mut().for_each(tidy),
            ("items" | "additionalProperties" | "not", part) => tidy(part),
            _ => {}
        }
    }
}

/// A param that is not set is absent, so the null of an `Option` is not part of its schema.
fn without_null(schema: &mut JsonMap) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    if let Some(Value::Array(parts)) = schema.get_mut("anyOf") {
        parts.retain(|p| p.get("type").is_none_or(|t| t != "null"));
        if let [Value::Object(one)] = parts.as_mut_slice() {
            let one = std::mem::take(one);
            schema.remove("anyOf");
            for (keyword, value) in one {
                schema.entry(keyword).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Param, SecretText};
    use crate::Command;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code)]
    enum Mode {
        Ipmi,
        Redfish,
    }

    fn two() -> i64 {
        2
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Login {
        /// Where the BMC is.
        #[serde(rename = "ipmi/address")]
        address: String,
        #[serde(rename = "ipmi/mode")]
        mode: Option<Mode>,
        #[serde(rename = "ipmi/password")]
        password: Option<SecretText>,
        #[serde(rename = "ipmi/retries", default = "two")]
        retries: i64,
        #[serde(rename = "ipmi/tags")]
        tags: Option<Vec<String>>,
    }

    fn schema(param: &Param) -> Value {
        param.declaration().unwrap().schema.clone()
    }

    #[test]
    fn schemas_come_from_types_without_noise() {
        assert_eq!(schema(&Param::of::<i64>("a/b")), json!({"type": "integer"}));
        assert_eq!(schema(&Param::of::<Option<f64>>("a/b")), json!({"type": "number"}));
        let with_default = Param::of::<String>("a/b").default("x");
        assert_eq!(schema(&with_default), json!({"type": "string", "default": "x"}));
    }

    #[test]
    fn a_struct_declares_its_fields() {
        let command = Command::on("machines", "poweron").params::<Login>();
        assert_eq!(command.action.required_params, ["ipmi/address"]);
        assert_eq!(
            command.action.optional_params,
            ["ipmi/mode", "ipmi/password", "ipmi/retries", "ipmi/tags"]
        );
        let [address, mode, password, retries, tags] = command.declares.as_slice() else { panic!() };
        assert_eq!(address.declaration().unwrap().description, "Where the BMC is.");
        assert_eq!(schema(address), json!({"type": "string"}));
        assert_eq!(schema(mode), json!({"type": "string", "enum": ["ipmi", "redfish"]}));
        assert_eq!(schema(password), json!({"type": "string"}));
        assert!(password.declaration().unwrap().secure && !mode.declaration().unwrap().secure);
        assert_eq!(schema(retries), json!({"type": "integer", "default": 2}));
        assert_eq!(schema(tags), json!({"type": "array", "items": {"type": "string"}}));
    }
}
