//! The engine itself.

use crate::{Fetched, Kind, ListQuery, Listing, Options, Patch, Principal, Result};
use drp_protocol::{Index, JsonMap};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The object engine. Clones share one engine.
#[derive(Clone)]
pub struct Objects {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) events: Arc<crate::EventBus>,
    pub(crate) logs: crate::LogBuffer,
}

impl Objects {
    /// Opens the engine over a store: loads everything, adds the basic layer (wire-protocol §2.5), the profile
    /// `global`, the preferences and, when there are no users, the first one.
    ///
    /// # Errors
    /// 500 when the store cannot be read or written.
    pub async fn open(store: Arc<dyn drp_store::Store>, options: Options) -> Result<Self> {
        let _ = (store, options);
        todo!()
    }

    /// The prefixes of GET `/objects`, sorted (wire-protocol §3.9).
    #[must_use]
    pub fn prefixes(&self) -> Vec<String> {
        todo!()
    }

    /// What is known about a type; none for an unknown prefix.
    #[must_use]
    pub fn kind(&self, prefix: &str) -> Option<Arc<Kind>> {
        let _ = prefix;
        todo!()
    }

    /// The index table of a prefix; an unknown prefix has the base indexes (wire-protocol §3.5, §3.9).
    #[must_use]
    pub fn indexes(&self, prefix: &str) -> BTreeMap<String, Index> {
        let _ = prefix;
        todo!()
    }

    /// Registers the types of a provider's `StoreObjects` (wire-protocol §1.11). Known types are redefined.
    ///
    /// # Errors
    /// 422 when a field table is not an object or names a built-in type.
    pub fn register_types(&self, store_objects: &JsonMap) -> Result<()> {
        let _ = store_objects;
        todo!()
    }

    /// The key of the object that `id` names: the key itself or `UniqueIndex:value` (wire-protocol §3.4).
    #[must_use]
    pub fn resolve(&self, prefix: &str, id: &str) -> Option<String> {
        let _ = (prefix, id);
        todo!()
    }

    /// One object.
    ///
    /// # Errors
    /// 404 `GET` `Not Found`.
    pub fn get(&self, prefix: &str, id: &str) -> Result<Fetched> {
        let _ = (prefix, id);
        todo!()
    }

    /// One object with the view controls of a query: `decode`, `slim`, `params`, `aggregate`.
    ///
    /// # Errors
    /// 404 `GET` `Not Found`.
    pub fn view(&self, prefix: &str, id: &str, query: &ListQuery) -> Result<Fetched> {
        let _ = (prefix, id, query);
        todo!()
    }

    /// A filtered list of what the principal may see (wire-protocol §3.5).
    ///
    /// # Errors
    /// 404 for an unknown prefix, 406 for a filter, sort or bound that makes no sense.
    pub fn list(&self, who: &Principal, prefix: &str, query: &ListQuery) -> Result<Listing> {
        let _ = (who, prefix, query);
        todo!()
    }

    /// Creates an object and publishes `create`.
    ///
    /// # Errors
    /// `CREATE` 400 and 409, `ValidationError` 422 (wire-protocol §3.4).
    pub async fn create(&self, who: &Principal, prefix: &str, body: Value) -> Result<Fetched> {
        let _ = (who, prefix, body);
        todo!()
    }

    /// Replaces an object and publishes `update`.
    ///
    /// # Errors
    /// 400 for a changed key, 404, 422.
    pub async fn replace(&self, who: &Principal, prefix: &str, id: &str, body: Value) -> Result<Fetched> {
        let _ = (who, prefix, id, body);
        todo!()
    }

    /// Applies an RFC 6902 patch and publishes `update`.
    ///
    /// # Errors
    /// 404, `PATCH` 406 and 409, 422.
    pub async fn patch(&self, who: &Principal, prefix: &str, id: &str, patch: &Patch) -> Result<Fetched> {
        let _ = (who, prefix, id, patch);
        todo!()
    }

    /// Deletes an object, with its secret key, publishes `delete` and gives what was deleted.
    ///
    /// # Errors
    /// 404, `StillInUseError` 409, `Locked`, read-only.
    pub async fn delete(&self, who: &Principal, prefix: &str, id: &str) -> Result<Fetched> {
        let _ = (who, prefix, id);
        todo!()
    }

    /// Changes an object from inside and publishes `save` (not `update`); unlike clients, the closure may set
    /// server-only fields such as `PluginErrors`. When it changes nothing, nothing is written or published.
    ///
    /// # Errors
    /// 404, 422.
    pub async fn save(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        change: impl FnOnce(&mut JsonMap) + Send,
    ) -> Result<Fetched> {
        let _ = (who, prefix, id, change);
        todo!()
    }

    /// The `Meta` map of an object (GET `/meta/:prefix/:id`).
    ///
    /// # Errors
    /// 404.
    pub fn meta(&self, prefix: &str, id: &str) -> Result<JsonMap> {
        let _ = (prefix, id);
        todo!()
    }

    /// Patches the `Meta` map of an object and publishes `update`.
    ///
    /// # Errors
    /// 404, 409 as for params.
    pub async fn patch_meta(
        &self,
        who: &Principal,
        prefix: &str,
        id: &str,
        patch: &Patch,
    ) -> Result<JsonMap> {
        let _ = (who, prefix, id, patch);
        todo!()
    }
}
