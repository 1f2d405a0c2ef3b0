//! The host against a scripted fake plugin, for every row of wire-protocol §1.
//!
//! The fake plugin is this test binary: a shell script in the plugin directory answers `define` and
//! `unpack` and starts the test `fake::plugin` for `listen`. Each failure mode is one small piece of it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod bench;
mod calls;
mod catalogue;
mod fake;
mod faults;
mod forwarding;
mod from_plugin;
mod lifecycle;
mod processes;
mod publishing;
mod standalone;
