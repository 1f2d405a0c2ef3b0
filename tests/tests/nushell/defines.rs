//! What an extension offers, as Nushell tells it, and what is said when there is no telling.

use crate::rig::Extension;
use drp_plugin_testkit::check_define;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread")]
async fn define_is_golden() {
    let Some(extension) = Extension::new() else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nushell/golden.json");
    check_define(extension.launcher(), "no version", golden).await.unwrap();
}

#[test]
fn only_what_can_be_an_action_is_one() {
    let Some(extension) = Extension::new() else { return };
    let (code, out, error) = extension.run(&["define"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let definition: Value = serde_json::from_str(&out).unwrap();
    let actions: Vec<&str> = definition["AvailableActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["Command"].as_str().unwrap())
        .collect();
    assert!(
        actions.contains(&"echo-all")
            && actions.contains(&"two words")
            && actions.contains(&"from-another-file")
    );
    for not in ["helper", "odd", "strange;name", "mod"] {
        assert!(!actions.contains(&not), "{not}");
    }
    let text = definition["Documentation"].as_str().unwrap();
    assert!(text.contains("`strange;name`") && text.contains("`odd`"), "{text}");
    assert!(definition["AutoStart"].as_bool().unwrap());
    assert!(!extension.root().join("owned").exists() && !Path::new("owned").exists());
}

/// A stand-in for a `nu` that is not as it should be.
fn fake(extension: &Extension, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = extension.folder.path().join("nu");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_nushell_that_will_not_do_is_named() {
    let Some(mut extension) = Extension::new() else { return };
    let says = |extension: &Extension| {
        let (code, out, error) = extension.run(&["define"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
        error
    };
    let good = extension.record.nu.clone();
    for (script, text) in [
        ("echo 0.90.1", "Nushell 0.90.1 at "),
        ("echo hello", "is no working Nushell: asked for its version, it says \"hello\""),
        ("echo broken >&2; exit 4", "it says \"broken\" (it ended with code 4)"),
        ("sleep 1000", "--version took longer than 8 s"),
    ] {
        extension.record.nu = Some(fake(&extension, script));
        let error = says(&extension);
        assert!(error.contains(text), "{script}: {error}");
    }
    assert!(says(&extension).contains("took longer"), "the hung one was ended");
    extension.record.nu = Some(extension.folder.path().join("not there"));
    assert!(says(&extension).contains("there is no Nushell at "));
    extension.record.nu = good;
    extension.record.nushell = Some(">=99.0.0".to_owned());
    let error = says(&extension);
    assert!(error.contains("will not do") && error.contains(">=99.0.0"), "{error}");
    extension.record.nu = None;
    extension.record.nushell = None;
    let output = std::process::Command::new(drp_tests::daemon::binary("nushell"))
        .arg("--extension")
        .arg(extension.record())
        .arg("define")
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("`nu` is not on PATH (/nowhere)"), "{error}");
}

#[test]
fn a_module_that_does_not_load_is_told_with_its_place() {
    let Some(extension) = Extension::empty() else { return };
    let says = || {
        let (code, out, error) = extension.run(&["define"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
        error
    };
    assert!(says().contains("nothing to host"));
    std::fs::create_dir_all(extension.root().join("nulib")).unwrap();
    let link = extension.root().join("nulib/mod.nu");
    std::fs::write(extension.folder.path().join("elsewhere.nu"), "export def elsewhere [] { 1 }\n").unwrap();
    std::os::unix::fs::symlink(extension.folder.path().join("elsewhere.nu"), &link).unwrap();
    assert!(says().contains("not in the extension's folder"));
    std::fs::remove_file(link).unwrap();
    extension.write("nulib/mod.nu", "export use create.nu *\n");
    extension.write("nulib/create.nu", "export def a [] {\n  let x =\n}\n");
    let error = says();
    assert!(error.contains("nulib/create.nu:2:"), "{error}");
    extension.write("nulib/mod.nu", "export use absent.nu *\n");
    let error = says();
    assert!(error.contains("nulib/mod.nu:1:12"), "{error}");
    extension.write("nulib/mod.nu", "export-env { error make {msg: \"not today\"} }\n");
    assert!(says().contains("not today"));
    extension.write("nulib/mod.nu", "export-env { loop { sleep 1sec } }\n");
    assert!(says().contains("took longer than 15 s"));
    // Credentials are not in reach of what runs then.
    extension
        .write("nulib/mod.nu", "export-env { if ($env.RS_TOKEN? != null) { error make {msg: leaked} } }\n");
    let (code, _, error) = extension.run(&["define"]);
    assert_eq!(code, Some(0), "{error}");
}
