//! The slack plugin: a real daemon runs it as a process against a stand-in for Slack (plugins §2.2).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod actions;
mod config;
mod events;
mod guide;
mod limits;
mod rig;
mod secrets;
