//! The HTTP contract as tables: each file of `exchanges/` is a test that runs its requests, in order, against a real
//! daemon of its own. How to write one: README.md beside this file.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod compare;
mod exchange;
mod play;
mod texts;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};

fn exchanges() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/exchanges")
}

/// Every table, in the order of its name.
fn tables() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(exchanges())
        .expect("tests/wire/exchanges")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    files
}

fn main() {
    let mut trials: Vec<Trial> = tables()
        .into_iter()
        .map(|path| {
            let name = path.file_stem().expect("name").to_string_lossy().into_owned();
            Trial::test(name, move || failed(exchange::read(&path).and_then(|table| play::play(&table))))
        })
        .collect();
    trials
        .push(Trial::test("every_error_text_is_in_an_exchange", || failed(texts::all_are_shown(&tables()))));
    trials.push(Trial::test("differences_are_seen", || failed(compare::differences_are_seen())));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn failed(result: Result<(), String>) -> Result<(), Failed> {
    result.map_err(Failed::from)
}
