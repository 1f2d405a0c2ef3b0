//! The generated parts of a plugin's documentation page.

use crate::TestkitError;
use drp_protocol::PluginProvider;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

/// Checks the generated parts of a page against what `define` says, or writes them when `DRP_BLESS` is set.
///
/// A part stands between two lines of the page, and what is written by hand around it stays as it is:
///
/// ```text
/// <!-- define:actions -->
/// <!-- /define -->
/// ```
///
/// | Part | What it holds |
/// |---|---|
/// | `define:actions` | the actions, on what they work, the params that they need and take |
/// | `define:params` | the params of the content: type and bounds, default, whether sealed, description; then their documentation |
/// | `define:params PREFIX` | only those whose names begin so; the other `define:params` of the page leave them out |
///
/// # Errors
/// [`TestkitError::Differs`] when a part is not what `define` says, when the page has no part, or one without an end;
/// [`TestkitError::Io`] when the page cannot be read or written.
pub fn check_page(page: impl AsRef<Path>, provider: &PluginProvider) -> Result<(), TestkitError> {
    let page = page.as_ref();
    let text = fs::read_to_string(page).map_err(TestkitError::io("read", page))?;
    let wanted = fill(&text, provider)
        .map_err(|why| TestkitError::differs(page.display().to_string(), "generated parts", why))?;
    if wanted == text {
        return Ok(());
    }
    if std::env::var_os("DRP_BLESS").is_some() {
        return fs::write(page, wanted).map_err(TestkitError::io("write", page));
    }
    let differs = wanted.lines().zip(text.lines()).enumerate().find(|(_, (wanted, is))| wanted != is);
    let (at, wanted, is) = match differs {
        Some((at, (wanted, is))) => (at + 1, wanted, is),
        None => (0, "other generated parts", "fewer or more lines"),
    };
    let what = format!("{} line {at} (if this change is meant: DRP_BLESS=1)", page.display());
    Err(TestkitError::differs(what, wanted, is))
}

/// The page with its parts written anew.
fn fill(page: &str, provider: &PluginProvider) -> Result<String, String> {
    const END: &str = "<!-- /define -->";
    let part_of =
        |line: &str| Some(line.strip_prefix("<!-- define:")?.strip_suffix("-->")?.trim().to_owned());
    let prefixes: Vec<String> = page
        .lines()
        .filter_map(part_of)
        .filter_map(|part| Some(part.strip_prefix("params ")?.trim().to_owned()))
        .collect();
    let (mut filled, mut lines, mut parts) = (String::new(), page.split_inclusive('\n'), 0);
    while let Some(line) = lines.next() {
        filled += line;
        let Some(part) = part_of(line.trim_end()) else { continue };
        if !lines.by_ref().any(|line| line.trim_end() == END) {
            return Err(format!("define:{part} without {END}"));
        }
        filled += "\n";
        filled += &match part.split_once(' ') {
            None if part == "actions" => actions(provider),
            None if part == "params" => {
                params(provider, |name| !prefixes.iter().any(|p| name.starts_with(p)))?
            }
            Some(("params", prefix)) => params(provider, |name| name.starts_with(prefix.trim()))?,
            _ => return Err(format!("no part is called define:{part}")),
        };
        filled += "\n";
        filled += END;
        filled += "\n";
        parts += 1;
    }
    if parts == 0 {
        Err("no <!-- define:actions --> and no <!-- define:params -->".to_owned())
    } else {
        Ok(filled)
    }
}

/// Params that an action needs, and those it takes.
type Needs<'a> = (Vec<&'a str>, Vec<&'a str>);

/// Tables of actions, one for each type of object. What all actions of a type take is said once.
fn actions(provider: &PluginProvider) -> String {
    let mut by_model: BTreeMap<&str, Vec<(&str, Needs<'_>)>> = BTreeMap::new();
    for action in &provider.available_actions {
        let needs = (
            action.required_params.iter().map(String::as_str).collect(),
            action.optional_params.iter().map(String::as_str).collect(),
        );
        by_model.entry(action.command_set()).or_default().push((&action.command, needs));
    }
    let mut parts = Vec::new();
    for (model, actions) in by_model {
        let (required, optional) = common(&actions);
        let mut part = format!("On `{model}`:\n\n");
        for (what, names) in [("needs", &required), ("takes", &optional)] {
            if !names.is_empty() {
                let _ = writeln!(part, "Each of them {what} {}.\n", code(names));
            }
        }
        // Actions with the same params share a row.
        let mut rows: Vec<(Vec<&str>, Needs<'_>)> = Vec::new();
        for (command, (needs, takes)) in actions {
            let own = (
                needs.into_iter().filter(|n| !required.contains(n)).collect(),
                takes.into_iter().filter(|n| !optional.contains(n)).collect(),
            );
            match rows.iter_mut().find(|(_, needs)| *needs == own) {
                Some((commands, _)) => commands.push(command),
                None => rows.push((vec![command], own)),
            }
        }
        let also = if required.is_empty() && optional.is_empty() { "" } else { "also " };
        let _ = writeln!(part, "| Action | {also}needs | {also}takes |\n|---|---|---|");
        for (commands, (needs, takes)) in rows {
            let commands: Vec<String> = commands.iter().map(|c| format!("`{c}`")).collect();
            let _ = writeln!(part, "| {} | {} | {} |", commands.join(" "), code(&needs), code(&takes));
        }
        parts.push(part);
    }
    if parts.is_empty() { "No actions.\n".to_owned() } else { parts.join("\n") }
}

/// What all of several actions need and take.
fn common<'a>(actions: &[(&str, Needs<'a>)]) -> Needs<'a> {
    let Some((_, mut common)) = actions.first().filter(|_| actions.len() > 1).cloned() else {
        return Needs::default();
    };
    for (_, (needs, takes)) in actions {
        common.0.retain(|name| needs.contains(name));
        common.1.retain(|name| takes.contains(name));
    }
    common
}

