//! Bundles that people uploaded, as the store keeps them: so they are in every backup and survive `kill -9`.

use crate::fault::Fault;
use drp_protocol::Bundle;
use drp_store::Op;

/// The space of the store, beside those of the objects.
pub(crate) const SPACE: &str = "$contents";

/// The write that keeps a bundle. Its values of secure params are sealed already.
pub(crate) fn put(bundle: &Bundle) -> Result<Op, Fault> {
    let name = bundle.meta.name.as_str();
    let json = serde_json::to_vec(bundle)
        .map_err(|e| Fault::Store(format!("content {name} cannot be written as JSON: {e}"), false))?;
    Ok(Op::put(SPACE, name, json))
}

/// The write that forgets one.
pub(crate) fn delete(name: &str) -> Op {
    Op::delete(SPACE, name)
}

/// Reads one back. What is no bundle is named in the log and left where it is.
pub(crate) fn read(name: &str, value: &[u8]) -> Option<Bundle> {
    let bundle = serde_json::from_slice(value);
    bundle.inspect_err(|error| tracing::error!(content = name, %error, "kept content is no bundle")).ok()
}
