//! `nushell --extension RECORD test`: the extension's own tests, in the style of `std/testing` (extensions §10).
//!
//! Each test has a process of its own, so that one that hangs or dies costs one test. What is to run before all tests
//! runs before each of them, therefore.

use crate::child::{Finished, Run};
use crate::commands::{arguments, path_text};
use crate::document;
use crate::error::NushellError;
use crate::hosted::runtime;
use crate::program::{self, Nu};
use crate::quote::is_plain_name;
use crate::report::{Report, of_output, rendered};
use crate::scratch::Scratch;
use drp_plugin_sdk::protocol::HostedExtension;
use drp_plugin_sdk::{CancellationToken, json};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How long a test may take unless `--timeout` says otherwise.
const TIMEOUT: u64 = 60;
/// Most files of tests that are looked at.
const FILES: usize = 1000;
/// Runs the others, by the reference's layout; it is no file of tests.
const RUNNER: &str = "run_all_tests.nu";

/// How a test went: one line of `--json`.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Its file, from the extension's folder on.
    file: String,
    /// Its command; empty when the file does not load.
    name: String,
    /// It passed, or was skipped.
    ok: bool,
    /// It is marked `@ignore`.
    skipped: bool,
    /// Why it failed.
    message: String,
    /// The line where it failed, when that is known.
    line: Option<usize>,
    /// How long it took, in milliseconds.
    ms: u64,
}

/// What the command line asks for.
struct Options {
    json: bool,
    timeout: Duration,
    /// Only tests whose file or name has this in it.
    only: String,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    #[serde(default)]
    attributes: Vec<Option<String>>,
}

impl Found {
    fn is(&self, attribute: &str) -> bool {
        self.attributes.iter().flatten().any(|name| name == attribute)
    }

    /// Marked `@test`, or named as the reference names tests.
    fn is_test(&self) -> bool {
        self.is("test") || self.is("ignore") || (self.attributes.is_empty() && self.name.starts_with("test"))
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    #[serde(default = "Option::default")]
    ok: Option<T>,
    #[serde(default)]
    error: Option<Report>,
}

#[derive(Deserialize)]
struct Verdict {
    #[serde(default)]
    failed: Option<Report>,
}

/// Runs them all; exit code 1 when one failed.
pub(crate) fn run(extension: &HostedExtension, words: &[OsString]) -> Result<ExitCode, NushellError> {
    let options = match options(words) {
        Ok(options) => options,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "Error: {problem}");
            return Ok(ExitCode::from(2));
        }
    };
    runtime()?.block_on(async {
        let nu = program::find(extension.nu.as_deref()).await?;
        nu.fits(&extension.name, extension.nushell.as_deref())?;
        let cancelled = CancellationToken::new();
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate()).map_err(NushellError::system("watch for signals"))?,
            signal(SignalKind::interrupt()).map_err(NushellError::system("watch for signals"))?,
        );
        let end = cancelled.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            end.cancel();
        });
        let tester = Tester { extension, nu, options, cancelled };
        let (mut ran, mut failed) = (0, 0);
        for file in files(&extension.root)? {
            for test in tester.tests_of(&file).await {
                let outcome = tester.outcome(&file, test).await?;
                ran += usize::from(!outcome.skipped);
                failed += usize::from(!outcome.ok);
                tester.tell(&outcome);
            }
        }
        if !tester.options.json {
            let _ = writeln!(std::io::stdout(), "{ran} run, {failed} failed");
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn options(words: &[OsString]) -> Result<Options, String> {
    let mut options = Options { json: false, timeout: Duration::from_secs(TIMEOUT), only: String::new() };
    let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            "--json" => options.json = true,
            "--timeout" => {
                let seconds = value()?.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
                options.timeout = Duration::from_secs(seconds.ok_or("--timeout wants 1 to 86400 seconds")?);
            }
            "--only" => options.only = value()?,
            other => {
                return Err(format!("test takes --json, --timeout SECONDS and --only TEXT, not {other:?}"));
            }
        }
    }
    Ok(options)
}

