//! Manifests of extensions, names and versions (extensions §1, §4).

use drp_extensions::manifest::{EXTENSION_YAML, METADATA_TOML, Manifest};
use drp_extensions::{LONGEST_NAME, Name, VersionRange, parse_version};
use serde_json::json;

/// A `metadata.toml` or `extension.yaml`, whose first line may also be a name, a version or a range.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for file in [METADATA_TOML, EXTENSION_YAML] {
        match Manifest::unchecked(file, text) {
            Ok(manifest) => good(&manifest),
            Err(problems) => {
                assert!(!problems.is_empty());
                let lines = text.lines().count().max(1);
                for problem in problems {
                    assert!(problem.path == file && !problem.message.is_empty(), "{problem:?}");
                    assert!(problem.line.is_some_and(|line| line >= 1 && line <= lines), "{problem:?}");
                }
            }
        }
    }
    let line = text.lines().next().unwrap_or_default();
    if let Ok(name) = line.parse::<Name>() {
        harmless(&name);
    }
    if let Ok(version) = parse_version(line) {
        assert_eq!(parse_version(&version.to_string()).expect("it was one"), version);
        let same: VersionRange = format!("={version}").parse().expect("a version is a range");
        assert!(same.allows(&version), "{same} and {version}");
    }
    if let Ok(range) = line.parse::<VersionRange>() {
        assert_eq!(range.to_string().parse::<VersionRange>().expect("it was one"), range);
    }
}

/// What becomes part of paths, of names of params and of scripts can do no harm there.
fn harmless(name: &Name) {
    let text = name.as_str();
    assert!(text.len() <= LONGEST_NAME && text.starts_with(|c: char| c.is_ascii_lowercase()));
    assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'));
    assert_eq!(name.nickel_name().parse::<Name>().expect("it is the same name"), *name);
}

fn good(manifest: &Manifest) {
    harmless(&manifest.extension.name);
    let dependencies = &manifest.dependencies;
    for list in [&dependencies.requires, &dependencies.optional, &dependencies.conflicts] {
        list.keys().for_each(harmless);
    }
    let again: Manifest = serde_json::from_value(json!(manifest)).expect("what is written is read again");
    assert_eq!(again, *manifest);
}
