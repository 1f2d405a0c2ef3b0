//! The seeds of the fuzz targets (tests/fuzz), and what a fuzzer once found, through the same functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        // Shown when it panics.
        println!("{}", path.display());
        run(&data);
        // Its beginnings and its neighbours are seeds too.
        for end in (0..data.len()).step_by(1 + data.len() / 40) {
            run(&data[..end]);
            let mut other = data.clone();
            other[end] ^= 1 << (end % 8);
            run(&other);
        }
        seeds += 1;
    }
    assert!(seeds >= 5, "{target} has {seeds} seeds");
}

#[test]
fn patches() {
    replay("patch", targets::patch);
}

#[test]
fn filters() {
    replay("filter", targets::filter);
}

#[test]
fn bundles() {
    replay("bundle", targets::bundle);
}

#[test]
fn redfish_resources() {
    replay("redfish", targets::redfish::body);
}

#[test]
fn ipmi_packets() {
    replay("rmcp", targets::rmcp::packet);
}

#[test]
fn ipmi_records() {
    replay("records", targets::records::answer);
}

#[test]
fn answers_of_hmcs() {
    replay("hmc", targets::hmc);
}

#[test]
fn vbox() {
    replay("vbox", targets::vbox);
}

#[test]
fn manifests() {
    replay("manifest", targets::manifest::text);
}
