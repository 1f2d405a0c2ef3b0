//! Params as they reach a hook.

use crate::{Error, Value};
use drp_protocol::JsonMap;
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor, value::MapDeserializer};

/// Param values by name, resolved and decrypted by the daemon.
#[derive(Clone, Default, PartialEq)]
pub struct Params(JsonMap);

impl Params {
    /// The value of a param, if it is there and not null.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// The value of a param as a type; `None` when it is absent or null.
    ///
    /// # Errors
    /// Code 400 that names the param when the value does not fit.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.value(name)
            .map(|v| T::deserialize(v.clone()).map_err(|e| invalid(&Named::error(name, v, e))))
            .transpose()
    }

    /// The value of a param that must be there.
    ///
    /// # Errors
    /// Code 400 that names the param when it is missing or does not fit.
    pub fn require<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.get(name)?.ok_or_else(|| Error::new(400, "params", format!("Missing Parameter {name}")))
    }

    /// All params as one struct whose fields are renamed to param names. Other params are ignored and
    /// null counts as absent.
    ///
    /// # Errors
    /// Code 400 that names the param that is missing or does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let fields = self
            .0
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k.as_str(), Named { name: k, value: v }));
        T::deserialize(MapDeserializer::new(fields)).map_err(|e| invalid(&e))
    }

    /// The values themselves.
    #[must_use]
    pub fn into_inner(self) -> JsonMap {
        self.0
    }

    /// The values themselves.
    #[must_use]
    pub fn as_map(&self) -> &JsonMap {
        &self.0
    }
}

impl From<JsonMap> for Params {
    fn from(map: JsonMap) -> Self {
        Self(map)
    }
}

/// Names only: values may be secret.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn invalid(problem: &serde_json::Error) -> Error {
    Error::new(400, "params", format!("Invalid Parameter: {problem}"))
}

/// A value that puts its param's name in front of every error. What serde says about a text or
/// number is replaced by its type, since it may be a secret.
struct Named<'a> {
    name: &'a str,
    value: &'a Value,
}

impl Named<'_> {
    fn error(name: &str, value: &Value, error: serde_json::Error) -> serde_json::Error {
        let text = error.to_string();
        let kind = match value {
            Value::String(_) => Some("a string"),
            Value::Number(_) => Some("a number"),
            _ => None,
        };
        let text = match (kind, text.find(", expected")) {
            (Some(kind), Some(at)) if text.starts_with("invalid ") => {
                format!("{kind} does not fit{}", &text[at..])
            }
            _ => text,
        };
        serde::de::Error::custom(format_args!("{name}: {text}"))
    }
}

impl<'a> IntoDeserializer<'a, serde_json::Error> for Named<'a> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! forward {
    ($($method:ident ( $($arg:ident : $ty:ty),* );)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, Self::Error> {
            let Named { name, value } = self;
            serde::Deserializer::$method(value.clone(), $($arg,)* visitor).map_err(|e| Named::error(name, value, e))
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Named<'de> {
    type Error = serde_json::Error;
    forward! {
        deserialize_any(); deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32();
        deserialize_i64(); deserialize_i128(); deserialize_u8(); deserialize_u16(); deserialize_u32();
        deserialize_u64(); deserialize_u128(); deserialize_f32(); deserialize_f64(); deserialize_char();
        deserialize_str(); deserialize_string(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_option(); deserialize_unit(); deserialize_seq(); deserialize_map();
        deserialize_identifier(); deserialize_ignored_any();
        deserialize_unit_struct(name_: &'static str); deserialize_newtype_struct(name_: &'static str);
        deserialize_tuple(len: usize); deserialize_tuple_struct(name_: &'static str, len: usize);
        deserialize_struct(name_: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name_: &'static str, variants: &'static [&'static str]);
    }
}

#[cfg(test)]
mod tests {
    use super::Params;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Step {
        #[serde(rename = "incrementer/step")]
        step: Option<i64>,
        #[serde(rename = "incrementer/parameter", default)]
        parameter: String,
        #[serde(rename = "incrementer/touched")]
        touched: i64,
    }

    fn params(value: serde_json::Value) -> Params {
        value.as_object().cloned().unwrap().into()
    }

    #[test]
    fn a_struct_is_filled_by_param_names() {
        let p = params(
            json!({"incrementer/step": 3, "incrementer/touched": 1, "other": {}, "incrementer/parameter": null}),
        );
        let want = Step { step: Some(3), parameter: String::new(), touched: 1 };
        assert_eq!(p.decode::<Step>().unwrap(), want);
    }

    #[test]
    fn errors_name_the_param_and_not_its_text() {
        let p = params(json!({"incrementer/step": "hunter2", "incrementer/touched": 1}));
        let error = p.decode::<Step>().unwrap_err().to_string();
        assert_eq!(
            error,
            "params: : Invalid Parameter: incrementer/step: a string does not fit, expected i64"
        );
        let error = p.get::<i64>("incrementer/step").unwrap_err().to_string();
        assert!(error.contains("incrementer/step") && !error.contains("hunter2"), "{error}");
        let error = params(json!({})).decode::<Step>().unwrap_err().to_string();
        assert!(error.contains("missing field `incrementer/touched`"), "{error}");
        assert!(
            params(json!({}))
                .require::<i64>("x/y")
                .unwrap_err()
                .to_string()
                .contains("Missing Parameter x/y")
        );
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", params(json!({"ipmi/password": "hunter2"}))), r#"{"ipmi/password"}"#);
    }
}
