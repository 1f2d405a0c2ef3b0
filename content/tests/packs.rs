//! The packs that ship: in the exact directory form, documented, and with every reference in place.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_content::{Bundle, Format, document, read_dir, write_dir};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn packs() -> Vec<(PathBuf, Bundle)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
    let packs: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!packs.is_empty());
    packs.into_iter().map(|dir| (dir.clone(), read_dir(&dir).unwrap())).collect()
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.insert(path);
        }
    }
    out
}

#[test]
fn packs_have_the_exact_form() {
    for (dir, bundle) in packs() {
        let copy = tempfile::tempdir().unwrap();
        write_dir(&bundle, copy.path(), Format::Yaml).unwrap();
        let names = |dir: &Path| -> BTreeSet<PathBuf> {
            files(dir).iter().map(|p| p.strip_prefix(dir).unwrap().to_owned()).collect()
        };
        let mut written = names(copy.path());
        // What follows from the name need not be there.
        written.remove(Path::new("._Type.meta"));
        assert_eq!(names(&dir), written, "{}", dir.display());
        assert_eq!(bundle.meta.name, dir.file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn packs_are_documented() {
    for (dir, bundle) in packs() {
        let meta = &bundle.meta;
        for text in [&meta.description, &meta.documentation, &meta.license, &meta.author, &meta.display_name]
        {
            assert!(!text.trim().is_empty(), "{}", dir.display());
        }
        let page = document(&bundle);
        for (prefix, objects) in &bundle.sections {
            for (key, object) in objects {
                let description = object.get("Description").and_then(Value::as_str).unwrap_or_default();
                assert!(!description.is_empty(), "{prefix}:{key} has no Description");
                assert!(
                    page.contains(&format!("### {key}\n")) && page.contains(description),
                    "{prefix}:{key}"
                );
            }
        }
        for (key, param) in bundle.sections.get("params").into_iter().flatten() {
            assert!(param["Schema"]["type"].is_string(), "{key} takes anything");
        }
    }
}

#[test]
fn references_are_in_the_pack() {
    for (_, bundle) in packs() {
        let has = |prefix: &str, key: &str| bundle.sections.get(prefix).is_some_and(|s| s.contains_key(key));
        let mut seen = 0;
        for (by, field, prefix) in [
            ("workflows", "Stages", "stages"),
            ("stages", "Profiles", "profiles"),
            ("stages", "Tasks", "tasks"),
        ] {
            for (key, object) in bundle.sections.get(by).into_iter().flatten() {
                for name in object.get(field).and_then(Value::as_array).into_iter().flatten() {
                    let name = name.as_str().unwrap();
                    seen += 1;
                    assert!(name.starts_with("action:") || has(prefix, name), "{by}:{key} names {name}");
                }
            }
        }
        assert!(seen > 0);
    }
}
