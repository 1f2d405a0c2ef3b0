//! The macro that turns a field table into a wire model, and the trait all stored objects share.

use std::collections::BTreeMap;

/// A JSON object with its keys in sorted order, as Go prints maps.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

/// A string map, the shape of every `Meta` field.
pub(crate) type StringMap = BTreeMap<String, String>;

/// An object that the API stores under a prefix and a key.
pub trait Model:
    serde::Serialize + serde::de::DeserializeOwned + Default + Clone + Send + Sync + 'static
{
    /// The path segment and event type of this model, for instance `machines`.
    const PREFIX: &'static str;
    /// The JSON name of the field that holds the key, for instance `Uuid`.
    const KEY_FIELD: &'static str;
    /// The value of the key field.
    fn key(&self) -> &str;
}

/// Whether a field of that JSON name holds a secret in the plain, in whatever model: `Debug` does not show it.
pub(crate) fn is_secret(json: &str) -> bool {
    matches!(json, "Password" | "PasswordHash" | "Secret" | "Token")
}

/// Defines a wire model from its field table (wire-protocol §2).
///
/// The letters in brackets are the embedded groups of wire-protocol §2.1: V validation, A access, M meta,
/// O owner endpoint, B bundle, P partial. Their fields stand inline, as Go embeds them. Secrets do not show in `Debug`.
macro_rules! model {
    ($(#[$m:meta])* pub struct $Name:ident [$($g:ident)*] { $($body:tt)* }) => {
        model!(@group [$(#[$m])*] $Name [$($g)*] {} { $($body)* });
    };
    ($(#[$m:meta])* pub struct $Name:ident [$($g:ident)*] at $prefix:literal key $field:ident $json:literal { $($body:tt)* }) => {
        model!(@group [$(#[$m])*] $Name [$($g)*] {} { $($body)* });
        impl $crate::Model for $Name {
            const PREFIX: &'static str = $prefix;
            const KEY_FIELD: &'static str = $json;
            fn key(&self) -> &str { &self.$field }
        }
    };
    (@group $m:tt $Name:ident [V $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// The object may be stored. Set by the server only.
            validated: bool = "Validated",
            /// Other objects may use this one. Set by the server only.
            available: bool = "Available",
            /// Why the object is not valid or not available. Set by the server only.
            errors: Vec<String> = "Errors",
        } $body);
    };
    (@group $m:tt $Name:ident [A $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// The object comes from a layer other than the writable one. Set by the server only.
            read_only: bool = "ReadOnly",
        } $body);
    };
    (@group $m:tt $Name:ident [M $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// Free annotations for people and user interfaces.
            meta: $crate::model::StringMap = "Meta",
        } $body);
    };
    (@group $m:tt $Name:ident [O $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// The owning endpoint when endpoints are managed together, else empty.
            endpoint: String = "Endpoint",
        } $body);
    };
    (@group $m:tt $Name:ident [B $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// The content layer the object comes from, empty for the writable one. Set by the server only.
            bundle: String = "Bundle",
        } $body);
    };
    (@group $m:tt $Name:ident [P $($g:ident)*] { $($acc:tt)* } $body:tt) => {
        model!(@group $m $Name [$($g)*] { $($acc)*
            /// `slim` or `params` cut this reply. Set by the server only.
            partial: bool = "Partial",
        } $body);
    };
    (@group [$($m:tt)*] $Name:ident [] { $($acc:tt)* } { $($body:tt)* }) => {
        model!(@emit [$($m)*] $Name { $($acc)* $($body)* });
    };
    (@emit [$($m:tt)*] $Name:ident { $($(#[$fm:meta])* $field:ident : $ty:ty = $json:literal),* $(,)? }) => {
        $($m)*
        #[derive(Clone, Default, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Name {
            $($(#[$fm])* #[serde(rename = $json)] pub $field: $ty,)*
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut out = f.debug_struct(stringify!($Name));
                $(
                    let name = stringify!($field).trim_start_matches("r#");
                    if $crate::model::is_secret($json) {
                        out.field(name, &format_args!("***"));
                    } else {
                        out.field(name, &self.$field);
                    }
                )*
                out.finish()
            }
        }

        impl $Name {
            /// The JSON names of all fields, in the order in which they are written.
            pub const FIELDS: &'static [&'static str] = &[$($json),*];
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct GoObject;
                impl<'de> serde::de::Visitor<'de> for GoObject {
                    type Value = $Name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a JSON object (", stringify!($Name), ")"))
                    }
                    fn visit_unit<E: serde::de::Error>(self) -> Result<$Name, E> {
                        Ok($Name::default())
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Name, A::Error> {
                        let mut out = $Name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            $(if key.eq_ignore_ascii_case($json) {
                                let value = map.next_value::<Option<$ty>>().map_err(|e| {
                                    serde::de::Error::custom(format_args!(
                                        concat!(stringify!($Name), ".", $json, ": {}"), e))
                                })?;
                                if let Some(value) = value {
                                    out.$field = value;
                                }
                                continue;
                            })*
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                        Ok(out)
                    }
                }
                deserializer.deserialize_any(GoObject)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{Index, Job, Machine, User, UserPassword, UserToken};

    #[test]
    fn secrets_do_not_show() {
        let secret = || "canary".to_owned();
        for shown in [
            format!("{:?}", UserPassword { password: secret() }),
            format!("{:#?}", UserToken { token: secret(), ..UserToken::default() }),
            format!("{:?}", User { secret: secret(), ..User::default() }),
            format!("{:?}", Machine { secret: secret(), ..Machine::default() }),
            format!("{:?}", Job { token: secret(), ..Job::default() }),
        ] {
            assert!(shown.contains("***") && !shown.contains("canary"), "{shown}");
        }
        let rest = format!("{:?}", Index { r#type: "Int".to_owned(), unique: true, ..Index::default() });
        assert_eq!(rest, "Index { type: \"Int\", unique: true, unordered: false, regex: false }");
    }
}
