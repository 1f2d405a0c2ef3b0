//! The virtualbox-ipmi plugin through a real daemon, against the stand-in for `VBoxManage`, locally and over OpenSSH's
//! `sshd`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod canary;
mod config;
mod content;
mod events;
mod faults;
mod plugin_actions;
mod rig;
mod ssh;
mod verbs;
