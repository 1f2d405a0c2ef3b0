//! Params of machines, plugins, profiles, stages and raw objects (wire-protocol §3.7, §5).

use crate::path::join;
use crate::transport::{API, Client};
use crate::{ClientError, Patch, Query};
use drp_protocol::JsonMap;
#[cfg(feature = "seal")]
use drp_protocol::Secret;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How params are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParamQuery {
    /// Look further in profiles, stage, `global` and defaults.
    pub aggregate: bool,
    /// Open secure params; needs the claim `getSecure`.
    pub decode: bool,
    /// Put maps and lists of all that `aggregate` looks at together.
    pub compose: bool,
}

impl ParamQuery {
    /// Both: what an action would be given.
    #[must_use]
    pub fn resolved() -> Self {
        Self { aggregate: true, decode: true, compose: false }
    }

    fn append_to(self, path: &mut String) {
        let mut mark = '?';
        for (on, name) in [(self.aggregate, "aggregate"), (self.decode, "decode"), (self.compose, "compose")]
        {
            if on {
                path.push(mark);
                path.push_str(name);
                path.push_str("=true");
                mark = '&';
            }
        }
    }
}

impl Client {
    /// The params of an object.
    ///
    /// # Errors
    /// 404 when the object does not exist.
    pub async fn params(&self, prefix: &str, id: &str, query: ParamQuery) -> Result<JsonMap, ClientError> {
        let mut path = join(API, &[prefix, id, "params"])?;
        query.append_to(&mut path);
        Ok(self.get_json::<Option<JsonMap>>(&path).await?.unwrap_or_default())
    }

    /// One param, `null` when it has no value.
    ///
    /// # Errors
    /// 404 when the object does not exist.
    pub async fn param(
        &self,
        prefix: &str,
        id: &str,
        name: &str,
        query: ParamQuery,
    ) -> Result<Value, ClientError> {
        let mut path = join(API, &[prefix, id, "params", name])?;
        query.append_to(&mut path);
        self.get_json(&path).await
    }

    /// Sets one param and gives what is stored. The daemon seals the value of a secure param.
    ///
    /// # Errors
    /// 404 when the object does not exist, 409 when the value does not fit the param's schema.
    pub async fn set_param(
        &self,
        prefix: &str,
        id: &str,
        name: &str,
        value: &Value,
    ) -> Result<Value, ClientError> {
        self.send_json(Method::POST, &join(API, &[prefix, id, "params", name])?, value).await
    }

    /// Replaces all params.
    ///
    /// # Errors
    /// 404 when the object does not exist, 409 when a value does not fit its schema.
    pub async fn set_params(&self, prefix: &str, id: &str, params: &JsonMap) -> Result<JsonMap, ClientError> {
        self.send_json(Method::POST, &join(API, &[prefix, id, "params"])?, params).await
    }

    /// Changes the params map.
    ///
    /// # Errors
    /// 404 when the object does not exist, 409 when a test of the patch fails or a value does not fit.
    pub async fn patch_params(&self, prefix: &str, id: &str, patch: &Patch) -> Result<JsonMap, ClientError> {
        self.send_json(Method::PATCH, &join(API, &[prefix, id, "params"])?, patch).await
    }

    /// Removes one param and gives its old value.
    ///
    /// # Errors
    /// 404 when the object or the param does not exist.
    pub async fn delete_param(&self, prefix: &str, id: &str, name: &str) -> Result<Value, ClientError> {
        self.raw("DELETE", &join(API, &[prefix, id, "params", name])?, None).await
    }

    /// The objects whose param has this value, at most `most` of them: which machine is it that a peer knows by
    /// an id of its own?
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn find_by_param<T: DeserializeOwned>(
        &self,
        prefix: &str,
        name: &str,
        value: &str,
        most: u64,
    ) -> Result<Vec<T>, ClientError> {
        Ok(self.list(prefix, &Query::new().eq(name, value).limit(most)).await?.items)
    }

    /// The key with which values for this object are sealed, base64.
    ///
    /// # Errors
    /// 404 when the object does not exist, 403 without the claim `updateSecure`.
    pub async fn pubkey(&self, prefix: &str, id: &str) -> Result<String, ClientError> {
        self.get_json(&join(API, &[prefix, id, "pubkey"])?).await
    }

    /// Sets a secure param, sealed on this side with the object's key, so that not even the daemon's log of
    /// requests could hold it.
    ///
    /// # Errors
    /// As [`set_param`](Self::set_param); [`ClientError::Setting`] when the value is not JSON.
    #[cfg(feature = "seal")]
    pub async fn set_secure_param(
        &self,
        prefix: &str,
        id: &str,
        name: &str,
        json: &Secret,
    ) -> Result<(), ClientError> {
        let key = self.pubkey(prefix, id).await?;
        let sealed = crate::seal(&key, json)?;
        let sealed = serde_json::to_value(sealed)
            .map_err(|e| ClientError::Setting(format!("the sealed value cannot be written: {e}")))?;
        self.set_param(prefix, id, name, &sealed).await.map(drop)
    }
}
