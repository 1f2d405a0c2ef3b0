//! Params: the guide, secrets against other implementations, secrets in backups.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod guide;
mod interop;
mod secrets;
