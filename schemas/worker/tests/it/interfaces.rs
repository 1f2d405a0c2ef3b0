//! `docs/extensions/interfaces.md` is written from the table of operations and the contracts of their results.
//! `DRP_BLESS=1` writes it anew.

use crate::evaluator;
use drp_protocol::ExtensionType;
use drp_protocol::extension_operations::{Input, InputType, Operation, Output, operations};
use drp_schemas::{Document, Field};
use std::collections::BTreeSet;
use std::fmt::Write;

const BEGIN: &str = r"# Interfaces of extensions

What providers, task services and clusters offer. Written from the table in `plugin-sdk/protocol/src/extension_operations.rs`
and the contracts in `schemas/contracts/drp/results.ncl`; `DRP_BLESS=1 cargo test -p drp-nickel --test it interfaces` writes it anew.

A registered extension is a plugin named `<name>-<type>`, and its operations are actions on the plugin object itself:

```sh
drp plugins runaction my-provider-provider create-server '{config: {hostname: web-1, plan: 1xCPU-1GB, zone: z1}, check: true}'
drp server create web-1 --provider my-provider --plan 1xCPU-1GB --zone z1 --check       # the same
```

Inputs are the params of the action, under the same names. Operations marked *check* take `check`: nothing is done, no
credentials are needed, and the record says what would be. Those marked *wait* take `wait`: they answer when the thing is ready rather than
when it has begun. An operation that fails answers an error, not a record. `drp server`, `drp taskserv` and `drp cluster` call them by
their names of every day.
";

/// The words of the command line that call an operation.
fn command(kind: ExtensionType, operation: &str) -> Option<String> {
    let verb = match (kind, operation) {
        (ExtensionType::Provider, "create-server") => "create",
        (ExtensionType::Provider, "delete-server") => "delete",
        (ExtensionType::Provider, "list-servers") => "list",
        (ExtensionType::Provider, "get-server-info") => "info",
        (ExtensionType::Provider, "start-server") => "start",
        (ExtensionType::Provider, "stop-server") => "stop",
        (ExtensionType::Provider, "reboot-server") => "reboot",
        (ExtensionType::Provider, "get-plans") => "plans",
        (ExtensionType::Provider, "get-pricing") => "pricing",
        (ExtensionType::Provider, "get-zones") => "zones",
        (ExtensionType::Provider, "get-ssh-access") => "ssh",
        (ExtensionType::Taskserv, "get-available-versions") => "versions",
        (ExtensionType::Cluster, "list-components") => "components",
        (
            ExtensionType::Taskserv,
            "install" | "uninstall" | "configure" | "status" | "restart" | "upgrade" | "check-updates",
        )
        | (
            ExtensionType::Cluster,
            "create" | "delete" | "status" | "scale" | "upgrade" | "restart-component",
        ) => operation,
        _ => return None,
    };
    let noun = if kind == ExtensionType::Provider { "server" } else { kind.name() };
    Some(format!("`drp {noun} {verb}`"))
}

fn input(input: &Input) -> String {
    let kind = match input.r#type {
        InputType::Record => "record",
        InputType::String => "string",
        InputType::Int => "int",
        InputType::List => "list",
        InputType::Switch => "switch",
    };
    let maybe = if input.required { "" } else { "?" };
    format!("`{}{maybe}`: {kind}", input.name)
}

fn marks(operation: &Operation) -> String {
    let marks = [(operation.check, "check"), (operation.wait, "wait"), (operation.reads, "reads")];
    marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect::<Vec<_>>().join(", ")
}

fn answer(operation: &Operation) -> String {
    let link = |name: &str| format!("[{name}](#{})", name.to_lowercase());
    let mut text = match operation.output {
        Output::Nothing => "nothing".to_owned(),
        _ => link(operation.result),
    };
    if let Some(check) = operation.check_result {
        let _ = write!(text, "; checked: {}", link(check));
    }
    text
}

