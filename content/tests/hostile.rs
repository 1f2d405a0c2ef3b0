//! Text from strangers: nothing panics, nothing explodes, and what is read is written back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_content::{Format, parse, read_dir, to_json, to_yaml, write_dir};
use proptest::prelude::*;

#[test]
fn aliases_cannot_explode() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let list = [before.as_str(); 9].join(", ");
        text += &format!("a{level}: &a{level} [{list}]\n");
    }
    assert!(parse("bomb.yaml", &text).is_err());
}

#[test]
fn depth_has_a_bound() {
    for deep in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        "a: ".repeat(10_000),
        "- ".repeat(4000),
        "a: ".to_owned() + &"[".repeat(100_000),
        "a: ".to_owned() + &"[\"]\", ".repeat(100_000),
        "[ # ]\n".repeat(100_000),
        "{']': ".repeat(100_000),
    ] {
        assert!(parse("deep", &deep).is_err());
    }
}

/// Text made of what YAML and bundles are made of.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("meta"),
        Just("sections"),
        Just("params"),
        Just("Name"),
        Just("name"),
        Just("a/b"),
        Just(": "),
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just("- "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("\""),
        Just("&x "),
        Just("*x"),
        Just("<<"),
        Just("1"),
        Just("true"),
        Just("null"),
        Just("!t "),
        Just("| "),
        Just(","),
        Just("é"),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn key() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/ %+._é-]{1,12}"
}

/// Bundles with any keys, whose objects are params, profiles and free objects.
fn bundles() -> impl Strategy<Value = String> {
    let objects = proptest::collection::btree_map(key(), ".{0,12}", 0..5);
    let prefix = prop_oneof![Just("params"), Just("profiles"), Just("templates"), Just("cows")];
    let sections = proptest::collection::btree_map(prefix, objects, 0..4);
    (".{0,12}", sections).prop_map(|(description, sections)| {
        let object = |text: &String| serde_json::json!({ "Description": text });
        let sections: serde_json::Map<_, _> = sections
            .into_iter()
            .map(|(prefix, objects)| {
                let objects: serde_json::Map<_, _> =
                    objects.iter().map(|(k, t)| (k.clone(), object(t))).collect();
                (prefix.to_owned(), objects.into())
            })
            .collect();
        serde_json::json!({ "meta": { "Description": description }, "sections": sections }).to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in text()) {
        let _ = parse("x.yaml", &text);
    }

    #[test]
    fn what_is_read_is_written_back(text in bundles()) {
        let mut bundle = parse("x.json", &text).unwrap();
        prop_assert_eq!(&parse("x", &to_json(&bundle).unwrap()).unwrap(), &bundle);
        prop_assert_eq!(&parse("x", &to_yaml(&bundle).unwrap()).unwrap(), &bundle);
        // A directory cannot tell an empty section from none.
        bundle.sections.retain(|_, objects| !objects.is_empty());
        let dir = tempfile::tempdir().unwrap();
        write_dir(&bundle, dir.path(), Format::Yaml).unwrap();
        prop_assert_eq!(&read_dir(dir.path()).unwrap(), &bundle);
    }
}
