//! What the engine knows about one type of object.

use crate::{index::IndexDef, names::NameRule, raw::RawSchema};
use bytes::Bytes;
use drp_protocol::JsonMap;
use serde_json::Value;
use std::net::IpAddr;

/// An object as it is stored and sent: canonical JSON (keys sorted), and the revision of its last change.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The key.
    pub key: String,
    /// Equal revisions of one object mean equal content: the ETag. Those of stored objects grow with every change.
    pub revision: u64,
    /// The JSON text. Secure params are sealed unless the read asked for `decode`.
    pub json: Bytes,
}

impl Fetched {
    /// The object as a map. Empty when the text is not an object, which the engine never stores.
    #[must_use]
    pub fn map(&self) -> JsonMap {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }

    /// The object as one of the wire's models.
    ///
    /// # Errors
    /// The decoder's, when the object is of another type.
    pub fn model<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.json)
    }
}

/// How the key of an object is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOf {
    /// It is the key field.
    Field,
    /// It is the upper-case hexadecimal form of the IPv4 address in the key field.
    Ipv4Hex,
    /// It is the key field, a UUID that is made when it is empty.
    Uuid,
}

/// One type of object: its prefix, key, indexes and rules (wire-protocol §2.3, §2.4, §3.5).
#[derive(Debug)]
pub struct Kind {
    /// The path segment, event type and claim scope, for instance `machines`.
    pub prefix: String,
    /// JSON name of the key field, for instance `Uuid`.
    pub key_field: String,
    /// Objects carry `Params`.
    pub has_params: bool,
    /// Actions can be run on objects of this type.
    pub has_actions: bool,
    /// The type came from a provider's `StoreObjects`.
    pub raw: bool,
    /// It is one of the prefixes that GET `/objects` lists.
    pub(crate) listed: bool,
    pub(crate) key_of: KeyOf,
    pub(crate) name_rule: NameRule,
    pub(crate) indexes: Vec<IndexDef>,
    /// Brings a document to the exact field set, filled. The text of the error says what does not decode.
    pub(crate) normalise: fn(&str, JsonMap) -> Result<JsonMap, String>,
    pub(crate) schema: Option<RawSchema>,
    /// The field table of a raw type as declared.
    pub(crate) declared: Value,
}

impl Kind {
    /// The key of a normalised object; empty when it has none.
    pub(crate) fn key(&self, object: &JsonMap) -> String {
        let text = object.get(&self.key_field).and_then(Value::as_str).unwrap_or_default();
        match self.key_of {
            KeyOf::Field | KeyOf::Uuid => text.to_owned(),
            KeyOf::Ipv4Hex => match text.parse() {
                Ok(IpAddr::V4(ip)) => format!("{:08X}", u32::from(ip)),
                Ok(IpAddr::V6(ip)) => format!("{:032X}", u128::from(ip)),
                Err(_) => String::new(),
            },
        }
    }

    /// The position of an index that callers may name.
    pub(crate) fn shown_index(&self, name: &str) -> Option<usize> {
        self.index(name).filter(|at| !self.indexes[*at].internal)
    }

    /// The position of an index in the table.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|def| def.name == name)
    }
}