/// The files of tests, by name.
fn files(root: &Path) -> Result<Vec<PathBuf>, NushellError> {
    let folder = root.join("tests");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(NushellError::system(format!("read {}", folder.display()))(error)),
    };
    let is_test = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "nu")
            && path.file_name().is_some_and(|name| name != RUNNER)
            && path.is_file()
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_test).collect();
    files.sort();
    files.truncate(FILES);
    Ok(files)
}

/// A test, or why there is none.
enum Test {
    Runs { name: String, before: Vec<String>, after: Vec<String> },
    Skipped(String),
    Fails { name: String, message: String, line: Option<usize>, took: Duration },
}

struct Tester<'a> {
    extension: &'a HostedExtension,
    nu: Nu,
    options: Options,
    cancelled: CancellationToken,
}

impl Tester<'_> {
    /// What a file holds, by name.
    async fn tests_of(&self, file: &Path) -> Vec<Test> {
        let start = Instant::now();
        let fails = |message: String, line: Option<usize>| {
            vec![Test::Fails { name: String::new(), message, line, took: start.elapsed() }]
        };
        let found = match self.script(file, |scratch| {
            let result = path_text(&scratch.result())?;
            Ok(format!("drp-host answer {result} {{ drp-host tests }}"))
        }) {
            Ok((scratch, script)) => {
                match self.process(format!("loading {}", file.display()), &scratch, &script).await {
                    Ok(finished) => self.answer::<Vec<Found>>(&finished, &scratch),
                    Err(error) => Err((error.to_string(), None)),
                }
            }
            Err(error) => Err((error.to_string(), None)),
        };
        let mut found = match found {
            Ok(found) => found,
            Err((message, line)) => return fails(message, line),
        };
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let marked = |attributes: [&str; 2]| {
            let of =
                |attribute| found.iter().filter(move |f: &&Found| f.is(attribute)).map(|f| f.name.clone());
            attributes.into_iter().flat_map(of).collect::<Vec<_>>()
        };
        let (before, after) = (marked(["before-all", "before-each"]), marked(["after-each", "after-all"]));
        let file = file.to_string_lossy();
        let wanted = |name: &str| file.contains(&self.options.only) || name.contains(&self.options.only);
        let tests = found.iter().filter(|found| found.is_test() && wanted(&found.name));
        tests
            .map(|found| {
                if found.is("ignore") {
                    Test::Skipped(found.name.clone())
                } else if let Some(odd) =
                    [&found.name].into_iter().chain(&before).chain(&after).find(|name| !is_plain_name(name))
                {
                    let message =
                        format!("{odd:?} cannot be called: a name has letters, digits, `-`, `_` and blanks");
                    Test::Fails { name: found.name.clone(), message, line: None, took: Duration::ZERO }
                } else {
                    Test::Runs { name: found.name.clone(), before: before.clone(), after: after.clone() }
                }
            })
            .collect()
    }

    async fn outcome(&self, file: &Path, test: Test) -> Result<Outcome, NushellError> {
        let root = &self.extension.root;
        let shown = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
        let outcome = |name: String, failure: Option<(String, Option<usize>)>, took: Duration| Outcome {
            file: shown.clone(),
            name,
            ok: failure.is_none(),
            skipped: false,
            line: failure.as_ref().and_then(|(_, line)| *line),
            message: failure.map(|(message, _)| message).unwrap_or_default(),
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let (name, before, after) = match test {
            Test::Skipped(name) => {
                return Ok(Outcome { skipped: true, ..outcome(name, None, Duration::ZERO) });
            }
            Test::Fails { name, message, line, took } => {
                return Ok(outcome(name, Some((message, line)), took));
            }
            Test::Runs { name, before, after } => (name, before, after),
        };
        let start = Instant::now();
        let (scratch, script) = self.script(file, |scratch| {
            let document = json!({
                "result": scratch.result(),
                "drp": document::drp(
                    self.extension, document::settings(self.extension, &Map::new(), true), false, "test", scratch,
                ),
            });
            let document = path_text(&scratch.write("document.json", &document.to_string())?)?;
            let list = |names: &[String]| {
                let closures: Vec<_> = names.iter().map(|name| format!("{{ $in | {name} }}")).collect();
                format!("[{}]", closures.join(" "))
            };
            Ok(format!("drp-host test {document} {} {{ $in | {name} }} {}", list(&before), list(&after)))
        })?;
        let failure = match self.process(name.clone(), &scratch, &script).await {
            Err(error @ NushellError::Stopped(_)) => return Err(error),
            Err(error) => Some((error.to_string(), None)),
            Ok(finished) => match self.answer::<Verdict>(&finished, &scratch) {
                Err(failure) => Some(failure),
                Ok(Verdict { failed: None }) => None,
                Ok(Verdict { failed: Some(report) }) => {
                    let problem = report.problem(root, scratch.path());
                    Some((problem.messages.join("; "), self.line_in(file, &report).or(problem.line)))
                }
            },
        };
        Ok(outcome(name, failure, start.elapsed()))
    }

    /// The line of the test's own file, when the error names it.
    fn line_in(&self, file: &Path, report: &Report) -> Option<usize> {
        let places = rendered(report.rendered.as_deref().unwrap_or_default());
        places.into_iter().find(|place| Path::new(&place.file) == file).map(|place| place.line)
    }

    /// A script that has the file's commands in scope.
    fn script(
        &self,
        file: &Path,
        last: impl FnOnce(&Scratch) -> Result<String, NushellError>,
    ) -> Result<(Scratch, String), NushellError> {
        let scratch = Scratch::new()?;
        let library = path_text(&scratch.library().join("drp-host.nu"))?;
        let last = last(&scratch)?;
        let script = format!("use {library}\nsource {}\n{last}\n", path_text(file)?);
        let script = scratch.write("run.nu", &script)?;
        // Not as a script: one that the file calls `main` would run.
        let script = format!("source {}", path_text(&script)?);
        Ok((scratch, script))
    }

    async fn process(&self, what: String, scratch: &Scratch, script: &str) -> Result<Finished, NushellError> {
        let mut arguments = arguments(scratch);
        arguments.extend(["--commands".into(), script.into()]);
        let run = Run {
            what,
            nu: &self.nu.program,
            arguments,
            scratch,
            folder: &self.extension.root,
            input: Vec::new(),
            deadline: self.options.timeout,
        };
        run.run(&self.cancelled, &mut ()).await
    }

    fn answer<T: serde::de::DeserializeOwned>(
        &self,
        finished: &Finished,
        scratch: &Scratch,
    ) -> Result<T, (String, Option<usize>)> {
        let root = &self.extension.root;
        if finished.result.is_empty() {
            let line = finished.said.iter().find_map(|line| rendered(line).pop()).map(|place| place.line);
            let mut said = of_output(&finished.said, root, scratch.path());
            if said.is_empty() {
                said.push(finished.how.clone());
            }
            return Err((said.join("; "), line));
        }
        match serde_json::from_slice::<Answer<T>>(&finished.result) {
            Ok(Answer { ok: Some(value), error: None }) => Ok(value),
            Ok(Answer { error: Some(report), .. }) => {
                let problem = report.problem(root, scratch.path());
                Err((problem.messages.join("; "), problem.line))
            }
            Ok(_) => Err(("it gave no result".to_owned(), None)),
            Err(error) => Err((format!("its result cannot be read: {error}"), None)),
        }
    }

    fn tell(&self, outcome: &Outcome) {
        let mut out = std::io::stdout().lock();
        let _ = if self.options.json {
            let line = serde_json::to_string(outcome).unwrap_or_default();
            writeln!(out, "{line}")
        } else {
            let Outcome { file, name, message, .. } = outcome;
            match (outcome.ok, outcome.skipped) {
                (_, true) => writeln!(out, "skip  {file} {name}"),
                (true, _) => writeln!(out, "ok    {file} {name} ({} ms)", outcome.ms),
                (false, _) => {
                    let line = outcome.line.map(|line| format!(":{line}")).unwrap_or_default();
                    writeln!(out, "FAIL  {file}{line} {name}: {message}")
                }
            }
        };
        let _ = out.flush();
    }
}
