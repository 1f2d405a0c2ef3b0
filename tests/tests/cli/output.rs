//! Formats, tables, closed pipes.

use crate::run::Drp;
use drp_tests::daemon::Daemon;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn three_formats_of_the_same() {
    let daemon = Daemon::start();
    let drp = |words: &[&str]| Drp::on(&daemon, words.iter().copied());
    drp(&["profiles", "create", r#"{"Name": "a-profile", "Description": "first\nsecond"}"#]).ok();
    let table = drp(&["profiles", "list", "Name=a-profile", "-F", "table"]).ok().out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(
        lines[0].starts_with("NAME")
            && lines[1].starts_with("a-profile")
            && lines[1].ends_with("first second"),
        "{table}"
    );
    let bare = drp(&["profiles", "list", "Name=a-profile", "-F", "table", "--no-header"]).ok().out;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&bare), words(lines[1]), "{bare}");
    let yaml = drp(&["profiles", "show", "a-profile", "--format", "yaml"]).ok().out;
    assert!(yaml.contains("Name: a-profile\n"), "{yaml}");
    // Not a terminal: JSON, and no colour.
    let json = drp(&["profiles", "list", "Name=a-profile"]).json();
    assert_eq!(json[0]["Name"], "a-profile");
    assert!(!drp(&["profiles", "show", "none"]).fails(3).err.contains('\u{1b}'));
    let by_environment = drp(&["profiles", "list", "Name=a-profile"]).env("DRP_FORMAT", "table").ok().out;
    assert_eq!(by_environment, table);
    drp(&["profiles", "list", "-F", "xml"]).fails(2);
    assert_eq!(drp(&["profiles", "list", "Name=none", "-F", "json"]).ok().out, "[]\n");
    assert_eq!(drp(&["profiles", "list", "Name=none", "-F", "table", "--no-header"]).ok().out, "");
}

/// `drp … | head -1`: the reader goes away, and nobody complains.
#[test]
fn a_closed_pipe_is_quiet() {
    let daemon = Daemon::start();
    for n in 0..3 {
        let text = "x".repeat(60_000);
        Drp::on(&daemon, ["profiles", "create", "-"])
            .input(&format!("{{\"Name\": \"p{n}\", \"Documentation\": \"{text}\"}}"))
            .ok();
    }
    let mut child = Drp::on(&daemon, ["profiles", "list"]).spawn();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "[\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

/// Help, too.
#[test]
fn help_into_a_closed_pipe_is_quiet() {
    let child = Command::new(drp_tests::daemon::binary("drp"))
        .args(["machines", "--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
