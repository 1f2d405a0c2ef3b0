//! Text from strangers: nothing panics, nothing explodes, and what is read is written back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_content::{Format, needs, parse, read_dir, to_json, to_yaml, write_dir};
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

#[test]
fn keys_are_there_once() {
    for text in [
        r#"{"meta": {"Name": "a", "Name": "b"}}"#,
        r#"{"sections": {"params": {"a/b": {}, "a/b": {}}}}"#,
        r#"{"sections": {"params": {"a/b": {"Name": "a/b", "name": "a/b"}}}}"#,
        "sections: {params: {a/b: {}, a/b: {}}}",
        "sections:\n  params:\n    a/b: {}\n    a/b: {}\n",
    ] {
        assert!(parse("twice", text).is_err(), "{text}");
    }
}

#[test]
fn merges_of_merges_end() {
    let mut text = "a0: &a0 {x0: 1}\n".to_owned();
    for level in 1..200 {
        text += &format!("a{level}: &a{level} {{<<: [*a{0}, *a{0}, *a{0}], x{level}: 1}}\n", level - 1);
    }
    let _ = parse("merges.yaml", &text);
}

#[test]
fn huge_bundles_are_read() {
    let object = |i: usize| format!("\"big/p{i}\": {{\"Schema\": {{\"type\": \"string\"}}}}");
    let params: Vec<String> = (0..3000).map(object).collect();
    let text = format!(
        "{{\"meta\": {{\"Name\": \"big\"}}, \"sections\": {{\"params\": {{{}}}}}}}",
        params.join(",")
    );
    let bundle = parse("big.json", &text).unwrap();
    assert_eq!(bundle.sections["params"].len(), 3000);
    let dir = tempfile::tempdir().unwrap();
    write_dir(&bundle, dir.path(), Format::Json).unwrap();
    assert_eq!(read_dir(dir.path()).unwrap(), bundle);
}

#[test]
fn odd_directories_are_refused_or_read_but_never_left() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &[u8], text: &[u8]| {
        let path = dir.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    put(b"params/%2E.%2F..%2Fetc.yaml", b"Schema: {}\n");
    let bundle = read_dir(dir.path()).unwrap();
    assert!(bundle.sections["params"].contains_key("../../etc"));
    let out = tempfile::tempdir().unwrap();
    write_dir(&bundle, &out.path().join("in"), Format::Yaml).unwrap();
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1, "nothing is written elsewhere");
    for (name, text) in [
        (&b"params/\xff.yaml"[..], &b"{}"[..]),
        (b"params/%zz.yaml", b"Description: x"),
        (b"params/a.yaml", b"\xff\xfe"),
        (b"params/b.yaml", b"[1, 2]"),
        (b"params/c.json", b"{\"Name\": "),
        (b"._Nonsense.meta", b"x"),
        (b"._Writable.meta", b"perhaps"),
    ] {
        let path = put(name, text);
        let error = read_dir(dir.path()).unwrap_err().to_string();
        assert!(!error.is_empty(), "{path:?}");
        std::fs::remove_file(path).unwrap();
    }
    // A link to itself is an error, and no endless way.
    std::os::unix::fs::symlink("loop.yaml", dir.path().join("params/loop.yaml")).unwrap();
    assert!(read_dir(dir.path()).is_err());
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
    fn no_list_of_needs_panics(list in "[a-c:, <>=!|.x0-9v-]{0,30}", version in "[v0-9.x-]{0,12}") {
        for need in needs(&list).unwrap_or_default() {
            let _ = need.is_met_by(&version);
            prop_assert_eq!(&needs(&need.to_string()).unwrap()[0], &need);
        }
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
