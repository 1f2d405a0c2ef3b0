//! Templates as extensions have them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod errors;
mod folders;
mod hostile;
mod literals;
