//! The commands that a module exports, as Nushell itself tells them (extensions §2).

use crate::child::Run;
use crate::error::NushellError;
use crate::program::Nu;
use crate::quote::{is_plain_name, quoted};
use crate::report::{Report, of_output};
use crate::scratch::Scratch;
use drp_plugin_sdk::{CancellationToken, Value, json};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a module may take to load. The daemon waits 30 s for `define`.
const DEADLINE: Duration = Duration::from_secs(15);

/// What a module offers.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// What its comment says, first line and rest.
    pub(crate) description: String,
    /// Its commands, sorted by name.
    pub(crate) commands: Vec<Command>,
    /// Commands that cannot be actions: name and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// The first line of its comment.
    pub(crate) description: String,
    /// The rest of it.
    pub(crate) more: String,
    /// Its inputs, in order.
    pub(crate) inputs: Vec<Input>,
    /// What it gives, in Nushell's words.
    pub(crate) output: String,
}

/// An input of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Its type, in Nushell's words; empty for a switch.
    pub(crate) shape: String,
    pub(crate) required: bool,
    pub(crate) description: String,
    /// What it is when it is not given, if that is a text, a number or a truth value.
    pub(crate) default: Option<Value>,
}

/// How an input is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By its place.
    Positional,
    /// All that is left, as a list.
    Rest,
    /// `--name value`
    Named,
    /// `--name`
    Switch,
}

/// What our script writes.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    ok: Option<ToldModule>,
    #[serde(default)]
    error: Option<Report>,
}

#[derive(Deserialize)]
struct ToldModule {
    #[serde(default)]
    description: String,
    #[serde(default)]
    extra: String,
    commands: Vec<ToldCommand>,
}

#[derive(Deserialize)]
struct ToldCommand {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    extra: String,
    signature: Vec<ToldInput>,
}

#[derive(Deserialize)]
struct ToldInput {
    parameter_name: Option<String>,
    parameter_type: String,
    syntax_shape: Option<String>,
    #[serde(default)]
    is_optional: bool,
    description: Option<String>,
    #[serde(default)]
    parameter_default: Option<Value>,
}

/// Where the module of an extension is.
pub(crate) fn module_of(root: &Path) -> Result<PathBuf, NushellError> {
    let named = root.join("nulib/mod.nu");
    let absent = || NushellError::NoModule(named.clone());
    let (path, root) =
        (named.canonicalize().map_err(|_| absent())?, root.canonicalize().map_err(|_| absent())?);
    if !path.starts_with(root) {
        return Err(NushellError::Outside(named));
    }
    if path.is_file() { Ok(path) } else { Err(absent()) }
}

/// A path in a script.
pub(crate) fn path_text(path: &Path) -> Result<String, NushellError> {
    path.to_str().map(quoted).ok_or_else(|| NushellError::Path(path.to_owned()))
}

/// The arguments that every run of a script has: nothing of the user's is loaded, and `use drp` finds our module.
pub(crate) fn arguments(scratch: &Scratch) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        vec!["--no-config-file".into(), "--no-history".into(), "--include-path".into()];
    arguments.push(scratch.library().into());
    arguments
}

