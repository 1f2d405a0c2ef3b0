//! `nushell`: hosts extensions that are written in Nushell (extensions §2).

mod call;
mod child;
mod commands;
mod definition;
mod document;
mod error;
mod heard;
mod hosted;
mod plain;
mod program;
mod quote;
mod report;
mod scratch;
mod scrub;
mod supervise;
mod template;
mod testing;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some(supervise::SUPERVISE) => supervise::supervise(&words[1..]),
        Some(supervise::BECOME) => supervise::become_program(&words[1..]),
        Some(template::RENDER) => template::run(),
        Some("--extension") if words.len() >= 2 => {
            let rest = words.split_off(2);
            hosted::run(&words[1], rest)
        }
        _ => plain::run(words),
    }
}
