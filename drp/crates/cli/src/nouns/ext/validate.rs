//! `drp ext validate`: the five rules, on this host.

use crate::{Exit, Failure, Hooks, Printer};
use clap::{Args, ValueHint};
use drp_extensions::discovery::{Origin, Place, SearchPath};
use drp_extensions::{ExtensionError, Problem, Surroundings, Validation, validate};
use drp_protocol::ExtensionType;
use drp_schemas::{Evaluator, Settings};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Folder of the extension
    #[arg(value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// What it has to be: provider, taskserv or cluster
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<ExtensionType>,
    /// Folder with other extensions, for its dependencies; may be given again
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    search: Vec<PathBuf>,
    /// Show the extension's log lines
    #[arg(long)]
    logs: bool,
}

pub(super) async fn run(args: Validate, printer: &Printer, hooks: &dyn Hooks) -> Result<(), Failure> {
    let answer = look(&args.path, args.kind, &args.search, hooks, args.logs).await?;
    show(&answer, &args.path, printer)?;
    if answer.valid { Ok(()) } else { Err(Failure::silent(Exit::General)) }
}

/// An evaluator of documents that somebody else may have written.
pub(crate) fn evaluator() -> Result<Evaluator, Failure> {
    let make = || {
        let mut settings = Settings::beside_this_program()?;
        settings.import_paths = vec![drp_schemas::install_for_user()?];
        settings.roots = Some(Vec::new());
        // Nobody else waits for its answers.
        settings.deadline = Duration::from_secs(30);
        Ok(Evaluator::new(settings))
    };
    make().map_err(|error: drp_schemas::SchemaError| Failure::new(Exit::General, error.to_string()))
}

/// Validates against the extensions of the usual places and the given folders.
pub(crate) async fn look(
    path: &Path,
    kind: Option<ExtensionType>,
    search: &[PathBuf],
    hooks: &dyn Hooks,
    logs: bool,
) -> Result<Validation, Failure> {
    let given = search.iter().map(|path| Place { path: path.clone(), origin: Origin::Path });
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let usual = SearchPath::usual(&here, &[], |name| std::env::var_os(name));
    let search = SearchPath(given.chain(usual.0).collect());
    let surroundings = Surroundings { r#type: kind, search, ..Surroundings::default() };
    let hosting = hooks.hosting(logs);
    validate(path, &surroundings, &evaluator()?, hosting.as_ref()).await.map_err(failure)
}

/// What keeps an extension from being looked at.
pub(crate) fn failure(error: ExtensionError) -> Failure {
    match &error {
        ExtensionError::Io { path, source, .. } => Failure::io(path.display(), source),
        ExtensionError::Invalid { .. } => Failure::new(Exit::Refused, error.to_string()),
        _ => Failure::new(Exit::General, error.to_string()),
    }
}

/// Prints the answer: for people one problem after the other, for programs as it is.
pub(crate) fn show(answer: &Validation, path: &Path, printer: &Printer) -> Result<(), Failure> {
    if !printer.for_eyes() {
        return printer.value(&json!(answer));
    }
    for problem in &answer.errors {
        printer.text(&line("error", problem))?;
    }
    for problem in &answer.warnings {
        printer.text(&line("warning", problem))?;
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (errors, warnings) = (count(answer.errors.len(), "error"), count(answer.warnings.len(), "warning"));
    let verdict = if answer.valid { "valid" } else { "not valid" };
    printer.text(&format!("{}: {verdict}, {errors}, {warnings}", path.display()))
}

fn line(word: &str, problem: &Problem) -> String {
    let place = problem.line.map_or_else(|| problem.path.clone(), |line| format!("{}:{line}", problem.path));
    let hint = if problem.hint.is_empty() { String::new() } else { format!("\n    {}", problem.hint) };
    format!("{word}: {}: {place}: {}{hint}", problem.rule.name(), problem.message)
}
