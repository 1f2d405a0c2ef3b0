//! The store as its users see it: one conformance suite for both backends, and what only files can do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod concurrency;
mod conformance;
mod cut;
mod disk_full;
mod files;
mod kill;
mod model;
mod snapshots;
mod support;
