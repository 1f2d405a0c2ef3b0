//! Bounds of everything that goes in (promise P9), checked before a batch is queued.

use crate::batch::{Batch, Op};
use crate::error::{Result, StoreError};

/// Longest name of a space, in bytes.
pub const MAX_SPACE_BYTES: usize = 64;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest name of an index and longest index value, in bytes.
pub const MAX_INDEX_BYTES: usize = 1024;
/// Largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// Most operations in a batch.
pub const MAX_BATCH_OPS: usize = 100_000;
/// Largest batch, in bytes.
pub const MAX_BATCH_BYTES: usize = 256 << 20;

/// Checks a batch and gives its weight in bytes.
pub(crate) fn check(batch: &Batch) -> Result<usize> {
    within("the batch (operations)", batch.ops.len(), MAX_BATCH_OPS)?;
    let mut weight = 0;
    for op in &batch.ops {
        let named = || format!("{}/{}", shown(op.space()), shown(op.key()));
        within(format!("the space of {}", named()), op.space().len(), MAX_SPACE_BYTES)?;
        within(format!("the key of {}", named()), op.key().len(), MAX_KEY_BYTES)?;
        if let Op::Put { value, indexes, .. } = op {
            // An empty value is fine, so only the upper end counts.
            within(format!("the value of {}", named()), value.len().max(1), MAX_VALUE_BYTES)?;
            for entry in indexes {
                within(format!("an index name of {}", named()), entry.name.len(), MAX_INDEX_BYTES)?;
                let size = entry.value.len().max(1);
                within(format!("index {} of {}", shown(&entry.name), named()), size, MAX_INDEX_BYTES)?;
            }
        }
        weight += op.weight();
    }
    within("the batch", weight, MAX_BATCH_BYTES)?;
    Ok(weight)
}

fn within(what: impl Into<String>, size: usize, limit: usize) -> Result<()> {
    if (1..=limit).contains(&size) {
        Ok(())
    } else {
        Err(StoreError::TooLarge { what: what.into(), size, limit })
    }
}

/// A name short enough for an error text.
fn shown(name: &str) -> String {
    let mut short: String = name.chars().take(40).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}
