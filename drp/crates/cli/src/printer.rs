//! The one place that decides what is shown, and writes it.

use crate::Failure;
use crate::failure::closed_pipe;
use crate::fields::{at, only};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, TableStyle};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// The shapes of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For shell scripts: a line for each object, tabs between the columns, a text without quotes.
    Text,
    /// For programs. Streams print one object a line.
    Json,
    /// For people and programs. Streams print one document each.
    Yaml,
}

/// Longest text in a table cell on a terminal, in characters.
const CELL: usize = 64;

/// Writes results to standard output, and errors and progress to standard error.
#[derive(Debug, Clone)]
pub struct Printer {
    format: Format,
    header: bool,
    colour: bool,
    /// Longest text in a table cell. On a terminal there is one, since long cells would break lines.
    cut: Option<usize>,
    /// The fields to print, instead of the columns of the type or of all fields.
    fields: Vec<String>,
}

impl Printer {
    /// The printer for the given choice; without one: tables on a terminal, JSON otherwise. Colour is used only
    /// on a terminal, and not when `NO_COLOR` is set.
    #[must_use]
    pub fn new(format: Option<Format>, no_header: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let format = format.unwrap_or(if terminal { Format::Table } else { Format::Json });
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            format,
            header: !no_header,
            colour: !no_colour && io::stderr().is_terminal(),
            cut: terminal.then_some(CELL),
            fields: Vec::new(),
        }
    }

    /// Prints only these fields of objects.
    #[must_use]
    pub fn with_fields(mut self, fields: &[String]) -> Self {
        self.fields = fields.to_vec();
        self
    }

    /// Cuts table cells at so many characters; 0 cuts nothing.
    #[must_use]
    pub fn with_cut(mut self, characters: Option<usize>) -> Self {
        if let Some(characters) = characters {
            self.cut = (characters > 0).then_some(characters);
        }
        self
    }

    /// Whether the output is columns, and not documents.
    #[must_use]
    pub fn for_eyes(&self) -> bool {
        matches!(self.format, Format::Table | Format::Text)
    }

    /// The chosen format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// A list of objects, as a table with these columns (title and JSON Pointer).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn list(&self, items: &[Value], columns: &[(&str, &str)]) -> Result<(), Failure> {
        let own: Vec<(&str, &str)> = self.fields.iter().map(|f| (f.as_str(), f.as_str())).collect();
        let columns = if own.is_empty() { columns } else { &own };
        if self.for_eyes() {
            let rows = items.iter().map(|item| {
                columns
                    .iter()
                    .map(|(_, field)| cell(at(item, field).unwrap_or(&Value::Null), self.cut))
                    .collect()
            });
            return self
                .table(columns.iter().map(|(title, _)| (*title).to_owned()).collect(), rows.collect());
        }
        if self.fields.is_empty() {
            return self.document(&Value::Array(items.to_vec()));
        }
        self.document(&items.iter().map(|item| only(item, &self.fields)).collect())
    }

    /// Whether JSON text can be printed as it came.
    #[must_use]
    pub fn takes_text(&self) -> bool {
        self.format == Format::Json && self.fields.is_empty()
    }

    /// A document that is JSON text already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json_text(&self, json: &[u8]) -> Result<(), Failure> {
        if json.trim_ascii() == b"null" {
            return write_out("[]\n");
        }
        write_bytes(&crate::indent::indent(json))
    }

    /// One object of a type; with chosen fields only these.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn object(&self, object: &Value) -> Result<(), Failure> {
        if self.fields.is_empty() {
            return self.value(object);
        }
        if self.for_eyes() {
            return self.list(std::slice::from_ref(object), &[]);
        }
        self.document(&only(object, &self.fields))
    }

    /// One value: a map becomes two columns, a list of texts one line each, a text stands alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn value(&self, value: &Value) -> Result<(), Failure> {
        match value {
            _ if !self.for_eyes() => self.document(value),
            Value::Object(map) => {
                let rows = map.iter().map(|(k, v)| vec![k.clone(), full(v)]).collect();
                self.table(vec!["Field".into(), "Value".into()], rows)
            }
            Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {
                write_out(&items.iter().map(|i| full(i) + "\n").collect::<String>())
            }
            Value::Array(_) => self.pretty(value),
            _ => write_out(&(full(value) + "\n")),
        }
    }

    /// One object, which as a table shows only the fields that hold something.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn short(&self, value: &Value) -> Result<(), Failure> {
        let Value::Object(map) = value else { return self.value(value) };
        if self.format != Format::Table || !self.fields.is_empty() {
            return self.object(value);
        }
        let empty = [Value::Null, "".into(), serde_json::json!([]), serde_json::json!({})];
        let held = map.iter().filter(|(_, v)| !empty.contains(v));
        self.value(&Value::Object(held.map(|(k, v)| (k.clone(), v.clone())).collect()))
    }

    /// A table of texts; other formats get a list of maps.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rows(&self, titles: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        if self.for_eyes() {
            return self.table(titles.iter().map(|t| (*t).to_owned()).collect(), rows);
        }
        let maps = rows.into_iter().map(|row| {
            titles.iter().map(|t| (*t).to_owned()).zip(row.into_iter().map(Value::String)).collect::<Value>()
        });
        self.document(&maps.collect::<Value>())
    }

    /// One item of a stream, at once: its text for people, itself for programs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn item(&self, value: &Value, text: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Text => write_out(&format!("{text}\n")),
            Format::Json => write_out(&format!("{value}\n")),
            Format::Yaml => write_out(&format!("---\n{}", yaml(value)?)),
        }
    }

    /// Plain text, whatever the format.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        write_out(&format!("{text}\n"))
    }

    /// Whether remarks are shown.
    #[must_use]
    pub fn remarks(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// A remark for people that is not part of the result. It goes to standard error when that is a terminal.
    pub fn remark(&self, text: &str) {
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// What a command over many things came to; to standard error, terminal or not.
    pub fn summary(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
    }

    /// A value as one short piece of a line for people.
    #[must_use]
    pub fn piece(&self, value: &Value) -> String {
        cell(value, self.cut)
    }

    /// Something that went wrong without ending the command.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{} {text}", self.paint("33", "warning:"));
    }

    /// What to do next, after something that went well.
    pub fn hint(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{} {text}", self.paint("36", "hint:"));
    }

    /// The failure that ends the command.
    pub fn failure(&self, failure: &Failure) {
        if failure.quiet {
            return;
        }
        let mut text = String::new();
        if !failure.message.is_empty() {
            text.push_str(&format!("{} {}\n", self.paint("31;1", "error:"), failure.message.trim_end()));
        }
        for hint in &failure.hints {
            text.push_str(&format!("{} {hint}\n", self.paint("36", "hint:")));
        }
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn document(&self, value: &Value) -> Result<(), Failure> {
        if self.format == Format::Yaml { write_out(&yaml(value)?) } else { self.pretty(value) }
    }

    fn pretty(&self, value: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::new(crate::Exit::General, format!("the result cannot be printed: {e}")))?;
        write_out(&(text + "\n"))
    }

    fn table(&self, titles: Vec<String>, rows: Vec<Vec<String>>) -> Result<(), Failure> {
        if self.format == Format::Text {
            let line = |cells: Vec<String>| {
                let cells: Vec<String> =
                    cells.iter().map(|c| c.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
                cells.join("\t") + "\n"
            };
            let titles = self.header.then(|| line(titles));
            return write_out(&titles.into_iter().chain(rows.into_iter().map(line)).collect::<String>());
        }
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
        if self.header {
            table.set_header(titles.into_iter().map(|t| t.to_uppercase()));
        }
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        if text.trim().is_empty() { Ok(()) } else { write_out(&text) }
    }
}

/// A value in a table cell, one short line.
fn cell(value: &Value, cut: Option<usize>) -> String {
    let text = match value {
        Value::Array(items) if items.iter().any(Value::is_object) => items.len().to_string(),
        Value::Array(items) => items.iter().map(full).collect::<Vec<_>>().join(", "),
        other => full(other),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match cut {
        Some(longest) if line.chars().count() > longest => {
            line.chars().take(longest - 1).chain(['…']).collect()
        }
        _ => line,
    }
}

/// A value as text: texts without quotes, nothing for null, JSON for the rest. Control characters, which could
/// steer a terminal, are replaced.
fn full(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_yaml_ng::to_string(value)
        .map_err(|e| Failure::new(crate::Exit::General, format!("the result cannot be printed as YAML: {e}")))
}

fn write_out(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes())
}

fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => closed_pipe(),
        _ => Failure::io("standard output", &e),
    })
}

#[cfg(test)]
mod tests {
    use super::{cell, full};
    use serde_json::json;

    #[test]
    fn cells_are_one_short_line() {
        assert_eq!(cell(&json!(["a", "b"]), Some(64)), "a, b");
        assert_eq!(cell(&json!([{}, {}, {}]), Some(64)), "3");
        assert_eq!(cell(&json!("a\n  b"), Some(64)), "a b");
        assert_eq!(cell(&json!("x".repeat(100)), Some(64)).chars().count(), 64);
        assert_eq!(cell(&json!("x".repeat(100)), None).chars().count(), 100);
        assert_eq!(cell(&json!(null), Some(64)), "");
    }

    #[test]
    fn values_cannot_steer_the_terminal() {
        assert_eq!(full(&json!("a\u{1b}[2Jb")), "a\u{fffd}[2Jb");
    }
}
