//! Content from files and directories, and the page that tells about it.

use crate::run::Drp;
use drp_tests::daemon::{Daemon, binary};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("content/packs")
}

/// The commands of `docs/content.md`, each block on its own so that a failure says where it is.
#[test]
fn every_command_of_the_page_runs() {
    let page = std::fs::read_to_string(packs().join("../../docs/content.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(blocks.len() >= 9, "{}", blocks.len());
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let mut out = String::new();
    for block in blocks {
        let ran = Command::new("sh")
            .args(["-e", "-u", "-c", block])
            .current_dir(dir.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", binary("drp").parent().unwrap().display()))
            .env("DRP_BASE_ROOT", daemon.base())
            .env("PACKS", packs())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{block}\n{err}");
        assert!(!err.contains("warning"), "{block}\n{err}");
        out += &String::from_utf8_lossy(&ran.stdout);
    }
    for said in [
        "BackingStore",
        "\"Bundle\": \"house\"",
        "\n80\n",
        "\"Payload\"",
        "\"1234\"",
        "\"Bundle\": \"rooms\"",
    ] {
        assert!(out.contains(said), "{said} is not in\n{out}");
    }
    for page in ["lamps.md", "drp-basics.md"] {
        assert!(std::fs::read_to_string(dir.path().join(page)).unwrap().starts_with("# "));
    }
    assert_eq!(
        Drp::on(&daemon, ["contents", "list"]).json().as_array().unwrap().len(),
        2,
        "all of it is gone again"
    );
}

#[test]
fn content_comes_changes_and_goes() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lamps.yaml");
    let file = file.to_str().unwrap();
    std::fs::write(file, "meta: {Name: lamps}\nsections: {profiles: {hall: {Description: one}}}\n").unwrap();
    drp(&["contents", "exists", "lamps"]).fails(3);
    drp(&["contents", "update", "lamps", file]).fails(3);
    let plan = drp(&["contents", "create", file, "--dry-run"]).json();
    assert_eq!((&plan["Method"], &plan["Path"]), (&json!("POST"), &json!("/api/v3/contents")));
    assert_eq!(drp(&["contents", "create", file]).json()["Counts"]["profiles"], 1);
    drp(&["contents", "create", file]).fails(4);
    drp(&["contents", "exists", "lamps"]).ok();
    let text = std::fs::read_to_string(file).unwrap().replace("one", "two");
    drp(&["contents", "update", "lamps", "-"]).input(&text).ok();
    assert_eq!(drp(&["profiles", "show", "hall"]).json()["Description"], "two");
    drp(&["contents", "upload", r#"{"meta": {"Name": "lamps"}, "sections": {"profiles": {"room": {}}}}"#])
        .ok();
    drp(&["profiles", "exists", "hall"]).fails(3);
    let table = drp(&["contents", "list", "--format", "table"]).ok().out;
    let names: Vec<&str> = table.lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(names, ["BackingStore", "lamps", "BasicStore"]);

    // What is wrong is told with its place, before anything is sent.
    std::fs::write(file, "meta: {Name: lamps}\nsections:\n  profiles: {hall: {Params: 5}}\n").unwrap();
    let ran = drp(&["contents", "upload", file]).fails(2);
    assert!(ran.err.contains("lamps.yaml: sections.profiles.hall: "), "{ran:#?}");
    let ran = drp(&["contents", "upload", "nowhere.yaml"]).fails(3);
    assert!(ran.hints().contains("a directory"), "{ran:#?}");
    let ran = drp(&["contents", "upload", "-"]).input("meta: {Name: x\n").fails(2);
    assert!(ran.err.contains("standard input"), "{ran:#?}");
    // What the daemon finds odd is a warning; what it refuses names the object.
    std::fs::write(file, "meta: {Name: lamps}\nsections: {workflows: {light: {Stages: [glow]}}}\n").unwrap();
    let ran = drp(&["contents", "upload", file]).ok();
    assert!(ran.err.contains("workflows:light: Stage glow (at 0) does not exist"), "{ran:#?}");
    drp(&["profiles", "create", "mine"]).ok();
    std::fs::write(file, "meta: {Name: lamps}\nsections: {profiles: {mine: {}}}\n").unwrap();
    let ran = drp(&["contents", "upload", file]).fails(4);
    assert!(ran.err.contains("profiles:mine in layer dynamic-lamps would override"), "{ran:#?}");
    assert!(ran.hints().contains("--replace-writable"), "{ran:#?}");
    drp(&["contents", "upload", file, "--replace-writable"]).ok();
    assert_eq!(drp(&["profiles", "show", "mine"]).json()["Bundle"], "lamps");
    drp(&["contents", "destroy", "BasicStore"]).fails(4);
    drp(&["contents", "destroy", "lamps"]).ok();
    drp(&["contents", "destroy", "lamps"]).fails(3);
}

#[test]
fn forms_turn_into_each_other_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let drp = |words: &[&str]| Drp::new(words.iter().copied()).dir(dir.path());
    let pack = packs().join("drp-basics");
    let pack = pack.to_str().unwrap();
    let made = drp(&["contents", "bundle", "basics.json", "Version=v9.0.0", "--from", pack]).json();
    assert_eq!((&made["meta"]["Version"], made["Counts"]["params"].as_u64()), (&json!("v9.0.0"), Some(15)));
    let bundle: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("basics.json")).unwrap()).unwrap();
    assert_eq!(bundle["sections"]["params"]["basics/rack-unit"]["Schema"]["maximum"], 60);
    drp(&["contents", "unbundle", "basics.json", "--into", "out"]).ok();
    assert!(dir.path().join("out/params/basics%2Frack-unit.yaml").exists());
    let yaml = drp(&["contents", "bundle", "-", "--from", "out"]).ok().out;
    let ran = drp(&["contents", "document", "-"]).input(&yaml).ok();
    assert!(
        ran.out.starts_with("# Basics for bare metal\n") && ran.out.contains("* Version: v9.0.0\n"),
        "{}",
        ran.out
    );
    assert_eq!(ran.out, drp(&["contents", "document", "out"]).ok().out);
    // A directory that is no content keeps what it has, unless told otherwise.
    std::fs::create_dir_all(dir.path().join("home/params")).unwrap();
    std::fs::write(dir.path().join("home/params/own.json"), "{}").unwrap();
    let ran = drp(&["contents", "unbundle", "basics.json", "--into", "home"]).fails(2);
    assert!(ran.hints().contains("--force") && dir.path().join("home/params/own.json").exists(), "{ran:#?}");
    drp(&["contents", "unbundle", "basics.json", "--into", "home", "--force"]).ok();
    assert!(!dir.path().join("home/params/own.json").exists());
    drp(&["contents", "bundle", "x.yaml", "Colour=red", "--from", "out"]).fails(2);
    drp(&["contents", "bundle", "x.yaml", "red", "--from", "out"]).fails(2);
    drp(&["contents", "document", "nowhere"]).fails(3);
    assert!(!dir.path().join("x.yaml").exists());
}

#[test]
fn the_pack_fits_the_ipmi_plugin() {
    let daemon = Daemon::builder().plugin("ipmi").start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    let pack = packs().join("drp-basics");
    let made = drp(&["contents", "upload", pack.to_str().unwrap()]).json();
    assert_eq!(made["Warnings"], json!([]), "every reference resolves");
    let provider = drp(&["plugin_providers", "show", "ipmi"]).json();
    let actions: Vec<&str> = provider["AvailableActions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|a| a["Command"].as_str())
        .collect();
    let mut seen = 0;
    for stage in drp(&["stages", "list", "Bundle=drp-basics"]).json().as_array().unwrap() {
        assert_eq!(stage["Available"], true);
        for name in stage["RequiredParams"].as_array().unwrap() {
            drp(&["params", "exists", name.as_str().unwrap()]).ok();
        }
        for task in stage["Tasks"].as_array().unwrap() {
            let action = task.as_str().unwrap().strip_prefix("action:ipmi:").unwrap();
            assert!(actions.contains(&action), "the ipmi plugin has no action {action}");
            seen += 1;
        }
    }
    assert!(seen >= 10);
    // Its profiles set params of the plugin, and were checked against them.
    for profile in drp(&["profiles", "list", "Bundle=drp-basics"]).json().as_array().unwrap() {
        for name in profile["Params"].as_object().unwrap().keys() {
            drp(&["params", "exists", name]).ok();
        }
    }
    drp(&[
        "machines",
        "create",
        r#"{"Name": "m1", "Workflow": "basics-take-out", "Profiles": ["basics-bmc-slow"]}"#,
    ])
    .ok();
    drp(&["machines", "set", "Name:m1", "param", "basics/rack-unit", "to", "12"]).ok();
    drp(&["machines", "set", "Name:m1", "param", "basics/rack-unit", "to", "12b"]).fails(4);
    drp(&["machines", "set", "Name:m1", "param", "basics/warranty-end", "to", "2027-13-01"]).fails(4);
    assert_eq!(drp(&["machines", "count", "basics/rack-unit=12"]).json(), 1);
}

#[test]
fn content_from_files_stands_in_its_layers() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    write("local/profiles/hall.yaml", "Name: hall\nDescription: local\n");
    let local = format!("directory://{}?codec=yaml", dir.path().join("local").display());
    let default = write(
        "default.yaml",
        "sections: {profiles: {hall: {Description: default}, room: {Description: default}}}",
    );
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let start = |args: [&str; 4]| {
        args.iter().fold(Daemon::builder().base(base.path()), |b, arg| b.arg(*arg)).try_start()
    };
    let daemon = start(["--local-content", &local, "--default-content", &default]).unwrap();
    let drp = |words: &[&str]| Drp::at(base.path(), words.iter().copied());
    assert_eq!(drp(&["profiles", "show", "hall"]).json()["Bundle"], "LocalStore");
    assert_eq!(drp(&["profiles", "show", "room"]).json()["Bundle"], "DefaultStore");
    let names = |list: Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|l| l["meta"]["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names(drp(&["contents", "list"]).json()),
        ["BackingStore", "LocalStore", "DefaultStore", "BasicStore"]
    );
    drp(&["contents", "destroy", "LocalStore"]).fails(4);
    drp(&["contents", "create", r#"{"meta": {"Name": "rooms"}, "sections": {"profiles": {"room": {}}}}"#])
        .ok();
    assert_eq!(drp(&["profiles", "show", "room"]).json()["Bundle"], "rooms", "defaults may be hidden");
    assert!(daemon.stop().0.success());

    // A local file that now clashes is left out and told; the daemon runs.
    write("local/profiles/room.yaml", "Name: room\n");
    let daemon = start(["--local-content", &local, "--default-content", &default]).unwrap();
    let errors = drp(&["info"]).json()["errors"].to_string();
    assert!(
        errors.contains("local-content") && errors.contains("profiles:room in layer local-LocalStore"),
        "{errors}"
    );
    assert_eq!(drp(&["profiles", "show", "hall"]).json()["Bundle"], "DefaultStore");
    assert!(daemon.stop().0.success());

    // One that cannot be read keeps it from starting, with its place.
    write("local/profiles/room.yaml", "Name: [\n");
    let log = start(["--local-content", &local, "--default-content", "/nonexistent/x.yaml"]).err().unwrap();
    assert!(log.contains("local-content: ") && log.contains("room.yaml:2"), "{log}");
    assert!(log.contains("default-content: ") && log.contains("/nonexistent/x.yaml"), "{log}");
    let log = start(["--local-content", "memory:///", "--default-content", &default]).err().unwrap();
    assert!(log.contains("local-content (flag --local-content)"), "{log}");
}
