//! The cluster engine in the real daemon, with task services that are plugins of their own and fail when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod alter;
mod check;
mod create;
mod delete;
mod failing;
mod kill;
mod program;
mod rig;