/// Asks Nushell what the module exports. Its constants and `export-env` blocks run for that: within a deadline and
/// without anything secret in reach.
pub(crate) async fn ask(nu: &Nu, root: &Path) -> Result<Module, NushellError> {
    let module = module_of(root)?;
    let scratch = Scratch::new()?;
    let library = path_text(&scratch.library().join("drp-host.nu"))?;
    let path = path_text(&module)?;
    // The commands come into scope last: none of them can stand for one that is used above.
    let script = format!(
        "use {library}\nuse {path}\ndef main [] {{ let result = ($in | from json | get result); \
         drp-host answer $result {{ drp-host commands \"mod\" }} }}\nuse {path} *\n"
    );
    let script = scratch.write("run.nu", &script)?;
    let mut arguments = arguments(&scratch);
    arguments.extend(["--stdin".into(), script.into()]);
    let run = Run {
        what: format!("loading {}", module.display()),
        nu: &nu.program,
        arguments,
        scratch: &scratch,
        folder: scratch.path(),
        input: json!({ "result": scratch.result() }).to_string().into_bytes(),
        deadline: DEADLINE,
    };
    let finished = run.run(&CancellationToken::new(), &mut ()).await?;
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let wrong = |problem: Vec<String>| NushellError::Module { module: module.clone(), problem };
    if finished.result.is_empty() {
        let mut problem = of_output(&finished.said, &root, scratch.path());
        if problem.is_empty() {
            problem.push(finished.how);
        }
        return Err(wrong(problem));
    }
    let told: Told = serde_json::from_slice(&finished.result).map_err(|error| NushellError::NoResult {
        what: format!("loading {}", module.display()),
        problem: error.to_string(),
    })?;
    match told {
        Told { error: Some(report), .. } => Err(wrong(report.problem(&root, scratch.path()).messages)),
        Told { ok: Some(told), .. } => Ok(told.module()),
        Told { .. } => Err(wrong(vec!["Nushell says nothing about it".to_owned()])),
    }
}

impl ToldModule {
    fn module(self) -> Module {
        let description = match (self.description.as_str(), self.extra.as_str()) {
            (first, "") => first.to_owned(),
            (first, rest) => format!("{first}\n\n{rest}"),
        };
        let mut module = Module { description, ..Module::default() };
        for told in self.commands {
            let name = told.name.clone();
            // The command that the module itself is.
            if name == "mod" || name == "main" {
                continue;
            }
            match told.command() {
                Ok(command) => module.commands.push(command),
                Err(why) => module.left_out.push((name, why)),
            }
        }
        module.commands.sort_by(|a, b| a.name.cmp(&b.name));
        module.left_out.sort();
        module
    }
}

impl ToldCommand {
    fn command(self) -> Result<Command, String> {
        if !is_plain_name(&self.name) || !self.name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err("its name is not of letters, digits, `-` and `_`".to_owned());
        }
        let mut inputs: Vec<Input> = Vec::new();
        let mut output = String::new();
        for told in self.signature {
            let shape = told.syntax_shape.unwrap_or_default();
            let kind = match told.parameter_type.as_str() {
                "positional" => Kind::Positional,
                "rest" => Kind::Rest,
                "named" => Kind::Named,
                "switch" => Kind::Switch,
                "output" => {
                    output = shape;
                    continue;
                }
                _ => continue,
            };
            let name = match told.parameter_name.unwrap_or_default() {
                name if name.is_empty() && kind == Kind::Rest => "rest".to_owned(),
                // A flag that has only a letter.
                name if name.is_empty() => continue,
                name => name,
            };
            let required = kind == Kind::Positional && !told.is_optional;
            let reason = if !is_param_name(&name) {
                Some(format!(
                    "`{name}` is not the name of a param: a letter, then letters, digits, `-` and `_`"
                ))
            } else if !has_json_form(&shape) {
                Some(format!("`{name}` is of type {shape}, which no JSON value is"))
            } else if inputs.iter().any(|input| input.name == name) {
                Some(format!("two inputs are called `{name}`"))
            } else {
                None
            };
            match reason {
                None => inputs.push(Input {
                    name,
                    kind,
                    shape,
                    required,
                    description: told.description.unwrap_or_default(),
                    default: told.parameter_default,
                }),
                Some(reason) if required => return Err(reason),
                // Nobody needs it; what comes after it by place cannot be reached either.
                Some(reason) if kind == Kind::Positional => return Err(reason),
                Some(_) => {}
            }
        }
        Ok(Command { name: self.name, description: self.description, more: self.extra, inputs, output })
    }
}

/// What the protocol takes as the name of a param (wire-protocol §2.1) and a script as it stands.
fn is_param_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn has_json_form(shape: &str) -> bool {
    !["closure", "block", "range", "error", "expression", "signature", "operator", "variable"]
        .iter()
        .any(|word| shape.starts_with(word))
}

impl Command {
    /// An input.
    pub(crate) fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Whether a caller may ask only what it would do.
    pub(crate) fn checks(&self) -> bool {
        self.input("check").is_some_and(|input| input.kind == Kind::Switch)
    }
}

