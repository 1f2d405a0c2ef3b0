//! Rule 3: every operation that its type asks for is there with its inputs, and dry runs answer.

use super::schema::Found;
use super::{Report, Surroundings};
use crate::launcher::HostedBy;
use crate::{ExtensionError, Hosting, HostingError, Problem, Rule};
use drp_protocol::extension_operations::{InputType, Operation, operations};
use drp_protocol::{AvailableAction, HostedExtension, JsonMap};
use drp_schemas::{Document, Evaluator, Format, SchemaError};
use serde_json::Value;
use tokio::time::timeout;

pub(super) async fn apply(
    report: &mut Report<'_>,
    surroundings: &Surroundings,
    found: &mut Found,
    evaluator: &Evaluator,
    hosting: &dyn Hosting,
) -> Result<(), SchemaError> {
    let extension = report.extension;
    let Some(host) = extension.hosted_by() else { return Ok(()) };
    // Whoever hosts it reads its schemas' values, and there are none.
    if found.broken || !extension.tree.problems().is_empty() {
        report.warnings.push(Problem::new(
            Rule::Interface,
            ".",
            "its operations were not looked at, because its files or schemas are wrong",
            "mend those first",
        ));
        return Ok(());
    }
    let mut record = match extension.hosted(evaluator).await {
        Ok(record) => record,
        Err(ExtensionError::Invalid { problems, .. }) => {
            report.errors.extend(problems);
            return Ok(());
        }
        Err(ExtensionError::Schema(error)) => return Err(error),
        Err(error) => {
            report.errors.push(Problem::new(Rule::Interface, ".", error.to_string(), "mend its files"));
            return Ok(());
        }
    };
    // Whether this Nushell will do is another rule's matter.
    record.nushell = None;
    let path = match &host {
        HostedBy::Itself(program) => {
            let own = program.strip_prefix(&extension.root).unwrap_or(program);
            own.display().to_string()
        }
        HostedBy::Nushell => "nulib/mod.nu".to_owned(),
        HostedBy::ClusterEngine | HostedBy::TaskservHost => ".".to_owned(),
    };
    let defined = match timeout(surroundings.deadline, hosting.define(&record)).await {
        Ok(defined) => defined,
        Err(_) => Err(HostingError::Start(format!(
            "it did not define itself within {} s",
            surroundings.deadline.as_secs()
        ))),
    };
    let provider = match defined {
        Ok(provider) => provider,
        Err(error) => {
            let problem = start(&record, &path, &error);
            report.errors.push(problem);
            return Ok(());
        }
    };
    let offered: Vec<&AvailableAction> =
        provider.available_actions.iter().filter(|action| action.command_set() == "plugins").collect();
    let mut checked = Vec::new();
    for operation in operations(extension.r#type()) {
        let Some(action) = offered.iter().find(|action| action.command == operation.name) else {
            let elsewhere = provider.available_actions.iter().any(|action| action.command == operation.name);
            if operation.required {
                report.errors.push(missing(&path, operation, elsewhere, &host));
            }
            continue;
        };
        if takes_its_inputs(report, &path, operation, action) && operation.check {
            checked.push(operation);
        }
    }
    let settings = settings(&record, found.examples.remove("settings"));
    let config = found.examples.remove("config");
    let dry = DryRuns { record: &record, path: &path, settings, config, evaluator, hosting, surroundings };
    for operation in checked {
        dry.run(report, operation).await?;
    }
    Ok(())
}

fn start(record: &HostedExtension, path: &str, error: &HostingError) -> Problem {
    let (message, hint) = match error {
        HostingError::Absent { program, hint } => {
            (format!("{program} is not there, so it cannot run"), hint.clone())
        }
        HostingError::Start(text) => {
            (text.replace(&format!("{}/", record.root.display()), ""), "mend what it says".to_owned())
        }
        HostingError::Operation(error) => (error.messages.join("; "), "mend what it says".to_owned()),
    };
    Problem::new(Rule::Interface, path, one_line(&message), hint)
}

/// Plugins may say anything, over several lines.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(": ").chars().filter(|c| !c.is_control()).take(1000).collect()
}

fn nushell(operation: &Operation) -> String {
    let inputs = operation.inputs.iter().map(|input| match input.r#type {
        InputType::Switch => format!("--{}", input.name),
        kind => {
            let mark = if input.required { "" } else { "?" };
            format!("{}{mark}: {}", input.name, format!("{kind:?}").to_lowercase())
        }
    });
    let switches = [("--check", operation.check), ("--wait", operation.wait)];
    let switches = switches.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned());
    format!("export def \"{}\" [{}]", operation.name, inputs.chain(switches).collect::<Vec<_>>().join(", "))
}

fn missing(path: &str, operation: &Operation, elsewhere: bool, host: &HostedBy) -> Problem {
    if elsewhere {
        let text = format!("its operation {} acts on another type of object", operation.name);
        return Problem::new(Rule::Interface, path, text, "offer it on the model \"plugins\"");
    }
    let hint = match host {
        HostedBy::Nushell => format!("write `{}`", nushell(operation)),
        _ => "offer an action of that name on the model \"plugins\"".to_owned(),
    };
    Problem::new(Rule::Interface, path, format!("the operation {} is missing", operation.name), hint)
}

