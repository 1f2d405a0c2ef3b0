//! One command of an extension, called: the script, which holds names only, and the document with everything else.

use crate::commands::{Command, Kind, path_text};
use crate::error::NushellError;
use crate::scratch::Scratch;
use drp_plugin_sdk::{Error, Value, json};
use serde_json::Map;
use std::fmt::Write as _;
use std::path::Path;

/// The script of a call, and what it reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    /// Calls the command with values from the document.
    pub(crate) words: String,
    /// Values by place.
    positional: Vec<Value>,
    /// Values for what is left.
    rest: Vec<Value>,
    /// Values by name.
    flags: Map<String, Value>,
}

impl Call {
    /// Puts params where the signature wants them. A value that is null is none.
    pub(crate) fn new(command: &Command, params: &Map<String, Value>) -> Result<Self, Error> {
        let refused = |text: String| Error::new(400, "params", format!("{}: {text}", command.name));
        let mut call = Self {
            words: format!("mod {}", command.name),
            positional: Vec::new(),
            rest: Vec::new(),
            flags: Map::new(),
        };
        // Those by place that were left out so far, and whether each has a value to stand for it.
        let mut skipped: Vec<(&str, Option<&Value>)> = Vec::new();
        for input in &command.inputs {
            let Some(value) = params.get(&input.name).filter(|value| !value.is_null()) else {
                if input.required {
                    return Err(refused(format!("Missing Parameter {}", input.name)));
                }
                if input.kind == Kind::Positional {
                    skipped.push((&input.name, input.default.as_ref()));
                }
                continue;
            };
            if let Err(wanted) = input.fits(value) {
                return Err(refused(format!("Invalid Parameter: {}: it must be {wanted}", input.name)));
            }
            let (name, conversion) = (&input.name, input.conversion());
            if [Kind::Positional, Kind::Rest].contains(&input.kind) {
                for (before, default) in std::mem::take(&mut skipped) {
                    let Some(default) = default else {
                        return Err(refused(format!(
                            "{name} goes with {before} only, which comes before it"
                        )));
                    };
                    let _ = write!(call.words, " ($call.positional | get {})", call.positional.len());
                    call.positional.push(default.clone());
                }
            }
            let _ = match input.kind {
                Kind::Positional => {
                    call.positional.push(value.clone());
                    let place = call.positional.len() - 1;
                    write!(call.words, " ($call.positional | get {place}{conversion})")
                }
                Kind::Rest => {
                    call.rest = value.as_array().cloned().unwrap_or_default();
                    if conversion.is_empty() {
                        write!(call.words, " ...$call.rest")
                    } else {
                        write!(call.words, " ...($call.rest | each {{|value| $value{conversion} }})")
                    }
                }
                Kind::Named => {
                    call.flags.insert(name.clone(), value.clone());
                    write!(call.words, " --{name} ($call.flags | get {name}{conversion})")
                }
                Kind::Switch => {
                    call.flags.insert(name.clone(), value.clone());
                    write!(call.words, " --{name}=($call.flags | get {name})")
                }
            };
        }
        Ok(call)
    }

    /// The script: names that Nushell gave, paths as quoted strings, and nothing from the caller.
    pub(crate) fn script(&self, module: &Path, scratch: &Scratch) -> Result<String, NushellError> {
        let library = path_text(&scratch.library().join("drp-host.nu"))?;
        let module = path_text(module)?;
        Ok(format!(
            "use {library}\nuse {module}\ndef main [] {{\n    let call = ($in | from json)\n    $env.DRP = $call.drp\n    \
             drp-host answer $call.result {{ {} }}\n}}\n",
            self.words
        ))
    }

    /// What the script reads from standard input.
    pub(crate) fn document(self, drp: Value, scratch: &Scratch) -> Vec<u8> {
        let Self { positional, rest, flags, .. } = self;
        let document = json!({
            "positional": positional, "rest": rest, "flags": flags, "drp": drp, "result": scratch.result(),
        });
        document.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Input;

    fn input(name: &str, kind: Kind, shape: &str, required: bool) -> Input {
        Input {
            name: name.into(),
            kind,
            shape: shape.into(),
            required,
            description: String::new(),
            default: None,
        }
    }

    fn create() -> Command {
        Command {
            name: "create-server".into(),
            description: String::new(),
            more: String::new(),
            inputs: vec![
                input("config", Kind::Positional, "record", true),
                input("age", Kind::Positional, "duration", false),
                input("size", Kind::Positional, "int", false),
                Input { default: Some(json!("s1")), ..input("plan", Kind::Positional, "string", false) },
                input("rest", Kind::Rest, "string", false),
                input("name", Kind::Named, "string", false),
                input("check", Kind::Switch, "", false),
            ],
            output: String::new(),
        }
    }

    fn call(params: Value) -> Result<Call, Error> {
        Call::new(&create(), params.as_object().unwrap())
    }

    #[test]
    fn nothing_of_the_caller_is_in_the_script() {
        let hostile = "'; ^touch /tmp/owned; $(reboot) `x` \" ) } --force\n../";
        let call = call(json!({
            "config": {hostile: hostile}, "age": hostile, "rest": [hostile], "size": 1, "name": hostile, "check": true,
            hostile: hostile, "unknown": hostile,
        }))
        .unwrap();
        assert_eq!(
            call.words,
            "mod create-server ($call.positional | get 0) ($call.positional | get 1 | into duration) \
             ($call.positional | get 2) ($call.positional | get 3) ...$call.rest --name ($call.flags | get name) --check=($call.flags | get check)"
        );
        assert_eq!(call.flags["name"], hostile);
        assert_eq!(call.positional[3], "s1", "the default of what was left out between others");
        assert!(!call.flags.contains_key("unknown"));
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named_and_not_shown() {
        for (params, text) in [
            (json!({}), "create-server: Missing Parameter config"),
            (json!({"config": null}), "create-server: Missing Parameter config"),
            (json!({"config": "hunter2"}), "create-server: Invalid Parameter: config: it must be an object"),
            (
                json!({"config": {}, "check": "yes"}),
                "create-server: Invalid Parameter: check: it must be true or false",
            ),
            (
                json!({"config": {}, "size": 1}),
                "create-server: size goes with age only, which comes before it",
            ),
            (
                json!({"config": {}, "age": 1, "rest": ["a"]}),
                "create-server: rest goes with size only, which comes before it",
            ),
        ] {
            let error = call(params).unwrap_err();
            assert_eq!((error.code, error.messages[0].as_str()), (400, text));
        }
        assert_eq!(
            call(json!({"config": {}})).unwrap().words,
            "mod create-server ($call.positional | get 0)"
        );
    }
}