impl Input {
    /// Whether a value is of its type, as far as JSON goes; a record's fields are Nushell's to check. The error says
    /// what is wanted, and not what was given, which may be secret.
    pub(crate) fn fits(&self, value: &Value) -> Result<(), &'static str> {
        let wanted = |fits: bool, what: &'static str| if fits { Ok(()) } else { Err(what) };
        if self.kind == Kind::Switch {
            return wanted(value.is_boolean(), "true or false");
        }
        if self.kind == Kind::Rest {
            return wanted(value.is_array(), "a list");
        }
        let whole = value.is_i64() || value.is_u64();
        match self.shape.split('<').next().unwrap_or_default() {
            "int" => wanted(value.is_i64(), "a whole number"),
            "float" | "number" => wanted(value.is_number(), "a number"),
            "bool" => wanted(value.is_boolean(), "true or false"),
            "string" | "path" | "directory" | "glob" | "datetime" | "cell-path" => {
                wanted(value.is_string(), "a text")
            }
            "binary" => wanted(value.is_string(), "a text in Base64"),
            "duration" => wanted(whole || value.is_string(), "a duration, as \"5min\" or in nanoseconds"),
            "filesize" => wanted(whole || value.is_string(), "a size, as \"5GiB\" or in bytes"),
            "record" => wanted(value.is_object(), "an object"),
            "list" | "table" => wanted(value.is_array(), "a list"),
            _ => Ok(()),
        }
    }

    /// What makes its type of what JSON has, in Nushell.
    pub(crate) fn conversion(&self) -> &'static str {
        match self.shape.as_str() {
            "duration" => " | into duration",
            "filesize" => " | into filesize",
            "datetime" => " | into datetime",
            "binary" => " | decode base64",
            "cell-path" => " | split row '.' | into cell-path",
            "glob" => " | into glob",
            "float" => " | into float",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(inputs: Value) -> Result<Command, String> {
        let command: ToldCommand =
            serde_json::from_value(json!({"name": "create-server", "signature": inputs})).unwrap();
        command.command()
    }

    #[test]
    fn commands_that_no_action_can_be_are_left_out() {
        for (inputs, why) in [
            (
                json!([{"parameter_name": "n", "parameter_type": "positional", "syntax_shape": "int"}]),
                "`n` is not",
            ),
            (
                json!([{"parameter_name": "do", "parameter_type": "positional", "syntax_shape": "closure()"}]),
                "no JSON",
            ),
            (
                json!([{"parameter_name": "aa", "parameter_type": "positional", "syntax_shape": "int"},
                       {"parameter_name": "aa", "parameter_type": "switch", "syntax_shape": null}]),
                "",
            ),
        ] {
            match told(inputs) {
                Err(text) => assert!(!why.is_empty() && text.contains(why), "{text}"),
                Ok(command) => assert!(why.is_empty() && command.inputs.len() == 1),
            }
        }
        let command: ToldCommand =
            serde_json::from_value(json!({"name": "a; rm -rf /", "signature": []})).unwrap();
        assert!(command.command().is_err());
    }

    #[test]
    fn values_are_of_the_type_that_the_signature_says() {
        let input = |shape: &str| Input {
            name: "xx".into(),
            kind: Kind::Positional,
            shape: shape.into(),
            required: true,
            description: String::new(),
            default: None,
        };
        for (shape, value, fits) in [
            ("int", json!(3), true),
            ("int", json!("3"), false),
            ("int", json!(u64::MAX), false),
            ("int", json!(1.5), false),
            ("string", json!("--force"), true),
            ("string", json!({}), false),
            ("record<a: int>", json!({"a": "x"}), true),
            ("record", json!([]), false),
            ("list<string>", json!(["a"]), true),
            ("table", json!([{"a": 1}]), true),
            ("duration", json!("5min"), true),
            ("duration", json!({}), false),
            ("oneof<int, string>", json!(true), true),
            ("any", json!(null), true),
        ] {
            assert_eq!(input(shape).fits(&value).is_ok(), fits, "{shape} {value}");
        }
    }
}
