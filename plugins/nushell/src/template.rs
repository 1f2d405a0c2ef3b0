//! `drp render` of extensions: `nushell --render` fills a template in, from standard input to standard output.

use drp_jinja::{TemplateError, Templates};
use drp_plugin_sdk::{Value, json};
use serde::Deserialize;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// `nushell --render`
pub(crate) const RENDER: &str = "--render";
/// Most that is read, in bytes.
const INPUT: u64 = 32 << 20;

/// What is wanted.
#[derive(Deserialize)]
struct Wanted {
    /// The extension's folder.
    root: PathBuf,
    /// A file below `templates/` of it, or the template itself.
    template: String,
    /// It is the template itself.
    #[serde(default)]
    text: bool,
    /// What the template's names stand for.
    #[serde(default)]
    context: Value,
}

/// Reads one document, and writes `{rendered}` or `{error, hint}`.
pub(crate) fn run() -> ExitCode {
    let mut input = String::new();
    let read = std::io::stdin().take(INPUT).read_to_string(&mut input);
    let wanted = read.map_err(|error| error.to_string()).and_then(|_| {
        serde_json::from_str::<Wanted>(&input).map_err(|error| format!("no request for a template: {error}"))
    });
    let answer = match wanted {
        Err(problem) => json!({ "error": problem }),
        Ok(wanted) => match render(&wanted) {
            Ok(text) => json!({ "rendered": text }),
            Err(error) => json!({ "error": error.to_string(), "hint": error.hint() }),
        },
    };
    match writeln!(std::io::stdout(), "{answer}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn render(wanted: &Wanted) -> Result<String, TemplateError> {
    let Wanted { root, template, text, context } = wanted;
    if *text {
        Templates::of_text("text", template.as_str())?.render("text", context)
    } else {
        Templates::of_folder(&root.join("templates"))?.render(template, context)
    }
}
