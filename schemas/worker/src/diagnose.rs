//! Nickel's errors in the form of ours.

use codespan_reporting::diagnostic::{Label, LabelStyle};
use drp_schemas::{Diagnostic, Place};
use nickel_lang_core::error::report::{ColorOpt, report_as_str};
use nickel_lang_core::error::{Error, IntoDiagnostics};
use nickel_lang_core::files::{FileId, Files};
use std::path::{Path, PathBuf};

/// Longest report that is passed on, in bytes.
const REPORT_BYTES: usize = 16 << 10;

/// All that an error says, the cause first. `document` is what errors call the document that was asked for, and
/// contracts are below one of `import_paths`.
pub(crate) fn all(
    mut files: Files,
    document: &Text,
    import_paths: &[PathBuf],
    error: Error,
) -> Vec<Diagnostic> {
    let nickels = error.into_diagnostics(&mut files);
    let of_contract = |label: &&Label<FileId>| {
        let file = files.name(label.file_id);
        file != document.name.as_str() && import_paths.iter().any(|dir| Path::new(file).starts_with(dir))
    };
    nickels
        .into_iter()
        .take(20)
        .map(|nickel| {
            let shown = || nickel.labels.iter().filter(|label| written_by_people(&files, label));
            let at = shown()
                .find(|label| label.style == LabelStyle::Primary && !of_contract(label))
                .or_else(|| shown().find(|label| !of_contract(label)));
            let contract = shown()
                .filter(|label| at.is_none_or(|at| !same(at, label)))
                .find(|label| of_contract(label) || label.message.contains("expected type"));
            let notes = nickel.notes.iter().map(|note| note.trim()).filter(|note| !note.is_empty());
            // Nickel blames the whole record for a field too many, and nothing when a value was made from the text.
            let vague = at.is_none() || nickel.message.contains("extra field");
            let named = document.field(&nickel.message).filter(|_| vague);
            let label = contract.or(at).map(|label| label.message.as_str());
            Diagnostic {
                message: one_line(&nickel.message),
                place: named
                    .or_else(|| at.and_then(|label| place(&files, label)))
                    .or_else(|| document.start()),
                contract: contract.and_then(|label| place(&files, label)),
                hint: hint(&nickel.message, notes.collect(), label),
                report: shorten(report_as_str(&mut files.clone(), nickel.clone(), ColorOpt::Never)),
            }
        })
        .collect()
}

/// The document that was asked for.
pub(crate) struct Text {
    /// What errors call it.
    pub(crate) name: String,
    /// What it says.
    pub(crate) text: String,
}

impl Text {
    /// The line of the field that a message names, when only one line has it.
    fn field(&self, message: &str) -> Option<Place> {
        let field = message.rsplit('`').nth(1).filter(|field| !field.is_empty())?;
        let is_key = |line: &str| {
            let key = line.trim_start_matches([' ', '\t', '-', '{', ',', '"', '\'']);
            key.strip_prefix(field).is_some_and(|rest| {
                rest.trim_start_matches(['"', '\'']).trim_start().starts_with(['=', ':', '|'])
            })
        };
        let mut lines = self.text.lines().enumerate().filter(|(_, line)| is_key(line));
        let (n, line) = lines.next().filter(|_| lines.next().is_none())?;
        Some(Place { file: self.name.clone(), line: n + 1, column: line.find(field).unwrap_or(0) + 1 })
    }

    fn start(&self) -> Option<Place> {
        Some(Place { file: self.name.clone(), line: 1, column: 1 })
    }
}

/// Nickel itself failed.
pub(crate) fn gave_up(panic: &(dyn std::any::Any + Send)) -> Diagnostic {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    own(
        format!("Nickel itself failed on it: {}", text.unwrap_or("for a reason that it did not give")),
        "the fault may be Nickel's: try a simpler way to write it",
    )
}

/// One that Nickel does not know of.
pub(crate) fn own(message: String, hint: &str) -> Diagnostic {
    Diagnostic { message, place: None, contract: None, hint: Some(hint.into()), report: String::new() }
}

/// The lines of a message, joined as a sentence.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(": ")
}

fn same(a: &Label<FileId>, b: &Label<FileId>) -> bool {
    a.file_id == b.file_id && a.range == b.range
}

/// Not the standard library, nor a text that Nickel or this worker made up.
fn written_by_people(files: &Files, label: &Label<FileId>) -> bool {
    !files.is_stdlib(label.file_id) && !files.name(label.file_id).to_string_lossy().starts_with('<')
}

fn place(files: &Files, label: &Label<FileId>) -> Option<Place> {
    let before = files.source(label.file_id).get(..label.range.start)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Place { file: files.name(label.file_id).to_string_lossy().into_owned(), line, column })
}

fn hint(message: &str, notes: Vec<&str>, label: Option<&str>) -> Option<String> {
    if message.contains("extra field") {
        return Some("correct its name or take it out: the contract has no such field".to_owned());
    }
    if !notes.is_empty() {
        return Some(one_line(&notes.join("\n")).replace(".: ", ". ").replace("?: ", "? "));
    }
    let label = label.unwrap_or_default();
    let general = if message.contains("contract broken") {
        "give it a value that the contract allows"
    } else if message.contains("missing definition") {
        "add the field"
    } else if message.contains("import") {
        "name a file that is there, relative to the importing file or on the import path"
    } else if message.contains("unexpected token") || message.contains("unmatched") {
        "mend the syntax there"
    } else {
        return (!label.is_empty()).then(|| label.to_owned());
    };
    Some(general.to_owned())
}

fn shorten(mut report: String) -> String {
    if report.len() > REPORT_BYTES {
        let end = (0..=REPORT_BYTES).rev().find(|n| report.is_char_boundary(*n)).unwrap_or(0);
        report.truncate(end);
        report.push_str("\n… (shortened)\n");
    }
    report
}
