//! What every backend must do.

use std::ops::ControlFlow;
use std::sync::mpsc;

use drp_store::{
    Batch, Expect, Fault, MAX_KEY_BYTES, MAX_SPACE_BYTES, MAX_VALUE_BYTES, Op, Record, Scan, StoreError,
    for_each,
};

use crate::support::{Fresh, on_both_backends};

on_both_backends! {
    a_put_is_read_back_with_its_revision
    revisions_count_up_over_all_spaces_and_are_never_reused
    expectations_protect_against_lost_updates
    a_refused_batch_leaves_nothing_behind
    operations_of_a_batch_see_each_other
    unique_values_belong_to_one_object
    a_unique_value_is_free_again_after_delete_and_change
    indexes_follow_the_object
    scans_are_ordered_paged_and_bounded
    any_text_is_a_key
    on_commit_runs_in_commit_order_and_only_on_success
    on_commit_may_submit_and_may_panic
    bounds_are_named
    an_empty_batch_is_a_commit
    closing_finishes_the_queue_and_refuses_the_rest
    stats_count
}

fn put(fresh: &Fresh, op: Op) -> u64 {
    fresh.store.submit(Batch::new(vec![op])).wait().unwrap()
}

fn refuse(fresh: &Fresh, ops: Vec<Op>) -> StoreError {
    fresh.store.submit(Batch::new(ops)).wait().unwrap_err()
}

