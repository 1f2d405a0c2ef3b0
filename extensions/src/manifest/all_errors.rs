//! All that is wrong with a document, where Nickel tells the first thing only.
//!
//! What Nickel complains about is taken out of the text, or put in where it is missing, and the rest is checked again.
//! Every line keeps the number that it has in the file.

use crate::{Problem, Rule};
use drp_schemas::{Document, Evaluator, Format, SchemaError};
use serde_json::Value;
use std::path::Path;

/// Most errors that are told of one document.
const MOST: usize = 30;

/// A text to be checked.
pub(super) struct Text<'a> {
    /// Its path in the extension, which is how errors call it.
    pub(super) path: &'a str,
    pub(super) format: Format,
    pub(super) text: &'a str,
    /// The contract, as a Nickel expression.
    pub(super) contract: &'a str,
    /// The table or key that holds the fields that may not be left out.
    pub(super) section: &'a str,
    /// Those fields, with values that pass.
    pub(super) required: &'a [(&'a str, &'a str)],
}

/// The checked value with the contract's defaults, or everything that is wrong with it.
///
/// # Errors
/// The evaluator failed.
pub(super) async fn check(
    evaluator: &Evaluator,
    text: Text<'_>,
) -> Result<Result<Value, Vec<Problem>>, SchemaError> {
    let mut lines: Vec<(usize, String)> =
        text.text.lines().enumerate().map(|(n, line)| (n + 1, line.to_owned())).collect();
    let mut problems: Vec<Problem> = Vec::new();
    loop {
        let shown: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        // The last newline counts for nothing, but a text without lines must stay as it is.
        let whole = if problems.is_empty() { text.text.to_owned() } else { shown.join("\n") };
        let diagnostics = match evaluator
            .check(&Document::text(text.path, text.format, whole), text.contract)
            .await
        {
            Ok(checked) if problems.is_empty() => return Ok(Ok(checked.value)),
            Ok(_) => return Ok(Err(problems)),
            Err(SchemaError::Wrong { diagnostics, .. }) => diagnostics,
            Err(
                error @ (SchemaError::Exploded { .. }
                | SchemaError::Deadline { .. }
                | SchemaError::TooLarge { .. }),
            ) => {
                problems.extend(Problem::of_schema_error(Rule::Structure, Path::new(""), text.path, &error));
                return Ok(Err(problems));
            }
            Err(error) => return Err(error),
        };
        let Some(first) = diagnostics.first() else { return Ok(Err(problems)) };
        let mut problem = Problem::of_diagnostic(Rule::Structure, Path::new(""), text.path, first);
        let at = problem.line.filter(|_| problem.path == text.path);
        let index = at.and_then(|line| line.checked_sub(1)).filter(|index| *index < lines.len());
        // Nickel blames the whole document for a table too many.
        let index = table(&lines, &problem.message).or(index);
        problem.line = index.and_then(|index| lines.get(index)).map(|(line, _)| *line).or(Some(1));
        let mended = mend(&mut lines, index, &problem.message, &text);
        // What follows from a mended line is no second mistake.
        if problems.is_empty() || (mended && !problems.contains(&problem)) {
            problems.push(problem);
        }
        if !mended || problems.len() >= MOST {
            return Ok(Err(problems));
        }
    }
}

/// The field that a message names.
fn field(message: &str) -> Option<&str> {
    message
        .split(" (contract ")
        .next()
        .unwrap_or(message)
        .rsplit('`')
        .nth(1)
        .filter(|field| !field.is_empty())
}

/// The header of the table that a message says should not be.
fn table(lines: &[(usize, String)], message: &str) -> Option<usize> {
    let header = format!("[{}]", field(message).filter(|_| message.contains("extra field"))?);
    lines.iter().position(|(_, line)| line.trim() == header)
}

/// Takes the wrong line out, or puts a missing one in. `false` when it cannot be done, or was done already.
fn mend(lines: &mut Vec<(usize, String)>, index: Option<usize>, message: &str, text: &Text<'_>) -> bool {
    let Some(field) = field(message) else { return false };
    let sign = if text.format == Format::Toml { '=' } else { ':' };
    let value = text.required.iter().find(|(name, _)| *name == field).map(|(_, value)| *value);
    if message.contains("missing definition") {
        let header = match sign {
            '=' => format!("[{}]", text.section),
            _ => format!("{}:", text.section),
        };
        let Some(at) = lines.iter().position(|(_, line)| line.trim() == header) else { return false };
        let Some(value) = value else { return false };
        let indent: String = lines
            .get(at + 1)
            .map(|(_, line)| line.chars().take_while(|c| *c == ' ').collect())
            .filter(|indent: &String| sign == ':' && !indent.is_empty())
            .unwrap_or_else(|| if sign == ':' { "  ".into() } else { String::new() });
        let number = lines[at].0;
        lines.insert(at + 1, (number, format!("{indent}{field}{sign} \"{value}\"")));
        return true;
    }
    if let Some(at) = table(lines, message) {
        lines[at].1.clear();
        for (_, line) in
            lines[at + 1..].iter_mut().take_while(|(_, line)| !line.trim_start().starts_with('['))
        {
            line.clear();
        }
        return true;
    }
    let Some((_, line)) = index.and_then(|index| lines.get_mut(index)) else { return false };
    let key = line.trim_start();
    let is_key = key
        .trim_start_matches(['"', '\''])
        .strip_prefix(field)
        .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(sign));
    // A value over several lines cannot be taken out by its first.
    if !is_key || key.contains("\"\"\"") || key.ends_with(['[', '{', '|', '>']) {
        return false;
    }
    let indent = line.len() - key.len();
    let new = match value {
        Some(value) => format!("{}{field}{sign} \"{value}\"", " ".repeat(indent)),
        None => String::new(),
    };
    if *line == new {
        return false;
    }
    *line = new;
    true
}
