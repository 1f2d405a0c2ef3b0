//! Params of objects (wire-protocol §3.7).

use crate::{
    Objects, Patch, Principal, Result,
    fault::Fault,
    lookup::{How, Lookup},
    memory::{Row, Table},
    secure,
    write::Verb,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use drp_protocol::{Error, JsonMap};
use drp_store::{Batch, Op};
use serde_json::Value;
use std::sync::Arc;

/// Which params to read and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamsQuery {
    /// Look beyond the object: profiles, stage, `global`, and for one key the schema default.
    pub aggregate: bool,
    /// Open sealed values. The caller must have checked `getSecure`.
    pub decode: bool,
    /// Put maps and lists of all sources together. Looks beyond the object, as `aggregate` does.
    pub compose: bool,
    /// Only these names, all when empty.
    pub params: Vec<String>,
}

/// Applies a patch to a params or meta map.
pub(crate) fn patched(patch: &Patch, prefix: &str, key: &str, map: JsonMap) -> Result<Value, Fault> {
    let mut document = Value::Object(map);
    patch.apply(&mut document).map_err(|fault| Fault::PatchFailed {
        model: prefix.to_owned(),
        key: key.to_owned(),
        messages: vec![format!("Patch failed to apply at line {}", fault.line), fault.reason],
    })?;
    if document.is_object() {
        return Ok(document);
    }
    Err(Fault::Undecodable {
        code: 406,
        kind: "PATCH",
        model: prefix.to_owned(),
        key: key.to_owned(),
        text: "the patch leaves no JSON object".to_owned(),
    })
}

impl ParamsQuery {
    fn how(&self) -> How {
        How { aggregate: self.aggregate, decode: self.decode, compose: self.compose }
    }
}

impl Objects {
    /// Whether a param is defined and secure.
    #[must_use]
    pub fn is_secure_param(&self, name: &str) -> bool {
        self.inner.state.param(name).is_some_and(|param| param.secure)
    }

    fn params_bearer(&self, prefix: &str, id: &str, word: &'static str) -> Result<(Arc<Table>, Arc<Row>)> {
        let (table, row) = self.found(prefix, id, word)?;
        if !table.kind.has_params {
            return Err(Fault::not_found(word, prefix, id).into());
        }
        Ok((table, row))
    }

    /// All params of an object.
    ///
    /// # Errors
    /// 404; 409 `SecureData corrupted` when a value cannot be opened.
    pub fn params(&self, prefix: &str, id: &str, query: &ParamsQuery) -> Result<JsonMap> {
        let (_, row) = self.params_bearer(prefix, id, "GET")?;
        Ok(Lookup::new(&self.inner.state).get_all(prefix, &row, query.how(), &query.params)?)
    }

    /// One param of an object, null when it has none.
    ///
    /// # Errors
    /// 404 when the object does not exist; 409 `SecureData corrupted` when the value cannot be opened.
    pub fn param(&self, prefix: &str, id: &str, name: &str, query: &ParamsQuery) -> Result<Value> {
        let (_, row) = self.params_bearer(prefix, id, "GET")?;
        Ok(Lookup::new(&self.inner.state).get(prefix, &row, name, query.how())?.unwrap_or_default())
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
        self.change_params(who, prefix, id, Verb::Post, |_| Ok(params)).await
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
        let mut after = self
            .change_params(who, prefix, id, Verb::Post, |row| {
                let mut params = row.params();
                params.insert(name.to_owned(), value);
                Ok(params)
            })
            .await?;
        Ok(after.remove(name).unwrap_or_default())
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
        self.change_params(who, prefix, id, Verb::Patch, |row| {
            match patched(patch, prefix, &row.key, row.params())? {
                Value::Object(params) => Ok(params),
                _ => Ok(JsonMap::new()),
            }
        })
        .await
    }

    /// Removes one param and gives its old value.
    ///
    /// # Errors
    /// 404 of type DELETE: the object, or model `params` and the name.
    pub async fn delete_param(&self, who: &Principal, prefix: &str, id: &str, name: &str) -> Result<Value> {
        let mut old = None;
        self.change_params(who, prefix, id, Verb::Remove, |row| {
            let mut params = row.params();
            old = params.remove(name);
            if old.is_none() {
                return Err(Fault::not_found("DELETE", "params", name).into());
            }
            Ok(params)
        })
        .await?;
        Ok(old.unwrap_or_default())
    }

    async fn change_params(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        verb: Verb,
        edit: impl FnOnce(&Row) -> Result<JsonMap> + Send,
    ) -> Result<JsonMap> {
        self.params_bearer(prefix, id, verb.word())?;
        let changed = self
            .change(who, prefix, id, verb, |_, row| {
                let params = edit(row)?;
                let mut object = row.map();
                object.insert("Params".to_owned(), Value::Object(params));
                Ok(Some(object))
            })
            .await
            .map_err(|error| as_conflict(error, verb))?;
        Ok(match changed.map().remove("Params") {
            Some(Value::Object(params)) => params,
            _ => JsonMap::new(),
        })
    }

    /// The public key that values for this object are sealed to, standard base64 of 32 bytes. Made on demand.
    ///
    /// # Errors
    /// 404.
    pub async fn pubkey(&self, prefix: &str, id: &str) -> Result<String> {
        let (_, row) = self.params_bearer(prefix, id, "GET")?;
        let shown = |key: &crypto_box::SecretKey| STANDARD.encode(key.public_key().as_bytes());
        let name = secure::Keys::name(prefix, &row.key);
        if let Some(key) = self.inner.state.keys.get(&name) {
            return Ok(shown(&key));
        }
        // Under the object's turn, so that it cannot be deleted or get another key meanwhile.
        let turn = self.inner.turn(prefix, &row.key).await;
        let (_, row) = self.params_bearer(prefix, &row.key, "GET")?;
        if let Some(key) = self.inner.state.keys.get(&name) {
            return Ok(shown(&key));
        }
        let key = Arc::new(secure::fresh_key()?);
        let (state, made) = (Arc::clone(&self.inner.state), Arc::clone(&key));
        let op = Op::put(secure::SPACE, name.as_str(), key.to_bytes().to_vec());
        let batch = Batch::new(vec![op]).then(move |_| {
            state.keys.insert(name, made);
            drop((row, turn));
        });
        self.inner.store.submit(batch).await.map_err(Fault::from)?;
        Ok(shown(&key))
    }
}

/// Params routes answer 409 of their own type where whole objects answer 422 (wire-protocol §3.7), without the key
/// before each text.
fn as_conflict(mut error: Error, verb: Verb) -> Error {
    if error.code == 422 && error.r#type == "ValidationError" {
        error.code = 409;
        verb.word().clone_into(&mut error.r#type);
        let before = format!("{}: ", error.key);
        for message in &mut error.messages {
            if let Some(rest) = message.strip_prefix(&before) {
                *message = rest.to_owned();
            }
        }
    }
    error
}