/// Whether an action takes what its operation is given.
fn takes_its_inputs(
    report: &mut Report<'_>,
    path: &str,
    operation: &Operation,
    action: &AvailableAction,
) -> bool {
    let known = |name: &str| action.required_params.iter().chain(&action.optional_params).any(|p| p == name);
    let switches = [("check", operation.check), ("wait", operation.wait)];
    let switches = switches.into_iter().filter(|(_, has)| *has).map(|(name, _)| (name, name == "check"));
    let inputs = operation.inputs.iter().map(|input| (input.name, input.required));
    let mut fits = true;
    for (name, needed) in inputs.chain(switches).filter(|(name, _)| !known(name)) {
        let text = format!("the operation {} does not take {name}", operation.name);
        let hint = format!("it has to be `{}`", nushell(operation));
        let problem = Problem::new(Rule::Interface, path, text, hint);
        // Whoever may leave an input out will not miss it.
        if needed {
            fits &= false;
            report.errors.push(problem);
        } else {
            report.warnings.push(problem);
        }
    }
    let offered = |name: &String| {
        operation.inputs.iter().any(|input| input.name == name) || ["check", "wait"].contains(&name.as_str())
    };
    for name in action.required_params.iter().filter(|name| !offered(name)) {
        fits = false;
        report.errors.push(Problem::new(
            Rule::Interface,
            path,
            format!("the operation {} cannot do without {name}, which nobody gives it", operation.name),
            format!("let {name} be optional, or a setting"),
        ));
    }
    fits
}

/// The example's settings without what is secret: a dry run needs no credentials.
fn settings(record: &HostedExtension, example: Option<Value>) -> JsonMap {
    let Some(Value::Object(mut settings)) = example else { return JsonMap::new() };
    for setting in record.settings.iter().filter(|setting| setting.secure) {
        settings.remove(&setting.name);
    }
    settings
}

/// Operations run with `check`, as the extension's own examples configure it.
struct DryRuns<'a> {
    record: &'a HostedExtension,
    path: &'a str,
    settings: JsonMap,
    config: Option<Value>,
    evaluator: &'a Evaluator,
    hosting: &'a dyn Hosting,
    surroundings: &'a Surroundings,
}

impl DryRuns<'_> {
    async fn run(&self, report: &mut Report<'_>, operation: &Operation) -> Result<(), SchemaError> {
        let mut params = JsonMap::new();
        params.insert("check".into(), true.into());
        let takes = operation.inputs.iter().find(|input| input.name == "config");
        match (takes, &self.config) {
            (Some(_), Some(config)) => {
                params.insert("config".into(), config.clone());
            }
            (Some(input), None) if input.required => {
                report.warnings.push(Problem::new(
                    Rule::Interface,
                    "examples",
                    format!("there is no example of a config, so `{} --check` was not tried", operation.name),
                    "ship examples/config.toml",
                ));
                return Ok(());
            }
            _ => {}
        }
        let run = self.hosting.run(self.record, self.settings.clone(), operation.name, params);
        let said = match timeout(self.surroundings.deadline, run).await {
            Ok(Ok(answer)) => match wrong_check(operation, &answer, self.evaluator).await? {
                None => return Ok(()),
                Some(why) => format!("`{} --check` answers {}: {why}", operation.name, short(&answer)),
            },
            Ok(Err(error)) => format!("`{} --check` fails: {error}", operation.name),
            Err(_) => {
                format!(
                    "`{} --check` did not answer within {} s",
                    operation.name,
                    self.surroundings.deadline.as_secs()
                )
            }
        };
        let record = operation.check_result.unwrap_or("a record");
        let hint = format!(
            "with --check it changes nothing, needs no credentials, and answers {record} \
             (docs/extensions/interfaces.md)"
        );
        report.errors.push(Problem::new(Rule::Interface, self.path, one_line(&said), hint));
        Ok(())
    }
}

/// What is wrong with the record of a dry run, by its contract (`drp/results.ncl`).
async fn wrong_check(
    operation: &Operation,
    answer: &Value,
    evaluator: &Evaluator,
) -> Result<Option<String>, SchemaError> {
    let Some(contract) = operation.check_result else { return Ok(None) };
    let document = Document::text("answer", Format::Json, format!("{answer:#}"));
    match evaluator.check(&document, &format!("(import \"drp/results.ncl\").{contract}")).await {
        Ok(_) => Ok(None),
        Err(SchemaError::Wrong { diagnostics, .. }) => {
            Ok(Some(diagnostics.first().map(|one| one.message.clone()).unwrap_or_default()))
        }
        Err(error) => Err(error),
    }
}

fn short(answer: &Value) -> String {
    answer.to_string().chars().take(200).collect()
}
