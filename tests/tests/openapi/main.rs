//! The OpenAPI document of a real daemon against what that daemon does.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod examples;
mod guide;
mod metrics;
mod request_ids;
mod schemathesis;
