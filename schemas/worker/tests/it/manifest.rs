//! `docs/reference/manifest.md` is written from the contracts of manifests. `DRP_BLESS=1` writes it anew.

use crate::evaluator;
use crate::interfaces::parts;
use drp_schemas::{CONTRACTS, Document, Field};
use std::fmt::Write;

const BEGIN: &str = r#"# Manifests of extensions

What stands in `metadata.toml`, `extension.yaml` and `manifest.toml`. Written from the contracts in
`schemas/contracts/drp/extension.ncl`; `DRP_BLESS=1 cargo test -p drp-nickel --test it manifest` writes it anew.

`metadata.toml` is the manifest of an extension. `extension.yaml` is accepted in its place, or beside it when both say the same.
`drp ext validate FOLDER` checks them, and `drp schema check metadata.toml` one alone. The smallest one:

```toml
[extension]
name = "my-provider"
type = "provider"
version = "1.0.0"
description = "Servers of my cloud"
```

A field that has a default, or may be absent, can be left out. A field that is not listed is an error, and so is a table.
"#;

const DEPENDENCIES: &str = r#"
```toml
[dependencies]
containerd = "^1.7.0"          # required
[dependencies.optional]
cilium = "*"                   # used when it is there, then of such a version
[dependencies.conflicts]
docker = "<20.0.0"             # not together with these
```

An entry of the table itself is a required one, as one in `[dependencies.requires]` is.
"#;

const RANGES: &str = r#"
## Ranges of versions

| Written | Means |
|---|---|
| `1.2.3` | that version |
| `^1.2.0` | 1.2.0 or later, before 2.0.0 |
| `~1.2.0` | 1.2.0 or later, before 1.3.0 |
| `1.2.0-1.5.0` | from 1.2.0 to 1.5.0, both included; never a pre-release of 1.2.0 |
| `>=1.0.0, <2.0.0` | all of these comparators |
| `*`, `latest` | the highest release |

A leading `v` is accepted and dropped. A pre-release will do only when the range names one of the same version, or when there is nothing else.
`provisioning_version` is held against the version of the extension interface (3.0.0), not against that of drp.
"#;

fn title(out: &mut String, level: &str, name: &str, doc: Option<&str>) {
    let _ = writeln!(out, "\n{level} {name}");
    if let Some(doc) = doc {
        let _ = writeln!(out, "\n{doc}");
    }
}

/// The tables of a file, each a contract of its own.
fn tables(out: &mut String, fields: &[Field], file: &str) {
    let own = |field: &&Field| {
        field
            .name
            .strip_prefix(file)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|rest| !rest.contains('.'))
    };
    for field in fields.iter().filter(own) {
        let name = &field.name[file.len() + 1..];
        title(out, "###", &format!("`{name}`"), field.doc.as_deref());
        let contract = field.contracts.first().map(String::as_str).unwrap_or_default();
        parts(out, fields, contract, "\n");
        // A table whose names are the author's own: `{ _ : Operation }`.
        if let Some(entry) = contract.strip_prefix("{ _ : ").or(contract.strip_prefix("{_ : ")) {
            let entry = entry.trim_end_matches('}').trim();
            let _ = writeln!(out, "\nEntries: `{entry}`, under names of your own.");
            parts(out, fields, entry, "\n");
        }
        if name == "dependencies" && file == "Manifest" {
            out.push_str(DEPENDENCIES);
        }
    }
}

#[tokio::test]
async fn the_page_says_what_the_contracts_say() {
    let (evaluator, folder) = evaluator(|_| {});
    let describe =
        async |file: &str| evaluator.describe(&Document::file(folder.path().join(file))).await.unwrap();
    let fields = describe("drp/extension.ncl").await;
    let mut page = BEGIN.to_owned();
    for (file, name) in
        [("Manifest", "metadata.toml"), ("ExtensionYaml", "extension.yaml"), ("Module", "manifest.toml")]
    {
        let doc = if file == "Module" {
            Some(
                "The manifest of the Nickel module, for those who import its schemas. It may lie in `schemas/` or `nickel/` too.",
            )
        } else {
            None
        };
        title(&mut page, "##", &format!("`{name}`"), doc);
        if file == "Module" {
            parts(&mut page, &fields, file, "\n");
        } else {
            tables(&mut page, &fields, file);
        }
    }
    page.push_str(RANGES);
    let types = describe("drp/types.ncl").await;
    let _ = writeln!(page, "\n## Types\n\n| Type | What |\n|---|---|");
    for one in types.iter().filter(|one| page.contains(&format!("t.{}", one.name))).collect::<Vec<_>>() {
        let _ = writeln!(page, "| `t.{}` | {} |", one.name, one.doc.as_deref().unwrap_or_default());
    }
    let _ = writeln!(page, "\n## All contracts\n\n| Import | What is in it |\n|---|---|");
    for contract in CONTRACTS {
        let _ = writeln!(page, "| `{}` | {} |", contract.name, contract.summary);
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/manifest.md");
    if std::env::var_os("DRP_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "{} is not what the contracts say; DRP_BLESS=1 writes it", file.display());
}
