//! Dependencies in `manifest.toml`. Whatever else is in the file stays as it is, to the byte.

use toml_edit::{DocumentMut, ImDocument, InlineTable, Item, Table, TableLike, Value};

const TABLE: &str = "dependencies";

/// A dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) module: String,
    /// Nothing when it comes from a registry.
    pub(super) path: Option<String>,
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| error.to_string().trim_end().to_owned())
}

/// All that it names.
pub(super) fn list(text: &str) -> Result<Vec<Dependency>, String> {
    let document = parse(text)?;
    let Some(item) = document.get(TABLE) else { return Ok(Vec::new()) };
    let table = item.as_table_like().ok_or("`dependencies` is no table")?;
    let path = |item: &Item| item.get("path").and_then(Item::as_str).map(str::to_owned);
    Ok(table
        .iter()
        .map(|(module, item)| Dependency { module: module.to_owned(), path: path(item) })
        .collect())
}

/// The text with this dependency. Fields of it that are not ours stay.
pub(super) fn with(text: &str, module: &str, path: &str, version: Option<&str>) -> Result<String, String> {
    let mut document = parse(text)?;
    // Written as `[dependencies.NAME]` throughout: a heading `[dependencies]` would be one more than there was.
    let implicit = document.get(TABLE).and_then(Item::as_table).is_some_and(Table::is_implicit);
    let table = document
        .entry(TABLE)
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or("`dependencies` is no table")?;
    match table.get_mut(module).and_then(Item::as_table_like_mut) {
        Some(there) => fill(there, path, version),
        None if implicit => {
            let mut fresh = Table::new();
            fill(&mut fresh, path, version);
            table.insert(module, Item::Table(fresh));
        }
        None => {
            let mut fresh = InlineTable::new();
            fill(&mut fresh, path, version);
            table.insert(module, Item::Value(Value::InlineTable(fresh)));
        }
    }
    Ok(document.to_string())
}

fn fill(table: &mut dyn TableLike, path: &str, version: Option<&str>) {
    let mut set = |key: &str, value: &str| {
        // An equal value keeps how it is written.
        if table.get(key).and_then(Item::as_str) != Some(value) {
            table.insert(key, toml_edit::value(value));
        }
    };
    set("path", path);
    match version {
        Some(version) => set("version", version),
        None => drop(table.remove("version")),
    }
}

/// The text without it. A table that is empty then goes, unless a comment stands at it.
pub(super) fn without(text: &str, module: &str) -> Result<String, String> {
    let spans = ImDocument::parse(text).map_err(|error| error.to_string())?;
    let entry = spans.get(TABLE).and_then(Item::as_table_like).and_then(|t| t.get_key_value(module));
    let Some((key, item)) = entry else { return Ok(text.to_owned()) };
    let in_line = spans.get(TABLE).is_some_and(Item::is_table) && item.is_value();
    let mut document = match (key.span(), item.span()) {
        // Only its own lines, so that comments above stay where they are.
        (Some(key), Some(item)) if in_line => {
            let start = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
            let end = text[item.end..].find('\n').map_or(text.len(), |at| item.end + at + 1);
            parse(&format!("{}{}", &text[..start], &text[end..]))?
        }
        _ => {
            let mut document = parse(text)?;
            if let Some(table) = document.get_mut(TABLE).and_then(Item::as_table_like_mut) {
                table.remove(module);
            }
            document
        }
    };
    let bare = document.get(TABLE).and_then(Item::as_table).is_some_and(|table| {
        let before = table.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or_default();
        let after = table.decor().suffix().and_then(|raw| raw.as_str()).unwrap_or_default();
        table.is_empty() && before.trim().is_empty() && after.trim().is_empty()
    });
    if bare {
        document.remove(TABLE);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "./.nickel-modules/up_prov";

    #[test]
    fn everything_else_stays_to_the_byte() {
        for text in [
            "",
            "# only a comment\n",
            "name = \"web\" # mine\nversion = '1.0.0'\n\n[other]\nx   =  [1,\n 2]\n",
            "[dependencies]\na_prov = { path = \"./a\" } # keep\n# the end\n",
            "# top\n[dependencies]\n\n# about a\na = \"1.0\"\n\n[after]\ny = 1\n",
            "dependencies.a = \"1.0\"\n[after]\ny = 1\n",
            "name = \"no newline at the end\"\n[dependencies.a]\npath = \"./a\"\n",
        ] {
            let with = with(text, "up_prov", PATH, Some("1.0.0")).unwrap();
            let all = list(&with).unwrap();
            assert!(
                all.contains(&Dependency { module: "up_prov".into(), path: Some(PATH.into()) }),
                "{with}"
            );
            for line in text.lines() {
                assert!(with.contains(line), "{line:?} is gone from {with:?}");
            }
            assert_eq!(super::with(&with, "up_prov", PATH, Some("1.0.0")).unwrap(), with, "twice is once");
            assert_eq!(without(&with, "up_prov").unwrap(), text);
        }
    }

    #[test]
    fn comments_and_fields_of_others_survive() {
        let text = "[dependencies]\n# why we need it\nup_prov = { path = \"./old\", note = \"mine\" } # x\n# about b\nb = \"1\"\n";
        let with = with(text, "up_prov", PATH, None).unwrap();
        assert!(with.contains("note = \"mine\"") && with.contains(PATH) && with.contains("# why"), "{with}");
        let left = without(&with, "up_prov").unwrap();
        assert_eq!(left, "[dependencies]\n# why we need it\n# about b\nb = \"1\"\n");
        assert_eq!(without("[dependencies.up_prov]\npath = \"./x\"\n", "up_prov").unwrap(), "");
        assert_eq!(
            without("# mine\n[dependencies]\nup_prov = 1\n", "up_prov").unwrap(),
            "# mine\n[dependencies]\n"
        );
        assert_eq!(
            without("dependencies = { up_prov = 1, b = 2 }\n", "up_prov").unwrap(),
            "dependencies = { b = 2 }\n"
        );
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        assert!(with("dependencies = 5\n", "up_prov", PATH, None).unwrap_err().contains("no table"));
        assert!(list("[[").is_err() && without("[[", "x").is_err());
    }
}
