//! docs/writing-an-extension.md: each command of it runs, one after the other, and prints what it prints there.

use drp_tests::daemon::{Daemon, USER, binary};
use drp_tests::guide::steps;
use drp_tests::peers::{CLOUD_KEY, MockCloud, nu};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn every_command_prints_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-an-extension.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 20, "the page has its commands");
    let Some(nu) = nu() else { return };
    let daemon = Daemon::builder().arg(format!("--nu={}", nu.display())).start();
    let cloud = MockCloud::start(Duration::from_millis(100));
    let place = tempfile::tempdir().unwrap();
    let key = place.path().join(".key");
    std::fs::write(&key, format!("{CLOUD_KEY}\n")).unwrap();
    let (drp, nu) = (binary("drp"), nu.parent().unwrap().to_owned());
    let programs = drp.parent().unwrap();
    let path = format!("{}:{}:{}", programs.display(), nu.display(), std::env::var("PATH").unwrap());
    for step in steps {
        let done = Command::new("timeout")
            .args(["180", "bash", "-c", &format!("{{ {}; }} 2>&1", step.command)])
            .current_dir(place.path())
            .env("PATH", &path)
            .env("HOME", place.path())
            .env("DRP_BASE_ROOT", daemon.base())
            .env("API", &daemon.api)
            .env("CA", daemon.base().join("tls/server.crt"))
            .env("LOGIN", format!("{}:{}", USER.0, USER.1))
            .env("CLOUD", &cloud.url)
            .env("KEY", &key)
            .env_remove("DRP_FORMAT")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            step.fits(&printed),
            "$ {}\n{printed}\nthe page says:\n{}\n{}",
            step.command,
            step.output.join("\n"),
            daemon.log()
        );
        assert!(!printed.contains(CLOUD_KEY), "{printed}");
    }
}
