//! Rules about the workspace itself: which package may depend on which.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod matrix;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// What each package may depend on inside the workspace. Anything not listed is refused, so a new edge is a
/// decision that shows in review.
const ALLOWED: &[(&str, &[&str])] = &[
    ("drp-protocol", &[]),
    ("drp-client", &["drp-protocol"]),
    ("drp-plugin-sdk", &["drp-protocol", "drp-client"]),
    ("drp-plugin-testkit", &["drp-protocol"]),
    ("drp-content", &["drp-protocol"]),
    ("drp-store", &[]),
    ("drp-template", &[]),
    ("drp-objects", &["drp-protocol", "drp-store", "drp-content", "drp-template"]),
    ("drp-host", &["drp-protocol"]),
    (
        "drp-server",
        &[
            "drp-protocol",
            "drp-objects",
            "drp-host",
            "drp-store",
            "drp-content",
            "drp-extensions",
            "drp-schemas",
            "drp-jinja",
        ],
    ),
    ("drp-cli", &["drp-protocol", "drp-client", "drp-content", "drp-extensions", "drp-schemas"]),
    (
        "drp",
        &[
            "drp-protocol",
            "drp-server",
            "drp-host",
            "drp-cli",
            "drp-client",
            "drp-store",
            "drp-content",
            "drp-extensions",
        ],
    ),
    ("drp-ipmi", &["drp-protocol"]),
    ("drp-tls", &[]),
    ("drp-redfish", &["drp-protocol", "drp-tls"]),
    ("drp-hmc", &["drp-protocol", "drp-tls"]),
    ("drp-bmc", &["drp-protocol", "drp-ipmi", "drp-redfish", "drp-hmc"]),
    ("drp-bmc-sim", &["drp-protocol", "drp-ipmi"]),
    ("drp-ssh", &["drp-protocol"]),
    ("drp-taskserv", &["drp-protocol", "drp-plugin-sdk", "drp-jinja", "drp-ssh"]),
    ("drp-vbox", &["drp-protocol", "drp-ssh"]),
    ("drp-schemas", &[]),
    ("drp-jinja", &[]),
    ("drp-mockcloud", &[]),
    ("drp-extensions", &["drp-protocol", "drp-schemas", "drp-content", "drp-jinja"]),
    ("drp-nickel", &["drp-schemas"]),
    ("drp-schema", &["drp-schemas"]),
    ("cluster", &["drp-plugin-sdk"]),
    ("echo", &["drp-plugin-sdk", "drp-content"]),
    ("incrementer", &["drp-plugin-sdk", "drp-content"]),
    ("slack", &["drp-plugin-sdk", "drp-content", "drp-tls"]),
    // Templates of extensions are filled in by the module that their commands use.
    ("nushell", &["drp-plugin-sdk", "drp-jinja"]),
    ("stress", &["drp-plugin-sdk", "drp-content"]),
    ("taskserv", &["drp-taskserv"]),
    ("ipmi", &["drp-plugin-sdk", "drp-content", "drp-bmc", "drp-ipmi"]),
    ("virtualbox-ipmi", &["drp-plugin-sdk", "drp-content", "drp-vbox"]),
    ("packet-ipmi", &["drp-plugin-sdk", "drp-content", "drp-tls"]),
    ("local-provider", &["drp-plugin-sdk"]),
];

/// Crates that do I/O; the protocol crate must stay free of them.
const IO_CRATES: &[&str] =
    &["tokio", "hyper", "axum", "reqwest", "nix", "libc", "rustls", "rusqlite", "tempfile"];

struct Package {
    normal: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let normal = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|d| d["kind"].as_str() != Some("dev"))
                .map(|d| d["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), Package { normal })
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, package) in &packages {
        if name == "drp-tests" {
            continue;
        }
        let Some(may) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name}: not in the table of tests/tests/workspace/main.rs"));
            continue;
        };
        for dependency in package.normal.iter().filter(|d| packages.contains_key(*d)) {
            if !may.contains(&dependency.as_str()) {
                wrong.push(format!("{name} -> {dependency}: not allowed by docs/architecture.md"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_depends_on_the_tests() {
    for (name, package) in packages() {
        assert!(!package.normal.contains("drp-tests"), "{name} depends on drp-tests");
    }
}

#[test]
fn the_protocol_does_no_io() {
    let packages = packages();
    for forbidden in IO_CRATES {
        assert!(!packages["drp-protocol"].normal.contains(*forbidden), "drp-protocol depends on {forbidden}");
    }
}

#[test]
fn the_top_level_is_fixed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in ["drp", "plugin-sdk", "plugins", "schemas", "content", "extensions", "tests", "docs"] {
        assert!(root.join(folder).is_dir(), "{folder} is missing");
    }
}
