//! The providers that ship, as extensions on a real daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod local_bounds;
mod local_life;
mod local_rig;
mod local_survival;
mod mockcloud;
