//! `drp schema` as people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_tests::daemon::binary;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn schema(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary("drp"))
        .arg("schema")
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MANIFEST: &str =
    "[extension]\nname = \"web\"\ntype = \"taskserv\"\nversion = \"1.0.0\"\ndescription = \"d\"\n";

#[test]
fn a_manifest_is_known_by_its_name_and_the_wrong_line_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.toml");
    std::fs::write(&file, MANIFEST).unwrap();
    let good = schema(folder.path(), &["check", "metadata.toml"], "");
    assert!(good.status.success() && out(&good).ends_with("metadata.toml: passes\n"), "{}", err(&good));
    std::fs::write(&file, MANIFEST.replace("1.0.0", "one")).unwrap();
    let bad = schema(folder.path(), &["check", "metadata.toml"], "");
    assert_eq!(bad.status.code(), Some(4));
    assert!(
        err(&bad).contains("metadata.toml:4:11: contract broken by the value of `version`"),
        "{}",
        err(&bad)
    );
    let bad = schema(folder.path(), &["check", "metadata.toml", "--format", "json"], "");
    let reports: Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!(reports[0]["valid"], false);
    assert_eq!(reports[0]["errors"][0]["place"]["line"], 4);
    assert!(reports[0]["errors"][0]["contract"]["file"].as_str().unwrap().ends_with("drp/extension.ncl"));
}

#[test]
fn documents_are_exported_with_defaults_and_kinds_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = schema(
        folder.path(),
        &["export", "-", "--contract", "(import \"drp/server.ncl\").ServerConfig", "--format", "yaml"],
        "{ hostname = \"a\", plan = \"p\", zone = \"z\" }",
    );
    assert!(out(&yaml).contains("os: ubuntu-22.04"), "{} {}", out(&yaml), err(&yaml));
    let field = schema(folder.path(), &["export", "-", "--field", "a.b"], "{ a.b = 1 + 1, c = 3 }");
    assert_eq!(out(&field), "2\n");
    assert!(out(&schema(folder.path(), &["types"], "")).contains("firewall-rule"));
    let types = schema(folder.path(), &["types", "server"], "");
    assert!(out(&types).contains("Name of the server."), "{} {}", out(&types), err(&types));
}

#[test]
fn own_contracts_beside_a_document_are_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("mine.ncl"),
        "{ Web = { port | Number, host | String | default = \"h\" } }",
    )
    .unwrap();
    std::fs::write(folder.path().join("web.yaml"), "port: 80\n").unwrap();
    let contract = ["--contract", "(import \"mine.ncl\").Web"];
    let good = schema(folder.path(), &["export", "web.yaml", contract[0], contract[1]], "");
    assert!(out(&good).contains("\"host\": \"h\""), "{} {}", out(&good), err(&good));
}

#[test]
fn a_runaway_document_and_wrong_command_lines_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let looping = "let rec f = fun n => if n == 0 then f 1 else f 0 in f 0";
    let stopped = schema(folder.path(), &["export", "-", "--timeout", "3"], looping);
    assert!([Some(8), Some(4)].contains(&stopped.status.code()), "{:?} {}", stopped.status, err(&stopped));
    assert_eq!(schema(folder.path(), &["check", "absent.ncl"], "").status.code(), Some(3));
    std::fs::write(folder.path().join("web.yaml"), "hostname: web-1\n").unwrap();
    let unknown = schema(folder.path(), &["check", "web.yaml"], "");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("--kind (one of manifest,"), "{}", err(&unknown));
    let types = schema(folder.path(), &["check", "-"], "{ a : Number = \"x\" }");
    assert_eq!(types.status.code(), Some(4), "{}", err(&types));
    assert!(out(&schema(folder.path(), &["check", "-"], "{ a = 1 }")).contains("its types are right"));
    assert_eq!(schema(folder.path(), &["check", "-", "--kind", "nothing"], "").status.code(), Some(2));
    let wrong = schema(folder.path(), &["export", "-"], "{ a = ");
    assert_eq!(wrong.status.code(), Some(4));
    assert!(err(&wrong).contains("standard-input.ncl:1:"), "{}", err(&wrong));
}
