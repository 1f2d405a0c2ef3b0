//! The tests of an extension (extensions §10): its own, in Nushell, and whether its plugin does what its type asks for.

use crate::hosting::{Hosting, HostingError, TestOutcome};
use crate::{Extension, ExtensionError};
use drp_protocol::extension_operations::{Operation, operations};
use drp_protocol::{HostedExtension, JsonMap};
use drp_schemas::{Document, Evaluator, Format, SchemaError};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The name under which dry runs stand among the tests.
pub const OPERATIONS: &str = "operations";

/// Runs the tests of the extension in a folder. `only` picks those whose file or name has it in it; empty picks all.
/// One operation may take `deadline`.
///
/// # Errors
/// The extension is not right, or nothing could be run; a test that fails is in the answer.
pub async fn test(
    folder: &Path,
    only: &str,
    deadline: Duration,
    evaluator: &Evaluator,
    hosting: &dyn Hosting,
) -> Result<Vec<TestOutcome>, ExtensionError> {
    let extension = Extension::open(folder, evaluator).await?;
    let record = extension.hosted(evaluator).await?;
    let mut all = Vec::new();
    // Who wants the operations alone needs no Nushell.
    if only != OPERATIONS && extension.tree.files_in("tests").any(|file| file.ends_with(".nu")) {
        match hosting.test(&record, only).await {
            Ok(outcomes) => all.extend(outcomes),
            Err(error) => all.push(failed("tests", "", error.to_string(), Instant::now())),
        }
    }
    let evaluator = &extension.evaluator(evaluator);
    let trial = Trial { extension: &extension, record, deadline, evaluator, hosting };
    let wanted = |name: &str| OPERATIONS.contains(only) || name.contains(only);
    all.extend(trial.run(&wanted).await?);
    Ok(all)
}

struct Trial<'a> {
    extension: &'a Extension,
    record: HostedExtension,
    deadline: Duration,
    evaluator: &'a Evaluator,
    hosting: &'a dyn Hosting,
}

fn outcome(file: &str, name: &str, start: Instant) -> TestOutcome {
    TestOutcome {
        file: file.to_owned(),
        name: name.to_owned(),
        ok: true,
        skipped: false,
        message: String::new(),
        line: None,
        ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn failed(file: &str, name: &str, message: String, start: Instant) -> TestOutcome {
    TestOutcome { ok: false, message, ..outcome(file, name, start) }
}

impl Trial<'_> {
    async fn run(&self, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<Vec<TestOutcome>, ExtensionError> {
        let start = Instant::now();
        let mut all = Vec::new();
        let defined = match timeout(self.deadline, self.hosting.define(&self.record)).await {
            Ok(defined) => defined,
            Err(_) => Err(HostingError::Start(self.late("did not define itself"))),
        };
        let provider = match defined {
            Ok(provider) => provider,
            Err(error) => return Ok(vec![failed(OPERATIONS, "define", error.to_string(), start)]),
        };
        if wanted("define") {
            all.push(outcome(OPERATIONS, "define", start));
        }
        let config = self.example("config").await?;
        let settings = match self.example("settings").await? {
            Some(Value::Object(settings)) => settings,
            _ => JsonMap::new(),
        };
        for operation in operations(self.extension.r#type()) {
            let start = Instant::now();
            if !wanted(operation.name) {
                continue;
            }
            let offered = provider
                .available_actions
                .iter()
                .any(|action| action.command_set() == "plugins" && action.command == operation.name);
            if !offered {
                if operation.required {
                    let message = "every extension of its type offers it, and this one does not".into();
                    all.push(failed(OPERATIONS, operation.name, message, start));
                }
                continue;
            }
            // Only what changes nothing and needs nobody else.
            let tells = operation.name.ends_with("-info") || operation.name == "list-components";
            if operation.check || (tells && operation.inputs.is_empty()) {
                all.push(self.one(operation, &settings, config.as_ref()).await?);
            }
        }
        Ok(all)
    }

    async fn one(
        &self,
        operation: &Operation,
        settings: &JsonMap,
        config: Option<&Value>,
    ) -> Result<TestOutcome, ExtensionError> {
        let start = Instant::now();
        let shown =
            if operation.check { format!("{} --check", operation.name) } else { operation.name.into() };
        let fails = |message: String| Ok(failed(OPERATIONS, &shown, message, start));
        let mut params = JsonMap::new();
        if operation.check {
            params.insert("check".into(), true.into());
        }
        if let Some(input) = operation.inputs.iter().find(|input| input.name == "config") {
            match config {
                Some(config) => drop(params.insert("config".into(), config.clone())),
                None if input.required => {
                    let message = "there is no examples/config.toml to try it with".into();
                    return Ok(TestOutcome { skipped: true, message, ..outcome(OPERATIONS, &shown, start) });
                }
                None => {}
            }
        }
        let run = self.hosting.run(&self.record, settings.clone(), operation.name, params);
        let answer = match timeout(self.deadline, run).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return fails(error.to_string()),
            Err(_) => return fails(self.late("did not answer")),
        };
        let document = Document::text("the answer", Format::Json, answer.to_string());
        match self.evaluator.check(&document, &operation.result_contract(operation.check)).await {
            Ok(_) => Ok(outcome(OPERATIONS, &shown, start)),
            Err(error @ SchemaError::Wrong { .. }) => fails(error.to_string()),
            Err(error) => Err(error.into()),
        }
    }

    /// An example that the extension ships, when it can be read; validation tells when it cannot.
    async fn example(&self, name: &str) -> Result<Option<Value>, ExtensionError> {
        for ending in ["toml", "yaml", "yml", "json", "ncl"] {
            let file = format!("examples/{name}.{ending}");
            if self.extension.tree.has(&file) {
                let document = Document::file(self.extension.root.join(file));
                return match self.evaluator.evaluate(&document).await {
                    Ok(checked) => Ok(Some(checked.value)),
                    Err(SchemaError::Wrong { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                };
            }
        }
        Ok(None)
    }

    fn late(&self, what: &str) -> String {
        format!("it {what} within {} s", self.deadline.as_secs())
    }
}
