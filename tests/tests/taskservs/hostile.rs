//! Values that would like to be more than values.

use crate::rig::Rig;
use crate::source::{archive, sha256};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_refused_or_stay_values() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    let mark = rig.machine.folder().join("mark");
    let touch = format!("touch {}", mark.display());
    for text in [
        format!("'; {touch}; '"),
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("x\n{touch}\n"),
        format!("x\nExecStartPre=/bin/sh -c \"{touch}\""),
        "../../../../tmp/x".to_owned(),
        "a\0b".to_owned(),
        "-rf".to_owned(),
        "é\u{202e}\u{7f}".to_owned(),
    ] {
        let mut refused = 0;
        for config in [
            json!({"name": text}),
            json!({"version": text}),
            json!({"service": {"unit": text}}),
            json!({"service": {"user": text}}),
            json!({"service": {"after": [text]}}),
            json!({"service": {"working_directory": text}}),
            json!({"install": {"binary_name": text, "binary_path": text}}),
            json!({"install": {"config_path": text}}),
            json!({"source": {"type": "url", "repository": text}}),
            json!({"source": {"type": text}}),
            json!({"health_check": {"type": "http", "endpoint": text}}),
            json!({"target": {"host": text}}),
            json!({"target": {"root": text}}),
            json!({text.clone(): 1}),
        ] {
            let (status, answer) = rig.act("site", "install", json!({"config": config})).await;
            assert!((400..=504).contains(&status), "{config}: {status} {answer}");
            refused += 1;
        }
        assert_eq!(refused, 14);
        let (status, _) = rig.act("site", "install", json!({"version": text})).await;
        assert_eq!(status, 400);
        if text.contains('\0') {
            continue;
        }
        // Where any text may stand, it arrives as it is.
        let script = "#!/bin/sh\nprintf '%s\\0' \"$1\" \"$VALUE\" > \"$2\"\nexec sleep 1000\n";
        let out = rig.machine.folder().join("out");
        let config = json!({"name": "echo", "source": {"type": "inline", "content": script}, "install": {"binary_name": "echo"},
            "service": {"exec": ["{binary}", text, out], "environment": {"VALUE": text}, "description": text}});
        rig.good("install", json!({"config": config})).await;
        let mut found = String::new();
        while found.matches('\0').count() < 2 {
            found = std::fs::read_to_string(&out).unwrap_or_default();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(found.split('\0').collect::<Vec<_>>(), [&text, &text, ""]);
        rig.good("uninstall", json!({"config": {"name": "echo"}})).await;
        std::fs::remove_file(&out).unwrap();
    }
    assert!(!mark.exists(), "something was executed");
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_do_not_lead_out() {
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({})).await else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(rig.machine.folder().join("secret"), "secret").unwrap();
    symlink(rig.machine.folder().join("secret"), dir.path().join("link")).unwrap();
    symlink(rig.machine.folder(), dir.path().join("folder")).unwrap();
    let content = archive(dir.path());
    rig.source.put("/a.tar.gz", content.clone());
    let config = |from: &str| {
        json!({"config": {"name": "out", "install": {"binary_name": "out", "files": [{"from": from}]},
            "source": {"type": "url", "repository": rig.source.url(""), "asset": "a.tar.gz", "checksums": {"a.tar.gz": sha256(&content)}},
            "service": {"exec": ["{binary}"]}}})
    };
    for (from, words) in [("link", "leads out"), ("folder/secret", "leads out"), ("none", "has no file")] {
        let said = rig.bad("install", config(from), 502).await;
        assert!(said.contains(words), "{from}: {said}");
    }
    assert_eq!(rig.machine.files(), Vec::<String>::new());
    // Nothing unverified.
    let mut bare = config("link");
    bare["config"]["source"]["checksums"] = json!({});
    let said = rig.bad("install", bare, 502).await;
    assert!(said.contains("nobody says which SHA-256"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_this_host_come_from_one_folder_only() {
    let files = tempfile::tempdir().unwrap();
    let script = b"#!/bin/sh\nexec sleep 1000\n";
    std::fs::write(files.path().join("own"), script).unwrap();
    symlink("/etc/passwd", files.path().join("link")).unwrap();
    let Some(rig) = Rig::ready("taskservs/systemd-service", json!({"files": files.path()})).await else {
        return;
    };
    let config = |asset: &str| {
        json!({"config": {"name": "own", "source": {"type": "file", "asset": asset}, "install": {"binary_name": "own"},
            "service": {"exec": ["{binary}"]}}})
    };
    for (asset, code) in [("../../etc/passwd", 400), ("/etc/passwd", 400), ("link", 409), ("none", 409)] {
        rig.bad("install", config(asset), code).await;
    }
    let done: Value = rig.good("install", config("own")).await;
    assert_eq!(done["status"], "running");
    assert_eq!(std::fs::read(rig.machine.at("usr/local/bin/own")).unwrap(), script);
}
