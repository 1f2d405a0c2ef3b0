//! docs/params.md: each command of it runs, and prints what it prints there.

use drp_tests::daemon::{Daemon, binary};
use std::path::Path;
use std::process::Command;

/// A line of a shell and what comes after it.
struct Step {
    command: String,
    output: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
                None => steps.last_mut().expect("a command comes first").output.push(line.to_owned()),
            },
        }
    }
    steps
}

/// Whether a line is as expected; `…` stands for anything.
fn fits(line: &str, expected: &str) -> bool {
    match expected.split_once('…') {
        Some((before, after)) => line.starts_with(before) && line[before.len()..].ends_with(after),
        None => line == expected,
    }
}

#[test]
fn every_command_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/params.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 20, "the page has its commands");
    let daemon = Daemon::start();
    let programs = binary("drp").parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for Step { command, output } in steps {
        let done = Command::new("bash")
            .args(["-c", &format!("{{ {command}; }} 2>&1")])
            .env("PATH", &path)
            .env("DRP_BASE_ROOT", daemon.base())
            .env_remove("DRP_FORMAT")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        let lines: Vec<&str> = printed.lines().collect();
        let same = lines.len() == output.len() && lines.iter().zip(&output).all(|(l, o)| fits(l, o));
        assert!(same, "$ {command}\n{printed}\nthe page says:\n{}", output.join("\n"));
    }
}
