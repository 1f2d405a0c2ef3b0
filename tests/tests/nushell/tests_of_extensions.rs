//! `nushell --extension RECORD test`: the tests that an extension brings.

use crate::rig::Extension;
use serde_json::Value;

const UNIT: &str = r#"use std/assert
use std/testing *
use drp
use ../nulib/mod.nu *

@before-each
def prepare [] { {greeting: "hi"} }

@test
def "context is given" [] { assert equal $in.greeting "hi" }

def test_echo [] {
    assert equal (echo-all {a: 1} --check).check true
    assert equal (drp settings | get api.base_url) "http://localhost"
}

def test_wrong [] {
    assert equal 1 2
}

@ignore
def later [] { error make {msg: "never run"} }

@test
def "odd; touch owned" [] { }
def no-test [] { error make {msg: "never run"} }
def main [] { error make {msg: "never run"} }
"#;

fn outcomes(extension: &Extension, words: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, out, error) = extension.run(&[&["test", "--json"], words].concat());
    assert_eq!(error, "");
    (code, out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn each_test_is_told_on_a_line() {
    let Some(extension) = Extension::new() else { return };
    assert_eq!(outcomes(&extension, &[]), (Some(0), Vec::new()), "no tests are no failure");
    extension.write("tests/unit.nu", UNIT);
    extension.write("tests/hangs.nu", "def test_hangs [] { sleep 1000sec }\ndef test_leaves [] { exit 3 }\n");
    extension.write("tests/wrong.nu", "def test_x [] {\n  let x =\n}\n");
    extension.write("tests/run_all_tests.nu", "error make {msg: \"never run\"}\n");
    let (code, told) = outcomes(&extension, &["--timeout", "10"]);
    assert_eq!(code, Some(1));
    let told: Vec<_> = told
        .iter()
        .map(|test| {
            let text = |field: &str| test[field].as_str().unwrap();
            assert!(test["ms"].is_u64());
            (
                text("file"),
                text("name"),
                test["ok"].as_bool().unwrap(),
                test["line"].as_u64(),
                text("message"),
            )
        })
        .collect();
    let shown: Vec<_> = told.iter().map(|(file, name, ok, line, _)| (*file, *name, *ok, *line)).collect();
    assert_eq!(
        shown,
        [
            ("tests/hangs.nu", "test_hangs", false, None),
            ("tests/hangs.nu", "test_leaves", false, None),
            ("tests/unit.nu", "context is given", true, None),
            ("tests/unit.nu", "later", true, None),
            ("tests/unit.nu", "odd; touch owned", false, None),
            ("tests/unit.nu", "test_echo", true, None),
            ("tests/unit.nu", "test_wrong", false, Some(18)),
            ("tests/wrong.nu", "", false, Some(2)),
        ],
        "{told:#?}"
    );
    assert_eq!(told[0].4, "test_hangs took longer than 10 s, so it was ended");
    assert!(told[1].4.contains("code 3"), "{}", told[1].4);
    assert!(told[4].4.contains("cannot be called"), "{}", told[4].4);
    assert!(told[6].4.contains("not equal."), "{}", told[6].4);
    assert!(!extension.root().join("owned").exists());

    let (code, told) = outcomes(&extension, &["--only", "test_echo"]);
    let names: Vec<_> = told.iter().filter(|test| test["name"] != "").map(|test| &test["name"]).collect();
    assert_eq!(names, ["test_echo"]);
    assert_eq!(code, Some(1), "a file that does not load is a failure whatever is asked for");
    let (code, out, _) = extension.run(&["test", "--only", "test_wrong"]);
    assert!(code == Some(1) && out.contains("FAIL  tests/unit.nu:18 test_wrong: "), "{out}");
    let (code, _, error) = extension.run(&["test", "--dance"]);
    assert!(code == Some(2) && error.contains("--dance"), "{error}");
}