fn code(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

/// The table of params, and what their documentation says.
fn params(provider: &PluginProvider, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
    let content: Value = match provider.content.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|error| format!("the content is not JSON: {error}"))?,
    };
    let of_plugin: BTreeSet<&str> =
        provider.required_params.iter().chain(&provider.optional_params).map(String::as_str).collect();
    let (mut table, mut texts) = (String::new(), String::new());
    for (name, param) in content["sections"]["params"].as_object().into_iter().flatten() {
        if !wanted(name) {
            continue;
        }
        let schema = &param["Schema"];
        let default = schema.get("default").map_or_else(|| "–".to_owned(), |value| format!("`{value}`"));
        let mut marks = String::new();
        if param["Secure"] == true {
            marks += " Sealed.";
        }
        if of_plugin.contains(name.as_str()) {
            marks += " Of the plugin object.";
        }
        let text = param["Description"].as_str().unwrap_or_default().trim_end_matches('.');
        let stop = if text.is_empty() || marks.is_empty() { "" } else { "." };
        let text = format!("{text}{stop}{marks}");
        let cells = [format!("`{name}`"), kind(schema), default, text.trim().to_owned()];
        let _ = writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        let more = param["Documentation"].as_str().unwrap_or_default().trim();
        if !more.is_empty() {
            let _ = write!(texts, "\n**`{name}`**\n\n{more}\n");
        }
    }
    if table.is_empty() {
        return Ok("No params.\n".to_owned());
    }
    Ok(format!("| Param | Type | Default | |\n|---|---|---|---|\n{table}{texts}"))
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" ");
    }
    let mut kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    if schema["items"].is_object() {
        kind = format!("{kind} of {}", self::kind(&schema["items"]));
    }
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, Value::Null) => {}
        (low, Value::Null) => kind += &format!(", {low} or more"),
        (Value::Null, high) => kind += &format!(", at most {high}"),
        (low, high) => kind += &format!(", {low} to {high}"),
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider() -> PluginProvider {
        let content = json!({"sections": {"params": {
            "lamp/pin": {"Secure": true, "Description": "What the switch asks for.", "Schema": {"type": "string"}},
            "lamp/level": {"Description": "How bright | dark", "Documentation": "In percent.\n",
                "Schema": {"type": "integer", "minimum": 0, "maximum": 100, "default": 50}},
            "lamp/bus/port": {"Schema": {"type": "array", "items": {"enum": ["a", 1]}}},
        }}});
        let on = |command: &str, takes: &[&str]| json!({"Model": "machines", "Command": command, "RequiredParams": ["lamp/pin"], "OptionalParams": takes});
        serde_json::from_value(json!({
            "Name": "lamp", "OptionalParams": ["lamp/bus/port"], "Content": content.to_string(),
            "AvailableActions": [on("on", &["lamp/level"]), on("off", &[]), on("blink", &["lamp/level"]),
                {"Command": "count"}],
        }))
        .unwrap()
    }

    const PAGE: &str = "# Lamp\n<!-- define:actions -->\nold\n<!-- /define -->\nby hand\n\
                        <!-- define:params -->\n<!-- /define -->\n<!-- define:params lamp/bus -->\n<!-- /define -->\nend\n";

    #[test]
    fn parts_are_written_and_the_rest_stays() {
        let filled = fill(PAGE, &provider()).unwrap();
        assert_eq!(fill(&filled, &provider()).unwrap(), filled, "a second time changes nothing");
        for part in [
            "# Lamp\n<!-- define:actions -->\n\nOn `machines`:\n\nEach of them needs `lamp/pin`.\n\n\
             | Action | also needs | also takes |\n|---|---|---|\n| `on` `blink` | – | `lamp/level` |\n| `off` | – | – |\n",
            "On `system`:\n\n| Action | needs | takes |\n|---|---|---|\n| `count` | – | – |\n\n<!-- /define -->\nby hand\n",
            "| `lamp/level` | integer, 0 to 100 | `50` | How bright \\| dark |\n\
             | `lamp/pin` | string | – | What the switch asks for. Sealed. |\n\n**`lamp/level`**\n\nIn percent.\n",
            "<!-- define:params lamp/bus -->\n\n| Param | Type | Default | |\n|---|---|---|---|\n\
             | `lamp/bus/port` | array of `\"a\"` `1` | – | Of the plugin object. |\n\n<!-- /define -->\nend\n",
        ] {
            assert!(filled.contains(part), "{part}\nis not in\n{filled}");
        }
        assert!(!filled.contains("old"), "{filled}");
    }

    #[test]
    fn pages_that_cannot_be_filled_say_why() {
        for (page, why) in [
            ("# Lamp\n", "no <!-- define:actions -->"),
            ("<!-- define:actions -->\n", "without <!-- /define -->"),
            ("<!-- define:colours -->\n<!-- /define -->\n", "no part is called define:colours"),
        ] {
            assert!(fill(page, &provider()).unwrap_err().contains(why), "{page}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), PAGE).unwrap();
        let error = check_page(file.path(), &provider()).unwrap_err().to_string();
        assert!(
            error.contains("line 3") && error.contains("DRP_BLESS=1") && error.contains("old"),
            "{error}"
        );
    }
}
