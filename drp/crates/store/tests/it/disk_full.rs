//! A file system that is full: the batch fails with a clear text, and the store goes on (promise P9).
//!
//! The test binary runs itself in a mount namespace with a small file system of its own.

use std::env;
use std::fs;
use std::io::Write;
use std::process::Command;

use drp_store::{Batch, Op, Options, StoreError, open};

const DIRECTORY: &str = "DRP_STORE_TEST_SMALL_DISK";

/// Not a test of its own: what runs where the disk is small.
#[test]
fn on_a_small_disk() {
    let Ok(directory) = env::var(DIRECTORY) else { return };
    let ballast = format!("{directory}/ballast");
    fs::write(&ballast, vec![1; 600 << 10]).unwrap();
    let path = format!("{directory}/drp.db");
    let mut acknowledged = Vec::new();
    let store = open(&path, Options::default()).unwrap();
    let put = |key: &str| {
        store.submit(Batch::new(vec![Op::put("m", key, vec![b'x'; 3000]).unique("Name", key)])).wait()
    };
    for round in 0..3 {
        let mut n = 0;
        let full = loop {
            let key = format!("{round}/{n}");
            match put(&key) {
                Ok(_) => acknowledged.push(key),
                Err(error) => break error,
            }
            n += 1;
            assert!(n < 5000, "never full");
        };
        assert!(matches!(full, StoreError::DiskFull { .. }), "round {round}: {full:?}");
        assert!(full.to_string().contains("no space left") && full.to_string().contains(&path), "{full}");
        for _ in 0..20 {
            let _ = put("more");
        }
        assert!(store.get("m", &acknowledged[0]).unwrap().is_some(), "reading goes on");
        let error = store.backup(format!("{directory}/copy.db").as_ref()).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        assert!(!fs::exists(format!("{directory}/copy.db")).unwrap());
        // Somebody makes room, little by little.
        let left = fs::metadata(&ballast).unwrap().len();
        fs::File::options().write(true).open(&ballast).unwrap().set_len(left / 2).unwrap();
        let key = format!("{round}/room");
        put(&key).unwrap_or_else(|error| panic!("round {round}: {error}"));
        acknowledged.push(key);
    }
    store.close();
    let store = open(&path, Options::default()).unwrap();
    for key in &acknowledged {
        assert!(store.get("m", key).unwrap().is_some(), "{key} was acknowledged");
    }
    // Straight to the descriptor: libtest swallows what is printed by tests that pass.
    writeln!(std::io::stdout(), "small disk: {} kept", acknowledged.len()).unwrap();
}

#[test]
fn a_full_disk_refuses_the_batch_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" && shift && exec \"$@\"";
    let run = |unshare: &[&str], command: &[&str]| {
        let mut child = Command::new("unshare");
        child.args(unshare).args(["sh", "-c", script, "sh"]).arg(directory.path()).args(command);
        child.env(DIRECTORY, directory.path()).output()
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let way = ways.into_iter().find(|way| run(way, &["true"]).is_ok_and(|output| output.status.success()));
    let Some(way) = way else {
        let why = "a full disk needs a mount namespace; run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), with util-linux's unshare";
        assert!(env::var_os("DRP_REQUIRE_PEERS").is_none(), "{why}");
        // In one write to the descriptor: libtest swallows what is printed by tests that pass.
        std::io::stderr().write_all(format!("\nSKIPPED: {why}\n").as_bytes()).unwrap();
        return;
    };
    let binary = env::current_exe().unwrap();
    let arguments = [binary.to_str().unwrap(), "--exact", "disk_full::on_a_small_disk", "--nocapture"];
    let output = run(way, &arguments).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("small disk:"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
