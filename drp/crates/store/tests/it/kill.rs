//! An acknowledged change survives SIGKILL (promise P1), and no batch is ever half there.
//!
//! The test binary runs itself as the writer. `DRP_STORE_KILLS=1000` sets the number of kills (default 50).

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use drp_store::{Batch, Expect, Op, Options, Scan, Store, open};

const DATABASE: &str = "DRP_STORE_TEST_WRITER";
const THREADS: usize = 16;
/// How many objects each thread leaves behind it before it deletes them again.
const WINDOW: u64 = 30;

fn number(record: Option<drp_store::Record>) -> u64 {
    record.map_or(0, |record| std::str::from_utf8(&record.value).unwrap().parse().unwrap())
}

fn step(thread: usize, n: u64) -> Vec<Op> {
    let length = (n as usize * 37 + thread * 101) % 3000;
    let mut ops = vec![
        Op::put("work", format!("{thread:02}/{n:08}"), vec![n as u8; length])
            .expecting(Expect::Absent)
            .unique("Name", format!("{thread}-{n}")),
        Op::put("last", format!("{thread:02}"), n.to_string()),
    ];
    if n > WINDOW {
        ops.push(Op::delete("work", format!("{thread:02}/{:08}", n - WINDOW)).expecting(Expect::Any));
    }
    ops
}

/// Not a test of its own: the process that is killed. Each thread says on stdout what was acknowledged to it.
#[test]
fn writer_process() {
    let Ok(path) = env::var(DATABASE) else { return };
    let store = open(&path, Options::default()).unwrap();
    let out = Mutex::new(std::io::stdout());
    // libtest has begun a line of its own, which would swallow the first acknowledgement.
    writeln!(out.lock().unwrap()).unwrap();
    thread::scope(|scope| {
        for t in 0..THREADS {
            let (store, out) = (&store, &out);
            scope.spawn(move || {
                let mut n = number(store.get("last", &format!("{t:02}")).unwrap());
                loop {
                    n += 1;
                    let revision = store.submit(Batch::new(step(t, n))).wait().unwrap();
                    let line = format!("ack {t} {n} {revision}\n");
                    let mut out = out.lock().unwrap();
                    // The parent may be gone; then so are we.
                    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                        std::process::exit(1);
                    }
                }
            });
        }
    });
}

fn spawn_writer(path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::writer_process", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Kills the writer after `delay` and gives, for each thread, the last acknowledged step and its revision.
fn kill_one(path: &Path, delay: Duration) -> BTreeMap<usize, (u64, u64)> {
    let mut child = spawn_writer(path);
    let out = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut acknowledged = BTreeMap::new();
        for line in BufReader::new(out).lines() {
            let line = line.unwrap();
            // A line that the kill cut in half is no acknowledgement that anybody read; libtest says things, too.
            let words: Vec<_> = line.split(' ').collect();
            if let ["ack", t, n, revision] = words[..] {
                acknowledged.insert(t.parse().unwrap(), (n.parse().unwrap(), revision.parse().unwrap()));
            }
        }
        acknowledged
    });
    thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn check(store: &dyn Store, acknowledged: &BTreeMap<usize, (u64, u64)>) {
    for t in 0..THREADS {
        let last = number(store.get("last", &format!("{t:02}")).unwrap());
        let (acked, revision) = acknowledged.get(&t).copied().unwrap_or_default();
        assert!(last >= acked, "thread {t}: step {acked} was acknowledged, {last} is the last that is there");
        // One that was under way may be there as well, but whole, and only one.
        assert!(
            acked == 0 || last <= acked + 1,
            "thread {t}: {last} is there, only {acked} was acknowledged"
        );
        assert!(store.revision() >= revision);
        let records = store.scan("work", &Scan::prefix(format!("{t:02}/"))).unwrap();
        let first = last.saturating_sub(WINDOW) + 1;
        let expected: Vec<_> = (first..=last).map(|n| format!("{t:02}/{n:08}")).collect();
        assert_eq!(records.iter().map(|r| r.key.clone()).collect::<Vec<_>>(), expected);
        for (record, n) in records.iter().zip(first..) {
            let [Op::Put { value, .. }, ..] = &step(t, n)[..] else { unreachable!() };
            assert_eq!(&record.value, value);
            assert_eq!(
                store.find("work", "Name", &format!("{t}-{n}")).unwrap(),
                std::slice::from_ref(record)
            );
        }
        assert!(store.find("work", "Name", &format!("{t}-{}", last + 1)).unwrap().is_empty());
    }
}

/// The file with its log, as they are.
fn copy(from: &Path, to: &Path) -> PathBuf {
    for suffix in ["", "-wal"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let _ = fs::remove_file(with(to));
        if with(from).exists() {
            fs::copy(with(from), with(to)).unwrap();
        }
    }
    to.to_owned()
}

#[test]
fn acknowledged_changes_survive_sigkill() {
    let kills: u32 = env::var("DRP_STORE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("drp.db");
    let random = RandomState::new();
    let mut acknowledged: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    let mut total: u64 = 0;
    for kill in 0..kills {
        let noise = random.hash_one(kill);
        // Mostly in full work; sometimes while the file is made or opened.
        let longest = if kill % 5 == 0 { 8_000 } else { 60_000 };
        let now = kill_one(&path, Duration::from_micros(noise % longest));
        acknowledged.extend(now);
        if !path.exists() {
            continue;
        }
        // Half of the time the next writer finds what the kill left, and not what a clean close made of it.
        let looked_at =
            if noise % 2 == 0 { path.clone() } else { copy(&path, &directory.path().join("copy.db")) };
        let store = open(looked_at.to_str().unwrap(), Options::default())
            .unwrap_or_else(|error| panic!("after kill {kill}: {error}"));
        check(&*store, &acknowledged);
        for t in 0..THREADS {
            // From here on it is acknowledged to us: it was read from an open store.
            acknowledged
                .insert(t, (number(store.get("last", &format!("{t:02}")).unwrap()), store.revision()));
        }
        total = acknowledged.values().map(|(n, _)| n).sum();
    }
    eprintln!("{kills} kills, {total} steps, none lost");
    assert!(total > u64::from(kills), "{total} steps in {kills} kills: the writer hardly ever ran");
}
