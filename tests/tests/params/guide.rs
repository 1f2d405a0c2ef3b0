//! docs/params.md: each command of it runs, and prints what it prints there.

use drp_tests::daemon::{Daemon, binary};
use drp_tests::guide::steps;
use std::path::Path;
use std::process::Command;

#[test]
fn every_command_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/params.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 20, "the page has its commands");
    let daemon = Daemon::start();
    let programs = binary("drp").parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for step in steps {
        let done = Command::new("bash")
            .args(["-c", &format!("{{ {}; }} 2>&1", step.command)])
            .env("PATH", &path)
            .env("DRP_BASE_ROOT", daemon.base())
            .env_remove("DRP_FORMAT")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            step.fits(&printed),
            "$ {}\n{printed}\nthe page says:\n{}",
            step.command,
            step.output.join("\n")
        );
    }
}
