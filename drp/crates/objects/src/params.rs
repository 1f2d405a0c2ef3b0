//! Params of objects (wire-protocol §3.7).

use crate::{Objects, Patch, Principal, Result};
use drp_protocol::{JsonMap, PluginProvider};
use serde_json::Value;

/// Which params to read and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamsQuery {
    /// Look beyond the object: profiles, stage, `global`, and for one key the schema default.
    pub aggregate: bool,
    /// Open sealed values. The caller must have checked `getSecure`.
    pub decode: bool,
    /// Only these names, all when empty.
    pub params: Vec<String>,
}

impl Objects {
    /// All params of an object.
    ///
    /// # Errors
    /// 404.
    pub fn params(&self, prefix: &str, id: &str, query: &ParamsQuery) -> Result<JsonMap> {
        let _ = (prefix, id, query);
        todo!()
    }

    /// One param of an object, null when it has none.
    ///
    /// # Errors
    /// 404 when the object does not exist.
    pub fn param(&self, prefix: &str, id: &str, name: &str, query: &ParamsQuery) -> Result<Value> {
        let _ = (prefix, id, name, query);
        todo!()
    }

    /// Replaces all params of an object and publishes `update`. Plain values of secure params are sealed.
    ///
    /// # Errors
    /// 404; 409 of type POST when a value breaks its schema.
    pub async fn set_params(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        params: JsonMap,
    ) -> Result<JsonMap> {
        let _ = (who, prefix, id, params);
        todo!()
    }

    /// Sets one param and gives its value as stored.
    ///
    /// # Errors
    /// As [`Objects::set_params`].
    pub async fn set_param(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        name: &str,
        value: Value,
    ) -> Result<Value> {
        let _ = (who, prefix, id, name, value);
        todo!()
    }

    /// Applies an RFC 6902 patch to the params map.
    ///
    /// # Errors
    /// 404; 409 with `Patch failed to apply at line N` and the reason.
    pub async fn patch_params(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        patch: &Patch,
    ) -> Result<JsonMap> {
        let _ = (who, prefix, id, patch);
        todo!()
    }

    /// Removes one param and gives its old value.
    ///
    /// # Errors
    /// 404 of type DELETE: the object, or model `params` and the name.
    pub async fn delete_param(&self, who: &Principal, prefix: &str, id: &str, name: &str) -> Result<Value> {
        let _ = (who, prefix, id, name);
        todo!()
    }

    /// The public key that values for this object are sealed to, standard base64 of 32 bytes. Made on demand.
    ///
    /// # Errors
    /// 404.
    pub async fn pubkey(&self, prefix: &str, id: &str) -> Result<String> {
        let _ = (prefix, id);
        todo!()
    }

    /// The body of `/config` for a plugin: its own params opened, every required and optional param of its
    /// provider by full lookup, and `Name` (wire-protocol §1.12). It holds secrets: send it, do not print it.
    ///
    /// # Errors
    /// 404; 400 with one message per `Missing required parameter: <p>` or value that breaks its schema.
    pub fn plugin_config(&self, plugin: &str, provider: &PluginProvider) -> Result<JsonMap> {
        let _ = (plugin, provider);
        todo!()
    }
}
