//! `drp ext test`: an extension's own tests, and the dry runs of its operations.

use super::validate::{evaluator, failure};
use crate::{Exit, Failure, Hooks, Printer};
use clap::{Args, ValueHint};
use drp_extensions::TestOutcome;
use drp_extensions::conformance;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Folder of the extension
    #[arg(value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// Only tests whose file or name has this in it; operations stand in the file `operations`
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Show the extension's log lines
    #[arg(long)]
    logs: bool,
}

pub(super) async fn run(args: Test, printer: &Printer, hooks: &dyn Hooks) -> Result<(), Failure> {
    let hosting = hooks.hosting(args.logs);
    let within = Duration::from_secs(120);
    let all = conformance::test(&args.path, &args.only, within, &evaluator()?, hosting.as_ref())
        .await
        .map_err(failure)?;
    if all.is_empty() {
        // A misspelt name must not look like tests that pass.
        let text = format!("no test has {:?} in its file or name", args.only);
        return Err(Failure::new(Exit::NotFound, text));
    }
    let failed = all.iter().filter(|one| !one.ok).count();
    let skipped = all.iter().filter(|one| one.skipped).count();
    let passed = all.len() - failed - skipped;
    if printer.for_eyes() {
        for one in &all {
            printer.text(&line(one))?;
        }
        printer.text(&format!("{passed} passed, {failed} failed, {skipped} skipped"))?;
    } else {
        printer.value(&json!({"passed": passed, "failed": failed, "skipped": skipped, "tests": all}))?;
    }
    if failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::General)) }
}

fn line(one: &TestOutcome) -> String {
    let word = if one.skipped {
        "skip"
    } else if one.ok {
        "ok  "
    } else {
        "FAIL"
    };
    let place = one.line.map_or_else(|| one.file.clone(), |line| format!("{}:{line}", one.file));
    let why = if one.message.is_empty() { String::new() } else { format!(": {}", one.message) };
    format!("{word} {place} {}{why}", one.name)
}