fn keys(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

fn a_put_is_read_back_with_its_revision(fresh: &Fresh) {
    assert_eq!(fresh.store.get("machines", "m1").unwrap(), None);
    let revision = put(fresh, Op::put("machines", "m1", &b"{}"[..]));
    let record = fresh.store.get("machines", "m1").unwrap().unwrap();
    assert_eq!((record.key.as_str(), record.revision, &record.value[..]), ("m1", revision, &b"{}"[..]));
    assert_eq!(fresh.store.get("profiles", "m1").unwrap(), None, "spaces are apart");
    put(fresh, Op::put("machines", "m1", Vec::new()));
    assert!(fresh.store.get("machines", "m1").unwrap().unwrap().value.is_empty());
}

fn revisions_count_up_over_all_spaces_and_are_never_reused(fresh: &Fresh) {
    assert_eq!(fresh.store.revision(), 0);
    assert_eq!(put(fresh, Op::put("a", "k", "1")), 1);
    assert_eq!(put(fresh, Op::put("b", "k", "1")), 2);
    refuse(fresh, vec![Op::put("a", "k", "2").expecting(Expect::Absent)]);
    assert_eq!(put(fresh, Op::delete("b", "k")), 3, "a refused batch takes no revision, a delete takes one");
    assert_eq!(put(fresh, Op::put("b", "k", "2")), 4);
    assert_eq!(fresh.store.get("a", "k").unwrap().unwrap().revision, 1);
    assert_eq!(fresh.store.revision(), 4);
}

fn expectations_protect_against_lost_updates(fresh: &Fresh) {
    let first = put(fresh, Op::put("m", "k", "1").expecting(Expect::Absent));
    let second = put(fresh, Op::put("m", "k", "2").expecting(Expect::Revision(first)));
    let lost = refuse(fresh, vec![Op::put("m", "k", "3").expecting(Expect::Revision(first))]);
    assert!(
        matches!(&lost, StoreError::Conflict { space, key, expected, found }
            if space == "m" && key == "k" && *expected == Some(first) && *found == Some(second)),
        "{lost}"
    );
    assert_eq!(lost.fault(), Fault::User);
    assert!(!lost.retry_is_safe());
    let missing = refuse(fresh, vec![Op::delete("m", "none").expecting(Expect::Revision(first))]);
    assert_eq!(
        missing.to_string(),
        "m/none changed meanwhile: expected revision 1, found no such object; read it again and retry"
    );
    refuse(fresh, vec![Op::delete("m", "k").expecting(Expect::Revision(first))]);
    put(fresh, Op::delete("m", "k").expecting(Expect::Revision(second)));
    put(fresh, Op::delete("m", "k"));
    put(fresh, Op::delete("m", "k").expecting(Expect::Absent));
}

fn a_refused_batch_leaves_nothing_behind(fresh: &Fresh) {
    put(fresh, Op::put("m", "old", "1").unique("Name", "old"));
    let ops = vec![
        Op::put("m", "new", "1").unique("Name", "new"),
        Op::put("m", "old", "2").unique("Name", "other"),
        Op::delete("m", "old"),
        Op::put("m", "last", "1").expecting(Expect::Revision(77)),
    ];
    refuse(fresh, ops);
    assert_eq!(keys(&fresh.store.scan("m", &Scan::all()).unwrap()), ["old"]);
    let old = fresh.store.find("m", "Name", "old").unwrap();
    assert_eq!((old[0].revision, &old[0].value[..]), (1, &b"1"[..]));
    for gone in ["new", "other"] {
        assert!(fresh.store.find("m", "Name", gone).unwrap().is_empty(), "{gone}");
    }
}

fn operations_of_a_batch_see_each_other(fresh: &Fresh) {
    let (tell, told) = mpsc::channel();
    let ops = vec![
        Op::put("m", "a", "1").expecting(Expect::Absent),
        Op::put("m", "a", "2").expecting(Expect::Revision(1)),
        Op::delete("m", "a"),
        Op::put("m", "a", "3").expecting(Expect::Absent),
    ];
    let batch = Batch::new(ops).then(move |committed| tell.send(committed.clone()).unwrap());
    assert_eq!(fresh.store.submit(batch).wait().unwrap(), 1);
    let committed = told.recv().unwrap();
    assert_eq!((committed.revision, committed.previous), (1, vec![None, Some(1), Some(1), None]));
    assert_eq!(&fresh.store.get("m", "a").unwrap().unwrap().value[..], b"3");
}

fn unique_values_belong_to_one_object(fresh: &Fresh) {
    put(fresh, Op::put("m", "a", "1").unique("Name", "node1"));
    let taken = refuse(fresh, vec![Op::put("m", "b", "1").unique("Name", "node1")]);
    assert_eq!(taken.to_string(), "m/b: Name \"node1\" is already taken by m/a");
    put(fresh, Op::put("m", "a", "2").unique("Name", "node1"));
    put(fresh, Op::put("profiles", "b", "1").unique("Name", "node1"));
    put(fresh, Op::put("m", "c", "1").index("Name", "node1"));
    put(fresh, Op::put("m", "d", "1").unique("Name", "node2").index("Name", "node2"));
    refuse(fresh, vec![Op::put("m", "e", "1").unique("Name", "node2")]);
    assert_eq!(keys(&fresh.store.find("m", "Name", "node2").unwrap()), ["d"]);
}

fn a_unique_value_is_free_again_after_delete_and_change(fresh: &Fresh) {
    put(fresh, Op::put("m", "a", "1").unique("Name", "x"));
    put(fresh, Op::put("m", "a", "1").unique("Name", "y"));
    put(fresh, Op::put("m", "b", "1").unique("Name", "x"));
    put(fresh, Op::delete("m", "a"));
    put(fresh, Op::put("m", "c", "1").unique("Name", "y"));
    let ops = vec![Op::delete("m", "b"), Op::put("m", "c", "2").unique("Name", "x")];
    fresh.store.submit(Batch::new(ops)).wait().unwrap();
    assert_eq!(keys(&fresh.store.find("m", "Name", "x").unwrap()), ["c"]);
    assert!(fresh.store.find("m", "Name", "y").unwrap().is_empty());
    // From unique to shared: others may then have it, too.
    put(fresh, Op::put("m", "c", "3").index("Name", "x"));
    put(fresh, Op::put("m", "d", "1").unique("Name", "x"));
}

fn indexes_follow_the_object(fresh: &Fresh) {
    for key in ["b", "c", "a"] {
        put(fresh, Op::put("m", key, "1").index("Profile", "p").index("Profile", key).index("Pool", "p"));
    }
    assert_eq!(keys(&fresh.store.find("m", "Profile", "p").unwrap()), ["a", "b", "c"]);
    put(fresh, Op::put("m", "b", "2").index("Profile", "q"));
    assert_eq!(keys(&fresh.store.find("m", "Profile", "p").unwrap()), ["a", "c"]);
    assert_eq!(keys(&fresh.store.find("m", "Pool", "p").unwrap()), ["a", "c"]);
    assert_eq!(&fresh.store.find("m", "Profile", "q").unwrap()[0].value[..], b"2");
    put(fresh, Op::delete("m", "a"));
    assert_eq!(keys(&fresh.store.find("m", "Profile", "p").unwrap()), ["c"]);
    assert!(fresh.store.find("m", "Profile", "").unwrap().is_empty());
    assert!(fresh.store.find("none", "Profile", "p").unwrap().is_empty());
}

fn scans_are_ordered_paged_and_bounded(fresh: &Fresh) {
    let names = ["b", "a/2", "a/1", "a", "a/10", "ä", "c"];
    let ops = names.iter().map(|name| Op::put("m", *name, "1")).collect();
    fresh.store.submit(Batch::new(ops)).wait().unwrap();
    let scan = |scan: Scan| fresh.store.scan("m", &scan).unwrap();
    assert_eq!(keys(&scan(Scan::all())), ["a", "a/1", "a/10", "a/2", "b", "c", "ä"]);
    assert_eq!(keys(&scan(Scan::prefix("a/"))), ["a/1", "a/10", "a/2"]);
    assert_eq!(keys(&scan(Scan::prefix("a/1"))), ["a/1", "a/10"]);
    assert_eq!(keys(&scan(Scan::prefix("a/").limit(2))), ["a/1", "a/10"]);
    assert_eq!(keys(&scan(Scan::prefix("a/").after("a/10"))), ["a/2"]);
    assert_eq!(keys(&scan(Scan::prefix("a/").after("A"))), ["a/1", "a/10", "a/2"], "before the prefix");
    assert!(scan(Scan::prefix("a/").after("b")).is_empty(), "after the prefix");
    assert!(scan(Scan::all().limit(0)).is_empty());
    assert!(fresh.store.scan("none", &Scan::all()).unwrap().is_empty());

    let ops = (0..2500).map(|n| Op::put("many", format!("{n:05}"), "1")).collect();
    fresh.store.submit(Batch::new(ops)).wait().unwrap();
    assert_eq!(fresh.store.scan("many", &Scan::all()).unwrap().len(), 1000);
    let mut seen = Vec::new();
    for_each(&*fresh.store, "many", "0", |record| {
        seen.push(record.key);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((seen.len(), seen.is_sorted()), (2500, true));
    let mut count = 0;
    for_each(&*fresh.store, "many", "", |_| {
        count += 1;
        if count == 1500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(count, 1500);
}

fn any_text_is_a_key(fresh: &Fresh) {
    let odd = ["'; DROP TABLE objects; --", "a\0b", "a", "\u{10FFFF}", "\u{10FFFF}x", "%_", "\"", " ", "🦀"];
    let ops = odd.iter().map(|key| Op::put("m", *key, *key).unique("Name", *key)).collect();
    fresh.store.submit(Batch::new(ops)).wait().unwrap();
    for key in odd {
        assert_eq!(&fresh.store.get("m", key).unwrap().unwrap().value[..], key.as_bytes());
        assert_eq!(keys(&fresh.store.find("m", "Name", key).unwrap()), [key]);
    }
    assert_eq!(
        keys(&fresh.store.scan("m", &Scan::prefix("\u{10FFFF}")).unwrap()),
        ["\u{10FFFF}", "\u{10FFFF}x"]
    );
    assert_eq!(keys(&fresh.store.scan("m", &Scan::prefix("a\0")).unwrap()), ["a\0b"]);
}

fn on_commit_runs_in_commit_order_and_only_on_success(fresh: &Fresh) {
    let (tell, told) = mpsc::channel();
    let mut commits = Vec::new();
    for n in 0..200 {
        let tell = tell.clone();
        // Every third one is refused.
        let expect = if n % 3 == 2 { Expect::Absent } else { Expect::Any };
        let store = fresh.store.clone();
        let batch = Batch::new(vec![Op::put("m", "k", format!("{n}")).expecting(expect)]);
        commits.push(fresh.store.submit(batch.then(move |committed| {
            let seen = store.get("m", "k").unwrap().unwrap();
            assert!(seen.revision >= committed.revision, "durable and readable before the callback");
            tell.send((n, committed.revision)).unwrap();
        })));
    }
    drop(tell);
    let outcomes: Vec<_> = commits.into_iter().map(drp_store::Commit::wait).collect();
    let told: Vec<_> = told.iter().collect();
    let committed: Vec<_> = outcomes
        .iter()
        .enumerate()
        .filter_map(|(n, outcome)| outcome.as_ref().ok().map(|r| (n, *r)))
        .collect();
    assert_eq!(told, committed);
    assert_eq!(committed.len(), 134);
    assert!(committed.is_sorted_by_key(|(_, revision)| *revision));
}

fn on_commit_may_submit_and_may_panic(fresh: &Fresh) {
    let (tell, told) = mpsc::channel();
    let store = fresh.store.clone();
    let batch = Batch::new(vec![Op::put("m", "a", "1")])
        .then(move |_| tell.send(store.submit(Batch::new(vec![Op::put("m", "b", "1")]))).unwrap());
    assert_eq!(fresh.store.submit(batch).wait().unwrap(), 1);
    assert_eq!(told.recv().unwrap().wait().unwrap(), 2);

    let batch = Batch::new(vec![Op::put("m", "c", "1")]).then(|_| panic!("as the test wants"));
    let error = fresh.store.submit(batch).wait().unwrap_err();
    assert!(matches!(error, StoreError::Callback { revision: 3 }), "{error}");
    assert!(fresh.store.get("m", "c").unwrap().is_some());
    assert_eq!(put(fresh, Op::put("m", "d", "1")), 4, "the writer lives on");
}

fn bounds_are_named(fresh: &Fresh) {
    let large = vec![0; MAX_VALUE_BYTES + 1];
    let long = |bytes: usize| "x".repeat(bytes);
    let refused = [
        (Op::put("", "k", "1"), "the space of /k"),
        (Op::put("m", "", "1"), "the key of m/"),
        (Op::delete("m", long(MAX_KEY_BYTES + 1)), "the key of m/xxx"),
        (Op::put(long(MAX_SPACE_BYTES + 1), "k", "1"), "the space of xxx"),
        (Op::put("m", "k", large), "the value of m/k is 67108865 long and must be 1 to 67108864"),
        (Op::put("m", "k", "1").index("Name", long(2000)), "index Name of m/k is 2000 long"),
        (Op::put("m", "k", "1").index("", "v"), "an index name of m/k"),
    ];
    for (op, text) in refused {
        let error = refuse(fresh, vec![op]);
        assert!(error.to_string().contains(text), "{error}");
        assert!(matches!(error, StoreError::TooLarge { .. }) && error.to_string().len() < 200);
    }
    assert_eq!(fresh.store.revision(), 0);
    let edge =
        Op::put(long(MAX_SPACE_BYTES), long(MAX_KEY_BYTES), "1").index(long(1024), long(1024)).index("a", "");
    put(fresh, edge);
}

fn an_empty_batch_is_a_commit(fresh: &Fresh) {
    let error = refuse(fresh, vec![]);
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
}

fn closing_finishes_the_queue_and_refuses_the_rest(fresh: &Fresh) {
    let commits: Vec<_> =
        (0..100).map(|n| fresh.store.submit(Batch::new(vec![Op::put("m", format!("{n}"), "1")]))).collect();
    fresh.store.close();
    fresh.store.close();
    for commit in commits {
        commit.wait().unwrap();
    }
    assert!(matches!(refuse(fresh, vec![Op::put("m", "late", "1")]), StoreError::Closed));
    assert!(matches!(fresh.store.get("m", "1").unwrap_err(), StoreError::Closed));
    assert!(matches!(fresh.store.scan("m", &Scan::all()).unwrap_err(), StoreError::Closed));
    assert!(matches!(fresh.store.find("m", "a", "b").unwrap_err(), StoreError::Closed));
    assert!(matches!(fresh.store.stats().unwrap_err(), StoreError::Closed));
    let target = fresh.directory.path().join("late");
    assert!(matches!(fresh.store.backup(&target).unwrap_err(), StoreError::Closed));
    assert!(!target.exists());
}

fn stats_count(fresh: &Fresh) {
    put(fresh, Op::put("m", "a", "1"));
    put(fresh, Op::put("p", "a", "1"));
    put(fresh, Op::put("p", "b", "1"));
    put(fresh, Op::delete("m", "a"));
    refuse(fresh, vec![Op::put("p", "a", "1").expecting(Expect::Absent)]);
    let stats = fresh.store.stats().unwrap();
    assert_eq!(
        (stats.revision, stats.commits, stats.groups, stats.conflicts, stats.failures),
        (4, 4, 5, 1, 0)
    );
    assert_eq!(stats.spaces.into_iter().collect::<Vec<_>>(), [("p".to_owned(), 2)]);
}
