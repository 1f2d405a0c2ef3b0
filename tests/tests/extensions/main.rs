//! Extensions: manifests, validation, registration, packs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod guide;
mod manifests;
mod modules;
mod packs;
mod reference;
mod registration;
mod render;
mod rig;
mod scaffold;
mod validation;