fn table(out: &mut String, kind: ExtensionType) {
    let title = match kind {
        ExtensionType::Provider => "Provider",
        ExtensionType::Taskserv => "Task service",
        ExtensionType::Cluster => "Cluster",
    };
    let _ = writeln!(
        out,
        "\n## {title}\n\n| Operation | Inputs | Answers | Marks | Command line |\n|---|---|---|---|---|"
    );
    for operation in operations(kind) {
        let inputs: Vec<String> = operation.inputs.iter().map(input).collect();
        let optional = if operation.required { "" } else { " (optional)" };
        let _ = writeln!(
            out,
            "| `{}`{optional} | {} | {} | {} | {} |",
            operation.name,
            inputs.join(", "),
            answer(operation),
            marks(operation),
            command(kind, operation.name).unwrap_or_default()
        );
    }
}

fn records(out: &mut String, fields: &[Field]) {
    let _ = writeln!(
        out,
        "\n## Results\n\nRecords may hold more than is named here. What has a default may be left out."
    );
    for contract in fields.iter().filter(|field| !field.name.contains('.')) {
        let _ = writeln!(out, "\n### {}\n", contract.name);
        if let Some(doc) = &contract.doc {
            let _ = writeln!(out, "{doc}");
        }
        let gap = if contract.doc.is_some() { "\n" } else { "" };
        parts(out, fields, &contract.name, gap);
    }
}

/// The table of a contract's fields, behind `gap`; nothing when it has none.
pub fn parts(out: &mut String, fields: &[Field], contract: &str, gap: &str) {
    let cell = |text: &str| text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
    let prefix = format!("{contract}.");
    let parts: Vec<&Field> = fields
        .iter()
        .filter(|field| field.name.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('.')))
        .collect();
    if parts.is_empty() {
        return;
    }
    let _ = writeln!(out, "{gap}| Field | Type | Default | What |\n|---|---|---|---|");
    for field in parts {
        let default = match (&field.default, field.optional) {
            (Some(default), _) => format!("`{}`", cell(default)),
            (None, true) => "may be absent".into(),
            (None, false) => String::new(),
        };
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {default} | {} |",
            &field.name[prefix.len()..],
            cell(&field.contracts.join(" ")),
            cell(field.doc.as_deref().unwrap_or_default())
        );
    }
}

#[tokio::test]
async fn the_page_says_what_the_tables_say() {
    let (evaluator, folder) = evaluator(|_| {});
    let document = Document::file(folder.path().join("drp/results.ncl"));
    let fields = evaluator.describe(&document).await.unwrap();
    let mut page = BEGIN.to_owned();
    ExtensionType::ALL.into_iter().for_each(|kind| table(&mut page, kind));
    records(&mut page, &fields);
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/extensions/interfaces.md");
    if std::env::var_os("DRP_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "{} is not what the tables say; DRP_BLESS=1 writes it", file.display());
}

#[tokio::test]
async fn every_operation_has_a_contract_for_what_it_answers() {
    let (evaluator, folder) = evaluator(|_| {});
    let document = Document::file(folder.path().join("drp/results.ncl"));
    let fields = evaluator.describe(&document).await.unwrap();
    let known: BTreeSet<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let documents = include_str!("../documents/results.txt");
    for operation in ExtensionType::ALL.into_iter().flat_map(operations) {
        for name in [Some(operation.result), operation.check_result].into_iter().flatten() {
            assert!(known.contains(name), "{}: {name}", operation.name);
            let cases = documents.split("contract ").find(|part| part.contains(&format!(").{name}\n")));
            assert!(
                cases.is_some_and(|text| text.contains("=== good") && text.contains("=== bad")),
                "no documents for {name}"
            );
        }
        assert_eq!(operation.check, operation.check_result.is_some(), "{}", operation.name);
        assert!(operation.output != Output::Nothing || operation.result == "Done", "{}", operation.name);
    }
}
