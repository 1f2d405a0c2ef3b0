//! Extensions in Nushell: a real daemon runs them through the `nushell` plugin and a real `nu` (extensions §2).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod calls;
mod defines;
mod errors;
mod processes;
mod rig;
mod secrets;
mod talk;
mod tests_of_extensions;
