//! Content layers (wire-protocol §1.11, §2.5).

use crate::{Objects, Result};
use drp_protocol::{Bundle, BundleSummary};

/// Where a layer stands in the stack, highest priority first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// Content uploaded by people.
    Dynamic,
    /// Content of a plugin provider.
    Plugin,
    /// Objects that must always be there; other layers may hide them.
    Basic,
}

impl Objects {
    /// Adds a read-only layer, or replaces the one of the same name. Its objects carry `ReadOnly` and `Bundle`;
    /// plain values of secure params are sealed. With `force`, writable objects with the same key are removed.
    ///
    /// # Errors
    /// 422 `<prefix>:<key> in layer <new> would override layer <old>`, or an object that breaks its rules.
    pub async fn put_layer(&self, bundle: Bundle, kind: LayerKind, force: bool) -> Result<BundleSummary> {
        let _ = (bundle, kind, force);
        todo!()
    }

    /// Removes a layer. Gives its summary, or none when there is no such layer.
    ///
    /// # Errors
    /// 500 when the store fails.
    pub async fn remove_layer(&self, name: &str) -> Result<Option<BundleSummary>> {
        let _ = name;
        todo!()
    }

    /// Summaries of all layers in stack order.
    #[must_use]
    pub fn layers(&self) -> Vec<BundleSummary> {
        todo!()
    }
}
