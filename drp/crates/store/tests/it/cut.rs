//! A log that ends anywhere opens with a prefix of the commits: what a power cut leaves (promise P1).
//!
//! `DRP_STORE_CUTS=all` cuts at every byte of the whole of a shorter log instead of the last frame (about a minute).

use std::fs;
use std::path::{Path, PathBuf};

use drp_store::{Batch, Op, Options, Scan, open};
use tempfile::TempDir;

use crate::support::file;

/// SQLite file format, section 4.1: header of the log, and header and page of each frame.
const LOG_HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// A database with its log as it is on disk after some commits, and the log's length after each of them.
struct Written {
    database: Vec<u8>,
    log: Vec<u8>,
    ends: Vec<usize>,
}

fn written(commits: u64) -> Written {
    let fresh = file(Options::default());
    let log_path = PathBuf::from(format!("{}-wal", fresh.path().display()));
    let mut ends = vec![fs::metadata(&log_path).unwrap().len() as usize];
    for n in 1..=commits {
        let ops = vec![
            Op::put("m", format!("{n:03}"), vec![n as u8; 900]).unique("Name", format!("n{n}")),
            Op::put("last", "n", n.to_string()),
        ];
        assert_eq!(fresh.store.submit(Batch::new(ops)).wait().unwrap(), n);
        ends.push(fs::metadata(&log_path).unwrap().len() as usize);
    }
    Written { database: fs::read(fresh.path()).unwrap(), log: fs::read(log_path).unwrap(), ends }
}

/// A directory in memory where there is one: the files are flushed thousands of times here.
fn quick_directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// How many commits are there; panics if they are not whole.
fn commits_there(path: &Path, database: &[u8], log: &[u8], case: &str) -> usize {
    fs::write(path, database).unwrap();
    fs::write(format!("{}-wal", path.display()), log).unwrap();
    let _ = fs::remove_file(format!("{}-shm", path.display()));
    let store =
        open(path.to_str().unwrap(), Options::default()).unwrap_or_else(|error| panic!("{case}: {error}"));
    let there = store.revision();
    let records = store.scan("m", &Scan::all()).unwrap();
    assert_eq!(records.len() as u64, there, "{case}");
    for (record, n) in records.iter().zip(1..) {
        assert_eq!((record.revision, &record.value[..]), (n, &[n as u8; 900][..]), "{case}");
        assert_eq!(store.find("m", "Name", &format!("n{n}")).unwrap().len(), 1, "{case}");
    }
    let last = store.get("last", "n").unwrap().map(|record| record.value);
    assert_eq!(
        last.as_deref(),
        (there > 0).then(|| there.to_string()).as_deref().map(str::as_bytes),
        "{case}"
    );
    // And it takes the next change.
    store.submit(Batch::new(vec![Op::put("after", "cut", "1")])).wait().unwrap();
    there as usize
}

#[test]
fn a_log_cut_at_any_byte_opens_with_the_commits_before_the_cut() {
    let all = std::env::var("DRP_STORE_CUTS").is_ok_and(|cuts| cuts == "all");
    let Written { database, log, ends } = written(if all { 3 } else { 12 });
    let directory = quick_directory();
    let path = directory.path().join("drp.db");
    let committed = |cut: usize| ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
    let check = |cut: usize| {
        let there = commits_there(&path, &database, &log[..cut], &format!("cut at {cut} of {}", log.len()));
        assert_eq!(there, committed(cut), "cut at {cut}: {ends:?}");
    };
    // Every byte of the last frame, and what lies around the beginning of all others.
    let last_frames = if all { ends[0] } else { log.len() - FRAME };
    (last_frames..=log.len()).for_each(check);
    for frame in (LOG_HEADER..last_frames).step_by(FRAME).filter(|frame| *frame >= ends[0]) {
        (frame.saturating_sub(2)..frame + 26).for_each(check);
    }
}

#[test]
fn a_log_with_torn_or_flipped_bytes_opens_with_a_prefix_of_the_commits() {
    let Written { database, log, ends } = written(12);
    let directory = quick_directory();
    let path = directory.path().join("drp.db");
    let mut damages: Vec<(usize, Vec<u8>)> = Vec::new();
    for at in (ends[0]..log.len()).step_by(509) {
        let mut flipped = log.clone();
        flipped[at] ^= 0x10;
        damages.push((at, flipped));
        // A sector that never reached the disk.
        let mut torn = log.clone();
        let end = (at + 512).min(torn.len());
        torn[at..end].fill(0);
        damages.push((at, torn));
    }
    for (at, damaged) in damages {
        let there = commits_there(&path, &database, &damaged, &format!("damaged at {at} of {}", log.len()));
        let before = ends.iter().filter(|end| **end <= at).count() - 1;
        assert!(there >= before, "damaged at {at}: {there} commits are there, {before} were not touched");
        // Where a sector was all zero already, nothing is lost.
        assert!(
            there == before || damaged == log || there <= before + 1,
            "damaged at {at}: {there}, {before}"
        );
    }
}
