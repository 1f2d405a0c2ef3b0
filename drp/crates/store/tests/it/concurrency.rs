//! Many writers and readers at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use drp_store::{Batch, Expect, Op, Options, Scan, StoreError};

use crate::support::{Fresh, file, memory, on_both_backends};

on_both_backends! {
    counters_lose_no_update
    every_commit_has_its_own_revision
}

/// Compare-and-set from many threads: each success is one step.
fn counters_lose_no_update(fresh: &Fresh) {
    fresh.store.submit(Batch::new(vec![Op::put("m", "n", "0")])).wait().unwrap();
    let conflicts = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 25 {
                    let record = fresh.store.get("m", "n").unwrap().unwrap();
                    let n: u64 = std::str::from_utf8(&record.value).unwrap().parse().unwrap();
                    let op =
                        Op::put("m", "n", (n + 1).to_string()).expecting(Expect::Revision(record.revision));
                    match fresh.store.submit(Batch::new(vec![op])).wait() {
                        Ok(_) => done += 1,
                        Err(StoreError::Conflict { .. }) => {
                            conflicts.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert_eq!(&fresh.store.get("m", "n").unwrap().unwrap().value[..], b"200");
    assert_eq!(fresh.store.stats().unwrap().conflicts, conflicts.into_inner());
}

fn every_commit_has_its_own_revision(fresh: &Fresh) {
    let revisions = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for t in 0..16 {
            let revisions = &revisions;
            scope.spawn(move || {
                for n in 0..50 {
                    let batch = Batch::new(vec![Op::put("m", format!("{t}/{n}"), vec![b'x'; 500])]);
                    let revision = fresh.store.submit(batch).wait().unwrap();
                    assert!(revisions.lock().unwrap().insert(revision));
                    // What is acknowledged is seen at once by every reader.
                    assert_eq!(
                        fresh.store.get("m", &format!("{t}/{n}")).unwrap().unwrap().revision,
                        revision
                    );
                }
            });
        }
    });
    assert_eq!(revisions.into_inner().unwrap(), (1..=800).collect());
    let stats = fresh.store.stats().unwrap();
    assert_eq!(stats.commits, 800);
    assert!(stats.groups <= 800);
}

/// Holds the writer in a callback while more is submitted.
fn hold(fresh: &Fresh) -> (mpsc::Sender<()>, drp_store::Commit) {
    let (release, held) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let batch = Batch::new(vec![Op::put("m", "hold", "1")]).then(move |_| {
        tell.send(()).unwrap();
        let _ = held.recv();
    });
    let commit = fresh.store.submit(batch);
    told.recv().unwrap();
    (release, commit)
}

#[test]
fn what_waits_goes_into_one_group_and_a_conflict_fails_alone() {
    for fresh in [file(Options::default()), memory(Options::default())] {
        let (release, first) = hold(&fresh);
        let submit = |op: Op| fresh.store.submit(Batch::new(vec![op]));
        let commits: Vec<_> = (0..50)
            .map(|n| match n % 10 {
                7 => submit(Op::put("m", "hold", "2").expecting(Expect::Absent)),
                8 => submit(Op::put("m", format!("{n}"), "1").unique("Name", "one")),
                _ => submit(Op::put("m", format!("{n}"), "1")),
            })
            .collect();
        release.send(()).unwrap();
        first.wait().unwrap();
        let outcomes: Vec<_> = commits.into_iter().map(drp_store::Commit::wait).collect();
        for (n, outcome) in outcomes.iter().enumerate() {
            match n {
                7 | 17 | 27 | 37 | 47 => assert!(matches!(outcome, Err(StoreError::Conflict { .. }))),
                18 | 28 | 38 | 48 => assert!(matches!(outcome, Err(StoreError::Duplicate { .. }))),
                _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
            }
        }
        assert_eq!(fresh.store.stats().unwrap().groups, 2);
        assert_eq!(fresh.store.revision(), 1 + 41);
    }
}

#[test]
fn a_full_queue_says_busy_and_takes_more_later() {
    let by_count = Options { queue_batches: 3, ..Options::default() };
    let by_bytes = Options { queue_bytes: 3 * 1100, ..Options::default() };
    for fresh in [file(by_count.clone()), memory(by_count), memory(by_bytes)] {
        let (release, first) = hold(&fresh);
        let submit = || fresh.store.submit(Batch::new(vec![Op::put("m", "k", vec![b'x'; 1000])]));
        let waiting: Vec<_> = (0..3).map(|_| submit()).collect();
        let error = submit().wait().unwrap_err();
        assert!(matches!(error, StoreError::Busy { queued: 3, .. }) && error.retry_is_safe(), "{error}");
        release.send(()).unwrap();
        first.wait().unwrap();
        for commit in waiting {
            commit.wait().unwrap();
        }
        submit().wait().unwrap();
    }
}

#[test]
fn the_last_handle_may_be_dropped_inside_on_commit() {
    for fresh in [file(Options::default()), memory(Options::default())] {
        let path = fresh.path();
        let Fresh { store, directory } = fresh;
        let (tell, told) = mpsc::channel();
        let inner = store.clone();
        let commit = store.submit(Batch::new(vec![Op::put("m", "k", "1")]).then(move |_| {
            told.recv().unwrap();
            drop(inner);
        }));
        drop(store);
        tell.send(()).unwrap();
        commit.wait().unwrap();
        drop((path, directory));
    }
}

#[test]
fn many_readers_share_few_connections() {
    let fresh = file(Options { readers: 2, ..Options::default() });
    let ops = (0..200).map(|n| Op::put("m", format!("{n:03}"), vec![b'x'; 2000])).collect();
    fresh.store.submit(Batch::new(ops)).wait().unwrap();
    let store = Arc::clone(&fresh.store);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for n in 0..50 {
                    assert!(store.get("m", &format!("{n:03}")).unwrap().is_some());
                    assert_eq!(store.scan("m", &Scan::all()).unwrap().len(), 200);
                }
            });
        }
    });
}

#[tokio::test]
async fn commits_are_futures() {
    let fresh = file(Options::default());
    let commits: Vec<_> =
        (0..20).map(|n| fresh.store.submit(Batch::new(vec![Op::put("m", format!("{n}"), "1")]))).collect();
    for commit in commits {
        commit.await.unwrap();
    }
    // Letting go of the future does not take the batch back.
    drop(fresh.store.submit(Batch::new(vec![Op::put("m", "dropped", "1")])));
    fresh.store.submit(Batch::new(vec![Op::put("m", "after", "1")])).await.unwrap();
    assert!(fresh.store.get("m", "dropped").unwrap().is_some());
    assert!(fresh.store.submit(Batch::new(vec![])).await.is_err());
}
