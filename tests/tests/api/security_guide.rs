//! The commands of docs/security.md, run as they stand.

use drp_tests::daemon::{Daemon, binary};
use std::path::Path;
use std::process::Command;

/// The blocks of one language in a page, with the line each begins at.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            found.push((at + 2, block.join("\n")));
        }
    }
    found
}

#[test]
fn its_commands_run() {
    let daemon = Daemon::start();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = blocks(&page, "sh");
    assert!(blocks.len() >= 10, "{blocks:?}");
    // `! command` does not end a shell with -e: it is turned into one that does.
    let mut script = "set -euo pipefail\nfails() { if \"$@\"; then echo \"this should have failed: $*\" >&2; exit 1; fi; }\n".to_owned();
    for (line, block) in blocks {
        script.push_str(&format!("here={line}\n"));
        for line in block.lines() {
            match line.strip_prefix("! ") {
                Some(rest) if rest.contains('|') => {
                    script.push_str(&format!(
                        "if {rest}; then echo 'this should have failed: {rest}' >&2; exit 1; fi\n"
                    ));
                }
                Some(rest) => script.push_str(&format!("fails {rest}\n")),
                None => script.push_str(&format!("{line}\n")),
            }
        }
    }
    let script = format!(
        "trap 'echo \"in the block at line $here of docs/security.md\" >&2' ERR EXIT\n{script}\ntrap - EXIT\n"
    );
    let work = tempfile::tempdir().unwrap();
    let bin = binary("drp").parent().unwrap().to_owned();
    let output = Command::new("bash")
        .arg("-c")
        .arg(script)
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("DRP_BASE_ROOT", daemon.base())
        .env("API", &daemon.api)
        .env("WORK", work.path())
        .env("DRP_FORMAT", "json")
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
    assert!(!said(&output.stdout).contains("canary") && !daemon.log().contains("canary"));
}
