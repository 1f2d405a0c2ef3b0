//! Both backends give the same answers to the same random operations, and go on doing so after reopening.

use drp_store::{Batch, Expect, IndexEntry, Op, Options, Record, Scan, Store, StoreError, open};
use proptest::prelude::*;

use crate::support::{file, memory};

const SPACES: [&str; 2] = ["m", "p"];

#[derive(Debug, Clone)]
enum Step {
    Submit(Vec<Op>),
    Reopen,
    Restore,
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]{1,2}",
        1 => proptest::sample::select(vec!["a\0", "\u{10FFFF}", "\u{D7FF}a", "\u{E000}", "%"]).prop_map(str::to_owned),
    ]
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        4 => Just(Expect::Any),
        1 => Just(Expect::Absent),
        1 => (0..30u64).prop_map(Expect::Revision),
    ]
}

fn entry() -> impl Strategy<Value = IndexEntry> {
    let name = proptest::sample::select(vec!["Name", "Pool"]);
    (name, "[xyz]?", proptest::bool::weighted(0.3)).prop_map(|(name, value, unique)| IndexEntry {
        name: name.to_owned(),
        value,
        unique,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let space = proptest::sample::select(SPACES.to_vec()).prop_map(str::to_owned);
    let value = proptest::collection::vec(any::<u8>(), 0..20);
    let put = (space.clone(), key(), value, expect(), proptest::collection::vec(entry(), 0..4)).prop_map(
        |(space, key, value, expect, indexes)| Op::Put { space, key, value: value.into(), expect, indexes },
    );
    let delete = (space, key(), expect()).prop_map(|(space, key, expect)| Op::Delete { space, key, expect });
    prop_oneof![3 => put, 1 => delete]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => proptest::collection::vec(op(), 1..5).prop_map(Step::Submit),
        1 => Just(Step::Reopen),
        1 => Just(Step::Restore),
    ]
}

/// Everything that can be read.
fn everything(store: &dyn Store, prefix: &str, after: &str, limit: usize) -> Vec<Vec<Record>> {
    let mut all = Vec::new();
    for space in SPACES {
        all.push(store.scan(space, &Scan::all()).unwrap());
        all.push(store.scan(space, &Scan::prefix(prefix).limit(limit)).unwrap());
        all.push(store.scan(space, &Scan::prefix(prefix).after(after)).unwrap());
        for name in ["Name", "Pool"] {
            for value in ["", "x", "y", "z"] {
                all.push(store.find(space, name, value).unwrap());
            }
        }
        for key in ["a", "ab", "\u{10FFFF}"] {
            all.push(store.get(space, key).unwrap().into_iter().collect());
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn both_backends_agree(
        steps in proptest::collection::vec(step(), 1..40),
        prefix in key(),
        after in key(),
        limit in 0..4usize,
    ) {
        let fresh = file(Options::default());
        let reference = memory(Options::default());
        let path = fresh.path();
        let mut store = fresh.store.clone();
        for step in steps {
            match step {
                Step::Submit(ops) => {
                    let there = store.submit(Batch::new(ops.clone())).wait();
                    let here = reference.store.submit(Batch::new(ops)).wait();
                    match (there, here) {
                        (Ok(there), Ok(here)) => prop_assert_eq!(there, here),
                        (Err(there), Err(here)) => {
                            prop_assert_eq!(there.to_string(), here.to_string());
                            let refused =
                                matches!(there, StoreError::Conflict { .. } | StoreError::Duplicate { .. });
                            prop_assert!(refused);
                        }
                        (there, here) => prop_assert!(false, "{there:?} in the file, {here:?} in memory"),
                    }
                }
                Step::Reopen => {
                    store.close();
                    store = open(path.to_str().unwrap(), Options::default()).unwrap();
                }
                Step::Restore => {
                    // The memory backend's backup takes the place of the file.
                    let copy = fresh.directory.path().join("copy.db");
                    reference.store.backup(&copy).unwrap();
                    store.close();
                    drp_store::restore(&copy, &path).unwrap();
                    store = open(path.to_str().unwrap(), Options::default()).unwrap();
                }
            }
            prop_assert_eq!(
                everything(&*store, &prefix, &after, limit),
                everything(&*reference.store, &prefix, &after, limit)
            );
            prop_assert_eq!(store.revision(), reference.store.revision());
        }
    }
}
