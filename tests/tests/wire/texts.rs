//! Every error text of the contract must be expected by some exchange.

use crate::exchange::{Table, read};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Lines of a list, without comments.
fn lines(name: &str) -> Result<Vec<String>, String> {
    let path = crate::exchanges().join(name);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text.lines().filter(|l| !l.is_empty() && !l.starts_with("# ")).map(str::to_owned).collect())
}

/// A template as an expression: what stands in angle brackets may be anything.
fn expression(template: &str) -> Regex {
    let mut pattern = "^(?s:".to_owned();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((_, end)) = after.split_once('>') else { break };
        pattern.push_str(&regex::escape(before));
        pattern.push_str(".+");
        rest = end;
    }
    pattern.push_str(&regex::escape(rest));
    pattern.push_str(")$");
    Regex::new(&pattern).unwrap_or_else(|e| panic!("{template}: {e}"))
}

/// Every text that an exchange expects.
fn expected(table: &Table, into: &mut BTreeSet<String>) {
    for exchange in &table.exchanges {
        if let Some(error) = &exchange.error {
            into.extend(error.messages.iter().cloned());
        }
        for value in [&exchange.answer, &exchange.contains].into_iter().flatten() {
            strings(value, into);
        }
        // A log or a page holds texts line by line.
        into.extend(exchange.text.iter().flat_map(|text| text.lines()).map(str::to_owned));
    }
}

fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        // `$re:` would let an expression pass for a text.
        Value::String(text) if !text.starts_with('$') || text.starts_with("${") => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

pub fn all_are_shown(tables: &[PathBuf]) -> Result<(), String> {
    let mut shown = BTreeSet::new();
    for path in tables {
        expected(&read(path)?, &mut shown);
    }
    let templates = lines("error-texts.txt")?;
    let covered = |template: &&String| {
        let pattern = expression(template);
        shown.iter().any(|text| pattern.is_match(text))
    };
    let missing: Vec<&str> = templates.iter().filter(|t| !covered(t)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("no exchange expects these error texts:\n  {}", missing.join("\n  ")))
}
