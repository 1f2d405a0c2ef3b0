//! Bundles that people uploaded. Layers live in memory, so each bundle is kept in the store, where a backup finds it,
//! and put back at start.

use drp_objects::{LayerKind, Objects};
use drp_protocol::{Bundle, BundleSummary, Error};
use drp_store::{Batch, Op, Store, StoreError};
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where bundles are kept. No type of object has such a name.
const SPACE: &str = "$contents";

/// The bundles that were uploaded.
pub(crate) struct Kept(pub(crate) Arc<dyn Store>);

impl Kept {
    /// Puts every kept bundle back. One that no longer fits is named in the log and stays where it is.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn load(&self, objects: &Objects) -> Result<(), StoreError> {
        let mut records = Vec::new();
        drp_store::for_each(&*self.0, SPACE, "", |record| {
            records.push(record);
            ControlFlow::Continue(())
        })?;
        for record in records {
            let put = match serde_json::from_slice::<Bundle>(&record.value) {
                Ok(bundle) => {
                    objects.put_layer(bundle, LayerKind::Dynamic, false).await.map_err(|e| e.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = put {
                tracing::error!(content = record.key, error, "uploaded content cannot be loaded");
            }
        }
        Ok(())
    }

    /// Keeps a bundle, puts it into its layer, and takes it back when it does not fit there.
    ///
    /// # Errors
    /// Those of the layer; 500 and 507 when it cannot be kept.
    pub(crate) async fn put(
        &self,
        objects: &Objects,
        bundle: Bundle,
        force: bool,
    ) -> Result<BundleSummary, Error> {
        let name = bundle.meta.name.clone();
        let wrong = |e: &dyn Display, code| refuse(code, "POST", &name, e);
        let text = serde_json::to_vec(&bundle).map_err(|e| wrong(&e, 500))?;
        let before = self.0.get(SPACE, &name).map_err(|e| wrong(&e, status(&e)))?;
        self.submit(Op::put(SPACE, name.as_str(), text)).await.map_err(|e| wrong(&e, status(&e)))?;
        let put = objects.put_layer(bundle, LayerKind::Dynamic, force).await;
        if put.is_err() {
            let back = match before {
                Some(record) => Op::put(SPACE, name.as_str(), record.value),
                None => Op::delete(SPACE, name.as_str()),
            };
            if let Err(error) = self.submit(back).await {
                tracing::error!(content = name, %error, "a refused bundle cannot be taken back from the store");
            }
        }
        put
    }

    /// Forgets a bundle and removes its layer.
    ///
    /// # Errors
    /// 500 and 507 when the store fails.
    pub(crate) async fn remove(&self, objects: &Objects, name: &str) -> Result<(), Error> {
        self.submit(Op::delete(SPACE, name)).await.map_err(|e| refuse(status(&e), "DELETE", name, &e))?;
        objects.remove_layer(name).await.map(drop)
    }

    async fn submit(&self, op: Op) -> Result<(), StoreError> {
        self.0.submit(Batch::new(vec![op])).await.map(drop)
    }
}

fn status(error: &StoreError) -> u16 {
    if matches!(error, StoreError::DiskFull { .. }) { 507 } else { 500 }
}

fn refuse(code: u16, kind: &str, name: &str, error: &dyn Display) -> Error {
    Error::new(code, kind, format!("the store does not take the change: {error}")).on("contents", name)
}
