//! The content of the ipmi plugin: its params, and its tasks run for real on machines whose BMC is `ipmi_sim`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod certificates;
mod configure;
mod discovery;
mod machine;
mod pack;
mod tables;
mod validation;
