//! What the daemon says about itself.

use super::Context;
use crate::Failure;
use serde_json::json;

pub(crate) async fn run(cx: &Context<'_>) -> Result<(), Failure> {
    cx.printer.value(&json!(cx.client.info().await?))
}
