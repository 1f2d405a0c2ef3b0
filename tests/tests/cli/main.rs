//! The command line as people and scripts run it: the real binary, against a real daemon where one is needed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod actions;
mod alone;
mod contents;
mod daemon;
mod nu_literals;
mod objects;
mod output;
mod params;
mod remote;
mod run;
mod streams;
mod typed;
mod words;
