//! What the command line of Digital Rebar 4 (`drpcli`) says to a daemon, call by call (wire-protocol §6). The program
//! itself is not needed: each test plays one group of its commands, with the headers and bodies that it sends, and takes
//! the answers as strictly as it does. Every answer to its JSON calls must be JSON, one without a body too.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod objects;
mod params;
mod special;
mod start;
mod streams;
mod talk;
