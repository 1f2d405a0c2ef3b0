//! Extensions: manifests, validation, registration, packs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod manifests;
mod registration;
mod render;
mod rig;
mod validation;
